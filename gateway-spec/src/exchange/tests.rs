//! The driver against the server rules of PEP 3333: what comes out of an exchange, as short texts, row by row.
//!
//! Holds the helpers. Whatever an application may do is in `any`; the rows are in `start` (head and restarts), `length`, `write`, `close` and `middleware`.

#![allow(clippy::needless_pass_by_value)] // applications are written where they are checked

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::{Disconnected, Headers, Iterable, headers};

mod any;
mod close;
mod length;
mod middleware;
mod start;
mod write;

/// What a driver gave: `200 exact=5`, `+data`, `.` for nothing yet, `end`, `abort`; and what went wrong.
#[derive(Debug, PartialEq)]
struct Seen {
    events: Vec<String>,
    failure: Option<String>,
}

/// One event in short.
fn short(event: &Event) -> String {
    match event {
        Event::Head(head) => {
            let framing = match head.framing {
                Framing::None => "none".to_owned(),
                Framing::Exact(length) => format!("exact={length}"),
                Framing::Unknown => "unknown".to_owned(),
            };
            format!("{} {framing}", head.status.as_u16())
        }
        Event::Chunk(chunk) => format!("+{}", chunk.escape_ascii()),
        Event::Nothing => ".".to_owned(),
        Event::End => "end".to_owned(),
        Event::Abort => "abort".to_owned(),
    }
}

/// Pulls to the end.
fn drive(exchange: &mut Exchange) -> Seen {
    let mut events = Vec::new();
    loop {
        assert!(events.len() < 1000, "the exchange does not end: {events:?}");
        let event = exchange.next();
        events.push(short(&event));
        if matches!(event, Event::End | Event::Abort) {
            assert_eq!(short(&exchange.next()), short(&event), "the last event stays");
            return Seen { events, failure: exchange.take_failure().map(|failure| failure.to_string()) };
        }
    }
}

#[track_caller]
fn check(method: &str, app: impl Application, events: &[&str], failure: Option<&str>) {
    let seen = drive(&mut Exchange::call(&app, Environ::example(method, "/")));
    assert_eq!(
        seen,
        Seen { events: events.iter().map(|&e| e.to_owned()).collect(), failure: failure.map(str::to_owned) }
    );
}

/// Gives a closure its type.
fn app<F>(f: F) -> impl Application
where
    F: Fn(Environ, StartResponse) -> Result<Body, AppError> + Send + Sync + 'static,
{
    f
}

/// The first head of an exchange.
#[track_caller]
fn head_of(method: &str, app: impl Application) -> ResponseHead {
    match Exchange::call(&app, Environ::example(method, "/")).next() {
        Event::Head(head) => head,
        other => panic!("no head but {other:?}"),
    }
}

#[derive(Clone, Copy)]
enum Piece {
    Data(&'static str),
    Error,
    Panic,
}
use Piece::Data;

/// A body that counts how often it was asked and closed.
#[derive(Clone, Default)]
struct Counts {
    pulled: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl Counts {
    fn body(&self, pieces: impl IntoIterator<Item = Piece>) -> Body {
        Body::new(Probe { pieces: pieces.into_iter().collect(), counts: self.clone() })
    }

    fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }

    fn pulled(&self) -> usize {
        self.pulled.load(Ordering::SeqCst)
    }
}

struct Probe {
    pieces: VecDeque<Piece>,
    counts: Counts,
}

impl Iterable for Probe {
    fn next_chunk(&mut self) -> Option<Result<Bytes, AppError>> {
        assert_eq!(self.counts.closed(), 0, "asked after close");
        self.counts.pulled.fetch_add(1, Ordering::SeqCst);
        Some(match self.pieces.pop_front()? {
            Data(text) => Ok(Bytes::from_static(text.as_bytes())),
            Piece::Error => Err("the body failed".into()),
            Piece::Panic => panic!("the body panicked"),
        })
    }

    fn close(&mut self) {
        self.counts.closed.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.counts.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

/// A started 200 with these fields and this body.
fn answer(headers: Headers, body: impl Fn() -> Body + Send + Sync + 'static) -> impl Application {
    app(move |_, start_response| {
        start_response(http::StatusCode::OK, headers.clone())?;
        Ok(body())
    })
}

/// Remembers what was pushed; refuses everything after `limit` events.
#[derive(Default)]
struct Pushed {
    events: Mutex<Vec<String>>,
    limit: Option<usize>,
}

impl Pushed {
    fn events(&self) -> Vec<String> {
        self.events.lock().expect("not poisoned").clone()
    }
}

impl PushSink for Pushed {
    fn push(&self, event: Event) -> Result<(), Disconnected> {
        let mut events = self.events.lock().expect("not poisoned");
        if self.limit.is_some_and(|limit| events.len() >= limit) {
            return Err(Disconnected);
        }
        events.push(short(&event));
        Ok(())
    }
}
