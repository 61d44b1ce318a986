//! How the listener behaves: threads, sizes, times (`times`), whom it trusts. Every default says why it has its value.

mod times;

use super::hosts::Hosts;
use super::model::Model;
use super::trusted::{ForwardedFields, TrustedProxies};
use crate::h1::Limits;
use crate::telemetry::Telemetry;
use gateway_fastcgi::calls::{CallRuntime, Calls};
use gateway_spec::ErrorStream;
use std::sync::Arc;
use std::time::Duration;

/// Settings of a [`Server`](super::Server).
///
/// # Examples
/// ```
/// use gateway_server::serve::Config;
/// use std::time::Duration;
///
/// let config = Config::default().threads(2).body_timeout(Duration::from_secs(5));
/// # let _ = config;
/// ```
#[derive(Clone)]
pub struct Config {
    pub(super) limits: Limits,
    pub(super) model: Model,
    pub(super) connection_threads: usize,
    pub(super) threads: usize,
    pub(super) max_blocking_calls: usize,
    pub(super) calls: Option<Calls>,
    pub(super) max_connections: usize,
    pub(super) max_connections_per_peer: usize,
    pub(super) uncounted_peers: TrustedProxies,
    pub(super) max_requests_per_connection: u64,
    pub(super) max_streams: u32,
    pub(super) stream_window: u32,
    pub(super) preread_bytes: usize,
    pub(super) drain_bytes: usize,
    pub(super) handshake_timeout: Duration,
    pub(super) header_timeout: Duration,
    pub(super) keep_alive_timeout: Duration,
    pub(super) body_timeout: Duration,
    pub(super) write_timeout: Duration,
    pub(super) rate_grace: Duration,
    pub(super) min_body_bytes_per_second: u64,
    pub(super) min_write_bytes_per_second: u64,
    pub(super) half_close_timeout: Duration,
    pub(super) linger_timeout: Duration,
    pub(super) stop_timeout: Duration,
    pub(super) hosts: Hosts,
    pub(super) trusted_proxies: TrustedProxies,
    pub(super) trusted_fields: ForwardedFields,
    pub(super) max_pipelined: u32,
    pub(super) server_field: bool,
    pub(super) errors: ErrorStream,
    pub(super) telemetry: Option<Arc<Telemetry>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            model: Model::default(),
            connection_threads: 256,
            threads: Self::default_threads(),
            max_blocking_calls: 256,
            calls: None,
            max_connections: 10_000,
            max_connections_per_peer: 1000,
            uncounted_peers: TrustedProxies::this_machine(),
            max_requests_per_connection: 1_000_000,
            max_streams: 100,
            stream_window: 256 << 10,
            preread_bytes: 64 << 10,
            drain_bytes: 256 << 10,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            rate_grace: Duration::from_secs(10),
            min_body_bytes_per_second: 240,
            min_write_bytes_per_second: 240,
            half_close_timeout: Duration::from_secs(5),
            linger_timeout: Duration::from_secs(2),
            stop_timeout: Duration::from_secs(30),
            hosts: Hosts::all(),
            trusted_proxies: TrustedProxies::default(),
            trusted_fields: ForwardedFields::default(),
            max_pipelined: 64,
            server_field: false,
            errors: ErrorStream::stderr(),
            telemetry: None,
        }
    }
}

impl Config {
    /// What one peer may send; see [`Limits`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How connections are shared out among threads. Default [`Model::EventLoops`].
    #[must_use]
    pub fn model(mut self, model: Model) -> Self {
        self.model = model;
        self
    }

    /// With [`Model::Threads`], connections served at once, each by its thread; further ones wait in the system's queue. Default
    /// 256, as Apache's prefork has it: beyond, memory and switching cost more than the other models do.
    #[must_use]
    pub fn connection_threads(mut self, threads: usize) -> Self {
        self.connection_threads = threads.max(1);
        self
    }

    /// Applications that may run at once on workers of the runtime, at least one; the runtime has one worker more, for
    /// sockets. Default [`Config::default_threads`]. Within a runtime of the caller's ([`super::Server::serve`]) that one's
    /// workers count, all but one.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Four for each core, and 128 at least: those that wait do not work, and as long as nobody waits the workers beyond the
    /// cores sleep and cost some kilobytes each. When the places run out, every call costs a change of threads, so there are more
    /// than clients that are commonly stuck in slow calls at the same time.
    pub fn default_threads() -> usize {
        CallRuntime::default_inline().max(128)
    }

    /// Calls that may wait on threads of their own: those that find no place on a worker, and those whose body is
    /// still arriving. Default 256, the number of slow uploads one machine should carry at once; each costs a stack.
    /// Beyond: 503.
    #[must_use]
    pub fn max_blocking_calls(mut self, calls: usize) -> Self {
        self.max_blocking_calls = calls;
        self
    }

    /// The places for calls on the runtime the server will run on. By default it has places of its own; gateways that share
    /// a runtime share these.
    #[must_use]
    pub fn shared_calls(mut self, calls: Calls) -> Self {
        self.calls = Some(calls);
        self
    }

