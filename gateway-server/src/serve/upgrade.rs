//! Connections that become something else: WebSocket and other protocols that begin as an HTTP/1.1 request (RFC 9110 §7.8).
//!
//! Holds what an asynchronous application gets for it and gives back, and the connection as it then is. Does not hold any
//! protocol.

use super::wire::Wire;
use bytes::{Buf, Bytes};
use gateway_spec::{AsyncResponse, BoxFuture, Headers, StatusCode};
use http::HeaderValue;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A client's wish to speak another protocol on its connection.
///
/// The listener puts it among the [`extensions`](gateway_spec::Environ::extensions) of a request with an Upgrade field, for an
/// asynchronous application. It may be left alone: then the request is one like any other. Requests in HTTP/1.0, or with a body,
/// have none.
///
/// # Examples
/// ```
/// use gateway_server::serve::{Handler, Upgrade};
/// use gateway_spec::{AppError, AsyncApplication, AsyncResponse, Environ, InputStream, StatusCode, headers};
///
/// /// Gives back what it is sent.
/// struct Echo;
///
/// impl AsyncApplication for Echo {
///     async fn call(&self, environ: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
///         match environ.extensions.get::<Upgrade>() {
///             Some(upgrade) if upgrade.offers("echo") => {
///                 Ok(upgrade.accept("echo", headers![], async |connection| {
///                     let (mut reader, mut writer) = tokio::io::split(connection);
///                     let _ = tokio::io::copy(&mut reader, &mut writer).await;
///                 })?)
///             }
///             _ => Ok(AsyncResponse::new(StatusCode::UPGRADE_REQUIRED, headers!["upgrade" => "echo"], "")),
///         }
///     }
/// }
/// # let _ = Handler::asynchronous(Echo);
/// ```
///
/// Source: RFC 9110 §7.8; requirements HTTP-129 to HTTP-131.
#[derive(Clone)]
pub struct Upgrade {
    inner: Arc<Inner>,
}

struct Inner {
    offered: Box<[u8]>,
    accepted: Mutex<Option<Accepted>>,
}

/// What was agreed.
pub(super) struct Accepted {
    pub(super) protocol: HeaderValue,
    pub(super) run: Run,
}

type Run = Box<dyn FnOnce(Upgraded) -> BoxFuture<'static, ()> + Send>;

/// The client did not offer the protocol (HTTP-130).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the client does not offer to speak {protocol:?}")]
pub struct NotOffered {
    /// What was to be spoken.
    pub protocol: String,
}

impl Upgrade {
    pub(super) fn new(offered: &[u8]) -> Self {
        Self { inner: Arc::new(Inner { offered: offered.into(), accepted: Mutex::new(None) }) }
    }

    /// The protocols that the client offers, each a name and perhaps a version, the best first.
    pub fn protocols(&self) -> impl Iterator<Item = &[u8]> {
        self.inner.offered.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty())
    }

    /// Whether the client offers `protocol`.
    pub fn offers(&self, protocol: &str) -> bool {
        self.protocols().any(|offered| offered.eq_ignore_ascii_case(protocol.as_bytes()))
    }

    /// The answer 101 with `headers`, to be returned by the application. The listener adds Upgrade and Connection, sends it, and
    /// then runs `speak` with the connection; when that ends, the connection is closed. It runs in the task of the connection:
    /// a graceful stop waits for it as for a request, and then ends it.
    ///
    /// # Errors
    /// [`NotOffered`]
    pub fn accept<F>(
        &self,
        protocol: &str,
        headers: Headers,
        speak: impl FnOnce(Upgraded) -> F + Send + 'static,
    ) -> Result<AsyncResponse, NotOffered>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let value = HeaderValue::from_str(protocol).ok().filter(|_| self.offers(protocol));
        let value = value.ok_or_else(|| NotOffered { protocol: protocol.to_owned() })?;
        let run: Run = Box::new(|connection| Box::pin(speak(connection)));
        *self.accepted() = Some(Accepted { protocol: value, run });
        Ok(AsyncResponse::new(StatusCode::SWITCHING_PROTOCOLS, headers, ""))
    }

    pub(super) fn take_accepted(&self) -> Option<Accepted> {
        self.accepted().take()
    }

    fn accepted(&self) -> std::sync::MutexGuard<'_, Option<Accepted>> {
        self.inner.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade").field("offered", &self.inner.offered.escape_ascii().to_string()).finish()
    }
}

/// A connection that no longer speaks HTTP: bytes both ways, beginning with what the client sent behind its request.
///
/// There is no time limit on it: whoever takes it decides how long silence may last.
pub struct Upgraded {
    wire: Arc<Wire>,
    /// Read together with the request.
    begun: Bytes,
}

impl Upgraded {
    pub(super) fn new(wire: Arc<Wire>) -> Self {
        let begun = wire.lock().machine.take_rest();
        Self { wire, begun }
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let length = self.begun.len().min(buffer.remaining());
        if length > 0 {
            buffer.put_slice(self.begun.get(..length).unwrap_or_default());
            self.begun.advance(length);
            return Poll::Ready(Ok(()));
        }
        loop {
            match self.wire.stream.try_read(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => ready!(self.wire.stream.poll_read_ready(cx))?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.wire.stream.try_write_vectored(slices) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => ready!(self.wire.stream.poll_write_ready(cx))?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.wire.stream.poll_flush(cx))?;
        Poll::Ready(self.wire.stream.shutdown_write())
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("peer", &self.wire.peer).finish_non_exhaustive()
    }
}
