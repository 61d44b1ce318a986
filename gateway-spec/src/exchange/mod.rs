//! The driver: one exchange of a request for a response, by the server rules of PEP 3333.
//!
//! Holds the order of things: call, first chunk, head, chunks, end, close. Does not hold what makes a head valid
//! (`head`), what happens inside `start_response` and `write` (`shared`), or how bytes reach a client: a gateway pulls
//! events (`event`) and writes them its own way, so there is one copy of these rules and not one for each gateway.

mod event;
mod failure;
mod head;
mod shared;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;

use crate::{AppError, Application, Body, Environ, FilePart, StartResponse};
pub use event::{Event, PushSink};
pub use failure::Failure;
pub use head::{Framing, ResponseHead, is_hop_by_hop};
pub(crate) use head::{LengthGuard, StoredHead, check, check_switch, error_page};
use shared::{Returned, Shared};

/// One request on its way through an application: calls it, and turns what it does into [`Event`]s.
///
/// Pull with [`next`](Exchange::next) until [`Event::End`] or [`Event::Abort`]. Dropping an exchange closes the body,
/// so a gateway whose client has gone just lets go of it.
///
/// # Examples
/// ```
/// use gateway_spec::{AppError, Body, Environ, Event, Exchange, Framing, StartResponse};
/// fn broken(_: Environ, _: StartResponse) -> Result<Body, AppError> {
///     Err("no database".into())
/// }
/// let mut exchange = Exchange::call(&broken, Environ::example("GET", "/"));
/// let Event::Head(head) = exchange.next() else { panic!("a head comes first") };
/// assert_eq!((head.status.as_u16(), head.framing), (500, Framing::Exact(22)));
/// assert_eq!(exchange.take_failure().map(|failure| failure.to_string()).as_deref(), Some("application failed: no database"));
/// ```
///
/// Source: PEP 3333 "The Server/Gateway Side", "Buffering and Streaming", "Error Handling".
pub struct Exchange {
    shared: Arc<Shared>,
    phase: Phase,
    body: Body,
    /// Data that goes out before the body is asked again: what `write` left, then the chunk that released the head.
    pending: Option<Bytes>,
    /// `write` left head and data in the queue.
    queued: bool,
    length: LengthGuard,
    /// What `start_response` was given, once nobody can change it any more.
    head: Option<StoredHead>,
    /// The head went out as an event of its own, not by `write`.
    released: bool,
    failure: Option<Failure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was sent.
    Head,
    /// The head was sent; the body is to follow.
    Body,
    /// Over, with this outcome.
    Over(Outcome),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    End,
    Abort,
}

impl Exchange {
    /// Calls `app` and holds what it returned. Data it gives to `write` is kept until the first event is pulled.
    ///
    /// Application code runs in here and in [`next`](Exchange::next); a panic in it is caught and becomes a failure.
    pub fn call<A: Application + ?Sized>(app: &A, environ: Environ) -> Self {
        Exchange::call_with(app, environ, None)
    }

    /// Calls `app`, sending data it gives to `write` through `push` while it runs.
    pub fn call_with<A: Application + ?Sized>(app: &A, environ: Environ, push: Option<Arc<dyn PushSink>>) -> Self {
        let shared = Shared::new(environ.request_method() == "HEAD", push);
        let start_response = StartResponse::from_driver(shared.clone());
        let result = catch_unwind(AssertUnwindSafe(|| app.call(environ, start_response)));
        let mut exchange = Exchange {
            phase: Phase::Head,
            body: Body::empty(),
            pending: None,
            queued: false,
            length: LengthGuard::unknown(),
            head: None,
            released: false,
            failure: None,
            shared,
        };
        exchange.returned(result);
        exchange
    }

    /// The next event. After [`Event::End`] or [`Event::Abort`] it is that again.
    ///
    /// May run application code, which may block.
    #[allow(clippy::should_implement_trait)] // an exchange ends with an event, not with `None`
    pub fn next(&mut self) -> Event {
        match self.phase {
            Phase::Over(Outcome::End) => Event::End,
            Phase::Over(Outcome::Abort) => Event::Abort,
            Phase::Head => self.before_head(),
            Phase::Body => self.after_head(),
        }
    }

    /// Ends the exchange: the client has gone, or time is up. Closes the body; later events are [`Event::Abort`].
    pub fn close(&mut self) {
        if !matches!(self.phase, Phase::Over(_)) {
            self.over(Outcome::Abort);
        }
    }

    /// Takes what follows, if it is a part of a file that a gateway can send without reading it (PEP-195).
    ///
    /// May be asked between two events once the head was sent; `None` means: pull on. Whoever takes a part sends it to its
    /// end before it pulls again, or closes the exchange.
    pub fn take_file(&mut self) -> Option<FilePart> {
        if self.phase != Phase::Body || self.pending.is_some() || self.queued || self.length.is_complete() {
            return None;
        }
        let mut part = self.body.take_file()?;
        if let Some(declared) = self.length.cut_file(&mut part) {
            self.failure.get_or_insert(Failure::BodyTooLong { declared });
        }
        Some(part)
    }

