//! Events of an exchange as the output of a CGI program.
//!
//! Holds what goes into one write: the head waits for the first chunk, so that both leave together.

use std::io::{self, IoSlice, Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

use gateway_spec::{Disconnected, Event, FilePart, Headers, PushSink};
use http::StatusCode;

use crate::head;

/// Standard output, shared by the loop that pulls and by the application's `write`.
pub(super) struct Output<W> {
    sink: Mutex<Sink<W>>,
}

struct Sink<W> {
    out: W,
    /// An encoded head that no byte has followed yet.
    head: Vec<u8>,
    /// Once a write has failed none is tried again.
    failed: bool,
}

/// Why output could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    /// The reader has closed its end: the client has gone, or the gateway has had enough.
    #[error("nobody reads the output")]
    Gone,
    /// Anything else.
    #[error("writing the output failed: {source}")]
    Write {
        #[from]
        source: io::Error,
    },
}

impl<W: Write> Output<W> {
    pub(super) fn new(out: W) -> Self {
        Output { sink: Mutex::new(Sink { out, head: Vec::new(), failed: false }) }
    }

    /// Writes what an event asks for.
    pub(super) fn send(&self, event: Event) -> Result<(), OutputError> {
        self.with(|sink| match event {
            Event::Head(response) => {
                head::encode(response.status, &response.headers, &mut sink.head);
                Ok(())
            }
            Event::Chunk(chunk) => sink.write(&chunk),
            Event::Nothing | Event::End => sink.write(b""),
            // What was written stays the start of a response; the exit code says that it is not whole.
            Event::Abort => Ok(()),
        })
    }

    /// Writes a part of a file. The standard library has the system copy it, where standard output is something that takes that
    /// (`sendfile`, `splice`), as a pipe and a socket do.
    pub(super) fn send_file(&self, part: &FilePart) -> Result<(), OutputError> {
        self.with(|sink| {
            let mut file = part.file();
            file.seek(SeekFrom::Start(part.offset()))?;
            let sent = io::copy(&mut file.take(part.length()), &mut sink.out)?;
            // HTTP-211: the gateway sees less than was declared.
            if sent < part.length() { Err(part.ended_early()) } else { sink.out.flush() }
        })
    }

    /// Writes a response in one go.
    pub(super) fn send_whole(&self, status: StatusCode, headers: &Headers, body: &[u8]) -> Result<(), OutputError> {
        self.with(|sink| {
            head::encode(status, headers, &mut sink.head);
            sink.write(body)
        })
    }

    fn with(&self, send: impl FnOnce(&mut Sink<W>) -> io::Result<()>) -> Result<(), OutputError> {
        // A panic in application code cannot happen under this lock; one in `W` leaves nothing half done that matters.
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        if sink.failed {
            return Err(OutputError::Gone);
        }
        send(&mut sink).map_err(|error| {
            sink.failed = true;
            match error.kind() {
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => OutputError::Gone,
                _ => error.into(),
            }
        })
    }
}

impl<W: Write> Sink<W> {
    /// Writes the waiting head, if there is one, and `chunk`, and flushes.
    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        let head = std::mem::take(&mut self.head);
        let mut rest = [IoSlice::new(&head), IoSlice::new(chunk)];
        let mut rest = &mut rest[..];
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match self.out.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => IoSlice::advance_slices(&mut rest, len),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.flush()
    }
}

impl<W: Write + Send> PushSink for Output<W> {
    fn push(&self, event: Event) -> Result<(), Disconnected> {
        self.send(event).map_err(|_| Disconnected)
    }
}
