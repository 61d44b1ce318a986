//! A request body, read when the application asks for it.
//!
//! What it does not ask for stays in the socket, so the client is slowed down and nothing piles up here. The first read sends
//! `100 Continue` where the client waits for it (HTTP-120).

use super::line::{Line, State};
use super::waiting::Received;
use crate::h1::Event;
use crate::serve::refusal::Refusal;
use bytes::Bytes;
use futures_core::Stream;
use gateway_spec::{Disconnected, InputSource};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The body of one request. When that request is over it is cut off from the connection.
pub(super) struct LineInput {
    line: Arc<Line>,
    request: u64,
    rest: Bytes,
}

impl LineInput {
    pub(super) fn new(line: Arc<Line>, request: u64) -> Self {
        Self { line, request, rest: Bytes::new() }
    }

    /// The next piece; empty at the end.
    fn next_piece(&self) -> io::Result<Bytes> {
        loop {
            if let Some(piece) = self.arrived()? {
                return Ok(piece);
            }
            self.receive()?;
        }
    }

    /// What is here already; `None` if something must be waited for, which the client has been told then.
    fn arrived(&self) -> io::Result<Option<Bytes>> {
        let state = &mut *self.line.lock();
        if state.request != self.request {
            return Err(io::Error::other(Disconnected));
        }
        match state.machine.next_event() {
            Ok(Event::Data(data)) => Ok(Some(data)),
            Ok(Event::EndOfRequest | Event::Closed | Event::Request(_)) => Ok(Some(Bytes::new())),
            Ok(Event::NeedMore) => self.line.send_continue(state).map(|()| None),
            Err(error) => Err(spoilt(state, error.into())),
        }
    }

    /// Waits for more, without the lock.
    fn receive(&self) -> io::Result<()> {
        match self.line.receive_body() {
            // What an early end means is the machine's to say.
            Received::Bytes | Received::End => Ok(()),
            Received::Timeout => Err(spoilt(&mut self.line.lock(), Refusal::BodyTimeout)),
            Received::Lost | Received::Stop | Received::GaveWay => Err(io::Error::other(Disconnected)),
        }
    }
}

/// Notes what is wrong with the body, so that the client can be told even if the application hides it.
fn spoilt(state: &mut State, trouble: Refusal) -> io::Error {
    state.trouble = Some(trouble);
    trouble.into()
}

impl InputSource for LineInput {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        if self.rest.is_empty() {
            self.rest = self.next_piece()?;
        }
        Ok(self.rest.split_to(self.rest.len().min(max)))
    }
}

/// For asynchronous applications: whoever polls it waits here. It is polled on the connection's own thread only.
impl Stream for LineInput {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match self.next_piece() {
            Ok(piece) if piece.is_empty() => None,
            piece => Some(piece),
        })
    }
}
