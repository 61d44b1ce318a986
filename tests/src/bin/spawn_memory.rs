//! Whether starting a CGI program costs more in a gateway that holds much memory: one request after the other, with and
//! without a gibibyte, in turns. Beside it a start by fork, which copies page tables.
//!
//!     cargo run --release -p gateway-tests --bin spawn_memory -- [PROGRAM]

#![allow(clippy::indexing_slicing)] // A tool: what is out of bounds ends it.

use std::error::Error;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gateway_cgi::host::{Cgi, Config};
use gateway_spec::{AppError, AsyncApplication, Environ, InputStream};

/// What the gateway holds.
const HELD: usize = 1 << 30;

/// Every page is written to, or it would not be there.
const PAGE: usize = 4096;

const ROUNDS: usize = 15;
const REQUESTS: u32 = 100;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let program = match std::env::args_os().nth(1) {
        Some(path) => path.into(),
        None => script(folder.path())?,
    };
    let cgi = Cgi::file(&program, Config::new())?;
    requests(&cgi).await?;
    let (mut ours, mut forked) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..ROUNDS {
        for (at, size) in [0, HELD].into_iter().enumerate() {
            let held: Vec<u8> = (0..size / PAGE).flat_map(|_| [1; PAGE]).collect();
            ours[at].push(requests(&cgi).await?);
            forked[at].push(forks(&program)?);
            drop(std::hint::black_box(held));
        }
    }
    let mut out = std::io::stdout();
    writeln!(out, "{:<12}{:>12}{:>14}{:>8}", "", "0 MiB held", "1024 MiB held", "ratio")?;
    for (name, times) in [("our host", &mut ours), ("fork", &mut forked)] {
        let [without, with] = times.each_mut().map(|times| median(times));
        let ratio = with.as_secs_f64() / without.as_secs_f64();
        writeln!(out, "{name:<12}{:>12}{:>14}{ratio:>8.2}", micros(without), micros(with))?;
    }
    Ok(())
}

/// A program that costs little of its own.
fn script(folder: &Path) -> Result<std::path::PathBuf, Failure> {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("script");
    std::fs::write(&path, "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nok'\n")?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// The time of one request.
async fn requests(cgi: &Cgi) -> Result<Duration, AppError> {
    let start = Instant::now();
    for _ in 0..REQUESTS {
        let mut response = cgi.call(Environ::example("GET", "/"), InputStream::empty()).await?;
        while response.body.next().await.transpose()?.is_some() {}
    }
    Ok(start.elapsed() / REQUESTS)
}

/// The time of one program started by fork: the standard library forks where it has to set a user.
fn forks(program: &Path) -> Result<Duration, Failure> {
    let start = Instant::now();
    for _ in 0..REQUESTS {
        let user = rustix::process::getuid().as_raw();
        Command::new(program).uid(user).stdin(Stdio::null()).output()?;
    }
    Ok(start.elapsed() / REQUESTS)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn micros(time: Duration) -> String {
    format!("{} µs", time.as_micros())
}
