//! The two gateways that stay: HTTP and FastCGI, on one runtime, until a signal.
//!
//! Holds the runtime, opening the socket and what is said when that fails. Does not hold either protocol.

use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use gateway_fastcgi::calls::CallRuntime;
use gateway_fastcgi::net::{Address, ListenOptions, Listener, inherited_stdin};
use gateway_fastcgi::worker::{Worker, WorkerConfig};
use gateway_spec::Application;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Decision, Why, http_url, log};
use crate::serve::{Config, Server};

/// Calls that may wait on threads of their own: slow uploads, and what finds no place on a worker.
const OVERFLOW: usize = 256;

/// How long applications that do not come back are waited for once everything else has ended.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Serves HTTP until a signal.
pub(super) fn http(app: impl Application, address: &Address, decision: &Decision) -> Result<ExitCode, String> {
    log::install();
    let runtime = runtime(decision)?;
    let listener = bind(&runtime, address, decision)?;
    let at = http_url(listener.address());
    let config = Config::default().shared_calls(runtime.calls().clone());
    let server = Server::new(app).config(config);
    let handle = server.handle();
    let signals = signals(&runtime)?;
    note(&format!("listening on {at} (Ctrl-C ends it)"));
    let served = runtime.block_on(async move {
        tokio::spawn(at_signal(signals, move || handle.stop()));
        tokio::spawn(server.serve(vec![listener])).await
    });
    end(runtime, served, &at)
}

/// Serves FastCGI until a signal, on `address` or on descriptor 0.
pub(super) fn fastcgi(
    app: impl Application,
    address: Option<&Address>,
    decision: &Decision,
) -> Result<ExitCode, String> {
    log::install();
    let runtime = runtime(decision)?;
    let listener = match address {
        Some(address) => bind(&runtime, address, decision)?,
        None => inherit(&runtime)?,
    };
    let at = listener.address().to_string();
    let config = WorkerConfig::default().shared_calls(runtime.calls().clone());
    let worker = Worker::with_config(app, config);
    let handle = worker.handle();
    let signals = signals(&runtime)?;
    if is_open_to_others(listener.address()) && std::env::var_os("FCGI_WEB_SERVER_ADDRS").is_none() {
        note("whoever can connect here can ask for anything: set FCGI_WEB_SERVER_ADDRS, or use unix:PATH");
    }
    // Whoever started it on descriptor 0 knows, and takes what is written here for trouble.
    if address.is_some() {
        note(&format!("FastCGI worker on {at} (Ctrl-C ends it)"));
    }
    let served = runtime.block_on(async move {
        tokio::spawn(at_signal(signals, move || handle.shutdown()));
        tokio::spawn(worker.serve(listener)).await
    });
    end(runtime, served, &at)
}

/// Whether other machines may reach the address; FastCGI has no authentication (FCGI-133).
fn is_open_to_others(address: &Address) -> bool {
    match address {
        Address::Unix(_) => false,
        Address::Tcp { host, .. } => host.parse::<IpAddr>().is_ok_and(|ip| !ip.is_loopback()),
    }
}

/// A runtime in which as many applications may run at once on workers as `--threads` says.
fn runtime(decision: &Decision) -> Result<CallRuntime, String> {
    let threads = decision.threads.unwrap_or_else(CallRuntime::default_inline);
    CallRuntime::new(threads, OVERFLOW).map_err(|error| format!("cannot start {threads} threads: {error}"))
}

fn bind(runtime: &Runtime, address: &Address, decision: &Decision) -> Result<Listener, String> {
    let mut options = ListenOptions::default();
    if let Some(mode) = decision.socket_mode {
        options = options.unix_mode(mode);
    }
    runtime.block_on(Listener::bind(address, &options)).map_err(|error| {
        let how = if decision.why == Why::Default { " with --http HOST:PORT" } else { "" };
        format!("{}{how}", cannot_listen(address, &error))
    })
}

fn inherit(runtime: &Runtime) -> Result<Listener, String> {
    let within = runtime.enter();
    let socket = inherited_stdin().and_then(|socket| socket.ok_or_else(|| ErrorKind::NotConnected.into()));
    let listener = socket.and_then(Listener::from_fd);
    drop(within);
    listener.map_err(|error| format!("cannot use descriptor 0 as the listening socket: {error}"))
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

type Signals = [Signal; 2];

/// Caught before anything is served, so that no signal is lost.
fn signals(runtime: &Runtime) -> Result<Signals, String> {
    let _within = runtime.enter();
    let caught =
        signal(SignalKind::terminate()).and_then(|terminate| Ok([terminate, signal(SignalKind::interrupt())?]));
    caught.map_err(|error| format!("cannot wait for signals: {error}"))
}

/// Stops gracefully at the first signal (FCGI-10), at once at the second.
async fn at_signal(mut signals: Signals, stop: impl FnOnce()) {
    next(&mut signals).await;
    stop();
    next(&mut signals).await;
    std::process::exit(1);
}

async fn next([terminate, interrupt]: &mut Signals) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
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
    fn fcgi_133_only_tcp_beyond_this_machine_is_open_to_others() {
        for (address, open) in
            [("unix:/run/x", false), ("127.0.0.1:1", false), ("[::1]:1", false), ("0.0.0.0:1", true), ("[::]:1", true)]
        {
            assert_eq!(is_open_to_others(&address.parse().unwrap()), open, "{address}");
        }
    }

    #[test]
    fn trouble_with_an_address_says_what_where_and_what_to_do() {
        let taken = cannot_listen(&"127.0.0.1:80".parse().unwrap(), &ErrorKind::AddrInUse.into());
        assert!(taken.starts_with("cannot listen on tcp:127.0.0.1:80: ") && taken.contains("another port"), "{taken}");
        let lost = cannot_listen(&"unix:/no/such/x".parse().unwrap(), &ErrorKind::NotFound.into());
        assert!(lost.starts_with("cannot listen on unix:/no/such/x: ") && lost.contains("folder"), "{lost}");
    }
}
