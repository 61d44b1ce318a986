//! One test for each limit and each time.

use super::support::*;
use gateway_server::h1::Limits;
use gateway_server::serve::{Model, TrustedProxies};
use gateway_spec::{Environ, StartResponse};
use std::time::Duration;

#[track_caller]
fn check_refused(limits: Limits, request: impl AsRef<[u8]>, status: u16) {
    let server = serve_with(config().limits(limits), echo);
    let mut client = server.client();
    client.send(request);
    let response = client.response();
    assert_eq!((response.status, response.field("connection")), (status, Some("close")));
    client.expect_closed();
}

#[track_caller]
fn check_taken(limits: Limits, request: impl AsRef<[u8]>) {
    let server = serve_with(config().limits(limits), echo);
    let mut client = server.client();
    client.send(request);
    assert_eq!(client.response().status, 200);
}

const SHORT: Duration = Duration::from_millis(150);

#[test]
fn http_65_181_head_bytes() {
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(300));
    check_refused(Limits::default().max_head_bytes(256), request, 431);
    let unended = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "y".repeat(300));
    check_refused(Limits::default().max_head_bytes(256), unended, 431);
}

#[test]
fn http_65_181_fields() {
    check_refused(Limits::default().max_fields(2), "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\n\r\n", 431);
}

#[test]
fn http_22_181_target_bytes() {
    let request = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(8192));
    check_refused(Limits::default(), request, 414);
    let ten = Limits::default().max_target_bytes(10);
    check_taken(ten.clone(), "GET /234567890 HTTP/1.1\r\nHost: a\r\n\r\n");
    check_refused(ten, "GET /2345678901 HTTP/1.1\r\nHost: a\r\n\r\n", 414);
    let longer = Limits::default().max_target_bytes(9000);
    check_taken(longer, format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(8999)));
}

