//! Flags: what the program says it would be, what it refuses, and the request in memory.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use crate::{HELLO, TESTBED, command, output, text};

#[track_caller]
fn check_explained(arguments: &[&str], variables: &[(&str, &str)], gateway: &str, because: &str) {
    let mut command = command(TESTBED, arguments);
    command.arg("--explain-gateway").envs(variables.iter().copied());
    let said = output(command, b"");
    assert_eq!(text(&said.stdout), format!("gateway: {gateway}\nbecause: {because}\n"));
    assert!(said.status.success() && said.stderr.is_empty());
}

#[test]
fn the_gateway_is_explained() {
    let nothing = "no flag names a gateway, descriptor 0 is no listening socket, GATEWAY_INTERFACE is not set";
    check_explained(&[], &[], "HTTP on http://127.0.0.1:8080", nothing);
    check_explained(&["--http", "[::1]:80"], &[], "HTTP on http://[::1]:80", "--http says so");
    let tls = ["--http", "[::1]:443", "--tls-cert", "site.pem", "--tls-key", "site.key"];
    check_explained(&tls, &[], "HTTP on https://[::1]:443", "--http says so");
    let tls = ["--http", "systemd:web", "--tls-cert", "site.pem", "--tls-key", "site.key"];
    check_explained(&tls, &[], "HTTP with TLS on systemd:web", "--http says so");
    check_explained(&["--fastcgi", "unix:/run/x"], &[], "FastCGI worker on unix:/run/x", "--fastcgi says so");
    let interface = [("GATEWAY_INTERFACE", "CGI/1.1")];
    let cgi = "CGI: one request from the environment and standard input";
    check_explained(&[], &interface, cgi, "GATEWAY_INTERFACE is set");
}

#[test]
fn fcgi_3_a_listening_socket_as_descriptor_0_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
    let mut command = command(TESTBED, &["--explain-gateway"]);
    let said = command.stdin(Stdio::from(OwnedFd::from(listener))).output().unwrap();
    let expected = "gateway: FastCGI worker on the socket inherited as descriptor 0\nbecause: descriptor 0 is a listening socket\n";
    assert_eq!(text(&said.stdout), expected);
}

#[test]
fn a_flag_that_does_not_exist_is_refused() {
    let said = output(command(TESTBED, &["--prot", "80"]), b"");
    assert_eq!(said.status.code(), Some(2));
    assert_eq!(text(&said.stderr), "testbed: there is no flag --prot\ntestbed: --help names the flags\n");
    assert!(said.stdout.is_empty());
}

#[test]
fn help_and_version_are_said_on_standard_output() {
    let help = output(command(HELLO, &["--help"]), b"");
    assert!(help.status.success() && text(&help.stdout).starts_with("hello is a web application"));
    let version = output(command(HELLO, &["--version"]), b"");
    let expected = format!("hello {} (", env!("CARGO_PKG_VERSION"));
    assert!(version.status.success() && text(&version.stdout).starts_with(&expected), "{}", text(&version.stdout));
}

#[test]
fn a_request_is_answered_in_memory() {
    let said = output(command(TESTBED, &["--request", "GET /hello"]), b"");
    let expected = "HTTP/1.1 200 OK\ncontent-type: text/plain\ncontent-length: 13\n\nHello, World!";
    assert_eq!((text(&said.stdout), said.status.code()), (expected, Some(0)));
    let flags = ["--request", "POST /echo", "--header", "Content-Type: text/x-note", "--body", "a note"];
    let said = output(command(TESTBED, &flags), b"");
    let expected = "HTTP/1.1 200 OK\ncontent-type: text/x-note\ncontent-length: 6\n\na note";
    assert_eq!((text(&said.stdout), said.status.code()), (expected, Some(0)));
}

#[test]
fn pep_145_a_response_in_memory_that_breaks_off_is_told() {
    let said = output(command(TESTBED, &["--request", "GET /fail/after"]), b"");
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains("fail/after: failed after the first chunk"), "{}", text(&said.stderr));
}
