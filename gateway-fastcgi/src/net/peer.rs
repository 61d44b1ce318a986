//! Who is at the other end of a connection.
//!
//! Holds what the system vouches for: an address over TCP, the ids of a process over a UNIX socket. Does not hold who is let in.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use tokio::net::UnixStream;

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A process on this machine.
    Unix(PeerCredentials),
    /// A TCP address.
    Tcp(SocketAddr),
}

/// The process at the other end of a UNIX socket, as it was when it connected (SO_PEERCRED, unix(7)).
///
/// The ids are the effective ones; groups beside the first are not told. A process of another user namespace has the overflow id,
/// 65534 as a rule, which it shares with `nobody`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerCredentials {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its process id; `None` if it has none here, as in another container. A number is used again once its process has gone.
    pub pid: Option<u32>,
}

impl PeerCredentials {
    pub(super) fn of(socket: &UnixStream) -> io::Result<Self> {
        let found = socket.peer_cred()?;
        let pid = found.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
        Ok(Self { uid: found.uid(), gid: found.gid(), pid })
    }

    /// [`PeerCredentials::of`] for a socket without a runtime.
    pub(super) fn of_socket(socket: &impl AsFd) -> io::Result<Self> {
        let found = nix::sys::socket::getsockopt(socket, nix::sys::socket::sockopt::PeerCredentials)?;
        let pid = u32::try_from(found.pid()).ok().filter(|pid| *pid > 0);
        Ok(Self { uid: found.uid(), gid: found.gid(), pid })
    }
}

impl Peer {
    /// The peer's IP address, a v4-mapped IPv6 address as IPv4; `None` on a UNIX socket.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Unix(_) => None,
            Self::Tcp(address) => Some(address.ip().to_canonical()),
        }
    }

    /// The peer's process; `None` over TCP.
    pub fn credentials(&self) -> Option<&PeerCredentials> {
        match self {
            Self::Unix(credentials) => Some(credentials),
            Self::Tcp(_) => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(PeerCredentials { uid, gid, pid: Some(pid) }) => {
                write!(f, "unix(uid={uid},gid={gid},pid={pid})")
            }
            Self::Unix(PeerCredentials { uid, gid, pid: None }) => write!(f, "unix(uid={uid},gid={gid})"),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}
