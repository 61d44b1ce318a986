//! The manager: starts workers on a socket of its own, and replaces those that die (FastCGI 1.0 §2, §7; FCGI-123).
//!
//! Holds the listening socket, the processes and the rule when to start one again. Does not speak FastCGI: the
//! [client](crate::client) does, over [`Workers::address`].
//!
//! All workers accept from one socket, which stays open here while none of them runs: a connection that comes in between
//! waits and is not refused. Each is a process group of its own, gets the socket as descriptor 0 and none that this
//! process has inherited, an environment from an allow-list, standard output to nowhere, and its standard error in our log line by line.

mod backoff;
mod config;
mod process;
mod socket;
mod status;
mod supervisor;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::net::Address;
pub use config::Config;
use socket::Socket;
pub use status::{State, WorkerStatus};
use supervisor::{Phase, Shared};

/// Running workers.
///
/// Dropping kills them and waits for them; [`Workers::stop`] lets them finish first. Either way no process and no file
/// is left. Only if this process is itself killed, they stay behind.
///
/// # Examples
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use gateway_fastcgi::manager::{Config, Workers};
///
/// let workers = Workers::spawn("php-cgi", ["-d", "memory_limit=64M"], 4, Config::default())?;
/// println!("workers answer at {}", workers.address());
/// workers.stop().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Workers {
    shared: Arc<Shared>,
    address: Address,
    tasks: JoinSet<()>,
}

impl Workers {
    /// Opens a socket and starts `count` workers on it, at least one. Must be called within a tokio runtime.
    ///
    /// A program without a `/` in its name is looked for in `PATH`. The descriptors that this process has inherited are marked
    /// as its own first, so that no program it starts gets them ([`gateway_cgi::descriptors`], CGI-177).
    ///
    /// # Errors
    /// [`SpawnError`] when the socket cannot be made or the program cannot be started. That it is no FastCGI worker, or
    /// ends at once, is no error here: it shows in [`Workers::status`] and the log.
    pub fn spawn(
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<OsString>>,
        count: usize,
        config: Config,
    ) -> Result<Self, SpawnError> {
        gateway_cgi::descriptors::keep_private();
        let program = program.into();
        let socket = Socket::open(config.socket_directory_path()).map_err(SpawnError::Socket)?;
        let address = Address::unix(socket.path());
        let args = args.into_iter().map(Into::into).collect();
        let shared = Arc::new(Shared::new(program, args, config, socket, count.max(1)));
        let mut workers = Self { shared: Arc::clone(&shared), address, tasks: JoinSet::new() };
        for slot in 0..count.max(1) {
            let running = shared.start(slot).map_err(|source| shared.spawn_error(source))?;
            workers.tasks.spawn(supervisor::supervise(Arc::clone(&shared), slot, running));
        }
        Ok(workers)
    }

    /// Where the workers answer: a UNIX socket that only this user can reach (FCGI-133).
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What each worker is doing.
    pub fn status(&self) -> Vec<WorkerStatus> {
        self.shared.status.borrow().clone()
    }

    /// Waits until the workers are as `condition` says.
    pub async fn wait_until(&self, mut condition: impl FnMut(&[WorkerStatus]) -> bool) {
        // The sender lives in `shared`, so there is no other end to wait for.
        let _ = self.shared.status.subscribe().wait_for(|status| condition(status)).await;
    }

    /// Asks the workers to finish what they are doing, and kills after the [stop timeout](Config::stop_timeout) those
    /// that have not ended (FCGI-10).
    pub async fn stop(mut self) {
        self.shared.phase.send_replace(Phase::Stopping);
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.kill_all();
    }
}

/// Why there are no workers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The listening socket could not be made.
    #[error("no socket for the workers")]
    Socket(#[source] io::Error),
    /// The program could not be started.
    #[error("worker \"{}\" could not be started", .program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The status of all workers, told to whoever waits for a change.
type StatusBoard = watch::Sender<Vec<WorkerStatus>>;