    /// The places for calls that were set, if any were.
    #[cfg(feature = "cli")]
    pub(crate) fn calls(&self) -> Option<&Calls> {
        self.calls.as_ref()
    }

    /// Connections open at once. Default 10 000: an idle one holds some 5 KiB. Beyond: those that wait for a request are closed,
    /// the longest first, then those whose head is arriving; where all are busy, new ones wait in the system's queue.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// Connections that one peer may have at once; 0 means as many as there are. Default 1000: a large office behind one address has
    /// some hundred, and nobody alone fills the house. IPv6 peers are counted by the first 64 bits of their address. Beyond: closed
    /// without a word.
    #[must_use]
    pub fn max_connections_per_peer(mut self, connections: usize) -> Self {
        self.max_connections_per_peer = connections;
        self
    }

    /// Peers that are not counted, beside [trusted proxies](Config::trusted_proxies): all clients of a proxy come from its address.
    /// Default those on this machine: `127.0.0.0/8, ::1, unix`.
    #[must_use]
    pub fn uncounted_peers(mut self, peers: TrustedProxies) -> Self {
        self.uncounted_peers = peers;
        self
    }

    /// Requests answered on one connection before it is closed. Default 1,000,000: a new connection now and then costs nothing, and a
    /// client that is never done finds its way to another process or machine.
    #[must_use]
    pub fn max_requests_per_connection(mut self, requests: u64) -> Self {
        self.max_requests_per_connection = requests.max(1);
        self
    }

    /// Streams at once on one connection of HTTP/2, counted until their calls have ended: a client that resets a stream does not get its
    /// place before. Default 100, the least that RFC 9113 §6.5.2 recommends; a page has no more parts.
    #[must_use]
    pub fn max_streams(mut self, streams: u32) -> Self {
        self.max_streams = streams.max(1);
        self
    }

    /// How many bytes of one request body a client of HTTP/2 may send before the application reads them; a whole connection has four times
    /// that. Default 256 KiB, what a fast line sends in one round trip of 20 ms; it is also what an application that does not read
    /// makes us hold.
    #[must_use]
    pub fn stream_window(mut self, bytes: u32) -> Self {
        self.stream_window = bytes.clamp(1, (1 << 31) - 1);
        self
    }

    /// A request body of at most this length is read before a synchronous application is called, which then cannot wait
    /// for it. Default 64 KiB: forms and small documents.
    #[must_use]
    pub fn preread_bytes(mut self, bytes: usize) -> Self {
        self.preread_bytes = bytes;
        self
    }

    /// How much of a body that the application left unread is read away to keep the connection (HTTP-167). Default 256 KiB:
    /// beyond that a new connection is cheaper.
    #[must_use]
    pub fn drain_bytes(mut self, bytes: usize) -> Self {
        self.drain_bytes = bytes;
        self
    }

    /// The names that are served; a request for another is answered with 421 (HTTP-50). Default all: most servers have one site,
    /// and its names are the business of DNS. A list keeps out those who make a name of theirs lead here.
    #[must_use]
    pub fn hosts(mut self, hosts: Hosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// The proxies whose word about the client is taken: from them REMOTE_ADDR and the scheme follow, and the fields about the client
    /// of all others are dropped (HTTP-52). Default none: these fields then are text for the application, and nothing follows.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.trusted_proxies = proxies;
        self
    }

    /// Which fields the trusted proxies set. Default X-Forwarded-*, which nearly all do.
    #[must_use]
    pub fn trusted_fields(mut self, fields: ForwardedFields) -> Self {
        self.trusted_fields = fields;
        self
    }

    /// Requests of one connection that are answered in a row before others have their turn. Default 64: a client may send as
    /// many requests at once as it likes (HTTP-168), but not keep a thread to itself with them. What has not been read yet waits
    /// in the socket.
    #[must_use]
    pub fn max_pipelined(mut self, requests: u32) -> Self {
        self.max_pipelined = requests.max(1);
        self
    }

    /// How many threads wait with connections, in the models that do so.
    pub(super) fn waiting_threads(&self) -> Option<usize> {
        match self.model {
            Model::Iterative => Some(1),
            Model::Threads => Some(self.connection_threads.min(self.max_connections)),
            Model::EventLoop | Model::EventLoops => None,
        }
    }

    /// Send a Server field with name and version. Default no (HTTP-153).
    #[must_use]
    pub fn server_field(mut self, send: bool) -> Self {
        self.server_field = send;
        self
    }

    /// Where applications' diagnostics go. Default standard error.
    #[must_use]
    pub fn errors(mut self, errors: ErrorStream) -> Self {
        self.errors = errors;
        self
    }

    /// What is told of requests: access log, ids. Default nothing.
    #[must_use]
    pub fn telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = Some(Arc::new(telemetry));
        self
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("limits", &self.limits).field("threads", &self.threads).finish_non_exhaustive()
    }
}
