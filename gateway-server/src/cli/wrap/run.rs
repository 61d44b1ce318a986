//! The life of `gateway cgi-wrap`: log, runtime, socket, host, signals, stop.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use gateway_cgi::host::Cgi;
use gateway_fastcgi::net::{Address, Listener, SocketSource};
use gateway_fastcgi::worker::{Mount, Worker, WorkerConfig};
use gateway_spec::{AppError, AsyncApplication, AsyncResponse, Bytes, Environ, InputStream, StatusCode, headers};
use tokio::runtime::Builder;

use super::Wrap;
use super::guard::Guard;
use crate::cli::configs::cgi_config;
use crate::cli::logging;
use crate::cli::sockets::advice;
use crate::signals::Signals;

/// Why the worker did not run, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum WrapError {
    #[error("no runtime: {0}")]
    Runtime(#[source] io::Error),
    #[error("signals cannot be received: {0}")]
    Signals(#[source] io::Error),
    #[error("cannot listen on {address}: {source}{}", advice(.source, .address, " with --fastcgi ADDR"))]
    Listen { address: Address, source: io::Error },
    #[error("no listening socket was passed: {0}; name one with --fastcgi unix:PATH or tcp:HOST:PORT")]
    NotPassed(#[source] io::Error),
    #[error("{0} is no UNIX socket: --allow-user and --allow-group cannot tell who connects there")]
    NoProcesses(Address),
    #[error("the options of programs cannot be applied: {0}")]
    Options(#[source] io::Error),
    #[error("a --root cannot be used: {0}")]
    Root(#[source] io::Error),
    #[error("the socket failed: {0}")]
    Serve(#[source] io::Error),
    /// Whoever sent a second signal knows; an exit code is enough.
    #[error("stopped at once by a second signal")]
    SecondSignal,
}

/// Serves until a signal.
pub(in crate::cli) fn run(wrap: Wrap) -> Result<(), WrapError> {
    logging::install(&wrap.log);
    let most = wrap.most();
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let runtime = Builder::new_multi_thread()
        .worker_threads(cores)
        .max_blocking_threads(BLOCKING)
        .thread_name("cgi-wrap")
        .enable_all()
        .build()
        .map_err(WrapError::Runtime)?;
    let result = runtime.block_on(serve(wrap, most));
    // Programs that are still there are killed.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Threads for what looks at the disk.
const BLOCKING: usize = 64;

impl Wrap {
    /// Requests that run or wait.
    fn most(&self) -> usize {
        const CHILDREN: usize = 32;
        self.options.max_children.unwrap_or(CHILDREN).saturating_add(self.max_queue).min(2 * super::MAX_PLACES)
    }
}

async fn serve(wrap: Wrap, most: usize) -> Result<(), WrapError> {
    let mut signals = Signals::catch().map_err(WrapError::Signals)?;
    let listener = listener(&wrap).await?;
    let roots: Vec<String> = wrap.roots.iter().map(|root| root.display().to_string()).collect();
    let config = cgi_config(&wrap.options).map_err(WrapError::Options)?;
    let cgi = Cgi::named_by_request(&wrap.roots, config).map_err(WrapError::Root)?;
    let cgi = cgi.local_redirects_to(Arc::new(PassOn));
    let mut config = WorkerConfig::default().mount(Mount::AsSent).allow(wrap.allowed.clone());
    if let Some(longest) = wrap.options.max_spool {
        config = config.max_spool_bytes(longest);
    }
    if listener.address().is_open_to_others() && std::env::var_os("FCGI_WEB_SERVER_ADDRS").is_none() {
        tracing::warn!(
            "whoever can connect can run every program below the roots: set FCGI_WEB_SERVER_ADDRS, or use unix:PATH"
        );
    }
    tracing::info!(address = %listener.address(), roots = roots.join(" "), "running CGI programs");
    let worker = Worker::asynchronous(Guard::new(cgi, wrap.stderr, most), config);
    let handle = worker.handle();
    let mut serving = tokio::spawn(worker.serve(listener));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        signal = signals.next() => {
            tracing::info!(signal, "stopping: no new connections, requests in progress are finished");
            handle.shutdown();
            tokio::select! {
                ended = &mut serving => ended,
                _ = signals.next() => return Err(WrapError::SecondSignal),
            }
        }
    };
    ended.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(WrapError::Serve)
}

async fn listener(wrap: &Wrap) -> Result<Listener, WrapError> {
    let source = match &wrap.listen {
        Some(source) => source.clone(),
        None => SocketSource::passed().map_err(WrapError::NotPassed)?,
    };
    let opened = source.open_one(&wrap.socket).await;
    let listener = opened.map_err(|error| match source {
        SocketSource::Address(address) => WrapError::Listen { address, source: error },
        _ => WrapError::NotPassed(error),
    })?;
    if wrap.allowed.is_about_processes() && !listener.address().is_unix() {
        return Err(WrapError::NoProcesses(listener.address().clone()));
    }
    Ok(listener)
}

/// What answers local redirects: the client is sent there (CGI-113). Only the server in front knows all its paths, and nginx
/// makes the same of a Location.
struct PassOn;

impl AsyncApplication for PassOn {
    async fn call(&self, environ: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
        let target = environ.get("REQUEST_URI").map(|target| Bytes::copy_from_slice(target.as_bytes()));
        let headers = headers!["location" => target.unwrap_or_default()];
        Ok(AsyncResponse::new(StatusCode::FOUND, headers, Bytes::new()))
    }
}
