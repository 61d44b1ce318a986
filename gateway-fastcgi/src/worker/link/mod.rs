//! One connection's socket and machine together: bytes in, requests and their input out, output written.
//!
//! Holds what the requests of a connection share, and who has access to it. The lock is held for single attempts, never while
//! anybody waits. Does not hold what it guards (`state`), the reads and writes (`wire`), the wait for a request (`session`) and for its
//! input (`waiting`), what is known of one request (`live`), the sorting of input to requests (`sorting`), or what the requests lead to.
//!
//! Whoever needs input reads the socket, and what comes is sorted to the request it belongs to. As long as a gateway has one
//! request at a time, that is the request's own task or thread, at the pace of the application. Once there may be several, one
//! task reads for all, the pump, and never waits for an application: what an application does not take is kept, some in
//! memory, the rest in a file.

mod live;
mod reader;
mod session;
mod sorting;
mod state;
mod waiting;
mod wire;

use super::WorkerConfig;
use crate::connection::{Request, WorkerConnection};
use crate::net::Stream;
use crate::protocol::{ProtocolError, ProtocolStatus, Role};
use gateway_spec::Disconnected;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

use reader::Reader;
use state::State;

pub(super) use live::{InputKind, Live};
pub(super) use session::Next;
pub(super) use waiting::{Arrived, Taken};
pub(super) use wire::{Caller, Read};

/// How often a call may be looked at that has not read the connection since: some 10 ms, as for one on a thread of its own.
const LOOKS_WHILE_READING: u8 = 6;

pub(super) struct Link {
    stream: Stream,
    state: Mutex<State>,
    /// Threads wait here for input that somebody else reads.
    arrived: Condvar,
    /// The pump waits here for requests to end.
    changed: Notify,
    /// Whether the application of some request runs on the runtime's own thread right now, and how often that may be looked at before it
    /// counts as blocked; 0 if none does.
    calling: AtomicU8,
    /// The gateway has said its name, and has never more than one request on a connection.
    one_at_a_time: AtomicBool,
    read_timeout: Duration,
    write_timeout: Duration,
    max_spool_bytes: u64,
}

/// A request that has begun, and its number on the connection. Ids are used again, numbers are not.
pub(super) struct Begun {
    pub(super) request: Request,
    pub(super) serial: u64,
    /// The end of STDIN came with the parameters, and nothing before it.
    pub(super) bodiless: bool,
    /// The gateway has more than one request at a time here, or ids that say that it may.
    pub(super) multiplexed: bool,
}

/// How a connection came to its end before its time.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    #[error("connection lost")]
    Io(#[from] io::Error),
    #[error("nothing came for {0:?}")]
    Silent(Duration),
    #[error("nothing was taken for {0:?}")]
    Stuck(Duration),
    #[error("the peer has gone")]
    Gone,
    #[error("the response was broken off")]
    BrokenOff,
}

impl From<Disconnected> for LinkError {
    fn from(_: Disconnected) -> Self {
        Self::Gone
    }
}

/// The state, for a request that is still under way.
pub(super) struct Held<'a> {
    state: MutexGuard<'a, State>,
    at: usize,
}

impl Held<'_> {
    /// The machine, and what is known of the request.
    pub(super) fn parts(&mut self) -> Result<(&mut WorkerConnection, &mut Live), Disconnected> {
        let State { machine, lives, .. } = &mut *self.state;
        Ok((machine, lives.get_mut(self.at).ok_or(Disconnected)?))
    }

    /// Are there other requests that this one should not hold up?
    pub(super) fn has_neighbours(&self) -> bool {
        self.state.lives.len() > 1
    }
}

impl Link {
    pub(super) fn new(stream: Stream, config: &WorkerConfig, roles: &'static [Role]) -> Self {
        let machine = WorkerConnection::new(config.limits.clone(), config.capabilities()).with_roles(roles);
        let state = State {
            machine,
            lives: Vec::new(),
            begun: VecDeque::new(),
            serial: 0,
            reader: Reader::Session,
            waiting_threads: 0,
            multiplexed: false,
            gone: false,
            draining: false,
            last: None,
            broken: None,
            spare_head: Vec::new(),
        };
        Self {
            stream,
            state: Mutex::new(state),
            arrived: Condvar::new(),
            changed: Notify::new(),
            calling: AtomicU8::new(0),
            one_at_a_time: AtomicBool::new(!config.multiplexes()),
            read_timeout: config.read_timeout,
            write_timeout: config.write_timeout,
            max_spool_bytes: config.max_spool_bytes,
        }
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing inside panics, and each field would be valid by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, for a request that is still wanted.
    pub(super) fn lock_for(&self, serial: u64) -> Result<Held<'_>, Disconnected> {
        let state = self.lock();
        let at = state.lives.iter().position(|live| live.serial == serial).ok_or(Disconnected)?;
        let over = state.gone || state.lives.get(at).is_none_or(|live| live.aborted || live.ended);
        if over { Err(Disconnected) } else { Ok(Held { state, at }) }
    }

