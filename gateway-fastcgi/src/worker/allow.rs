//! Who may connect: FCGI_WEB_SERVER_ADDRS over TCP (FastCGI 1.0 §3.2), users and groups over UNIX sockets.
//!
//! Holds the lists. IPv6 addresses are accepted beside the dotted quads of the specification, and whole addresses are compared
//! (FCGI-137). The list of addresses says nothing about UNIX peers, as in php-fpm: the permissions of the socket file speak for
//! them, and the lists of users, groups and processes where those are too coarse.

use crate::net::{Peer, PeerCredentials};
use std::net::IpAddr;
use std::str::FromStr;

/// Who may connect.
///
/// # Examples
/// ```
/// use gateway_fastcgi::net::{Peer, PeerCredentials};
/// use gateway_fastcgi::worker::AllowList;
///
/// let list = "10.0.0.1,10.0.0.2".parse::<AllowList>()?.user(33);
/// assert!(list.admits(&Peer::Tcp(([10, 0, 0, 2], 4000).into())));
/// assert!(!list.admits(&Peer::Tcp(([10, 0, 0, 3], 4000).into())));
/// assert!(list.admits(&Peer::Unix(PeerCredentials { uid: 33, gid: 33, pid: Some(812) })));
/// assert!(!list.admits(&Peer::Unix(PeerCredentials { uid: 0, gid: 0, pid: Some(1) })));
/// # Ok::<(), gateway_fastcgi::worker::AllowListError>(())
/// ```
///
/// Source: FastCGI 1.0 §3.2; requirements FCGI-5, FCGI-6, FCGI-133, FCGI-137.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowList {
    /// `None` if no list is bound.
    addresses: Option<Vec<IpAddr>>,
    users: Vec<u32>,
    groups: Vec<u32>,
    processes: Vec<u32>,
}

impl AllowList {
    /// Everybody: no list is bound.
    pub fn everybody() -> Self {
        Self::default()
    }

    /// The list in FCGI_WEB_SERVER_ADDRS. One that cannot be read admits nobody over TCP, and is logged (FCGI-6).
    pub fn from_environment() -> Self {
        let Some(text) = std::env::var_os("FCGI_WEB_SERVER_ADDRS") else { return Self::everybody() };
        let parsed = text.to_str().map_or(Err(AllowListError { text: String::new() }), str::parse);
        parsed.unwrap_or_else(|error: AllowListError| {
            tracing::error!(%error, "nobody may connect over TCP");
            Self::everybody().addresses([])
        })
    }

    /// Over TCP, these addresses only; nobody if there are none.
    #[must_use]
    pub fn addresses(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.addresses = Some(addresses.into_iter().map(|ip| ip.to_canonical()).collect());
        self
    }

    /// Over UNIX sockets, processes of this user, and of those that are named beside it. Root is no exception.
    #[must_use]
    pub fn user(mut self, uid: u32) -> Self {
        self.users.push(uid);
        self
    }

    /// Over UNIX sockets, processes whose first group is this, and those that are named beside it.
    #[must_use]
    pub fn group(mut self, gid: u32) -> Self {
        self.groups.push(gid);
        self
    }

    /// Over UNIX sockets, this process, such as one that was started for the purpose, and those that are named beside it.
    ///
    /// Only as good as the knowledge that the process still runs: its number may be another's after its end.
    #[must_use]
    pub fn process(mut self, pid: u32) -> Self {
        self.processes.push(pid);
        self
    }

    /// Whether anything is said about UNIX peers; on a TCP socket that would have no effect.
    pub fn is_about_processes(&self) -> bool {
        !(self.users.is_empty() && self.groups.is_empty() && self.processes.is_empty())
    }

    /// May this peer be served?
    pub fn admits(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Tcp(_) => match (&self.addresses, peer.ip()) {
                (Some(list), Some(ip)) => list.contains(&ip),
                (_, _) => true,
            },
            Peer::Unix(peer) => !self.is_about_processes() || self.names(peer),
        }
    }

    fn names(&self, peer: &PeerCredentials) -> bool {
        self.users.contains(&peer.uid)
            || self.groups.contains(&peer.gid)
            || peer.pid.is_some_and(|pid| self.processes.contains(&pid))
    }
}

impl FromStr for AllowList {
    type Err = AllowListError;

    fn from_str(text: &str) -> Result<Self, AllowListError> {
        let list: Result<Vec<IpAddr>, _> = text.split(',').map(str::parse).collect();
        let list = list.map_err(|_| AllowListError { text: text.chars().take(80).collect() })?;
        Ok(Self::everybody().addresses(list))
    }
}

/// The list is no comma-separated list of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("FCGI_WEB_SERVER_ADDRS is no list of addresses: {text:?}")]
pub struct AllowListError {
    text: String,
}
