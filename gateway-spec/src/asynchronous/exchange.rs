//! The driver of the asynchronous form: the same rules, the same events, polled instead of pulled.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;

use super::{AsyncResponse, BodyStream, BoxFuture, DynAsyncApplication, InputStream};
use crate::exchange::{LengthGuard, StoredHead, check, check_switch, error_page};
use crate::{AppError, Environ, Event, Failure, FilePart};

/// One request on its way through an asynchronous application, turned into [`Event`]s.
///
/// Dropping it drops the application's future or body, which is how it learns that the client has gone.
///
/// # Examples
/// ```
/// # async fn serve(app: std::sync::Arc<dyn gateway_spec::DynAsyncApplication>) {
/// use gateway_spec::{AsyncExchange, Environ, Event, InputStream};
/// let mut exchange = AsyncExchange::call(&*app, Environ::example("GET", "/"), InputStream::empty());
/// loop {
///     match exchange.next().await {
///         Event::Head(head) => println!("{}", head.status),
///         Event::Chunk(chunk) => println!("{} bytes", chunk.len()),
///         Event::Nothing => {}
///         Event::End | Event::Abort => break,
///     }
/// }
/// # }
/// ```
pub struct AsyncExchange<'a> {
    state: State<'a>,
    head_request: bool,
    may_switch: bool,
    pending: Option<Bytes>,
    length: LengthGuard,
    failure: Option<Failure>,
}

enum State<'a> {
    /// The application is still to answer.
    Calling(BoxFuture<'a, Result<AsyncResponse, AppError>>),
    /// It answered; the head waits for the first piece.
    Head(Option<StoredHead>, BodyStream),
    Body(BodyStream),
    End,
    Abort,
}

impl<'a> AsyncExchange<'a> {
    /// Calls `app`; it runs when the exchange is polled.
    pub fn call(app: &'a (impl DynAsyncApplication + ?Sized), environ: Environ, input: InputStream) -> Self {
        let head_request = environ.request_method() == "HEAD";
        // An application that is no `async fn` runs code, and may panic, before it returns its future.
        match catch_unwind(AssertUnwindSafe(|| app.call_boxed(environ, input))) {
            Ok(future) => AsyncExchange::from_future(future, head_request),
            Err(panic) => {
                let mut exchange = AsyncExchange::from_state(State::Abort, head_request);
                exchange.fail(Failure::panic(panic));
                exchange
            }
        }
    }

    /// Drives an answer that is being made already. `head_request` says whether the method is HEAD.
    pub fn from_future(future: BoxFuture<'a, Result<AsyncResponse, AppError>>, head_request: bool) -> Self {
        AsyncExchange::from_state(State::Calling(future), head_request)
    }

    fn from_state(state: State<'a>, head_request: bool) -> Self {
        AsyncExchange {
            state,
            head_request,
            may_switch: false,
            pending: None,
            length: LengthGuard::unknown(),
            failure: None,
        }
    }

    /// Lets the application answer 101, which only a gateway can keep that hands its connections over: the head then has no
    /// body, and what follows it is no longer HTTP. Otherwise 101 is refused like any status below 200.
    #[must_use]
    pub fn may_switch_protocols(mut self) -> Self {
        self.may_switch = true;
        self
    }

