//! HTTP/2 (RFC 9113), by the crate `h2`, into the same applications as HTTP/1.1.
//!
//! Holds the life of one connection: its streams, each a task; how many there may be; when it is idle, silent or stopped. Does not hold
//! frames, header compression or windows, which are the crate's; nor a stream: what a request is (`request`), its body (`input`), its
//! response (`stream`, `response`), the socket as the crate wants it (`io`).
//!
//! What a client can make us hold is bounded by `max_streams` (calls and heads), by the windows (bodies), and by the crate's own limits for
//! frames that cost us more than them: resets (CVE-2023-44487), small DATA frames, CONTINUATION (CVE-2024-27316), PING and SETTINGS.

mod input;
mod io;
mod line;
mod request;
mod response;
mod stream;
mod times;

use super::room::{Guest, Waiting};
use super::shared::{Entry, Shared};
use super::transport::{Transport, reset_at_close};
use crate::environ::ConnectionFacts;
use ::h2::Reason;
use ::h2::server::{Builder, Connection, SendResponse};
use bytes::{Bytes, BytesMut};
use gateway_fastcgi::net::Peer;
use io::Io;
use line::Line;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;
use stream::serve_stream;
use times::{Due, Times};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What a connection by prior knowledge begins with (§3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The streams of one connection share this.
struct Link {
    shared: Arc<Shared>,
    facts: ConnectionFacts,
    peer: Peer,
    line: Line,
    rest: Mutex<Rest>,
    given_up: Notify,
}

/// Since when nothing has been in progress, and whether somebody else needs the place.
#[derive(Debug, Default)]
struct Rest {
    since: Option<Instant>,
    is_given_up: bool,
}

impl Link {
    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_rest(&self, is_idle: bool) {
        let mut rest = self.rest();
        if is_idle != rest.since.is_some() {
            *rest = Rest { since: is_idle.then(Instant::now), is_given_up: false };
        }
    }

    /// Waits until the place is needed, and may be.
    async fn given_up(&self) {
        while !self.rest().is_given_up {
            self.given_up.notified().await;
        }
    }
}

impl Guest for Link {
    fn waiting(&self) -> Option<(Waiting, Instant)> {
        let rest = self.rest();
        rest.since.filter(|_| !rest.is_given_up).map(|since| (Waiting::ForRequest, since))
    }

    fn give_up(&self) {
        let mut rest = self.rest();
        rest.is_given_up = rest.since.is_some();
        self.given_up.notify_one();
    }
}

type Served = Connection<Io, Bytes>;

/// Serves a connection to its end; `early` is what was read of it before.
pub(super) async fn serve_h2(transport: Transport, early: Bytes, peer: Peer, shared: Arc<Shared>, entry: &Entry) {
    let link = Arc::new(Link {
        facts: transport.facts(peer, shared.config.errors.clone()),
        peer,
        line: Line::new(connection_window(&shared)),
        rest: Mutex::default(),
        given_up: Notify::new(),
        shared,
    });
    let config = &link.shared.config;
    let transport = Arc::new(transport);
    let io = Io::new(Arc::clone(&transport), Arc::clone(&link), early);
    let handshake = tokio::time::timeout(config.handshake_timeout, builder(&link.shared).handshake::<_, Bytes>(io));
    let mut connection = match handshake.await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "connection refused"),
        Err(_) => return tracing::debug!(%peer, "connection refused: nothing came of it in time"),
    };
    let guest: Weak<Link> = Arc::downgrade(&link);
    entry.note_guest(guest);
    let mut streams = JoinSet::new();
    let how = serve_streams(&mut connection, &mut streams, &link).await;
    // What still runs sees that its client has gone; it is waited for, so that a stop does not end before it.
    drop(connection);
    match how {
        How::Ended => {}
        How::Told => linger(&transport, config.linger_timeout).await,
        How::Silent => {
            tracing::warn!(%peer, clause = "RFC 9113 §6.7 (HTTP-174)", "client does not answer a ping");
            // Nobody takes what the system still has.
            reset_at_close(transport.socket());
        }
    }
    drop(transport);
    while streams.join_next().await.is_some() {}
    tracing::debug!(%peer, ?how, "connection closed");
}

/// How a connection comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// The client has gone, or its place is needed.
    Ended,
    /// The client is still to read that this is the end, and why; if it has not closed before.
    Told,
    /// Nobody is there.
    Silent,
}

