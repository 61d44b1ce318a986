//! One connection under TLS: rustls' machine over a socket that never waits.
//!
//! Holds the handshake, and reading and writing after it. Does not hold times: whoever waits knows how long.

use bytes::{Buf, BufMut, BytesMut};
use gateway_fastcgi::net::Stream;
use rustls::{ProtocolVersion, ServerConfig, ServerConnection};
use std::io::{self, BufRead as _, IoSlice, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A connection whose handshake is done.
#[derive(Debug)]
pub(in crate::serve) struct TlsStream {
    socket: Stream,
    session: Mutex<Session>,
    facts: TlsFacts,
}

/// What the handshake has agreed on.
#[derive(Debug, Clone)]
pub(in crate::serve) struct TlsFacts {
    /// `TLSv1.3`, as OpenSSL and so Apache and nginx write it.
    pub(in crate::serve) protocol: &'static str,
    /// The IANA name of the cipher suite.
    pub(in crate::serve) cipher: String,
    /// The host that the client asked for (SNI).
    pub(in crate::serve) server_name: Option<String>,
    /// Was HTTP/2 agreed on?
    #[cfg(feature = "http2")]
    pub(in crate::serve) is_http2: bool,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(in crate::serve) enum HandshakeError {
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("handshake was broken off: {0}")]
    Io(#[from] io::Error),
    #[error("the client speaks HTTP without TLS")]
    PlainHttp,
}

impl HandshakeError {
    fn into_io(self) -> io::Error {
        match self {
            Self::Io(error) => error,
            error => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}

#[derive(Debug)]
struct Session {
    machine: ServerConnection,
    /// What has come from the socket and is still to be given to the machine.
    sealed: BytesMut,
    written: u64,
}

/// Room for one record of the largest size (RFC 8446 §5.2).
const RECORD_ROOM: usize = 16 << 10;

/// What the machine may hold that is not written yet: as much as goes out in one call.
const UNWRITTEN_BYTES: usize = 64 << 10;

/// What a client is told that has forgotten the `s` of `https`.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 40\r\n\
    connection: close\r\n\r\n400: this port speaks TLS, ask https://\n";

impl TlsStream {
    /// Does the handshake on a new connection.
    pub(in crate::serve) async fn accept(config: Arc<ServerConfig>, socket: Stream) -> Result<Self, HandshakeError> {
        let mut machine = ServerConnection::new(config)?;
        machine.set_buffer_limit(Some(UNWRITTEN_BYTES));
        let mut session = Session { machine, sealed: BytesMut::new(), written: 0 };
        session.fill(&socket).await?;
        // No record begins like a method.
        if session.sealed.first().is_some_and(u8::is_ascii_uppercase) {
            let _ = socket.try_write(SPEAK_TLS);
            return Err(HandshakeError::PlainHttp);
        }
        loop {
            session.digest(&socket)?;
            while !session.push(&socket)? {
                socket.writable().await?;
            }
            if !session.machine.is_handshaking() {
                break;
            }
            session.fill(&socket).await?;
        }
        let facts = TlsFacts::of(&session.machine);
        Ok(Self { socket, session: Mutex::new(session), facts })
    }

    pub(in crate::serve) fn socket(&self) -> &Stream {
        &self.socket
    }

    pub(in crate::serve) fn facts(&self) -> &TlsFacts {
        &self.facts
    }

    pub(in crate::serve) fn try_read_buf(&self, buffer: &mut impl BufMut) -> io::Result<usize> {
        let session = &mut *self.lock();
        loop {
            match session.take_plain(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                // A peer that ends without a closure alert: HTTP messages tell their own length, so what is missing shows
                // (HTTP-179).
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                done => return done,
            }
            // At the socket's end the machine is told so by getting nothing.
            session.try_fill(&self.socket)?;
            session.digest(&self.socket).map_err(HandshakeError::into_io)?;
        }
    }

    pub(in crate::serve) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let session = &mut *self.lock();
        // Only what the system has taken makes room, so a slow peer holds whoever writes.
        if !session.push(&self.socket)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = session.machine.writer().write_vectored(slices)?;
        session.push(&self.socket)?;
        Ok(taken)
    }

    pub(in crate::serve) fn try_flush(&self) -> io::Result<bool> {
        self.lock().push(&self.socket)
    }

    /// How many bytes the system has taken.
    pub(in crate::serve) fn written(&self) -> u64 {
        self.lock().written
    }

    pub(in crate::serve) fn say_end(&self) {
        let session = &mut *self.lock();
        session.machine.send_close_notify();
        // A peer that is not there to hear it loses nothing.
        let _ = session.push(&self.socket);
    }

    fn lock(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TlsFacts {
    fn of(machine: &ServerConnection) -> Self {
        let protocol = match machine.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        };
        let suite = machine.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default();
        Self {
            protocol,
            // The library has a prefix of its own where IANA has `TLS_`.
            cipher: suite.replacen("TLS13_", "TLS_", 1),
            server_name: machine.server_name().map(str::to_owned),
            #[cfg(feature = "http2")]
            is_http2: machine.alpn_protocol() == Some(b"h2"),
        }
    }
}

impl Session {
    /// Takes decrypted bytes that are here. 0: the peer has said that it sends no more.
    fn take_plain(&mut self, buffer: &mut impl BufMut) -> io::Result<usize> {
        let room = buffer.chunk_mut().len();
        let mut taken = 0;
        loop {
            let mut reader = self.machine.reader();
            let piece = match reader.fill_buf() {
                Ok(piece) => piece.get(..piece.len().min(room - taken)).unwrap_or_default(),
                Err(e) if taken == 0 => return Err(e),
                Err(_) => return Ok(taken),
            };
            let length = piece.len();
            if length == 0 {
                return Ok(taken);
            }
            buffer.put_slice(piece);
            reader.consume(length);
            taken += length;
        }
    }

    /// Waits until something lies in `sealed` that the machine has not seen.
    async fn fill(&mut self, socket: &Stream) -> io::Result<()> {
        while self.sealed.is_empty() {
            match self.try_fill(socket) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => socket.readable().await?,
                Ok(_) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Reads what the socket has, if nothing lies here from before. 0: the socket is at its end.
    fn try_fill(&mut self, socket: &Stream) -> io::Result<usize> {
        if !self.sealed.is_empty() {
            return Ok(self.sealed.len());
        }
        self.sealed.reserve(RECORD_ROOM);
        let read = socket.try_read_buf(&mut self.sealed);
        if read.is_err() {
            // A connection that waits holds no buffer.
            self.sealed = BytesMut::new();
        }
        read
    }

    /// Gives the machine what lies here.
    fn digest(&mut self, socket: &Stream) -> Result<(), HandshakeError> {
        let given = self.machine.read_tls(&mut &self.sealed[..])?;
        self.sealed.advance(given);
        let result = self.machine.process_new_packets();
        // An alert, or the answer to a new key: what does not go out now goes with the next write.
        self.push(socket)?;
        result?;
        Ok(())
    }

    /// Writes what the machine has ready; false if the socket takes no more for now.
    fn push(&mut self, socket: &Stream) -> io::Result<bool> {
        while self.machine.wants_write() {
            match self.machine.write_tls(&mut Socket(socket)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.written += written as u64,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        Ok(true)
    }
}

/// A socket as the machine writes to it.
struct Socket<'a>(&'a Stream);

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
