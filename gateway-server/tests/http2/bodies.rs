//! Bodies both ways: flow control from end to end, and what happens when one side gives up.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use gateway_server::serve::{Interim, Server};
use gateway_spec::{
    AppError, AsyncResponse, Body, BodyStream, Environ, Headers, InputStream, StartResponse, StatusCode, headers,
};

use crate::support::{Answer, Counter, client_runs, config, count, request, serve, variables};

async fn echo(_: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
    Ok(AsyncResponse::new(StatusCode::OK, Headers::new(), input.into_body()))
}

/// An application that is an `async fn`.
struct Asynchronous<F>(F);

impl<F, R> gateway_spec::AsyncApplication for Asynchronous<F>
where
    F: Fn(Environ, InputStream) -> R + Send + Sync + 'static,
    R: Future<Output = Result<AsyncResponse, AppError>> + Send,
{
    async fn call(&self, environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
        (self.0)(environ, input).await
    }
}

#[test]
fn bodies_of_every_length_come_whole() {
    let server = serve(Server::new(count).config(config()));
    client_runs(async {
        let mut client = server.client().await;
        // Below and above what is read before the call, and above the window; with a declared length and without.
        for (length, is_declared) in
            [(0, true), (10, true), (60_000, true), (2_000_000, true), (10, false), (2_000_000, false)]
        {
            let mut request = request("POST", "/");
            if is_declared {
                request.headers_mut().insert("content-length", length.into());
            }
            let (response, mut body) = client.send(request, false).await.unwrap();
            let mut left = Bytes::from(vec![b'x'; length]);
            while !left.is_empty() {
                body.reserve_capacity(left.len());
                let room = std::future::poll_fn(|cx| body.poll_capacity(cx)).await.unwrap().unwrap();
                body.send_data(left.split_to(room.min(left.len())), false).unwrap();
            }
            body.send_data(Bytes::new(), true).unwrap();
            let answer = Answer::of(response.await.unwrap()).await.unwrap();
            assert_eq!(answer.text(), format!("{length} {}", "x".repeat(length.min(5))));
        }
    });
}

#[test]
fn an_asynchronous_application_reads_and_answers_at_the_same_time() {
    let server = serve(Server::asynchronous(Asynchronous(echo)).config(config()));
    client_runs(async {
        let mut client = server.client().await;
        let (response, mut body) = client.send(request("POST", "/"), false).await.unwrap();
        body.send_data("one".into(), false).unwrap();
        let mut echoed = response.await.unwrap().into_body();
        assert_eq!(echoed.data().await.unwrap().unwrap(), "one");
        body.send_data("two".into(), true).unwrap();
        assert_eq!(echoed.data().await.unwrap().unwrap(), "two");
        // The end may come in a frame of its own.
        while let Some(piece) = echoed.data().await {
            assert!(piece.unwrap().is_empty());
        }
    });
}

/// Endless pieces of 16 KiB, counted; and its close.
fn endless(made: Counter, closed: Counter) -> impl Fn(Environ, StartResponse) -> Result<Body, AppError> {
    move |_, start_response| {
        start_response(StatusCode::OK, headers![])?;
        let (made, closed) = (made.clone(), closed.clone());
        let piece = Bytes::from(vec![b'x'; 16 << 10]);
        let pieces = std::iter::from_fn(move || {
            made.add();
            Some(Ok(piece.clone()))
        });
        Ok(Body::iter(pieces).on_close(move || closed.add()))
    }
}

#[test]
fn a_client_that_does_not_read_holds_the_application_and_a_reset_ends_it() {
    let (made, closed) = (Counter::default(), Counter::default());
    let server = serve(Server::new(endless(made.clone(), closed.clone())).config(config()));
    client_runs(async {
        let mut client = server.client().await;
        let (response, mut stream) = client.send(request("GET", "/"), true).await.unwrap();
        let response = response.await.unwrap();
        let settled = made.settled().await;
        // The window is 64 KiB: four pieces, one that waits, and some that were on their way.
        assert!((4..=8).contains(&settled), "{settled} pieces");
        assert_eq!(closed.now(), 0);
        stream.send_reset(h2::Reason::CANCEL);
        drop(response);
        closed.reaches(1).await;
        // Whoever shares the connection is not disturbed.
        let (other, mut stream) = client.send(request("GET", "/"), true).await.unwrap();
        assert_eq!(other.await.unwrap().status(), 200);
        stream.send_reset(h2::Reason::CANCEL);
        closed.reaches(2).await;
    });
}

