//! What comes before the first request of a connection, where something does: the PROXY header, the TLS handshake, the choice of a
//! protocol.
//!
//! Holds their order and the one time for all of them. Does not hold any of them. It runs on the connection's own task, so that a slow
//! handshake keeps nobody from being accepted.

use super::connection::serve_connection;
use super::endpoint::Way;
#[cfg(feature = "http2")]
use super::h2::{PREFACE, serve_h2};
use super::peers::Present;
use super::proxy_header::{ProxyError, read_header};
use super::room::Arriving;
use super::shared::{Entry, Shared};
#[cfg(feature = "tls")]
use super::tls::{HandshakeError, TlsStream};
use super::transport::Transport;
use super::wire::Wire;
use bytes::Bytes;
use gateway_fastcgi::net::{Peer, Stream, after};
use std::sync::{Arc, Weak};
use tokio::time::{sleep_until, timeout_at};

/// A connection that is ready for its first request.
struct Arrived {
    transport: Transport,
    /// Who the client is: behind a proxy, the one that the proxy names.
    peer: Peer,
    protocol: Protocol,
    /// What was read to find out.
    early: Bytes,
    /// Among the connections of that client.
    present: Present,
}

enum Protocol {
    Http1,
    #[cfg(feature = "http2")]
    Http2,
}

/// Why a connection came to nothing before its first request.
#[derive(Debug, thiserror::Error)]
enum ArrivalError {
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error("its client has max_connections_per_peer")]
    TooMany,
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[cfg(feature = "http2")]
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Serves a connection from its first byte to its end.
pub(super) async fn serve_arrival(stream: Stream, peer: Peer, way: Arc<Way>, shared: Arc<Shared>, entry: &Entry) {
    let deadline = after(shared.config.handshake_timeout);
    // In boxes: a connection of HTTP/1.1 that waits holds no room for a handshake that is over, nor for HTTP/2.
    let arriving = timeout_at(deadline, Box::pin(arrive(stream, peer, &way, &shared)));
    let place = Arriving::new();
    let guest: Weak<Arriving> = Arc::downgrade(&place);
    entry.note_guest(guest);
    // A client that has just come does not know of a stop, and few try again: it has its first answer, if it is quick.
    let stopped = async {
        shared.stop.wanted().await;
        sleep_until(after(shared.config.linger_timeout)).await;
    };
    let arrived = tokio::select! {
        () = stopped => return,
        () = place.given_up.notified() => return,
        arrived = arriving => arrived,
    };
    match arrived {
        Ok(Ok(Arrived { transport, peer, protocol, early, present: _present })) => match protocol {
            Protocol::Http1 => {
                let wire = Arc::new(Wire::new(transport, peer, shared));
                wire.lock().machine.receive(&early);
                let guest: Weak<Wire> = Arc::downgrade(&wire);
                entry.note_guest(guest);
                serve_connection(wire).await;
            }
            #[cfg(feature = "http2")]
            Protocol::Http2 => Box::pin(serve_h2(transport, early, peer, shared, entry)).await,
        },
        // An operator has to know: either the list is wrong, or somebody tries to be somebody else.
        Ok(Err(ArrivalError::Proxy(error))) => tracing::warn!(%peer, %error, "connection refused"),
        Ok(Err(error)) => tracing::debug!(%peer, %error, "connection refused"),
        Err(_) => tracing::debug!(%peer, "connection refused: nothing came of it in time"),
    }
}

async fn arrive(stream: Stream, peer: Peer, way: &Way, shared: &Shared) -> Result<Arrived, ArrivalError> {
    let mut present = Present::uncounted();
    let mut peer = peer;
    if let Some(proxies) = &way.proxies {
        peer = read_header(proxies, &stream, peer).await?;
        present = shared.let_in(&stream, peer).ok_or(ArrivalError::TooMany)?;
    }
    #[cfg(feature = "tls")]
    if let Some(tls) = &way.tls {
        let stream = TlsStream::accept(tls.config(way.offers_http2()), stream).await?;
        #[cfg(feature = "http2")]
        let protocol = if stream.facts().is_http2 { Protocol::Http2 } else { Protocol::Http1 };
        #[cfg(not(feature = "http2"))]
        let protocol = Protocol::Http1;
        return Ok(Arrived {
            transport: Transport::Tls(Box::new(stream)),
            peer,
            protocol,
            early: Bytes::new(),
            present,
        });
    }
    #[cfg(feature = "http2")]
    if way.http2 == Some(true) {
        let transport = Transport::from(stream);
        let (protocol, early) = by_preface(&transport).await?;
        return Ok(Arrived { transport, peer, protocol, early, present });
    }
    Ok(Arrived { transport: stream.into(), peer, protocol: Protocol::Http1, early: Bytes::new(), present })
}

/// Reads until it is clear whether the connection begins with the preface of HTTP/2 (RFC 9113 §3.3).
#[cfg(feature = "http2")]
async fn by_preface(transport: &Transport) -> std::io::Result<(Protocol, Bytes)> {
    let mut early = bytes::BytesMut::with_capacity(1024);
    loop {
        let same = early.iter().zip(PREFACE).take_while(|(byte, wanted)| byte == wanted).count();
        if same == PREFACE.len() {
            return Ok((Protocol::Http2, early.freeze()));
        }
        if same < early.len() || transport.read_buf(&mut early).await? == 0 {
            return Ok((Protocol::Http1, early.freeze()));
        }
    }
}
