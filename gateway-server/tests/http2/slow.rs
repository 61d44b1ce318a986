//! Clients that are slow on purpose, over HTTP/2: before the first request, with the head, with the body, and taking the response. And
//! those who are not to blame.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gateway_server::serve::{Config, Server};
use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, Body, BodyStream, Environ, Headers, InputStream, StartResponse,
    StatusCode, headers,
};

use crate::support::{
    Answer, Client, Counter, PATIENCE, PREFACE, Running, client_runs, config, count, frame, frame_of_kind, get_frame,
    next_frame, request, serve, variables,
};

const SHORT: Duration = Duration::from_millis(150);

const RST_STREAM: u8 = 3;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ENHANCE_YOUR_CALM: [u8; 4] = 0xb_u32.to_be_bytes();

/// No pause is too long, but a hundred bytes a second are not enough.
fn demanding() -> Config {
    config().rate_grace(SHORT).min_body_bytes_per_second(100_000).min_write_bytes_per_second(100_000_000)
}

/// Sends `piece` again and again until the server closes, never pausing for long.
fn drip(stream: &TcpStream, piece: Vec<u8>) -> JoinHandle<()> {
    let mut stream = stream.try_clone().unwrap();
    let begun = Instant::now();
    std::thread::spawn(move || {
        while begun.elapsed() < PATIENCE && stream.write_all(&piece).is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
    })
}

/// The server closes in time, whatever it says before.
#[track_caller]
fn check_closed(mut stream: TcpStream, dripping: JoinHandle<()>) {
    let begun = Instant::now();
    let mut buffer = [0; 4096];
    while let Ok(1..) = stream.read(&mut buffer) {}
    drop(stream);
    dripping.join().unwrap();
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
}

#[test]
fn http_174_a_client_that_never_says_its_preface_is_closed() {
    let server = serve(Server::new(variables).config(config().handshake_timeout(SHORT)));
    let mut silent = server.connect();
    assert_eq!(silent.read(&mut [0; 1]).unwrap_or(0), 0);
    // Nor does it help to say it drop by drop.
    let mut dripping = server.connect();
    let begun = Instant::now();
    for byte in PREFACE {
        std::thread::sleep(Duration::from_millis(20));
        if dripping.write_all(&[*byte]).is_err() {
            break;
        }
    }
    assert_eq!(dripping.read(&mut [0; 1]).unwrap_or(0), 0);
    assert!(begun.elapsed() < PATIENCE / 2);
}

#[test]
fn http_174_a_client_that_says_no_more_than_its_preface_is_closed() {
    let server = serve(Server::new(variables).config(config().header_timeout(SHORT)));
    let mut stream = server.connect();
    stream.write_all(PREFACE).unwrap();
    let (_, goaway) = frame_of_kind(&mut stream, GOAWAY).unwrap();
    assert_eq!(goaway[4..8], [0; 4], "NO_ERROR");
    while frame_of_kind(&mut stream, GOAWAY).is_some() {}
}

/// The beginning of a head, and a piece of the rest that could go on for long: fields with the shortest of names.
fn endless_head(stream: u32) -> (Vec<u8>, Vec<u8>) {
    (frame(1, 0x1, stream, b"\x82\x86\x84\x41\x01a"), frame(9, 0, stream, b"\x00\x01x\x01y"))
}

#[test]
fn http_174_181_a_head_that_drips_is_cut() {
    let server = serve(Server::new(variables).config(config().header_timeout(SHORT)));
    let mut stream = server.connect();
    let (head, piece) = endless_head(1);
    stream.write_all(&[PREFACE, &frame(4, 0, 0, b""), &head].concat()).unwrap();
    let dripping = drip(&stream, piece);
    check_closed(stream, dripping);
}

/// Whoever is in the middle of a head cannot answer a ping.
#[test]
fn http_174_181_a_head_that_drips_is_cut_while_another_stream_is_in_progress() {
    let server = serve(Server::asynchronous(Never).config(config().write_timeout(SHORT)));
    let mut stream = server.connect();
    let (head, piece) = endless_head(3);
    stream.write_all(&[PREFACE, &frame(4, 0, 0, b""), &get_frame(1), &head].concat()).unwrap();
    let dripping = drip(&stream, piece);
    check_closed(stream, dripping);
}

struct Never;

impl AsyncApplication for Never {
    async fn call(&self, _: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
        std::future::pending().await
    }
}

struct Count;

impl AsyncApplication for Count {
    async fn call(&self, _: Environ, mut input: InputStream) -> Result<AsyncResponse, AppError> {
        let mut length = 0;
        while let Some(piece) = input.next().await {
            length += piece?.len();
        }
        Ok(AsyncResponse::new(StatusCode::OK, Headers::new(), BodyStream::from(length.to_string())))
    }
}