#[test]
fn a_client_that_takes_nothing_for_too_long_is_given_up() {
    let (made, closed) = (Counter::default(), Counter::default());
    let config = config().write_timeout(Duration::from_millis(200));
    let server = serve(Server::new(endless(made, closed.clone())).config(config));
    client_runs(async {
        let mut client = server.client().await;
        let (response, _stream) = client.send(request("GET", "/"), true).await.unwrap();
        let mut body = response.await.unwrap().into_body();
        closed.reaches(1).await;
        // It is told so, once it reads on.
        let reset = loop {
            match body.data().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break error,
                None => panic!("a clean end"),
            }
        };
        assert!(reset.is_reset(), "{reset}");
    });
}

#[test]
fn an_application_that_does_not_read_holds_the_window() {
    let go_on = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&go_on);
    let app = move |_: Environ, mut input: InputStream| {
        let go_on = Arc::clone(&go_on);
        async move {
            go_on.notified().await;
            let mut length = 0;
            while let Some(piece) = input.next().await {
                length += piece?.len();
            }
            Ok(AsyncResponse::new(StatusCode::OK, Headers::new(), BodyStream::from(length.to_string())))
        }
    };
    const WINDOW: u32 = 100_000;
    let server = serve(Server::asynchronous(Asynchronous(app)).config(config().stream_window(WINDOW)));
    client_runs(async {
        let mut client = server.client().await;
        // So that the SETTINGS have come.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let (response, mut body) = client.send(request("POST", "/"), false).await.unwrap();
        let mut sent = 0;
        body.reserve_capacity(1 << 20);
        while let Ok(room) =
            tokio::time::timeout(Duration::from_millis(300), std::future::poll_fn(|cx| body.poll_capacity(cx))).await
        {
            let room = room.unwrap().unwrap();
            sent += room;
            body.send_data(vec![b'x'; room].into(), false).unwrap();
        }
        assert_eq!(sent, WINDOW as usize);
        told.notify_one();
        // Now it goes on.
        let room = std::future::poll_fn(|cx| body.poll_capacity(cx)).await.unwrap().unwrap();
        assert!(room > 0);
        body.send_data(Bytes::from_static(b"end"), true).unwrap();
        let answer = Answer::of(response.await.unwrap()).await.unwrap();
        assert_eq!(answer.text(), (WINDOW + 3).to_string());
    });
}

#[test]
fn a_reset_drops_an_asynchronous_application_at_once() {
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&dropped);
    let called = Counter::default();
    let calls = called.clone();
    let app = move |_: Environ, _: InputStream| {
        let held = Dropped(Arc::clone(&dropped));
        calls.add();
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Err(AppError::from("never"))
        }
    };
    let server = serve(Server::asynchronous(Asynchronous(app)).config(config()));
    client_runs(async {
        let mut client = server.client().await;
        let (_response, mut stream) = client.send(request("GET", "/"), true).await.unwrap();
        called.reaches(1).await;
        stream.send_reset(h2::Reason::CANCEL);
        let begun = std::time::Instant::now();
        while !seen.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // HTTP/1.1 looks once a second.
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    });
}

#[test]
fn http_159_an_answer_that_breaks_is_reset() {
    let broken = |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        let pieces = [Ok(Bytes::from_static(b"begun")), Err(AppError::from("broken"))];
        Ok(Body::iter(pieces.into_iter()))
    };
    let server = serve(Server::new(broken).config(config()));
    client_runs(async {
        let mut client = server.client().await;
        let (response, _) = client.send(request("GET", "/"), true).await.unwrap();
        // What was sent before is not lost.
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "begun");
        let error = body.data().await.unwrap().unwrap_err();
        assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
    });
}

#[test]
fn http_142_head_and_204_have_no_body() {
    let app = |environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        let status = if environ.path_info() == "/none" { StatusCode::NO_CONTENT } else { StatusCode::OK };
        start_response(status, headers![])?;
        Ok("content".into())
    };
    let server = serve(Server::new(app).config(config()));
    client_runs(async {
        let mut client = server.client().await;
        let head = client.ask(request("HEAD", "/")).await.unwrap();
        assert_eq!((head.status, &head.fields["content-length"], head.body.len()), (200, &"7".parse().unwrap(), 0));
        let none = client.get("/none").await;
        assert_eq!((none.status, none.body.len(), none.fields.get("content-length")), (204, 0, None));
        assert_eq!(client.get("/").await.text(), "content");
    });
}