    /// The next event; after [`Event::End`] or [`Event::Abort`] it is that again. Safe to cancel and call again.
    pub async fn next(&mut self) -> Event {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Takes what follows, if it is a part of a file, as [`Exchange::take_file`](crate::Exchange::take_file) does.
    pub fn take_file(&mut self) -> Option<FilePart> {
        let State::Body(body) = &mut self.state else { return None };
        if self.pending.is_some() || self.length.is_complete() {
            return None;
        }
        let mut part = body.take_file()?;
        if let Some(declared) = self.length.cut_file(&mut part) {
            self.failure.get_or_insert(Failure::BodyTooLong { declared });
        }
        Some(part)
    }

    /// What went wrong, once, for the log.
    pub fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    /// Polls for the next event.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if let Some(chunk) = self.pending.take() {
                return Poll::Ready(self.send(chunk));
            }
            let polled = catch_unwind(AssertUnwindSafe(|| Self::poll_state(&mut self.state, &self.length, cx)));
            let step = match polled {
                Ok(step) => ready!(step),
                Err(panic) => Step::Fail(Failure::panic(panic)),
            };
            if let Some(event) = self.apply(step) {
                return Poll::Ready(event);
            }
        }
    }

    /// Runs application code; everything that may panic is in here.
    fn poll_state(state: &mut State<'_>, length: &LengthGuard, cx: &mut Context<'_>) -> Poll<Step> {
        let body = match state {
            State::Calling(future) => {
                return Poll::Ready(match ready!(future.as_mut().poll(cx)) {
                    Ok(response) => Step::Answered(response),
                    Err(error) => Step::Fail(Failure::application(error)),
                });
            }
            State::Head(_, body) => {
                let at_once = body.is_head_at_once();
                return match Pin::new(body).poll_next(cx) {
                    Poll::Pending if at_once => Poll::Ready(Step::BodyLater),
                    polled => polled.map(Step::of_piece),
                };
            }
            State::Body(_) if length.is_complete() => return Poll::Ready(Step::Finish),
            State::Body(body) => body,
            State::End | State::Abort => return Poll::Ready(Step::Finish),
        };
        Pin::new(body).poll_next(cx).map(Step::of_piece)
    }

    fn apply(&mut self, step: Step) -> Option<Event> {
        match step {
            Step::Answered(AsyncResponse { status, headers, body }) => {
                let checked = match status {
                    StatusCode::SWITCHING_PROTOCOLS if self.may_switch => check_switch(headers),
                    _ => check(status, headers),
                };
                let (head, error) = match checked {
                    Ok(head) => (Some(head), None),
                    Err(error) => (None, Some(error)),
                };
                self.over(State::Head(head, body));
                if let Some(error) = error {
                    self.fail(Failure::application(error.into()));
                }
                None
            }
            Step::Chunk(chunk) if chunk.is_empty() => Some(Event::Nothing),
            Step::Chunk(chunk) => match self.release(None) {
                Some(head) => {
                    self.pending = Some(chunk);
                    Some(head)
                }
                None => Some(self.send(chunk)),
            },
            Step::BodyLater => self.release(None),
            Step::BodyEnded => self.release(Some(0)).or_else(|| {
                match self.length.missing() {
                    None => self.over(State::End),
                    Some((declared, sent)) => self.fail(Failure::BodyTooShort { declared, sent }),
                }
                None
            }),
            Step::Fail(failure) => {
                self.fail(failure);
                None
            }
            Step::Finish => Some(if matches!(self.state, State::Abort) {
                Event::Abort
            } else {
                self.over(State::End);
                Event::End
            }),
        }
    }

    /// The head, if it has not gone out; `ended` is the body's length if it is over.
    fn release(&mut self, ended: Option<u64>) -> Option<Event> {
        let State::Head(stored, body) = &mut self.state else { return None };
        let head = stored.take()?.finish(ended.or(body.length()), self.head_request);
        self.length = head.guard();
        let body = std::mem::replace(body, BodyStream::empty());
        self.over(State::Body(body));
        if ended.is_some() {
            // A stream that ended is not polled again.
            self.over(State::Body(BodyStream::empty()));
        }
        Some(Event::Head(head))
    }

    fn send(&mut self, mut chunk: Bytes) -> Event {
        if let Some(declared) = self.length.cut(&mut chunk) {
            self.failure.get_or_insert(Failure::BodyTooLong { declared });
        }
        if !chunk.is_empty() {
            return Event::Chunk(chunk);
        }
        self.over(State::End);
        Event::End
    }

    fn fail(&mut self, failure: Failure) {
        let (status, fields) = (failure.status(), failure.fields());
        self.failure.get_or_insert(failure);
        if matches!(self.state, State::Body(_)) {
            self.over(State::Abort);
        } else {
            let page: Vec<u8> = error_page::body(status).next_chunk().and_then(Result::ok).unwrap_or_default().into();
            self.over(State::Head(error_page::head(status, fields), BodyStream::from(page)));
        }
    }

    /// Moves on; the application's future or body is dropped here, panics caught.
    fn over(&mut self, next: State<'a>) {
        let old = std::mem::replace(&mut self.state, next);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(old))) {
            self.failure.get_or_insert(Failure::panic(panic));
        }
    }
}

impl Drop for AsyncExchange<'_> {
    fn drop(&mut self) {
        self.over(State::Abort);
    }
}

/// What polling the application brought.
enum Step {
    Answered(AsyncResponse),
    Chunk(Bytes),
    /// The head need not wait for the body.
    BodyLater,
    BodyEnded,
    Fail(Failure),
    Finish,
}

impl Step {
    fn of_piece(piece: Option<Result<Bytes, AppError>>) -> Self {
        match piece {
            Some(Ok(chunk)) => Step::Chunk(chunk),
            Some(Err(error)) => Step::Fail(Failure::application(error)),
            None => Step::BodyEnded,
        }
    }
}

impl std::fmt::Debug for AsyncExchange<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AsyncExchange").field("failure", &self.failure).finish_non_exhaustive()
    }
}
