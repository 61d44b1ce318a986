//! `gateway serve`: from settings to the end of the process.
//!
//! Holds the order of things: log, runtime, workers, listeners, signals, stop. Does not hold any of them.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::time::Duration;

use gateway_fastcgi::calls::CallRuntime;
use gateway_fastcgi::net::{Address, ListenOptions, Listener, SocketSource};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::access::AccessLogError;
use super::build::{BuildError, Group, build, with};
use super::logging;
use super::mistake::Place;
use super::reload::Reloads;
use super::settings::{Listen, Log, Settings};
use super::workers::StatusPage;
use crate::marks;
use crate::serve::{self, Server, ServerHandle};
use crate::telemetry::AccessLog;

/// Why the server did not run, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error("no runtime: {0}")]
    Runtime(#[source] io::Error),
    #[error("signals cannot be received: {0}")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    #[error("{place}: cannot listen on {socket}: {source}{}", advice(.source, " with --listen ADDR"))]
    Listen { place: Place, socket: SocketSource, source: io::Error },
    #[error("the listener failed: {0}")]
    Serve(#[source] io::Error),
    /// Whoever sent a second signal knows; an exit code is enough.
    #[error("stopped at once by a second signal")]
    SecondSignal,
}

/// What the operator can do about an address; `with` names the flag that chooses another.
pub(super) fn advice(error: &io::Error, with: &str) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => format!("; choose another address{with}, or end the program that uses this one"),
        ErrorKind::PermissionDenied => "; choose a folder that this user may write to, or a port above 1023".to_owned(),
        ErrorKind::NotFound => "; make the folder first".to_owned(),
        ErrorKind::AddrNotAvailable => "; choose an address of this machine, such as tcp:127.0.0.1:9000".to_owned(),
        _ => String::new(),
    }
}

/// Serves until a signal.
pub(super) fn run(mut settings: Settings) -> Result<(), RunError> {
    let marks = marks::begin();
    logging::install(&Log {
        access: settings.log.access.or(settings.access.log.as_ref().map(|_| false)),
        ..settings.log.clone()
    });
    if settings.listen.is_empty() {
        let place = Place::Flag("--listen (default)".to_owned());
        settings.listen.push(Listen { socket: Address::tcp("127.0.0.1", 8080).into(), place });
    }
    let runtime = runtime(&mut settings).map_err(RunError::Runtime)?;
    let result = runtime.block_on(serve(settings));
    // Applications that do not come back are left behind.
    runtime.shutdown(Duration::from_secs(1));
    if let Some(marks) = marks {
        marks.save();
    }
    result
}

/// A runtime in which as many applications may run at once on workers as the settings say.
fn runtime(settings: &mut Settings) -> io::Result<CallRuntime> {
    const BLOCKING: usize = 256;
    let threads = settings.threads.unwrap_or_else(CallRuntime::default_inline);
    let runtime = CallRuntime::new(threads, settings.max_blocking_calls.unwrap_or(BLOCKING))?;
    let server = std::mem::take(&mut settings.server).limits(settings.limits.clone());
    settings.server = server.shared_calls(runtime.calls().clone());
    Ok(runtime)
}

