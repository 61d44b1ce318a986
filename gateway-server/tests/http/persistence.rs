//! Keep-alive, pipelining, closing.

use super::support::*;
use gateway_spec::{Body, Environ, StartResponse};
use std::sync::{Arc, Barrier};

#[test]
fn http_165_a_connection_serves_many_requests() {
    let server = serve(echo);
    let mut client = server.client();
    for turn in 0..100 {
        client.send(format!("GET /{turn} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.response();
        assert_eq!((response.status, response.text()), (200, &*format!("/{turn} ")));
        assert_eq!(response.field("connection"), None);
    }
}

#[test]
fn http_166_old_clients_keep_a_connection_only_if_they_ask() {
    let server = serve(echo);
    let mut client = server.client();
    client.send("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(client.response().field("connection"), Some("keep-alive"));
    client.send("GET /2 HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().field("connection"), Some("close"));
    client.expect_closed();
}

#[test]
fn http_168_pipelined_requests_are_answered_in_order() {
    // The second request goes on only when the third has been sent and the second is being answered.
    let gate = Arc::new(Barrier::new(2));
    let inner = Arc::clone(&gate);
    let server = serve(move |environ: Environ, start_response: StartResponse| {
        if environ.path_info() == "/slow" {
            inner.wait();
        }
        echo(environ, start_response)
    });
    let mut client = server.client();
    client.send("GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    client.send("POST /three HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz");
    gate.wait();
    for expected in ["/one ", "/slow ", "/three xyz"] {
        assert_eq!(client.response().text(), expected);
    }
}

#[test]
fn http_168_a_long_pipeline_is_answered_whole() {
    let server = serve(|environ: Environ, start_response: StartResponse| {
        let n: usize = environ.path_info().to_str()?[1..].parse()?;
        ok(start_response, vec![b'x'; n * 97])
    });
    let mut client = server.client();
    let requests: String = (0..200).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    client.send(requests);
    for n in 0..200 {
        assert_eq!(client.response().body.len(), n * 97, "{n}");
    }
}

#[test]
fn responses_to_requests_that_came_together_go_out_together() {
    let server = serve(echo);
    let mut client = server.client();
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(10));
    let mut buffer = [0; 64 << 10];
    let length = std::io::Read::read(&mut client.stream, &mut buffer).unwrap();
    assert_eq!(std::str::from_utf8(&buffer[..length]).unwrap().matches("HTTP/1.1 200 OK").count(), 10);
}

#[test]
fn http_169_nothing_is_answered_after_close() {
    let server = serve(echo);
    let mut client = server.client();
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response();
    assert_eq!((response.text(), response.field("connection")), ("/1 ", Some("close")));
    client.expect_closed();
}

#[test]
fn http_171_the_last_request_of_a_connection_is_announced() {
    let server = serve_with(config().max_requests_per_connection(2), echo);
    let mut client = server.client();
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().field("connection"), None);
    client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().field("connection"), Some("close"));
    client.expect_closed();
}

#[test]
fn http_173_a_half_closed_client_gets_its_response() {
    let server = serve(echo);
    let mut client = server.client();
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    client.finish_sending();
    assert_eq!(client.response().text(), "/x hi");
    client.expect_closed();
}

#[test]
fn http_142_bodiless_responses_leave_the_connection_usable() {
    let server = serve(|environ: Environ, start_response: StartResponse| {
        let status = environ.path_info().to_str()?[1..].parse()?;
        start_response(status, gateway_spec::headers!["content-type" => "text/plain"])?;
        Ok(Body::from("a body that must not be seen"))
    });
    let mut client = server.client();
    for (method, path) in [("HEAD", "/200"), ("GET", "/204"), ("GET", "/304"), ("HEAD", "/404"), ("HEAD", "/204")] {
        client.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let head = client.response_head();
        assert_eq!(head.status, path[1..].parse::<u16>().unwrap(), "{method} {path}");
        assert_eq!(head.field("transfer-encoding"), None);
        if head.status == 204 {
            assert_eq!(head.field("content-length"), None);
        }
    }
    client.send("HEAD /200 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response_head().field("content-length"), Some("28"), "as GET would say (HTTP-143)");
    client.send("GET /200 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(client.response().text(), "a body that must not be seen");
    client.expect_closed();
}

#[test]
fn http_109_an_unread_body_is_not_taken_for_a_request() {
    let server = serve(|_: Environ, start_response: StartResponse| ok(start_response, "unread"));
    let mut client = server.client();
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    for framed in [
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len()),
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{hidden}\r\n0\r\n\r\n",
            hidden.len()
        ),
    ] {
        client.send(framed);
        assert_eq!(client.response().text(), "unread");
    }
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(client.response().text(), "unread");
    client.expect_closed();
}

#[test]
fn http_167_and_172_a_large_unread_body_ends_the_connection_but_not_the_response() {
    let server = serve_with(config().drain_bytes(1000), |_: Environ, start_response: StartResponse| {
        ok(start_response, "enough")
    });
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
    let block = [b'x'; 100_000];
    // The server may close before everything is sent; the response must be there all the same.
    for _ in 0..20 {
        if !client.try_send(block) {
            break;
        }
    }
    assert_eq!(client.response().text(), "enough");
    client.expect_closed();
}
