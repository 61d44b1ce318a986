//! What a connection may hold: its place in a full house, its number of requests, what lies here unsent.

use std::io::Write;
use std::time::Duration;

use gateway_server::serve::Server;
use gateway_spec::{AppError, Body, Bytes, Environ, StartResponse, StatusCode, headers};

use crate::support::{
    Answer, Counter, PREFACE, client_runs, config, frame, frame_of_kind, get_frame, next_frame, request, serve,
    variables,
};

const DATA: u8 = 0;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const REFUSED_STREAM: [u8; 4] = 7_u32.to_be_bytes();

#[test]
fn http_181_an_idle_connection_makes_room_in_a_full_house() {
    let server = serve(Server::new(variables).config(config().max_connections(1)));
    let mut first = server.connect();
    first.write_all(&[PREFACE, &frame(4, 0, 0, b""), &get_frame(1)].concat()).unwrap();
    while next_frame(&mut first).is_some_and(|(kind, flags, _)| kind != DATA || flags & 1 == 0) {}
    // One that has asked for nothing yet makes room too.
    let mut second = server.connect();
    second.write_all(PREFACE).unwrap();
    let (_, goaway) = frame_of_kind(&mut first, GOAWAY).unwrap();
    assert_eq!(goaway[..8], [0, 0, 0, 1, 0, 0, 0, 0], "the first stream was the last, and nothing is wrong");
    assert_eq!(frame_of_kind(&mut first, GOAWAY), None, "closed");
    client_runs(async { assert_eq!(server.client().await.get("/").await.status, 200) });
    while next_frame(&mut second).is_some() {}
}

#[test]
fn http_181_a_connection_of_another_protocol_makes_room_too() {
    let server = serve(Server::new(variables).config(config().max_connections(1)));
    let http1 = || {
        let mut stream = server.connect();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut head = [0; 15];
        std::io::Read::read_exact(&mut stream, &mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        stream
    };
    let _idle = http1();
    client_runs(async {
        let mut client = server.client().await;
        assert_eq!(client.get("/").await.status, 200);
        let _idle = http1();
        let _ = client.connection.await.unwrap();
    });
}

#[test]
fn http_181_busy_connections_do_not_make_room() {
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let called = Counter::default();
    let calls = called.clone();
    let app = move |environ: Environ, start: StartResponse| {
        calls.add();
        if environ.path_info() == "/busy" {
            gate.lock().unwrap().recv()?;
        }
        variables(environ, start)
    };
    let server = serve(Server::new(app).config(config().max_connections(1)));
    client_runs(async {
        let mut first = server.client().await;
        let (busy, _) = first.send(request("GET", "/busy"), true).await.unwrap();
        called.reaches(1).await;
        let mut second = server.client().await;
        let (waiting, _) = second.send(request("GET", "/"), true).await.unwrap();
        assert_eq!(called.settled().await, 1, "there is no place for it yet");
        release.send(()).unwrap();
        Answer::of(busy.await.unwrap()).await.unwrap().says("PATH_INFO=/busy");
        // Now the first one waits and makes room.
        assert_eq!(waiting.await.unwrap().status(), 200);
        let _ = first.connection.await.unwrap();
    });
}

#[test]
fn http_181_streams_beyond_the_last_request_are_refused() {
    let called = Counter::default();
    let calls = called.clone();
    let app = move |environ: Environ, start: StartResponse| {
        calls.add();
        variables(environ, start)
    };
    let server = serve(Server::new(app).config(config().max_requests_per_connection(3)));
    let mut stream = server.connect();
    let mut bytes = [PREFACE, &frame(4, 0, 0, b"")].concat();
    (0..8).for_each(|number| bytes.extend(get_frame(number * 2 + 1)));
    stream.write_all(&bytes).unwrap();
    // It does not answer the ping that comes with GOAWAY, and asks on.
    let (mut refused, mut is_told) = (0, false);
    while let Some((kind, _, payload)) = next_frame(&mut stream) {
        refused += u32::from(kind == RST_STREAM && payload == REFUSED_STREAM);
        is_told |= kind == GOAWAY;
    }
    assert_eq!((called.now(), refused, is_told), (3, 5, true));
}

/// A window as large as it can be for streams is not too large for the connection.
#[test]
fn windows_beyond_what_the_protocol_can_say_are_cut_to_it() {
    for window in [u32::MAX, 1 << 30, 1] {
        let server = serve(Server::new(crate::support::count).config(config().stream_window(window)));
        client_runs(async {
            let mut client = server.client().await;
            let (response, mut body) = client.send(request("POST", "/"), false).await.unwrap();
            body.send_data(Bytes::from_static(b"hello"), true).unwrap();
            assert_eq!(Answer::of(response.await.unwrap()).await.unwrap().text(), "5 hello");
        });
    }
}

/// Answers that are made but lie here, because their client reads slowly: neither idle nor done.
#[test]
fn a_stop_waits_until_what_was_answered_has_been_sent() {
    const STREAMS: u32 = 100;
    let called = Counter::default();
    let calls = called.clone();
    let app = move |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        calls.add();
        Ok(vec![b'x'; 64_000].into())
    };
    let server = serve(Server::new(app).config(config().linger_timeout(Duration::from_millis(100))));
    let mut stream = server.connect();
    let largest = (1_u32 << 31) - 1;
    let mut bytes = [PREFACE, &frame(4, 0, 0, &[&[0, 4][..], &largest.to_be_bytes()].concat())].concat();
    bytes.extend(frame(8, 0, 0, &(largest - 65_535).to_be_bytes()));
    (0..STREAMS).for_each(|number| bytes.extend(get_frame(number * 2 + 1)));
    stream.write_all(&bytes).unwrap();
    client_runs(called.reaches(STREAMS as usize));
    server.stop();
    std::thread::sleep(Duration::from_millis(400));
    let mut ended = 0;
    while ended < STREAMS {
        let (kind, flags, _) = next_frame(&mut stream).unwrap_or_else(|| panic!("cut after {ended} answers"));
        ended += u32::from(kind == 0 && flags & 1 != 0);
    }
    assert!(frame_of_kind(&mut stream, RST_STREAM).is_none());
}
