//! How far it is, for whoever waits.
//!
//! Holds the bar in a terminal, and a line for each part where there is none.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// The progress of one run, in its own time.
pub(super) struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    part: String,
}

impl Progress {
    /// For a run that will take about this long.
    pub(super) fn new(expected: Duration) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = if is_terminal { ProgressBar::new(milliseconds(expected)) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{percent:>3}% {bar:30} {msg}") {
            bar.set_style(style);
        }
        Progress { bar, is_terminal, part: String::new() }
    }

    /// Says what is done now: the part of the run, and with which model.
    pub(super) fn say(&mut self, part: &str, model: &str) {
        if !self.is_terminal && self.part != part {
            let _ = writeln!(std::io::stderr(), "{part}");
        }
        part.clone_into(&mut self.part);
        self.bar.set_message(format!("{part}: {model}"));
    }

    /// So much of the expected time lies behind.
    pub(super) fn advance(&self, done: Duration) {
        self.bar.inc(milliseconds(done));
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
