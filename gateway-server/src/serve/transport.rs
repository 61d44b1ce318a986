//! What carries a connection: the socket itself, or TLS over it.
//!
//! Holds the one set of attempts and waits that the rest of this folder uses. Does not hold TLS (`tls`). A connection without TLS
//! pays one branch for it.

use crate::environ::ConnectionFacts;
use bytes::{BufMut, BytesMut};
use gateway_fastcgi::net::{Insisting, Peer, Readiness, Stream};
use gateway_spec::{ErrorStream, FilePart};
use socket2::SockRef;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::task::{Context, Poll, ready};
use std::time::Duration;

#[cfg(feature = "tls")]
use super::tls::TlsStream;

/// One accepted connection.
///
/// `try_*` never wait. What arrives under TLS may be here although the socket has nothing: so whoever reads tries before it waits.
#[derive(Debug)]
pub(super) enum Transport {
    Plain(Stream),
    /// In a box: it is larger, and rarer.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
}

impl Transport {
    /// The socket, for what is the same with TLS and without: readiness, addresses, the end.
    pub(super) fn socket(&self) -> &Stream {
        match self {
            Self::Plain(stream) => stream,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.socket(),
        }
    }

    /// What applications are told about the connection.
    pub(super) fn facts(&self, peer: Peer, errors: ErrorStream) -> ConnectionFacts {
        let facts = ConnectionFacts::of(self.socket().local_tcp(), peer, errors);
        match self {
            Self::Plain(_) => facts,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => {
                let agreed = stream.facts();
                let mut variables = vec![("SSL_PROTOCOL", agreed.protocol), ("SSL_CIPHER", &agreed.cipher)];
                variables.extend(agreed.server_name.as_deref().map(|name| ("SSL_TLS_SNI", name)));
                facts.secured(&variables)
            }
        }
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        self.socket().readable().await
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.socket().writable().await
    }

    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_read_ready(cx)
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_write_ready(cx)
    }

    /// Reads what is there into the spare room of `buffer`; 0 means that the peer will send no more.
    pub(super) fn try_read_buf(&self, buffer: &mut impl BufMut) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_read_buf(buffer),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.try_read_buf(buffer),
        }
    }

    /// [`Transport::try_read_buf`] into a slice.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_read(buffer),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.try_read_buf(&mut &mut *buffer),
        }
    }

    /// Waits until everything that was taken is written.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.try_flush()? {
            ready!(self.poll_write_ready(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Waits for bytes and reads them.
    pub(super) async fn read_buf(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        loop {
            match self.try_read_buf(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.readable().await?,
                done => return done,
            }
        }
    }

    /// Whether something may be here to be read although the socket has nothing.
    pub(super) fn reads_ahead(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// Whether [`Transport::try_flush`] may have something to do.
    pub(super) fn writes_behind(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// Takes what fits. What was taken may still have to be written: see [`Transport::try_flush`].
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.try_write_vectored(&[IoSlice::new(bytes)]),
        }
    }

    /// [`Transport::try_write`] for several slices, in order.
    pub(super) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_write_vectored(slices),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.try_write_vectored(slices),
        }
    }

    /// [`Stream::insist`].
    pub(super) fn insist(&self) -> Insisting<'_> {
        self.socket().insist()
    }

    /// [`Stream::block_until`]. The runtime goes on without this thread, if it is one of its own.
    pub(super) fn block_until(&self, what: Readiness, longest: Duration) -> io::Result<()> {
        tokio::task::block_in_place(|| self.socket().block_until(what, longest))
    }

    /// How much has gone to the system of what was taken before; 0 where taking is writing.
    pub(super) fn written(&self) -> u64 {
        match self {
            Self::Plain(_) => 0,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.written(),
        }
    }

    /// Whether [`Transport::try_send_file`] can be asked: what is encrypted has to come through here.
    pub(super) fn sends_files(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.sends_files(),
            #[cfg(feature = "tls")]
            Self::Tls(_) => false,
        }
    }

    /// [`Stream::try_send_file`].
    pub(super) fn try_send_file(&self, part: &mut FilePart) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_send_file(part),
            #[cfg(feature = "tls")]
            Self::Tls(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Writes what was taken and is not with the system yet; true when nothing is left.
    pub(super) fn try_flush(&self) -> io::Result<bool> {
        match self {
            Self::Plain(_) => Ok(true),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.try_flush(),
        }
    }

    /// Says in the transport's own words that nothing more will come (HTTP-179): a closure alert, as far as the socket takes it now.
    /// A connection that ends without it was cut.
    pub(super) fn say_end(&self) {
        match self {
            Self::Plain(_) => {}
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.say_end(),
        }
    }

    /// Says that nothing more will be written; reading goes on.
    pub(super) fn shutdown_write(&self) -> io::Result<()> {
        self.say_end();
        self.socket().shutdown_write()
    }
}

impl From<Stream> for Transport {
    fn from(stream: Stream) -> Self {
        Self::Plain(stream)
    }
}

/// Has the system reset the connection when it is closed (RST instead of FIN): what it still has to send is thrown away, and the peer sees
/// that this was no end.
pub(super) fn reset_at_close(socket: &impl AsFd) {
    // It fails only where there is no connection any more.
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}
