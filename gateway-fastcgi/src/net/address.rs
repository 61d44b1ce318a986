//! Where a socket is: `unix:PATH`, `tcp:HOST:PORT`, or plain `HOST:PORT`.
//!
//! Holds the spelling, both ways. Does not resolve names or open anything.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// An address to listen on or to connect to.
///
/// Written `unix:PATH`, `tcp:HOST:PORT`, or `HOST:PORT` for short. An IPv6 address stands in brackets.
///
/// # Examples
/// ```
/// use gateway_fastcgi::net::Address;
///
/// let address: Address = "[::1]:9000".parse()?;
/// assert_eq!(address.to_string(), "tcp:[::1]:9000");
/// assert!("unix:/run/app.sock".parse::<Address>()?.is_unix());
/// # Ok::<(), gateway_fastcgi::net::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// A UNIX stream socket in the file system.
    Unix(PathBuf),
    /// A TCP port on a host: a name or an address, an IPv6 address without its brackets.
    Tcp {
        /// Name or address.
        host: String,
        /// Port; 0 asks the system for a free one.
        port: u16,
    },
}

/// Longest path that fits `sun_path` with its closing NUL (unix(7)).
const MAX_UNIX_PATH: usize = 107;

impl Address {
    /// The address of a UNIX socket.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::Unix(path.into())
    }

    /// The address of a TCP port.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::Tcp { host: host.into(), port }
    }

    /// Is this a UNIX socket?
    pub fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// May other machines reach it? FastCGI has no authentication (FCGI-133). A host name may lead anywhere, and is not looked up.
    pub fn is_open_to_others(&self) -> bool {
        match self {
            Self::Unix(_) => false,
            Self::Tcp { host, .. } => host.parse::<IpAddr>().is_ok_and(|ip| !ip.is_loopback()),
        }
    }

    /// The path of a UNIX socket.
    pub fn unix_path(&self) -> Option<&Path> {
        match self {
            Self::Unix(path) => Some(path),
            Self::Tcp { .. } => None,
        }
    }
}

impl From<std::net::SocketAddr> for Address {
    fn from(address: std::net::SocketAddr) -> Self {
        Self::tcp(address.ip().to_string(), address.port())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp:[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp:{host}:{port}"),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.strip_prefix("unix:") {
            Some(path) => unix(path),
            None if is_bare_path(text) => Err(AddressError::PathAlone { path: text.to_owned() }),
            None => tcp(text.strip_prefix("tcp:").unwrap_or(text)),
        }
    }
}

/// A path where `unix:` was forgotten. A URL is none.
fn is_bare_path(text: &str) -> bool {
    text.contains('/') && !text.starts_with("tcp:") && !text.contains("://")
}

fn unix(path: &str) -> Result<Address, AddressError> {
    if path.is_empty() {
        return Err(AddressError::NoPath);
    }
    if path.len() > MAX_UNIX_PATH {
        return Err(AddressError::PathTooLong { length: path.len(), limit: MAX_UNIX_PATH });
    }
    if path.contains('\0') {
        return Err(AddressError::Host);
    }
    Ok(Address::Unix(path.into()))
}

fn tcp(text: &str) -> Result<Address, AddressError> {
    let (host, port) = text.rsplit_once(':').ok_or(AddressError::NoPort)?;
    if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AddressError::Port);
    }
    let port = port.parse().map_err(|_| AddressError::Port)?;
    Ok(Address::Tcp { host: host_of(host)?.to_owned(), port })
}

fn host_of(host: &str) -> Result<&str, AddressError> {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().map(|_| inner).map_err(|_| AddressError::Host);
    }
    let plain = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if plain { Ok(host) } else { Err(AddressError::Host) }
}

/// An address that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// `unix:` with nothing behind it.
    #[error("`unix:` needs a path")]
    NoPath,
    /// A path without `unix:` before it.
    #[error("a socket file is named with `unix:`, as in `unix:{path}`")]
    PathAlone {
        /// The path.
        path: String,
    },
    /// `systemd:` with nothing behind it.
    #[error("`systemd:` needs the name of a socket")]
    NoName,
    /// A path that does not fit into a socket address.
    #[error("socket path of {length} bytes is longer than {limit}")]
    PathTooLong {
        /// Its length in bytes.
        length: usize,
        /// The most the system takes.
        limit: usize,
    },
    /// Neither `unix:PATH` nor `HOST:PORT`.
    #[error("expected `unix:PATH`, `tcp:HOST:PORT` or `HOST:PORT`")]
    NoPort,
    /// A port that is no number from 0 to 65535.
    #[error("port must be a number from 0 to 65535")]
    Port,
    /// A host that is no name, IPv4 address or IPv6 address in brackets; or a path with a NUL.
    #[error("host must be a name, an IPv4 address, or an IPv6 address in brackets")]
    Host,
}
