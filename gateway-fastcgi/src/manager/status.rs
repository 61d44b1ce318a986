//! What is known about the workers at one moment.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// The workers of one pool, and what has happened since it began.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// The name of the [`Mode`](super::Mode).
    pub mode: &'static str,
    /// When the pool began.
    pub since: Instant,
    /// The processes there are, the oldest first.
    pub workers: Vec<WorkerStatus>,
    /// How many workers are wanted now.
    pub target: usize,
    /// The most there may be.
    pub max_children: usize,
    /// How often more workers were wanted than there may be.
    pub max_children_reached: u64,
    /// Connections that no worker has accepted yet.
    pub queue: usize,
    /// The most there ever were, of those that were seen.
    pub max_queue: usize,
    /// The most workers that were busy at once, of those that were seen.
    pub max_busy: usize,
    /// Requests that have ended; those of workers that are not ours are not known.
    pub requests: u64,
    /// Requests that took longer than [`Limits::slow_after`](super::Limits::slow_after) and have ended.
    pub slow: u64,
    /// Processes that were started.
    pub starts: u64,
    /// Processes that ended otherwise than by their own wish or ours.
    pub crashes: u64,
    /// Processes that were killed for a request that took too long.
    pub timeouts: u64,
    /// Reloads that were completed.
    pub reloads: u64,
    /// Whether a reload is under way.
    pub is_reloading: bool,
    /// How long it was decided to wait before the next start, if one waits.
    pub held_back: Option<Duration>,
    /// Whether so many workers have crashed that starting them is held back ([`Config::emergency`](super::Config::emergency)).
    pub emergency: bool,
    /// How the last process ended.
    pub last_exit: Option<ExitStatus>,
    /// Whether the workers have ended for good.
    pub stopped: bool,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// Its id, which is also the id of its group.
    pub pid: u32,
    /// 0 for those of the start, one more after each reload.
    pub generation: u64,
    /// What it is doing.
    pub state: State,
    /// When it was started.
    pub started: Instant,
    /// Whether it answers on the control channel.
    pub is_ours: bool,
    /// Requests it has ended; `None` if it is not ours.
    pub requests: Option<u64>,
    /// Requests under way; in a worker that is not ours, connections.
    pub active: u64,
    /// Resident memory in bytes, as last seen.
    pub memory_bytes: u64,
    /// Processor time, as last seen.
    pub cpu: Duration,
    /// The oldest request under way; `None` if there is none or it is not ours.
    pub request: Option<RequestStatus>,
}

/// A request under way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestStatus {
    /// Its method.
    pub method: String,
    /// Its path without the query, and cut if it is long.
    pub path: String,
    /// How long it had been under way when the worker was asked.
    pub age: Duration,
}

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was started, and has not been seen to be ready.
    Starting,
    /// It is ready and has no request.
    Idle,
    /// It has a request.
    Busy,
    /// It is to end once a replacement is ready, and works until then.
    Leaving,
    /// It was asked to finish.
    Finishing,
}

impl State {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Idle => "idle",
            State::Busy => "busy",
            State::Leaving => "leaving",
            State::Finishing => "finishing",
        }
    }
}

impl Status {
    pub(super) fn new(mode: &'static str, max_children: usize) -> Self {
        Self {
            mode,
            since: Instant::now(),
            workers: Vec::new(),
            target: 0,
            max_children,
            max_children_reached: 0,
            queue: 0,
            max_queue: 0,
            max_busy: 0,
            requests: 0,
            slow: 0,
            starts: 0,
            crashes: 0,
            timeouts: 0,
            reloads: 0,
            is_reloading: false,
            held_back: None,
            emergency: false,
            last_exit: None,
            stopped: false,
        }
    }

    /// How many workers do this.
    pub fn count(&self, state: State) -> usize {
        self.workers.iter().filter(|worker| worker.state == state).count()
    }

    /// The ids of all processes.
    pub fn pids(&self) -> Vec<u32> {
        self.workers.iter().map(|worker| worker.pid).collect()
    }

    /// How many can serve: all but those that start or finish.
    pub fn serving(&self) -> usize {
        self.workers.iter().filter(|worker| !matches!(worker.state, State::Starting | State::Finishing)).count()
    }
}
