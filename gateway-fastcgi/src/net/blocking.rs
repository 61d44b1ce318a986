//! The same sockets without a runtime: for servers whose threads wait.
//!
//! Holds accepting, and attempts to read and write, none of which waits. Does not hold the waiting: a caller asks `poll`, for as long as
//! it likes, when an attempt comes to nothing.

use super::send_file::send_file;
use super::socket_file::SocketFile;
use super::{Address, Peer, PeerCredentials};
use gateway_spec::FilePart;
use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

/// A socket that accepts connections; made by [`Listener::into_blocking`](super::Listener::into_blocking).
#[derive(Debug)]
pub struct BlockingListener {
    pub(super) socket: Kind<TcpListener, UnixListener>,
    pub(super) address: Address,
    /// Held for its drop.
    pub(super) _file: Option<Arc<SocketFile>>,
}

/// A connected stream socket. Dropping closes.
#[derive(Debug)]
pub struct BlockingStream(Kind<TcpStream, UnixStream>);

#[derive(Debug)]
pub(super) enum Kind<T, U> {
    Tcp(T),
    Unix(U),
}

/// Calls one method on whichever socket it is.
macro_rules! either {
    ($socket:expr, $inner:ident => $call:expr) => {
        match $socket {
            Kind::Tcp($inner) => $call,
            Kind::Unix($inner) => $call,
        }
    };
}

impl BlockingListener {
    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Takes a connection that waits. TCP connections send small segments at once.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when none waits; else as [`Listener::accept`](super::Listener::accept).
    pub fn accept_waiting(&self) -> io::Result<(BlockingStream, Peer)> {
        match &self.socket {
            Kind::Tcp(socket) => {
                let (stream, peer) = socket.accept()?;
                // A peer that is gone already is found out by the first read.
                let _ = stream.set_nodelay(true);
                stream.set_nonblocking(true)?;
                Ok((BlockingStream(Kind::Tcp(stream)), Peer::Tcp(peer)))
            }
            Kind::Unix(socket) => {
                let (stream, _) = socket.accept()?;
                let peer = Peer::Unix(PeerCredentials::of_socket(&stream)?);
                stream.set_nonblocking(true)?;
                Ok((BlockingStream(Kind::Unix(stream)), peer))
            }
        }
    }
}

impl BlockingStream {
    /// Reads what is there; 0 means the peer will send no more.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there; otherwise what the system says.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match either!(&self.0, socket => { let mut socket = socket; socket.read(buffer) }) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    /// Writes as much of the slices as there is room for.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is no room; otherwise what the system says.
    pub fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        either!(&self.0, socket => { let mut socket = socket; socket.write_vectored(slices) })
    }

    /// Sends at least a byte of `part`, which is not empty, as [`Stream::try_send_file`](super::Stream::try_send_file) does.
    ///
    /// # Errors
    /// As for [`BlockingStream::write_vectored`]; [`io::ErrorKind::UnexpectedEof`] when the file has become shorter.
    pub fn send_file(&self, part: &mut FilePart) -> io::Result<usize> {
        send_file(self.as_fd(), part)
    }

    /// The TCP address at this end; `None` on a UNIX socket.
    pub fn local_tcp(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Tcp(socket) => socket.local_addr().ok(),
            Kind::Unix(_) => None,
        }
    }
}

impl AsFd for BlockingListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(&self.socket, socket => socket.as_fd())
    }
}

impl AsFd for BlockingStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(&self.0, socket => socket.as_fd())
    }
}
