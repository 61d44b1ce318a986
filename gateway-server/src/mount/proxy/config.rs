//! How a proxy behaves: limits, times, and what is told to the upstream. Every default says why it has its value.

use std::time::Duration;

/// Settings of a [`Proxy`](super::Proxy).
///
/// # Examples
/// ```
/// use gateway_server::mount::{ProxyConfig, ProxyHost};
/// use std::time::Duration;
///
/// let config = ProxyConfig::default().header_timeout(Duration::from_secs(5)).host(ProxyHost::Upstream);
/// # let _ = config;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyConfig {
    pub(super) paths: Paths,
    pub(super) host: ProxyHost,
    pub(super) upgrade: bool,
    pub(super) max_connections: usize,
    pub(super) max_kept: usize,
    pub(super) max_queue: usize,
    pub(super) max_head_bytes: usize,
    pub(super) max_fields: usize,
    pub(super) connect_timeout: Duration,
    pub(super) header_timeout: Duration,
    pub(super) read_timeout: Duration,
    pub(super) queue_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) tunnel_timeout: Duration,
    pub(super) total_timeout: Option<Duration>,
}

/// Which path an upstream is asked for.
///
/// | mount | upstream | asked for `/app/x` |
/// | --- | --- | --- |
/// | `/app` | `http://h:1` | `/app/x` |
/// | `/app` | `http://h:1/` | `/x` |
/// | `/app` | `http://h:1/base` | `/base/x` |
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Paths {
    /// The URL of the upstream decides: without a path in it the prefix is kept, with one it is replaced. What nginx does.
    #[default]
    ByUrl,
    /// The path the client asked for, as it came: what Traefik, Caddy and HAProxy do, and what lets the upstream make links and
    /// redirects that are right. A path in the URL of the upstream is put before it.
    Keep,
    /// Without the prefix of the mount, which is told in X-Forwarded-Prefix.
    Strip,
}

/// What an upstream is told in the Host field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ProxyHost {
    /// What the client said, so that the upstream can make links and tell its sites apart.
    #[default]
    Keep,
    /// The host and port of the upstream's URL.
    Upstream,
    /// Always this.
    Fixed(String),
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            paths: Paths::ByUrl,
            host: ProxyHost::Keep,
            upgrade: true,
            max_connections: 1024,
            max_kept: 64,
            max_queue: 1024,
            max_head_bytes: 64 << 10,
            max_fields: 128,
            connect_timeout: Duration::from_secs(3),
            header_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(60),
            queue_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_millis(1500),
            tunnel_timeout: Duration::from_secs(3600),
            total_timeout: None,
        }
    }
}

impl ProxyConfig {
    /// Which path the upstream is asked for. Default [`Paths::ByUrl`].
    #[must_use]
    pub fn paths(mut self, paths: Paths) -> Self {
        self.paths = paths;
        self
    }

    /// What the upstream is told in the Host field. Default [`ProxyHost::Keep`].
    #[must_use]
    pub fn host(mut self, host: ProxyHost) -> Self {
        self.host = host;
        self
    }

    /// Whether a client and the upstream may turn their connections into a tunnel, as WebSocket does. Default yes: the upstream
    /// has to agree to each.
    #[must_use]
    pub fn upgrade(mut self, allowed: bool) -> Self {
        self.upgrade = allowed;
        self
    }

    /// Requests and tunnels at once. Default 1024: as many as most servers queue by themselves; a tunnel holds two descriptors.
    /// Further requests wait.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        self
    }

    /// Connections kept between requests. Default 64: under load that spares nearly every connect.
    #[must_use]
    pub fn max_kept(mut self, connections: usize) -> Self {
        self.max_kept = connections;
        self
    }

    /// Requests that wait for one of [`ProxyConfig::max_connections`]. Default 1024. Beyond: 503.
    #[must_use]
    pub fn max_queue(mut self, requests: usize) -> Self {
        self.max_queue = requests;
        self
    }

    /// Longest head of an answer, in bytes; at least 8 KiB. Default 64 KiB, what a request's may have. Beyond: 502.
    #[must_use]
    pub fn max_head_bytes(mut self, bytes: usize) -> Self {
        self.max_head_bytes = bytes.max(8 << 10);
        self
    }

    /// Fields in the head of an answer. Default 128, some more than a request's: applications set many cookies. Beyond: 502.
    #[must_use]
    pub fn max_fields(mut self, fields: usize) -> Self {
        self.max_fields = fields.max(1);
        self
    }

    /// How long connecting may take. Default 3 s, which leaves room for one lost packet. Then: 504.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the upstream may take for the head of its answer, counted anew with each piece of the request's body that it
    /// takes. Default 60 s, as other gateways have. Then: 504.
    #[must_use]
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// How long the upstream may be silent inside its answer. Default 60 s. Then the answer is broken off.
    #[must_use]
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self
    }

    /// How long a request waits for one of [`ProxyConfig::max_connections`]. Default 10 s. Then: 503.
    #[must_use]
    pub fn queue_timeout(mut self, timeout: Duration) -> Self {
        self.queue_timeout = timeout;
        self
    }

    /// How long a connection is kept without a request. Default 1.5 s, less than the 2 s of gunicorn and the 5 s of Node and
    /// uvicorn: whoever closes second loses no request in between.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How long a tunnel may be silent in both directions. Default 1 h: WebSocket applications often say nothing for minutes.
    #[must_use]
    pub fn tunnel_timeout(mut self, timeout: Duration) -> Self {
        self.tunnel_timeout = timeout;
        self
    }

    /// How long an answer may take in all, from the request on; a tunnel is not counted. Default without limit: downloads.
    #[must_use]
    pub fn total_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.total_timeout = timeout;
        self
    }
}
