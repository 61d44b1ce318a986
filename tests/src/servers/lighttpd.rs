//! lighttpd: our CGI program and others under mod_cgi, our worker under mod_fastcgi, started by it or connected to.

use std::path::Path;
use std::process::Command;

use super::installed;
use super::ours::testbed_worker_unix;
use super::page::block;
use crate::place::Place;
use crate::process::{Process, Running};
use crate::programs::program;

/// mod_cgi runs `testbed` for each request.
pub fn cgi() -> Running {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    let body = block("lighttpd", "A CGI program").with("/opt/app/app", testbed.display());
    start(place, Vec::new(), &[], body.text())
}

/// What mod_cgi is told about one CGI program, or about a folder of them.
#[derive(Debug)]
pub struct Program<'a> {
    /// The path it answers, without a slash at the end.
    pub prefix: &'a str,
    /// The program or folder.
    pub path: &'a Path,
    /// Variables for it, beside PATH.
    pub environment: &'a [(&'a str, &'a str)],
    /// Who runs files with such an ending; an empty ending with an empty interpreter: each file is a program.
    pub interpreters: &'a [(&'a str, &'a str)],
}

/// Each file is a program.
pub const EXECUTABLE: &[(&str, &str)] = &[("", "")];

/// mod_cgi runs programs that were not written for us.
pub fn programs(place: Place, programs: &[Program<'_>]) -> Running {
    let mut body = String::new();
    for Program { prefix, path, environment, interpreters } in programs {
        // mod_cgi hands no PATH on; programs that start others need one.
        let environment = [environment, &[("PATH", "/usr/bin:/bin")][..]].concat();
        body.push_str(&format!(
            "alias.url += ( \"{prefix}\" => \"{}\" )\n$HTTP[\"url\"] =~ \"^{prefix}(/|$)\" {{\n cgi.assign = ( {} )\n \
             setenv.set-environment = ( {} )\n}}\n",
            path.display(),
            pairs(interpreters),
            pairs(&environment)
        ));
    }
    body.insert_str(0, "server.stream-response-body = 2\n");
    start(place, Vec::new(), &["mod_alias", "mod_cgi", "mod_setenv"], &body)
}

fn pairs(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("\"{name}\" => \"{value}\"")).collect::<Vec<_>>().join(", ")
}

/// mod_fastcgi starts `testbed` with the listening socket as descriptor 0.
pub fn fastcgi_spawned() -> Running {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    let body = block("lighttpd", "A worker that lighttpd starts")
        .with("/opt/app/app", testbed.display())
        .with("/run/app/app.sock", place.join("spawned.sock").display());
    start(place, Vec::new(), &[], body.text())
}

/// mod_fastcgi connects to a `testbed` that listens on a Unix socket.
pub fn fastcgi_connected() -> Running {
    let place = Place::new();
    let (worker, socket) = testbed_worker_unix(&place);
    let body = block("lighttpd", "A worker that runs already").with("/run/app/app.sock", socket.display());
    start(place, vec![worker], &[], body.text())
}

/// Started with these modules and what is to be added to the configuration.
pub fn start(place: Place, behind: Vec<Process>, modules: &[&str], body: &str) -> Running {
    let modules: Vec<String> = modules.iter().map(|m| format!("\"{m}\"")).collect();
    Running::listen(place, "lighttpd", behind, |place, port| {
        let here = place.path().display();
        // Requests do not stream: lighttpd would refuse those without a length (411) instead of keeping them.
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
{body}",
            modules.join(", ")
        );
        let file = place.write("lighttpd.conf", &configuration);
        let mut command = Command::new(installed(&["lighttpd"]));
        command.arg("-D").arg("-f").arg(file);
        command
    })
}
