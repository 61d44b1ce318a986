//! What the manager knows of one worker.
//!
//! Holds the knowledge and what follows from it for this worker alone. Does not hold processes or the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UnixDatagram;

use super::Limits;
use super::death::Reason;
use super::observe::Seen;
use super::status::{RequestStatus, State, WorkerStatus};
use crate::control::{Ask, Report, RequestLine};

/// One worker.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) pid: u32,
    pub(super) generation: u64,
    pub(super) started: Instant,
    /// With its own jitter.
    pub(super) limits: Limits,
    pub(super) channel: Option<Arc<UnixDatagram>>,
    pub(super) ready: bool,
    /// What it last said; `None` for one that has never answered.
    pub(super) report: Option<Report>,
    pub(super) seen: Seen,
    /// The connections of a worker that is not ours, and since when they are seen.
    pub(super) connections: BTreeMap<u64, Instant>,
    /// Since when it has been seen without a request.
    pub(super) idle_since: Option<Instant>,
    /// To end, once a replacement is there.
    pub(super) leaving: Option<Reason>,
    /// Asked to finish: why, and until when it has time.
    pub(super) finishing: Option<(Reason, Instant)>,
    pub(super) killed_for: Option<Reason>,
    /// Slow requests under way that the log has told of.
    pub(super) told: Vec<u64>,
}

impl Worker {
    pub(super) fn new(pid: u32, generation: u64, limits: Limits, channel: Option<Arc<UnixDatagram>>) -> Self {
        let now = Instant::now();
        Self {
            pid,
            generation,
            started: now,
            limits,
            channel,
            ready: false,
            report: None,
            seen: Seen::default(),
            connections: BTreeMap::new(),
            idle_since: Some(now),
            leaving: None,
            finishing: None,
            killed_for: None,
            told: Vec::new(),
        }
    }

    /// Asks it something, if it can be asked. A channel that is full has a question in it already.
    pub(super) fn ask(&self, ask: Ask) -> bool {
        self.channel.as_ref().is_some_and(|channel| channel.try_send(&ask.encode()).is_ok())
    }

    pub(super) fn ask_for_report(&self) {
        self.ask(Ask::Report { slow_after: self.limits.slow_after });
    }

    pub(super) fn is_ours(&self) -> bool {
        self.report.is_some()
    }

    /// Requests under way, or connections.
    pub(super) fn active(&self) -> u64 {
        self.report.as_ref().map_or(self.connections.len() as u64, |report| report.active)
    }

    /// Whether it serves and is to go on.
    pub(super) fn is_staying(&self) -> bool {
        self.leaving.is_none() && self.is_wanted()
    }

    /// Whether it serves, or will.
    pub(super) fn is_wanted(&self) -> bool {
        self.finishing.is_none() && self.killed_for.is_none()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.active() == 0
    }

    pub(super) fn state(&self) -> State {
        match () {
            () if !self.is_wanted() => State::Finishing,
            () if self.leaving.is_some() => State::Leaving,
            () if !self.ready => State::Starting,
            () if self.is_idle() => State::Idle,
            () => State::Busy,
        }
    }

    /// Takes in what it says.
    pub(super) fn receive(&mut self, report: Report) {
        self.told.retain(|serial| report.requests.iter().any(|line| line.serial == *serial));
        self.report = Some(report);
        self.note_idleness();
    }

    /// Takes in what was seen of it.
    pub(super) fn observe(&mut self, seen: Seen, now: Instant) {
        if self.report.is_none() {
            let since = |inode: &u64| (*inode, self.connections.get(inode).copied().unwrap_or(now));
            self.connections = seen.connections.iter().map(since).collect();
        }
        self.seen = seen;
        self.note_idleness();
    }

    fn note_idleness(&mut self) {
        self.idle_since = if self.is_idle() { self.idle_since.or_else(|| Some(Instant::now())) } else { None };
    }

    /// The soft limit that is reached.
    pub(super) fn reached(&self, now: Instant) -> Option<Reason> {
        let Limits { max_requests, lifetime, max_memory_bytes, .. } = &self.limits;
        let finished = self.report.as_ref().map_or(0, |report| report.finished);
        match () {
            () if max_requests.is_some_and(|most| finished >= most) => Some(Reason::MaxRequests),
            () if lifetime.is_some_and(|longest| now.duration_since(self.started) >= longest) => Some(Reason::Lifetime),
            () if max_memory_bytes.is_some_and(|most| self.seen.memory_bytes >= most) => Some(Reason::Memory),
            () => None,
        }
    }

    /// The request that has exceeded the hard limit; of one that is not ours only its age is known.
    pub(super) fn timed_out(&self, now: Instant) -> Option<RequestLine> {
        let longest = self.limits.request_timeout?;
        match &self.report {
            Some(report) => report.requests.iter().find(|line| line.age >= longest).cloned(),
            None => {
                let age = now.duration_since(*self.connections.values().min()?);
                (age >= longest).then(|| RequestLine { age, ..RequestLine::default() })
            }
        }
    }

    /// Slow requests that the log has not told of: those under way, then those that have ended.
    pub(super) fn slow(&mut self) -> (Vec<RequestLine>, Vec<RequestLine>) {
        let (Some(report), Some(limit)) = (&mut self.report, self.limits.slow_after) else { return Default::default() };
        let is_new = |line: &&RequestLine| line.age >= limit && !self.told.contains(&line.serial);
        let running: Vec<_> = report.requests.iter().filter(is_new).cloned().collect();
        let ended = std::mem::take(&mut report.were_slow);
        self.told.extend(running.iter().map(|line| line.serial));
        (running, ended)
    }

    pub(super) fn status(&self) -> WorkerStatus {
        let oldest = self.report.as_ref().and_then(|report| report.requests.first());
        WorkerStatus {
            pid: self.pid,
            generation: self.generation,
            state: self.state(),
            started: self.started,
            is_ours: self.is_ours(),
            requests: self.report.as_ref().map(|report| report.finished),
            active: self.active(),
            memory_bytes: self.seen.memory_bytes,
            cpu: self.seen.cpu,
            request: oldest.map(RequestStatus::from),
        }
    }

    /// How long it has been idle.
    pub(super) fn idle_for(&self, now: Instant) -> Option<Duration> {
        Some(now.saturating_duration_since(self.idle_since?))
    }
}

impl From<&RequestLine> for RequestStatus {
    fn from(line: &RequestLine) -> Self {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        Self { method: text(&line.method), path: text(&line.path), age: line.age }
    }
}
