//! The request body, and a Filter's file, that are still arriving when the application is called.
//!
//! Holds the two forms: for a thread that may block, and a stream that is polled. Does not hold who reads the connection.

use super::Shared;
use super::link::{Arrived, InputKind, LinkError};
use super::output::RequestIo;
use super::pump::Pumping;
use crate::calls::Seat;
use bytes::Bytes;
use futures_core::Stream;
use gateway_spec::{Disconnected, InputSource};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// For a synchronous application, which reads the connection itself where nobody else does.
pub(super) struct BodySource {
    io: Arc<RequestIo>,
    from: InputKind,
    /// The application's place on a worker, as long as it has one.
    seat: Seat,
    /// Who is to look after the connection once the application waits where its session would.
    stand_in: Option<Arc<Shared>>,
}

impl BodySource {
    pub(super) fn new(io: Arc<RequestIo>, from: InputKind, seat: Seat, shared: &Arc<Shared>) -> Self {
        let stand_in = seat.is_kept().then(|| Arc::clone(shared));
        Self { io, from, seat, stand_in }
    }

    /// The next piece, at most `max` bytes; empty at the end. What has come is taken on a worker, and waited for elsewhere.
    fn take(&mut self, max: usize) -> Result<Bytes, LinkError> {
        let RequestIo { link, serial, .. } = &*self.io;
        while self.seat.is_kept() {
            match link.take_arrived(*serial, self.from, max)? {
                Arrived::Piece(piece) => {
                    self.seat.count(piece.len());
                    return Ok(piece);
                }
                Arrived::Nothing if self.seat.wait(link.stream()) => {}
                Arrived::Nothing | Arrived::Elsewhere => self.seat.leave(),
            }
        }
        if let Some(shared) = self.stand_in.take() {
            Pumping::look_after(&shared, link, *serial);
        }
        tokio::task::block_in_place(|| link.take_blocking(*serial, self.from, max))
    }
}

impl InputSource for BodySource {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        self.take(max).map_err(|error| match error {
            LinkError::Io(error) if !Disconnected::is_cause_of(&error) && self.io.is_wanted() => error,
            LinkError::Silent(longest) => {
                io::Error::new(io::ErrorKind::TimedOut, format!("nothing more of the request body within {longest:?}"))
            }
            error => {
                tracing::debug!(request = %self.io.id, %error, "request body cut");
                Disconnected.into()
            }
        })
    }
}

impl Drop for BodySource {
    fn drop(&mut self) {
        self.io.link.let_go_of_input(self.io.serial, self.from);
    }
}

/// For an asynchronous application; there the pump reads.
pub(super) struct BodyPieces {
    io: Arc<RequestIo>,
    longest: Duration,
    /// Since when nothing came, once something was waited for.
    silence: Option<Pin<Box<Sleep>>>,
    over: bool,
}

impl BodyPieces {
    /// Pieces may come `longest` after each other.
    pub(super) fn new(io: Arc<RequestIo>, longest: Duration) -> Self {
        Self { io, longest, silence: None, over: false }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let longest = self.longest;
        let silence = self.silence.get_or_insert_with(|| Box::pin(sleep(longest)));
        silence.as_mut().poll(cx).map(|()| {
            io::Error::new(io::ErrorKind::TimedOut, format!("nothing more of the request body within {longest:?}"))
        })
    }
}

impl Stream for BodyPieces {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        let polled = match this.io.link.poll_take(this.io.serial, InputKind::Stdin, cx) {
            Poll::Pending => this.poll_silence(cx).map(Err),
            ready => ready,
        };
        polled.map(|piece| {
            if let Some(silence) = &mut this.silence {
                silence.as_mut().reset(Instant::now() + this.longest);
            }
            this.over = piece.as_ref().map_or(true, Bytes::is_empty);
            match piece {
                Ok(piece) if piece.is_empty() => None,
                piece => Some(piece),
            }
        })
    }
}

impl Drop for BodyPieces {
    fn drop(&mut self) {
        self.io.link.let_go_of_input(self.io.serial, InputKind::Stdin);
    }
}
