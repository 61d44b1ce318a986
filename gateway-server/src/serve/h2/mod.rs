//! HTTP/2 (RFC 9113), by the crate `h2`, into the same applications as HTTP/1.1.
//!
//! Holds the life of one connection: its streams, each a task; how many there may be; when it is idle, silent or stopped. Does not hold
//! frames, header compression or windows, which are the crate's; nor a stream: what a request is (`request`), its body (`input`), its
//! response (`stream`), the socket as the crate wants it (`io`).
//!
//! What a client can make us hold is bounded by `max_streams` (calls and heads), by the windows (bodies), and by the crate's own limits for
//! frames that cost us more than them: resets (CVE-2023-44487), small DATA frames, CONTINUATION (CVE-2024-27316), PING and SETTINGS.

mod input;
mod io;
mod request;
mod stream;
mod times;

use super::shared::Shared;
use super::transport::Transport;
use crate::environ::ConnectionFacts;
use ::h2::server::{Builder, Connection};
use bytes::{Bytes, BytesMut};
use gateway_fastcgi::net::Peer;
use io::Io;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use stream::serve_stream;
use times::{Due, Times};
use tokio::task::JoinSet;

/// What a connection by prior knowledge begins with (§3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The streams of one connection share this.
pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    pub(super) facts: ConnectionFacts,
    pub(super) peer: Peer,
}

type Served = Connection<Io, Bytes>;

/// Serves a connection to its end; `early` is what was read of it before.
pub(super) async fn serve_h2(transport: Transport, early: Bytes, peer: Peer, shared: Arc<Shared>) {
    let link = Arc::new(Link { facts: transport.facts(peer), peer, shared });
    let config = &link.shared.config;
    let transport = Arc::new(transport);
    let handshake = builder(&link.shared).handshake::<_, Bytes>(Io::new(Arc::clone(&transport), early));
    let mut connection = match tokio::time::timeout(config.handshake_timeout, handshake).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "connection refused"),
        Err(_) => return tracing::debug!(%peer, "connection refused: nothing came of it in time"),
    };
    let mut streams = JoinSet::new();
    let how = serve_streams(&mut connection, &mut streams, &link).await;
    // What still runs sees that its client has gone; it is waited for, so that a stop does not end before it.
    drop(connection);
    if how != ENDED {
        linger(&transport, config.linger_timeout).await;
    }
    drop(transport);
    while streams.join_next().await.is_some() {}
    tracing::debug!(%peer, how, "connection closed");
}

/// The client has closed, or was asked to.
const ENDED: &str = "ended";

/// Reads on for a while: bytes that arrive on a closed socket would make the system throw away the GOAWAY that says what was wrong
/// (HTTP-172).
async fn linger(transport: &Transport, limit: Duration) {
    if transport.shutdown_write().is_err() {
        return;
    }
    let mut scrap = BytesMut::with_capacity(16 << 10);
    let read_away = async {
        while matches!(transport.read_buf(&mut scrap).await, Ok(1..)) {
            scrap.clear();
        }
    };
    let _ = tokio::time::timeout(limit, read_away).await;
}

fn builder(shared: &Shared) -> Builder {
    let limits = &shared.config.limits;
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(shared.config.max_streams)
        .max_header_list_size(u32::try_from(limits.max_head_bytes).unwrap_or(u32::MAX))
        .initial_window_size(shared.config.stream_window)
        .initial_connection_window_size(shared.config.stream_window.saturating_mul(CONNECTION_WINDOWS))
        .max_send_buffer_size(SEND_BUFFER);
    builder
}

/// So many streams may fill their window before all wait for one another.
const CONNECTION_WINDOWS: u32 = 4;

/// What one stream may have made that is not written yet.
const SEND_BUFFER: usize = 64 << 10;

/// Takes streams until the connection's end; says how that came.
async fn serve_streams(connection: &mut Served, streams: &mut JoinSet<()>, link: &Arc<Link>) -> &'static str {
    let config = &link.shared.config;
    let most = usize::try_from(config.max_streams).unwrap_or(usize::MAX);
    let mut times = Times::new(connection.ping_pong(), config);
    let stop = link.shared.stop.wanted();
    tokio::pin!(stop);
    let mut is_stopping = false;
    let mut served: u64 = 0;
    loop {
        times.look(streams.is_empty());
        let is_full = streams.len() >= most;
        // A client that resets streams does not thereby get more places: those it has are free when their calls have ended.
        let next = async {
            match is_full {
                false => connection.accept().await,
                true => {
                    let _ = poll_fn(|cx| connection.poll_closed(cx)).await;
                    None
                }
            }
        };
        tokio::select! {
            accepted = next => match accepted {
                Some(Ok((request, respond))) => {
                    served += 1;
                    streams.spawn(serve_stream(Arc::clone(link), request, respond));
                    if served == config.max_requests_per_connection {
                        connection.graceful_shutdown();
                        times.closing();
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(peer = %link.peer, %error, "connection broken");
                    return "broken";
                }
                None => return ENDED,
            },
            Some(_) = streams.join_next(), if !streams.is_empty() => {}
            () = &mut stop, if !is_stopping => {
                // GOAWAY: no new streams; those that are there have the configured time (§6.8).
                is_stopping = true;
                connection.graceful_shutdown();
                times.closing();
            }
            due = times.due() => match due {
                Due::Pinged => {}
                Due::Idle => {
                    connection.graceful_shutdown();
                    times.closing();
                }
                Due::Silent => return "silent",
                Due::Closed => return "closed",
            },
        }
    }
}
