//! One worker process: watched, killed with all its group, and reaped.
//!
//! Holds the guarantee that a [`Process`] that is gone here is gone in the system, too. Does not decide when, nor start one
//! (`spawner`).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use gateway_cgi::host::Running;
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, pidfd_send_signal, waitpid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A process that leads its own group. Dropping kills the group and waits for the process.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    /// Stands for this very process, however its number is used again.
    handle: OwnedFd,
    /// Whether it was reaped; its number may then be another's.
    ended: bool,
}

impl Process {
    pub(super) fn new(running: Running) -> io::Result<Self> {
        let pid = i32::try_from(running.pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { pid, handle: running.pidfd, ended: false })
    }

    pub(super) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Something to wait on for its end, without holding it.
    pub(super) fn watch(&self) -> io::Result<Watch> {
        // Deprecated because a descriptor that is not owned could be closed behind its back; this one is owned, and the
        // successor cannot be called without unsafe code.
        #[allow(deprecated)]
        let watched = AsyncFd::with_interest(self.handle.try_clone()?, Interest::READABLE)?;
        Ok(Watch(watched))
    }

    /// Asks it to end. Its children are its own affair: they may be at work for the request that is to be finished.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(pidfd_send_signal(self.handle.as_fd(), signal)?)
    }

    /// Kills it and everything in its group. Its end is seen by whoever watches.
    pub(super) fn kill(&self) {
        if !self.ended {
            // Both may find nobody: the process may have ended, or left its group.
            let _ = kill_process_group(self.pid, Signal::KILL);
            let _ = pidfd_send_signal(self.handle.as_fd(), Signal::KILL);
        }
    }

    /// Kills it and everything in its group, and takes its exit status; one that has ended already keeps its own.
    ///
    /// The group is killed before the process is waited for: until then its number can mean no other group.
    pub(super) fn end(mut self) -> io::Result<ExitStatus> {
        self.kill_and_wait()
    }

    fn kill_and_wait(&mut self) -> io::Result<ExitStatus> {
        self.kill();
        self.ended = true;
        loop {
            match waitpid(Some(self.pid), WaitOptions::empty()) {
                Ok(Some((_, status))) => return Ok(ExitStatus::from_raw(status.as_raw())),
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.kill_and_wait();
        }
    }
}

/// Tells when a process has ended; does not keep it or reap it.
#[derive(Debug)]
pub(super) struct Watch(AsyncFd<OwnedFd>);

impl Watch {
    /// Waits until the process has ended.
    pub(super) async fn ended(&self) -> io::Result<()> {
        self.0.readable().await.map(drop)
    }
}
