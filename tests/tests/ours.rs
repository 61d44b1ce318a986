//! The suite through our own gateways, and what only they can be asked: bodies are closed when the client goes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use gateway_tests::client::{Connection, Request};
use gateway_tests::process::{Running, assert_none_left};
use gateway_tests::servers::ours;
use gateway_tests::suite::direct::Direct;
use gateway_tests::suite::{Gateway, Http2Gateway, HttpGateway, check, closed};

fn mounted(name: &'static str, process_per_request: bool, server: &Running) -> HttpGateway {
    HttpGateway { name, prefix: "/app", process_per_request, address: server.address }
}

fn check_ours(gateway: &HttpGateway, mut server: Running) {
    check(gateway);
    assert!(!server.front().has_ended(), "{}", server.logs());
    let place = server.stop();
    assert_none_left(place.path());
}

#[test]
fn direct_call() {
    check(&Direct);
}

#[test]
fn http_listener() {
    let server = ours::testbed_http();
    let gateway =
        HttpGateway { name: "http listener", prefix: "", process_per_request: false, address: server.address };
    check_ours(&gateway, server);
}

/// The other server models.
fn check_model(name: &'static str, model: &str) {
    let server = ours::testbed_http_with(&["--model", model]);
    let gateway = HttpGateway { name, prefix: "", process_per_request: false, address: server.address };
    check_ours(&gateway, server);
}

#[test]
fn http_iterative() {
    check_model("http iterative", "iterative");
}

#[test]
fn http_threads() {
    check_model("http threads", "threads");
}

#[test]
fn http_event_loop() {
    check_model("http event-loop", "event-loop");
}

/// Over TLS, as browsers do it.
#[test]
fn http2() {
    let (mut server, certificate) = ours::testbed_https();
    check(&Http2Gateway { address: server.address, certificate });
    assert!(!server.front().has_ended(), "{}", server.logs());
    let place = server.stop();
    assert_none_left(place.path());
}

#[test]
fn cgi_host() {
    let server = ours::cgi_host();
    check_ours(&mounted("cgi host", true, &server), server);
}

#[test]
fn fastcgi_spawned() {
    let server = ours::fastcgi_spawned();
    check_ours(&mounted("fastcgi spawned", false, &server), server);
}

#[test]
fn fastcgi_unix() {
    let server = ours::fastcgi_unix();
    check_ours(&mounted("fastcgi unix", false, &server), server);
}

#[test]
fn fastcgi_tcp() {
    let server = ours::fastcgi_tcp();
    check_ours(&mounted("fastcgi tcp", false, &server), server);
}

/// PEP 3333: `close` is called also when the client went away in the middle of the body.
fn check_closed_when_the_client_goes(gateway: &HttpGateway) {
    const GONE: u64 = 5;
    let before = closed::count(gateway).expect("a count");
    for _ in 0..GONE {
        let mut connection = Connection::open(gateway.address).unwrap();
        let target = format!("{}/stream/8589934592?chunk=65536", gateway.prefix());
        connection.send_raw(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).unwrap();
        assert!(connection.receive_some().unwrap() > 0);
    }
    // Each count adds one of its own; so does the first.
    let mut asked = 0;
    let reached = gateway_tests::process::poll_until(std::time::Duration::from_secs(30), || {
        let now = closed::count(gateway).expect("a count");
        let expected = before + 1 + GONE + asked;
        asked += 1;
        assert!(now <= expected, "{now} closed, {expected} opened");
        (now == expected).then_some(())
    });
    assert!(reached.is_some(), "bodies of clients that went were not closed");
}

#[test]
fn http_closes_when_the_client_goes() {
    let server = ours::testbed_http();
    check_closed_when_the_client_goes(&HttpGateway {
        name: "",
        prefix: "",
        process_per_request: false,
        address: server.address,
    });
}

#[test]
fn fastcgi_closes_when_the_client_goes() {
    let server = ours::fastcgi_unix();
    check_closed_when_the_client_goes(&mounted("", false, &server));
}

/// Under CGI the process is the body: it must be gone.
#[test]
fn cgi_ends_the_program_when_the_client_goes() {
    let mut server = ours::cgi_host();
    let id = server.front().id();
    for _ in 0..5 {
        let mut connection = Connection::open(server.address).unwrap();
        connection.send_raw(b"GET /app/stream/8589934592?chunk=65536 HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        assert!(connection.receive_some().unwrap() > 0);
    }
    let gone = gateway_tests::process::poll_until(std::time::Duration::from_secs(30), || {
        gateway_tests::process::descendants(id).is_empty().then_some(())
    });
    assert!(gone.is_some(), "programs of clients that went still run");
}

/// One connection carries all of these, whatever the application does to its answers.
#[test]
fn connections_are_kept_open() {
    let server = ours::testbed_http();
    let mut connection = Connection::open(server.address).unwrap();
    for target in ["/hello", "/lazy", "/status/204", "/status/304", "/stream/1000?chunk=10", "/cookies", "/restart"] {
        let response = connection.exchange(&Request::get(target)).unwrap();
        assert!(response.is_persistent(), "{target}: {:?}", response.fields);
    }
}
