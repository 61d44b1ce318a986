//! Which cores make the load, and which run what is measured.
//!
//! As if the load came from another machine: on the same cores the two would push each other aside, and where the kernel
//! happens to put them would decide the figures.

use std::io;
use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// More cores than this make more load than any of the models can take.
const MOST_FOR_LOAD: usize = 8;

/// The division of the cores that this process may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cores {
    load: Vec<usize>,
    servers: Vec<usize>,
}

impl Cores {
    /// Half of the cores for the load, and the other for the models; a single core has to do for both.
    pub(super) fn divide() -> io::Result<Cores> {
        let usable = sched_getaffinity(None)?;
        Ok(Cores::of((0..CpuSet::MAX_CPU).filter(|core| usable.is_set(*core)).collect()))
    }

    fn of(mut load: Vec<usize>) -> Cores {
        let number = (load.len() / 2).clamp(1, MOST_FOR_LOAD).min(load.len());
        let mut servers = load.split_off(number);
        if servers.is_empty() {
            servers.clone_from(&load);
        }
        Cores { load, servers }
    }

    pub(super) fn all(&self) -> usize {
        if self.are_apart() { self.load.len() + self.servers.len() } else { self.load.len() }
    }

    pub(super) fn for_load(&self) -> usize {
        self.load.len()
    }

    pub(super) fn for_servers(&self) -> usize {
        self.servers.len()
    }

    /// Whether load and models are apart.
    pub(super) fn are_apart(&self) -> bool {
        self.load != self.servers
    }

    /// From here on this thread, and what it starts, runs where the models do.
    pub(super) fn enter_servers(&self) -> io::Result<()> {
        enter(&self.servers)
    }

    /// Does `work` on a thread that runs, as all that it starts, where the load is made.
    pub(super) fn with_load<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        thread::scope(|scope| {
            let working = scope.spawn(|| {
                enter(&self.load)?;
                Ok(work())
            });
            working.join().unwrap_or_else(|_| Err(io::Error::other("the thread that makes the load has failed")))
        })
    }
}

fn enter(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    Ok(sched_setaffinity(None, &set)?)
}

#[cfg(test)]
mod tests {
    use super::Cores;

    #[test]
    fn cores_are_divided_and_none_is_left_without() {
        let rows: [(usize, usize, usize, bool); 6] =
            [(1, 1, 1, false), (2, 1, 1, true), (3, 1, 2, true), (4, 2, 2, true), (16, 8, 8, true), (64, 8, 56, true)];
        for (all, load, servers, apart) in rows {
            let cores = Cores::of((0..all).collect());
            assert_eq!(
                (cores.for_load(), cores.for_servers(), cores.are_apart()),
                (load, servers, apart),
                "{all} cores"
            );
        }
    }
}
