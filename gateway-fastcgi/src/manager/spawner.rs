//! The thread that starts workers.
//!
//! A thread of its own, because the system kills a worker when the thread that started it ends (`PR_SET_PDEATHSIG`): that is
//! how workers do not outlive a manager that is killed, and threads of a runtime come and go. It lives as long as the manager.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};

use gateway_cgi::host::Resident;

use super::process::Process;

/// Starts workers.
#[derive(Debug)]
pub(super) struct Spawner {
    jobs: Sender<Job>,
}

/// A worker that is to be started.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) program: Resident,
    pub(super) socket: OwnedFd,
    pub(super) errors: OwnedFd,
    pub(super) control: Option<OwnedFd>,
}

struct Job {
    order: Order,
    done: SyncSender<io::Result<Process>>,
}

impl Spawner {
    /// Starts the thread; it ends when this is dropped.
    pub(super) fn new() -> io::Result<Self> {
        let (jobs, queue) = channel::<Job>();
        std::thread::Builder::new().name("worker-starts".into()).spawn(move || {
            for Job { order, done } in queue {
                // If nobody waits for it any more, dropping ends it.
                let _ = done.send(order.start());
            }
        })?;
        Ok(Self { jobs })
    }

    /// Starts a worker and waits until its program is loaded: a millisecond or so.
    pub(super) fn start(&self, order: Order) -> io::Result<Process> {
        let (done, answer) = sync_channel(1);
        let gone = || io::Error::other("the thread that starts workers has ended");
        self.jobs.send(Job { order, done }).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }
}

impl Order {
    fn start(self) -> io::Result<Process> {
        let control = self.control.as_ref().map(AsFd::as_fd);
        Process::new(self.program.start(self.socket.as_fd(), self.errors.as_fd(), control)?)
    }
}
