//! Clients that are slow on purpose, in the three forms there are: the head, the body, and taking the response. And those who are not
//! to blame.

use super::slow_clients::{long, take_slowly};
use super::support::*;
use gateway_server::serve::{Config, Server};
use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, Body, Bytes, Environ, InputStream, StartResponse, StatusCode, headers,
};
use std::io::Write as _;
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(150);

/// Sends `piece` again and again until the server closes, never pausing for long.
fn drip(stream: &TcpStream, piece: &'static [u8]) -> JoinHandle<()> {
    let mut stream = stream.try_clone().unwrap();
    let begun = Instant::now();
    std::thread::spawn(move || {
        while begun.elapsed() < PATIENCE && stream.write_all(piece).is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
    })
}

#[track_caller]
fn check_shed(server: &Running, head: &str, piece: &'static [u8]) {
    let begun = Instant::now();
    let mut client = server.client();
    client.send(head);
    let dripping = drip(&client.stream, piece);
    let response = client.response();
    assert_eq!((response.status, response.field("connection")), (408, Some("close")), "{head}");
    client.rest();
    drop(client);
    dripping.join().unwrap();
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
}

/// No pause is too long, but a hundred bytes a second are not enough.
fn demanding() -> Config {
    config().rate_grace(SHORT).min_body_bytes_per_second(100_000).min_write_bytes_per_second(100_000_000)
}

#[test]
fn http_174_181_a_head_that_drips_is_408() {
    let server = serve_with(config().header_timeout(SHORT), echo);
    check_shed(&server, "GET / HTTP/1.1\r\nHost: a\r\n", b"X: y\r\n");
}

const BODIES: [(&str, &[u8]); 3] =
    [("Content-Length: 5000", b"x"), ("Content-Length: 500000", b"x"), ("Transfer-Encoding: chunked", b"1\r\nx\r\n")];

#[test]
fn http_174_181_a_body_that_drips_is_408() {
    let server = serve_with(demanding(), echo);
    for (framing, piece) in BODIES {
        check_shed(&server, &format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"), piece);
    }
}

struct Count;

impl AsyncApplication for Count {
    async fn call(&self, _: Environ, mut input: InputStream) -> Result<AsyncResponse, AppError> {
        let mut length = 0;
        while let Some(piece) = input.next().await {
            length += piece?.len();
        }
        Ok(AsyncResponse::new(
            StatusCode::OK,
            headers!["content-type" => "text/plain"],
            Bytes::from(length.to_string()),
        ))
    }
}

#[test]
fn http_174_181_a_body_that_drips_into_an_asynchronous_application_is_408() {
    let server = start(Server::asynchronous(Count).config(demanding()));
    for (framing, piece) in BODIES {
        check_shed(&server, &format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"), piece);
    }
}

#[test]
fn a_body_that_drips_is_taken_where_no_rate_is_asked_for() {
    let server = serve_with(demanding().min_body_bytes_per_second(0), echo);
    let mut client = server.client();
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 40\r\n\r\n");
    let dripping = drip(&client.stream, b"x");
    assert_eq!(client.response().text(), format!("/x {}", "x".repeat(40)));
    drop(client);
    dripping.join().unwrap();
}

#[test]
fn http_167_181_an_unread_body_that_drips_is_not_read_for_ever() {
    let server =
        serve_with(config().body_timeout(SHORT), |_: Environ, start_response: StartResponse| ok(start_response, "no"));
    let begun = Instant::now();
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    let dripping = drip(&client.stream, b"x");
    assert_eq!(client.response().text(), "no");
    client.rest();
    drop(client);
    dripping.join().unwrap();
    assert!(begun.elapsed() < PATIENCE / 2);
}

#[test]
fn http_174_181_a_response_that_is_taken_too_slowly_is_cut() {
    let server = serve_with(demanding(), long);
    let mut client = server.client();
    client.send("GET /100000 HTTP/1.1\r\nHost: a\r\n\r\n");
    let begun = Instant::now();
    let length = take_slowly(&mut client.stream, Duration::from_millis(20));
    assert!(length < 100_000 * (64 << 10) && begun.elapsed() < PATIENCE / 2, "{length}");
}

#[test]
fn a_response_is_not_cut_because_the_system_is_slow_to_say_that_there_is_room() {
    // Both sides' buffers hold megabytes, and there is "room" only when a good part of them is free.
    let server = serve_with(config().write_timeout(Duration::from_millis(60)), long);
    let mut client = server.client();
    client.send("GET /128 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let length = take_slowly(&mut client.stream, Duration::from_millis(10));
    assert!(length > 128 * (64 << 10), "{length}");
}

#[test]
fn http_174_time_in_the_application_is_not_the_clients_while_it_reads_and_writes() {
    let server = serve_with(
        demanding().body_timeout(SHORT).write_timeout(SHORT),
        |mut environ: Environ, start_response: StartResponse| {
            let mut length = 0;
            while let Ok(chunk @ [_, ..]) = environ.input.chunk(40_000).as_deref() {
                length += chunk.len();
                std::thread::sleep(SHORT * 2);
            }
            start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
            let pieces = (0..2).map(move |_| {
                std::thread::sleep(SHORT * 2);
                Ok(Bytes::from(format!("{length} ")))
            });
            Ok(Body::iter(pieces))
        },
    );
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 80000\r\n\r\n");
    client.send(vec![b'x'; 80_000]);
    assert_eq!(client.response().text(), "80000 80000 ");
}
