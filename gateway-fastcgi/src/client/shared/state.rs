//! What is behind the lock of a shared connection: the machine, and where the output of each request goes.
//!
//! Holds what comes of the bytes that are here, and who is woken. Does not read or write (`drive`).

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use super::Shared;
use crate::client::Config;
use crate::client::mailbox::{Fate, Loss, Mailbox, Window};
use crate::client::places::Place;
use crate::connection::{ClientConnection, ClientEvent};
use crate::protocol::{ProtocolError, RequestId};

/// So much is collected before senders have to wait.
const WRITE_TOGETHER: usize = 64 * 1024;

/// How long a worker has to end a request after ABORT_REQUEST (FCGI-79). After that its connection gets no new requests, for it
/// may be that it knows no ABORT_REQUEST and will have the id for ever.
pub(super) const ABORT_PATIENCE: Duration = Duration::from_secs(10);

/// What is behind the lock.
pub(super) struct State {
    pub(super) machine: ClientConnection,
    pub(super) routes: Vec<Route>,
    /// Requests that have more to send, the first first.
    pub(super) senders: VecDeque<Waker>,
    /// The task that reads.
    pub(super) driver: Option<Waker>,
    /// Bytes that the system took so far: what a request is known by to be unsent.
    pub(super) written: u64,
    /// It takes no more requests, and is closed after its last.
    pub(super) is_retired: bool,
    pub(super) is_lost: bool,
    /// Whether somebody has told the pool of the loss.
    pub(super) is_noted: bool,
    /// What the system said when it took no more.
    pub(super) broken: Option<io::ErrorKind>,
    /// Whether a request has ended on it.
    pub(super) has_served: bool,
    pub(super) born: Instant,
    pub(super) idle_since: Instant,
}

/// Where the output of one request goes.
pub(super) struct Route {
    pub(super) id: RequestId,
    pub(super) mailbox: Arc<Mailbox>,
    /// When ABORT_REQUEST was sent.
    pub(super) aborted: Option<Instant>,
    /// The place of a request that nobody waits for any more, until the worker has ended it.
    pub(super) _place: Option<Place>,
}

impl State {
    pub(super) fn new(max_requests: u16) -> Self {
        let now = Instant::now();
        Self {
            machine: ClientConnection::multiplexing(max_requests),
            routes: Vec::new(),
            senders: VecDeque::new(),
            driver: None,
            written: 0,
            is_retired: false,
            is_lost: false,
            is_noted: false,
            broken: None,
            has_served: false,
            born: now,
            idle_since: now,
        }
    }

    pub(super) fn has_room(&mut self) -> bool {
        self.broken.is_some() || self.is_lost || self.machine.output().remaining() < WRITE_TOGETHER
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_lost || (self.is_retired && self.routes.is_empty())
    }

    pub(super) fn route(&mut self, request: &Shared) -> Option<&mut Route> {
        self.routes.iter_mut().find(|route| Arc::ptr_eq(&route.mailbox, &request.mailbox))
    }

    /// Hands out what the bytes that are here mean.
    pub(super) fn hand_out(&mut self) {
        loop {
            match self.machine.next_event() {
                Ok(Some(ClientEvent::Stdout { id, data })) => self.output(id, data),
                Ok(Some(ClientEvent::Stderr { id, data })) => {
                    if let Some(route) = self.routes.iter().find(|route| route.id == id) {
                        route.mailbox.put_error_output(&data);
                    }
                }
                Ok(Some(ClientEvent::End { id, end })) => {
                    if let Some(at) = self.routes.iter().position(|route| route.id == id) {
                        self.routes.swap_remove(at).mailbox.put_fate(Fate::Ended(end));
                    }
                    self.has_served = true;
                    self.idle_since = Instant::now();
                }
                Ok(Some(ClientEvent::StdoutEnd(_) | ClientEvent::Values(_) | ClientEvent::UnknownType(_))) => {}
                Ok(None) => {
                    self.is_retired |= self.machine.is_spent();
                    return;
                }
                // The end of the connection is the caller's to tell.
                Err(ProtocolError::Truncated { .. }) => return,
                Err(error) => return self.lose(Loss::Protocol(error)),
            }
        }
    }

    fn output(&mut self, id: RequestId, data: Bytes) {
        let Some(route) = self.routes.iter().find(|route| route.id == id && route.aborted.is_none()) else { return };
        if route.mailbox.put_output(data) == Window::Full {
            self.abort(id);
        }
    }

    pub(super) fn abort(&mut self, id: RequestId) {
        // It is active, for it has a route.
        let _ = self.machine.send_abort(id);
        if let Some(route) = self.routes.iter_mut().find(|route| route.id == id) {
            route.aborted.get_or_insert_with(Instant::now);
        }
    }

    /// Every request on it is over.
    pub(super) fn lose(&mut self, loss: Loss) {
        let loss = match (loss, self.broken) {
            (Loss::Gone(None), Some(kind)) => Loss::Gone(Some(kind)),
            (loss, _) => loss,
        };
        self.is_lost = true;
        self.is_retired = true;
        for route in self.routes.drain(..) {
            route.mailbox.put_fate(Fate::Lost(loss.clone()));
        }
        self.senders.drain(..).for_each(Waker::wake);
    }

    pub(super) fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    /// One at a time, so that all get their turn: whoever is done wakes the next.
    pub(super) fn wake_a_sender(&mut self) {
        if self.has_room()
            && let Some(sender) = self.senders.pop_front()
        {
            sender.wake();
        }
    }

    /// When the connection has lasted long enough as it is.
    pub(super) fn deadline(&self, config: &Config) -> Instant {
        let far = self.born + Duration::from_secs(365 * 24 * 3600);
        let old = self.born.checked_add(config.max_connection_age).unwrap_or(far);
        if self.routes.is_empty() {
            return self.idle_since.checked_add(config.idle_timeout).unwrap_or(far).min(old);
        }
        let aborted = self.routes.iter().filter_map(|route| route.aborted).min();
        aborted.map_or(old, |at| (at + ABORT_PATIENCE).min(old))
    }
}
