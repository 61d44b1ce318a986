//! The connections to one upstream.
//!
//! Holds which are kept, and for how long. Does not know who may have one (`places`), or what is said on them.
//!
//! A request has a place for as long as it has a connection. A kept connection without a request has none; it is closed when
//! the worker closes it, when it has been idle too long, and when it is old.

mod idle;
mod lease;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::health::Failure;
use super::places::{Place, Places};
use super::shared::SharedConnection;
use super::together::Together;
use super::values::{self, Answer, Manner};
use super::{ClientError, Config};
use crate::connection::ClientConnection;
use crate::net::{Address, Stream};
use idle::{Idle, IdleConnections, close_idle};
use lease::{Connection, Kept, Waiting, is_quiet};
pub(super) use lease::{Lease, Link, Look, Wanted};

/// The connections to one upstream.
pub(super) struct Pool {
    address: Address,
    config: Arc<Config>,
    /// How many connections are to be kept, with a request on them or without.
    kept: Arc<AtomicUsize>,
    max_kept: AtomicUsize,
    idle: Mutex<IdleConnections>,
    together: Together,
    places: Arc<Places>,
    /// The number of this upstream among the places.
    upstream: usize,
    /// Whether the worker was asked what it can do.
    is_asked: AtomicBool,
}

impl Pool {
    /// The connections to `address`, which `places` knows by this number.
    pub(super) fn new(address: Address, config: Arc<Config>, places: Arc<Places>, upstream: usize) -> Arc<Self> {
        let Manner { max_kept, per_connection } = Manner::unknown(&config);
        Arc::new(Self {
            address,
            kept: Arc::default(),
            max_kept: AtomicUsize::new(max_kept),
            config,
            idle: Mutex::default(),
            together: Together::new(per_connection),
            places,
            upstream,
            is_asked: AtomicBool::new(false),
        })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn is_multiplexing(&self) -> bool {
        self.together.per_connection().is_some()
    }

    pub(super) fn idle_connections(&self) -> usize {
        self.idle().list.len() + self.together.idle()
    }

    /// Closes the idle connections, and takes none from now on.
    pub(super) fn close_kept(&self) {
        let mut idle = self.idle();
        idle.is_closed = true;
        idle.list.clear();
        drop(idle);
        self.together.retire();
    }

    /// A kept connection for whoever has this place, if that needs no waiting; otherwise the place comes back.
    pub(super) fn link_at_once(self: &Arc<Self>, place: Place, look: Look, now: Instant) -> Result<Link, Place> {
        if self.config.multiplex {
            return Err(place);
        }
        match self.kept(look, now) {
            Some(connection) => Ok(Link::Alone(self.lease_of(connection, place, None))),
            None => Err(place),
        }
    }

    /// A connection, or a share in one, for whoever has this place.
    pub(super) async fn link(self: &Arc<Self>, place: Place, wanted: Wanted, look: Look) -> Result<Link, ClientError> {
        if self.config.multiplex {
            self.learn();
            if let Some(per_connection) = self.together.per_connection() {
                return self.share(place, wanted, per_connection).await;
            }
        }
        self.lease(place, wanted, look).await.map(Link::Alone)
    }

    /// A connection for this request alone.
    async fn lease(self: &Arc<Self>, mut place: Place, wanted: Wanted, look: Look) -> Result<Lease, ClientError> {
        let now = Instant::now();
        let kept = match wanted {
            Wanted::Any => self.kept(look, now),
            // It is also one more for the worker, so an idle one gives way to it.
            Wanted::Fresh => {
                drop(self.take_idle(now));
                None
            }
        };
        if let Some(connection) = kept {
            return Ok(self.lease_of(connection, place, None));
        }
        let stream = self.open().await.inspect_err(|_| place.failed(Failure::Unreachable))?;
        let kept = Kept::take(&self.kept, self.max_kept.load(Ordering::Relaxed));
        if kept.is_none() && self.config.max_kept.is_none() {
            self.learn();
        }
        let connection = Box::new(Connection {
            stream,
            machine: ClientConnection::new(),
            born: Instant::now(),
            requests: 1,
            timer: None,
            kept,
        });
        Ok(self.lease_of(connection, place, Some(Waiting::begin(self))))
    }

    fn lease_of(self: &Arc<Self>, connection: Box<Connection>, place: Place, waiting: Option<Waiting>) -> Lease {
        Lease { connection, place, waiting, is_answered: false, pool: Arc::clone(self) }
    }

    /// A kept connection that seems well, for one more request.
    fn kept(&self, look: Look, now: Instant) -> Option<Box<Connection>> {
        while let Some(mut connection) = self.take_idle(now) {
            if is_quiet(&connection.stream, look) {
                connection.requests += 1;
                return Some(connection);
            }
        }
        None
    }

    /// A connection that others use too.
    async fn share(self: &Arc<Self>, mut place: Place, wanted: Wanted, many: u16) -> Result<Link, ClientError> {
        if let Some(connection) = self.together.best(wanted) {
            return Ok(Link::Shared(connection, place));
        }
        let _opening = self.together.opening.lock().await;
        if let Some(connection) = self.together.best(wanted) {
            return Ok(Link::Shared(connection, place));
        }
        let stream = self.open().await.inspect_err(|_| place.failed(Failure::Unreachable))?;
        let connection = SharedConnection::start(stream, many, &self.config, Arc::downgrade(self));
        self.together.add(&connection);
        if self.idle().is_closed {
            self.together.retire();
        }
        Ok(Link::Shared(connection, place))
    }

    /// A shared connection is over.
    pub(super) fn forget(&self, connection: &Arc<SharedConnection>) {
        self.together.forget(connection);
    }

    /// The worker said that it multiplexes, and then that it does not.
    pub(super) fn multiplexes_no_more(&self) {
        if self.together.per_connection().is_some() {
            tracing::warn!(upstream = %self.address, "worker refuses to multiplex (CANT_MPX_CONN) though it said it would");
            self.together.set_per_connection(1);
            self.together.retire();
            self.places.set_max_requests(self.upstream, self.config.max_connections);
        }
    }

    /// Asks the worker what it can do, once, in the background.
    fn learn(self: &Arc<Self>) {
        if !self.is_asked.swap(true, Ordering::Relaxed) {
            tokio::spawn(learn(Arc::downgrade(self)));
        }
    }

    fn behave(&self, Manner { max_kept, per_connection }: Manner, answer: Answer) {
        tracing::debug!(upstream = %self.address, ?answer, max_kept, per_connection, "worker was asked what it can do");
        self.max_kept.store(max_kept, Ordering::Relaxed);
        self.together.set_per_connection(per_connection);
        let requests = self.config.max_connections.saturating_mul(usize::from(per_connection));
        self.places.set_max_requests(self.upstream, requests);
    }

    async fn open(&self) -> Result<Stream, ClientError> {
        let limit = self.config.connect_timeout;
        tracing::trace!(target: "gateway::marks", mark = "connecting");
        let stream = match timeout(limit, self.connect()).await {
            Ok(connected) => {
                connected.map_err(|source| ClientError::Connect { address: self.address.clone(), source })?
            }
            Err(_) => return Err(ClientError::ConnectTimeout { address: self.address.clone(), limit }),
        };
        tracing::trace!(target: "gateway::marks", mark = "connected");
        Ok(stream)
    }

    async fn connect(&self) -> io::Result<Stream> {
        loop {
            match Stream::connect(&self.address).await {
                // A UNIX socket whose queue is full says so at once instead of waiting (unix(7)).
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => sleep(FULL_QUEUE_PAUSE).await,
                done => return done,
            }
        }
    }

    /// The latest used idle connection that is young enough: so the others grow old, and the pool becomes as small as it can be.
    fn take_idle(&self, now: Instant) -> Option<Box<Connection>> {
        let mut idle = self.idle();
        loop {
            let Idle { connection, until } = idle.list.pop()?;
            if until > now {
                return Some(connection);
            }
        }
    }

    fn put_idle(self: &Arc<Self>, connection: Box<Connection>, now: Instant) {
        let old = connection.born.checked_add(self.config.max_connection_age);
        let Some(until) = now.checked_add(self.config.idle_timeout).map(|idle| old.map_or(idle, |old| old.min(idle)))
        else {
            return;
        };
        let mut idle = self.idle();
        if idle.is_closed || idle.is_in_the_way(now) {
            return;
        }
        idle.list.push(Idle { connection, until });
        if !std::mem::replace(&mut idle.is_watched, true) {
            tokio::spawn(close_idle(Arc::downgrade(self)));
        }
    }

    fn idle(&self) -> MutexGuard<'_, IdleConnections> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to wait before a full queue is tried again: short beside what a request takes.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(5);

/// When a worker is asked what it can do: more than once only if nothing followed from it.
const QUESTIONS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(10), Duration::from_secs(60)];

async fn learn(pool: Weak<Pool>) {
    for pause in QUESTIONS {
        if !pause.is_zero() {
            sleep(pause).await;
        }
        let Some(pool) = pool.upgrade() else { return };
        let before = pool.idle().tickets;
        let answer = values::ask(&pool.address).await;
        let others_were_served = pool.idle().answered > before;
        if let Some(manner) = Manner::of(answer, others_were_served, &pool.config) {
            return pool.behave(manner, answer);
        }
    }
}
