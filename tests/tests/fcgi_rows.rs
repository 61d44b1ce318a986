//! Rows of FastCGI that only a whole program shows: the real `testbed` as a worker, or behind `gateway serve`.
//!
//! Holds what no other test of a row holds; `docs/fastcgi.md` says for each row where its tests are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use gateway_tests::client::{Request, send};
use gateway_tests::place::Place;
use gateway_tests::process::{Process, descriptors, poll_until, start_tcp, start_unix};
use gateway_tests::programs::program;
use gateway_tests::records::{Peer, get};
use gateway_tests::servers::ours;

/// `testbed` on a TCP port, which serves only these.
fn worker_for(addresses: &str) -> (Process, SocketAddr, Place) {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    let (process, address) = start_tcp(&place, "worker", |port| {
        let mut command = Command::new(&testbed);
        command.env("FCGI_WEB_SERVER_ADDRS", addresses).arg("--fastcgi").arg(format!("tcp:127.0.0.1:{port}"));
        command
    });
    (process, address, place)
}

#[test]
fn fcgi_5_6_the_list_in_the_environment_is_obeyed() {
    for (list, served) in [
        ("127.0.0.1", true),
        ("10.0.0.1,127.0.0.1", true),
        ("127.0.0.2", false),
        ("", false),
        ("x", false),
        ("127.0.0.1, 10.0.0.1", false),
    ] {
        let (process, address, _place) = worker_for(list);
        let mut peer = Peer::connect_tcp(address);
        peer.send(&get(1, false, "/hello"));
        assert_eq!(peer.receive_output(1).is_some(), served, "{list:?}\n{}", process.log());
        assert_eq!(process.log().contains("nobody may connect over TCP"), list.is_empty() || list.contains([' ', 'x']));
    }
}

#[test]
fn fcgi_83_error_output_is_logged_with_the_id_of_its_request_on_a_shared_connection_too() {
    const LINE: &str = "a line for the error stream";
    const REQUESTS: usize = 30;
    let place = Place::new();
    let (worker, socket) = ours::testbed_worker_unix(&place);
    let front = ours::gateway(place, vec![worker], &[format!("/app=fastcgi:unix:{}?multiplex=true", socket.display())]);
    // The first has a connection of its own; the worker is asked meanwhile whether they may share one.
    for _ in 0..REQUESTS {
        assert_eq!(send(front.address, &Request::get("/app/stderr")).unwrap().status, 200);
    }
    let lines = || front.logs().lines().filter(|line| line.contains(LINE)).map(str::to_owned).collect::<Vec<_>>();
    let all = poll_until(Duration::from_secs(20), || Some(lines()).filter(|lines| lines.len() >= REQUESTS));
    let all = all.unwrap_or_else(|| panic!("{}", front.logs()));
    assert!(all.iter().all(|line| line.contains("request_id=")), "{all:#?}");
}

#[test]
fn fcgi_7_130_more_than_1024_connections_are_served_at_once() {
    const CONNECTIONS: usize = 1024;
    let place = Place::new();
    let (process, socket) = ours::testbed_worker_unix(&place);
    let mut peers: Vec<Peer> = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut peer = Peer::connect(&socket);
        peer.send(&get(1, true, "/hello"));
        assert!(peer.receive_output(1).expect("an answer").ends_with("Hello, World!"));
        peers.push(peer);
    }
    // Its listener and what the runtime needs come before the first connection: some have numbers of 1024 and more.
    let open: usize = descriptors(process.id()).values().sum();
    assert!(open > CONNECTIONS, "only {open} descriptors");
    for peer in &mut peers {
        peer.send(&get(1, true, "/hello"));
    }
    for peer in &mut peers {
        assert!(peer.receive_output(1).expect("an answer").ends_with("Hello, World!"));
    }
}

#[test]
fn fcgi_130_a_lack_of_descriptors_is_waited_out() {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    let socket = place.join("worker.sock");
    let mut command = Command::new("/bin/sh");
    let script = format!("ulimit -n 64; exec {} --fastcgi unix:{}", testbed.display(), socket.display());
    command.arg("-c").arg(script);
    let mut process = start_unix(&place, "worker", &socket, &mut command);
    // Three times as many as it can have; those that it cannot accept yet wait in the system's queue.
    let mut peers: Vec<Peer> = (0..192).map(|_| Peer::connect(&socket)).collect();
    for peer in &mut peers {
        peer.send(&get(1, true, "/hello"));
    }
    for mut peer in peers {
        assert!(peer.receive_output(1).expect("an answer").ends_with("Hello, World!"));
    }
    assert!(process.log().contains("cannot accept"), "{}", process.log());
    assert!(!process.has_ended());
}

#[test]
fn fcgi_11_what_breaks_the_protocol_is_logged_with_its_clause() {
    let place = Place::new();
    let (process, socket) = ours::testbed_worker_unix(&place);
    let mut bytes = get(1, true, "/hello");
    bytes[0] = 2;
    let mut peer = Peer::connect(&socket);
    peer.send(&bytes);
    assert!(peer.is_closed(), "an error is no output");
    let log = process.log();
    assert!(log.contains("version 2") && log.contains("FastCGI 1.0 §3.3"), "{log}");
}

#[test]
fn fcgi_132_a_path_with_a_line_end_reaches_no_worker() {
    let server = ours::fastcgi_unix();
    for path in ["/app/x.php/%0a", "/app/x.php/%0d", "/app/x.php%0A/y", "/app/environ/%00"] {
        let answer = send(server.address, &Request::get(path)).unwrap();
        assert_eq!(answer.status, 400, "{path}");
    }
    let answer = send(server.address, &Request::get("/app/environ/%09")).unwrap();
    assert_eq!(answer.status, 200, "other paths get there");
}

#[test]
fn fcgi_133_138_fields_of_a_client_become_http_variables_or_nothing() {
    let server = ours::fastcgi_unix();
    let fields = ["PHP_VALUE", "PHP-VALUE", "PHP_ADMIN_VALUE", "SCRIPT_FILENAME", "Proxy", "Remote-User", "X_Under"];
    let request = fields.iter().fold(Request::get("/app/environ"), |request, name| request.field(name, "evil"));
    let answer = send(server.address, &request).unwrap();
    let told: serde_json::Value = serde_json::from_str(&answer.text()).unwrap();
    let evil: Vec<&str> =
        told["variables"].as_object().unwrap().iter().filter(|(_, v)| *v == "evil").map(|(name, _)| &**name).collect();
    assert_eq!(evil, ["HTTP_PHP_VALUE", "HTTP_REMOTE_USER"], "with `_` in its name, or Proxy: nothing");
}
