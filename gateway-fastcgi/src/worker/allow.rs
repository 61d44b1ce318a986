//! Which TCP peers may connect: FCGI_WEB_SERVER_ADDRS (FastCGI 1.0 §3.2).
//!
//! Holds the list and its text form. IPv6 addresses are accepted beside the dotted quads of the specification, and whole addresses
//! are compared (FCGI-137). UNIX peers are always admitted, as in php-fpm: the permissions of the socket file speak for them.

use crate::net::Peer;
use std::net::IpAddr;
use std::str::FromStr;

/// Who may connect over TCP.
///
/// # Examples
/// ```
/// use gateway_fastcgi::net::Peer;
/// use gateway_fastcgi::worker::AllowList;
///
/// let list: AllowList = "10.0.0.1,10.0.0.2".parse()?;
/// assert!(list.admits(&Peer::Tcp(([10, 0, 0, 2], 4000).into())));
/// assert!(!list.admits(&Peer::Tcp(([10, 0, 0, 3], 4000).into())));
/// # Ok::<(), gateway_fastcgi::worker::AllowListError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowList {
    /// Everybody: no list is bound.
    Everybody,
    /// These addresses only; nobody if there are none.
    These(Vec<IpAddr>),
}

impl AllowList {
    /// The list in FCGI_WEB_SERVER_ADDRS. One that cannot be read admits nobody, and is logged (FCGI-6).
    pub fn from_environment() -> Self {
        let Some(text) = std::env::var_os("FCGI_WEB_SERVER_ADDRS") else { return Self::Everybody };
        let parsed = text.to_str().map_or(Err(AllowListError { text: String::new() }), str::parse);
        parsed.unwrap_or_else(|error: AllowListError| {
            tracing::error!(%error, "nobody may connect over TCP");
            Self::These(Vec::new())
        })
    }

    /// May this peer be served?
    pub fn admits(&self, peer: &Peer) -> bool {
        match (self, peer.ip()) {
            (Self::Everybody, _) | (_, None) => true,
            (Self::These(list), Some(ip)) => list.contains(&ip),
        }
    }
}

impl FromStr for AllowList {
    type Err = AllowListError;

    fn from_str(text: &str) -> Result<Self, AllowListError> {
        let address = |part: &str| part.parse().map(|ip: IpAddr| ip.to_canonical());
        let list: Result<_, _> = text.split(',').map(address).collect();
        list.map(Self::These).map_err(|_| AllowListError { text: text.chars().take(80).collect() })
    }
}

/// The list is no comma-separated list of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("FCGI_WEB_SERVER_ADDRS is no list of addresses: {text:?}")]
pub struct AllowListError {
    text: String,
}
