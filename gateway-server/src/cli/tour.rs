//! The tour: what `gateway serve` shows when it is told nothing. The demonstration on all three gateways.
//!
//! Holds its mounts, and how this very program is its own CGI program and its own FastCGI worker: it is started again
//! with a variable in its environment that says so. That is looked at before the command line is read and before a
//! runtime is made, so a CGI call pays for neither.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use super::mistake::Place;
use super::options::{CgiOptions, GuardOptions, SpawnOptions};
use super::settings::Mount;
use super::target::{App, Target};
use super::workers::PoolOptions;
use crate::demo::{Demo, Way};
use crate::launch::{Program, run};

/// Says that this process is to be the demonstration, and for which gateway.
const ROLE: &str = "GATEWAY_DEMO_ROLE";

/// Is the demonstration to its end, if that is what this process was started for.
///
/// Whether it is asked as a CGI program or over FastCGI is found out like in every program with `main!`.
pub(super) fn run_role() -> Option<ExitCode> {
    let role = std::env::var_os(ROLE)?;
    let way = Way::ALL.into_iter().find(|way| role == way.segment())?;
    let program = Program { name: Some("gateway"), version: Some(env!("CARGO_PKG_VERSION")) };
    Some(run(Demo::new(way).with_neighbours(), program))
}

/// The front page at `/`, and the demonstration three times.
pub(super) fn mounts() -> io::Result<Vec<Mount>> {
    const WORKERS: usize = 2;
    let this = std::env::current_exe()?;
    let role = |way: Way| (ROLE.to_owned(), way.segment().to_owned());
    let cgi = CgiOptions { env: vec![role(Way::Cgi)], ..CgiOptions::default() };
    let pool = PoolOptions { workers: Some(WORKERS), env: vec![role(Way::FastCgi)], ..PoolOptions::default() };
    let worker = SpawnOptions { pool: Box::new(pool), ..SpawnOptions::default() };
    let mounts = [
        ("/".to_owned(), Target::App(App::FrontPage, GuardOptions::default())),
        (format!("/{}", Way::InProcess.segment()), Target::App(App::TourDemo, GuardOptions::default())),
        (format!("/{}", Way::Cgi.segment()), Target::Cgi(this.clone(), cgi)),
        (format!("/{}", Way::FastCgi.segment()), Target::Spawn(command(this)?, worker)),
    ];
    mounts.into_iter().map(mount).collect()
}

fn mount((prefix, target): (String, Target)) -> io::Result<Mount> {
    let place = Place::Flag("the tour".to_owned());
    let prefix = prefix.parse().map_err(io::Error::other)?;
    Ok(Mount { prefix, prefix_place: place.clone(), target, target_place: place })
}

fn command(this: PathBuf) -> io::Result<Vec<String>> {
    let name = this.into_os_string().into_string();
    Ok(vec![name.map_err(|name| io::Error::other(format!("{} is not UTF-8", name.display())))?])
}
