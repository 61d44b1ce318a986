//! Clients that are slow on purpose, over TLS: the handshake, the head, the body, and taking the response. And those who are not to blame.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use gateway_server::serve::{Config, Model};
use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};

use crate::slow_clients::{long, take_slowly};
use crate::support::{Client, Files, PATIENCE, Running, config, serve, variables};

const SHORT: Duration = Duration::from_millis(150);

/// No pause is too long, but a hundred bytes a second are not enough.
fn demanding() -> Config {
    config().rate_grace(SHORT).min_body_bytes_per_second(100_000).min_write_bytes_per_second(100_000_000)
}

/// Sends `head`, then `piece` again and again, never pausing for long; what the server says until it closes.
fn drip(client: &mut Client, head: &str, piece: &str) -> String {
    let begun = Instant::now();
    client.stream.sock.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    client.send(head);
    let (mut said, mut buffer) = (Vec::new(), [0; 1024]);
    loop {
        assert!(begun.elapsed() < PATIENCE / 2, "{:?}", String::from_utf8_lossy(&said));
        if client.stream.write_all(piece.as_bytes()).is_err() {
            break;
        }
        match client.stream.read(&mut buffer) {
            Ok(read @ 1..) => said.extend_from_slice(&buffer[..read]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(0) | Err(_) => break,
        }
    }
    String::from_utf8(said).unwrap()
}

fn server(config: Config, files: &Files, app: fn(Environ, StartResponse) -> Result<Body, AppError>) -> Running {
    let tls = files.tls();
    serve(app, config, |endpoint| endpoint.tls(tls))
}

fn echo(mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let body = environ.input.read_all(64 << 20)?;
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok(body.into())
}

#[test]
fn http_174_181_a_head_that_drips_is_408() {
    let files = Files::new();
    let server = server(config().header_timeout(SHORT), &files, variables);
    let said = drip(&mut server.client(&files.der), "GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n");
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
}

#[test]
fn http_174_181_a_body_that_drips_is_408() {
    let files = Files::new();
    let server = server(demanding(), &files, echo);
    for (framing, piece) in
        [("Content-Length: 5000", "x"), ("Content-Length: 500000", "x"), ("Transfer-Encoding: chunked", "1\r\nx\r\n")]
    {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
        let said = drip(&mut server.client(&files.der), &head, piece);
        assert!(said.starts_with("HTTP/1.1 408 "), "{framing}: {said}");
    }
}

#[test]
fn http_174_181_a_response_that_is_taken_too_slowly_is_cut() {
    let files = Files::new();
    let server = server(demanding(), &files, long);
    let mut client = server.client(&files.der);
    client.send("GET /100000 HTTP/1.1\r\nHost: a\r\n\r\n");
    let begun = Instant::now();
    let length = take_slowly(&mut client.stream, Duration::from_millis(20));
    assert!(length < 100_000 * (64 << 10) && begun.elapsed() < PATIENCE / 2, "{length}");
}

#[test]
fn http_174_a_response_that_is_not_taken_is_cut() {
    let files = Files::new();
    let server = server(config().write_timeout(SHORT), &files, long);
    let mut client = server.client(&files.der);
    client.send("GET /100000 HTTP/1.1\r\nHost: a\r\n\r\n");
    // It is reset: what the client's system has is all that there will be, and soon not even that.
    let begun = Instant::now();
    std::thread::sleep(SHORT * 8);
    let length = take_slowly(&mut client.stream, Duration::ZERO);
    assert!(length < 100_000 * (64 << 10) && begun.elapsed() < PATIENCE / 2, "{length}");
}

/// Both sides' buffers hold megabytes, and there is "room" only when a good part of them is free.
#[test]
fn a_response_is_not_cut_because_the_system_is_slow_to_say_that_there_is_room() {
    let files = Files::new();
    let server = server(config().write_timeout(Duration::from_millis(60)), &files, long);
    let mut client = server.client(&files.der);
    client.send("GET /128 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let length = take_slowly(&mut client.stream, Duration::from_millis(2));
    assert!(length > 128 * (64 << 10), "{length}");
}

#[test]
fn http_174_time_in_the_application_is_not_the_clients_while_it_reads_and_writes() {
    fn thinks(mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        let mut length = 0;
        while let Ok(chunk @ [_, ..]) = environ.input.chunk(40_000).as_deref() {
            length += chunk.len();
            std::thread::sleep(SHORT / 2);
        }
        start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
        std::thread::sleep(SHORT * 2);
        Ok(length.to_string().into())
    }
    let files = Files::new();
    let server = server(demanding().body_timeout(SHORT).write_timeout(SHORT), &files, thinks);
    let mut client = server.client(&files.der);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 80000\r\n\r\n");
    client.send("x".repeat(80_000));
    assert_eq!(client.response(), (200, "80000".to_owned()));
}

#[test]
fn http_181_a_handshake_that_is_not_done_makes_room_in_a_full_house() {
    let files = Files::new();
    // One loop does one thing after the other, so it is certain who has waited longest.
    let server = server(config().model(Model::EventLoop).max_connections(2), &files, variables);
    let mut silent = server.connect();
    let mut begun = server.connect();
    begun.write_all(&[0x16, 3, 1]).unwrap();
    // Two more, each of which needs the place of one of them.
    let [mut first, mut second] = [server.client(&files.der), server.client(&files.der)];
    assert_eq!([first.get("/").0, second.get("/").0], [200, 200]);
    for stream in [&mut silent, &mut begun] {
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    }
}

#[test]
fn http_181_an_idle_connection_makes_room_in_a_full_house() {
    let files = Files::new();
    let server = server(config().max_connections(1), &files, variables);
    let mut idle = server.client(&files.der);
    assert_eq!(idle.get("/").0, 200);
    assert_eq!(server.client(&files.der).get("/").0, 200);
    assert!(idle.ends_cleanly());
}
