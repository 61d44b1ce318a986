//! The signals that end a process, SIGTERM and SIGINT, for everything that serves.
//!
//! Holds the waiting, and when a second signal is meant as one. Does not hold what is done at a signal.

use std::io;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// timeout(1), terminals and supervisors send one wish to a process and to its group. What comes this soon is the same wish; nobody who
/// has lost patience is so quick.
const SAME_WISH: Duration = Duration::from_millis(100);

/// What ends the process.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    last: Option<Instant>,
}

impl Signals {
    /// From now on they do not end the process by themselves. Within a runtime.
    pub(crate) fn catch() -> io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Signals { terminate, interrupt, last: None })
    }

    /// The next one that is a wish of its own. Nothing is lost if it is dropped.
    pub(crate) async fn next(&mut self) -> &'static str {
        loop {
            let name = tokio::select! {
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
            };
            let now = Instant::now();
            if self.last.is_none_or(|last| now.duration_since(last) >= SAME_WISH) {
                self.last = Some(now);
                return name;
            }
        }
    }
}
