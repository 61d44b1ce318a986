//! A transport as the crate `h2` wants it: polled.
//!
//! Holds reading and writing, and how long a client may take nothing of what is written (HTTP-174, HTTP-181): the rule of a response, for
//! the whole connection.

use super::super::pace::{Pace, Rule, Wait};
use super::super::transport::{Transport, reset_at_close};
use super::Link;
use bytes::{Buf, Bytes, BytesMut};
use gateway_fastcgi::net::after;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep_until};

/// One connection, read and written by one task.
pub(super) struct Io {
    transport: Arc<Transport>,
    link: Arc<Link>,
    /// What was read before, or more than was asked for.
    here: BytesMut,
    taking: Pace,
    /// A wait for room, and what rings when it has become too long.
    stall: Option<(Wait, Pin<Box<Sleep>>)>,
}

/// One frame of the usual size and its head.
const READ_ROOM: usize = 17 << 10;

impl Io {
    pub(super) fn new(transport: Arc<Transport>, link: Arc<Link>, early: Bytes) -> Self {
        link.line.received.add(early.len());
        Self { transport, link, here: early.into(), taking: Pace::default(), stall: None }
    }

    /// Attempts to write until the system takes something.
    fn poll_attempt(
        &mut self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&Transport) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match attempt(&self.transport) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => match self.transport.poll_write_ready(cx) {
                    Poll::Ready(is_ready) => is_ready?,
                    Poll::Pending => {
                        let wait = ready!(self.poll_patience(cx));
                        if let Some(done) = self.ask_again(&wait, &mut attempt)? {
                            return Poll::Ready(Ok(done));
                        }
                    }
                },
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(done) => {
                    if let Some((wait, _)) = self.stall.take() {
                        self.taking.end(&wait);
                        self.link.line.is_stalled.store(false, Ordering::Relaxed);
                    }
                    self.link.line.sent.add(done);
                    return Poll::Ready(Ok(done));
                }
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }

    /// Ready with a wait for room that has become too long.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Wait> {
        let taken = self.taken();
        let (_, sleep) = self.stall.get_or_insert_with(|| {
            let wait = self.taking.begin(Rule::of_responses(&self.link.shared.config), taken);
            self.link.line.is_stalled.store(true, Ordering::Relaxed);
            let sleep = Box::pin(sleep_until(after(wait.longest)));
            (wait, sleep)
        });
        ready!(sleep.as_mut().poll(cx));
        match self.stall.take() {
            Some((wait, _)) => Poll::Ready(wait),
            None => Poll::Pending,
        }
    }

    /// After a wait without room: has the client taken anything all the same, and enough of it? As [`Wire`](super::super::wire::Wire) does it.
    fn ask_again(
        &mut self,
        wait: &Wait,
        attempt: &mut impl FnMut(&Transport) -> io::Result<usize>,
    ) -> io::Result<Option<usize>> {
        self.taking.end(wait);
        let before = self.taken();
        let attempted = {
            let _insisting = self.transport.insist();
            attempt(&self.transport)
        };
        let done = match attempted {
            Ok(done) => Some(done),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => None,
            Err(e) => return Err(e),
        };
        self.link.line.sent.add(done.unwrap_or(0));
        let taken = self.taken();
        if self.taking.is_kept(Rule::of_responses(&self.link.shared.config), before, taken) {
            self.link.line.is_stalled.store(false, Ordering::Relaxed);
            return Ok(done);
        }
        tracing::warn!(peer = %self.link.peer, clause = "RFC 9113 §10.5 (HTTP-174)", "responses are taken too slowly");
        // The system does not go on sending what nobody takes.
        reset_at_close(self.transport.socket());
        Err(io::ErrorKind::TimedOut.into())
    }

    /// How much the client has taken. Under TLS what is written counts too: that may go on while nothing more is taken into it.
    fn taken(&self) -> u64 {
        self.link.line.sent.moved() + self.transport.written()
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.here.is_empty() {
            this.here.reserve(READ_ROOM);
            match this.transport.try_read_buf(&mut this.here) {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(read) => {
                    this.link.line.received.add(read);
                    break;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    // A connection that waits holds no buffer.
                    this.here = BytesMut::new();
                    ready!(this.transport.poll_read_ready(cx))?;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
        let length = this.here.len().min(buffer.remaining());
        buffer.put_slice(this.here.get(..length).unwrap_or_default());
        this.here.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_attempt(cx, |transport| transport.try_write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_attempt(cx, |transport| transport.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flush = |transport: &Transport| match transport.try_flush()? {
            true => Ok(0),
            false => Err(io::ErrorKind::WouldBlock.into()),
        };
        self.poll_attempt(cx, flush).map_ok(drop)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Poll::Ready(self.transport.shutdown_write())
    }
}
