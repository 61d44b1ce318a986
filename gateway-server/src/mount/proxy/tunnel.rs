//! An upstream and a client that agreed to speak something else, such as WebSocket (RFC 9110 §7.8).
//!
//! Holds which protocols may be asked for, and the tunnel that a connection becomes. Does not look at what goes through it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use gateway_fastcgi::net::after;
use gateway_spec::{AsyncResponse, Headers};
use http::{HeaderMap, HeaderValue, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::time::{Instant, sleep_until};

use super::pool::Lease;
use crate::serve::{Upgrade, Upgraded};

/// The Upgrade field for the upstream: what the client offers, without what is HTTP again. A tunnel of that kind would carry requests
/// past every mount of this gateway.
pub(super) fn offer(upgrade: &Upgrade) -> Option<HeaderValue> {
    let names: Vec<&[u8]> = upgrade.protocols().filter(|name| !is_http(name)).collect();
    if names.is_empty() { None } else { HeaderValue::from_bytes(&names.join(&b", "[..])).ok() }
}

fn is_http(protocol: &[u8]) -> bool {
    let name = protocol.split(|byte| *byte == b'/').next().unwrap_or_default();
    [&b"http"[..], b"h2", b"h2c", b"h3", b"tls"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Makes the fields that ask for it.
pub(super) fn ask(fields: &mut HeaderMap, offered: HeaderValue) {
    fields.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    fields.insert(header::UPGRADE, offered);
}

/// Turns the client's connection into a tunnel to the upstream's, which has agreed.
///
/// # Errors
/// What is wrong with the upstream's answer: it must name one protocol that the client offers (HTTP-130).
pub(super) fn tunnel(
    upgrade: &Upgrade,
    agreed: Option<&HeaderValue>,
    fields: Headers,
    switched: hyper::upgrade::OnUpgrade,
    lease: Lease,
    idle: Duration,
) -> Result<AsyncResponse, String> {
    let agreed = agreed.filter(|protocol| !is_http(protocol.as_bytes()));
    let protocol =
        agreed.and_then(|protocol| protocol.to_str().ok()).ok_or("it switched to what nobody asked for")?.to_owned();
    let place = lease.into_place();
    let carried = async move |client: Upgraded| {
        let _place = place;
        match switched.await {
            Ok(upstream) => carry(client, TokioIo::new(upstream), idle).await,
            Err(error) => tracing::debug!(%error, "the upstream's connection was lost as it became a tunnel"),
        }
    };
    upgrade.accept(&protocol, fields, carried).map_err(|error| error.to_string())
}

/// Carries bytes both ways until both sides have ended, one has failed, or neither says anything for too long. The end of one side
/// is passed on at once; the other may still finish what it has to say.
async fn carry<U: AsyncRead + AsyncWrite + Unpin>(client: Upgraded, mut upstream: U, idle: Duration) {
    let last = Arc::new(Mutex::new(Instant::now()));
    let mut client = Watched { inner: client, last: Arc::clone(&last) };
    let mut both = std::pin::pin!(copy_bidirectional(&mut client, &mut upstream));
    let mut rings = std::pin::pin!(sleep_until(after(idle)));
    loop {
        tokio::select! {
            ended = &mut both => {
                match ended {
                    Ok((sent, received)) => tracing::debug!(sent, received, "tunnel ended"),
                    Err(error) => tracing::debug!(%error, "tunnel broken"),
                }
                return;
            }
            () = &mut rings => {
                let silent_since = *last.lock().unwrap_or_else(PoisonError::into_inner);
                let ends = silent_since + after(idle).saturating_duration_since(Instant::now());
                if ends <= Instant::now() {
                    tracing::debug!(limit = ?idle, "tunnel was silent for too long (tunnel_timeout)");
                    return;
                }
                rings.as_mut().reset(ends);
            }
        }
    }
}

/// Notes when something last went through, either way: both ways pass here.
struct Watched<T> {
    inner: T,
    last: Arc<Mutex<Instant>>,
}

impl<T> Watched<T> {
    fn note(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if polled.is_ready() {
            self.note();
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        if polled.is_ready() {
            self.note();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::is_http;

    #[test]
    fn a_tunnel_never_carries_http() {
        for protocol in ["h2c", "H2C", "HTTP/2.0", "http/1.1", "TLS/1.0", "h2"] {
            assert!(is_http(protocol.as_bytes()), "{protocol}");
        }
        for protocol in ["websocket", "WebSocket", "SPDY/3.1", "tcp"] {
            assert!(!is_http(protocol.as_bytes()), "{protocol}");
        }
    }
}
