//! One connection as everybody who works on it sees it: socket, machine, and what waits to be written.
//!
//! Holds what they share. What is done with it is in files of its own: responses go into the outbox (`sending`) and from there to the
//! client (`flushing`), requests come from it (`receiving`). Each holds the attempts, which never wait, and the two ways of waiting
//! around them: asynchronous, for the connection's task, and blocking, for application code on a thread that may block. The lock is
//! held for an attempt, never while waiting and never while application code runs.

mod flushing;
mod receiving;
mod sending;

use super::date::DateText;
use super::drive::Outcome;
use super::half_close::HalfClose;
use super::outbox::Outbox;
use super::pace::Pace;
use super::record::{RefusedLine, Result as Recorded, wants_times};
use super::refusal::Refusal;
use super::room::Waiting;
use super::shared::Shared;
use super::transport::Transport;
use crate::environ::ConnectionFacts;
use crate::h1::{Connection, NextCycle};
use gateway_fastcgi::net::Peer;
use http::StatusCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use tokio::time::Instant;

/// A connection. Its task owns it; inputs and `write` handles share it.
pub(super) struct Wire {
    pub(super) stream: Transport,
    pub(super) shared: Arc<Shared>,
    pub(super) facts: ConnectionFacts,
    pub(super) peer: Peer,
    state: Mutex<State>,
    /// The last wait for a request or the rest of its head, to be ended by a graceful stop or to make room.
    pause: Mutex<Option<Pause>>,
}

struct Pause {
    waiting: Waiting,
    since: Instant,
    waker: Waker,
    is_given_up: bool,
}

/// What the lock guards.
pub(super) struct State {
    pub(super) machine: Connection,
    pub(super) out: Outbox,
    date: DateText,
    /// The decoded path of the request in progress.
    pub(super) path: Vec<u8>,
    /// Counts requests, so that an input that outlives its request reads nothing of the next one.
    pub(super) request: u64,
    server_field: bool,
    /// What spoilt the body of the request in progress.
    pub(super) trouble: Option<Refusal>,
    pub(super) status: Option<StatusCode>,
    pub(super) body_bytes: u64,
    /// When the application was called, if somebody is to be told.
    pub(super) called: Option<std::time::Instant>,
    /// What was asked for, if it is refused and somebody is to be told.
    pub(super) refused_line: Option<RefusedLine>,
    /// How the client sends the body of the request in progress, and takes the response.
    sending: Pace,
    taking: Pace,
    half_close: HalfClose,
}

/// What is to be done after an event was put into the outbox.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// Ask for the next event.
    More,
    /// Write everything out first (PEP-100).
    Flush,
    /// Write everything out, look at the peer, and ask again after a while.
    Nothing,
    /// The response is complete.
    End,
    /// The response is broken off, by the application or because it cannot be carried.
    Abort,
}

/// What to do after a response before the next request can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Write everything out.
    Flush,
    /// Read the rest of the body away, and ask again.
    Drain,
    /// Write everything out, and close.
    Close,
}

/// What became of a wait for bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    Bytes,
    /// The peer sends no more.
    End,
    /// The server is stopping and nothing was in progress, or the place is needed.
    Stop,
    Timeout,
    Lost,
}

impl Wire {
    pub(super) fn new(stream: Transport, peer: Peer, shared: Arc<Shared>) -> Self {
        let facts = stream.facts(peer, shared.config.errors.clone());
        let state = State {
            machine: Connection::new(shared.config.limits.clone()).scheme(facts.scheme()),
            out: Outbox::default(),
            date: DateText::new(),
            path: Vec::new(),
            request: 1,
            server_field: shared.config.server_field,
            trouble: None,
            status: None,
            body_bytes: 0,
            called: None,
            refused_line: None,
            sending: Pace::from_first_byte(),
            taking: Pace::default(),
            half_close: HalfClose::default(),
        };
        Self { stream, shared, facts, peer, state: Mutex::new(state), pause: Mutex::new(None) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics; and each field would be valid by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the next request, which is to be looked at under the same lock; from here on the inputs of the last one are cut off.
    pub(super) fn next_cycle(&self) -> Result<MutexGuard<'_, State>, Before> {
        let mut state = self.lock();
        let next = state.machine.start_next_cycle();
        if next == NextCycle::Drain {
            return Err(Before::Drain);
        }
        state.request += 1;
        state.sending = Pace::from_first_byte();
        state.taking = Pace::default();
        match next {
            NextCycle::Ready if state.out.is_full() => Err(Before::Flush),
            NextCycle::Ready => Ok(state),
            NextCycle::Drain | NextCycle::Close => Err(Before::Close),
        }
    }

    /// Has the peer gone?
    pub(super) fn is_peer_gone(&self) -> bool {
        self.lock().half_close.is_peer_gone(self.stream.socket(), self.shared.config.half_close_timeout)
    }

    /// Notes that the application is called now, if somebody is to be told.
    pub(super) fn note_called(&self) {
        if self.shared.config.telemetry.is_some() || wants_times() {
            self.lock().called = Some(std::time::Instant::now());
        }
    }

    /// What came of the request in progress.
    pub(super) fn result(&self, outcome: Outcome) -> Recorded {
        let state = self.lock();
        let State { request, status, body_bytes, called, .. } = *state;
        Recorded { request, status, body_bytes, called, outcome }
    }
}
