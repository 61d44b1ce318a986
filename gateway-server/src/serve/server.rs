//! The listener as a program has it: an application with settings, its sockets, its runtime, and how it is stopped.
//!
//! Does not hold accepting (`accepting`), or what becomes of a connection (`connection`).

use super::accepting::accept;
use super::blocking;
use super::config::Config;
use super::endpoint::Endpoint;
use super::handler::{Handler, Router};
use super::shared::{Shared, Stop};
use crate::signals::Signals;
use gateway_fastcgi::calls::CallRuntime;
use gateway_fastcgi::net::{Address, ListenOptions, Listener};
use gateway_spec::{Application, AsyncApplication};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Handle, Runtime, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, unconstrained};

/// An application with settings, not yet listening.
///
/// # Examples
/// ```no_run
/// use gateway_server::serve::Server;
/// use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
///
/// fn hello(_environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
///     start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
///     Ok("Hello, World!\n".into())
/// }
///
/// fn main() -> std::io::Result<()> {
///     Server::new(hello).bind("127.0.0.1:8080")?.run()
/// }
/// ```
#[derive(Clone)]
pub struct Server {
    router: Arc<dyn Router>,
    config: Config,
    stop: Arc<Stop>,
}

impl Server {
    /// Serves a synchronous application.
    pub fn new(app: impl Application) -> Self {
        Self::routed(Handler::new(app))
    }

    /// Serves an asynchronous application.
    pub fn asynchronous(app: impl AsyncApplication) -> Self {
        Self::routed(Handler::asynchronous(app))
    }

    /// Serves whatever `router` chooses.
    pub fn routed(router: impl Router) -> Self {
        Self { router: Arc::new(router), config: Config::default(), stop: Arc::new(Stop::new()) }
    }

    /// Replaces the settings.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// What stops the server, from any thread.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { stop: Arc::clone(&self.stop) }
    }

    /// Starts a runtime with the configured threads and listens on `address`, such as `127.0.0.1:8080` or `unix:PATH`.
    ///
    /// # Errors
    /// An address that cannot be read, or what the system says.
    pub fn bind(self, address: &str) -> io::Result<Bound> {
        let address = address.parse().map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
        self.prepare()?.and_bind(&address)
    }

    /// Starts a runtime with the configured threads, without a listener yet.
    ///
    /// # Errors
    /// What the system says.
    pub fn prepare(self) -> io::Result<Bound> {
        let runtime = self.config.model.runtime(self.config.threads, self.config.max_blocking_calls)?;
        let config = self.config.shared_calls(runtime.calls().clone());
        let server = Self { config, ..self };
        Ok(Bound { server, runtime, endpoints: Vec::new() })
    }

    /// Serves on sockets of the caller's, each a [`Listener`] or an [`Endpoint`], within the caller's runtime, until [`ServerHandle::stop`].
    ///
    /// Then nothing more is accepted, idle connections are closed, and requests in progress have the configured time to
    /// end.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] outside a multi-thread runtime, which applications that block need; or what made a
    /// listener unusable.
    pub async fn serve(self, endpoints: Vec<impl Into<Endpoint>>) -> io::Result<()> {
        let runtime = Handle::current();
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "a multi-thread runtime is needed"));
        }
        if let Some(threads) = self.config.waiting_threads() {
            let shared = Shared::new(self.config, self.router, runtime, self.stop)?;
            let mut listeners = Vec::with_capacity(endpoints.len());
            for endpoint in endpoints {
                match endpoint.into().into_parts() {
                    (listener, None) => listeners.push(listener),
                    (_, Some(_)) => {
                        let what = "TLS, HTTP/2 and the PROXY protocol need a server model with an event loop";
                        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
                    }
                }
            }
            return blocking::serve(Arc::new(shared), listeners, threads).await;
        }
        let places = Arc::new(Semaphore::new(self.config.max_connections.min(Semaphore::MAX_PERMITS)));
        let shared = Arc::new(Shared::new(self.config, self.router, runtime, self.stop)?);
        let mut accepting = JoinSet::new();
        for endpoint in endpoints {
            let endpoint = endpoint.into();
            tracing::debug!(address = %endpoint.listener.address(), "listening");
            accepting.spawn(unconstrained(accept(endpoint, Arc::clone(&shared), Arc::clone(&places))));
        }
        let mut result = Ok(());
        while let Some(ended) = accepting.join_next().await {
            result = result.and(ended.unwrap_or_else(|e| Err(io::Error::other(e))));
        }
        finish(&shared).await;
        result
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Stops a server.
#[derive(Debug, Clone)]
pub struct ServerHandle {
    stop: Arc<Stop>,
}

impl ServerHandle {
    /// Asks for a graceful stop and returns at once.
    pub fn stop(&self) {
        self.stop.ask();
    }
}

/// A server with its runtime and listeners.
#[derive(Debug)]
pub struct Bound {
    server: Server,
    runtime: CallRuntime,
    endpoints: Vec<Endpoint>,
}

impl Bound {
    /// Listens on one more address.
    ///
    /// # Errors
    /// What the system says.
    pub fn and_bind(mut self, address: &Address) -> io::Result<Self> {
        let listener = self.runtime.block_on(Listener::bind(address, &ListenOptions::default()))?;
        self.endpoints.push(listener.into());
        Ok(self)
    }

    /// Takes over a listener that `make` opens within the runtime, such as one inherited from a service manager.
    ///
    /// # Errors
    /// What `make` says.
    pub fn and_listener(mut self, make: impl FnOnce() -> io::Result<Listener>) -> io::Result<Self> {
        let within = self.runtime.enter();
        let listener = make()?;
        drop(within);
        self.endpoints.push(listener.into());
        Ok(self)
    }

    /// Adds what comes before the first request on the address that was added last, such as TLS.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(Endpoint) -> Endpoint) -> Self {
        let last = self.endpoints.pop().map(change);
        self.endpoints.extend(last);
        self
    }

    /// Where the server listens; a port of 0 has become the real one.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.endpoints.iter().map(|endpoint| endpoint.listener.address())
    }

    /// What stops the server, from any thread.
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// The runtime, for what must run beside the listener.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Serves until SIGTERM, SIGINT or [`ServerHandle::stop`], then stops gracefully. A second signal, 100 ms later or more, ends it at once.
    ///
    /// # Errors
    /// As [`Server::serve`].
    pub fn run(self) -> io::Result<()> {
        let Self { server, runtime, endpoints } = self;
        let stop = server.handle();
        let serving = async {
            // Without signals there is still the handle.
            if let Ok(mut signals) = Signals::catch() {
                tokio::spawn(async move {
                    signals.next().await;
                    tracing::info!("stopping");
                    stop.stop();
                    signals.next().await;
                    std::process::exit(1);
                });
            }
            tokio::spawn(server.serve(endpoints)).await.unwrap_or_else(|e| Err(io::Error::other(e)))
        };
        let result = runtime.block_on(serving);
        // Applications that do not come back are left behind.
        runtime.shutdown(Duration::from_secs(1));
        result
    }
}

/// Waits for the requests in progress, then ends them.
async fn finish(shared: &Arc<Shared>) {
    shared.wake_idle();
    let all_ended = async {
        while shared.count() > 0 {
            shared.all_ended.notified().await;
        }
    };
    if tokio::time::timeout(shared.config.stop_timeout, all_ended).await.is_err() {
        tracing::warn!(connections = shared.count(), "stopped before all requests were done");
        shared.cut_all();
    }
}
