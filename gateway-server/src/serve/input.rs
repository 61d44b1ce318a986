//! A request body that is still arriving, for both forms of application.
//!
//! Holds reading straight from the connection: what the application does not ask for stays in the socket, so the client
//! is slowed down and nothing piles up here. The first read sends `100 Continue` where the client waits for it (HTTP-120).

use super::pace::Wait;
use super::refusal::Refusal;
use super::wire::{State, Wire};
use crate::h1::Event;
use bytes::Bytes;
use futures_core::Stream;
use gateway_fastcgi::calls::Seat;
use gateway_fastcgi::net::{Readiness, after};
use gateway_spec::{Disconnected, InputSource};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::{Sleep, sleep_until};

/// The body of one request. When that request is over it is cut off from the connection.
pub(super) struct WireInput {
    wire: Arc<Wire>,
    request: u64,
    rest: Bytes,
    /// The synchronous application's place on a worker, as long as it has one.
    seat: Seat,
    /// For the asynchronous form: a wait, and what rings when it has become too long.
    pause: Option<(Wait, Pin<Box<Sleep>>)>,
}

/// One look at the connection.
enum Look {
    Data(Bytes),
    End,
    /// Nothing is there. `Unsent`: something must be written before anything can come.
    NotYet {
        unsent: bool,
    },
}

impl WireInput {
    /// The body of `request`, of which `begun` has been taken from the connection already. Whoever reads it may sit in a place on a worker.
    pub(super) fn new(wire: Arc<Wire>, request: u64, begun: Bytes, seat: Seat) -> Self {
        Self { wire, request, rest: begun, seat, pause: None }
    }

    fn look(&self) -> io::Result<Look> {
        let state = &mut *self.wire.lock();
        if state.request != self.request {
            return Err(io::Error::other(Disconnected));
        }
        loop {
            match state.machine.next_event() {
                Ok(Event::Data(data)) => return Ok(Look::Data(data)),
                Ok(Event::EndOfRequest | Event::Closed | Event::Request(_)) => return Ok(Look::End),
                Ok(Event::NeedMore) => {}
                Err(error) => return Err(spoilt(state, error.into())),
            }
            state.machine.send_continue(&mut state.out.bytes);
            // Only the continuation is written here: a response in progress is its sender's business.
            let unsent = !state.machine.is_response_started() && !state.out.try_flush(&self.wire.stream)?;
            match state.try_fill_piece(&self.wire.stream) {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(Look::NotYet { unsent }),
                Err(_) => return Err(io::Error::other(Disconnected)),
            }
        }
    }

    /// The next piece, for a thread that may block; empty at the end.
    fn next_piece(&mut self) -> io::Result<Bytes> {
        let stream = &self.wire.stream;
        let _insisting = stream.insist();
        loop {
            match self.look()? {
                Look::Data(data) => return Ok(data),
                Look::End => return Ok(Bytes::new()),
                Look::NotYet { unsent: true } => {
                    self.seat.leave();
                    self.wire.flush_blocking()?;
                }
                Look::NotYet { unsent: false } if self.seat.wait(stream.socket()) => {}
                Look::NotYet { unsent: false } => {
                    let wait = self.wire.wait_for_body();
                    let waited = stream.block_until(Readiness::Read, wait.longest);
                    self.wire.end_wait_for_body(&wait);
                    match waited {
                        Err(e) if e.kind() == io::ErrorKind::TimedOut => return Err(self.timed_out()),
                        waited => waited?,
                    }
                }
            }
        }
    }

    fn timed_out(&self) -> io::Error {
        spoilt(&mut self.wire.lock(), Refusal::BodyTimeout)
    }
}

/// Notes what is wrong with the body, so that the client can be told even if the application hides it.
fn spoilt(state: &mut State, trouble: Refusal) -> io::Error {
    state.trouble = Some(trouble);
    trouble.into()
}

impl InputSource for WireInput {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        if self.rest.is_empty() {
            self.rest = match self.seat.is_kept() {
                true => self.next_piece()?,
                false => tokio::task::block_in_place(|| self.next_piece())?,
            };
            self.seat.count(self.rest.len());
        }
        Ok(self.rest.split_to(self.rest.len().min(max)))
    }
}

impl Stream for WireInput {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if !this.rest.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut this.rest))));
        }
        loop {
            match this.look() {
                Ok(Look::Data(data)) => {
                    if let Some((wait, _)) = this.pause.take() {
                        this.wire.end_wait_for_body(&wait);
                    }
                    return Poll::Ready(Some(Ok(data)));
                }
                Ok(Look::End) => return Poll::Ready(None),
                Ok(Look::NotYet { unsent }) => {
                    let ready = match unsent {
                        true => this.wire.stream.poll_write_ready(cx),
                        false => this.wire.stream.poll_read_ready(cx),
                    };
                    match ready {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(e)) => return Poll::Ready(Some(Err(e))),
                        Poll::Pending => {
                            let (_, sleep) = this.pause.get_or_insert_with(|| {
                                let wait = this.wire.wait_for_body();
                                let sleep = Box::pin(sleep_until(after(wait.longest)));
                                (wait, sleep)
                            });
                            if sleep.as_mut().poll(cx).is_ready() {
                                return Poll::Ready(Some(Err(this.timed_out())));
                            }
                            return Poll::Pending;
                        }
                    }
                }
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}
