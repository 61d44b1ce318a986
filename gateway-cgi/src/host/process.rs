//! One process with its group: started, waited for, ended, and always reaped.
//!
//! Holds what must never go wrong: no zombie stays, and no signal goes to a process that is not ours. Does not hold what
//! is read from or written to it.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};

/// A process that leads a group of its own.
///
/// It is reaped last of all: as long as it is not, its number and the group's cannot become another's, so a signal to
/// the group reaches its members only.
pub(super) struct Process {
    child: Child,
    group: Pid,
    /// Readable once the process has ended; `None` where the system has no pidfd.
    pidfd: Option<AsyncFd<OwnedFd>>,
    reaped: bool,
}

/// Our ends of the pipes.
pub(super) struct Pipes {
    /// `None` if standard input is no pipe.
    pub(super) stdin: Option<pipe::Sender>,
    pub(super) stdout: pipe::Receiver,
    pub(super) stderr: pipe::Receiver,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Not yet, though its output has; or nobody knows how.
    Running,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(signal) => write!(f, "killed by signal {signal}"),
            Exit::Running => f.write_str("no exit code yet"),
        }
    }
}

impl Process {
    /// Starts `command` with `stdin`, in a group of its own. Waits until the program is loaded, so it belongs on a thread
    /// that may block, inside the runtime that will wait for the process.
    ///
    /// Only what `posix_spawn` can do is asked of [`Command`]: environment, directory, group, descriptors. A closure
    /// before exec, a user or a group would make it fork, and a fork copies the page tables of the whole server.
    pub(super) fn spawn(command: &mut Command, stdin: Stdio) -> io::Result<(Process, Pipes)> {
        ends_are_reported()?;
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        tracing::trace!(target: "gateway::marks", mark = "spawning");
        let child = spawn_when_written(command)?;
        tracing::trace!(target: "gateway::marks", mark = "spawned");
        let group = Pid::from_child(&child);
        let mut process = Process { child, group, pidfd: None, reaped: false };
        process.pidfd = pidfd(group)?;
        let missing = || io::Error::other("a pipe is missing");
        let stdin = process.child.stdin.take().map(|stdin| pipe::Sender::from_owned_fd(stdin.into())).transpose()?;
        let stdout = process.child.stdout.take().ok_or_else(missing)?;
        let stderr = process.child.stderr.take().ok_or_else(missing)?;
        let stdout = pipe::Receiver::from_owned_fd(stdout.into())?;
        let stderr = pipe::Receiver::from_owned_fd(stderr.into())?;
        Ok((process, Pipes { stdin, stdout, stderr }))
    }

    /// Waits until the process has ended, and leaves it to be reaped.
    pub(super) async fn ended(&self) -> io::Result<Exit> {
        let pid = self.group;
        match &self.pidfd {
            Some(pidfd) => drop(pidfd.readable().await?),
            None => {
                let waited = tokio::task::spawn_blocking(move || wait_for(pid, WaitIdOptions::empty()));
                waited.await.map_err(io::Error::other)??;
            }
        }
        wait_for(pid, WaitIdOptions::NOHANG)
    }

    /// Asks the group to end, insists after `grace`, and reaps.
    pub(super) async fn terminate(mut self, grace: Duration) {
        self.signal(Signal::TERM);
        // Whatever goes wrong while waiting, the next signal settles it.
        let _ = tokio::time::timeout(grace, self.ended()).await;
        self.signal(Signal::KILL);
        let _ = self.ended().await;
        self.reap();
    }

    /// Takes the process from the system's table; it has ended.
    pub(super) fn reap(&mut self) {
        if !std::mem::replace(&mut self.reaped, true) {
            // The only error is that there is no such child any more, which is what is wanted.
            let _ = self.child.wait();
            tracing::trace!(target: "gateway::marks", mark = "reaped");
        }
    }

    fn signal(&self, signal: Signal) {
        if !self.reaped {
            // The group is gone only if it has ended by itself.
            let _ = kill_process_group(self.group, signal);
        }
    }
}

impl Drop for Process {
    /// The runtime is being shut down, or a start failed half-way: nothing stays behind, not even for a grace.
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.reap();
    }
}

