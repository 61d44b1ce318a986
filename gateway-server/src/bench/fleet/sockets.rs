//! The listening socket of FastCGI workers, and free ports.

use std::fs::{self, Permissions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use socket2::{Domain, SockAddr, Socket, Type};

use super::super::model::Way;
use super::FleetError;
use super::folder::Folder;

/// Where workers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Upstream {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

/// One listening socket, which all workers inherit as descriptor 0 (FCGI-3).
#[derive(Debug)]
pub(super) struct WorkerSocket {
    socket: OwnedFd,
    upstream: Upstream,
}

/// Every connection of the highest concurrency may come at once.
const BACKLOG: i32 = 1024;

impl WorkerSocket {
    pub(super) fn open(way: Way, folder: &Folder) -> Result<WorkerSocket, FleetError> {
        let opened = if way == Way::FastCgiTcp { Self::tcp() } else { Self::unix(folder) };
        opened.map_err(|source| FleetError::Prepare { what: "the socket of the workers".to_owned(), source })
    }

    fn tcp() -> io::Result<WorkerSocket> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&any_port().into())?;
        socket.listen(BACKLOG)?;
        let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(WorkerSocket { socket: socket.into(), upstream: Upstream::Tcp(address) })
    }

    fn unix(folder: &Folder) -> io::Result<WorkerSocket> {
        let path = folder.join("app.sock");
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(&path)?)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        socket.listen(BACKLOG)?;
        Ok(WorkerSocket { socket: socket.into(), upstream: Upstream::Unix(path) })
    }

    pub(super) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The socket as the standard input of one more worker.
    pub(super) fn inherited(&self) -> Result<Stdio, FleetError> {
        let copied = self.socket.try_clone();
        copied
            .map(Stdio::from)
            .map_err(|source| FleetError::Prepare { what: "a worker's descriptor".to_owned(), source })
    }
}

/// A loopback address whose port was free a moment ago.
pub(super) fn free_address() -> Result<SocketAddr, FleetError> {
    let bound = TcpListener::bind(any_port()).and_then(|listener| listener.local_addr());
    bound.map_err(|source| FleetError::Prepare { what: "a free port".to_owned(), source })
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}
