//! The worker: serves applications over FastCGI, in its three roles.
//!
//! Holds the accept loop, its limits and its end. Does not hold what a connection does (`session`), how an application is called
//! (`exchange`), or which bytes are sent ([`crate::connection`]). Follows FastCGI 1.0 §2, §3.2 and §6.
//!
//! A worker listens on a UNIX or TCP socket, or on the one it was started with:
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! use gateway_fastcgi::net::{Listener, inherited_stdin};
//! use gateway_fastcgi::worker::Worker;
//! use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
//!
//! fn hello(_environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
//!     start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
//!     Ok("Hello, World!\n".into())
//! }
//!
//! let Some(socket) = inherited_stdin()? else { return Err(std::io::Error::other("not started by a gateway")) };
//! Worker::new(hello).serve(Listener::from_fd(socket)?).await
//! # }
//! ```
//!
//! Applications are called on the runtime's own threads when that cannot stall it, and on threads that may block otherwise
//! ([`crate::calls`]): give the runtime more threads than there are cores.

mod accepting;
mod activity;
mod allow;
mod applications;
mod asynchronous;
mod body;
mod config;
mod control;
mod environ;
mod exchange;
mod leave;
mod link;
mod mount;
mod output;
mod pump;
mod request;
mod roles;
mod session;
mod spool;
#[cfg(test)]
mod tests;

pub use allow::{AllowList, AllowListError};
pub use config::{Duplex, WorkerConfig};
pub use mount::Mount;
pub use roles::{
    Authorizer, AuthorizerApplication, Filter, FilterApplication, FilterData, FilterDataError, Roles, Verdict,
    VerdictError,
};

use crate::calls::{Calls, Turns};
use crate::net::Listener;
use accepting::accept;
use applications::Applications;
use gateway_spec::{Application, AsyncApplication};
use pump::Pumping;
use session::Session;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinSet, unconstrained};

/// Serves one application over FastCGI.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
/// use bytes::Buf;
/// use gateway_fastcgi::connection::{ClientConnection, ClientEvent};
/// use gateway_fastcgi::net::{ListenOptions, Listener, Stream};
/// use gateway_fastcgi::protocol::{BeginRequest, Role};
/// use gateway_fastcgi::worker::Worker;
/// use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
///
/// fn hello(_environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
///     start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
///     Ok("Hello, World!\n".into())
/// }
///
/// let listener = Listener::bind(&"tcp:127.0.0.1:0".parse()?, &ListenOptions::default()).await?;
/// let address = listener.address().clone();
/// let worker = Worker::new(hello);
/// let handle = worker.handle();
/// let serving = tokio::spawn(worker.serve(listener));
///
/// // What a gateway does:
/// let stream = Stream::connect(&address).await?;
/// let mut client = ClientConnection::new();
/// let variables: [(&[u8], &[u8]); 5] = [(b"REQUEST_METHOD", b"GET"), (b"SERVER_NAME", b"localhost"),
///     (b"SERVER_PORT", b"80"), (b"SERVER_PROTOCOL", b"HTTP/1.1"), (b"SCRIPT_NAME", b"/")];
/// let id = client.send_request(BeginRequest { role: Role::RESPONDER, keep_connection: false }, variables)?;
/// client.end_stdin(id)?;
/// let output = client.output();
/// stream.write_all(&output.copy_to_bytes(output.remaining())).await?;
/// while client.active().is_some() {
///     stream.read_buf(client.input(4096)).await?;
///     while let Some(event) = client.next_event()? {
///         if let ClientEvent::Stdout { data, .. } = event {
///             assert!(data.starts_with(b"Status: 200 OK\r\n"));
///         }
///     }
/// }
///
/// handle.shutdown();
/// serving.await??;
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Worker {
    applications: Applications,
    config: WorkerConfig,
    end: watch::Sender<bool>,
}

/// What all connections of a worker share.
pub(crate) struct Shared {
    applications: Applications,
    config: WorkerConfig,
    calls: Calls,
    activity: activity::Activity,
    pumping: Pumping,
    /// How many requests have begun.
    begun: AtomicU64,
    end: watch::Sender<bool>,
}

impl Shared {
    /// Counts a request; after the last one the worker ends.
    fn count_request(&self) {
        if let Some(most) = self.config.max_requests
            && self.begun.fetch_add(1, Ordering::Relaxed) + 1 == most
        {
            tracing::info!(requests = most, "worker has served its requests");
            self.end.send_replace(true);
        }
    }
}

impl Worker {
    /// A worker with the default configuration.
    pub fn new(app: impl Application) -> Self {
        Self::with_config(app, WorkerConfig::default())
    }

    /// A worker with this configuration.
    pub fn with_config(app: impl Application, config: WorkerConfig) -> Self {
        Self::with_roles(Roles::none().responder(app), config)
    }

    /// A worker that plays other roles than that of a Responder, or several.
    pub fn with_roles(roles: Roles, config: WorkerConfig) -> Self {
        Self { applications: Applications { roles, responder: None }, config, end: watch::Sender::new(false) }
    }

