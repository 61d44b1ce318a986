//! lighttpd: our CGI program under mod_cgi, our worker under mod_fastcgi, started by it or connected to.

use std::process::Command;

use super::installed;
use super::ours::testbed_worker_unix;
use crate::place::Place;
use crate::process::{Process, Running};
use crate::programs::program;

/// mod_cgi runs `testbed` for each request.
pub fn cgi() -> Running {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    let body = format!("alias.url = ( \"/app\" => \"{}\" )\ncgi.assign = ( \"\" => \"\" )\n", testbed.display());
    start(place, Vec::new(), &["mod_alias", "mod_cgi"], &body)
}

/// mod_fastcgi starts `testbed` with the listening socket as descriptor 0.
pub fn fastcgi_spawned() -> Running {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    let how = format!("\"bin-path\" => \"{}\", \"max-procs\" => 1", testbed.display());
    let socket = place.join("spawned.sock");
    let body = fastcgi(&socket.display().to_string(), &how);
    start(place, Vec::new(), &["mod_fastcgi"], &body)
}

/// mod_fastcgi connects to a `testbed` that listens on a Unix socket.
pub fn fastcgi_connected() -> Running {
    let place = Place::new();
    let (worker, socket) = testbed_worker_unix(&place);
    let body = fastcgi(&socket.display().to_string(), "");
    start(place, vec![worker], &["mod_fastcgi"], &body)
}

fn fastcgi(socket: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { ", " };
    format!(
        "fastcgi.server = ( \"/app\" => (( \"socket\" => \"{socket}\", \"check-local\" => \"disable\"{comma}{more} )) )\n"
    )
}

fn start(place: Place, behind: Vec<Process>, modules: &[&str], body: &str) -> Running {
    let modules: Vec<String> = modules.iter().map(|m| format!("\"{m}\"")).collect();
    Running::listen(place, "lighttpd", behind, |place, port| {
        let here = place.path().display();
        // Answers stream. Requests do not: lighttpd would refuse those without a length (411) instead of keeping them.
        let configuration = format!(
            "server.modules = ( {} )
server.document-root = \"{here}\"
server.bind = \"127.0.0.1\"
server.port = {port}
server.errorlog = \"{here}/lighttpd-error.log\"
server.upload-dirs = ( \"{here}\" )
server.max-request-size = 0
server.max-keep-alive-idle = 1
server.range-requests = \"disable\"
server.stream-response-body = 2
{body}",
            modules.join(", ")
        );
        let file = place.write("lighttpd.conf", &configuration);
        let mut command = Command::new(installed(&["lighttpd"]));
        command.arg("-D").arg("-f").arg(file);
        command
    })
}
