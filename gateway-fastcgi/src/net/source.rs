//! Where a listening socket comes from: an address of our own, or whoever started us.
//!
//! Holds the spelling, `unix:PATH`, `HOST:PORT`, `systemd`, `systemd:NAME` or `fd0`, and opening. Does not hold how it is bound.

use super::inherited::PassedSocket;
use super::{Address, AddressError, ListenOptions, Listener, inherited_stdin, systemd_sockets};
use std::fmt;
use std::io;
use std::str::FromStr;

/// Where a [`Listener`] comes from.
///
/// Written as an [`Address`], or `systemd` for every socket that systemd passed, `systemd:NAME` for those of that name
/// (`FileDescriptorName=` of the socket unit), `fd0` for descriptor 0.
///
/// # Examples
/// ```
/// use gateway_fastcgi::net::{Address, SocketSource};
///
/// assert_eq!("systemd:admin".parse(), Ok(SocketSource::Systemd { name: Some("admin".to_owned()) }));
/// assert_eq!("unix:/run/app.sock".parse(), Ok(SocketSource::Address(Address::unix("/run/app.sock"))));
/// assert!("systemd:".parse::<SocketSource>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SocketSource {
    /// A socket is bound to this address.
    Address(Address),
    /// systemd has bound it (sd_listen_fds(3)).
    Systemd {
        /// Only those of this name.
        name: Option<String>,
    },
    /// Whoever started this process left it as descriptor 0, as FastCGI servers do (FCGI-2).
    Stdin,
}

impl SocketSource {
    /// What was passed, where nobody says which: the sockets of systemd, if there are any, or else descriptor 0.
    ///
    /// # Errors
    /// What the system says when one cannot be duplicated.
    pub fn passed() -> io::Result<Self> {
        Ok(if systemd_sockets()?.is_empty() { Self::Stdin } else { Self::Systemd { name: None } })
    }

    /// Opens all sockets there are, one at least. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// As [`Listener::bind`]; [`io::ErrorKind::NotFound`] if none was passed.
    pub async fn open(&self, options: &ListenOptions) -> io::Result<Vec<Listener>> {
        match self {
            Self::Address(address) => Ok(vec![Listener::bind(address, options).await?]),
            Self::Systemd { name } => named(systemd_sockets()?, name.as_deref())?
                .into_iter()
                .map(|passed| Listener::from_fd(passed.socket))
                .collect(),
            Self::Stdin => {
                let socket =
                    inherited_stdin()?.ok_or_else(|| none("descriptor 0 is no listening socket".to_owned()))?;
                Ok(vec![Listener::from_fd(socket)?])
            }
        }
    }

    /// Opens the one socket there is. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// As [`SocketSource::open`]; [`io::ErrorKind::InvalidInput`] if there are several.
    pub async fn open_one(&self, options: &ListenOptions) -> io::Result<Listener> {
        let mut all = self.open(options).await?;
        match (all.pop(), all.len()) {
            (Some(listener), 0) => Ok(listener),
            (_, more) => {
                let what =
                    format!("{} sockets were passed, and one can be served: name it with systemd:NAME", more + 1);
                Err(io::Error::new(io::ErrorKind::InvalidInput, what))
            }
        }
    }
}

/// Those of this name, or all; at least one.
fn named(passed: Vec<PassedSocket>, name: Option<&str>) -> io::Result<Vec<PassedSocket>> {
    if passed.is_empty() {
        return Err(none("systemd passed no socket to this process".to_owned()));
    }
    let Some(name) = name else { return Ok(passed) };
    let (wanted, others): (Vec<_>, Vec<_>) = passed.into_iter().partition(|passed| passed.name == name);
    if wanted.is_empty() {
        let names: Vec<&str> = others.iter().map(|other| other.name.as_str()).collect();
        let what = format!("systemd passed no socket named {name:?}; it passed {:?}", names.join(", "));
        return Err(none(what));
    }
    Ok(wanted)
}

fn none(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, what)
}

impl From<Address> for SocketSource {
    fn from(address: Address) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for SocketSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Systemd { name: None } => f.write_str("systemd"),
            Self::Systemd { name: Some(name) } => write!(f, "systemd:{name}"),
            Self::Stdin => f.write_str("fd0"),
        }
    }
}

impl FromStr for SocketSource {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match (text, text.strip_prefix("systemd:")) {
            ("fd0", _) => Ok(Self::Stdin),
            ("systemd", _) => Ok(Self::Systemd { name: None }),
            (_, Some("")) => Err(AddressError::NoName),
            (_, Some(name)) => Ok(Self::Systemd { name: Some(name.to_owned()) }),
            (address, None) => address.parse().map(Self::Address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;

    fn passed(names: &[&str]) -> Vec<PassedSocket> {
        let socket = || OwnedFd::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        names.iter().map(|name| PassedSocket { name: (*name).to_owned(), socket: socket() }).collect()
    }

    #[track_caller]
    fn check(all: &[&str], name: Option<&str>, expected: Result<usize, &str>) {
        let found = named(passed(all), name).map(|found| found.len()).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn sockets_are_told_apart_by_name() {
        check(&["web", "admin", "web"], None, Ok(3));
        check(&["web", "admin", "web"], Some("web"), Ok(2));
        check(&["web", "admin"], Some("x"), Err("systemd passed no socket named \"x\"; it passed \"web, admin\""));
        check(&[], None, Err("systemd passed no socket to this process"));
        check(&[], Some("web"), Err("systemd passed no socket to this process"));
    }

    #[test]
    fn sources_are_read_and_shown_in_one_spelling() {
        for text in ["systemd", "systemd:app.socket", "fd0", "unix:/run/x", "tcp:localhost:80", "tcp:systemd:80"] {
            assert_eq!(text.parse::<SocketSource>().unwrap().to_string(), text);
        }
        assert_eq!("systemd:".parse::<SocketSource>(), Err(AddressError::NoName));
        assert_eq!("fd1".parse::<SocketSource>(), Err(AddressError::NoPort));
    }
}
