//! The two gateways that stay: HTTP and FastCGI, on one runtime, until a signal.
//!
//! Holds the runtime, opening the socket and what is said when that fails. Does not hold either protocol.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::time::Duration;

use gateway_fastcgi::calls::CallRuntime;
use gateway_fastcgi::net::{Address, ListenOptions, Listener, SocketSource, group_id, user_id};
use gateway_fastcgi::worker::{AllowList, Roles, Worker, WorkerConfig};
use gateway_spec::Application;
use tokio::runtime::Runtime;
#[cfg(feature = "tls")]
use tokio::signal::unix::{SignalKind, signal};

use super::{Decision, SocketFlags, Why, http_url, log};
use crate::notify::ServiceManager;
#[cfg(feature = "tls")]
use crate::serve::Tls;
use crate::serve::{Config, Endpoint, Server};
use crate::signals::Signals;

/// Calls that may wait on threads of their own: slow uploads, and what finds no place on a worker.
const OVERFLOW: usize = 256;

/// How long applications that do not come back are waited for once everything else has ended.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Serves HTTP until a signal.
pub(super) fn http(app: impl Application, socket: &SocketSource, decision: &Decision) -> Result<ExitCode, String> {
    log::install();
    let model = decision.model.unwrap_or_default();
    let runtime = runtime(decision, Config::default_threads)?;
    let options = listen_options(&decision.socket)?;
    let listeners = runtime.block_on(socket.open(&options)).map_err(|error| cannot_open(socket, &error, decision))?;
    let endpoints = with_tls(listeners, &runtime, &decision.socket)?;
    let at = endpoints.iter().map(|endpoint| http_url(endpoint.address(), &endpoint.scheme())).collect::<Vec<_>>();
    let at = at.join(" ");
    let mut config = Config::default().model(model).shared_calls(runtime.calls().clone());
    if let Some(threads) = decision.threads {
        config = config.connection_threads(threads);
    }
    let server = Server::new(app).config(config);
    let handle = server.handle();
    let signals = signals(&runtime)?;
    note(&format!("listening on {at} (Ctrl-C ends it)"));
    let at_ready = format!("serving {at}");
    let served = runtime.block_on(async move {
        tokio::spawn(told(signals, at_ready, move || handle.stop()));
        tokio::spawn(server.serve(endpoints)).await
    });
    end(runtime, served, &at)
}

/// The sockets, with TLS if there is a certificate; it is read again at SIGHUP.
#[cfg(feature = "tls")]
fn with_tls(listeners: Vec<Listener>, runtime: &Runtime, flags: &SocketFlags) -> Result<Vec<Endpoint>, String> {
    let Some((cert, key)) = &flags.tls else { return Ok(listeners.into_iter().map(Endpoint::new).collect()) };
    let tls = Tls::from_files(cert, key).map_err(|error| format!("--tls-cert, --tls-key: {error}"))?;
    let _within = runtime.enter();
    let mut hangup = signal(SignalKind::hangup()).map_err(|error| format!("cannot wait for signals: {error}"))?;
    let renewed = tls.clone();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match renewed.reload() {
                Ok(()) => tracing::info!("certificate reloaded"),
                Err(error) => tracing::error!(%error, "certificate not reloaded: it stays as it was"),
            }
        }
    });
    Ok(listeners.into_iter().map(|listener| Endpoint::new(listener).tls(tls.clone())).collect())
}

#[cfg(not(feature = "tls"))]
fn with_tls(listeners: Vec<Listener>, _: &Runtime, flags: &SocketFlags) -> Result<Vec<Endpoint>, String> {
    match &flags.tls {
        Some(_) => Err("--tls-cert: this program was built without the feature `tls` of gateway-server".to_owned()),
        None => Ok(listeners.into_iter().map(Endpoint::new).collect()),
    }
}

/// Serves FastCGI until a signal.
pub(super) fn fastcgi(roles: Roles, socket: &SocketSource, decision: &Decision) -> Result<ExitCode, String> {
    log::install();
    let runtime = runtime(decision, CallRuntime::default_inline)?;
    let (options, allowed) = (listen_options(&decision.socket)?, allowed(&decision.socket)?);
    let listener =
        runtime.block_on(socket.open_one(&options)).map_err(|error| cannot_open(socket, &error, decision))?;
    let at = listener.address().to_string();
    if allowed.is_about_processes() && !listener.address().is_unix() {
        return Err(format!("{at} is no UNIX socket: --allow-user and --allow-group cannot tell who connects there"));
    }
    let config = WorkerConfig::default().shared_calls(runtime.calls().clone()).allow(allowed);
    let worker = Worker::with_roles(roles, config);
    let handle = worker.handle();
    let signals = signals(&runtime)?;
    if listener.address().is_open_to_others() && std::env::var_os("FCGI_WEB_SERVER_ADDRS").is_none() {
        note("whoever can connect here can ask for anything: set FCGI_WEB_SERVER_ADDRS, or use unix:PATH");
    }
    // Whoever passed the socket knows, and takes what is written here for trouble.
    if matches!(socket, SocketSource::Address(_)) {
        note(&format!("FastCGI worker on {at} (Ctrl-C ends it)"));
    }
    let at_ready = format!("serving {at}");
    let served = runtime.block_on(async move {
        tokio::spawn(told(signals, at_ready, move || handle.shutdown()));
        tokio::spawn(worker.serve(listener)).await
    });
    end(runtime, served, &at)
}

