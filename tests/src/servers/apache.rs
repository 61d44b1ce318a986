//! Apache httpd: our CGI program under mod_cgid, our worker behind mod_proxy_fcgi and under mod_fcgid, as
//! `docs/deploy/apache.md` configures them.

use std::path::Path;
use std::process::Command;

use super::installed;
use super::ours::testbed_worker_unix;
use super::page::block;
use crate::place::Place;
use crate::process::{Process, Running};
use crate::programs::program;

/// mod_cgid runs `testbed` for each request.
pub fn cgid() -> Running {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    let body = block("apache", "mod_cgid").with("/opt/app/app", testbed.display());
    let body = format!("ScriptSock {}/cgid.sock\n{}", place.path().display(), body.text());
    start(place, Vec::new(), &["cgid"], &body)
}

/// mod_proxy_fcgi talks to `testbed` on a Unix socket, connections kept.
pub fn proxy_fcgi() -> Running {
    let place = Place::new();
    let (worker, socket) = testbed_worker_unix(&place);
    let body = block("apache", "mod_proxy_fcgi").with("/run/app/app.sock", socket.display());
    start(place, vec![worker], &["proxy", "proxy_fcgi"], body.text())
}

/// mod_fcgid starts `testbed` as its worker, with the listening socket as descriptor 0.
pub fn fcgid() -> Running {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    let body = block("apache", "mod_fcgid")
        .with("/opt/app/app", testbed.display())
        .with("FcgidMaxProcesses 4", "FcgidMaxProcesses 1")
        .with("FcgidIOTimeout 60", "FcgidIOTimeout 3");
    let here = place.folder("fcgid");
    let body = format!(
        "FcgidIPCDir {0}\nFcgidProcessTableFile {0}-table\nFcgidErrorScanInterval 1\nFcgidZombieScanInterval 1\n{1}",
        here.display(),
        body.text()
    );
    start(place, Vec::new(), &["fcgid"], &body)
}

/// mod_proxy_fcgi in front of PHP workers, as for php-fpm: scripts in `root`, everything that is not there by `/index.php`.
pub fn php(place: Place, root: &Path, socket: &Path) -> Running {
    let body = format!(
        "DocumentRoot {root}
DirectoryIndex index.php
FallbackResource /index.php
<Directory {root}>
 CGIPassAuth On
</Directory>
ProxyFCGIBackendType GENERIC
<FilesMatch \"\\.php$\">
 SetHandler \"proxy:unix:{socket}|fcgi://localhost\"
</FilesMatch>
",
        root = root.display(),
        socket = socket.display()
    );
    start(place, Vec::new(), &["dir", "proxy", "proxy_fcgi"], &body)
}

/// Started with these modules and what is to be added to the configuration.
pub fn start(place: Place, behind: Vec<Process>, modules: &[&str], body: &str) -> Running {
    let modules: String = ["mpm_event", "authz_core", "env", "alias"]
        .iter()
        .chain(modules)
        .map(|m| format!("LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n"))
        .collect();
    Running::listen(place, "apache", behind, |place, port| {
        let here = place.path().display();
        let configuration = format!(
            "{modules}ServerRoot {here}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {here}/apache.pid
ErrorLog {here}/apache-error.log
LogLevel warn
DefaultRuntimeDir {here}
Mutex file:{here}
StartServers 1
ServerLimit 1
ThreadsPerChild 16
MaxRequestWorkers 16
KeepAlive On
AllowEncodedSlashes NoDecode
MergeSlashes Off
Timeout 3
KeepAliveTimeout 1
DocumentRoot {here}
<Directory />
 Require all granted
</Directory>
{body}"
        );
        let file = place.write("apache.conf", &configuration);
        let mut command = Command::new(installed(&["apache2", "httpd"]));
        command.arg("-d").arg(place.path()).arg("-f").arg(file).arg("-DFOREGROUND");
        command
    })
}
