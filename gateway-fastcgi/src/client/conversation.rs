//! One request and its answer, on a connection of its own or on one that others use too.
//!
//! Holds what is common to the two: what a worker says, and where a request may be sent once more. Does not know what the
//! output means (`response`).

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::Instant;

use super::alone::Alone;
use super::health::Failure;
use super::places::Place;
use super::pool::{Link, Pool};
use super::request_body::RequestBody;
use super::sharing::Sharing;
use super::{ClientError, Config, Request};
use crate::protocol::{EndRequest, ProtocolStatus};

/// A request under way. Dropping it before its end tells the worker that nobody wants the rest (FCGI-80).
pub(super) enum Conversation {
    Alone(Box<Alone>),
    Sharing(Box<Sharing>),
}

/// What came of beginning a request.
pub(super) enum Begun<T> {
    UnderWay(T),
    /// The last place on a shared connection went to another.
    NoRoom(Place, RequestBody),
}

/// What the worker says.
pub(super) enum Said {
    /// More output, never empty.
    Output(Bytes),
    /// The request is over, and was run.
    End,
}

impl Said {
    /// What it means that the worker has ended the request so.
    ///
    /// # Errors
    /// It was not run (FCGI-82).
    pub(super) fn at_end(EndRequest { app_status, protocol_status }: EndRequest) -> Result<Self, ClientError> {
        if protocol_status != ProtocolStatus::REQUEST_COMPLETE {
            return Err(ClientError::Refused { status: protocol_status });
        }
        if app_status != 0 {
            // FCGI-93: what a CGI program would have returned. The answer stands all the same.
            tracing::warn!(app_status, "worker ended the request with a status");
        }
        Ok(Said::End)
    }
}

/// Where a request may be sent once more.
pub(super) enum Retry {
    /// At the same place: a kept connection was dead.
    OnFresh(Place),
    /// Better at another upstream: a worker died under it.
    Anywhere,
    /// Only at another upstream: this one has not run it, and would not now.
    AtAnother,
}

/// Calls one method on whichever it is.
macro_rules! either {
    ($conversation:expr, $one:ident => $call:expr) => {
        match $conversation {
            Conversation::Alone($one) => $call,
            Conversation::Sharing($one) => $call,
        }
    };
}

impl Conversation {
    /// Puts the request into records. Nothing is sent before it is polled.
    ///
    /// # Errors
    /// A variable that cannot be sent.
    pub(super) fn begin(
        link: Link,
        pool: &Arc<Pool>,
        request: &Request,
        body: RequestBody,
        config: &Config,
        now: Instant,
    ) -> Result<Begun<Self>, ClientError> {
        match link {
            Link::Alone(lease) => Ok(Begun::UnderWay(Self::Alone(Alone::begin(lease, request, body, now)?))),
            Link::Shared(connection, place) => {
                Ok(match Sharing::begin(connection, Arc::clone(pool), place, request, body, config)? {
                    Begun::UnderWay(sharing) => Begun::UnderWay(Self::Sharing(Box::new(sharing))),
                    Begun::NoRoom(place, body) => Begun::NoRoom(place, body),
                })
            }
        }
    }

    /// What the worker says next. After [`Said::End`] or an error there is nothing more.
    pub(super) fn poll_said(&mut self, cx: &mut Context<'_>) -> Poll<Result<Said, ClientError>> {
        either!(self, one => one.poll_said(cx))
    }

    /// What the worker has said in the bytes that are here; reads nothing.
    pub(super) fn said_already(&mut self) -> Result<Option<Said>, ClientError> {
        either!(self, one => one.said_already())
    }

    /// The head of the answer is there: the upstream is well, and another time limit holds.
    pub(super) fn head_is_there(&mut self) {
        either!(self, one => one.head_is_there());
    }

    /// Has the whole request gone out?
    pub(super) fn is_sent(&mut self) -> bool {
        either!(self, one => one.is_sent())
    }

    /// The answer makes no sense.
    pub(super) fn note_nonsense(&mut self) {
        either!(self, one => one.note(Failure::Broken));
    }

    /// The answer is complete: a connection of its own goes back to the pool.
    pub(super) fn finish(self) {
        match self {
            Self::Alone(one) => one.finish(),
            Self::Sharing(_) => {}
        }
    }

    /// What another attempt needs, if there may be one after this error (FCGI-82, FCGI-117).
    pub(super) fn into_retry(self, error: &ClientError, is_idempotent: bool) -> Option<(Retry, RequestBody)> {
        either!(self, one => one.into_retry(error, is_idempotent))
    }
}
