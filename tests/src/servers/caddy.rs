//! Caddy in front of our FastCGI worker, as `docs/deploy/caddy.md` configures it.

use std::process::Command;

use super::installed;
use super::ours::testbed_worker_unix;
use super::page::block;
use crate::place::Place;
use crate::process::Running;

/// `reverse_proxy` with its FastCGI transport.
pub fn start() -> Running {
    let place = Place::new();
    let (worker, socket) = testbed_worker_unix(&place);
    let site = block("caddy", "The application below a path").with("/run/app/app.sock", socket.display());
    Running::listen(place, "caddy", vec![worker], |place, port| {
        let own = site.clone().with("http://example.org", format!("http://127.0.0.1:{port}"));
        // Nobody controls it from outside, and no certificates are asked for.
        let options = "{\n    admin off\n    auto_https off\n}\n\n";
        let file = place.write("Caddyfile", &format!("{options}{}", own.text()));
        let mut command = Command::new(installed(&["caddy"]));
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
        for folder in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env(folder, place.path());
        }
        command
    })
}
