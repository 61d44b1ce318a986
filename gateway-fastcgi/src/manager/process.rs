//! One worker process: started, watched, killed with all its group, and reaped.
//!
//! Holds the guarantee that a [`Process`] that is gone here is gone in the system, too. Does not decide when.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus};
use std::time::Instant;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A process that leads its own group. Dropping kills the group and waits for the process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: Pid,
    /// Stands for this very process, however its number is used again.
    handle: OwnedFd,
    /// Whether it was reaped; its number may then be another's.
    ended: bool,
    pub(super) started: Instant,
}

impl Process {
    /// Starts it and returns it with its standard error.
    pub(super) fn start(command: &mut Command) -> io::Result<(Self, Option<OwnedFd>)> {
        let mut child = command.spawn()?;
        let stderr = child.stderr.take().map(OwnedFd::from);
        let opened = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData.into());
        let opened = opened.and_then(|pid| Ok((pid, pidfd_open(pid, PidfdFlags::empty())?)));
        match opened {
            Ok((pid, handle)) => Ok((Self { child, pid, handle, ended: false, started: Instant::now() }, stderr)),
            Err(e) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(e)
            }
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
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
    pub(super) fn terminate(&self) -> io::Result<()> {
        Ok(pidfd_send_signal(self.handle.as_fd(), Signal::TERM)?)
    }

    /// Kills it and everything in its group, and takes its exit status; one that has ended already keeps its own.
    ///
    /// The group is killed before the process is waited for: until then its number can mean no other group.
    pub(super) fn end(mut self) -> io::Result<ExitStatus> {
        self.kill_and_wait()
    }

    fn kill_and_wait(&mut self) -> io::Result<ExitStatus> {
        if !std::mem::replace(&mut self.ended, true) {
            // Both may find nobody: the process may have ended, or left its group.
            let _ = kill_process_group(self.pid, Signal::KILL);
            let _ = pidfd_send_signal(self.handle.as_fd(), Signal::KILL);
        }
        self.child.wait()
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
