//! The connections to one upstream.
//!
//! Holds which are kept, and for how long. Does not know who may have one (`places`), or what is said on them.
//!
//! A request has a place for as long as it has a connection. A kept connection without a request has none; it is closed when
//! the worker closes it, when it has been idle too long, and when it is old.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::health::Failure;
use super::patience::Timer;
use super::places::{Place, Places};
use super::shared::SharedConnection;
use super::together::Together;
use super::values::{self, Answer, Manner};
use super::{ClientError, Config};
use crate::connection::ClientConnection;
use crate::net::{Address, Stream};

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

/// Connections without a request, the latest used last.
#[derive(Default)]
struct IdleConnections {
    list: Vec<Idle>,
    /// When requests on new connections began that nobody has answered: perhaps no worker has accepted them.
    waiting: Vec<(u64, Instant)>,
    /// How many have ever been in `waiting`.
    tickets: u64,
    /// The last of them that was answered.
    answered: u64,
    is_watched: bool,
    is_closed: bool,
}

struct Idle {
    connection: Box<Connection>,
    until: Instant,
}

/// A connection and the state of what is said on it.
pub(super) struct Connection {
    pub(super) stream: Stream,
    pub(super) machine: ClientConnection,
    born: Instant,
    requests: u64,
    /// Kept with it, since to make one for each request costs more.
    pub(super) timer: Option<Timer>,
    /// Only such a connection may be kept.
    kept: Option<Kept>,
}

/// One of the connections that are to be kept.
struct Kept(Arc<AtomicUsize>);

impl Kept {
    fn take(count: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
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
pub(super) enum Look {
    /// As the runtime knows it: without a system call, and perhaps a moment late. For requests that can be sent again.
    Quick,
    /// By asking the system.
    Careful,
}

/// Which connection a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A kept one if there is one.
    Any,
    /// One that nobody had before, because a kept one turned out dead.
    Fresh,
}

/// What a request is sent on.
pub(super) enum Link {
    /// A connection of its own.
    Alone(Lease),
    /// A place on one that others use too.
    Shared(Arc<SharedConnection>, Place),
}

/// A connection for one request. Dropping closes it.
pub(super) struct Lease {
    /// In a box, for it goes from hand to hand.
    pub(super) connection: Box<Connection>,
    pub(super) place: Place,
    waiting: Option<Waiting>,
    is_answered: bool,
    pool: Arc<Pool>,
}

impl IdleConnections {
    /// Whether a request has waited so long for its first byte that a kept connection may be what it waits for: a worker
    /// that serves one connection at a time, such as php-cgi, accepts no other before that one is closed (FCGI-118).
    fn is_in_the_way(&self, now: Instant) -> bool {
        self.waiting.iter().any(|(_, since)| now.duration_since(*since) >= GIVE_WAY)
    }
}

/// How long a request on a new connection waits before kept connections give way to it: longer than most answers take, and
/// hardly to be felt.
const GIVE_WAY: Duration = Duration::from_millis(50);

/// A request on a new connection, until the first byte of its answer.
struct Waiting {
    pool: Arc<Pool>,
    ticket: u64,
}

impl Waiting {
    fn begin(pool: &Arc<Pool>) -> Self {
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

impl Lease {
    /// Was there a request on this connection before?
    pub(super) fn is_reused(&self) -> bool {
        self.connection.requests > 1
    }

    /// Is the worker to keep the connection open (KEEP_CONN)?
    pub(super) fn is_to_be_kept(&self, now: Instant) -> bool {
        let Connection { kept, born, .. } = &*self.connection;
        kept.is_some() && now.saturating_duration_since(*born) < self.pool.config.max_connection_age
    }

    /// Bytes are there: a worker has the connection. Returns whether they are the first.
    pub(super) fn is_answered(&mut self) -> bool {
        if let Some(waiting) = self.waiting.take() {
            waiting.answered();
        }
        !std::mem::replace(&mut self.is_answered, true)
    }

    /// Puts the connection back for the next request. The caller knows that it is clean.
    pub(super) fn give_back(self) {
        let now = Instant::now();
        if self.is_to_be_kept(now) {
            self.pool.put_idle(self.connection, now);
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.pool.config
    }

    /// Closes the connection, but keeps the place.
    pub(super) fn into_place(self) -> Place {
        self.place
    }
}

/// How long to wait before a full queue is tried again: short beside what a request takes.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(5);

/// Is the connection open, and has the worker said nothing that nobody asked for?
fn is_quiet(stream: &Stream, look: Look) -> bool {
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

/// Closes connections when their time is up, until there is none.
async fn close_idle(pool: Weak<Pool>) {
    loop {
        let next = {
            let Some(pool) = pool.upgrade() else { return };
            let now = Instant::now();
            let mut idle = pool.idle();
            if idle.is_in_the_way(now) {
                idle.list.clear();
            }
            idle.list.retain(|idle| idle.until > now);
            match idle.list.iter().map(|idle| idle.until).min() {
                Some(next) => next.min(now + GIVE_WAY),
                None => {
                    idle.is_watched = false;
                    return;
                }
            }
        };
        sleep_until(next).await;
    }
}

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
