//! One request and its answer on a connection of its own, both directions at once (FCGI-116).
//!
//! Holds the pump: it is polled for the answer, and moves the request on meanwhile. Nothing runs when nobody polls, so a
//! slow reader slows the worker, and a slow worker the sender; what is held is one read and one piece of the request.
//! Does not know what the output means.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::Buf;
use tokio::time::Instant;

use super::conversation::{Retry, Said};
use super::error_log::ErrorLog;
use super::health::Failure;
use super::patience::Patience;
use super::pool::Lease;
use super::request_body::RequestBody;
use super::{ClientError, Request};
use crate::connection::{ClientEvent, Outgoing};
use crate::net::Stream;
use crate::protocol::{BeginRequest, EndRequest, ProtocolError, ProtocolStatus, RequestId};

/// A request under way.
pub(super) struct Alone {
    lease: Lease,
    id: RequestId,
    body: RequestBody,
    sending: Sending,
    patience: Patience,
    log: ErrorLog,
    /// Whether a byte of the request went out, and whether one of its output came.
    sent: bool,
    received: bool,
    /// What broke the connection, if the system said so.
    broken: Option<io::Error>,
    room: usize,
}

/// What there is to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// The body is not at its end.
    Body,
    /// Everything is in the machine.
    Rest,
    /// The worker takes no more; its answer may come all the same (FCGI-92).
    Unwanted,
}

/// Who has to move before more can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitsFor {
    Worker,
    Input,
}

/// First read; most answers are short.
const ROOM: usize = 8 * 1024;

/// Reads of an answer that is long.
const MORE_ROOM: usize = 64 * 1024;

/// So much is collected before it is written: the whole of most requests in one system call.
const WRITE_TOGETHER: usize = 64 * 1024;

impl Alone {
    /// Puts the request into records. Nothing is sent before it is polled.
    pub(super) fn begin(
        mut lease: Lease,
        request: &Request,
        body: RequestBody,
        now: Instant,
    ) -> Result<Box<Self>, ClientError> {
        let begin = BeginRequest { role: request.role, keep_connection: lease.is_to_be_kept(now) };
        let parameters = request.variables.parameters();
        let id = lease.connection.machine.send_with_parameters(begin, parameters).map_err(ClientError::Request)?;
        let mut patience = match lease.connection.timer.take() {
            Some(timer) => Patience::with_timer(timer, request.deadline),
            None => Patience::new(lease.config(), request.deadline),
        };
        patience.begin_at(now);
        let log = ErrorLog::new(request.errors.clone(), lease.config().max_error_bytes);
        Ok(Box::new(Self {
            lease,
            id,
            body,
            sending: Sending::Body,
            patience,
            log,
            sent: false,
            received: false,
            broken: None,
            room: ROOM,
        }))
    }

    /// What the worker says next. After [`Said::End`] or an error there is nothing more.
    pub(super) fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<Result<Said, ClientError>> {
        loop {
            if let Some(said) = self.said_already()? {
                self.patience.rest();
                return Poll::Ready(Ok(said));
            }
            let waits_for = self.poll_send(cx)?;
            if self.poll_receive(cx).is_ready() {
                self.patience.rest();
                continue;
            }
            match waits_for {
                WaitsFor::Input => self.patience.rest(),
                WaitsFor::Worker => {
                    if let Poll::Ready(error) = self.patience.poll_silence(self.lease.config(), cx) {
                        self.note_error(&error);
                        return Poll::Ready(Err(error));
                    }
                }
            }
            return self.patience.poll_total(self.lease.config(), cx).map(Err);
        }
    }

    /// What the worker has said in the bytes that are here; reads nothing.
    pub(super) fn said_already(&mut self) -> Result<Option<Said>, ClientError> {
        self.next_said().inspect_err(|error| self.note_error(error))
    }

    fn next_said(&mut self) -> Result<Option<Said>, ClientError> {
        loop {
            let event = self.lease.connection.machine.next_event().map_err(|error| self.lost(error))?;
            match event {
                None => return Ok(None),
                Some(ClientEvent::Stdout { data, .. }) => {
                    if !std::mem::replace(&mut self.received, true) {
                        self.body.forget();
                    }
                    return Ok(Some(Said::Output(data)));
                }
                Some(ClientEvent::Stderr { data, .. }) => self.log.receive(&data),
                Some(ClientEvent::End { end, .. }) => return self.ended(end).map(Some),
                // FCGI-76: END_REQUEST alone counts. Nobody asked for values or of other types.
                Some(ClientEvent::StdoutEnd(_) | ClientEvent::Values(_) | ClientEvent::UnknownType(_)) => {}
            }
        }
    }

