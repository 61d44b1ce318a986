//! `gateway serve`: from settings to the end of the process.
//!
//! Holds the order of things: log, runtime, sockets, workers, signals, restart, stop. Does not hold any of them.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use gateway_fastcgi::calls::CallRuntime;
use gateway_fastcgi::net::Listener;
use tokio::signal::unix::{SignalKind, signal};

use super::access::AccessLogError;
use super::admin::{AdminPage, Readiness, Sources};
use super::build::{BuildError, Built, Group, build};
use super::configs::with;
use super::listen::Listen;
use super::logging;
use super::mistake::Mistake;
use super::privileges::{Identity, PrivilegeError};
use super::reload::Reloads;
use super::restart::Successor;
use super::settings::{Log, Settings};
use super::sockets::{ListenError, Sockets, url};
use super::workers::StatusPage;
use crate::marks;
use crate::notify::ServiceManager;
use crate::serve::{self, Server, ServerHandle, Tls};
use crate::signals::Signals;
use crate::telemetry::{AccessLog, Metrics};

/// Why the server did not run, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error("no runtime: {0}")]
    Runtime(#[source] io::Error),
    #[error("signals cannot be received: {0}")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Certificate(#[from] Mistake),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    #[error("the sockets of the process before cannot be taken over: {0}")]
    Takeover(#[source] io::Error),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("the listener failed: {0}")]
    Serve(#[source] io::Error),
    /// Whoever sent a second signal knows; an exit code is enough.
    #[error("stopped at once by a second signal")]
    SecondSignal,
}

/// Serves until a signal.
pub(super) fn run(mut settings: Settings) -> Result<(), RunError> {
    let marks = marks::begin();
    logging::install(&Log {
        access: settings.log.access.or(settings.access.log.as_ref().map(|_| false)),
        ..settings.log.clone()
    });
    if settings.listen.is_empty() {
        settings.listen.push(Listen::by_default(&settings.certificate));
    }
    let identity = Identity::of(settings.user.as_deref(), settings.group.as_deref())?;
    if let Some(identity) = &identity {
        identity.prepare()?;
    }
    let runtime = runtime(&mut settings).map_err(RunError::Runtime)?;
    let result = runtime.block_on(serve(settings, identity));
    // Applications that do not come back are left behind.
    runtime.shutdown(Duration::from_secs(1));
    if let Some(marks) = marks {
        marks.save();
    }
    result
}

/// The runtime of the model, in which as many applications may run at once on workers as the settings say.
fn runtime(settings: &mut Settings) -> io::Result<CallRuntime> {
    const BLOCKING: usize = 256;
    let threads = settings.threads.unwrap_or_else(serve::Config::default_threads);
    let runtime = settings.model.runtime(threads, settings.max_blocking_calls.unwrap_or(BLOCKING))?;
    let server = std::mem::take(&mut settings.server).limits(settings.limits.clone()).model(settings.model);
    let server = with(server, settings.threads, serve::Config::connection_threads);
    settings.server = server.shared_calls(runtime.calls().clone());
    Ok(runtime)
}

async fn serve(settings: Settings, identity: Option<Identity>) -> Result<(), RunError> {
    let mut signals = Signals::catch().map_err(RunError::Signals)?;
    // Without a place for them these would end the process.
    let hangups = signal(SignalKind::hangup()).map_err(RunError::Signals)?;
    let mut restarts = signal(SignalKind::user_defined2()).map_err(RunError::Signals)?;
    let manager = Arc::new(ServiceManager::from_environment());
    let mut sockets = Sockets::receive().map_err(RunError::Takeover)?;
    // Before any worker is started: a taken port is the commonest trouble.
    let tls = settings.certificate.open()?;
    let endpoints = sockets.endpoints(&settings, tls.as_ref()).await?;
    let admin = sockets.admin(&settings).await?;
    become_user(identity.as_ref())?;
    let access_log = settings.access.open()?;
    let built = build(&settings.mounts, settings.max_children)?;
    if settings.mounts.is_empty() {
        tracing::warn!("nothing is mounted: every request is answered with 404; see --mount and [[mount]]");
    }
    let addresses = endpoints.iter().map(url).collect::<Vec<_>>();
    let _written_at_the_end = Flushed(access_log.clone());
    let status = format!("serving {}", addresses.join(" "));
    reloads(&built.workers, access_log.clone(), tls).at_each(hangups, Arc::clone(&manager), status.clone());
    let mut telemetry = settings.access.telemetry(access_log);
    let readiness = Readiness::default();
    let mut admin_page = None;
    if let Some(listener) = admin {
        let metrics = Metrics::new(
            settings.mounts.iter().map(|mount| String::from_utf8_lossy(mount.prefix.script_name()).into_owned()),
        );
        telemetry = telemetry.metrics(metrics.clone());
        admin_page = Some(show_admin(listener, &built, metrics, readiness.clone(), settings.server.clone()));
    }
    let server = Server::routed(built.site).config(settings.server.telemetry(telemetry));
    let handle = server.handle();
    let mut serving = tokio::spawn(server.serve(endpoints));
    readiness.set(true);
    // Who waits for this line and then asks whether all is ready is told so.
    for address in &addresses {
        tracing::info!("listening on {address}");
    }
    manager.ready(&status);
    tokio::spawn({
        let manager = Arc::clone(&manager);
        async move { manager.keep_alive().await }
    });
    let successor = sockets.ready();
    let result = loop {
        let name = tokio::select! {
            ended = &mut serving => break ended,
            name = signals.next() => name,
            _ = restarts.recv() => match replace(&successor, &mut signals).await {
                Replaced::By(pid) => {
                    manager.main_process(pid);
                    // Whoever asks whether all is well means the process that serves.
                    if let Some(page) = &admin_page {
                        page.stop();
                    }
                    "SIGUSR2"
                }
                Replaced::Stopped(name) => name,
                Replaced::ByNobody => continue,
            },
        };
        readiness.set(false);
        stopping(name, &handle);
        if name != "SIGUSR2" {
            manager.stopping();
        }
        tokio::select! {
            ended = &mut serving => break ended,
            name = signals.next() => return Err(at_once(name)),
        }
    };
    tokio::select! {
        () = stop_workers(built.workers) => {}
        name = signals.next() => return Err(at_once(name)),
    }
    tracing::info!("stopped");
    result.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(RunError::Serve)
}

/// What came of a restart.
enum Replaced {
    /// Another process serves now.
    By(u32),
    /// It did not work, and this process goes on.
    ByNobody,
    /// A signal to stop came first.
    Stopped(&'static str),
}

async fn replace(successor: &Successor, signals: &mut Signals) -> Replaced {
    let started = tokio::select! {
        started = successor.start() => started,
        name = signals.next() => return Replaced::Stopped(name),
    };
    match started {
        Ok(pid) => {
            successor.leave_files();
            tracing::info!(pid, "restarted: the new process serves");
            Replaced::By(pid)
        }
        Err(error) => {
            tracing::error!(%error, "not restarted: this process goes on");
            Replaced::ByNobody
        }
    }
}

/// Gives up root, once all is bound and read that needs it.
fn become_user(identity: Option<&Identity>) -> Result<(), RunError> {
    match identity {
        Some(identity) => {
            identity.take()?;
            tracing::info!(user = identity.name(), "privileges dropped");
        }
        None if rustix::process::geteuid().is_root() => {
            tracing::warn!("serving as root: --user NAME gives that up once the sockets are bound");
        }
        None => {}
    }
    Ok(())
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

/// Answers whether all is well, what was counted and what the workers are doing, until the process ends.
fn show_admin(
    listener: Listener,
    built: &Built,
    metrics: Metrics,
    readiness: Readiness,
    config: serve::Config,
) -> ServerHandle {
    tracing::info!(address = %listener.address(), "admin listener");
    let pools = built.workers.iter().map(|group| (group.name().to_owned(), group.handle())).collect();
    let sources = Sources { calls: config.calls().cloned(), ..built.sources.clone() };
    let page = AdminPage { readiness, metrics, sources, workers: StatusPage::new(pools) };
    // Whoever asks here names a machine and not a site.
    let server = Server::new(page).config(config.hosts(serve::Hosts::all()));
    let handle = server.handle();
    tokio::spawn(server.serve(vec![listener]));
    handle
}

/// What SIGHUP does; the configuration itself is not read again.
fn reloads(groups: &[Group], access_log: Option<AccessLog>, tls: Option<Tls>) -> Reloads {
    let mut reloads = Reloads::default();
    if let Some(log) = access_log {
        reloads.add("access log", move || log.reopen());
    }
    if let Some(tls) = tls {
        reloads.add("certificate", move || {
            tls.reload().map(|()| {
                for file in tls.certificate_files() {
                    tracing::info!(file = %file.display(), "certificate reloaded");
                }
            })
        });
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
