//! A listening socket and the way in behind it: whether connections come through a proxy that says so, under TLS, or as HTTP/2.
//!
//! Holds the choice for one socket. Does not hold what is done with a connection (`arrival`).

#[cfg(feature = "tls")]
use super::tls::Tls;
use super::trusted::TrustedProxies;
use gateway_fastcgi::net::{Address, Listener};
use gateway_spec::Scheme;
use std::sync::Arc;

/// One listening socket of a [`Server`](super::Server), and what its connections begin with.
///
/// A bare [`Listener`] is one whose connections begin with HTTP/1.1.
///
/// # Examples
/// ```no_run
/// # async fn f(listener: gateway_fastcgi::net::Listener) -> Result<(), Box<dyn std::error::Error>> {
/// use gateway_server::serve::Endpoint;
///
/// let behind_haproxy = Endpoint::new(listener).proxies("10.0.0.0/8".parse()?);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Endpoint {
    pub(super) listener: Listener,
    way: Way,
}

/// What the connections of one socket begin with, one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Way {
    /// A header of the PROXY protocol, from these.
    pub(super) proxies: Option<TrustedProxies>,
    /// A TLS handshake.
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Tls>,
    /// HTTP/2, if that is not left to the default.
    #[cfg(feature = "http2")]
    pub(super) http2: Option<bool>,
}

impl Endpoint {
    /// Connections begin with a request.
    pub fn new(listener: Listener) -> Self {
        Self { listener, way: Way::default() }
    }

    /// Connections begin with a TLS handshake. What they carry is agreed on in it: HTTP/2 or HTTP/1.1.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.way.tls = Some(tls);
        self
    }

    /// Connections begin with a header of the PROXY protocol, version 1 or 2, that says who the client is; those of anybody but
    /// these are closed. Default: they do not.
    #[must_use]
    pub fn proxies(mut self, proxies: TrustedProxies) -> Self {
        self.way.proxies = Some(proxies);
        self
    }

    /// Whether HTTP/2 is spoken (RFC 9113). Under TLS, where client and server agree on it, by default yes. Without TLS, where a client
    /// just begins with it (§3.3), by default no: browsers never do, and a proxy in front that does not know would let requests past its
    /// rules.
    #[cfg(feature = "http2")]
    #[must_use]
    pub fn http2(mut self, yes: bool) -> Self {
        self.way.http2 = Some(yes);
        self
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        self.listener.address()
    }

    /// The scheme of URLs that lead here.
    pub fn scheme(&self) -> Scheme {
        #[cfg(feature = "tls")]
        if self.way.tls.is_some() {
            return Scheme::Https;
        }
        Scheme::Http
    }

    /// The socket, and what comes before the first request; nothing if that comes at once.
    pub(super) fn into_parts(self) -> (Listener, Option<Arc<Way>>) {
        let way = (!self.way.is_short()).then(|| Arc::new(self.way));
        (self.listener, way)
    }
}

impl Way {
    /// Under TLS: is HTTP/2 offered?
    #[cfg(feature = "tls")]
    pub(super) fn offers_http2(&self) -> bool {
        #[cfg(feature = "http2")]
        return self.http2 != Some(false);
        #[cfg(not(feature = "http2"))]
        return false;
    }

    fn is_short(&self) -> bool {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return false;
        }
        #[cfg(feature = "http2")]
        if self.http2 == Some(true) {
            return false;
        }
        self.proxies.is_none()
    }
}

impl From<Listener> for Endpoint {
    fn from(listener: Listener) -> Self {
        Self::new(listener)
    }
}