    /// The request is over: whatever it left behind has no access any more.
    ///
    /// Where the gateway has aborted it, this is where it is ended, once (FCGI-79); else it has ended, or never will.
    pub(super) fn end(&self, serial: u64) {
        if self.lock().end(serial) {
            self.changed.notify_one();
        }
    }

    /// Turns a request down that nobody has served.
    pub(super) fn refuse(&self, begun: &Begun, reason: ProtocolStatus) {
        self.turn_down(begun.serial, reason);
        self.end(begun.serial);
    }

    /// Ends a request that was not run.
    pub(super) fn turn_down(&self, serial: u64, reason: ProtocolStatus) {
        let Ok(mut held) = self.lock_for(serial) else { return };
        if let Ok((machine, live)) = held.parts() {
            live.ended = machine.refuse(live.id, reason).is_ok();
        }
    }

    /// A request that nobody serves yet.
    pub(super) fn take_begun(&self) -> Option<Begun> {
        self.lock().take_begun()
    }

    /// Is there no request?
    pub(super) fn is_quiet(&self) -> bool {
        self.lock().lives.is_empty()
    }

    /// Is there no request, nor a part of one?
    pub(super) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.lives.is_empty() && state.is_idle()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.lock().is_closing()
    }

    pub(super) fn is_aborted(&self, serial: u64) -> bool {
        self.lock().lives.iter().any(|live| live.serial == serial && live.aborted)
    }

    /// Has the gateway said all that it will?
    pub(super) fn has_nothing_to_come(&self) -> bool {
        self.lock().machine.has_nothing_to_come()
    }

    /// How the gateway broke the protocol, once.
    pub(super) fn take_broken(&self) -> Option<ProtocolError> {
        self.lock().broken.take()
    }

    /// Lets the gateway know that the connection is about to be closed, once after the last request; whoever waits next sends it.
    pub(super) fn say_farewell(&self) {
        let mut state = self.lock();
        if state.lives.is_empty()
            && let Some(id) = state.last.take()
        {
            state.machine.send_farewell(id);
        }
    }

    /// Hears nothing more than what has arrived; then the connection is at its end.
    pub(super) fn turn_deaf(&self) {
        // It fails only where the end is there already.
        let _ = self.stream.shutdown_read();
    }

    /// Ends idle parameters; see [`WorkerConnection::expire`].
    pub(super) fn expire(&self) -> usize {
        self.lock().machine.expire()
    }

    /// From now on the connection serves no further request.
    pub(super) fn drain(&self) {
        self.lock().draining = true;
        self.changed.notify_one();
    }

    /// Notes that the gateway is one that never has more than one request on a connection.
    pub(super) fn note_one_at_a_time(&self) {
        self.one_at_a_time.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_known_for_one(&self) -> bool {
        self.one_at_a_time.load(Ordering::Relaxed)
    }

    /// Notes that an application runs on a thread of the runtime, and whether it reads the connection itself.
    pub(super) fn call_begins(&self, reads: bool) {
        self.calling.store(if reads { LOOKS_WHILE_READING } else { 1 }, Ordering::Relaxed);
    }

    pub(super) fn call_ends(&self) {
        self.calling.store(0, Ordering::Relaxed);
    }

    /// Looks whether an application blocks on a thread of the runtime: one that reads now and then does not.
    pub(super) fn is_call_blocked(&self) -> bool {
        let looks = self.calling.load(Ordering::Relaxed);
        if looks > 1 {
            // A call that has ended or read meanwhile is none of this look's.
            let _ = self.calling.compare_exchange(looks, looks - 1, Ordering::Relaxed, Ordering::Relaxed);
        }
        looks == 1
    }

    /// Makes the caller the pump, if there is a request and nobody reads just now; or if a thread does, and there are requests
    /// that nobody serves.
    pub(super) fn become_pump(&self) -> bool {
        let mut state = self.lock();
        let waits = state.reader == Reader::Thread && !state.begun.is_empty();
        let free = state.reader == Reader::Anybody || waits;
        if free {
            state.reader = Reader::Pump;
        }
        free
    }

    pub(super) fn is_pumped(&self) -> bool {
        self.lock().reader == Reader::Pump
    }

    /// Wakes threads that wait for what somebody else reads. Nobody waits mostly, and to ask costs a system call.
    fn notify(&self, state: &State) {
        if state.waiting_threads > 0 {
            self.arrived.notify_all();
        }
    }

    /// Waits until a request ends.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}
