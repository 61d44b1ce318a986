//! The body of a stream, for both forms of application.
//!
//! Holds reading no faster than the application asks: only what it has taken opens the client's window again.

use super::Link;
use super::line::{Account, Turn};
use super::stream::StreamWire;
use super::stream::block_on;
use crate::h1::RequestError;
use crate::serve::carrier::Carrier as _;
use crate::serve::drive::Outcome;
use crate::serve::refusal::Refusal;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use gateway_fastcgi::net::{Elapsed, Timer, after};
use gateway_spec::{Disconnected, InputSource};
use h2::RecvStream;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::time::{Sleep, sleep_until};

/// The body of one request, still arriving.
pub(super) struct StreamInput {
    wire: Arc<StreamWire>,
    body: RecvStream,
    waits_for_continue: bool,
    rest: Bytes,
    received: u64,
    account: Account,
    /// For the asynchronous form: a wait, and what rings when it has become too long.
    pause: Option<(Turn, Pin<Box<Sleep>>)>,
}

/// Reads a short body to its end before the application is called, so that it cannot wait for it.
pub(super) async fn preread(body: &mut RecvStream, link: &Link, timer: &mut Timer) -> Result<Bytes, Outcome> {
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    let mut account = Account::of_body(&link.shared.config);
    loop {
        let piece = match next_piece(body, link, &mut account, first.len() + joined.len(), timer).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(error))) if is_gone(&error) => return Err(Outcome::Gone),
            // HTTP-86: what came is not what was declared.
            Ok(Some(Err(_))) => return Err(Outcome::Refused(RequestError::BodyIncomplete.into())),
            Ok(None) => return Ok(if joined.is_empty() { first } else { joined.freeze() }),
            Err(Elapsed) => return Err(Outcome::Refused(Refusal::BodyTimeout)),
        };
        let _ = body.flow_control().release_capacity(piece.len());
        if first.is_empty() && joined.is_empty() {
            first = piece;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&piece);
        }
    }
}

type Piece = Option<Result<Bytes, h2::Error>>;

/// Waits for the next piece of a body of which `received` bytes are here.
async fn next_piece(
    body: &mut RecvStream,
    link: &Link,
    account: &mut Account,
    received: usize,
    timer: &mut Timer,
) -> Result<Piece, Elapsed> {
    let line = &link.line;
    loop {
        let ready = poll_fn(|cx| match body.poll_data(cx) {
            Poll::Ready(piece) => Poll::Ready(Some(piece)),
            Poll::Pending => Poll::Ready(None),
        });
        if let Some(piece) = ready.await {
            return Ok(piece);
        }
        let turn = account.begin(&line.received, received as u64, line.why_nothing_comes());
        match timer.within(turn.longest(), body.data()).await {
            Ok(piece) => {
                account.end(&turn);
                return Ok(piece);
            }
            Err(Elapsed) if account.goes_on(&turn, received as u64, line.why_nothing_comes()) => {}
            Err(Elapsed) => return Err(Elapsed),
        }
    }
}

/// Is it the client that ended it, or its connection?
fn is_gone(error: &h2::Error) -> bool {
    error.is_remote() || error.is_io() || error.is_go_away()
}

impl StreamInput {
    pub(super) fn new(wire: Arc<StreamWire>, mut body: RecvStream, waits_for_continue: bool) -> Self {
        let account = Account::of_body(&wire.shared().config);
        wire.link.line.enter_body(wire.number, body.flow_control().clone());
        Self { wire, body, waits_for_continue, rest: Bytes::new(), received: 0, account, pause: None }
    }

    fn begin_wait(&mut self) -> Turn {
        let line = &self.wire.link.line;
        self.account.begin(&line.received, self.received, line.why_nothing_comes())
    }

    /// After a wait that took as long as it may.
    fn goes_on(&mut self, turn: &Turn) -> bool {
        self.account.goes_on(turn, self.received, self.wire.link.line.why_nothing_comes())
    }

    /// The next piece; nothing at the end. Trailers are passed over (HTTP-96).
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        if std::mem::take(&mut self.waits_for_continue) {
            self.wire.lock().send_continue();
        }
        loop {
            let piece = match self.body.poll_data(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(None)),
                Poll::Ready(Some(Err(error))) if is_gone(&error) => {
                    return Poll::Ready(Err(io::Error::other(Disconnected)));
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(self.spoilt(RequestError::BodyIncomplete.into()))),
                Poll::Ready(Some(Ok(piece))) => piece,
            };
            let _ = self.body.flow_control().release_capacity(piece.len());
            self.received = self.received.saturating_add(piece.len() as u64);
            if let Some(limit) = self.wire.shared().config.limits.max_body_bytes
                && self.received > limit
            {
                return Poll::Ready(Err(self.spoilt(RequestError::BodyTooLong { limit }.into())));
            }
            if !piece.is_empty() {
                return Poll::Ready(Ok(Some(piece)));
            }
        }
    }

    /// Notes what is wrong with the body, so that the client can be told even if the application hides it.
    fn spoilt(&self, trouble: Refusal) -> io::Error {
        self.wire.lock().trouble = Some(trouble);
        trouble.into()
    }
}

impl Drop for StreamInput {
    /// Before the body itself goes: the crate is to see that nobody has it any more.
    fn drop(&mut self) {
        self.wire.link.line.leave_body(self.wire.number);
    }
}

impl InputSource for StreamInput {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        while self.rest.is_empty() {
            // What is here is taken without a clock.
            if let Poll::Ready(piece) = self.poll_piece(&mut Context::from_waker(Waker::noop())) {
                match piece? {
                    Some(piece) => self.rest = piece,
                    None => break,
                }
                continue;
            }
            let wire = Arc::clone(&self.wire);
            let turn = self.begin_wait();
            let read = block_on(wire.shared(), turn.longest(), poll_fn(|cx| self.poll_piece(cx)));
            match read {
                Err(e) if e.kind() == io::ErrorKind::TimedOut => {
                    if !self.goes_on(&turn) {
                        return Err(self.spoilt(Refusal::BodyTimeout));
                    }
                }
                read => {
                    self.account.end(&turn);
                    match read? {
                        Some(piece) => self.rest = piece,
                        None => break,
                    }
                }
            }
        }
        Ok(self.rest.split_to(self.rest.len().min(max)))
    }
}

impl Stream for StreamInput {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Poll::Ready(piece) = this.poll_piece(cx) {
            if let Some((turn, _)) = this.pause.take() {
                this.account.end(&turn);
            }
            return Poll::Ready(piece.transpose());
        }
        loop {
            let (turn, mut sleep) = this.pause.take().unwrap_or_else(|| {
                let turn = this.begin_wait();
                let sleep = Box::pin(sleep_until(after(turn.longest())));
                (turn, sleep)
            });
            if sleep.as_mut().poll(cx).is_pending() {
                this.pause = Some((turn, sleep));
                return Poll::Pending;
            }
            if !this.goes_on(&turn) {
                return Poll::Ready(Some(Err(this.spoilt(Refusal::BodyTimeout))));
            }
        }
    }
}
