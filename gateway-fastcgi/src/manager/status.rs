//! What is known about one worker.

use std::process::ExitStatus;
use std::time::Duration;

/// One of the workers: a place that processes follow each other in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// What it is doing.
    pub state: State,
    /// How many processes were started in this place.
    pub starts: u64,
    /// How the last process ended.
    pub last_exit: Option<ExitStatus>,
}

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A process runs.
    Running {
        /// Its id, which is also the id of its group.
        pid: u32,
    },
    /// The last process ended; another is started after the delay.
    Waiting {
        /// How long it waits.
        delay: Duration,
    },
    /// Ended, and no other will be started.
    Stopped,
}

impl WorkerStatus {
    /// A place in which nothing was started yet.
    pub(super) fn new() -> Self {
        Self { state: State::Stopped, starts: 0, last_exit: None }
    }

    /// The id of the process that runs.
    pub fn pid(&self) -> Option<u32> {
        match self.state {
            State::Running { pid } => Some(pid),
            State::Waiting { .. } | State::Stopped => None,
        }
    }
}