/// Reads on for a while: bytes that arrive on a closed socket would make the system throw away what the client has not read yet, such
/// as the GOAWAY (HTTP-172).
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
        .initial_connection_window_size(connection_window(shared))
        .max_send_buffer_size(SEND_BUFFER);
    builder
}

/// So many streams may fill their window before all wait for one another.
const CONNECTION_WINDOWS: u32 = 4;

/// What RFC 9113 §6.9.2 begins with, and a server cannot take back.
const LEAST_WINDOW: u32 = 65_535;

fn connection_window(shared: &Shared) -> u32 {
    const LARGEST: u32 = (1 << 31) - 1;
    shared.config.stream_window.saturating_mul(CONNECTION_WINDOWS).clamp(LEAST_WINDOW, LARGEST)
}

/// What one stream may have made that is not written yet.
const SEND_BUFFER: usize = 64 << 10;

/// Takes streams until the connection's end; says how that came.
async fn serve_streams(connection: &mut Served, streams: &mut JoinSet<()>, link: &Arc<Link>) -> How {
    let config = &link.shared.config;
    let most = usize::try_from(config.max_streams).unwrap_or(usize::MAX);
    let mut times = Times::new(connection.ping_pong(), config);
    let stop = link.shared.stop.wanted();
    tokio::pin!(stop);
    let mut is_stopping = false;
    let mut served: u64 = 0;
    loop {
        times.look(streams.is_empty() && !connection.has_streams());
        link.note_rest(times.is_idle());
        let is_awaited = streams.is_empty() && !times.is_idle();
        let is_full = streams.len() >= most;
        let next = poll_fn(|cx| {
            // A client that resets streams does not thereby get more places: those it has are free when their calls have ended.
            let polled = match is_full {
                false => connection.poll_accept(cx),
                true => connection.poll_closed(cx).map(|_| None),
            };
            match polled {
                Poll::Ready(accepted) => Poll::Ready(Next::Accepted(accepted)),
                // The last byte of the last response has been written.
                Poll::Pending if is_awaited && !connection.has_streams() => Poll::Ready(Next::Idle),
                Poll::Pending => Poll::Pending,
            }
        });
        tokio::select! {
            next = next => match next {
                Next::Idle => {}
                Next::Accepted(Some(Ok((_, respond)))) if served >= config.max_requests_per_connection => refuse(respond),
                Next::Accepted(Some(Ok((request, respond)))) => {
                    served += 1;
                    streams.spawn(serve_stream(Arc::clone(link), request, respond));
                    if served == config.max_requests_per_connection {
                        connection.graceful_shutdown();
                        times.closing();
                    }
                }
                Next::Accepted(Some(Err(error))) => {
                    tracing::debug!(peer = %link.peer, %error, "connection broken");
                    return if error.is_io() { How::Ended } else { How::Told };
                }
                Next::Accepted(None) => return How::Told,
            },
            Some(_) = streams.join_next(), if !streams.is_empty() => {}
            () = &mut stop, if !is_stopping => {
                // GOAWAY: no new streams; those that are there have the configured time (§6.8).
                is_stopping = true;
                connection.graceful_shutdown();
                times.closing();
            }
            () = link.given_up() => {
                // GOAWAY says that nothing was done of what may be on its way: the client can ask it elsewhere (§6.8).
                connection.abrupt_shutdown(Reason::NO_ERROR);
                let _ = poll_fn(|cx| Poll::Ready(connection.poll_closed(cx))).await;
                return How::Ended;
            }
            due = times.due(&link.line) => match due {
                Due::Pinged => {}
                Due::Idle => {
                    connection.graceful_shutdown();
                    times.closing();
                }
                Due::Silent => return How::Silent,
                Due::Closed => return How::Told,
            },
        }
    }
}

/// What comes next on a connection.
enum Next<A> {
    /// A stream, or the end.
    Accepted(A),
    /// Nothing is in progress any more.
    Idle,
}

/// A stream beyond `max_requests_per_connection`, by a client that has not heard yet that there was a last one, or does not want to. It may
/// ask again on another connection: nothing was done (§8.7).
fn refuse(mut respond: SendResponse<Bytes>) {
    respond.send_reset(Reason::REFUSED_STREAM);
}
