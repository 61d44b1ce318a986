//! `wsgi.errors`: where an application's diagnostics go (PEP 3333 "Input and Error Streams").
//!
//! Holds the stream and the trait a gateway implements to receive it. Does not hold a log.

use std::fmt;
use std::sync::Arc;

/// The text stream for diagnostics; what is written to it ends in the gateway's log, never at the client.
///
/// There is no way to close it (PEP-43), and no text it cannot take (PEP-32). Lines end in `\n`.
///
/// # Examples
/// ```
/// use gateway_spec::ErrorStream;
/// let errors = ErrorStream::stderr();
/// errors.write("disk is nearly full\n");
/// errors.write_lines(["one\n", "two\n"]);
/// errors.flush();
/// ```
///
/// Source: PEP 3333 "Input and Error Streams"; requirements PEP-31, PEP-41.
#[derive(Clone, Default)]
pub struct ErrorStream {
    /// `None` is standard error: the common case needs no allocation.
    sink: Option<Arc<dyn ErrorSink>>,
}

/// Receives what an application writes to its error stream.
pub trait ErrorSink: Send + Sync {
    /// Takes a piece of text, which need not be a whole line.
    fn write(&self, text: &str);
    /// Makes sure that everything written so far is where it belongs (PEP-52).
    fn flush(&self) {}
}

impl ErrorStream {
    /// The process's standard error.
    pub fn stderr() -> Self {
        ErrorStream::default()
    }

    /// A stream into `sink`.
    pub fn new(sink: Arc<dyn ErrorSink>) -> Self {
        ErrorStream { sink: Some(sink) }
    }

    /// Writes text. A sink that fails has nobody left to tell, so there is no error.
    pub fn write(&self, text: &str) {
        match &self.sink {
            Some(sink) => sink.write(text),
            None => {
                use std::io::Write as _;
                let _ = std::io::stderr().lock().write_all(text.as_bytes());
            }
        }
    }

    /// Writes each piece in turn, adding nothing between them (`writelines` of PEP 3333).
    pub fn write_lines<S: AsRef<str>>(&self, lines: impl IntoIterator<Item = S>) {
        for line in lines {
            self.write(line.as_ref());
        }
    }

    /// Makes sure that everything written so far has reached the log.
    pub fn flush(&self) {
        if let Some(sink) = &self.sink {
            sink.flush();
        }
    }
}

impl fmt::Write for ErrorStream {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text);
        Ok(())
    }
}

impl fmt::Debug for ErrorStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.sink.is_some() { "ErrorStream(sink)" } else { "ErrorStream(stderr)" })
    }
}
