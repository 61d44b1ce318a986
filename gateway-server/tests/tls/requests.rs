//! Requests and responses under TLS.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gateway_spec::{AppError, Body, Bytes, Environ, StartResponse, StatusCode, headers};

use crate::support::{Client, Files, config, serve, serve_tls, variables};

#[test]
fn cgi_51_the_environ_says_that_the_request_came_under_tls() {
    let files = Files::new();
    let server = serve_tls(&files);
    let (status, said) = server.client(&files.der).get("/a?b");
    assert_eq!(status, 200);
    let port = format!("SERVER_PORT={}", server.port);
    for line in
        ["scheme=https", "HTTPS=on", "REQUEST_SCHEME=https", "SSL_PROTOCOL=TLSv1.3", "SSL_TLS_SNI=localhost", &port]
    {
        assert!(said.lines().any(|said| said == line), "{line} is not in {said}");
    }
    assert!(said.contains("SSL_CIPHER=TLS_"), "{said}");
}

#[test]
fn a_connection_is_kept_and_pipelined_requests_are_answered_in_order() {
    let files = Files::new();
    let server = serve_tls(&files);
    let mut client = server.client(&files.der);
    for path in ["/one", "/two"] {
        assert!(client.get(path).1.contains(&format!("PATH_INFO={path}\n")));
    }
    // In one record: what the machine has beyond the first request is not in the socket any more.
    client
        .send("GET /3 HTTP/1.1\r\nHost: a\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\nGET /5 HTTP/1.1\r\nHost: a\r\n\r\n");
    for path in ["/3", "/4", "/5"] {
        assert!(client.response().1.contains(&format!("PATH_INFO={path}\n")));
    }
}

fn echo(mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let body = environ.input.read_all(64 << 20)?;
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok(body.into())
}

#[test]
fn long_bodies_go_both_ways() {
    let files = Files::new();
    let tls = files.tls();
    let server = serve(echo, config(), |endpoint| endpoint.tls(tls));
    let mut client = server.client(&files.der);
    // Below and above what is read before the application is called, and above every buffer on the way.
    for length in [10, 60 << 10, 4 << 20] {
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
        client.send("x".repeat(length));
        let (status, body) = client.response();
        assert_eq!((status, body.len()), (200, length));
    }
}

#[test]
fn http_120_the_client_is_told_to_continue_when_the_application_reads() {
    let files = Files::new();
    let tls = files.tls();
    let server = serve(echo, config(), |endpoint| endpoint.tls(tls));
    let mut client = server.client(&files.der);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let mut interim = [0; 25];
    client.stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    assert_eq!(client.response(), (200, "hello".to_owned()));
}

#[test]
fn http_49_an_absolute_target_must_have_the_scheme_of_its_connection() {
    let files = Files::new();
    let server = serve_tls(&files);
    for (target, status) in [("https://localhost/x", 200), ("HTTPS://localhost/x", 200), ("http://localhost/x", 421)] {
        let mut client = server.client(&files.der);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_eq!(client.response().0, status, "{target}");
    }
    let plain = serve(variables, config(), |endpoint| endpoint);
    let mut stream = plain.connect();
    stream.write_all(b"GET https://localhost/x HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 421");
}

#[test]
fn http_179_the_server_says_that_it_closes() {
    let files = Files::new();
    let server = serve_tls(&files);
    let mut client = server.client(&files.der);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(client.ends_cleanly());
    // Also where nothing was wrong and nothing in progress.
    let mut idle = server.client(&files.der);
    idle.get("/");
    server.stop();
    assert!(idle.ends_cleanly());
}

#[test]
fn http_179_a_client_that_closes_without_a_word_has_its_request_answered() {
    let files = Files::new();
    let server = serve_tls(&files);
    let mut client = server.client(&files.der);
    client.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
    client.stream.sock.shutdown(Shutdown::Write).unwrap();
    assert!(client.response().1.contains("PATH_INFO=/late\n"));
}

