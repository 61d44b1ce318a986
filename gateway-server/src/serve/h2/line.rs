//! What a connection has moved, and what each of its streams may keep us waiting (HTTP-174, HTTP-181).
//!
//! Holds the rule of [`Pace`] for streams. Which stream is next on the line is not for the client alone to say: it may take or send all that
//! the line carries and this stream have nothing of it. So a stream that waits earns its share of what the whole connection moved
//! meanwhile, and it has to be as fast as if it had a connection to itself. Does not hold what is done about it.

use crate::serve::config::Config;
use crate::serve::pace::{Pace, Rule, Wait};
use h2::FlowControl;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One connection's traffic.
pub(super) struct Line {
    pub(super) sent: Arc<Traffic>,
    pub(super) received: Arc<Traffic>,
    /// The system takes no more for now.
    pub(super) is_stalled: AtomicBool,
    bodies: Mutex<HashMap<u64, FlowControl>>,
    /// Bytes of bodies that may lie here unread.
    window: usize,
}

/// What has gone one way, and how many streams wait for it to go on.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    moved: AtomicU64,
    waiting: AtomicU64,
}

/// Clients send a frame of this length at once, or wait until they may (§4.2).
const USUAL_FRAME: usize = 16 << 10;

impl Line {
    pub(super) fn new(window: u32) -> Self {
        Self {
            sent: Arc::default(),
            received: Arc::default(),
            is_stalled: AtomicBool::new(false),
            bodies: Mutex::default(),
            window: usize::try_from(window).unwrap_or(usize::MAX),
        }
    }

    /// Notes a body that its application reads as it likes.
    pub(super) fn enter_body(&self, stream: u64, flow: FlowControl) {
        self.bodies().insert(stream, flow);
    }

    pub(super) fn leave_body(&self, stream: u64) {
        self.bodies().remove(&stream);
    }

    /// Why a stream waits for more of its body: its client does not send, or may not because nobody reads what is here.
    pub(super) fn why_nothing_comes(&self) -> Cause {
        let unread: usize = self.bodies().values().map(FlowControl::used_capacity).sum();
        if unread.saturating_add(USUAL_FRAME) > self.window { Cause::Applications } else { Cause::Client }
    }

    /// Why a stream waits for room.
    pub(super) fn why_nothing_goes(&self) -> Cause {
        if self.is_stalled.load(Ordering::Relaxed) { Cause::Line } else { Cause::Client }
    }

    fn bodies(&self) -> MutexGuard<'_, HashMap<u64, FlowControl>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Traffic {
    pub(super) fn add(&self, bytes: usize) {
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }
}

/// What one stream has kept us waiting, one way.
pub(super) struct Account {
    rule: Rule,
    pace: Pace,
    /// What the stream itself had moved when its first wait began.
    from: Option<u64>,
    /// Its shares of what the connection moved while it waited.
    shares: u64,
}

/// A wait of a stream.
pub(super) struct Turn {
    wait: Wait,
    traffic: Arc<Traffic>,
    from: u64,
    cause: Cause,
}

/// What keeps a stream waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Client,
    /// The socket is full: whether its client takes anything is for the connection to find out.
    Line,
    /// Applications that do not read what is here.
    Applications,
}

/// A clock that rings at once, again and again, would keep a thread busy.
const SHORTEST: Duration = Duration::from_millis(10);

impl Account {
    pub(super) fn of_body(config: &Config) -> Self {
        // All that has come counts.
        Self { rule: Rule::of_bodies(config), pace: Pace::from_first_byte(), from: Some(0), shares: 0 }
    }

    pub(super) fn of_response(config: &Config) -> Self {
        Self { rule: Rule::of_responses(config), pace: Pace::from_first_byte(), from: None, shares: 0 }
    }

    /// Begins a wait; `own` is what the stream has moved so far.
    pub(super) fn begin(&mut self, traffic: &Arc<Traffic>, own: u64, cause: Cause) -> Turn {
        let moved = self.moved(own);
        let mut wait = self.pace.begin(self.rule, moved);
        wait.longest = wait.longest.max(SHORTEST);
        traffic.waiting.fetch_add(1, Ordering::Relaxed);
        Turn { wait, from: traffic.moved(), traffic: Arc::clone(traffic), cause }
    }

    /// Ends a wait.
    pub(super) fn end(&mut self, turn: &Turn) {
        if turn.cause != Cause::Applications {
            self.pace.end(&turn.wait);
            self.shares = self.shares.saturating_add(turn.share());
        }
    }

    /// Ends a wait that took as long as it may: may the client keep us waiting on?
    pub(super) fn goes_on(&mut self, turn: &Turn, own: u64, cause: Cause) -> bool {
        if [cause, turn.cause].contains(&Cause::Applications) {
            return true;
        }
        self.end(turn);
        let moved = self.moved(own);
        (turn.share() > 0 || cause == Cause::Line) && !self.pace.left(self.rule, moved).is_zero()
    }

    fn moved(&mut self, own: u64) -> u64 {
        let from = *self.from.get_or_insert(own);
        self.shares.max(own.saturating_sub(from))
    }
}

impl Turn {
    pub(super) fn longest(&self) -> Duration {
        self.wait.longest
    }

    fn share(&self) -> u64 {
        let moved = self.traffic.moved().saturating_sub(self.from);
        moved / self.traffic.waiting.load(Ordering::Relaxed).max(1)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.traffic.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
