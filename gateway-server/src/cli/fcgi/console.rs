//! Standard output and standard error, which may be the same terminal.
//!
//! Holds where the last line stands, so that what we say begins a line of its own. What comes from the worker is not changed
//! where it goes to a file.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;

/// Both of them. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Console(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    /// What is written to one stands behind what is written to the other.
    is_one: bool,
    /// On a terminal nothing that a worker writes may move the cursor.
    is_terminal: bool,
    /// The last line on standard error, or on both, is not at its end.
    is_open: Cell<bool>,
}

impl Console {
    pub(super) fn new() -> Self {
        Self(Rc::new(Inner {
            is_one: place(&io::stdout()).is_some_and(|out| Some(out) == place(&io::stderr())),
            is_terminal: io::stderr().is_terminal(),
            is_open: Cell::new(false),
        }))
    }

    /// Part of the answer.
    pub(super) fn out(&self, bytes: &[u8]) -> io::Result<()> {
        if self.0.is_one {
            self.close_line_of_stderr();
            self.0.is_open.set(!bytes.ends_with(b"\n"));
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush())
    }

    /// What the worker has written for the log.
    pub(super) fn log(&self, bytes: &[u8]) {
        self.0.is_open.set(!bytes.ends_with(b"\n"));
        if !self.0.is_terminal {
            write(bytes);
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let shown = |symbol| if matches!(symbol, '\n' | '\t') { symbol.to_string() } else { harmless(symbol) };
        write(text.chars().map(shown).collect::<String>().as_bytes());
    }

    /// Lines of ours, each with its end.
    pub(super) fn say(&self, lines: &str) {
        self.close_line_of_stderr();
        write(lines.as_bytes());
    }

    fn close_line_of_stderr(&self) {
        if self.0.is_open.replace(false) {
            write(b"\n");
        }
    }
}

/// Nobody is told when standard error cannot be written: there is no other place.
fn write(bytes: &[u8]) {
    let _ = io::stderr().write_all(bytes);
}

/// Which file it is.
fn place(stream: &impl AsFd) -> Option<(u64, u64)> {
    let file = File::from(stream.as_fd().try_clone_to_owned().ok()?);
    let found = file.metadata().ok()?;
    Some((found.dev(), found.ino()))
}

/// Foreign bytes in a line of ours.
pub(super) fn escaped(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().map(harmless).collect()
}

fn harmless(symbol: char) -> String {
    if symbol.is_control() { symbol.escape_default().collect() } else { symbol.to_string() }
}