#[test]
fn http_21_181_method_bytes() {
    check_refused(Limits::default(), format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(40)), 501);
    let five = Limits::default().max_method_bytes(5);
    check_refused(five.clone(), "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", 501);
    check_taken(five, "PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    check_taken(Limits::default().max_method_bytes(6), "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn http_98_181_body_bytes() {
    let limits = Limits::default().max_body_bytes(Some(10));
    check_refused(limits.clone(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", 413);
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n";
    check_refused(limits.clone(), chunked, 413);
    // The rest is still to come: the application finds out while it reads.
    check_refused(
        limits,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n6\r\n012345",
        413,
    );
}

#[test]
fn http_98_181_a_body_of_more_than_a_gibibyte_is_refused_unless_that_is_allowed() {
    let longest = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 1_u64 << 30);
    let longer = longest.replace("1073741824", "1073741825");
    check_refused(Limits::default(), &longer, 413);
    for (limits, request) in [(Limits::default(), longest), (Limits::default().max_body_bytes(None), longer)] {
        let server = serve_with(config().limits(limits), |_: Environ, start: StartResponse| ok(start, "unread"));
        let mut client = server.client();
        client.send(request);
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn http_88_181_length_required() {
    let request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    check_refused(Limits::default().length_required(true), request, 411);
}

#[test]
fn http_93_181_chunk_extension_bytes() {
    let request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;abcdefghijk\r\nx\r\n0\r\n\r\n";
    check_refused(Limits::default().max_chunk_extension_bytes(10), request, 400);
}

#[test]
fn http_96_181_trailer_bytes() {
    let request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: abcdefghijk\r\n\r\n";
    check_refused(Limits::default().max_trailer_bytes(10), request, 431);
}

#[test]
fn http_174_a_slow_head_is_408() {
    let server = serve_with(config().header_timeout(SHORT), echo);
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost:");
    let response = client.response();
    assert_eq!((response.status, response.field("connection")), (408, Some("close")));
    client.expect_closed();
}

#[test]
fn http_174_idle_connections_are_closed_silently() {
    let server = serve_with(config().keep_alive_timeout(SHORT), echo);
    let mut client = server.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200);
    client.expect_closed();
    let server = serve_with(config().header_timeout(SHORT), echo);
    server.client().expect_closed();
}

#[test]
fn http_174_a_slow_body_is_408() {
    let server = serve_with(config().body_timeout(SHORT), echo);
    for head in ["Content-Length: 5", "Content-Length: 500000", "Transfer-Encoding: chunked"] {
        let mut client = server.client();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n2"));
        let response = client.response();
        assert_eq!((response.status, response.field("connection")), (408, Some("close")), "{head}");
        client.expect_closed();
    }
}

#[test]
fn http_86_87_a_body_that_ends_early_is_400() {
    let server = serve(echo);
    for head in ["Content-Length: 5", "Content-Length: 500000", "Transfer-Encoding: chunked"] {
        let mut client = server.client();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n2"));
        client.finish_sending();
        assert_eq!(client.response().status, 400, "{head}");
        client.expect_closed();
    }
}

#[test]
fn a_body_of_up_to_preread_bytes_is_here_before_the_application_is_called() {
    for (preread, waits) in [(10, false), (11, true)] {
        let (called, calls) = std::sync::mpsc::channel();
        let server =
            serve_with(config().preread_bytes(preread), move |environ: Environ, start_response: StartResponse| {
                called.send(())?;
                echo(environ, start_response)
            });
        let mut client = server.client();
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n0");
        if waits {
            assert!(calls.recv_timeout(SHORT).is_err(), "called before the body was here");
            client.send("1234567890");
            calls.recv_timeout(PATIENCE).unwrap();
        } else {
            calls.recv_timeout(PATIENCE).unwrap();
            client.send("1234567890");
        }
        assert_eq!(client.response().text(), "/x 01234567890");
    }
}

#[test]
fn http_168_181_a_row_of_pipelined_requests_is_answered_before_the_next_row() {
    let (release, gate) = std::sync::mpsc::channel();
    let gate = std::sync::Mutex::new(gate);
    let server = serve_with(config().max_pipelined(3), move |environ: Environ, start_response: StartResponse| {
        if environ.path_info() == "/gate" {
            gate.lock().unwrap().recv()?;
        }
        echo(environ, start_response)
    });
    let mut client = server.client();
    let requests: String =
        ["/1", "/2", "/3", "/gate", "/5"].map(|path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).concat();
    client.send(requests);
    for path in ["/1 ", "/2 ", "/3 "] {
        assert_eq!(client.response().text(), path);
    }
    release.send(()).unwrap();
    assert_eq!(client.response().text(), "/gate ");
    assert_eq!(client.response().text(), "/5 ");
}

#[test]
fn http_181_busy_connections_do_not_make_room() {
    let (release, gate) = std::sync::mpsc::channel();
    let gate = std::sync::Mutex::new(gate);
    let server = serve_with(config().max_connections(1), move |environ: Environ, start_response: StartResponse| {
        if environ.path_info() == "/busy" {
            gate.lock().unwrap().recv()?;
        }
        echo(environ, start_response)
    });
    let mut first = server.client();
    first.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut second = server.client();
    second.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    second.stream.set_read_timeout(Some(SHORT)).unwrap();
    let mut byte = [0];
    assert!(std::io::Read::read(&mut second.stream, &mut byte).is_err(), "there is no place for it yet");
    release.send(()).unwrap();
    assert_eq!(first.response().text(), "/busy ");
    second.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(second.response().text(), "/2 ", "now the first one waits and makes room");
    first.expect_closed();
}

#[test]
fn http_181_a_peer_with_too_many_connections_gets_no_more() {
    let counted = config().max_connections_per_peer(2).uncounted_peers(TrustedProxies::default());
    let server = serve_with(counted, echo);
    let ask = |client: &mut Client| {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.response().status
    };
    let [mut first, mut second] = [server.client(), server.client()];
    assert_eq!([ask(&mut first), ask(&mut second)], [200, 200]);
    let mut third = server.client();
    third.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    third.expect_closed();
    assert_eq!(ask(&mut first), 200);
    drop(second);
    eventually("its place is free again", || {
        let mut fourth = server.client();
        fourth.try_send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") && !fourth.rest().is_empty()
    });
}

#[test]
fn http_181_the_connection_that_waited_longest_makes_room_in_a_full_house() {
    // One loop does one thing after the other: a connection waits before another's next request is answered.
    let server = serve_with(config().model(Model::EventLoop).max_connections(2), echo);
    let [mut first, mut second] = ["/1", "/2"].map(|path| {
        let mut client = server.client();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.response().text(), format!("{path} "));
        client
    });
    // Now the second is the one that has waited longer.
    first.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(first.response().text(), "/1 ");
    assert_eq!(server.get("/3").text(), "/3 ");
    second.expect_closed();
    first.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(first.response().text(), "/1 ");
}

#[test]
fn http_181_a_head_that_is_arriving_makes_room_where_nothing_else_can() {
    let server = serve_with(config().max_connections(1), echo);
    let mut slow = server.client();
    slow.send("GET / HTTP/1.1\r\nHost:");
    assert_eq!(server.get("/2").text(), "/2 ");
    assert_eq!(slow.response().status, 408);
    slow.expect_closed();
}

#[test]
fn http_174_time_in_the_application_is_not_the_clients() {
    let server = serve_with(
        config().header_timeout(SHORT).body_timeout(SHORT).keep_alive_timeout(SHORT).write_timeout(SHORT),
        |environ: Environ, start_response: StartResponse| {
            std::thread::sleep(SHORT * 3);
            echo(environ, start_response)
        },
    );
    assert_eq!(server.get("/slow").text(), "/slow ");
}

#[test]
fn a_time_without_end_is_no_limit() {
    let never = Duration::MAX;
    let config = config().header_timeout(never).keep_alive_timeout(never).body_timeout(never).write_timeout(never);
    let server = serve_with(config.linger_timeout(never), echo);
    let mut client = server.client();
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("2\r\nhi\r\n0\r\n\r\n");
    assert_eq!(client.response().text(), "/x hi");
}