/// Makes sure that an ended process stays until it is reaped.
///
/// A server that was started with SIGCHLD ignored has inherited that, and the system then throws the exit code away. A
/// handler takes the place of "ignore"; that it also wakes the runtime is of no use here.
fn ends_are_reported() -> io::Result<()> {
    static DONE: OnceLock<()> = OnceLock::new();
    if DONE.get().is_none() {
        drop(signal(SignalKind::child())?);
        DONE.get_or_init(|| ());
    }
    Ok(())
}

/// Starts a program; one that is being written at this moment is tried again a little later.
fn spawn_when_written(command: &mut Command) -> io::Result<Child> {
    /// 1 + 2 + 4 + … + 64 ms: longer than a script is copied, shorter than a client notices.
    const TRIES: u32 = 7;
    for attempt in 0..TRIES {
        match command.spawn() {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::TXTBSY) => {
                std::thread::sleep(Duration::from_millis(1 << attempt));
            }
            result => return result,
        }
    }
    command.spawn()
}

/// A descriptor that becomes readable when the process ends, if the system has such.
#[cfg(target_os = "linux")]
fn pidfd(pid: Pid) -> io::Result<Option<AsyncFd<OwnedFd>>> {
    use rustix::process::{PidfdFlags, pidfd_open};
    match pidfd_open(pid, PidfdFlags::empty()) {
        // Deprecated because a type could lie about its descriptor; an `OwnedFd` does not, and the successor is unsafe.
        #[allow(deprecated)]
        Ok(fd) => AsyncFd::with_interest(fd, tokio::io::Interest::READABLE).map(Some),
        // Before Linux 5.3, or under a filter of system calls: a thread waits instead.
        Err(Errno::NOSYS | Errno::PERM) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn pidfd(_: Pid) -> io::Result<Option<AsyncFd<OwnedFd>>> {
    Ok(None)
}

/// How the process ended; it stays to be reaped.
fn wait_for(pid: Pid, options: WaitIdOptions) -> io::Result<Exit> {
    let options = options | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let status = loop {
        match waitid(WaitId::Pid(pid), options) {
            Err(Errno::INTR) => {}
            // Somebody else in this process has reaped it, and only they know how it ended.
            Err(Errno::CHILD) => return Ok(Exit::Running),
            result => break result?,
        }
    };
    let Some(status) = status else { return Ok(Exit::Running) };
    Ok(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Running,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("/bin/sh");
        Process::spawn(command.args(["-c", script]), Stdio::null()).unwrap().0
    }

    fn exists(pid: Pid) -> bool {
        std::path::Path::new(&format!("/proc/{}", pid.as_raw_nonzero())).exists()
    }

    #[tokio::test]
    async fn cgi_179_the_end_is_seen_with_and_without_a_pidfd_and_again() {
        for (script, exit) in [("exit 0", Exit::Code(0)), ("exit 7", Exit::Code(7)), ("kill -9 $$", Exit::Signal(9))] {
            for without in [false, true] {
                let mut process = shell(script);
                if without {
                    process.pidfd = None;
                }
                assert_eq!(process.ended().await.unwrap(), exit);
                assert_eq!(process.ended().await.unwrap(), exit);
                let pid = process.group;
                assert!(exists(pid), "reaped too early");
                process.reap();
                process.reap();
                assert!(!exists(pid), "a zombie is left");
            }
        }
    }

    #[tokio::test]
    async fn cgi_179_what_is_dropped_is_ended_and_reaped() {
        let process = shell("trap '' TERM; while :; do sleep 1; done");
        let pid = process.group;
        drop(process);
        assert!(!exists(pid));
    }

    #[tokio::test]
    async fn cgi_179_a_process_deaf_to_sigterm_gets_sigkill() {
        let process = shell("trap '' TERM; while :; do sleep 1; done");
        let pid = process.group;
        process.terminate(Duration::from_millis(20)).await;
        assert!(!exists(pid));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error() {
        assert!(Process::spawn(&mut Command::new("/nonexistent"), Stdio::null()).is_err());
    }
}
