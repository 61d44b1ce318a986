//! The life of `gateway workers`: log, runtime, socket, workers, status page, signals, stop.

use std::io;
use std::time::Duration;

use gateway_fastcgi::calls::CallRuntime;
use gateway_fastcgi::manager::{SpawnError, Workers, WorkersHandle};
use gateway_fastcgi::net::{Address, ListenOptions, Listener, SocketSource};
use tokio::signal::unix::{SignalKind, signal};

use super::{Flags, Plan, StatusPage};
use crate::cli::configs::with;
use crate::cli::logging;
use crate::cli::settings::Log;
use crate::cli::sockets::advice;
use crate::notify::ServiceManager;
use crate::serve::{self, Server};
use crate::signals::Signals;

/// Why there are no workers, or none any more.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum WorkersError {
    #[error("no runtime: {0}")]
    Runtime(#[source] io::Error),
    #[error("signals cannot be received: {0}")]
    Signals(#[source] io::Error),
    #[error("cannot listen on {address}: {source}{}", advice(.source, .address, ""))]
    Listen { address: Address, source: io::Error },
    #[error("no listening socket was passed: {0}; name one with --listen unix:PATH or tcp:HOST:PORT")]
    NotPassed(#[source] io::Error),
    #[error("the options of workers cannot be applied: {0}")]
    Options(#[source] io::Error),
    #[error("{source}: {}", std::error::Error::source(.source).map(ToString::to_string).unwrap_or_default())]
    Spawn { source: SpawnError },
    /// Whoever sent a second signal knows; an exit code is enough.
    #[error("stopped at once by a second signal")]
    SecondSignal,
}

/// Threads for the status page; workers are processes.
const THREADS: usize = 2;
const BLOCKING: usize = 4;

/// Looks after workers until a signal.
pub(in crate::cli) fn run(plan: &Plan, flags: &Flags) -> Result<(), WorkersError> {
    // The status page is asked for all the time.
    logging::install(&Log { access: Some(false), ..plan.log.clone() });
    let runtime = CallRuntime::new(THREADS, BLOCKING).map_err(WorkersError::Runtime)?;
    let pages = serve::Config::default().shared_calls(runtime.calls().clone());
    let result = runtime.block_on(manage(plan, flags, pages));
    runtime.shutdown(Duration::from_secs(1));
    result
}

async fn manage(plan: &Plan, flags: &Flags, pages: serve::Config) -> Result<(), WorkersError> {
    let mut signals = Signals::catch().map_err(WorkersError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(WorkersError::Signals)?;
    let listener = listener(plan).await?;
    let page = match &plan.status {
        Some(address) => Some(bind(address, &ListenOptions::default()).await?),
        None => None,
    };
    let config = plan.pool.config().map_err(WorkersError::Options)?;
    let (program, arguments) = split(plan);
    let address = listener.address().clone();
    if address.is_open_to_others() && !plan.pool.has_list_of_peers() {
        // Workers of ours and php-cgi obey the variable, others may know nothing of it (FCGI-133).
        tracing::warn!(%address, "whoever can connect can ask the workers for anything: set FCGI_WEB_SERVER_ADDRS, or use unix:PATH");
    }
    let workers = Workers::on(listener, program, arguments, plan.pool.mode(), config)
        .map_err(|source| WorkersError::Spawn { source })?;
    tracing::info!(%address, mode = plan.pool.mode().name(), workers = plan.pool.mode().max_children(), "workers are started");
    if let Some(page) = page {
        tracing::info!(address = %page.address(), "status page");
        let server = Server::new(StatusPage::new(vec![(plan.command.join(" "), workers.handle())])).config(pages);
        tokio::spawn(server.serve(vec![page]));
    }
    let service = ServiceManager::from_environment();
    let status = format!("workers accept on {address}");
    service.ready(&status);
    let signal = loop {
        tokio::select! {
            signal = signals.next() => break signal,
            () = service.keep_alive() => {}
            _ = hangup.recv() => {
                service.reloading();
                reload(plan, flags, workers.handle());
                service.ready(&status);
            }
        }
    };
    service.stopping();
    tracing::info!(signal, "stopping: workers finish their requests");
    tokio::select! {
        () = workers.stop() => {}
        _ = signals.next() => return Err(WorkersError::SecondSignal),
    }
    tracing::info!("stopped");
    Ok(())
}

/// Replaces all workers, by what the file says now. The pool logs how that ends.
fn reload(first: &Plan, flags: &Flags, workers: WorkersHandle) {
    let plan = match flags.read() {
        Ok(plan) => plan,
        Err(mistakes) => {
            for mistake in mistakes {
                tracing::error!(%mistake, "not reloaded: the settings have a mistake");
            }
            return;
        }
    };
    let of_sockets = |plan: &Plan| (plan.listen.clone(), plan.socket_mode, plan.socket_owner, plan.status.clone());
    if of_sockets(&plan) != of_sockets(first) {
        tracing::warn!("listen, socket_mode, socket_owner and status stay as they were: they need a restart");
    }
    let (program, arguments) = split(&plan);
    match plan.pool.config() {
        Err(error) => tracing::error!(%error, "not reloaded: the options of workers cannot be applied"),
        Ok(config) => {
            let (program, arguments, mode) = (program.to_owned(), arguments.to_vec(), plan.pool.mode());
            tokio::spawn(async move { workers.reload_with(program, arguments, mode, config).await });
        }
    }
}

/// The program and its arguments; a plan without mistakes has a program.
fn split(plan: &Plan) -> (&str, &[String]) {
    plan.command.split_first().map_or(("", &[]), |(program, arguments)| (program.as_str(), arguments))
}

async fn listener(plan: &Plan) -> Result<Listener, WorkersError> {
    let options = with(ListenOptions::default(), plan.socket_mode, ListenOptions::unix_mode);
    let options = with(options, plan.socket_owner, ListenOptions::unix_owner);
    let source = match &plan.listen {
        Some(SocketSource::Address(address)) => return bind(address, &options).await,
        Some(source) => source.clone(),
        None => SocketSource::passed().map_err(WorkersError::NotPassed)?,
    };
    source.open_one(&options).await.map_err(WorkersError::NotPassed)
}

async fn bind(address: &Address, options: &ListenOptions) -> Result<Listener, WorkersError> {
    let bound = Listener::bind(address, options).await;
    bound.map_err(|source| WorkersError::Listen { address: address.clone(), source })
}
