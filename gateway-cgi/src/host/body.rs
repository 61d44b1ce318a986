//! The request body on its way to a program's standard input.
//!
//! A program is told the length before the first byte (CGI-21). A body whose length is known streams; what becomes of one
//! whose length is not is the operator's choice ([`UnknownLength`], CGI-65).

use std::fs::File;

use gateway_spec::InputStream;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;

use super::activity::Activity;
use super::process::Stdin;
use super::{Config, HostError};
use crate::spool::{Spool, SpoolError};

/// What becomes of a request body whose length nobody knows before its end, such as one in chunks (CGI-65). One that a
/// server has received whole before it asks the host has a length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnknownLength {
    /// It is received to its end and kept; then the program is started and told the true length. A body over the limit of
    /// the [`Config::spool`] is answered with 413, and no program is started.
    #[default]
    Spool,
    /// It is refused with 411 (RFC 9110 §15.5.12).
    Refuse,
    /// The program is started at once, without CONTENT_LENGTH, and reads to the end of standard input. This is outside
    /// RFC 3875 (§4.2 knows no body without a length): most programs take such a request for one without a body. For
    /// programs that are known to read to the end, and uploads that must not wait. No limit of this host's holds it.
    Stream,
}

/// A request body that is ready to be read.
pub(super) struct RequestBody {
    /// For CONTENT_LENGTH; `None` if no body accompanies the request, or one of unknown length.
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
    pub(super) async fn prepare(declared: Option<u64>, input: InputStream, config: &Config) -> Result<Self, HostError> {
        let (length, source) = match (input.length(), declared) {
            (Some(0), declared) => (declared.map(|_| 0), Source::Nothing),
            (Some(length), _) => (Some(length), Source::Stream(input)),
            // The stream does not know what the request declared: it is held to it here.
            (None, Some(length)) => (Some(length), Source::Stream(InputStream::new(input, Some(length)))),
            (None, None) => match config.unknown_length {
                UnknownLength::Refuse => return Err(HostError::LengthRequired),
                UnknownLength::Stream => (None, Source::Stream(input)),
                UnknownLength::Spool => {
                    let spool = Spool::receive(input, &config.spool).await?;
                    let source = match spool.file() {
                        Some(file) => Source::File(file.map_err(SpoolError::File)?),
                        None => Source::Stream(spool.stream()),
                    };
                    (Some(spool.length()), source)
                }
            },
        };
        Ok(RequestBody { length, source })
    }

    /// What becomes the program's standard input, and what has to be pumped into it.
    pub(super) fn into_stdin(self) -> (Stdin, Option<InputStream>) {
        match self.source {
            Source::Nothing => (Stdin::Null, None),
            Source::File(file) => (Stdin::Ready(file.into()), None),
            Source::Stream(input) => (Stdin::Pipe, Some(input)),
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
