//! The processes of a pool, where dropping [`Workers`](super::Workers) finds them whatever the runtime is doing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::process::Process;

/// All processes of a pool, by their number in it.
#[derive(Debug, Default)]
pub(super) struct Processes(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    processes: HashMap<u64, Process>,
    closed: bool,
}

impl Processes {
    /// Keeps one; if all were killed meanwhile, this is too.
    pub(super) fn insert(&self, id: u64, process: Process) -> bool {
        let mut held = self.lock();
        let open = !held.closed;
        if open {
            held.processes.insert(id, process);
        }
        open
    }

    /// Takes one out.
    pub(super) fn take(&self, id: u64) -> Option<Process> {
        self.lock().processes.remove(&id)
    }

    /// Does something with one that is there.
    pub(super) fn with<T>(&self, id: u64, act: impl FnOnce(&Process) -> T) -> Option<T> {
        self.lock().processes.get(&id).map(act)
    }

    /// Kills all, waits for them, and lets no other in.
    pub(super) fn kill_all(&self) {
        let mut held = self.lock();
        held.closed = true;
        held.processes.values().for_each(Process::kill);
        held.processes.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
