//! The load generator: many keep-alive connections, few threads, every answer checked.
//!
//! It runs on the cores of what it measures, so it must be cheap: each thread waits for all its connections with one
//! epoll, a request costs one `send` and one `recv`, and the body of a long answer is thrown away by the kernel.
//! It shares no code with the servers that it judges. Does not hold what is measured when, or what becomes of it.
//!
//! | part | holds |
//! | --- | --- |
//! | `request` | the bytes that are sent |
//! | `answer`, `chunked` | the framing of an answer, without I/O |
//! | `connection` | one connection: its socket, and how far its request is |
//! | `pace` | when requests are due |
//! | `clock`, `poller` | the time; who is ready |
//! | `worker`, `slot` | one thread; each of its connections |
//! | `tally`, `summary` | what is counted; the percentiles of it |
//! | `ask` | a single request |

mod answer;
mod ask;
mod chunked;
mod clock;
mod connection;
mod pace;
mod poller;
mod request;
mod slot;
mod summary;
mod tally;
#[cfg(test)]
mod tests;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;
use std::time::Duration;

pub(crate) use ask::{AskError, Mark, ask};
pub(crate) use pace::Pace;
pub(crate) use request::{BodyLen, Request};
pub(crate) use summary::summary;
pub(crate) use tally::Outcome;

use pace::Grid;
use tally::Tally;
use worker::Worker;

/// One piece of load.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// Who is asked.
    pub(crate) address: SocketAddr,
    /// What is asked, again and again.
    pub(crate) request: Arc<Request>,
    /// All threads together; at least 1.
    pub(crate) connections: usize,
    /// At least 1; no more are made than there are connections.
    pub(crate) threads: usize,
    pub(crate) pace: Pace,
    /// From when all connections are open until answers are counted.
    pub(crate) warm_up: Duration,
    /// From then until no further request is made.
    pub(crate) duration: Duration,
}

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// From a request being due until it counts as a timeout.
    answer: Duration,
    /// For all connections to be open, before the time runs; those that are not, open while it does.
    open: Duration,
    /// For the answers that are still to come when the time is up.
    settle: Duration,
}

impl Patience {
    /// Ten seconds: longer than any sane CGI program under load, shorter than a user's patience with the whole run.
    /// Three to open: a lost SYN is sent again after one, and after three. Three to settle: a server that keeps up needs
    /// as long as an answer takes, and one that is behind by more will not catch up.
    const USUAL: Patience =
        Patience { answer: Duration::from_secs(10), open: Duration::from_secs(3), settle: Duration::from_secs(3) };
}

/// What all threads of one load share.
#[derive(Debug)]
struct Run<'a> {
    load: &'a Load,
    patience: Patience,
    /// The first answer's body length, where all are to be like it.
    first_body_len: OnceLock<u64>,
    /// When the time began to run.
    start: OnceLock<Mark>,
}

impl Load {
    /// Makes the load, and returns when it is over.
    ///
    /// Answers that are still to come when the time is up are waited for, so that the server has nothing left to do for
    /// this load when the next one begins. Closed loop: they are not counted. Open loop: they are, and a request that was
    /// due in time but has no answer then is a timeout, sent or not.
    pub(crate) fn run(&self) -> io::Result<Outcome> {
        self.run_with(Patience::USUAL)
    }

    fn run_with(&self, patience: Patience) -> io::Result<Outcome> {
        if self.connections == 0 || !self.pace.is_possible() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let run = Run { load: self, patience, first_body_len: OnceLock::new(), start: OnceLock::new() };
        let threads = self.threads.clamp(1, self.connections);
        let workers = (0..threads).map(|index| Worker::new(&run, share(self.connections, threads, index)));
        let workers = workers.collect::<io::Result<Vec<_>>>()?;
        let tallies = run_all(&run, workers)?;
        Tally::outcome(&tallies)
    }
}

/// One thread for each worker; the time begins to run when all have opened their connections.
fn run_all(run: &Run<'_>, workers: Vec<Worker<'_>>) -> io::Result<Vec<Tally>> {
    let threads = workers.len();
    let together = Barrier::new(threads);
    let work = |index: usize, mut worker: Worker<'_>| {
        let opened = worker.open();
        together.wait();
        opened?;
        let start = *run.start.get_or_init(clock::now);
        worker.run(start, Grid::new(run.load.pace, start, run.load.warm_up + run.load.duration, index, threads))
    };
    let work = &work;
    thread::scope(|scope| {
        let workers = workers.into_iter().enumerate();
        let handles: Vec<_> = workers.map(|(index, worker)| scope.spawn(move || work(index, worker))).collect();
        let died = |_| io::Error::other("a thread of the load died");
        handles.into_iter().map(|handle| handle.join().map_err(died)?).collect()
    })
}

/// The part of `total` for the thread `index` of `threads`.
fn share(total: usize, threads: usize, index: usize) -> usize {
    total / threads + usize::from(index < total % threads)
}
