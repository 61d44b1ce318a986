//! One connection that several requests share (FCGI_MPXS_CONNS, FastCGI 1.0 §3.3).
//!
//! Holds what requests do with it: they send through the machine behind a lock. What is behind the lock is in `state`, the task that
//! reads in `drive`. Does not hold what a request makes of it (`sharing`), what waits for a slow one (`mailbox`), or how many such
//! connections there are (`pool`).

mod drive;
mod state;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};

use super::mailbox::Mailbox;
use super::places::Place;
use super::pool::Pool;
use super::wire::write_some;
use super::{Config, Request};
use crate::connection::SendError;
use crate::net::Stream;
use crate::protocol::{BeginRequest, RequestId};
use drive::drive;
use state::{Route, State};

/// A connection and the requests on it.
pub(super) struct SharedConnection {
    stream: Stream,
    config: Arc<Config>,
    state: Mutex<State>,
}

/// A request that has begun on a shared connection.
pub(super) struct Shared {
    pub(super) id: RequestId,
    pub(super) mailbox: Arc<Mailbox>,
    /// Where its bytes begin among all that are written.
    pub(super) starts_at: u64,
}

impl SharedConnection {
    /// Starts the task that reads. It ends with the connection.
    pub(super) fn start(stream: Stream, max_requests: u16, config: &Arc<Config>, pool: Weak<Pool>) -> Arc<Self> {
        let state = State::new(max_requests);
        let shared = Arc::new(Self { stream, config: Arc::clone(config), state: Mutex::new(state) });
        tokio::spawn(drive(Arc::clone(&shared), pool));
        shared
    }

    /// How many requests are on it; `None` if it takes no more.
    pub(super) fn load(&self) -> Option<usize> {
        let state = self.state();
        let is_young = state.born.elapsed() < self.config.max_connection_age;
        (!state.is_retired && is_young && state.machine.has_room()).then(|| state.routes.len())
    }

    /// Takes no further request, and closes after the last.
    pub(super) fn retire(&self) {
        let mut state = self.state();
        state.is_retired = true;
        state.wake_driver();
    }

    /// Begins a request; `None` if it takes no more. Nothing is written before [`SharedConnection::flush`].
    ///
    /// # Errors
    /// A variable cannot be sent.
    pub(super) fn begin(&self, request: &Request, mailbox: Mailbox) -> Result<Option<Shared>, SendError> {
        let mut state = self.state();
        if state.is_retired || !state.machine.has_room() {
            return Ok(None);
        }
        let starts_at = state.written + state.machine.output().remaining() as u64;
        let begin = BeginRequest { role: request.role, keep_connection: true };
        let id = state.machine.send_with_parameters(begin, request.variables.parameters())?;
        let mailbox = Arc::new(mailbox);
        state.routes.push(Route { id, mailbox: Arc::clone(&mailbox), aborted: None, _place: None });
        Ok(Some(Shared { id, mailbox, starts_at }))
    }

    /// Is there room for more of a body? If not, the caller is woken when there is.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.has_room() {
            return Poll::Ready(());
        }
        self.write(&mut state);
        if state.has_room() {
            return Poll::Ready(());
        }
        if !state.senders.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.senders.push_back(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Sends a piece of the body, or its end.
    ///
    /// # Errors
    /// [`SendError::Inactive`]: the worker has ended the request, or the connection is lost.
    pub(super) fn send(&self, request: &Shared, piece: Option<Bytes>) -> Result<(), SendError> {
        let mut state = self.state();
        // The id may be another request's by now.
        if state.route(request).is_none() {
            return Err(SendError::Inactive(request.id));
        }
        match piece {
            Some(piece) => state.machine.send_stdin(request.id, piece),
            None => state.machine.end_stdin(request.id),
        }
    }

    /// Writes what there is, and lets the next sender in.
    pub(super) fn flush(&self) {
        let mut state = self.state();
        self.write(&mut state);
        state.wake_a_sender();
    }

    /// Whether a byte of the request went out.
    pub(super) fn is_sent(&self, request: &Shared) -> bool {
        self.state().written > request.starts_at
    }

    /// Whether the connection had been of use before. Such a one may have been dead already.
    pub(super) fn has_served(&self) -> bool {
        self.state().has_served
    }

    /// Whether this is the first to tell of the loss.
    pub(super) fn note_loss(&self) -> bool {
        !std::mem::replace(&mut self.state().is_noted, true)
    }

    /// Nobody waits for this request any more: the worker is told, and the others go on.
    pub(super) fn abandon(&self, request: &Shared, place: Option<Place>) {
        let mut state = self.state();
        if state.route(request).is_none() {
            return;
        }
        state.abort(request.id);
        if let Some(route) = state.route(request) {
            route._place = place;
        }
        self.write(&mut state);
        // Its deadline is a new one.
        state.wake_driver();
        state.wake_a_sender();
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes as much as the system takes; the rest is left to the driver.
    fn write(&self, state: &mut State) {
        loop {
            let output = state.machine.output();
            if !output.has_remaining() {
                return;
            }
            if state.broken.is_some() {
                output.advance(output.remaining());
                return;
            }
            match write_some(&self.stream, output) {
                Ok(0) => state.broken = Some(io::ErrorKind::WriteZero),
                Ok(written) => {
                    output.advance(written);
                    state.written += written as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return state.wake_driver(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // Answers may come all the same; reading finds the end.
                Err(e) => state.broken = Some(e.kind()),
            }
        }
    }
}
