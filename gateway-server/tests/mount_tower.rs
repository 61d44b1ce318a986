//! A tower service behind the contract: what it is told, and what becomes of its answer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a failure is a panic"
)]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use gateway_server::mount::{RequestBody, TowerService};
use gateway_spec::{AsyncExchange, Bytes, Environ, Event, InputStream};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

/// Answers with what it was told, and echoes the body after it.
#[derive(Clone)]
struct Mirror;

impl Service<Request<RequestBody>> for Mirror {
    type Response = Response<Echo>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let mut told = format!("{} {} {:?}\n", request.method(), request.uri(), request.version());
        for (name, value) in request.headers() {
            told.push_str(&format!("{name}: {}\n", value.as_bytes().escape_ascii()));
        }
        told.push_str(&format!("extension: {:?}\n", request.extensions().get::<u8>()));
        let echo = Echo { first: Some(told.into()), body: request.into_body(), trailed: false };
        let response =
            Response::builder().status(StatusCode::ACCEPTED).header("set-cookie", "a=1").header("set-cookie", "b=2");
        ready(Ok(response.body(echo).unwrap()))
    }
}

struct Echo {
    first: Option<Bytes>,
    body: RequestBody,
    trailed: bool,
}

impl Body for Echo {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(None) if !self.trailed => {
                self.trailed = true;
                Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::new()))))
            }
            other => other,
        }
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().map_or(0, Bytes::len) as u64;
        self.body.size_hint().exact().map_or_else(SizeHint::new, |rest| SizeHint::with_exact(first + rest))
    }
}

/// Everything here is ready at once, so no runtime is needed.
fn ask(environ: Environ, input: InputStream) -> (u16, Vec<(String, String)>, String) {
    let app = TowerService::new(Mirror);
    let mut exchange = AsyncExchange::call(&app, environ, input);
    let mut answer = (0, Vec::new(), String::new());
    loop {
        let Poll::Ready(event) = exchange.poll_event(&mut Context::from_waker(Waker::noop())) else {
            panic!("not ready")
        };
        match event {
            Event::Head(head) => {
                answer.0 = head.status.as_u16();
                let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
                answer.1 = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
            }
            Event::Chunk(chunk) => answer.2.push_str(std::str::from_utf8(&chunk).unwrap()),
            Event::Nothing => {}
            Event::End => return answer,
            Event::Abort => panic!("{:?}", exchange.take_failure()),
        }
    }
}

#[test]
fn a_service_sees_its_part_of_the_path_and_every_field() {
    let mut environ = Environ::example("POST", "/");
    for (name, value) in [
        ("SCRIPT_NAME", &b"/mount"[..]),
        ("PATH_INFO", b"/a b/\xff?#"),
        ("QUERY_STRING", b"q=%20x"),
        ("CONTENT_TYPE", b"text/x-test"),
        ("HTTP_X_BYTES", b"\xe9"),
    ] {
        environ.set(name, value).unwrap();
    }
    environ.extensions.insert(7_u8);
    let (status, _, body) = ask(environ, InputStream::from(Bytes::from_static(b"the body")));
    assert_eq!(status, 202);
    assert_eq!(
        body,
        "POST /a%20b/%FF%3F%23?q=%20x HTTP/1.1\ncontent-type: text/x-test\nx-bytes: \\xe9\nextension: Some(7)\nthe body"
    );
}

#[test]
fn pep_14_the_mount_itself_is_the_services_root() {
    let mut environ = Environ::example("GET", "/");
    environ.set("PATH_INFO", "").unwrap();
    environ.set("SERVER_PROTOCOL", "HTTP/1.0").unwrap();
    assert!(ask(environ, InputStream::empty()).2.starts_with("GET / HTTP/1.0\n"));
}

#[test]
fn repeated_fields_stay_apart_and_a_known_length_is_declared() {
    let (_, fields, body) = ask(Environ::example("GET", "/"), InputStream::from(Bytes::from_static(b"xyz")));
    let length = body.len().to_string();
    let wanted = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("content-length", &length)];
    assert_eq!(fields, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn what_http_types_cannot_carry_is_a_bad_request() {
    let mut environ = Environ::example("GET", "/");
    environ.set("REQUEST_METHOD", "NO GOOD").unwrap();
    assert_eq!(ask(environ, InputStream::empty()).0, 400);
    let mut environ = Environ::example("GET", "/");
    environ.set("QUERY_STRING", b"a b\x7f").unwrap();
    assert_eq!(ask(environ, InputStream::empty()).0, 400);
}

#[test]
fn http_86_a_body_that_breaks_off_breaks_the_answer_off() {
    let app = TowerService::new(Mirror);
    let short = InputStream::new(InputStream::from(Bytes::from_static(b"abc")), Some(10));
    let mut exchange = AsyncExchange::call(&app, Environ::example("POST", "/"), short);
    let mut events = Vec::new();
    loop {
        let Poll::Ready(event) = exchange.poll_event(&mut Context::from_waker(Waker::noop())) else {
            panic!("not ready")
        };
        match event {
            Event::End => panic!("a clean end"),
            Event::Abort => break,
            other => events.push(format!("{other:?}")),
        }
    }
    assert!(exchange.take_failure().unwrap().to_string().contains("after 3 of 10 bytes"), "{events:?}");
}