/// A body that is read before the call, one that is read by the application, and one without a length.
fn check_bodies_that_drip(server: &Running) {
    client_runs(async {
        let mut client = server.client().await;
        for length in [Some(5000), Some(500_000), None] {
            let mut asking = request("POST", "/");
            if let Some(length) = length {
                asking.headers_mut().insert("content-length", length.into());
            }
            let (response, mut body) = client.send(asking, false).await.unwrap();
            let drip = async {
                while body.send_data(Bytes::from_static(b"x"), false).is_ok() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            // The answer and the reset come together: the answer is looked at first.
            tokio::select! {
                biased;
                response = response => assert_eq!(response.unwrap().status(), 408, "{length:?}"),
                () = drip => panic!("reset without an answer"),
            }
        }
        // Whoever shares the connection is not disturbed.
        assert_eq!(client.get("/").await.status, 200);
    });
}

#[test]
fn http_174_181_a_body_that_drips_is_408() {
    check_bodies_that_drip(&serve(Server::new(count).config(demanding())));
}

#[test]
fn http_174_181_a_body_that_drips_into_an_asynchronous_application_is_408() {
    check_bodies_that_drip(&serve(Server::asynchronous(Count).config(demanding())));
}

/// Many pieces of 16 KiB; and its close.
fn long(closed: Counter) -> impl Fn(Environ, StartResponse) -> Result<Body, AppError> {
    move |environ, start_response| {
        let pieces: usize = environ.path_info().to_str()?[1..].parse()?;
        start_response(StatusCode::OK, headers![])?;
        let closed = closed.clone();
        let pieces = (0..pieces).map(|_| Ok(Bytes::from_static(&[b'x'; 16 << 10])));
        Ok(Body::iter(pieces).on_close(move || closed.add()))
    }
}

/// `GET http://a/999999`
fn get_long(stream: u32) -> Vec<u8> {
    frame(1, 0x5, stream, b"\x82\x86\x41\x01a\x04\x07/999999")
}

/// SETTINGS with SETTINGS_INITIAL_WINDOW_SIZE.
fn settings_of_window(bytes: u32) -> Vec<u8> {
    frame(4, 0, 0, &[&4_u16.to_be_bytes()[..], &bytes.to_be_bytes()].concat())
}

fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(8, 0, stream, &bytes.to_be_bytes())
}

#[test]
fn http_174_181_a_window_that_is_opened_byte_by_byte_has_its_stream_reset() {
    let closed = Counter::default();
    let server = serve(Server::new(long(closed.clone())).config(demanding()));
    let mut stream = server.connect();
    stream.write_all(&[PREFACE, &settings_of_window(1), &get_long(1)].concat()).unwrap();
    let dripping = drip(&stream, window_update(1, 1));
    let begun = Instant::now();
    let (_, reason) = frame_of_kind(&mut stream, RST_STREAM).unwrap();
    assert_eq!(reason, ENHANCE_YOUR_CALM);
    assert!(begun.elapsed() < PATIENCE / 2);
    client_runs(closed.reaches(1));
    // The connection goes on.
    stream.write_all(&frame(PING, 0, 0, b"a ping!!")).unwrap();
    assert_eq!(frame_of_kind(&mut stream, PING), Some((1, b"a ping!!".to_vec())));
    stream.shutdown(std::net::Shutdown::Both).unwrap();
    dripping.join().unwrap();
}

/// All windows are as large as they can be, but the socket is not read, or too slowly.
#[track_caller]
fn check_not_read(server: &Running, closed: &Counter, pause: Option<Duration>) {
    let begun = Instant::now();
    let mut stream = server.connect();
    let largest = (1 << 31) - 1;
    let windows = [settings_of_window(largest), window_update(0, largest - 65_535)].concat();
    stream.write_all(&[PREFACE, &windows, &get_long(1), &get_long(3)].concat()).unwrap();
    if let Some(pause) = pause {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(1..) = stream.read(&mut buffer) {
            std::thread::sleep(pause);
        }
    }
    client_runs(closed.reaches(2));
    // A reset: the system sends no more of what it has.
    assert!(stream.read_to_end(&mut Vec::new()).is_err() || pause.is_some());
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
}

#[test]
fn http_174_a_connection_that_is_not_read_is_reset() {
    let closed = Counter::default();
    let server = serve(Server::new(long(closed.clone())).config(config().write_timeout(SHORT)));
    check_not_read(&server, &closed, None);
}

#[test]
fn http_174_181_a_connection_that_is_read_too_slowly_is_cut() {
    let closed = Counter::default();
    let server = serve(Server::new(long(closed.clone())).config(demanding()));
    check_not_read(&server, &closed, Some(Duration::from_millis(10)));
}

