//! SIGUSR2: another process of the same command takes over the listening sockets, and this one ends when that one is ready.
//!
//! Holds both sides: starting the successor, and being one. Does not decide when, and does not hold how sockets are handed over
//! ([`gateway_fastcgi::net::hand_over`]).
//!
//! The successor's standard input is the channel: sockets come in over it, and a word goes back once requests are served. If it ends before, this
//! process goes on as if nothing had been.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::time::Duration;

use gateway_fastcgi::net::{HandedSocket, ListenOptions, Listener, ListenerHandle, SocketSource, hand_over, take_over};
use tokio::io::AsyncReadExt as _;

/// Says that standard input is such a channel, by the number of the process at its other end.
const VARIABLE: &str = "GATEWAY_TAKES_OVER_FROM";

/// What a successor says when it serves.
const READY: &[u8] = b"ready";

/// How long a successor may take: it starts workers, which may take a while.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is needed to start a successor.
pub(super) struct Successor {
    program: OsString,
    arguments: Vec<OsString>,
    sockets: Vec<(String, ListenerHandle)>,
}

/// Why there is no successor.
#[derive(Debug, thiserror::Error)]
pub(super) enum RestartError {
    #[error("sockets cannot be handed over: {0}")]
    HandOver(#[source] io::Error),
    #[error("{program:?} cannot be started: {source}")]
    Start { program: OsString, source: io::Error },
    #[error("the new process ended before it was ready ({0}); it has said why")]
    Ended(String),
    #[error("the new process was not ready within {PATIENCE:?}, and was ended")]
    Late,
}

impl Successor {
    /// One of this command, with these sockets; it is looked for where this one was found by name, so that it may be a newer one.
    pub(super) fn with(sockets: Vec<(String, ListenerHandle)>) -> Self {
        let mut arguments = std::env::args_os();
        let program = arguments.next().unwrap_or_default();
        Self { program, arguments: arguments.collect(), sockets }
    }

    /// Starts it, and waits until it serves; its number.
    pub(super) async fn start(&self) -> Result<u32, RestartError> {
        let (ours, theirs) = UnixStream::pair().map_err(RestartError::HandOver)?;
        hand_over(ours.as_fd(), &self.sockets).map_err(RestartError::HandOver)?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env(VARIABLE, std::process::id().to_string()).stdin(OwnedFd::from(theirs));
        let spawned = command.spawn();
        // Its end of the channel is its own from here on, or its death could not be seen.
        drop(command);
        let child = spawned.map_err(|source| RestartError::Start { program: self.program.clone(), source })?;
        let mut child = Unready(Some(child));
        let pid = child.id();
        tracing::info!(pid, "restarting: a new process is starting");
        match tokio::time::timeout(PATIENCE, word(ours)).await {
            Err(_) => Err(RestartError::Late),
            Ok(Ok(true)) => {
                child.0 = None;
                Ok(pid)
            }
            Ok(_) => Err(RestartError::Ended(child.status())),
        }
    }

    /// Leaves socket files to the successor.
    pub(super) fn leave_files(&self) {
        self.sockets.iter().for_each(|(_, handle)| handle.leave_file());
    }
}

/// Whether the successor says that it serves.
async fn word(channel: UnixStream) -> io::Result<bool> {
    channel.set_nonblocking(true)?;
    let mut channel = tokio::net::UnixStream::from_std(channel)?;
    let mut said = [0; READY.len()];
    Ok(channel.read_exact(&mut said).await.is_ok() && said == READY)
}

/// A successor that is not ready; ended on drop.
struct Unready(Option<Child>);

impl Unready {
    fn id(&self) -> u32 {
        self.0.as_ref().map_or(0, Child::id)
    }

    /// How it ended, or is ended.
    fn status(&mut self) -> String {
        let Some(mut child) = self.0.take() else { return String::new() };
        let _ = child.kill();
        child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Drop for Unready {
    fn drop(&mut self) {
        self.status();
    }
}

/// The sockets that this process takes over, if it is a successor.
#[derive(Debug, Default)]
pub(super) struct Takeover {
    sockets: Vec<HandedSocket>,
    is_expected: bool,
}

impl Takeover {
    /// What the process before has handed over.
    pub(super) fn receive() -> io::Result<Self> {
        let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().to_string());
        if std::env::var(VARIABLE).ok() != parent || parent.is_none() {
            return Ok(Self::default());
        }
        Ok(Self { sockets: take_over(io::stdin().as_fd())?, is_expected: true })
    }

    /// Listens where `source` says: on the sockets that were handed over by that name, or else on new ones.
    pub(super) async fn listen(&mut self, source: &SocketSource, options: &ListenOptions) -> io::Result<Vec<Listener>> {
        let name = source.to_string();
        let (taken, left) = std::mem::take(&mut self.sockets).into_iter().partition(|socket| socket.name == name);
        self.sockets = left;
        let taken: Vec<HandedSocket> = taken;
        if taken.is_empty() {
            source.open(options).await
        } else {
            taken.into_iter().map(HandedSocket::listen).collect()
        }
    }

    /// Tells the process before that requests are served here. Sockets that nobody wanted are closed.
    pub(super) fn ready(self) {
        if self.is_expected {
            // If it has gone meanwhile there is nobody to be told.
            let _ = rustix::io::write(io::stdin().as_fd(), READY);
        }
    }
}