/// HTTP-159: only in HTTP/1.0 is a body ended by the end of the connection; so there it must not look like one.
#[test]
fn http_159_a_broken_answer_that_only_the_end_would_end_has_no_closure_alert() {
    let files = Files::new();
    let tls = files.tls();
    let broken = |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        let pieces = [Ok(Bytes::from_static(b"begun")), Err(AppError::from("broken"))];
        Ok(Body::iter(pieces.into_iter()))
    };
    let server = serve(broken, config(), |endpoint| endpoint.tls(tls));
    let mut client = server.client(&files.der);
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    let mut all = Vec::new();
    assert!(client.stream.read_to_end(&mut all).is_err(), "{:?}", String::from_utf8_lossy(&all));
}

#[test]
fn a_client_without_tls_is_told_to_use_it() {
    let files = Files::new();
    let server = serve_tls(&files);
    let mut stream = server.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 ") && body.contains("https://"), "{answer}");
    assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{answer}");
}

#[test]
fn whoever_does_not_finish_the_handshake_in_time_is_closed_and_keeps_nobody_waiting() {
    let files = Files::new();
    let tls = files.tls();
    let config = config().handshake_timeout(Duration::from_millis(300));
    let server = serve(variables, config, |endpoint| endpoint.tls(tls));
    let mut slow: Vec<_> = (0..20).map(|_| server.connect()).collect();
    slow[0].write_all(&[0x16, 3, 1]).unwrap();
    assert_eq!(server.client(&files.der).get("/").0, 200);
    for stream in &mut slow {
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    }
}

/// At a restart both processes take connections for a moment, and the old one may be the first.
#[test]
fn a_client_that_comes_just_before_a_stop_has_its_first_answer() {
    let files = Files::new();
    let tls = files.tls();
    let server = serve(variables, config().linger_timeout(Duration::from_secs(10)), |endpoint| endpoint.tls(tls));
    let [before_handshake, socket] = [server.connect(), server.connect()];
    let mut before_request = Client::over(socket, &files.der);
    before_request.stream.conn.complete_io(&mut before_request.stream.sock).unwrap();
    // So that both are there before the stop.
    let mut idle = server.client(&files.der);
    assert_eq!(idle.get("/").0, 200);
    server.stop();
    assert!(idle.ends_cleanly());
    assert_eq!(Client::over(before_handshake, &files.der).get("/").0, 200);
    assert_eq!(before_request.get("/").0, 200);
    assert!(before_request.ends_cleanly());
}

#[test]
fn a_stop_does_not_wait_long_for_handshakes() {
    let files = Files::new();
    let server = serve_tls(&files);
    let mut stream = server.connect();
    // So that the connection is there before the stop.
    assert_eq!(server.client(&files.der).get("/").0, 200);
    server.stop();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
}

/// An application that is asked for more than the client takes waits for it, and nothing piles up.
#[test]
fn a_client_that_does_not_read_holds_the_application() {
    let files = Files::new();
    let tls = files.tls();
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let endless = move |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        let count = Arc::clone(&count);
        let piece = Bytes::from(vec![b'x'; 64 << 10]);
        Ok(Body::iter(std::iter::from_fn(move || {
            count.fetch_add(1, Ordering::SeqCst);
            Some(Ok(piece.clone()))
        })))
    };
    let server = serve(endless, config(), |endpoint| endpoint.tls(tls));
    let mut client = server.client(&files.der);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut first = [0; 1];
    client.stream.read_exact(&mut first).unwrap();
    let mut before = 0;
    let settled = loop {
        std::thread::sleep(Duration::from_millis(100));
        let now = made.load(Ordering::SeqCst);
        if now == before {
            break now;
        }
        before = now;
    };
    // What the sockets of both ends hold, and no more: some megabytes.
    assert!(settled < 400, "{settled} pieces of 64 KiB were made");
}
