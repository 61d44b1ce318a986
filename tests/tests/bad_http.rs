//! Long and broken-off HTTP requests to our listener: each gets the answer its requirement names, and the server answers
//! the next client (RFC 9112, RFC 9110). What is malformed in its bytes stands in `tests/corpus/http1`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use gateway_tests::client::{Connection, Request, send};
use gateway_tests::process::Running;
use gateway_tests::servers::ours;

#[test]
fn http_22_long_targets_get_414() {
    let mut server = ours::testbed_http();
    let request = Request::get(&format!("/{}", "a".repeat(20_000)));
    assert_eq!(send(server.address, &request).map(|r| r.status).map_err(|e| e.to_string()), Ok(414));
    check_alive(&mut server);
}

#[test]
fn http_23_targets_of_8000_bytes_are_served() {
    let server = ours::testbed_http();
    let request = Request::get(&format!("/hello?{}", "a".repeat(7980)));
    assert_eq!(send(server.address, &request).map(|r| r.status).map_err(|e| e.to_string()), Ok(200));
}

#[test]
fn http_65_large_heads_get_431() {
    let mut server = ours::testbed_http();
    let one_large = Request::get("/hello").field("X-Large", &"a".repeat(200_000));
    let many = (0..2000).fold(Request::get("/hello"), |r, i| r.field(&format!("X-{i}"), "a"));
    for request in [one_large, many] {
        assert_eq!(send(server.address, &request).map(|r| r.status).map_err(|e| e.to_string()), Ok(431));
    }
    check_alive(&mut server);
}

#[test]
fn http_86_an_upload_cut_short_is_no_whole_upload() {
    let mut server = ours::testbed_http();
    let mut connection = Connection::open(server.address).unwrap();
    connection.send_raw(b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nonly this").unwrap();
    connection.finish_sending().unwrap();
    assert_eq!(connection.receive("POST").unwrap().status, 400);
    check_alive(&mut server);
}

#[test]
fn http_109_an_unread_body_is_never_the_next_request() {
    let server = ours::testbed_http();
    let mut connection = Connection::open(server.address).unwrap();
    // `/hello` reads no body; its bytes look like a request.
    let inner = "GET /status/418 HTTP/1.1\r\nHost: h\r\n\r\n";
    let outer = format!("POST /hello HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
    connection.send_raw(outer.as_bytes()).unwrap();
    assert_eq!(connection.receive("POST").unwrap().status, 200);
    // The body is short enough to be read away, so the connection lives on.
    connection.send_raw(b"GET /status/404 HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    assert_eq!(connection.receive("GET").unwrap().status, 404);
}

#[test]
fn http_121_continue_is_sent_before_the_body_comes() {
    let server = ours::testbed_http();
    let mut connection = Connection::open(server.address).unwrap();
    connection
        .send_raw(b"POST /upload HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        .unwrap();
    connection.receive_continue().unwrap();
    connection.send_raw(b"hello").unwrap();
    assert_eq!(connection.receive("POST").unwrap().text(), "5");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = ours::testbed_http();
    let mut connection = Connection::open(server.address).unwrap();
    let codes = [200u16, 404, 418, 503, 201];
    let all: String = codes.iter().map(|c| format!("GET /status/{c} HTTP/1.1\r\nHost: h\r\n\r\n")).collect();
    connection.send_raw(all.as_bytes()).unwrap();
    for code in codes {
        assert_eq!(connection.receive("GET").unwrap().status, code);
    }
}

/// The server must be the same process, answering, without a panic in its log.
#[track_caller]
fn check_alive(server: &mut Running) {
    assert_eq!(send(server.address, &Request::get("/hello")).unwrap().text(), "Hello, World!");
    assert!(!server.front().has_ended());
    assert!(!server.logs().contains("panicked"), "{}", server.logs());
}