/// A runtime in which as many applications may run at once on workers as `--threads` says.
fn runtime(decision: &Decision, usual: fn() -> usize) -> Result<CallRuntime, String> {
    let (model, threads) = (decision.model.unwrap_or_default(), decision.threads.unwrap_or_else(usual));
    model.runtime(threads, OVERFLOW).map_err(|error| format!("cannot start {threads} threads: {error}"))
}

/// How a socket file is made.
fn listen_options(flags: &SocketFlags) -> Result<ListenOptions, String> {
    let mut options = ListenOptions::default();
    if let Some(mode) = flags.mode {
        options = options.unix_mode(mode);
    }
    if let Some(owner) = &flags.owner {
        options = options.unix_owner(owner.parse().map_err(|error| refused("--socket-owner", owner, &error))?);
    }
    Ok(options)
}

/// Who may connect to a worker.
fn allowed(flags: &SocketFlags) -> Result<AllowList, String> {
    let mut allowed = AllowList::from_environment();
    for name in &flags.allow_users {
        allowed = allowed.user(user_id(name).map_err(|error| refused("--allow-user", name, &error))?);
    }
    for name in &flags.allow_groups {
        allowed = allowed.group(group_id(name).map_err(|error| refused("--allow-group", name, &error))?);
    }
    Ok(allowed)
}

fn refused(flag: &str, value: &str, error: &dyn fmt::Display) -> String {
    format!("{flag} \"{}\": {error}", value.escape_debug())
}

fn cannot_open(socket: &SocketSource, error: &io::Error, decision: &Decision) -> String {
    let how = if decision.why == Why::Default { " with --http HOST:PORT" } else { "" };
    match socket {
        SocketSource::Address(address) => format!("{}{how}", cannot_listen(address, error)),
        SocketSource::Stdin => format!("cannot use descriptor 0 as the listening socket: {error}"),
        SocketSource::Systemd { .. } => format!("cannot use the socket of {socket}: {error}"),
    }
}

/// What is wrong, where, and what can be done about it.
fn cannot_listen(address: &Address, error: &io::Error) -> String {
    let advice = match (error.kind(), address.is_unix()) {
        (ErrorKind::AddrInUse, false) => "stop the program that listens there, or choose another port",
        (ErrorKind::AddrInUse, true) => "stop the program that uses this path, or choose another path",
        (ErrorKind::PermissionDenied, false) => "ports below 1024 need a privilege: choose a higher one",
        (ErrorKind::PermissionDenied, true) => "choose a path in a folder that this user may write to",
        (ErrorKind::NotFound, true) => "make the folder first",
        (ErrorKind::AddrNotAvailable, _) => "choose an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all",
        (_, false) => "choose an address of this machine, such as 127.0.0.1:8080",
        (_, true) => "choose another path",
    };
    format!("cannot listen on {address}: {error}\n{advice}")
}

/// Caught before anything is served, so that no signal is lost.
fn signals(runtime: &Runtime) -> Result<Signals, String> {
    let _within = runtime.enter();
    Signals::catch().map_err(|error| format!("cannot wait for signals: {error}"))
}

/// [`at_signal`], with a service manager that is told of all of it.
async fn told(signals: Signals, status: String, stop: impl FnOnce()) {
    let manager = ServiceManager::from_environment();
    manager.ready(&status);
    let stop = || {
        manager.stopping();
        stop();
    };
    tokio::select! {
        () = manager.keep_alive() => {}
        () = at_signal(signals, stop) => {}
    }
}

/// Stops gracefully at the first signal (FCGI-10), at once at the second.
async fn at_signal(mut signals: Signals, stop: impl FnOnce()) {
    signals.next().await;
    stop();
    signals.next().await;
    std::process::exit(1);
}

fn end(
    runtime: CallRuntime,
    served: Result<io::Result<()>, tokio::task::JoinError>,
    at: &str,
) -> Result<ExitCode, String> {
    runtime.shutdown(LAST_WAIT);
    match served.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(format!("stopped serving {at}: {error}")),
    }
}

fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_with_an_address_says_what_where_and_what_to_do() {
        let taken = cannot_listen(&"127.0.0.1:80".parse().unwrap(), &ErrorKind::AddrInUse.into());
        assert!(taken.starts_with("cannot listen on tcp:127.0.0.1:80: ") && taken.contains("another port"), "{taken}");
        let lost = cannot_listen(&"unix:/no/such/x".parse().unwrap(), &ErrorKind::NotFound.into());
        assert!(lost.starts_with("cannot listen on unix:/no/such/x: ") && lost.contains("folder"), "{lost}");
    }
}
