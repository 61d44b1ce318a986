//! Our own programs: `testbed` on its own or as a worker, and `gateway` in front of something.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use crate::place::Place;
use crate::process::{Process, Running, start_tcp, start_unix};
use crate::programs::program;

/// `testbed --http`: the in-process listener.
pub fn testbed_http() -> Running {
    testbed_http_with(&[])
}

/// The same with more arguments.
pub fn testbed_http_with(arguments: &[&str]) -> Running {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    Running::listen(place, "testbed", Vec::new(), |_, port| {
        let mut command = Command::new(&testbed);
        command.arg("--http").arg(format!("127.0.0.1:{port}")).args(arguments);
        command
    })
}

/// `testbed --http` with TLS, and the file of its certificate, which is for `localhost`.
pub fn testbed_https() -> (Running, PathBuf) {
    let place = Place::new();
    let (certificate, key) = (place.join("cert.pem"), place.join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(&certificate, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let testbed = place.program(&program("testbed"));
    let running = Running::listen(place, "testbed", Vec::new(), |place, port| {
        let mut command = Command::new(&testbed);
        command.arg("--http").arg(format!("127.0.0.1:{port}"));
        command.arg("--tls-cert").arg(place.join("cert.pem")).arg("--tls-key").arg(place.join("key.pem"));
        command
    });
    (running, certificate)
}

/// `testbed --fastcgi unix:…`: a worker, and its socket.
pub fn testbed_worker_unix(place: &Place) -> (Process, PathBuf) {
    let socket = place.join("worker.sock");
    let mut command = Command::new(place.program(&program("testbed")));
    command.arg("--fastcgi").arg(format!("unix:{}", socket.display()));
    (start_unix(place, "worker", &socket, &mut command), socket)
}

/// `testbed --fastcgi tcp:…`: a worker, and its address.
pub fn testbed_worker_tcp(place: &Place) -> (Process, SocketAddr) {
    let testbed = place.program(&program("testbed"));
    start_tcp(place, "worker", |port| {
        let mut command = Command::new(&testbed);
        command.arg("--fastcgi").arg(format!("tcp:127.0.0.1:{port}"));
        command
    })
}

/// `gateway serve --listen … --mount …` in front of what `behind` started.
pub fn gateway(place: Place, behind: Vec<Process>, mounts: &[String]) -> Running {
    let gateway = place.program(&program("gateway"));
    Running::listen(place, "gateway", behind, |_, port| {
        let mut command = Command::new(&gateway);
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]);
        for mount in mounts {
            command.args(["--mount", mount]);
        }
        command
    })
}

/// Our CGI host with `testbed` as its program.
pub fn cgi_host() -> Running {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    gateway(place, Vec::new(), &[format!("/app=cgi:{}", testbed.display())])
}

/// Our FastCGI client with workers that it spawned.
pub fn fastcgi_spawned() -> Running {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    gateway(place, Vec::new(), &[format!("/app=fastcgi:spawn:{}?workers=1", testbed.display())])
}

/// Our FastCGI client connected to a worker on a Unix socket.
pub fn fastcgi_unix() -> Running {
    let place = Place::new();
    let (worker, socket) = testbed_worker_unix(&place);
    gateway(place, vec![worker], &[format!("/app=fastcgi:unix:{}", socket.display())])
}

/// Our FastCGI client connected to a worker on a TCP port.
pub fn fastcgi_tcp() -> Running {
    let place = Place::new();
    let (worker, address) = testbed_worker_tcp(&place);
    gateway(place, vec![worker], &[format!("/app=fastcgi:tcp:{address}")])
}
