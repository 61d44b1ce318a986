//! Our gateway in front of HTTP servers that are not ours, started as `docs/proxy.md` says: gunicorn, uvicorn, hypercorn, daphne,
//! Tomcat and Node.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use futures_util::{SinkExt, StreamExt};
use gateway_tests::client::{Connection, Content, Payload, Request, Response, send};
use gateway_tests::process::{Running, assert_none_left, poll_until};
use gateway_tests::servers::upstream;
use std::io::Write;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

const MIB: u64 = 1 << 20;

fn ask(server: &Running, request: &Request) -> Response {
    send(server.address, request).unwrap_or_else(|e| panic!("{}: {e}\n{}", request.target, server.logs()))
}

/// What every one of them answers, below `prefix`.
fn check(server: &Running, prefix: &str) {
    let get = |path: &str| Request::get(&format!("{prefix}{path}"));
    let post = |path: &str, body| Request::post(&format!("{prefix}{path}"), body);
    // Some take their time to start, behind a gateway that says so.
    let started = poll_until(Duration::from_secs(60), || (ask(server, &get("/hello")).status == 200).then_some(()));
    assert!(started.is_some(), "{}", server.logs());
    let hello = ask(server, &get("/hello"));
    assert_eq!((hello.status, hello.text().as_str()), (200, "Hello, World!"), "{}", server.logs());
    let head = ask(server, &Request::new("HEAD", &format!("{prefix}/hello")));
    assert_eq!((head.status, head.content.length), (200, 0));
    for (body, length) in [(Payload::Pattern(4 * MIB), 4 * MIB), (Payload::Chunked(MIB), MIB), (Payload::None, 0)] {
        let echo = ask(server, &post("/echo", body));
        assert_eq!((echo.status, echo.content), (200, Content::of_pattern(length)), "{}", server.logs());
    }
    let stream = ask(server, &get("/stream"));
    assert!(stream.content.complete && stream.content.length == 4 * MIB, "{} bytes", stream.content.length);
    let cookies = ask(server, &get("/cookies"));
    assert_eq!(cookies.all("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
    let missing = ask(server, &get("/missing"));
    assert_eq!((missing.status, missing.text().as_str()), (404, "nothing here"));
    check_seen(server, prefix);
    check_kept(server, &get("/hello"));
}

/// What the application sees of a request and of its client.
fn check_seen(server: &Running, prefix: &str) {
    let request = Request::get(&format!("{prefix}/a/seen?x=%20&y"))
        .field("Host", "example.org")
        .field("Cookie", "one=1")
        .field("Cookie", "two=2")
        .field("X-Forwarded-For", "203.0.113.9")
        .field("X-Forwarded-Proto", "https")
        .field("Forwarded", "for=203.0.113.9");
    let seen = ask(server, &request).text();
    let value = |name: &str| seen.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    for (name, wanted) in [
        ("method", "GET"),
        ("path", &format!("{prefix}/a/seen")),
        ("query", "x=%20&y"),
        ("scheme", "http"),
        ("host", "example.org"),
        ("client", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1;host=example.org;proto=http"),
        ("cookie", "one=1; two=2"),
    ] {
        assert_eq!(value(name), Some(wanted), "{name}: {seen}");
    }
}

/// Many requests one after the other: connections are kept, and closed ones are not stumbled over.
fn check_kept(server: &Running, request: &Request) {
    let mut connection = Connection::open(server.address).unwrap();
    for _ in 0..200 {
        assert_eq!(connection.exchange(request).unwrap().status, 200);
    }
}

/// An echo over WebSocket, by a client that is not ours, with text, bytes, an own ping and a proper end.
#[tokio::main(flavor = "current_thread")]
async fn check_web_socket(server: &Running) {
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let connected = tokio_tungstenite::client_async(format!("ws://{}/chat", server.address), stream).await;
    let (mut socket, response) = connected.unwrap_or_else(|e| panic!("{e}\n{}", server.logs()));
    assert_eq!(response.status(), 101);
    let long = "0123456789".repeat(3000);
    for said in [Message::text("hello"), Message::text(long), Message::binary(vec![0, 255, 7])] {
        socket.send(said.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), said);
    }
    socket.close(None).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        assert!(message.is_close(), "{message:?}");
    }
}

/// All of it is ended and nothing is left.
fn end(server: Running) {
    let place = server.stop();
    assert_none_left(place.path());
}

#[test]
fn gunicorn_on_a_socket() {
    let server = upstream::gunicorn();
    check(&server, "");
    end(server);
}

#[test]
fn uvicorn_with_web_socket() {
    let server = upstream::asgi("uvicorn");
    check(&server, "");
    check_web_socket(&server);
    end(server);
}

#[test]
fn hypercorn_with_web_socket() {
    let server = upstream::asgi("hypercorn");
    check(&server, "");
    check_web_socket(&server);
    end(server);
}

#[test]
fn daphne_with_web_socket() {
    let server = upstream::asgi("daphne");
    check(&server, "");
    check_web_socket(&server);
    end(server);
}

#[test]
fn node_with_web_socket_and_early_hints() {
    let server = upstream::node();
    check(&server, "");
    check_web_socket(&server);
    // HTTP-128: what comes before the answer is passed on before it.
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    stream.write_all(b"GET /hints HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let said = std::io::read_to_string(stream).unwrap();
    let (hints, answer) = said.split_once("\r\n\r\n").unwrap();
    assert_eq!(hints, "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload; as=style");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhinted"), "{answer}");
    end(server);
}

#[test]
fn tomcat_below_a_prefix() {
    let server = upstream::tomcat();
    check(&server, "/app");
    end(server);
}
