//! How a worker leaves a connection that its gateway keeps, so that no request is lost (FCGI-10, FCGI-120).
//!
//! Holds the order of the steps. Does not hold who takes them: a session between two requests, or the pump.
//!
//! A gateway may be writing its next request at the moment when the worker closes, and what is not idempotent it may not send
//! twice. So the worker first says farewell with a record that means nothing, upon which gateways close a connection that is idle. What
//! comes all the same is served. A gateway that does not heed it (Apache) is left when its time is up: right behind an answer, since it
//! has then not begun another request, or when it has asked nothing for as long. The worker then hears no more, serves what has
//! arrived until then, and closes. On a UNIX socket that is exact, since a later request has not gone out.

use super::link::Link;
use std::time::Duration;
use tokio::time::Instant;

/// How far the leaving of a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    Not,
    /// So long the gateway may close by itself, having been told farewell.
    Until(Instant),
    /// Only what has arrived is served.
    Deaf,
}

impl Leave {
    /// Begins, if that has not been done, and gives the gateway `time`. To be said between two requests.
    pub(super) fn begin(&mut self, link: &Link, time: Duration) {
        if *self == Leave::Not {
            *self = Leave::Until(Instant::now() + time);
        }
        match *self {
            Leave::Until(_) if self.is_late() => self.end(link),
            Leave::Until(_) => link.say_farewell(),
            Leave::Not | Leave::Deaf => {}
        }
    }

    /// Has the gateway had its time, and is still heard?
    pub(super) fn is_late(self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// How long the gateway still has; nothing where it is not being left, or no longer heard.
    pub(super) fn left(self) -> Option<Duration> {
        let Leave::Until(end) = self else { return None };
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Nothing more is heard from now on, unless there is a part of a request.
    pub(super) fn end(&mut self, link: &Link) {
        if matches!(self, Leave::Until(_)) && link.is_idle() {
            link.turn_deaf();
            *self = Leave::Deaf;
        }
    }
}
