//! One connection, TCP or UNIX.
//!
//! Holds readiness, attempts, and the small loops over them. All of it works through `&self`, so one task may read
//! while another writes, and blocking code may borrow the connection. Does not hold what goes past the runtime (`insist`), buffers or
//! timeouts.

mod end;
mod insist;

pub use insist::{Insisting, Readiness};

use super::send_file::send_file;
use super::{Address, Peer, PeerCredentials, Room};
use bytes::BufMut;
use gateway_spec::FilePart;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::AtomicU32;
use std::task::{Context, Poll};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// A connected stream socket.
///
/// `try_*` never wait: they answer [`io::ErrorKind::WouldBlock`], and then [`Stream::readable`] or [`Stream::writable`]
/// tells when to try again. Dropping closes.
#[derive(Debug)]
pub struct Stream {
    socket: Kind,
    /// How many insist at the moment.
    insisting: AtomicU32,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Calls one method on whichever socket it is.
macro_rules! either {
    ($stream:expr, $socket:ident => $call:expr) => {
        match &$stream.socket {
            Kind::Tcp($socket) => $call,
            Kind::Unix($socket) => $call,
        }
    };
}

impl Stream {
    /// Connects to `address`; a host name is resolved first and its addresses are tried in turn.
    ///
    /// # Errors
    /// What the system says. There is no time limit here.
    pub async fn connect(address: &Address) -> io::Result<Self> {
        match address {
            Address::Unix(path) => UnixStream::connect(path).await.map(Self::from),
            Address::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Ok(stream.into())
            }
        }
    }

    /// Two connected UNIX sockets.
    ///
    /// # Errors
    /// What the system says.
    pub fn pair() -> io::Result<(Self, Self)> {
        UnixStream::pair().map(|(one, two)| (one.into(), two.into()))
    }

    /// Waits until something may be read, or the peer has closed.
    ///
    /// # Errors
    /// What the runtime says.
    pub async fn readable(&self) -> io::Result<()> {
        either!(self, socket => socket.readable().await)
    }

    /// Waits until something may be written.
    ///
    /// # Errors
    /// What the runtime says.
    pub async fn writable(&self) -> io::Result<()> {
        either!(self, socket => socket.writable().await)
    }

    /// [`Stream::readable`] for hand-written futures; only the last waker is kept.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, socket => socket.poll_read_ready(cx))
    }

    /// [`Stream::writable`] for hand-written futures; only the last waker is kept.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, socket => socket.poll_write_ready(cx))
    }

    /// Reads what is there; 0 means the peer will send no more.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there; otherwise what the system says.
    pub fn try_read(&self, mut buffer: &mut [u8]) -> io::Result<usize> {
        if self.insists() { self.read_now(buffer) } else { self.try_read_buf(&mut buffer) }
    }

    /// Reads what is there into the spare room of `buffer`; 0 means end, or no room.
    ///
    /// A read that leaves room has emptied the socket. That is remembered, so that asking again costs no system call.
    ///
    /// # Errors
    /// As [`Stream::try_read`].
    pub fn try_read_buf(&self, buffer: &mut impl BufMut) -> io::Result<usize> {
        let room = buffer.chunk_mut().len();
        if self.insists() {
            let mut here = [0; Room::SMALL];
            let read = self.read_now(here.get_mut(..room.min(Room::SMALL)).unwrap_or_default())?;
            buffer.put_slice(here.get(..read).unwrap_or_default());
            return Ok(read);
        }
        let mut read = Err(io::ErrorKind::WouldBlock.into());
        either!(self, socket => {
            // To answer `WouldBlock` from in here is how a socket is marked as empty. An arrival since the attempt began
            // is not lost: the mark then does not hold.
            let _ = socket.try_io(Interest::READABLE, || {
                read = socket.try_read_buf(buffer);
                match read {
                    Ok(n) if n > 0 && n < room => Err(io::ErrorKind::WouldBlock.into()),
                    _ => Ok(()),
                }
            });
        });
        read
    }

    /// Writes what fits.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing fits; otherwise what the system says.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        if self.insists() {
            return self.write_now(&[IoSlice::new(bytes)]);
        }
        either!(self, socket => socket.try_write(bytes))
    }

    /// Writes what fits of several slices, in order.
    ///
    /// # Errors
    /// As [`Stream::try_write`].
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.insists() {
            return self.write_now(slices);
        }
        either!(self, socket => socket.try_write_vectored(slices))
    }

    /// Whether [`Stream::try_send_file`] can do what it says. What stands between us and the socket, such as encryption, would
    /// have to see the bytes.
    pub fn sends_files(&self) -> bool {
        match &self.socket {
            Kind::Tcp(_) | Kind::Unix(_) => true,
        }
    }

    /// Sends what fits of `part`, without the bytes coming through here (sendfile), and notes how much that was. At most
    /// 2 MiB at once, so that one fast reader of a long file does not keep a thread to itself.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing fits; [`io::ErrorKind::UnexpectedEof`] when the file has become shorter;
    /// otherwise what the system says.
    pub fn try_send_file(&self, part: &mut FilePart) -> io::Result<usize> {
        let mut send = || send_file(self.as_fd(), part);
        if self.insists() { send() } else { either!(self, socket => socket.try_io(Interest::WRITABLE, send)) }
    }

    /// Waits for bytes and reads them; 0 means the peer will send no more. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// What the system says.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.try_read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.readable().await?,
                done => return done,
            }
        }
    }

    /// [`Stream::read`] into the spare room of `buffer`.
    ///
    /// # Errors
    /// What the system says.
    pub async fn read_buf(&self, buffer: &mut impl BufMut) -> io::Result<usize> {
        loop {
            match self.try_read_buf(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.readable().await?,
                done => return done,
            }
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// What the system says; how much went out before is not told.
    pub async fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        self.write_all_vectored(&mut [IoSlice::new(bytes)]).await
    }

    /// Writes all slices in order, in as few calls as the socket lets it. The slices are used up.
    ///
    /// # Errors
    /// What the system says; how much went out before is not told.
    pub async fn write_all_vectored(&self, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match self.try_write_vectored(slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => IoSlice::advance_slices(&mut slices, n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Sends small TCP segments at once; does nothing on a UNIX socket.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        match &self.socket {
            Kind::Tcp(socket) => socket.set_nodelay(nodelay),
            Kind::Unix(_) => Ok(()),
        }
    }

    /// Who is at the other end.
    ///
    /// # Errors
    /// What the system says, such as that a TCP peer has gone.
    pub fn peer(&self) -> io::Result<Peer> {
        match &self.socket {
            Kind::Tcp(socket) => socket.peer_addr().map(Peer::Tcp),
            Kind::Unix(socket) => PeerCredentials::of(socket).map(Peer::Unix),
        }
    }

    /// The TCP address at this end; `None` on a UNIX socket.
    pub fn local_tcp(&self) -> Option<SocketAddr> {
        match &self.socket {
            Kind::Tcp(socket) => socket.local_addr().ok(),
            Kind::Unix(_) => None,
        }
    }
}

impl From<Kind> for Stream {
    fn from(socket: Kind) -> Self {
        Self { socket, insisting: AtomicU32::new(0) }
    }
}

impl From<TcpStream> for Stream {
    fn from(socket: TcpStream) -> Self {
        Kind::Tcp(socket).into()
    }
}

impl From<UnixStream> for Stream {
    fn from(socket: UnixStream) -> Self {
        Kind::Unix(socket).into()
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        either!(self, socket => socket.as_fd())
    }
}
