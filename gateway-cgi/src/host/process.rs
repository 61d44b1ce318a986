//! One process with its group: started, waited for, ended, and always reaped.
//!
//! Holds what must never go wrong: no zombie stays, and no signal goes to a process that is not ours. Does not hold how it
//! becomes the program (`spawn`), nor what is read from or written to it.

use std::fmt;
use std::io::{self, PipeReader, PipeWriter, pipe as new_pipe};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Once, OnceLock};
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;

use super::confine::Confinement;
use super::spawn::{self, Ends, Program, SpawnError, Started};

/// A process that leads a group of its own.
///
/// It is reaped last of all: as long as it is not, its number and the group's cannot become another's, so a signal to
/// the group reaches its members only.
pub(super) struct Process {
    group: Pid,
    end: End,
    reaped: bool,
}

/// How the end of a process is waited for.
enum End {
    /// By a descriptor that becomes readable; the runtime has not been told of it: most programs have ended when they are
    /// asked about.
    Pidfd(OwnedFd),
    /// By the runtime.
    Watched(AsyncFd<OwnedFd>),
    /// By a thread: the system has no such descriptors.
    Thread,
}

/// What becomes a program's standard input.
pub(super) enum Stdin {
    /// Nothing to read.
    Null,
    /// Something that is there already.
    Ready(OwnedFd),
    /// What is written into our end of a pipe.
    Pipe,
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
    /// Starts `program`, confined, in a group of its own. Holds this thread until the program is loaded, inside the runtime
    /// that will wait for the process.
    ///
    /// A file that is being written at this moment is tried again a little later.
    pub(super) async fn spawn(
        program: &Program,
        stdin: &Stdin,
        confinement: &Confinement,
    ) -> Result<(Process, Pipes), SpawnError> {
        /// 1 + 2 + 4 + … + 64 ms: longer than a script is copied, shorter than a client notices.
        const TRIES: u32 = 7;
        let mut attempt = 0;
        loop {
            match Self::start(program, stdin, confinement) {
                Err(error) if error.is_being_written() && attempt < TRIES => {
                    tokio::time::sleep(Duration::from_millis(1 << attempt)).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    fn start(program: &Program, stdin: &Stdin, confinement: &Confinement) -> Result<(Process, Pipes), SpawnError> {
        static REPORTED: Once = Once::new();
        REPORTED.call_once(spawn::report_ends);
        let (stdout, programs_stdout) = new_pipe()?;
        let (stderr, programs_stderr) = new_pipe()?;
        let piped = if let Stdin::Pipe = stdin { Some(new_pipe()?) } else { None };
        let programs_stdin = match (stdin, &piped) {
            (Stdin::Ready(input), _) => input.as_fd(),
            (_, Some((reader, _))) => reader.as_fd(),
            (_, None) => null()?,
        };
        let ends = Ends {
            stdin: programs_stdin,
            stdout: programs_stdout.as_fd(),
            stderr: programs_stderr.as_fd(),
            control: None,
        };
        tracing::trace!(target: "gateway::marks", mark = "spawning");
        let Started { pid, pidfd } = spawn::start(program, &ends, confinement)?;
        tracing::trace!(target: "gateway::marks", mark = "spawned");
        let process = Process { group: pid, end: pidfd.map_or(End::Thread, End::Pidfd), reaped: false };
        let stdin = piped.map(|(_, writer)| sender(writer)).transpose()?;
        Ok((process, Pipes { stdin, stdout: receiver(stdout)?, stderr: receiver(stderr)? }))
    }

    /// Waits until the process has ended, and leaves it to be reaped.
    pub(super) async fn ended(&mut self) -> io::Result<Exit> {
        let pid = self.group;
        if let Some(exit) = wait_for(pid, WaitIdOptions::NOHANG)? {
            return Ok(exit);
        }
        if let End::Pidfd(_) = self.end {
            let End::Pidfd(pidfd) = std::mem::replace(&mut self.end, End::Thread) else { return Ok(Exit::Running) };
            // Deprecated because a type could lie about its descriptor; an `OwnedFd` does not, and the successor is unsafe.
            #[allow(deprecated)]
            let watched = AsyncFd::with_interest(pidfd, Interest::READABLE)?;
            self.end = End::Watched(watched);
        }
        match &self.end {
            End::Watched(pidfd) => drop(pidfd.readable().await?),
            End::Pidfd(_) | End::Thread => {
                let waited = tokio::task::spawn_blocking(move || wait_for(pid, WaitIdOptions::empty()));
                waited.await.map_err(io::Error::other)??;
            }
        }
        Ok(wait_for(pid, WaitIdOptions::NOHANG)?.unwrap_or(Exit::Running))
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
            let _ = waitid(WaitId::Pid(self.group), WaitIdOptions::EXITED);
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

/// Where what is written goes nowhere.
pub(super) fn null_for_writing() -> io::Result<std::fs::File> {
    std::fs::File::options().write(true).open("/dev/null")
}

/// Where nothing is to be read: one descriptor for all programs.
fn null() -> io::Result<BorrowedFd<'static>> {
    static NULL: OnceLock<std::fs::File> = OnceLock::new();
    if let Some(file) = NULL.get() {
        return Ok(file.as_fd());
    }
    let file = std::fs::File::open("/dev/null")?;
    Ok(NULL.get_or_init(|| file).as_fd())
}

/// A pipe's end as the runtime wants it. It was made here, so what kind of file it is need not be asked.
fn receiver(end: PipeReader) -> io::Result<pipe::Receiver> {
    fcntl_setfl(&end, OFlags::NONBLOCK)?;
    pipe::Receiver::from_owned_fd_unchecked(end.into())
}

fn sender(end: PipeWriter) -> io::Result<pipe::Sender> {
    fcntl_setfl(&end, OFlags::NONBLOCK)?;
    pipe::Sender::from_owned_fd_unchecked(end.into())
}

/// How the process ended, if it has; it stays to be reaped.
fn wait_for(pid: Pid, options: WaitIdOptions) -> io::Result<Option<Exit>> {
    let options = options | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let status = loop {
        match waitid(WaitId::Pid(pid), options) {
            Err(Errno::INTR) => {}
            // Somebody else in this process has reaped it, and only they know how it ended.
            Err(Errno::CHILD) => return Ok(Some(Exit::Running)),
            result => break result?,
        }
    };
    let Some(status) = status else { return Ok(None) };
    Ok(Some(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Running,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::spawn::Step;
    use super::*;

    async fn spawn(program: &Program) -> Result<(Process, Pipes), SpawnError> {
        Process::spawn(program, &Stdin::Null, &Confinement::new()).await
    }

    async fn shell(script: &str) -> Process {
        let mut program = Program::new("/bin/sh".as_ref());
        program.argument(b"-c");
        program.argument(script.as_bytes());
        spawn(&program).await.unwrap().0
    }

    fn exists(pid: Pid) -> bool {
        std::path::Path::new(&format!("/proc/{}", pid.as_raw_nonzero())).exists()
    }

    #[tokio::test]
    async fn cgi_179_the_end_is_seen_with_and_without_a_pidfd_and_again() {
        for (script, exit) in [("exit 0", Exit::Code(0)), ("exit 7", Exit::Code(7)), ("kill -9 $$", Exit::Signal(9))] {
            for without in [false, true] {
                let mut process = shell(script).await;
                if without {
                    process.end = End::Thread;
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
        let process = shell("trap '' TERM; while :; do sleep 1; done").await;
        let pid = process.group;
        drop(process);
        assert!(!exists(pid));
    }

    #[tokio::test]
    async fn cgi_179_a_process_deaf_to_sigterm_gets_sigkill() {
        let process = shell("trap '' TERM; while :; do sleep 1; done").await;
        let pid = process.group;
        process.terminate(Duration::from_millis(20)).await;
        assert!(!exists(pid));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error() {
        let error = spawn(&Program::new("/nonexistent".as_ref())).await.err().unwrap();
        assert_eq!((error.step, error.source.kind()), (Step::Exec, io::ErrorKind::NotFound));
    }
}
