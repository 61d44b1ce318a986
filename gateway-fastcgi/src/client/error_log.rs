//! What a worker writes to STDERR, line by line to the request's error stream (FCGI-83).
//!
//! Holds the bound on it. Error output is never an error, and never reaches the client.

use gateway_spec::ErrorStream;
use tracing::Span;

use crate::lines::Lines;

/// The error output of one request.
pub(super) struct ErrorLog {
    errors: ErrorStream,
    lines: Lines,
    left: usize,
    /// Where its lines belong, if they come to somebody who reads for many requests.
    span: Span,
}

impl ErrorLog {
    pub(super) fn new(errors: ErrorStream, max_bytes: usize) -> Self {
        Self { errors, lines: Lines::default(), left: max_bytes, span: Span::none() }
    }

    /// The same in the span of whoever asks: their log has the request's id.
    pub(super) fn in_current_span(self) -> Self {
        Self { span: Span::current(), ..self }
    }

    /// Logs what is complete; drops what is past the bound.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        let (kept, dropped) = bytes.split_at(bytes.len().min(self.left));
        let Self { errors, lines, span, .. } = self;
        span.in_scope(|| lines.receive(kept, |line| write(errors, line)));
        let was_within = self.left > 0;
        self.left -= kept.len();
        if was_within && !dropped.is_empty() {
            self.finish();
            self.span.in_scope(|| write(&self.errors, "(more error output was dropped)"));
        }
    }

    /// Logs a last line that has no end.
    pub(super) fn finish(&mut self) {
        let Self { errors, lines, span, .. } = self;
        span.in_scope(|| lines.finish(|line| write(errors, line)));
    }
}

fn write(errors: &ErrorStream, line: &str) {
    errors.write_lines([line, "\n"]);
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Default)]
    struct Sink(Mutex<String>);

    impl gateway_spec::ErrorSink for Sink {
        fn write(&self, text: &str) {
            self.0.lock().unwrap().push_str(text);
        }
    }

    #[test]
    fn fcgi_83_error_output_is_logged_by_line_up_to_a_bound() {
        let sink = Arc::new(Sink::default());
        let mut log = ErrorLog::new(ErrorStream::new(sink.clone()), 12);
        log.receive(b"one\ntw");
        log.receive(b"o\nthree\nfour\n");
        log.receive(b"five\n");
        log.finish();
        assert_eq!(*sink.0.lock().unwrap(), "one\ntwo\nthre\n(more error output was dropped)\n");
    }

    #[test]
    fn fcgi_83_a_line_without_end_is_logged_at_the_end() {
        let sink = Arc::new(Sink::default());
        let mut log = ErrorLog::new(ErrorStream::new(sink.clone()), 100);
        log.receive(b"no newline");
        assert_eq!(*sink.0.lock().unwrap(), "");
        log.finish();
        assert_eq!(*sink.0.lock().unwrap(), "no newline\n");
    }
}
