//! The drivers: a small answer, a streamed one, one that is pushed, a failure, and the asynchronous form.
//!
//! The environ of each request is a small one and part of the figure; `exchange/environ` says how much that is. No body
//! is touched on its way, so bytes a second would mean nothing here.
#![allow(clippy::needless_pass_by_value)] // applications have the shape of the contract

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use gateway_spec::{
    AppError, AsyncApplication, AsyncExchange, AsyncResponse, Body, DynAsyncApplication, Environ, Event, Exchange,
    InlineApplication, InputStream, StartResponse, StatusCode, headers,
};

use super::{Case, checked};

const CHUNKS: usize = 16;
const CHUNK: &[u8] = &[b'x'; 4096];

/// The subject's cases.
pub const CASES: &[Case] = &[
    Case::new("exchange/environ", environ),
    Case::new("exchange/hello", || pull(hello, (200, 1, 13))),
    Case::new("exchange/stream-16x4096", || pull(stream, (200, CHUNKS, CHUNKS * CHUNK.len()))),
    Case::new("exchange/write-16x4096", || pull(write, (200, CHUNKS, CHUNKS * CHUNK.len()))),
    Case::new("exchange/failure", || pull(broken, (500, 1, 22))),
    Case::new("exchange/async-ready", || poll(Ready)),
    Case::new("exchange/async-of-sync", || poll(InlineApplication::new(hello))),
];

fn hello(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok("Hello, World!".into())
}

fn stream(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok(Body::iter((0..CHUNKS).map(|_| Ok(Bytes::from_static(CHUNK)))))
}

fn write(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let write = start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    for _ in 0..CHUNKS {
        write.write(CHUNK)?;
    }
    Ok(Body::empty())
}

fn broken(_: Environ, _: StartResponse) -> Result<Body, AppError> {
    Err("no database".into())
}

/// An asynchronous application that need not wait.
struct Ready;

impl AsyncApplication for Ready {
    async fn call(&self, _: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
        Ok(AsyncResponse::new(StatusCode::OK, headers!["content-type" => "text/plain"], "Hello, World!"))
    }
}

/// Status, chunks and bytes of an answer.
type Seen = (u16, usize, usize);

fn environ() -> Box<dyn FnMut()> {
    checked(|| Environ::example("GET", black_box("/hello")), |environ| assert_eq!(environ.path_info(), "/hello"))
}

fn pull(
    app: impl Fn(Environ, StartResponse) -> Result<Body, AppError> + Send + Sync + 'static,
    expected: Seen,
) -> Box<dyn FnMut()> {
    let body = move || {
        let mut exchange = Exchange::call(&app, Environ::example("GET", black_box("/hello")));
        let mut seen = (0, 0, 0);
        while note(exchange.next(), &mut seen) {}
        seen
    };
    checked(body, move |seen| assert_eq!(seen, expected))
}

fn poll(app: impl DynAsyncApplication) -> Box<dyn FnMut()> {
    let body = move || {
        let mut exchange =
            AsyncExchange::call(&app, Environ::example("GET", black_box("/hello")), InputStream::empty());
        let mut seen = (0, 0, 0);
        while note(at_once(exchange.next()), &mut seen) {}
        seen
    };
    checked(body, |seen| assert_eq!(seen, (200, 1, 13)))
}

/// Counts an event; says whether more will come.
fn note(event: Event, seen: &mut Seen) -> bool {
    match event {
        Event::Head(head) => seen.0 = head.status.as_u16(),
        Event::Chunk(chunk) => {
            seen.1 += 1;
            seen.2 += chunk.len();
        }
        Event::Nothing => {}
        Event::End => return false,
        Event::Abort => panic!("the answer is broken off"),
    }
    true
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}