/// Both sides' buffers hold megabytes, and there is "room" only when a good part of them is free.
#[test]
fn a_response_is_not_cut_because_the_system_is_slow_to_say_that_there_is_room() {
    let closed = Counter::default();
    let server = serve(Server::new(long(closed.clone())).config(config().write_timeout(SHORT)));
    let mut stream = server.connect();
    let largest = (1 << 31) - 1;
    let get = frame(1, 0x5, 1, b"\x82\x86\x41\x01a\x04\x04/512");
    let windows = [settings_of_window(largest), window_update(0, largest - 65_535)].concat();
    stream.write_all(&[PREFACE, &windows, &get].concat()).unwrap();
    let mut length = 0;
    loop {
        let (kind, flags, payload) = next_frame(&mut stream).expect("a frame");
        assert_ne!(kind, RST_STREAM);
        if kind == PING && flags == 0 {
            stream.write_all(&frame(PING, 1, 0, &payload)).unwrap();
        }
        if kind == 0 {
            length += payload.len();
            if length % (64 << 10) < 16 << 10 {
                std::thread::sleep(Duration::from_millis(20));
            }
            if flags & 1 != 0 {
                break;
            }
        }
    }
    assert_eq!(length, 512 * (16 << 10));
}

/// A client that takes all that its line carries: each of its streams has to wait for its turn much longer than a pause may be.
#[test]
fn streams_that_wait_for_their_turn_on_a_slow_line_are_not_cut() {
    let server = serve(Server::new(long(Counter::default())).config(config().write_timeout(Duration::from_millis(60))));
    client_runs(async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        let (send, connection) = h2::client::Builder::new()
            .initial_window_size(1 << 20)
            .initial_connection_window_size(65_535)
            .handshake::<_, Bytes>(stream)
            .await
            .unwrap();
        tokio::spawn(connection);
        let line = Arc::new(tokio::sync::Mutex::new(()));
        let mut taking = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let mut ready = send.clone().ready().await.unwrap();
            let (response, _) = ready.send_request(request("GET", "/4"), true).unwrap();
            let line = Arc::clone(&line);
            taking.spawn(async move {
                let mut body = response.await.unwrap().into_body();
                let mut length = 0;
                while let Some(piece) = body.data().await {
                    let piece = piece.expect("not cut").len();
                    length += piece;
                    let _turn = line.lock().await;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    body.flow_control().release_capacity(piece).unwrap();
                }
                length
            });
        }
        for length in taking.join_all().await {
            assert_eq!(length, 4 * (16 << 10));
        }
    });
}

/// Four bodies that nobody reads are all that a connection may send; the fifth cannot come, and its client is not to blame.
#[test]
fn a_body_that_must_wait_for_applications_to_read_others_is_not_refused() {
    let go_on = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&go_on);
    const WINDOW: u32 = 64 << 10;
    let app = Held(go_on);
    let config = config().stream_window(WINDOW).body_timeout(SHORT).rate_grace(SHORT);
    let server = serve(Server::asynchronous(app).config(config));
    client_runs(async {
        let mut client = server.client().await;
        assert_eq!(client.get("/").await.status, 200);
        let mut held = Vec::new();
        for _ in 0..4 {
            let (response, mut body) = client.send(request("POST", "/held"), false).await.unwrap();
            body.send_data(vec![b'x'; WINDOW as usize].into(), true).unwrap();
            held.push((response, body));
        }
        let (response, mut body) = client.send(request("POST", "/"), false).await.unwrap();
        body.send_data(vec![b'x'; WINDOW as usize].into(), true).unwrap();
        tokio::time::sleep(SHORT * 4).await;
        told.notify_waiters();
        assert_eq!(Answer::of(response.await.unwrap()).await.unwrap().text(), WINDOW.to_string());
        for (response, _) in held {
            assert_eq!(Answer::of(response.await.unwrap()).await.unwrap().text(), WINDOW.to_string());
        }
    });
}

/// [`Count`], that reads nothing under `/held` before it is told to.
struct Held(Arc<tokio::sync::Notify>);

impl AsyncApplication for Held {
    async fn call(&self, environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
        if environ.path_info() == "/held" {
            self.0.notified().await;
        }
        Count.call(environ, input).await
    }
}

#[test]
fn http_174_time_in_the_application_is_not_the_clients_while_it_reads_and_writes() {
    let app = |mut environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        let mut length = 0;
        while let Ok(chunk @ [_, ..]) = environ.input.chunk(40_000).as_deref() {
            length += chunk.len();
            std::thread::sleep(SHORT / 2);
        }
        start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
        let pieces = (0..2).map(move |_| {
            std::thread::sleep(SHORT * 2);
            Ok(Bytes::from(format!("{length} ")))
        });
        Ok(Body::iter(pieces))
    };
    let server = serve(Server::new(app).config(demanding().body_timeout(SHORT).write_timeout(SHORT)));
    client_runs(async {
        let mut client: Client = server.client().await;
        let (response, mut body) = client.send(request("POST", "/"), false).await.unwrap();
        body.send_data(vec![b'x'; 120_000].into(), true).unwrap();
        assert_eq!(Answer::of(response.await.unwrap()).await.unwrap().text(), "120000 120000 ");
    });
}
