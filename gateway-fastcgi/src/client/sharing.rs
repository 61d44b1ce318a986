//! One request and its answer on a connection that others use too.
//!
//! Holds the request's side: its body goes into the common output as there is room, its answer comes out of its mailbox. Does
//! not hold the connection (`shared`). The counterpart for a connection of its own is `alone`.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::conversation::{Begun, Retry, Said};
use super::error_log::ErrorLog;
use super::health::Failure;
use super::mailbox::{Fate, Letter, Loss, Mailbox};
use super::patience::{Patience, WaitsFor};
use super::places::Place;
use super::pool::Pool;
use super::request_body::RequestBody;
use super::shared::{Shared, SharedConnection};
use super::{ClientError, Config, Request};
use crate::protocol::{EndRequest, ProtocolStatus};

/// A request under way. Dropping aborts it (FCGI-80).
pub(super) struct Sharing {
    connection: Arc<SharedConnection>,
    pool: Arc<Pool>,
    /// `None` once it was given away.
    place: Option<Place>,
    shared: Shared,
    body: RequestBody,
    is_body_sent: bool,
    patience: Patience,
    max_window_bytes: usize,
    received: bool,
}

impl Sharing {
    /// Puts the request among what the connection sends; gives everything back if it takes no more.
    pub(super) fn begin(
        connection: Arc<SharedConnection>,
        pool: Arc<Pool>,
        place: Place,
        request: &Request,
        body: RequestBody,
        config: &Config,
    ) -> Result<Begun<Self>, ClientError> {
        let log = ErrorLog::new(request.errors.clone(), config.max_error_bytes).in_current_span();
        let mailbox = Mailbox::new(config.max_window_bytes, log);
        let Some(shared) = connection.begin(request, mailbox).map_err(ClientError::Request)? else {
            return Ok(Begun::NoRoom(place, body));
        };
        Ok(Begun::UnderWay(Self {
            connection,
            pool,
            place: Some(place),
            shared,
            body,
            is_body_sent: false,
            patience: Patience::new(config, request.deadline),
            max_window_bytes: config.max_window_bytes,
            received: false,
        }))
    }

    pub(super) fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<Result<Said, ClientError>> {
        if let Some(letter) = self.shared.mailbox.take() {
            return Poll::Ready(self.read(letter));
        }
        let waits_for = self.poll_send(cx)?;
        if let Poll::Ready(letter) = self.shared.mailbox.poll(cx) {
            return Poll::Ready(self.read(letter));
        }
        if let Poll::Ready(error) = self.patience.poll_silence(waits_for, self.connection.config(), cx) {
            self.note(Failure::Broken);
            return Poll::Ready(Err(error));
        }
        self.patience.poll_total(self.connection.config(), cx).map(Err)
    }

    pub(super) fn said_already(&mut self) -> Result<Option<Said>, ClientError> {
        self.shared.mailbox.take().map(|letter| self.read(letter)).transpose()
    }

    pub(super) fn head_is_there(&mut self) {
        if let Some(place) = &mut self.place {
            place.succeeded();
        }
        self.patience.head_is_there();
    }

    pub(super) fn is_sent(&self) -> bool {
        self.is_body_sent
    }

    pub(super) fn note(&mut self, failure: Failure) {
        if let Some(place) = &mut self.place {
            place.failed(failure);
        }
    }

    /// What another attempt needs, if there may be one after this error.
    pub(super) fn into_retry(mut self, error: &ClientError, is_idempotent: bool) -> Option<(Retry, RequestBody)> {
        let may_repeat = is_idempotent || !self.connection.is_sent(&self.shared);
        let was_used = self.connection.has_served();
        let body = self.body.take().rewound()?;
        match error {
            // It multiplexes no more, or never did: a connection of its own, then.
            ClientError::Refused { status: ProtocolStatus::CANT_MPX_CONN } => {
                Some((Retry::OnFresh(self.place.take()?), body))
            }
            error if error.is_full() => Some((Retry::AtAnother, body)),
            ClientError::Closed | ClientError::Broken(_) if may_repeat && !self.received => match self.place.take() {
                Some(place) if was_used => Some((Retry::OnFresh(place), body)),
                _ => Some((Retry::Anywhere, body)),
            },
            _ => None,
        }
    }

    fn read(&mut self, letter: Letter) -> Result<Said, ClientError> {
        self.patience.rest();
        match letter {
            Letter::Output(data) => {
                if !std::mem::replace(&mut self.received, true) {
                    self.body.forget();
                }
                Ok(Said::Output(data))
            }
            Letter::Fate(Fate::Ended(end)) => self.ended(end),
            Letter::Fate(Fate::Lost(loss)) => Err(self.lost(loss)),
            Letter::Fate(Fate::TooSlow) => Err(ClientError::WindowFull { limit: self.max_window_bytes }),
        }
    }

    fn ended(&mut self, end: EndRequest) -> Result<Said, ClientError> {
        match end.protocol_status {
            ProtocolStatus::CANT_MPX_CONN => self.pool.multiplexes_no_more(),
            ProtocolStatus::OVERLOADED => self.note(Failure::Overloaded),
            _ => {}
        }
        Said::at_end(end)
    }

    fn lost(&mut self, loss: Loss) -> ClientError {
        // One connection is one failure, however many requests were on it; one that was kept may have been dead already.
        let is_news = self.received || !self.connection.has_served();
        if is_news && self.connection.note_loss() {
            self.note(Failure::Broken);
        }
        match loss {
            Loss::Gone(None) => ClientError::Closed,
            Loss::Gone(Some(kind)) => ClientError::Broken(io::Error::from(kind)),
            Loss::Protocol(error) => ClientError::Protocol(error),
        }
    }

    /// Sends as much of the body as there is room for.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<WaitsFor, ClientError> {
        let mut waits_for = WaitsFor::Worker;
        while !self.is_body_sent {
            if self.connection.poll_room(cx).is_pending() {
                return Ok(WaitsFor::Worker);
            }
            let Poll::Ready(piece) = self.body.poll_piece(cx) else {
                waits_for = WaitsFor::Input;
                break;
            };
            let piece = piece.transpose().map_err(ClientError::Input)?;
            self.is_body_sent = piece.is_none();
            if self.connection.send(&self.shared, piece).is_err() {
                // The worker wants no more of it; its answer stands (FCGI-92).
                self.is_body_sent = true;
            }
        }
        self.connection.flush();
        Ok(waits_for)
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        self.connection.abandon(&self.shared, self.place.take());
    }
}
