//! The request body on its way to a program's standard input.
//!
//! A program is told the length before the first byte (CGI-21). A body whose length is known streams; one whose length
//! is not is received to its end first ([`spool`], CGI-65).

use std::fs::File;
use std::process::Stdio;

use gateway_spec::InputStream;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;

use super::HostError;
use super::activity::Activity;
use crate::spool::{self, Spool, SpoolError};

/// A request body of known length.
pub(super) struct RequestBody {
    /// For CONTENT_LENGTH; `None` if no body accompanies the request.
    pub(super) length: Option<u64>,
    source: Source,
}

enum Source {
    Nothing,
    /// The file itself becomes standard input.
    File(File),
    Stream(InputStream),
}

impl RequestBody {
    /// Finds the length of `input`, if necessary by receiving it to its end.
    pub(super) async fn prepare(
        declared: Option<u64>,
        input: InputStream,
        config: &spool::Config,
    ) -> Result<Self, HostError> {
        let (length, source) = match (input.length(), declared) {
            (Some(0), declared) => (declared.map(|_| 0), Source::Nothing),
            (Some(length), _) => (Some(length), Source::Stream(input)),
            // The stream does not know what the request declared: it is held to it here.
            (None, Some(length)) => (Some(length), Source::Stream(InputStream::new(input, Some(length)))),
            (None, None) => {
                let spool = Spool::receive(input, config).await?;
                let source = match spool.file() {
                    Some(file) => Source::File(file.map_err(SpoolError::File)?),
                    None => Source::Stream(spool.stream()),
                };
                (Some(spool.length()), source)
            }
        };
        Ok(RequestBody { length, source })
    }

    /// What becomes the program's standard input, and what has to be pumped into it.
    pub(super) fn into_stdin(self) -> (Stdio, Option<InputStream>) {
        match self.source {
            Source::Nothing => (Stdio::null(), None),
            Source::File(file) => (Stdio::from(file), None),
            Source::Stream(input) => (Stdio::piped(), Some(input)),
        }
    }
}

/// Writes the body into the pipe and closes it (CGI-60, CGI-61).
///
/// A program may leave its body unread: a pipe that nobody reads is a normal end (CGI-63).
pub(super) async fn feed(
    stdin: Option<pipe::Sender>,
    input: Option<InputStream>,
    activity: &Activity,
) -> Result<(), HostError> {
    let (Some(mut stdin), Some(mut input)) = (stdin, input) else { return Ok(()) };
    while let Some(piece) = input.next().await {
        let piece = piece.map_err(HostError::Body)?;
        if stdin.write_all(&piece).await.is_err() {
            break;
        }
        activity.mark();
    }
    Ok(())
}
