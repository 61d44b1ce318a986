//! One request and its answer on a connection of its own, both directions at once (FCGI-116).
//!
//! Holds what the worker says, and what an error means for another attempt. It is polled for the answer, and moves the request on
//! meanwhile (`pump`). Does not know what the output means.

mod pump;

use std::io;
use std::task::{Context, Poll};

use bytes::Buf;
use tokio::time::Instant;

use super::conversation::{Retry, Said};
use super::error_log::ErrorLog;
use super::health::Failure;
use super::patience::Patience;
use super::pool::Lease;
use super::request_body::RequestBody;
use super::{ClientError, Request};
use crate::connection::ClientEvent;
use crate::protocol::{BeginRequest, ProtocolError, RequestId};
use pump::{ROOM, Sending};

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
            if let Poll::Ready(error) = self.patience.poll_silence(waits_for, self.lease.config(), cx) {
                self.note_error(&error);
                return Poll::Ready(Err(error));
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
                Some(ClientEvent::End { end, .. }) => {
                    tracing::trace!(target: "gateway::marks", mark = "ended");
                    return Said::at_end(end).map(Some);
                }
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
}
