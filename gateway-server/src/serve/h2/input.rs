//! The body of a stream, for both forms of application.
//!
//! Holds reading no faster than the application asks: only what it has taken opens the client's window again.

use super::stream::StreamWire;
use crate::h1::RequestError;
use crate::serve::answer::Outcome;
use crate::serve::carrier::{Carrier as _, block_on};
use crate::serve::refusal::Refusal;
use crate::serve::shared::Shared;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use gateway_fastcgi::net::{Timer, after};
use gateway_spec::{Disconnected, InputSource};
use h2::RecvStream;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::{Sleep, sleep_until};

/// The body of one request, still arriving.
pub(super) struct StreamInput {
    wire: Arc<StreamWire>,
    body: RecvStream,
    waits_for_continue: bool,
    rest: Bytes,
    received: u64,
    /// For the asynchronous form: rings when the body has paused for too long.
    pause: Option<Pin<Box<Sleep>>>,
}

/// Reads a short body to its end before the application is called, so that it cannot wait for it.
pub(super) async fn preread(body: &mut RecvStream, shared: &Shared, timer: &mut Timer) -> Result<Bytes, Outcome> {
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    loop {
        let piece = match timer.within(shared.config.body_timeout, body.data()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(error))) if is_gone(&error) => return Err(Outcome::Gone),
            // HTTP-86: what came is not what was declared.
            Ok(Some(Err(_))) => return Err(Outcome::Refused(RequestError::BodyIncomplete.into())),
            Ok(None) => return Ok(if joined.is_empty() { first } else { joined.freeze() }),
            Err(_) => return Err(Outcome::Refused(Refusal::BodyTimeout)),
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

/// Is it the client that ended it, or its connection?
fn is_gone(error: &h2::Error) -> bool {
    error.is_remote() || error.is_io() || error.is_go_away()
}

impl StreamInput {
    pub(super) fn new(wire: Arc<StreamWire>, body: RecvStream, waits_for_continue: bool) -> Self {
        Self { wire, body, waits_for_continue, rest: Bytes::new(), received: 0, pause: None }
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

impl InputSource for StreamInput {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        if self.rest.is_empty() {
            let wire = Arc::clone(&self.wire);
            let shared = wire.shared();
            let read = block_on(shared, shared.config.body_timeout, poll_fn(|cx| self.poll_piece(cx)));
            self.rest = match read {
                Err(e) if e.kind() == io::ErrorKind::TimedOut => return Err(self.spoilt(Refusal::BodyTimeout)),
                read => read?.unwrap_or_default(),
            };
        }
        Ok(self.rest.split_to(self.rest.len().min(max)))
    }
}

impl Stream for StreamInput {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Poll::Ready(piece) = this.poll_piece(cx) {
            this.pause = None;
            return Poll::Ready(piece.transpose());
        }
        let limit = this.wire.shared().config.body_timeout;
        let pause = this.pause.get_or_insert_with(|| Box::pin(sleep_until(after(limit))));
        match pause.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(this.spoilt(Refusal::BodyTimeout)))),
            Poll::Pending => Poll::Pending,
        }
    }
}
