//! Connections to one upstream: how many, which are kept, how one is made.
//!
//! Holds places, waiting and keeping. Does not hold what is sent on a connection.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use gateway_fastcgi::net::{Address, after};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

use super::body::RequestBody;
use super::config::ProxyConfig;
use super::error::ProxyError;
use super::upstream::Upstream;

/// The connections of one proxy.
pub(super) struct Pool {
    upstream: Upstream,
    config: ProxyConfig,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    kept: Mutex<KeptConnections>,
}

#[derive(Default)]
struct KeptConnections {
    /// The last kept is the last here, and taken first: the others may then grow old and go.
    connections: Vec<Kept>,
    /// Somebody looks after their age.
    watched: bool,
}

struct Kept {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

/// A connection, and the place it takes, for one request.
pub(super) struct Lease {
    pool: Arc<Pool>,
    sender: SendRequest<RequestBody>,
    is_reused: bool,
    place: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(upstream: Upstream, config: ProxyConfig) -> Self {
        let places = Arc::new(Semaphore::new(config.max_connections));
        Self { upstream, config, places, waiting: AtomicUsize::new(0), kept: Mutex::default() }
    }

    /// The upstream as messages name it.
    pub(super) fn name(&self) -> String {
        self.upstream.to_string()
    }

    /// A connection: a kept one if there is one.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, ProxyError> {
        let place = self.place().await?;
        let (sender, is_reused) = match self.take_kept() {
            Some(sender) => (sender, true),
            None => (self.connect().await?, false),
        };
        Ok(Lease { pool: Arc::clone(self), sender, is_reused, place })
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, ProxyError> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let limit = self.config.max_queue;
        let _waiting = Waiting::enter(&self.waiting, limit)
            .ok_or_else(|| ProxyError::QueueFull { upstream: self.name(), limit })?;
        let limit = self.config.queue_timeout;
        match timeout(limit, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            // The semaphore is never closed: only the time can have been up.
            _ => Err(ProxyError::QueueTimeout { upstream: self.name(), limit }),
        }
    }

    /// The youngest kept connection that is ready; those that have ended are dropped on the way.
    fn take_kept(&self) -> Option<SendRequest<RequestBody>> {
        let oldest = Instant::now().checked_sub(self.config.idle_timeout);
        let mut kept = self.kept();
        kept.connections.retain(|kept| !kept.sender.is_closed() && oldest.is_none_or(|oldest| kept.since > oldest));
        // One whose last answer is only just over may need a moment more.
        let at = kept.connections.iter().rposition(|kept| kept.sender.is_ready())?;
        Some(kept.connections.remove(at).sender)
    }

    async fn connect(&self) -> Result<SendRequest<RequestBody>, ProxyError> {
        let limit = self.config.connect_timeout;
        match timeout(limit, self.open()).await {
            Ok(Ok(sender)) => Ok(sender),
            Ok(Err(source)) => Err(ProxyError::Connect { upstream: self.name(), source }),
            Err(_) => Err(ProxyError::ConnectTimeout { upstream: self.name(), limit }),
        }
    }

    async fn open(&self) -> io::Result<SendRequest<RequestBody>> {
        match self.upstream.address() {
            Address::Unix(path) => self.begin(UnixStream::connect(path).await?).await,
            Address::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                self.begin(stream).await
            }
        }
    }

    /// HTTP/1.1 on a connection, which lives in a task of its own until it is dropped from both sides.
    async fn begin<S>(&self, stream: S) -> io::Result<SendRequest<RequestBody>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = http1::Builder::new();
        builder.max_header_size(self.config.max_head_bytes).max_headers(self.config.max_fields);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(async move {
            // What goes wrong with it is told to whoever waits for an answer.
            let _ = connection.with_upgrades().await;
        });
        Ok(sender)
    }

    fn keep(self: &Arc<Self>, sender: SendRequest<RequestBody>) {
        if sender.is_closed() || self.config.max_kept == 0 {
            return;
        }
        let mut kept = self.kept();
        if kept.connections.len() >= self.config.max_kept {
            return;
        }
        kept.connections.push(Kept { sender, since: Instant::now() });
        if !kept.watched {
            kept.watched = true;
            tokio::spawn(drop_the_old(Arc::downgrade(self)));
        }
    }

    fn kept(&self) -> MutexGuard<'_, KeptConnections> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that nobody has used for too long, until none is left.
async fn drop_the_old(pool: Weak<Pool>) {
    let mut look_at = Instant::now();
    loop {
        sleep_until(look_at).await;
        let Some(pool) = pool.upgrade() else { return };
        let limit = pool.config.idle_timeout;
        let mut kept = pool.kept();
        kept.connections.retain(|kept| !kept.sender.is_closed() && kept.since.elapsed() < limit);
        match kept.connections.first() {
            Some(oldest) => look_at = after(limit.saturating_sub(oldest.since.elapsed())),
            None => {
                kept.watched = false;
                return;
            }
        }
    }
}

impl Lease {
    /// Sends requests, one at a time.
    pub(super) fn sender(&mut self) -> &mut SendRequest<RequestBody> {
        &mut self.sender
    }

    /// Has this connection served another request before? Then it may have been closed in the meantime.
    pub(super) fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// The upstream as messages name it.
    pub(super) fn upstream(&self) -> String {
        self.pool.name()
    }

    /// A new connection in the same place.
    pub(super) async fn renewed(self) -> Result<Self, ProxyError> {
        let sender = self.pool.connect().await?;
        Ok(Self { sender, is_reused: false, ..self })
    }

    /// The answer is complete: others may have the connection.
    pub(super) fn keep(self) {
        self.pool.keep(self.sender);
    }

    /// The connection has become something else, which still takes the place.
    pub(super) fn into_place(self) -> OwnedSemaphorePermit {
        self.place
    }
}

/// One who waits for a place.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize, limit: usize) -> Option<Self> {
        let entered = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < limit).then_some(now + 1));
        entered.ok().map(|_| Waiting(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