#[test]
fn http_120_the_client_is_told_to_continue_when_the_application_reads() {
    let server = serve(Server::new(count).config(config()));
    client_runs(async {
        let mut client = server.client().await;
        let mut asking = request("POST", "/");
        asking.headers_mut().insert("expect", "100-continue".parse().unwrap());
        asking.headers_mut().insert("content-length", 5.into());
        let (mut response, mut body) = client.send(asking, false).await.unwrap();
        let interim = std::future::poll_fn(|cx| response.poll_informational(cx)).await.unwrap().unwrap();
        assert_eq!(interim.status(), 100);
        body.send_data("hello".into(), true).unwrap();
        assert_eq!(Answer::of(response.await.unwrap()).await.unwrap().text(), "5 hello");
    });
}

/// A body that says whether there can be an interim response after its first piece.
struct Late {
    first: Option<Bytes>,
    interim: Option<Interim>,
}

impl futures_core::Stream for Late {
    type Item = Result<Bytes, AppError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let sent = self.interim.take().map(|interim| interim.send(StatusCode::EARLY_HINTS, &headers![]));
        Poll::Ready(sent.map(|sent| Ok(sent.to_string().into())))
    }
}

/// Says what is to come, before the answer and behind it.
struct Hints;

impl gateway_spec::AsyncApplication for Hints {
    async fn call(&self, environ: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
        let interim = environ.extensions.get::<Interim>().unwrap().clone();
        let hints = headers!["link" => "</style.css>; rel=preload", "connection" => "close"];
        assert!(!interim.send(StatusCode::OK, &hints) && !interim.send(StatusCode::CONTINUE, &hints));
        assert!(interim.send(StatusCode::PROCESSING, &headers![]) && interim.send(StatusCode::EARLY_HINTS, &hints));
        let body = BodyStream::new(Late { first: Some("late: ".into()), interim: Some(interim) });
        Ok(AsyncResponse::new(StatusCode::OK, headers!["content-type" => "text/plain"], body))
    }

    fn sends_interim(&self) -> bool {
        true
    }
}

#[test]
fn http_128_interim_responses_come_before_the_answer() {
    let server = serve(Server::asynchronous(Hints).config(config()));
    client_runs(async {
        let mut client = server.client().await;
        let (mut response, _) = client.send(request("GET", "/"), true).await.unwrap();
        let mut interim = async || std::future::poll_fn(|cx| response.poll_informational(cx)).await.unwrap().unwrap();
        assert_eq!(interim().await.status(), 102);
        let hints = interim().await;
        assert_eq!((hints.status().as_u16(), hints.headers().len()), (103, 1));
        assert_eq!(hints.headers()["link"], "</style.css>; rel=preload");
        assert_eq!(Answer::of(response.await.unwrap()).await.unwrap().text(), "late: false");
    });
}

#[test]
fn http_86_a_body_that_stops_is_refused() {
    let config = config().body_timeout(Duration::from_millis(200));
    let server = serve(Server::new(count).config(config));
    client_runs(async {
        let mut client = server.client().await;
        // Read before the call, and read by the application.
        for length in [5, 500_000] {
            let mut asking = request("POST", "/");
            asking.headers_mut().insert("content-length", length.into());
            let (response, mut body) = client.send(asking, false).await.unwrap();
            body.send_data("x".into(), false).unwrap();
            assert_eq!(response.await.unwrap().status(), 408);
        }
        assert_eq!(client.get("/").await.status, 200);
    });
}

#[test]
fn http_109_an_answer_without_reading_the_body_ends_the_stream_alone() {
    let server = serve(Server::new(variables).config(config()));
    client_runs(async {
        let mut client = server.client().await;
        let (response, mut body) = client.send(request("POST", "/"), false).await.unwrap();
        body.send_data("unread".into(), false).unwrap();
        let answer = Answer::of(response.await.unwrap()).await.unwrap();
        assert_eq!(answer.status, 200);
        // RFC 9113 §8.1: no more of the body is wanted, and that is no error.
        let reset = std::future::poll_fn(|cx| body.poll_reset(cx)).await.unwrap();
        assert_eq!(reset, h2::Reason::NO_ERROR);
        assert_eq!(client.get("/").await.status, 200);
    });
}
