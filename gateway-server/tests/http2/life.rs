//! The life of a connection: stop, idleness, silence, and how many streams it may have.

use std::io::Write;
use std::time::Duration;

use gateway_server::serve::Server;
use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};

use crate::support::{
    Answer, Counter, PATIENCE, PREFACE, client_runs, config, frame, frame_of_kind, get_frame, request, serve, variables,
};

const HEADERS: u8 = 1;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

#[test]
fn a_stop_finishes_what_is_in_progress_and_takes_nothing_new() {
    let called = Counter::default();
    let calls = called.clone();
    let slow = move |environ: Environ, start: StartResponse| {
        calls.add();
        std::thread::sleep(Duration::from_millis(400));
        variables(environ, start)
    };
    let server = serve(Server::new(slow).config(config()));
    client_runs(async {
        let mut client = server.client().await;
        let (response, _) = client.send(request("GET", "/in-progress"), true).await.unwrap();
        called.reaches(1).await;
        server.stop();
        Answer::of(response.await.unwrap()).await.unwrap().says("PATH_INFO=/in-progress");
        // The connection ends by itself, cleanly.
        client.connection.await.unwrap().unwrap();
    });
}

#[test]
fn http_172_after_its_last_word_the_server_reads_on_until_the_client_closes() {
    let server = serve(Server::new(variables).config(config().linger_timeout(PATIENCE)));
    let mut stream = server.connect();
    stream.write_all(&[PREFACE, &frame(4, 0, 0, b""), &get_frame(1)].concat()).unwrap();
    frame_of_kind(&mut stream, HEADERS).unwrap();
    server.stop();
    let (_, ping) = frame_of_kind(&mut stream, PING).unwrap();
    stream.write_all(&frame(PING, 1, 0, &ping)).unwrap();
    assert!(frame_of_kind(&mut stream, GOAWAY).is_some());
    assert_eq!(frame_of_kind(&mut stream, GOAWAY), None);
    // To the first of them a socket that is closed answers with a reset.
    for _ in 0..2 {
        stream.write_all(&frame(8, 0, 0, &[0, 0, 0, 1])).unwrap();
    }
}

#[test]
fn an_idle_connection_is_closed_after_its_time() {
    let server = serve(Server::new(variables).config(config().keep_alive_timeout(Duration::from_millis(200))));
    client_runs(async {
        let mut client = server.client().await;
        assert_eq!(client.get("/").await.status, 200);
        client.connection.await.unwrap().unwrap();
    });
}

#[test]
fn a_connection_that_asks_for_nothing_is_closed() {
    let server = serve(Server::new(variables).config(config().header_timeout(Duration::from_millis(200))));
    let mut stream = server.connect();
    stream.write_all(&[PREFACE, &frame(4, 0, 0, b"")].concat()).unwrap();
    let (_, goaway) = frame_of_kind(&mut stream, GOAWAY).unwrap();
    assert_eq!(goaway[4..8], [0; 4], "NO_ERROR");
    // It does not answer the ping behind the first GOAWAY, and is closed all the same.
    while frame_of_kind(&mut stream, GOAWAY).is_some() {}
}

/// A peer that is gone without a word, while an application still makes something for it.
#[test]
fn a_peer_that_does_not_answer_a_ping_is_given_up() {
    let closed = Counter::default();
    let closing = closed.clone();
    let app = move |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        let closing = closing.clone();
        // Nothing yet, for ever.
        Ok(Body::iter(std::iter::repeat_with(|| Ok(bytes::Bytes::new()))).on_close(move || closing.add()))
    };
    let server = serve(Server::new(app).config(config().write_timeout(Duration::from_millis(200))));
    let mut stream = server.connect();
    stream.write_all(&[PREFACE, &frame(4, 0, 0, b""), &get_frame(1)].concat()).unwrap();
    let (flags, _) = frame_of_kind(&mut stream, 6).expect("a ping");
    assert_eq!(flags, 0);
    while frame_of_kind(&mut stream, GOAWAY).is_some() {}
    client_runs(closed.reaches(1));
}

#[test]
fn after_the_last_request_of_a_connection_comes_goaway() {
    let server = serve(Server::new(variables).config(config().max_requests_per_connection(3)));
    client_runs(async {
        let mut client = server.client().await;
        for _ in 0..3 {
            assert_eq!(client.get("/").await.status, 200);
        }
        client.connection.await.unwrap().unwrap();
    });
}

#[test]
fn no_more_streams_than_allowed_are_called_at_once() {
    let (running, most) = (Counter::default(), std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)));
    let (now, highest) = (std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)), most.clone());
    let calls = running.clone();
    let app = move |environ: Environ, start: StartResponse| {
        use std::sync::atomic::Ordering::SeqCst;
        calls.add();
        highest.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        now.fetch_sub(1, SeqCst);
        variables(environ, start)
    };
    let server = serve(Server::new(app).config(config().max_streams(3)));
    client_runs(async {
        let mut client = server.client().await;
        // The limit comes with the first answer at the latest.
        assert_eq!(client.get("/").await.status, 200);
        let mut waiting = Vec::new();
        for _ in 0..12 {
            let (response, _) = client.send(request("GET", "/"), true).await.unwrap();
            waiting.push(tokio::spawn(response));
        }
        for response in waiting {
            assert_eq!(response.await.unwrap().unwrap().status(), 200);
        }
        assert_eq!(running.now(), 13);
        assert!(most.load(std::sync::atomic::Ordering::SeqCst) <= 3);
    });
}
