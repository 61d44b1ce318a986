//! The manager: starts workers on a socket, looks after them, and replaces those that end (FastCGI 1.0 §2, §7; FCGI-123).
//!
//! Holds the listening socket, the processes, and the rules when to start and when to end one. Does not speak FastCGI: the
//! [client](crate::client) does, over [`Workers::address`], or any web server.
//!
//! All workers accept from one socket, which stays open here while none of them runs: a connection that comes in between
//! waits and is not refused. Each is a process group of its own, gets the socket as descriptor 0 and a
//! [control channel](crate::control) as descriptor 3, and nothing else that this process has open, an environment from an allow-list,
//! standard output to nowhere, and its standard error in our log line by line. It ends when this process does, however that
//! comes about.
//!
//! What is known of a worker depends on who made it. One of ours ([`crate::worker`]) says what it is doing. Of any other
//! (php-cgi, a libfcgi program) it is seen from outside whether it has a connection, how much memory and processor time it
//! takes, and that it has ended; not whether its connection holds a request, nor which, nor how many it has served.

mod attend;
mod backoff;
mod config;
mod death;
mod limits;
mod mode;
mod observe;
mod pool;
mod process;
mod processes;
mod socket;
mod spawner;
mod status;
mod worker;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::net::{Address, Listener};
pub use config::{Config, FinishSignal};
pub use limits::Limits;
pub use mode::Mode;
use pool::{Order, Pool, Spec};
use processes::Processes;
use socket::Socket;
pub use status::{RequestStatus, State, Status, WorkerStatus};

/// Running workers.
///
/// Dropping kills them and waits for them; [`Workers::stop`] lets them finish first. Either way no process and no file
/// is left; if this process is itself killed, no process.
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
    handle: WorkersHandle,
    address: Address,
    processes: Arc<Processes>,
    task: JoinHandle<()>,
}

/// Asks about running workers and reloads them, from wherever it is held.
#[derive(Debug, Clone)]
pub struct WorkersHandle {
    orders: mpsc::UnboundedSender<Order>,
    status: watch::Receiver<Status>,
}

impl Workers {
    /// Opens a private socket and starts workers on it, as many as the mode says; a number means [`Mode::Static`]. Must be called
    /// within a tokio runtime.
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
        mode: impl Into<Mode>,
        config: Config,
    ) -> Result<Self, SpawnError> {
        let socket = Socket::open(config.socket_directory_path()).map_err(SpawnError::Socket)?;
        Self::begin(socket, Spec::new(program, args, mode, config))
    }

    /// Starts workers on a socket that is bound already. It is set to blocking, because workers written in C rely on it.
    ///
    /// # Errors
    /// As [`Workers::spawn`].
    pub fn on(
        listener: Listener,
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<OsString>>,
        mode: impl Into<Mode>,
        config: Config,
    ) -> Result<Self, SpawnError> {
        let socket = Socket::over(listener).map_err(SpawnError::Socket)?;
        Self::begin(socket, Spec::new(program, args, mode, config))
    }

    fn begin(socket: Socket, spec: Spec) -> Result<Self, SpawnError> {
        gateway_cgi::descriptors::keep_private();
        let address = socket.address().clone();
        let processes = Arc::new(Processes::default());
        let (orders, received) = mpsc::unbounded_channel();
        let (pool, status) = Pool::begin(spec, socket, Arc::clone(&processes), received)?;
        let task = tokio::spawn(pool.run());
        Ok(Self { handle: WorkersHandle { orders, status }, address, processes, task })
    }

    /// Where the workers answer; after [`Workers::spawn`] a UNIX socket that only this user can reach (FCGI-133).
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What the workers are doing.
    pub fn status(&self) -> Status {
        self.handle.status()
    }

    /// A handle that others can keep.
    pub fn handle(&self) -> WorkersHandle {
        self.handle.clone()
    }

    /// Waits until the workers are as `condition` says.
    pub async fn wait_until(&self, mut condition: impl FnMut(&Status) -> bool) {
        // An error means that the pool has ended, and nothing will change any more.
        let _ = self.handle.status.clone().wait_for(|status| condition(status)).await;
    }

    /// [`WorkersHandle::reload`].
    ///
    /// # Errors
    /// As there.
    pub async fn reload(&self) -> Result<(), ReloadError> {
        self.handle.reload().await
    }

    /// Asks the workers to finish what they are doing, and kills after the [stop timeout](Config::stop_timeout) those
    /// that have not ended (FCGI-10).
    pub async fn stop(mut self) {
        if self.handle.orders.send(Order::Stop).is_ok() {
            let _ = (&mut self.task).await;
        }
    }
}

impl WorkersHandle {
    /// What the workers are doing.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Replaces all workers by new ones of the same program, some at a time; an old one is asked to finish when a new one
    /// is ready. No connection is refused meanwhile: the socket stays open.
    ///
    /// # Errors
    /// [`ReloadError`] when a new worker did not become ready; the old ones that are left go on.
    pub async fn reload(&self) -> Result<(), ReloadError> {
        self.order(None).await
    }

    /// [`WorkersHandle::reload`] with another program, other arguments, another mode or configuration. If it fails, what was before
    /// stays in force.
    ///
    /// # Errors
    /// [`ReloadError`] when a new worker did not become ready.
    pub async fn reload_with(
        &self,
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = impl Into<OsString>>,
        mode: impl Into<Mode>,
        config: Config,
    ) -> Result<(), ReloadError> {
        self.order(Some(Spec::new(program, args, mode, config))).await
    }

    async fn order(&self, spec: Option<Spec>) -> Result<(), ReloadError> {
        let (done, answer) = oneshot::channel();
        self.orders.send(Order::Reload(spec.map(Box::new), done)).map_err(|_| ReloadError::Stopped)?;
        answer.await.unwrap_or(Err(ReloadError::Stopped))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.task.abort();
        self.processes.kill_all();
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

/// Why a reload has not replaced all workers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// A new worker ended before it was ready.
    #[error("a new worker ended before it was ready: {exit}")]
    Died {
        /// How it ended.
        exit: String,
    },
    /// A new worker could not be started.
    #[error("a new worker could not be started: {reason}")]
    NotStarted {
        /// What the system says.
        reason: String,
    },
    /// The workers are being stopped.
    #[error("the workers are being stopped")]
    Stopped,
}