async fn serve(settings: Settings) -> Result<(), RunError> {
    let mut signals = Signals::catch().map_err(RunError::Signals)?;
    // Before any worker is started: a taken port is the commonest trouble.
    let listeners = listeners(&settings).await?;
    let built = build(&settings.mounts, settings.max_children)?;
    if settings.mounts.is_empty() {
        tracing::warn!("nothing is mounted: every request is answered with 404; see --mount and [[mount]]");
    }
    for listener in &listeners {
        tracing::info!("listening on {}", url(listener.address()));
    }
    if let Some(address) = &settings.status {
        show_status(address, &built.workers, settings.server.clone().hosts(serve::Hosts::all())).await?;
    }
    let access_log = settings.access.open()?;
    let _written_at_the_end = Flushed(access_log.clone());
    reloads(&built.workers, access_log.clone()).at_hangup().map_err(RunError::Signals)?;
    let config = settings.server.telemetry(settings.access.telemetry(access_log));
    let server = Server::routed(built.site).config(config);
    let handle = server.handle();
    let mut serving = tokio::spawn(server.serve(listeners));
    let result = tokio::select! {
        ended = &mut serving => ended,
        name = signals.next() => {
            stopping(name, &handle);
            tokio::select! {
                ended = &mut serving => ended,
                name = signals.next() => return Err(at_once(name)),
            }
        }
    };
    tokio::select! {
        () = stop_workers(built.workers) => {}
        name = signals.next() => return Err(at_once(name)),
    }
    tracing::info!("stopped");
    result.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(RunError::Serve)
}

/// The access log, written out however the server ends.
struct Flushed(Option<AccessLog>);

impl Drop for Flushed {
    fn drop(&mut self) {
        if let Some(log) = &self.0 {
            log.flush();
        }
    }
}

/// Answers what the workers are doing, until the process ends.
async fn show_status(address: &Address, groups: &[Group], config: serve::Config) -> Result<(), RunError> {
    let place = || Place::Flag("--status".to_owned());
    let bound = Listener::bind(address, &ListenOptions::default()).await;
    let failed = |source| RunError::Listen { place: place(), socket: address.clone().into(), source };
    let listener = bound.map_err(failed)?;
    tracing::info!(address = %listener.address(), "status page");
    let pools = groups.iter().map(|group| (group.name().to_owned(), group.handle())).collect();
    tokio::spawn(Server::new(StatusPage::new(pools)).config(config).serve(vec![listener]));
    Ok(())
}

/// What SIGHUP does; the configuration itself is not read again.
fn reloads(groups: &[Group], access_log: Option<AccessLog>) -> Reloads {
    let mut reloads = Reloads::default();
    if let Some(log) = access_log {
        reloads.add("access log", move || log.reopen());
    }
    for group in groups {
        let handle = group.handle();
        reloads.add("workers", move || {
            // It waits for requests; other parts do not wait for it.
            let handle = handle.clone();
            tokio::spawn(async move { handle.reload().await });
            Ok::<_, Infallible>(())
        });
    }
    reloads
}

fn stopping(signal: &str, handle: &ServerHandle) {
    tracing::info!(signal, "stopping: no new connections, requests in progress are finished");
    handle.stop();
}

/// Workers are killed when they are dropped, on the way out.
fn at_once(signal: &str) -> RunError {
    tracing::warn!(signal, "stopping at once");
    RunError::SecondSignal
}

async fn stop_workers(workers: Vec<Group>) {
    if !workers.is_empty() {
        tracing::info!(groups = workers.len(), "stopping workers");
    }
    let mut stopping = tokio::task::JoinSet::new();
    for group in workers {
        stopping.spawn(group.stop());
    }
    while stopping.join_next().await.is_some() {}
}

async fn listeners(settings: &Settings) -> Result<Vec<Listener>, RunError> {
    let options = with(ListenOptions::default(), settings.socket_mode, ListenOptions::unix_mode);
    let options = with(options, settings.socket_owner, ListenOptions::unix_owner);
    let mut listeners = Vec::with_capacity(settings.listen.len());
    for Listen { socket, place } in &settings.listen {
        let failed = |source| RunError::Listen { place: place.clone(), socket: socket.clone(), source };
        listeners.extend(socket.open(&options).await.map_err(failed)?);
    }
    Ok(listeners)
}

/// Where a browser finds it.
fn url(address: &Address) -> String {
    match address {
        Address::Unix(path) => format!("unix:{}", path.display()),
        Address::Tcp { host, port } if host.contains(':') => format!("http://[{host}]:{port}"),
        Address::Tcp { host, port } => format!("http://{host}:{port}"),
    }
}

/// What ends the process.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
