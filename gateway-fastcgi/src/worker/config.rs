//! What can be set about a worker, with a default and its reason each.

use super::{AllowList, Mount};
use crate::calls::Calls;
use crate::connection::Limits;
use crate::protocol::Capabilities;
use std::time::Duration;
use tokio::runtime::Handle;

/// Whether a gateway goes on sending the request body once it has got the head of the answer.
///
/// nginx stops then: an application that answers while it reads would never get the rest, and the gateway no end of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplex {
    /// nginx, by its SERVER_SOFTWARE, does not; others do.
    #[default]
    Guess,
    /// It does: output is sent as the application gives it.
    Full,
    /// It does not: before the first output is sent, the rest of the body is received, past 256 KiB into a file without a name,
    /// up to [`WorkerConfig::max_spool_bytes`], unless the application has let go of its input.
    Half,
}

/// How a [`super::Worker`] behaves.
///
/// # Examples
/// ```
/// use gateway_fastcgi::worker::{Mount, WorkerConfig};
/// use std::time::Duration;
///
/// let config = WorkerConfig::default().mount(Mount::at("/app")).idle_timeout(Duration::from_secs(60));
/// # let _ = config;
/// ```
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    pub(super) limits: Limits,
    pub(super) mount: Mount,
    pub(super) duplex: Duplex,
    pub(super) max_connections: u32,
    multiplexing: bool,
    pub(super) max_connection_requests: u64,
    pub(super) max_requests: Option<u64>,
    pub(super) pre_read_bytes: usize,
    pub(super) max_spool_bytes: u64,
    pub(super) multiprocess: bool,
    pub(super) silent_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) read_timeout: Duration,
    pub(super) write_timeout: Duration,
    pub(super) linger: Duration,
    pub(super) grace: Duration,
    allowed_peers: Option<AllowList>,
    calls: Option<Calls>,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            mount: Mount::Guess,
            duplex: Duplex::Guess,
            max_connections: 1024,
            multiplexing: true,
            max_connection_requests: u64::MAX,
            max_requests: None,
            pre_read_bytes: 64 * 1024,
            max_spool_bytes: 1024 * 1024 * 1024,
            multiprocess: true,
            silent_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(600),
            read_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            linger: Duration::from_secs(2),
            grace: Duration::from_secs(30),
            allowed_peers: None,
            calls: None,
        }
    }
}

impl WorkerConfig {
    /// What a connection may make the worker remember; see [`Limits`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Which part of the path is SCRIPT_NAME. Default [`Mount::Guess`].
    #[must_use]
    pub fn mount(mut self, mount: Mount) -> Self {
        self.mount = mount;
        self
    }

    /// Whether the gateway can receive an answer while it sends the body. Default [`Duplex::Guess`].
    #[must_use]
    pub fn duplex(mut self, duplex: Duplex) -> Self {
        self.duplex = duplex;
        self
    }

    /// Connections at a time; more wait to be accepted. Default 1024, within the usual limit of open files together with
    /// what applications open. This is what FCGI_MAX_CONNS says (FCGI-56).
    #[must_use]
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// Whether several requests at a time are served on a connection, up to [`Limits::max_requests`]. Default true: a gateway
    /// that never does it pays nothing for it. This is what FCGI_MPXS_CONNS says, and part of FCGI_MAX_REQS.
    #[must_use]
    pub fn multiplexing(mut self, yes: bool) -> Self {
        self.multiplexing = yes;
        self
    }

    /// After so many requests a connection is closed, between two of them: farewell is said first, and what crosses it is served. Default:
    /// never, since a gateway has its own limit.
    #[must_use]
    pub fn max_connection_requests(mut self, requests: u64) -> Self {
        self.max_connection_requests = requests.max(1);
        self
    }

    /// After so many requests the worker ends, as after [`super::WorkerHandle::shutdown`]: for applications that grow. Default:
    /// never. Whoever started it starts another; give each worker another number, or all end at once.
    #[must_use]
    pub fn max_requests(mut self, requests: u64) -> Self {
        self.max_requests = Some(requests.max(1));
        self
    }

