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

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::Mutex;

    use super::*;

    /// Holds text back until it is flushed.
    #[derive(Default)]
    struct Buffered {
        held: Mutex<String>,
        log: Mutex<String>,
    }

    impl ErrorSink for Buffered {
        fn write(&self, text: &str) {
            self.held.lock().expect("not poisoned").push_str(text);
        }

        fn flush(&self) {
            let held = std::mem::take(&mut *self.held.lock().expect("not poisoned"));
            self.log.lock().expect("not poisoned").push_str(&held);
        }
    }

    fn stream() -> (Arc<Buffered>, ErrorStream) {
        let sink = Arc::new(Buffered::default());
        (Arc::clone(&sink), ErrorStream::new(sink))
    }

    #[test]
    fn pep_31_41_52_text_reaches_the_log_at_the_latest_with_flush() {
        let (sink, mut errors) = stream();
        errors.write("one\n");
        errors.write_lines(["two\n", "three", "\n"]);
        writeln!(errors, "{}", 4).expect("written");
        assert_eq!(*sink.log.lock().expect("not poisoned"), "");
        errors.flush();
        assert_eq!(*sink.log.lock().expect("not poisoned"), "one\ntwo\nthree\n4\n");
    }

    #[test]
    fn pep_32_any_text_is_taken() {
        let (sink, errors) = stream();
        errors.write("\u{1F600} \0 \u{7f} \r");
        errors.flush();
        assert_eq!(*sink.log.lock().expect("not poisoned"), "\u{1F600} \0 \u{7f} \r");
    }

    #[test]
    fn pep_42_43_letting_go_of_a_stream_closes_nothing() {
        let (sink, errors) = stream();
        drop(errors.clone());
        errors.write("still open");
        errors.flush();
        assert_eq!(*sink.log.lock().expect("not poisoned"), "still open");
    }
}
