//! Graceful stop.

use super::support::*;
use gateway_spec::{Environ, StartResponse};
use std::sync::{Mutex, mpsc::channel};
use std::time::Duration;

#[test]
fn a_stop_lets_the_running_request_end_and_closes_the_idle_ones() {
    let (entered, enters) = channel();
    let (release, waits) = channel::<()>();
    let waits = Mutex::new(waits);
    let server = serve(move |environ: Environ, start_response: StartResponse| {
        if environ.path_info() == "/slow" {
            entered.send(())?;
            waits.lock().unwrap().recv()?;
        }
        echo(environ, start_response)
    });
    let mut idle = server.client();
    idle.send("GET /idle HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(idle.response().text(), "/idle ");
    let mut fresh = server.client();
    let mut busy = server.client();
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    enters.recv_timeout(PATIENCE).unwrap();
    server.stop();
    idle.expect_closed();
    fresh.rest();
    release.send(()).unwrap();
    let response = busy.response();
    assert_eq!((response.text(), response.field("connection")), ("/slow ", Some("close")));
    busy.expect_closed();
    let port = server.port();
    server.join().unwrap();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens any longer");
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let server = serve_with(config().stop_timeout(Duration::from_millis(100)), echo);
    let mut client = server.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    // The request is in progress once its continuation is asked for.
    let mut waiting = server.client();
    waiting.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(waiting.response_head().status, 100);
    server.stop();
    waiting.rest();
    client.rest();
    server.join().unwrap();
}