    /// What went wrong, once, for the log. Comes to be when an event tells of it, at the latest with the last.
    pub fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Whether the head was sent: an event told to, or `write` pushed it.
    pub fn head_sent(&self) -> bool {
        self.released || self.shared.head_sent()
    }

    /// Takes note of how the call ended, and of what `write` did meanwhile.
    fn returned(&mut self, result: std::thread::Result<Result<Body, AppError>>) {
        let Returned { written, head } = self.shared.call_returned();
        self.head = head;
        if let Some(written) = written {
            // `write` committed the head: the gateway has sent it, or finds it in the queue.
            self.length = written.length;
            self.queued = written.queued;
            self.phase = if written.queued { Phase::Head } else { Phase::Body };
        }
        match result {
            Ok(Ok(body)) => self.body = body,
            Ok(Err(error)) => self.fail(Failure::application(error)),
            Err(panic) => self.fail(Failure::panic(panic)),
        }
    }

    /// Nothing was sent yet: pull until the first bytes, the end, or a failure decides the head.
    fn before_head(&mut self) -> Event {
        if self.queued
            && let Some(head) = self.shared.take_queued_head()
        {
            self.length = head.guard();
            self.phase = Phase::Body;
            return Event::Head(head);
        }
        match self.pull() {
            Some(Ok(chunk)) if chunk.is_empty() => Event::Nothing,
            Some(Ok(chunk)) => self.release(self.body.length(), Some(chunk)),
            // PEP-73: the body ended before it gave a byte, so the head goes out alone.
            None => self.release(Some(0), None),
            Some(Err(failure)) => self.fail_now(failure),
        }
    }

    /// The head of a body of `known` bytes goes out, and `chunk` right behind it.
    fn release(&mut self, known: Option<u64>, chunk: Option<Bytes>) -> Event {
        let Some(stored) = self.head.take().or_else(|| self.shared.take_head()) else {
            // PEP-76: data, or the end, before start_response.
            return self.fail_now(Failure::NotStarted);
        };
        self.released = true;
        let head = stored.finish(known, self.shared.is_head_request());
        self.length = head.guard();
        self.phase = Phase::Body;
        self.pending = chunk;
        Event::Head(head)
    }

    fn after_head(&mut self) -> Event {
        let queued = || if self.queued { self.shared.take_queued_chunk() } else { None };
        if let Some(chunk) = self.pending.take().or_else(queued) {
            return self.send(chunk);
        }
        if self.length.is_complete() {
            // PEP-91: enough was sent; what the application might still give is not asked for.
            return self.finish(Outcome::End);
        }
        match self.pull() {
            Some(Ok(chunk)) if chunk.is_empty() => Event::Nothing,
            Some(Ok(chunk)) => self.send(chunk),
            None => match self.length.missing() {
                None => self.finish(Outcome::End),
                Some((declared, sent)) => self.fail_now(Failure::BodyTooShort { declared, sent }),
            },
            Some(Err(failure)) => self.fail_now(failure),
        }
    }

    /// Sends what of `chunk` fits into the declared length (PEP-90).
    fn send(&mut self, mut chunk: Bytes) -> Event {
        if let Some(declared) = self.length.cut(&mut chunk) {
            self.failure.get_or_insert(Failure::BodyTooLong { declared });
        }
        if chunk.is_empty() { self.finish(Outcome::End) } else { Event::Chunk(chunk) }
    }

    /// The next piece of the body, panics caught.
    fn pull(&mut self) -> Option<Result<Bytes, Failure>> {
        match catch_unwind(AssertUnwindSafe(|| self.body.next_chunk())) {
            Ok(piece) => Some(piece?.map_err(Failure::application)),
            Err(panic) => Some(Err(Failure::panic(panic))),
        }
    }

    fn fail_now(&mut self, failure: Failure) -> Event {
        self.fail(failure);
        self.next()
    }

    /// Turns a failure into an answer if nothing was sent, else into an abort (PEP-141, PEP-145).
    fn fail(&mut self, failure: Failure) {
        let (status, fields) = (failure.status(), failure.fields());
        self.failure.get_or_insert(failure);
        if self.phase == Phase::Body {
            self.over(Outcome::Abort);
            return;
        }
        self.close_body();
        // What `write` left in the queue goes with the head it would have followed.
        self.head = None;
        self.shared.replace_head(error_page::head(status, fields));
        self.body = error_page::body(status);
    }

    fn finish(&mut self, outcome: Outcome) -> Event {
        self.over(outcome);
        self.next()
    }

    fn over(&mut self, outcome: Outcome) {
        self.phase = Phase::Over(outcome);
        self.pending = None;
        self.shared.end();
        self.close_body();
    }

    /// PEP-104: close, whatever happened; a panic in it changes nothing for the client.
    fn close_body(&mut self) {
        // A closed body holds nothing any more, so dropping it later runs nothing of the application's.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.body.close())) {
            self.failure.get_or_insert(Failure::panic(panic));
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("phase", &self.phase).field("failure", &self.failure).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