    /// A worker whose Responder is asynchronous.
    ///
    /// Its request body is a stream, and it is dropped when the gateway does not want the answer any more. Work that it has
    /// started elsewhere finds a [`Cancellation`](gateway_spec::Cancellation) in the extensions of its environ.
    ///
    /// # Examples
    /// ```
    /// use gateway_fastcgi::worker::{Worker, WorkerConfig};
    /// use gateway_spec::{AppError, AsyncApplication, AsyncResponse, BodyStream, Environ, InputStream, StatusCode, headers};
    ///
    /// struct Echo;
    ///
    /// impl AsyncApplication for Echo {
    ///     async fn call(&self, _environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
    ///         Ok(AsyncResponse::new(StatusCode::OK, headers!["content-type" => "text/plain"], input.into_body()))
    ///     }
    /// }
    ///
    /// let worker = Worker::asynchronous(Echo, WorkerConfig::default());
    /// # let _ = worker;
    /// ```
    pub fn asynchronous(app: impl AsyncApplication, config: WorkerConfig) -> Self {
        let applications = Applications { roles: Roles::none(), responder: Some(Arc::new(app)) };
        Self { applications, config, end: watch::Sender::new(false) }
    }

    /// Plays the role of an Authorizer too.
    #[must_use]
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.applications.roles = self.applications.roles.authorizer(authorizer);
        self
    }

    /// Plays the role of a Filter too.
    #[must_use]
    pub fn filter(mut self, filter: impl Filter) -> Self {
        self.applications.roles = self.applications.roles.filter(filter);
        self
    }

    /// A handle that ends this worker.
    pub fn handle(&self) -> WorkerHandle {
        WorkerHandle { end: self.end.clone() }
    }

    /// Accepts and serves connections until [`WorkerHandle::shutdown`], then finishes the requests under way (FCGI-10).
    ///
    /// The listener is closed at once; whoever shares it, such as a parent process, goes on. Requests that are not done within
    /// the [grace](WorkerConfig::grace) are cut off. Only peers of the [`AllowList`] are served (FCGI-5).
    ///
    /// # Errors
    /// The listener broke, or there is no thread for the watch over calls.
    pub async fn serve(self, listener: Listener) -> io::Result<()> {
        let Self { applications, config, end: ending } = self;
        let runtime = Handle::current();
        let calls = config.calls(&runtime);
        calls.watch(&runtime)?;
        let activity = activity::Activity::default();
        let control = control::Control::take(&activity, &ending);
        let (pumping, begun, end) = (Pumping::default(), AtomicU64::new(0), ending.clone());
        let shared = Arc::new(Shared { applications, config, calls, activity, pumping, begun, end });
        shared.calls.when_blocked(Arc::downgrade(&shared) as Weak<_>);
        let config = &shared.config;
        let allowed = config.allowed_peers();
        tracing::info!(address = %listener.address(), "fastcgi worker started");
        let end = ending.subscribe();
        let mut receiver = end.clone();
        let mut ended = pin!(async move {
            let _ = receiver.wait_for(|end| *end).await;
        });
        let places = Arc::new(Semaphore::new(config.max_connections as usize));
        let mut sessions = JoinSet::new();
        let accepting = async {
            let mut turns = Turns::default();
            loop {
                turns.next().await;
                let accepted = tokio::select! {
                    biased;
                    () = &mut ended => break Ok(()),
                    Some(_) = sessions.join_next() => continue,
                    accepted = accept(&listener, &places) => accepted,
                };
                let (stream, peer, place) = match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => break Err(error),
                };
                if !allowed.admits(&peer) {
                    tracing::warn!(%peer, "peer is not allowed to connect");
                    continue;
                }
                let session = Session::new(Arc::clone(&shared), stream, peer, end.clone());
                // In a box, because a task is moved now and then, and a session is large.
                sessions.spawn(Box::pin(async move {
                    session.run().await;
                    drop(place);
                }));
            }
        };
        let served = unconstrained(accepting).await;
        drop(listener);
        // Also on a broken listener: what has begun is finished.
        ending.send_replace(true);
        let grace = config.grace;
        let is_late = tokio::select! {
            () = async { while sessions.join_next().await.is_some() {} } => false,
            () = control.out_of_time(grace) => true,
        };
        if is_late {
            tracing::warn!(connections = sessions.len(), ?grace, "requests cut off");
            control.tell_cut_off();
        }
        // Also those whose call waits for its gateway on the session's own thread.
        shared.pumping.cut();
        sessions.shutdown().await;
        tracing::info!("fastcgi worker stopped");
        served
    }
}

/// Ends a [`Worker`] from elsewhere, such as a signal handler.
#[derive(Debug, Clone)]
pub struct WorkerHandle {
    end: watch::Sender<bool>,
}

impl WorkerHandle {
    /// Lets the worker finish its current requests and then return from [`Worker::serve`].
    pub fn shutdown(&self) {
        self.end.send_replace(true);
    }
}
