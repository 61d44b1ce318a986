//! A listening socket: bound here, or taken over from whoever started us.
//!
//! Holds binding and accepting. Does not hold the care for socket files (`socket_file`) or the accept loop.

use super::socket_file::{SocketFile, give, remove_stale};
use super::{Address, BlockingListener, Owner, Peer, PeerCredentials, Stream, blocking, is_listening_socket};
use rustix::fs::Mode;
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener};

/// How to bind a [`Listener`].
///
/// # Examples
/// ```
/// use gateway_fastcgi::net::ListenOptions;
///
/// let options = ListenOptions::default().unix_mode(0o660).backlog(64);
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
pub struct ListenOptions {
    unix_mode: u32,
    unix_owner: Option<Owner>,
    backlog: i32,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { unix_mode: 0o600, unix_owner: None, backlog: 1024 }
    }
}

impl ListenOptions {
    /// Permissions of a socket file. Default 0600: FastCGI has no authentication, whoever can connect can ask for
    /// anything (FCGI-133).
    #[must_use]
    pub fn unix_mode(mut self, mode: u32) -> Self {
        self.unix_mode = mode & 0o777;
        self
    }

    /// Who owns a socket file. Default: this process's user and group. Only root may give a file to another user; anybody may
    /// give it to a group that they are in.
    #[must_use]
    pub fn unix_owner(mut self, owner: Owner) -> Self {
        self.unix_owner = Some(owner);
        self
    }

    /// How many connections may wait to be accepted. Default 1024; the system may cut it (`somaxconn`).
    #[must_use]
    pub fn backlog(mut self, connections: u16) -> Self {
        self.backlog = i32::from(connections);
        self
    }
}

/// A socket that accepts connections.
///
/// A socket file that was bound here is removed on drop, if it is still the same file.
#[derive(Debug)]
pub struct Listener {
    socket: Kind,
    address: Address,
    file: Option<Arc<SocketFile>>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Binds `address` and listens.
    ///
    /// A socket file that is in the way is removed only when nobody answers on it. The file has its owner and permissions before
    /// anybody can connect. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] when somebody listens there or the file is no socket; otherwise what the system says.
    pub async fn bind(address: &Address, options: &ListenOptions) -> io::Result<Self> {
        match address {
            Address::Unix(path) => bind_unix(path, options),
            Address::Tcp { host, port } => {
                let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
                for candidate in tokio::net::lookup_host((host.as_str(), *port)).await? {
                    match bind_tcp(candidate, options) {
                        Ok(listener) => return Ok(listener),
                        Err(e) => last = e,
                    }
                }
                Err(last)
            }
        }
    }

    /// Takes over a listening socket that another process has opened.
    ///
    /// The socket is set to non-blocking, which every process that shares it will notice. Its file, if any, is left alone.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when it is no listening stream socket over TCP or UNIX.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        if !is_listening_socket(&fd) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "descriptor is no listening socket"));
        }
        let socket = Socket::from(fd);
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        if let Some(tcp) = local.as_socket() {
            let socket = Kind::Tcp(TcpListener::from_std(socket.into())?);
            return Ok(Self { socket, address: tcp.into(), file: None });
        }
        if local.domain() != Domain::UNIX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "socket is neither TCP nor UNIX"));
        }
        let address = Address::Unix(local.as_pathname().map(Path::to_owned).unwrap_or_default());
        Ok(Self { socket: Kind::Unix(UnixListener::from_std(socket.into())?), address, file: None })
    }

    /// Takes charge of its socket file, as if it had been made here.
    pub(super) fn owning_file(mut self) -> io::Result<Self> {
        if let Address::Unix(path) = &self.address {
            self.file = Some(Arc::new(SocketFile::made(path)?));
        }
        Ok(self)
    }

    pub(super) fn file(&self) -> Option<&Arc<SocketFile>> {
        self.file.as_ref()
    }

    /// Where it listens; a port of 0 has become the real one. The path of an unnamed UNIX socket is empty.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The same socket for threads that wait, without the runtime.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn into_blocking(self) -> io::Result<BlockingListener> {
        let Self { socket, address, file } = self;
        let socket = match socket {
            Kind::Tcp(socket) => blocking::Kind::Tcp(socket.into_std()?),
            Kind::Unix(socket) => blocking::Kind::Unix(socket.into_std()?),
        };
        Ok(BlockingListener { socket, address, _file: file })
    }

    /// Waits for a connection. Nothing is lost if the future is dropped. TCP connections send small segments at once.
    ///
    /// # Errors
    /// What the system says; [`AcceptTrouble::of`] tells whether to go on.
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match &self.socket {
            Kind::Unix(socket) => {
                let (stream, _) = socket.accept().await?;
                let peer = Peer::Unix(PeerCredentials::of(&stream)?);
                Ok((stream.into(), peer))
            }
            Kind::Tcp(socket) => {
                let (stream, peer) = socket.accept().await?;
                // A peer that is gone already is found out by the first read; it is no trouble of the listener.
                let _ = stream.set_nodelay(true);
                Ok((stream.into(), Peer::Tcp(peer)))
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Kind::Tcp(socket) => socket.as_fd(),
            Kind::Unix(socket) => socket.as_fd(),
        }
    }
}

/// What a failed accept means for the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptTrouble {
    /// This one connection was lost before it was accepted: accept the next at once.
    Connection,
    /// Descriptors or memory are used up: wait a little, then go on.
    Exhausted,
    /// The listener itself is broken: stop.
    Listener,
}

impl AcceptTrouble {
    /// Sorts an error of [`Listener::accept`] (accept(2), "Error handling").
    pub fn of(error: &io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => Self::Exhausted,
            Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP | Errno::FAULT) => Self::Listener,
            _ => Self::Connection,
        }
    }
}

fn bind_tcp(address: SocketAddr, options: &ListenOptions) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    listen(&socket, options)?;
    let socket = TcpListener::from_std(socket.into())?;
    let address = socket.local_addr()?.into();
    Ok(Listener { socket: Kind::Tcp(socket), address, file: None })
}

fn bind_unix(path: &Path, options: &ListenOptions) -> io::Result<Listener> {
    remove_stale(path)?;
    let mode = Mode::from_raw_mode(options.unix_mode);
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Linux gives the new file the mode of the unbound socket, less the umask: at no time is it wider than asked for.
    rustix::fs::fchmod(&socket, mode)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::made(path)?;
    // Until it listens nobody can connect, so the order of the two does not matter to anybody else.
    if let Some(owner) = &options.unix_owner {
        give(path, owner)?;
    }
    // Puts back what the umask took.
    rustix::fs::chmod(path, mode)?;
    listen(&socket, options)?;
    let socket = Kind::Unix(UnixListener::from_std(socket.into())?);
    Ok(Listener { socket, address: Address::unix(path), file: Some(Arc::new(file)) })
}

fn listen(socket: &Socket, options: &ListenOptions) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.listen(options.backlog)
}
