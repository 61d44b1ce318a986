//! A FastCGI worker whose own grace is a tenth of a second, and whose answers take as long as their path says, in milliseconds.
//!
//! A manager has its own deadline for workers that it replaces: which of the two counts shows with a worker like this.

#![allow(clippy::needless_pass_by_value)] // an application's signature is the contract's

use std::error::Error;
use std::time::Duration;

use gateway_fastcgi::net::{Listener, inherited_stdin};
use gateway_fastcgi::worker::{Worker, WorkerConfig};
use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
use tokio::signal::unix::{SignalKind, signal};

const GRACE: Duration = Duration::from_millis(100);

fn slow(environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let millis = environ.path_info().to_str()?.trim_start_matches('/').parse()?;
    std::thread::sleep(Duration::from_millis(millis));
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok("done".into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let socket = inherited_stdin()?.ok_or("start it with a listening socket as descriptor 0")?;
    let worker = Worker::with_config(slow, WorkerConfig::default().grace(GRACE));
    let (handle, mut terminate) = (worker.handle(), signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        terminate.recv().await;
        handle.shutdown();
    });
    worker.serve(Listener::from_fd(socket)?).await?;
    // A thread that sleeps in the application is not waited for.
    std::process::exit(0);
}
