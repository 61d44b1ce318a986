//! The sockets of `gateway serve`: opened, or taken over from the process before, and kept for the one after.
//!
//! Holds that, and what is said when it fails. Does not hold what the addresses are (`listen`), or how sockets go from process to process
//! (`restart`).

use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use gateway_fastcgi::net::{Address, ListenOptions, Listener, ListenerHandle, SocketSource};

use super::configs::with;
use super::mistake::Place;
use super::restart::{Successor, Takeover};
use super::settings::Settings;
use crate::serve::{Endpoint, Tls};

/// A socket that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("{place}: cannot listen on {socket}: {source}{}", advice_about(.socket, .place, .source))]
pub(super) struct ListenError {
    place: Place,
    socket: SocketSource,
    source: io::Error,
}

/// What the operator can do about a socket that was asked for in this place.
fn advice_about(socket: &SocketSource, place: &Place, error: &io::Error) -> String {
    let with = match place {
        // Without what was given.
        Place::Flag(flag) => format!(" with {} ADDR", flag.split(' ').next().unwrap_or_default()),
        Place::File { .. } => String::new(),
    };
    match socket {
        SocketSource::Address(address) => advice(error, address, &with),
        SocketSource::Systemd { .. } => {
            format!("; start this service by its .socket unit (systemd.socket(5)), or choose an address{with}")
        }
        SocketSource::Stdin => format!("; choose an address{with}"),
    }
}

/// What the operator can do about an address; `with` names the flag that chooses another.
pub(super) fn advice(error: &io::Error, address: &Address, with: &str) -> String {
    let is_in_the_way = |path: &Path| path.symlink_metadata().is_ok_and(|found| !found.file_type().is_socket());
    match error.kind() {
        ErrorKind::AddrInUse if address.unix_path().is_some_and(is_in_the_way) => {
            format!("; choose another path{with}, or move that file away")
        }
        ErrorKind::AddrInUse => format!("; choose another address{with}, or end the program that uses this one"),
        ErrorKind::PermissionDenied => "; choose a folder that this user may write to, or a port above 1023".to_owned(),
        ErrorKind::NotFound => "; make the folder first".to_owned(),
        ErrorKind::AddrNotAvailable => "; choose an address of this machine, such as tcp:127.0.0.1:9000".to_owned(),
        _ => String::new(),
    }
}

/// All sockets that this process has to do with.
pub(super) struct Sockets {
    takeover: Takeover,
    /// What a successor will need.
    opened: Vec<(String, ListenerHandle)>,
}

impl Sockets {
    /// Takes what the process before hands over, if there was one.
    ///
    /// # Errors
    /// What it hands over cannot be received.
    pub(super) fn receive() -> io::Result<Self> {
        Ok(Self { takeover: Takeover::receive()?, opened: Vec::new() })
    }

    /// Where is listened.
    pub(super) async fn endpoints(
        &mut self,
        settings: &Settings,
        tls: Option<&Tls>,
    ) -> Result<Vec<Endpoint>, ListenError> {
        let options = with(ListenOptions::default(), settings.socket_mode, ListenOptions::unix_mode);
        let options = with(options, settings.socket_owner, ListenOptions::unix_owner);
        let mut endpoints = Vec::with_capacity(settings.listen.len());
        for listen in &settings.listen {
            let listeners = self.open(&listen.socket, &listen.place, &options).await?;
            endpoints.extend(listeners.into_iter().map(|listener| listen.endpoint(listener, tls)));
        }
        Ok(endpoints)
    }

    /// Where the admin listener answers, if it is to.
    pub(super) async fn admin(&mut self, settings: &Settings) -> Result<Option<Listener>, ListenError> {
        let Some(address) = &settings.admin else { return Ok(None) };
        let (socket, place) = (address.clone().into(), settings.place("admin"));
        Ok(self.open(&socket, &place, &ListenOptions::default()).await?.pop())
    }

    /// Opens the sockets of one address, or takes them over.
    async fn open(
        &mut self,
        socket: &SocketSource,
        place: &Place,
        options: &ListenOptions,
    ) -> Result<Vec<Listener>, ListenError> {
        let failed = |source| ListenError { place: place.clone(), socket: socket.clone(), source };
        let listeners = self.takeover.listen(socket, options).await.map_err(failed)?;
        for listener in &listeners {
            self.opened.push((socket.to_string(), ListenerHandle::of(listener).map_err(failed)?));
        }
        Ok(listeners)
    }

    /// Tells the process before that this one serves, and returns what starts the next.
    pub(super) fn ready(self) -> Successor {
        self.takeover.ready();
        Successor::with(self.opened)
    }
}

/// Where a browser finds it.
pub(super) fn url(endpoint: &Endpoint) -> String {
    let scheme = endpoint.scheme();
    match endpoint.address() {
        Address::Unix(path) => format!("unix:{}", path.display()),
        Address::Tcp { host, port } if host.contains(':') => format!("{scheme}://[{host}]:{port}"),
        Address::Tcp { host, port } => format!("{scheme}://{host}:{port}"),
    }
}
