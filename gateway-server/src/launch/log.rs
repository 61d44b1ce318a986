//! Warnings and errors on standard error, for a program that has installed no `tracing` subscriber of its own.
//!
//! An application that fails must be heard of by whoever runs it (PEP-141). Holds one line for each event: level, message,
//! fields. Does not hold times, filters or formats: a program that wants those installs a subscriber before it starts.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span;
use tracing::{Event, Metadata, Subscriber};

/// Installs it, unless there is one.
pub(super) fn install() {
    crate::marks::subscribe(Stderr);
}

struct Stderr;

impl Subscriber for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= LevelFilter::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        // One write for each line, so that lines of several threads do not mix; no reader, nothing to be done.
        let _ = io::stderr().write_all(line(event).as_bytes());
    }

    // Spans are not enabled, so none of these is called for one.
    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}
    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}
    fn enter(&self, _span: &span::Id) {}
    fn exit(&self, _span: &span::Id) {}
}

fn line(event: &Event<'_>) -> String {
    let mut line = Line { message: String::new(), fields: String::new() };
    event.record(&mut line);
    format!("{}: {}{}\n", event.metadata().level().as_str().to_ascii_lowercase(), line.message, line.fields)
}

struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // What a peer or an application said must not make a second line.
        let text = format!("{value:?}").replace('\n', "\\n").replace('\r', "\\r");
        if field.name() == "message" {
            self.message = text;
        } else {
            let _ = write!(self.fields, " {}={text}", field.name());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Keeps lines instead of writing them.
    struct Kept(Arc<Mutex<Vec<String>>>);

    impl Subscriber for Kept {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            Stderr.enabled(metadata)
        }
        fn event(&self, event: &Event<'_>) {
            self.0.lock().unwrap().push(line(event));
        }
        fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
            Stderr.new_span(span)
        }
        fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}
        fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}
        fn enter(&self, _span: &span::Id) {}
        fn exit(&self, _span: &span::Id) {}
    }

    #[test]
    fn pep_141_warnings_and_errors_are_one_line_each() {
        let kept = Arc::new(Mutex::new(Vec::new()));
        tracing::subscriber::with_default(Kept(kept.clone()), || {
            tracing::warn!(peer = %"127.0.0.1:5", status = 500, error = "two\nlines", "application failed");
            tracing::error!("cannot accept");
            tracing::info!("not this one");
        });
        let lines = kept.lock().unwrap();
        let expected =
            ["warn: application failed peer=127.0.0.1:5 status=500 error=two\\nlines\n", "error: cannot accept\n"];
        assert_eq!(*lines, expected);
    }
}
