//! What a request has of a pool: a connection of its own, or a share in one.
//!
//! Holds the connection, and what it means that a request has it. Does not know which is given to whom (`pool`).

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::net::{RecvFlags, recv};
use tokio::time::Instant;

use super::Pool;
use crate::client::Config;
use crate::client::patience::Timer;
use crate::client::places::Place;
use crate::client::shared::SharedConnection;
use crate::connection::ClientConnection;
use crate::net::Stream;

/// A connection and the state of what is said on it.
pub(in crate::client) struct Connection {
    pub(in crate::client) stream: Stream,
    pub(in crate::client) machine: ClientConnection,
    pub(super) born: Instant,
    pub(super) requests: u64,
    /// Kept with it, since to make one for each request costs more.
    pub(in crate::client) timer: Option<Timer>,
    /// Only such a connection may be kept.
    pub(super) kept: Option<Kept>,
}

/// One of the connections that are to be kept.
pub(super) struct Kept(Arc<AtomicUsize>);

impl Kept {
    pub(super) fn take(count: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let one = Self(Arc::clone(count));
        (count.fetch_add(1, Ordering::Relaxed) < limit).then_some(one)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How a kept connection is looked at before a request is sent on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum Look {
    /// As the runtime knows it: without a system call, and perhaps a moment late. For requests that can be sent again.
    Quick,
    /// By asking the system.
    Careful,
}

/// Which connection a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum Wanted {
    /// A kept one if there is one.
    Any,
    /// One that nobody had before, because a kept one turned out dead.
    Fresh,
}

/// What a request is sent on.
pub(in crate::client) enum Link {
    /// A connection of its own.
    Alone(Lease),
    /// A place on one that others use too.
    Shared(Arc<SharedConnection>, Place),
}

/// A connection for one request. Dropping closes it.
pub(in crate::client) struct Lease {
    /// In a box, for it goes from hand to hand.
    pub(in crate::client) connection: Box<Connection>,
    pub(in crate::client) place: Place,
    pub(super) waiting: Option<Waiting>,
    pub(super) is_answered: bool,
    pub(super) pool: Arc<Pool>,
}

/// A request on a new connection, until the first byte of its answer.
pub(super) struct Waiting {
    pool: Arc<Pool>,
    ticket: u64,
}

impl Waiting {
    pub(super) fn begin(pool: &Arc<Pool>) -> Self {
        let mut idle = pool.idle();
        idle.tickets = idle.tickets.wrapping_add(1);
        let ticket = idle.tickets;
        idle.waiting.push((ticket, Instant::now()));
        Self { pool: Arc::clone(pool), ticket }
    }
}

impl Waiting {
    fn answered(self) {
        let mut idle = self.pool.idle();
        idle.answered = idle.answered.max(self.ticket);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pool.idle().waiting.retain(|(ticket, _)| *ticket != self.ticket);
    }
}

impl Lease {
    /// Was there a request on this connection before?
    pub(in crate::client) fn is_reused(&self) -> bool {
        self.connection.requests > 1
    }

    /// Is the worker to keep the connection open (KEEP_CONN)?
    pub(in crate::client) fn is_to_be_kept(&self, now: Instant) -> bool {
        let Connection { kept, born, .. } = &*self.connection;
        kept.is_some() && now.saturating_duration_since(*born) < self.pool.config.max_connection_age
    }

    /// Bytes are there: a worker has the connection. Returns whether they are the first.
    pub(in crate::client) fn is_answered(&mut self) -> bool {
        if let Some(waiting) = self.waiting.take() {
            waiting.answered();
        }
        !std::mem::replace(&mut self.is_answered, true)
    }

    /// Puts the connection back for the next request. The caller knows that it is clean.
    pub(in crate::client) fn give_back(self) {
        let now = Instant::now();
        if self.is_to_be_kept(now) {
            self.pool.put_idle(self.connection, now);
        }
    }

    pub(in crate::client) fn config(&self) -> &Config {
        &self.pool.config
    }

    /// Closes the connection, but keeps the place.
    pub(in crate::client) fn into_place(self) -> Place {
        self.place
    }
}

/// Is the connection open, and has the worker said nothing that nobody asked for?
pub(super) fn is_quiet(stream: &Stream, look: Look) -> bool {
    let mut byte = [0];
    match look {
        // The last answer emptied the socket. Unless the runtime has heard of something since, this asks nobody.
        Look::Quick => matches!(stream.try_read(&mut byte), Err(e) if e.kind() == io::ErrorKind::WouldBlock),
        Look::Careful => {
            let peeked = recv(stream.as_fd(), &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
            matches!(peeked, Err(rustix::io::Errno::AGAIN))
        }
    }
}
