//! The pump of a request: its records to the worker and the answer's from it, both directions at once (FCGI-116).
//!
//! Nothing runs when nobody polls, so a slow reader slows the worker, and a slow worker the sender; what is held is one read and one
//! piece of the request. Does not hold what the answer's records say.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Buf;

use super::Alone;
use crate::client::ClientError;
use crate::client::patience::WaitsFor;
use crate::client::wire::write_some;

/// What there is to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// The body is not at its end.
    Body,
    /// Everything is in the machine.
    Rest,
    /// The worker takes no more; its answer may come all the same (FCGI-92).
    Unwanted,
}

/// First read; most answers are short.
pub(super) const ROOM: usize = 8 * 1024;

/// Reads of an answer that is long.
const MORE_ROOM: usize = 64 * 1024;

/// So much is collected before it is written: the whole of most requests in one system call.
const WRITE_TOGETHER: usize = 64 * 1024;

impl Alone {
    /// Sends until something has to be waited for.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<WaitsFor, ClientError> {
        loop {
            let input = self.poll_body(cx)?;
            if !self.lease.connection.machine.output().has_remaining() {
                let waits_for_input = self.sending == Sending::Body && input.is_pending();
                return Ok(if waits_for_input { WaitsFor::Input } else { WaitsFor::Worker });
            }
            match self.poll_write(cx) {
                Poll::Pending => return Ok(WaitsFor::Worker),
                Poll::Ready(Ok(())) => self.patience.rest(),
                Poll::Ready(Err(e)) => self.stop_sending(e),
            }
        }
    }

    /// Moves pieces of the body into the machine, unless enough is there already.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, ClientError> {
        while self.sending == Sending::Body && self.lease.connection.machine.output().remaining() < WRITE_TOGETHER {
            let Poll::Ready(piece) = self.body.poll_piece(cx) else { return Ok(Poll::Pending) };
            let machine = &mut self.lease.connection.machine;
            let sent = match piece.transpose().map_err(ClientError::Input)? {
                Some(piece) => machine.send_stdin(self.id, piece),
                None => {
                    self.sending = Sending::Rest;
                    machine.end_stdin(self.id)
                }
            };
            sent.map_err(ClientError::Request)?;
        }
        Ok(Poll::Ready(()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = &mut self.lease.connection;
        loop {
            match write_some(&connection.stream, connection.machine.output()) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(written) => {
                    connection.machine.output().advance(written);
                    if !std::mem::replace(&mut self.sent, true) {
                        tracing::trace!(target: "gateway::marks", mark = "sent");
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => ready!(connection.stream.poll_write_ready(cx))?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }

    /// The worker takes no more. It may have answered before it went, so reading goes on.
    fn stop_sending(&mut self, error: io::Error) {
        let output = self.lease.connection.machine.output();
        output.advance(output.remaining());
        self.sending = Sending::Unwanted;
        self.broken = Some(error);
    }

    /// Reads once; an end or an error of the connection shows in the machine.
    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let connection = &mut self.lease.connection;
        loop {
            match connection.stream.try_read_buf(connection.machine.input(self.room)) {
                Ok(0) => self.end_of_connection(None),
                Ok(read) => {
                    if self.lease.is_answered() {
                        tracing::trace!(target: "gateway::marks", mark = "output");
                    }
                    if read >= ROOM {
                        self.room = MORE_ROOM;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    match ready!(connection.stream.poll_read_ready(cx)) {
                        Ok(()) => continue,
                        Err(e) => self.end_of_connection(Some(e)),
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => self.end_of_connection(Some(e)),
            }
            return Poll::Ready(());
        }
    }

    fn end_of_connection(&mut self, error: Option<io::Error>) {
        self.broken = self.broken.take().or(error);
        self.lease.connection.machine.receive_end();
    }
}
