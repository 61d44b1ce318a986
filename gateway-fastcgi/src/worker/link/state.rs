//! What the lock of a connection guards.
//!
//! Holds the fields, and the steps that change several of them at once.

use super::{Begun, Live, Reader};
use crate::connection::{Request, WorkerConnection};
use crate::protocol::{ProtocolError, RequestId};
use std::collections::VecDeque;

pub(in crate::worker) struct State {
    pub(in crate::worker) machine: WorkerConnection,
    /// The requests that have begun and are not over.
    pub(super) lives: Vec<Live>,
    /// Those of them that nobody serves yet, with their numbers.
    pub(super) begun: VecDeque<(Request, u64)>,
    pub(super) serial: u64,
    pub(super) reader: Reader,
    /// Threads that wait for what somebody else reads.
    pub(super) waiting_threads: usize,
    pub(super) multiplexed: bool,
    /// The connection is of no use any more.
    pub(super) gone: bool,
    /// No more requests: the connection ends with those under way.
    pub(super) draining: bool,
    /// The last request that ended, until farewell is said after it.
    pub(super) last: Option<RequestId>,
    /// How the gateway broke the protocol, for the session.
    pub(super) broken: Option<ProtocolError>,
    /// The buffer of an encoded head, for the next request.
    pub(super) spare_head: Vec<u8>,
}

impl State {
    /// See [`Link::end`](super::Link::end); says whether there is a pump, which is to be told.
    pub(super) fn end(&mut self, serial: u64) -> bool {
        let Some(at) = self.lives.iter().position(|live| live.serial == serial) else { return false };
        let live = self.lives.swap_remove(at);
        if live.aborted && !live.ended {
            let _ = self.machine.send_end(live.id, 0);
        }
        self.last = Some(live.id);
        self.spare_head = live.into_head();
        let is_pumped = self.reader == Reader::Pump;
        if !is_pumped {
            self.reader = Reader::Session;
        }
        is_pumped
    }

    pub(super) fn take_begun(&mut self) -> Option<Begun> {
        let (request, serial) = self.begun.pop_front()?;
        let live = self.lives.iter().find(|live| live.serial == serial);
        let bodiless = live.is_some_and(|live| live.stdin.is_over() && !live.aborted);
        if self.reader == Reader::Session {
            self.reader = Reader::Anybody;
        }
        Some(Begun { request, serial, bodiless, multiplexed: self.multiplexed })
    }

    pub(super) fn is_idle(&self) -> bool {
        self.machine.is_idle() && self.begun.is_empty()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.gone || self.draining || self.machine.is_closing()
    }
}