    /// The head of the answer is there: the upstream is well, and another time limit holds.
    pub(super) fn head_is_there(&mut self) {
        self.lease.place.succeeded();
        self.patience.head_is_there();
    }

    /// Has the whole request gone out?
    pub(super) fn is_sent(&mut self) -> bool {
        self.sending == Sending::Rest && !self.lease.connection.machine.output().has_remaining()
    }

    /// The answer is complete: the connection goes back to the pool, if it is clean (KEEP_CONN, request sent, nothing left).
    #[expect(clippy::boxed_local, reason = "of what is large in the box only a part is taken out")]
    pub(super) fn finish(mut self: Box<Self>) {
        self.log.finish();
        if self.is_sent() && self.broken.is_none() && self.lease.connection.machine.is_reusable() {
            let Self { mut lease, patience, .. } = *self;
            lease.connection.timer = Some(patience.into_timer());
            lease.give_back();
        }
    }

    /// What another attempt needs, if there may be one after this error (FCGI-82, FCGI-117).
    pub(super) fn into_retry(self, error: &ClientError, is_idempotent: bool) -> Option<(Retry, RequestBody)> {
        let is_stale = self.is_stale();
        let may_repeat = is_idempotent || !self.sent;
        let body = self.body.rewound()?;
        match error {
            error if error.is_full() => Some((Retry::AtAnother, body)),
            // Not after a time limit: then the worker is alive, and at work.
            ClientError::Closed | ClientError::Broken(_) if may_repeat && !self.received => {
                Some((if is_stale { Retry::OnFresh(self.lease.into_place()) } else { Retry::Anywhere }, body))
            }
            _ => None,
        }
    }

    pub(super) fn note(&mut self, failure: Failure) {
        self.lease.place.failed(failure);
    }

    /// What an error says about the upstream.
    fn note_error(&mut self, error: &ClientError) {
        let failure = match error {
            error if error.is_full() => Failure::Overloaded,
            ClientError::Closed | ClientError::Broken(_) if self.is_stale() => return,
            ClientError::Closed
            | ClientError::Broken(_)
            | ClientError::Protocol(_)
            | ClientError::HeadTimeout { .. }
            | ClientError::ReadTimeout { .. } => Failure::Broken,
            _ => return,
        };
        self.lease.place.failed(failure);
    }

    /// A kept connection that the worker left before it answered may have been dead already, which says nothing.
    fn is_stale(&self) -> bool {
        self.lease.is_reused() && !self.received
    }

    fn ended(&mut self, end: EndRequest) -> Result<Said, ClientError> {
        tracing::trace!(target: "gateway::marks", mark = "ended");
        let EndRequest { app_status, protocol_status } = end;
        if protocol_status != ProtocolStatus::REQUEST_COMPLETE {
            return Err(ClientError::Refused { status: protocol_status });
        }
        if app_status != 0 {
            // FCGI-93: what a CGI program would have returned. The answer stands all the same.
            tracing::warn!(app_status, "worker ended the request with a status");
        }
        Ok(Said::End)
    }

    fn lost(&mut self, error: ProtocolError) -> ClientError {
        self.log.finish();
        // A record had begun, and nobody knows of what.
        self.received |= matches!(error, ProtocolError::Truncated { inside: "record" });
        match (error, self.broken.take()) {
            (ProtocolError::Truncated { .. }, Some(cause)) => ClientError::Broken(cause),
            (ProtocolError::Truncated { .. }, None) => ClientError::Closed,
            (error, _) => ClientError::Protocol(error),
        }
    }

    /// Sends until something has to be waited for.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<WaitsFor, ClientError> {
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
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
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

/// Writes what the system takes at once.
fn write_some(stream: &Stream, output: &Outgoing) -> io::Result<usize> {
    // The whole of most requests.
    if output.chunk().len() == output.remaining() {
        return stream.try_write(output.chunk());
    }
    let mut slices = [IoSlice::new(&[]); 16];
    let filled = output.chunks_vectored(&mut slices);
    stream.try_write_vectored(slices.get(..filled).unwrap_or_default())
}
