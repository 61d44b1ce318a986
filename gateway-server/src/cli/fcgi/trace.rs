//! What is told on standard error while a conversation goes on: records with --dump, remarks with -v.
//!
//! Holds the clock and the two dumps. They also run when nothing is shown, because a mistake of the worker is told with
//! the offset of its record.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use gateway_fastcgi::dump::{Dump, Entry, Layout, Received, Side};

use super::console::Console;
use super::flags::Show;

/// Both directions of one connection.
#[derive(Debug)]
pub(super) struct Trace {
    began: Instant,
    to: Dump,
    from: Dump,
    layout: Option<Layout>,
    verbose: bool,
    console: Console,
}

impl Trace {
    pub(super) fn new(show: &Show, console: Console) -> Self {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            began: Instant::now(),
            to: Dump::new(Side::ToWorker),
            from: Dump::new(Side::FromWorker),
            layout: show.dump.map(|bytes| Layout::default().max_content_bytes(bytes).colour(colour)),
            verbose: show.verbose,
            console,
        }
    }

    pub(super) fn console(&self) -> &Console {
        &self.console
    }

    /// Whether anybody wants to know more than the answer.
    pub(super) fn is_on(&self) -> bool {
        self.verbose || self.layout.is_some()
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Where the record starts that comes from the worker now.
    pub(super) fn offset(&self) -> u64 {
        self.from.offset()
    }

    /// Bytes that have gone out.
    pub(super) fn sent(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Received { taken, entry } = self.to.receive(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            self.show(entry.as_ref());
        }
    }

    /// Takes bytes from the worker up to the end of one record, which is shown if it is whole.
    pub(super) fn received(&mut self, bytes: &[u8]) -> Received {
        let received = self.from.receive(bytes);
        self.show(received.entry.as_ref());
        received
    }

    /// The worker will send no more: the offset of a record that was cut, if one was.
    pub(super) fn ended(&mut self) -> Option<u64> {
        let cut = self.from.end();
        self.show(cut.as_ref());
        self.remark(Some(Side::FromWorker), "end of the connection");
        cut.map(|entry| entry.at)
    }

    /// A record of which only a part is here breaks a rule already.
    pub(super) fn broken(&mut self, what: &str) {
        let partial = self.from.partial();
        self.show(partial.as_ref());
        if let Some(layout) = &self.layout {
            self.console.say(&layout.fault(what));
        }
    }

    /// What is not a record, for the dump and for -v.
    pub(super) fn remark(&self, side: Option<Side>, what: &str) {
        match &self.layout {
            Some(layout) => self.console.say(&layout.remark(side, self.elapsed(), what)),
            None if self.verbose => self.console.say(&format!("* {what}\n")),
            None => {}
        }
    }

    fn show(&self, entry: Option<&Entry>) {
        if let (Some(layout), Some(entry)) = (&self.layout, entry) {
            self.console.say(&layout.text(entry, self.elapsed()));
        }
    }
}
