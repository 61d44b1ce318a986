//! The client as a service in a program that is made with axum.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod client_support;

use std::sync::{Arc, Mutex};

use axum::Router;
use client_support::{Asked, LONG, Worker, answer, end, record};
use gateway_fastcgi::client::Client;
use gateway_spec::tower::AppService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a program of axum with this client below `/app` sends back for these bytes.
async fn exchange(client: Client, request: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = Router::new()
        .route("/own", axum::routing::get(|| async { "axum's own" }))
        .nest_service("/app", AppService::new(client).script_name("/app"));
    let server = tokio::spawn(async move { axum::serve(listener, site).await });
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut response)).await.expect("no answer");
    server.abort();
    String::from_utf8(response).unwrap().to_ascii_lowercase()
}

#[tokio::test]
async fn fcgi_90_a_worker_answers_a_part_of_an_axum_program() {
    let asked = Arc::new(Mutex::new(Asked::default()));
    let seen = asked.clone();
    let worker = Worker::start(move |_, mut line| {
        let seen = seen.clone();
        async move {
            *seen.lock().unwrap() = line.request().await?;
            line.write(&answer(b"Status: 201 Created\nSet-Cookie: a=1\nSet-Cookie: b=2\nContent-Type: a/b\n\nmade"))
                .await
        }
    });
    let request = "POST /app/a%20b?q=1 HTTP/1.1\r\nHost: example.org:81\r\nConnection: close\r\nContent-Length: 8\r\n\
                   Proxy: http://evil.example\r\n\r\nname=Ada";
    let response = exchange(worker.client(), request).await;
    assert!(response.starts_with("http/1.1 201 created\r\n") && response.contains("made"), "{response}");
    assert!(response.contains("set-cookie: a=1\r\n") && response.contains("set-cookie: b=2\r\n"), "{response}");
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.stdin, b"name=Ada");
    for (name, value) in [
        ("REQUEST_METHOD", Some("POST")),
        ("SCRIPT_NAME", Some("/app")),
        ("PATH_INFO", Some("/a b")),
        ("QUERY_STRING", Some("q=1")),
        ("REQUEST_URI", Some("/app/a%20b?q=1")),
        ("SERVER_NAME", Some("example.org")),
        ("SERVER_PORT", Some("81")),
        ("CONTENT_LENGTH", Some("8")),
        ("HTTP_PROXY", None),
    ] {
        assert_eq!(asked.param(name).as_deref(), value, "{name}");
    }
}

#[tokio::test]
async fn fcgi_82_errors_of_the_client_are_answers_with_their_fields() {
    let full = Worker::start(|_, mut line| async move {
        line.request().await?;
        line.write(&end(0, 2)).await
    });
    let response = exchange(full.client(), "GET /app/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(response.starts_with("http/1.1 503") && response.contains("retry-after: 1\r\n"), "{response}");
    let response = exchange(full.client(), "GET /app/%2f HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(response.starts_with("http/1.1 400"), "{response}");
}

#[tokio::test]
async fn fcgi_34_an_answer_that_breaks_off_is_not_a_whole_one() {
    let worker = Worker::start(|_, mut line| async move {
        line.request().await?;
        line.write(&record(client_support::STDOUT, b"Content-Type: a/b\n\nhalf")).await
    });
    let response = exchange(worker.client(), "GET /app/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    // Whether hyper sends what there was is its own affair; the end of a whole body it must not send.
    assert!(!response.ends_with("0\r\n\r\n"), "{response}");
    let whole = Worker::answering(answer(client_support::HELLO));
    let response = exchange(whole.client(), "GET /app/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(response.contains("hello") && response.ends_with("0\r\n\r\n"), "{response}");
}
