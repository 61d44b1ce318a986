//! HAProxy in front of our FastCGI worker, as `docs/deploy/haproxy.md` configures it.

use std::path::Path;
use std::process::Command;

use super::installed;
use super::ours::testbed_worker_unix;
use super::page::{Block, block};
use crate::place::Place;
use crate::process::{Process, Running};

/// One request at a time on each connection to `testbed`, connections kept.
pub fn one_at_a_time() -> Running {
    let place = Place::new();
    let (worker, socket) = testbed_worker_unix(&place);
    start(place, vec![worker], &configuration("One request at a time", &socket))
}

/// Several requests at once on each connection to `testbed`.
pub fn multiplexing() -> Running {
    let place = Place::new();
    let (worker, socket) = testbed_worker_unix(&place);
    start(place, vec![worker], &configuration("Several requests at once on each connection", &socket))
}

/// The page's configuration with a worker's socket in it.
pub fn configuration(heading: &str, socket: &Path) -> Block {
    block("haproxy", heading).with("/run/app/app.sock", socket.display())
}

/// HAProxy with a configuration whose listener is on port 80.
pub fn start(place: Place, behind: Vec<Process>, configuration: &Block) -> Running {
    Running::listen(place, "haproxy", behind, |place, port| {
        // On its own it would take as many descriptors as it may, and as many threads, each with connections of its own.
        let own = configuration.clone().with("global\n    log", "global\n    maxconn 200\n    nbthread 1\n    log");
        let own = own.with("bind :80", format!("bind 127.0.0.1:{port}"));
        let file = place.write("haproxy.cfg", own.text());
        let mut command = Command::new(installed(&["haproxy"]));
        command.arg("-db").arg("-f").arg(file);
        command
    })
}
