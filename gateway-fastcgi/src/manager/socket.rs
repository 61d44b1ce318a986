//! The socket that workers accept from.
//!
//! Holds a private directory with the socket's file in it, both removed on drop, or a listener that somebody else has
//! bound. The socket is blocking, because workers share that setting and those written in C rely on it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use tempfile::TempDir;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::net::{Address, Listener};

/// How many connections may wait for a worker. The system may cut it (`somaxconn`).
const BACKLOG: i32 = 1024;

/// A listening socket with its file.
#[derive(Debug)]
pub(super) struct Socket {
    listener: OwnedFd,
    address: Address,
    /// Held for its drop.
    _kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Directory { _held: TempDir },
    Listener { _held: Box<Listener> },
}

impl Socket {
    /// Makes the directory under `parent`, mode 0700, and in it the socket, mode 0600 (FCGI-123, FCGI-133).
    pub(super) fn open(parent: &Path) -> io::Result<Self> {
        let private = std::fs::Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix("gateway-").permissions(private).tempdir_in(parent)?;
        let path = directory.path().join("socket");
        let listener = OwnedFd::from(UnixListener::bind(&path)?);
        // Until here the directory's mode has kept others out.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(Self { listener, address: Address::unix(path), _kept: Kept::Directory { _held: directory } })
    }

    /// Takes a listener over; its file stays as long as this does.
    pub(super) fn over(listener: Listener) -> io::Result<Self> {
        let socket = listener.as_fd().try_clone_to_owned()?;
        let flags = rustix::fs::fcntl_getfl(&socket)?;
        rustix::fs::fcntl_setfl(&socket, flags & !OFlags::NONBLOCK)?;
        let address = listener.address().clone();
        Ok(Self { listener: socket, address, _kept: Kept::Listener { _held: Box::new(listener) } })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The same socket once more, to be handed to a worker.
    pub(super) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.listener.as_fd().try_clone_to_owned()
    }

    /// The number by which the system lists it.
    pub(super) fn inode(&self) -> io::Result<u64> {
        Ok(rustix::fs::fstat(&self.listener)?.st_ino)
    }

    /// Whether a connection waits to be accepted.
    pub(super) fn has_waiting(&self) -> bool {
        let mut polled = [PollFd::new(&self.listener, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
    }

    /// Something that wakes up when a connection comes.
    pub(super) fn watch(&self) -> io::Result<AsyncFd<OwnedFd>> {
        // Deprecated for descriptors that are not owned; this one is.
        #[allow(deprecated)]
        AsyncFd::with_interest(self.duplicate()?, Interest::READABLE)
    }
}
