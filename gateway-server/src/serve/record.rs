//! What is told of one request: to the log of events at level debug, and to whoever [`Telemetry`](crate::telemetry::Telemetry) names.
//!
//! Holds the beginning and the end of it, for every protocol. Does not hold what becomes of it. Where nobody listens, nothing is kept.

use super::drive::Outcome;
use super::forwarding::TrustedPeer;
use super::refusal::Refusal;
use super::shared::Shared;
use crate::environ::Asked;
use crate::telemetry::{Ended, Ending, IdsOf, Line, Reason, Record, application_time, queue_time};
use gateway_fastcgi::net::Peer;
use gateway_spec::{Environ, Hops};
use http::StatusCode;
use std::time::{Duration, Instant};
use tracing::Span;
use tracing::field::Empty;

/// A request that somebody may hear of.
pub(super) struct Recording<'s> {
    /// In a box: a connection that is told of nowhere has no room for it.
    record: Option<Box<Record<'s>>>,
    event: Option<Event>,
    /// In a box as well.
    timed: Option<Box<Timed>>,
}

/// What the event at its end says.
struct Event {
    method: String,
    path: String,
    begun: Instant,
}

/// A span that is to be told where the time went.
struct Timed {
    span: Span,
    begun: Instant,
    hops: Hops,
}

/// What came out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Result {
    /// Counted on its connection.
    pub(super) request: u64,
    pub(super) status: Option<StatusCode>,
    pub(super) body_bytes: u64,
    /// When the application was called, if that was noted.
    pub(super) called: Option<Instant>,
    pub(super) outcome: Outcome,
}

impl<'s> Recording<'s> {
    /// Of a request on its way to its application; gives it its id.
    pub(super) fn begin(shared: &'s Shared, environ: &mut Environ) -> Self {
        let record = shared.config.telemetry.as_ref().map(|telemetry| {
            // HTTP-52: an id is taken from those only who are believed about the client.
            let is_trusted = environ.extensions.get::<TrustedPeer>().is_some();
            Box::new(telemetry.begin(environ, if is_trusted { IdsOf::TrustedPeer } else { IdsOf::Ours }))
        });
        let event = tracing::enabled!(target: "gateway_server::access", tracing::Level::DEBUG).then(|| Event {
            method: environ.request_method().to_string(),
            path: format!("{}{}", environ.script_name(), environ.path_info()),
            begun: Instant::now(),
        });
        let id = record.as_ref().and_then(|record| record.id());
        let timed = wants_times().then(|| Box::new(Timed::begin(id, environ)));
        Self { record, event, timed }
    }

    /// The span of everything that is logged about the request: it has its id. None where requests have none, unless somebody wants
    /// their times.
    pub(super) fn span(&self) -> Span {
        if let Some(timed) = &self.timed {
            return timed.span.clone();
        }
        match self.record.as_ref().filter(|record| record.has_id()) {
            Some(record) => span(record.id()),
            None => Span::none(),
        }
    }

    pub(super) fn end(self, peer: &Peer, result: impl FnOnce() -> Result) {
        if self.record.is_some() || self.event.is_some() || self.timed.is_some() {
            self.tell(peer, &result());
        }
    }

    fn tell(self, peer: &Peer, result: &Result) {
        let Result { request, status, body_bytes: bytes, called, outcome } = *result;
        let status = match outcome {
            Outcome::Refused(refusal) => Some(refusal.status()),
            _ => status,
        };
        let status = status.map(|status| status.as_u16());
        if let Some(Event { method, path, begun }) = self.event {
            let request_id = self.record.as_ref().and_then(|record| record.id());
            tracing::debug!(
                target: "gateway_server::access",
                %peer, request, request_id, method, path, status, bytes,
                micros = micros(begun.elapsed()), ?outcome, "request"
            );
        }
        if let Some(timed) = &self.timed {
            timed.end(called);
        }
        if let Some(record) = self.record {
            record.end(&Ended { status, body_bytes: bytes, ending: outcome.into(), called, at: Instant::now() });
        }
    }
}

/// The text of the id is made only if somebody wants the span.
fn span(id: Option<&str>) -> Span {
    tracing::info_span!(
        target: "gateway_server::request",
        "request", request_id = id, queue_us = Empty, application_us = Empty, upstream_us = Empty
    )
}

/// Whether somebody wants to know where a request's time went. Those times cost an allocation and some looks at the clock, so the usual log
/// of requests and their ids, at level info, is no reason to take them.
pub(super) fn wants_times() -> bool {
    tracing::enabled!(target: "gateway_server::request", tracing::Level::DEBUG)
}

impl Timed {
    fn begin(id: Option<&str>, environ: &mut Environ) -> Self {
        let hops = match environ.extensions.get::<Hops>() {
            Some(hops) => hops.clone(),
            None => {
                let hops = Hops::new();
                environ.extensions.insert(hops.clone());
                hops
            }
        };
        Self { span: span(id), begun: Instant::now(), hops }
    }

    /// Tells the span what there is to tell, in microseconds.
    fn end(&self, called: Option<Instant>) {
        let notes = self.hops.notes();
        for (field, time) in [
            ("queue_us", queue_time(self.begun, called, &notes)),
            ("application_us", application_time(called, Instant::now(), &notes)),
            ("upstream_us", notes.head),
        ] {
            if let Some(time) = time {
                self.span.record(field, micros(time));
            }
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Tells of a request for which no application was found, once the answer is made.
pub(super) fn refused(shared: &Shared, peer: &Peer, line: Option<&RefusedLine>, body_bytes: u64, refusal: Refusal) {
    let Some(telemetry) = &shared.config.telemetry else { return };
    let remote = peer.ip().map_or_else(|| "127.0.0.1".to_owned(), |ip| ip.to_string());
    let line = line.map(|RefusedLine { method, target, protocol }| Line { method, target, protocol });
    telemetry.refuse(&remote, line).end(&Ended {
        status: Some(refusal.status().as_u16()),
        body_bytes,
        ending: Ending::Refused,
        called: None,
        at: Instant::now(),
    });
}

/// Counts and logs what the server refuses by itself, as it answers.
pub(super) fn refusing(shared: &Shared, peer: &Peer, refusal: Refusal) {
    if let Some(metrics) = shared.metrics() {
        metrics.refused(reason(refusal));
    }
    let status = refusal.status().as_u16();
    tracing::warn!(%peer, status, error = %refusal, clause = refusal.clause(), "request refused");
}

fn reason(refusal: Refusal) -> Reason {
    match refusal.status().as_u16() {
        400 => Reason::Malformed,
        404 => Reason::NotFound,
        408 => Reason::Slow,
        413 | 414 | 431 => Reason::TooLarge,
        503 => Reason::Busy,
        _ => Reason::Other,
    }
}

/// The request line of a request for which no application was found.
pub(super) struct RefusedLine {
    method: String,
    target: Vec<u8>,
    protocol: &'static str,
}

impl RefusedLine {
    pub(super) fn of(asked: &Asked<'_>) -> Self {
        let method = String::from_utf8_lossy(asked.method).into_owned();
        Self { method, target: asked.target.to_vec(), protocol: asked.protocol }
    }
}

impl From<Outcome> for Ending {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Complete | Outcome::Switched => Self::Complete,
            Outcome::Aborted => Self::Aborted,
            Outcome::Gone => Self::Gone,
            Outcome::Refused(_) => Self::Refused,
        }
    }
}
