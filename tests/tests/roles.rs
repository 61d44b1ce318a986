//! An Authorizer of ours in front of an application, behind servers that know the role and one that does not, with the
//! configurations of `docs/roles.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use gateway_tests::client::{Request, Response, send};
use gateway_tests::place::Place;
use gateway_tests::process::{Process, Running, start_tcp, start_unix};
use gateway_tests::programs::program;
use gateway_tests::servers::page::{Block, block};
use gateway_tests::servers::{apache, lighttpd, nginx};

const TOKEN: &str = "0123456789abcdef";

/// The page's configuration for this server.
fn page(server: &str) -> Block {
    block("../roles", server)
}

fn doorkeeper(place: &Place) -> Command {
    let guests = place.write("guests", &format!("{TOKEN} ada\n"));
    let mut command = Command::new(place.program(&program("doorkeeper")));
    command.env("DOORKEEPER_GUESTS", guests);
    command
}

fn doorkeeper_unix(place: &Place) -> (Process, PathBuf) {
    let socket = place.join("door.sock");
    let mut command = doorkeeper(place);
    command.arg("--fastcgi").arg(format!("unix:{}", socket.display()));
    (start_unix(place, "doorkeeper", &socket, &mut command), socket)
}

fn doorkeeper_tcp(place: &Place) -> (Process, SocketAddr) {
    start_tcp(place, "doorkeeper", |port| {
        let mut command = doorkeeper(place);
        command.arg("--fastcgi").arg(format!("tcp:127.0.0.1:{port}"));
        command
    })
}

/// The guarded application shows what it is told.
fn mirror(place: &Place) -> (Process, PathBuf) {
    let socket = place.join("app.sock");
    let mut command = Command::new(place.program(&program("mirror")));
    command.arg("--fastcgi").arg(format!("unix:{}", socket.display()));
    (start_unix(place, "app", &socket, &mut command), socket)
}

#[track_caller]
fn ask(front: &Running, request: &Request) -> Response {
    send(front.address, request).unwrap_or_else(|error| panic!("{error:?}\n{}", front.logs()))
}

/// Who shows a token gets the page, which knows who it is; who does not gets a denial and none of the page.
#[track_caller]
fn check(front: &Running, variables: &[&str], denial: &str) {
    let guest = Request::get("/guests/list").field("Authorization", &format!("Bearer {TOKEN}"));
    // FCGI-100: a client cannot say what the doorkeeper says.
    let forged = guest.clone().field("Remote-User", "eve").field("Variable-REMOTE_USER", "eve");
    for request in [guest, forged] {
        let page = ask(front, &request);
        let text = page.text();
        assert_eq!(page.status, 200, "{text}\n{}", front.logs());
        for variable in variables {
            assert!(text.lines().any(|line| line == *variable), "{variable} is not in {text}");
        }
        assert!(page.all("variable-remote_user").next().is_none(), "{page:?}");
    }
    for token in ["", "Bearer 0123456789abcdeg"] {
        let denied = ask(front, &Request::get("/guests/list").field("Authorization", token));
        let text = denied.text();
        assert_eq!(denied.status, 401, "{text}\n{}", front.logs());
        assert!(text.contains(denial) && !text.contains("echo/1"), "{text}");
    }
    // A body stays with the application.
    let posted = Request::post("/guests/list", "hello").field("Authorization", &format!("Bearer {TOKEN}"));
    let text = ask(front, &posted).text();
    assert!(text.contains("\nlength=5\n"), "{text}\n{}", front.logs());
}

const OURS: &str = "Guests only: show your token.";

#[test]
fn fcgi_97_98_99_100_behind_lighttpd() {
    let place = Place::new();
    let ((door, door_socket), (app, app_socket)) = (doorkeeper_unix(&place), mirror(&place));
    let configuration = page("lighttpd")
        .with("/run/doorkeeper.sock", door_socket.display())
        .with("/run/app.sock", app_socket.display());
    let front = lighttpd::start(place, vec![door, app], &[], configuration.text());
    check(&front, &["env.REMOTE_USER=ada", "env.DOORKEEPER=let-in"], OURS);
}

#[test]
fn fcgi_97_98_99_100_behind_apache() {
    let place = Place::new();
    let ((door, address), (app, app_socket)) = (doorkeeper_tcp(&place), mirror(&place));
    let configuration = page("Apache").with("127.0.0.1:9001", address).with("/run/app.sock", app_socket.display());
    let modules = ["authn_core", "authz_user", "proxy", "proxy_fcgi"];
    let front = apache::start(place, vec![door, app], &modules, configuration.text());
    check(&front, &["env.REMOTE_USER=ada", "env.DOORKEEPER=let-in"], OURS);
}

/// nginx has a page of its own for a denial.
#[test]
fn fcgi_97_98_100_behind_nginx_as_a_responder() {
    let place = Place::new();
    let ((door, door_socket), (app, app_socket)) = (doorkeeper_unix(&place), mirror(&place));
    let configuration = page("nginx")
        .with("unix:/run/doorkeeper.sock", format!("unix:{}", door_socket.display()))
        .with("unix:/run/app.sock", format!("unix:{}", app_socket.display()))
        .with("include fastcgi_params;", "include /etc/nginx/fastcgi_params;");
    let front = nginx::serving(place, vec![door, app], "", configuration.text());
    check(&front, &["env.REMOTE_USER=ada"], "401 Authorization Required");
}