    /// A request body up to this long is received before the application is called. Default 64 KiB: forms fit, and the call
    /// then never waits for the network. Longer ones are read by the application itself, on a thread that may block.
    #[must_use]
    pub fn pre_read_bytes(mut self, bytes: usize) -> Self {
        self.pre_read_bytes = bytes;
        self
    }

    /// How much of a body is kept that the application has not read when it begins to answer; see [`Duplex::Half`]. Default
    /// 1 GiB, so that one client cannot fill a disk. What comes beyond is received and dropped, and the answer goes on: only
    /// an application that reads so far gets an error ([`std::io::ErrorKind::FileTooLarge`]).
    #[must_use]
    pub fn max_spool_bytes(mut self, bytes: u64) -> Self {
        self.max_spool_bytes = bytes;
        self
    }

    /// What `multiprocess` says in the environ. Default true: whether other workers share the socket is not known here.
    #[must_use]
    pub fn multiprocess(mut self, yes: bool) -> Self {
        self.multiprocess = yes;
        self
    }

    /// How long a new connection may be silent. Default 5 s, as php-fpm (FCGI-119).
    #[must_use]
    pub fn silent_timeout(mut self, longest: Duration) -> Self {
        self.silent_timeout = longest;
        self
    }

    /// How long a kept connection may be idle. Default 10 min: the gateway decides how long it keeps one (FCGI-52), and a
    /// worker that closes first makes it meet a closed one; this only bounds what a lost gateway leaves behind.
    #[must_use]
    pub fn idle_timeout(mut self, longest: Duration) -> Self {
        self.idle_timeout = longest;
        self
    }

    /// How long a gateway may pause within a request. Default 60 s: gateways that do not buffer pass on their client's pace.
    #[must_use]
    pub fn read_timeout(mut self, longest: Duration) -> Self {
        self.read_timeout = longest;
        self
    }

    /// How long a gateway may take none of the output. Default 60 s, for the same reason.
    #[must_use]
    pub fn write_timeout(mut self, longest: Duration) -> Self {
        self.write_timeout = longest;
        self
    }

    /// How long a closing connection waits for the gateway to close its side, and how long a gateway may go on with one on which
    /// farewell was said. Default 2 s, as libfcgi (FCGI-120).
    #[must_use]
    pub fn linger(mut self, longest: Duration) -> Self {
        self.linger = longest;
        self
    }

    /// How long requests may go on after a shutdown. Default 30 s, longer than most gateways wait for an answer's start. A
    /// [manager](crate::control) that asks to finish has its own deadline instead.
    #[must_use]
    pub fn grace(mut self, longest: Duration) -> Self {
        self.grace = longest;
        self
    }

    /// Which peers are served. Default: over TCP those of the environment variable FCGI_WEB_SERVER_ADDRS, all without it
    /// (FCGI-5); over UNIX sockets whoever can open the file.
    #[must_use]
    pub fn allow(mut self, peers: AllowList) -> Self {
        self.allowed_peers = Some(peers);
        self
    }

    /// The places for application calls, if they are shared with another gateway on the same runtime.
    ///
    /// Default: one on each of the runtime's workers but one, and 512 on other threads, as many as a runtime has by default;
    /// beyond them, OVERLOADED (FCGI-72).
    #[must_use]
    pub fn shared_calls(mut self, calls: Calls) -> Self {
        self.calls = Some(calls);
        self
    }

    pub(super) fn calls(&self, runtime: &Handle) -> Calls {
        self.calls.clone().unwrap_or_else(|| Calls::of(runtime, 512))
    }

    pub(super) fn allowed_peers(&self) -> AllowList {
        self.allowed_peers.clone().unwrap_or_else(AllowList::from_environment)
    }

    pub(super) fn multiplexes(&self) -> bool {
        self.multiplexing
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        if !self.multiplexing {
            return Capabilities::one_at_a_time(self.max_connections);
        }
        let most = u32::try_from(self.limits.most_requests()).unwrap_or(u32::MAX);
        let max_requests = self.max_connections.saturating_mul(most);
        Capabilities { max_connections: self.max_connections, max_requests, multiplexes: true }
    }
}
