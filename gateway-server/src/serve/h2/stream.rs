//! One stream of HTTP/2: a request, its application, its response.
//!
//! Holds the response as it is handed to the crate, no faster than the client's windows allow. Does not hold what a request is
//! (`request`) or its body (`input`).

use super::Link;
use super::input::{StreamInput, preread};
use super::request::{Call, Refused, call};
use crate::environ::SOFTWARE;
use crate::serve::answer::{Outcome, run};
use crate::serve::carrier::{Carrier, block_on, timed_out};
use crate::serve::date::DateText;
use crate::serve::interim::Interim;
use crate::serve::record::{Recording, Result as Recorded, refused, refusing};
use crate::serve::refusal::Refusal;
use crate::serve::request::Arrival;
use crate::serve::shared::Shared;
use crate::serve::upgrade::Upgrade;
use crate::serve::wire::Put;
use bytes::Bytes;
use gateway_fastcgi::net::{Peer, Timer};
use gateway_spec::{Disconnected, Event, FilePart, Framing, PushSink, ResponseHead};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderValue, Request, Response, StatusCode, header};
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tracing::Instrument as _;

/// The way of one response. Its task owns it; inputs and `write` handles share it.
pub(super) struct StreamWire {
    pub(super) link: Arc<Link>,
    /// Counted on its connection.
    number: u64,
    state: Mutex<State>,
}

/// What the lock guards.
pub(super) struct State {
    out: Out,
    /// A chunk that waits for the client's window.
    chunk: Bytes,
    /// How much of a body of known length is still to be put in.
    left: Option<u64>,
    status: Option<StatusCode>,
    body_bytes: u64,
    called: Option<Instant>,
    /// What spoilt the body of the request.
    pub(super) trouble: Option<Refusal>,
}

enum Out {
    /// Nothing was sent but perhaps `100 Continue`.
    Head(SendResponse<Bytes>),
    Body(SendStream<Bytes>),
    /// The end was sent, or a reset.
    Over,
}

/// The crate lets a reset overtake what was handed to it before: so head and beginning of an answer that broke off get this time to be
/// written.
const RESET_DELAY: Duration = Duration::from_millis(50);

/// Serves one stream to its end.
pub(super) async fn serve_stream(link: Arc<Link>, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
    let (head, body) = request.into_parts();
    let number = u64::from(respond.stream_id().as_u32());
    let state = State {
        out: Out::Head(respond),
        chunk: Bytes::new(),
        left: None,
        status: None,
        body_bytes: 0,
        called: None,
        trouble: None,
    };
    let wire = Arc::new(StreamWire { link: Arc::clone(&link), number, state: Mutex::new(state) });
    let mut timer = Timer::new(link.shared.config.keep_alive_timeout);
    let head_only = head.method == http::Method::HEAD;
    let mut call = match call(&link, &head) {
        Ok(call) => call,
        Err(Refused { refusal, line }) => {
            wire.refuse(refusal, head_only, &mut timer).await;
            let body_bytes = wire.lock().body_bytes;
            return refused(&link.shared, &link.peer, line.as_ref(), body_bytes, refusal);
        }
    };
    drop(head);
    let recording = Recording::begin(&link.shared, &mut call.environ);
    let outcome = answer(&wire, call, body, &mut timer).instrument(recording.span()).await;
    match outcome {
        Outcome::Refused(refusal) => wire.refuse(refusal, head_only, &mut timer).await,
        Outcome::Aborted => {
            tokio::time::sleep(RESET_DELAY).await;
            wire.lock().reset(Reason::INTERNAL_ERROR);
        }
        _ => {}
    }
    recording.end(&link.peer, || wire.result(outcome));
}

async fn answer(wire: &Arc<StreamWire>, call: Call<'_>, mut body: RecvStream, timer: &mut Timer) -> Outcome {
    let Call { handler, environ, length, waits_for_continue } = call;
    let arrival = if body.is_end_stream() {
        Arrival::Empty
    } else {
        let small = length.filter(|length| *length <= wire.shared().config.preread_bytes as u64);
        match (handler, small) {
            (crate::serve::Handler::Sync(_), Some(_)) if !waits_for_continue => {
                match preread(&mut body, wire.shared(), timer).await {
                    Ok(bytes) => Arrival::Whole(bytes),
                    Err(outcome) => return outcome,
                }
            }
            _ => Arrival::Arriving { length },
        }
    };
    let arriving = || StreamInput::new(Arc::clone(wire), body, waits_for_continue);
    run(wire, handler, environ, arrival, arriving, None, timer).await
}

impl StreamWire {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a whole answer of the server's own.
    async fn refuse(&self, refusal: Refusal, head_only: bool, timer: &mut Timer) {
        refusing(&self.link.shared, &self.link.peer, refusal);
        let (head, body) = refusal.answer(head_only);
        self.put(Event::Head(head));
        if !body.is_empty() {
            self.put(Event::Chunk(body));
            // A client that takes no more is no loss here.
            let _ = self.flush(timer).await;
        }
        self.put(Event::End);
    }

    fn result(&self, outcome: Outcome) -> Recorded {
        let State { status, body_bytes, called, .. } = *self.lock();
        Recorded { request: self.number, status, body_bytes, called, outcome }
    }

    /// Waits until the client's window has room.
    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.lock().out {
            Out::Body(send) => send.poll_capacity(cx).map(|room| match room {
                Some(Ok(_)) => Ok(()),
                Some(Err(error)) => Err(lost(error)),
                None => Err(io::ErrorKind::BrokenPipe.into()),
            }),
            Out::Head(_) | Out::Over => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

impl State {
    /// Sends `100 Continue` (HTTP-120), unless the response has begun.
    pub(super) fn send_continue(&mut self) {
        if let Out::Head(respond) = &mut self.out {
            let mut interim = Response::new(());
            *interim.status_mut() = StatusCode::CONTINUE;
            // A client that has gone shows at the next step.
            let _ = respond.send_informational(interim);
        }
    }

    fn put_head(&mut self, head: &ResponseHead, server_field: bool) -> Put {
        let Out::Head(mut respond) = std::mem::replace(&mut self.out, Out::Over) else { return Put::Abort };
        self.status = Some(head.status);
        self.left = match head.framing {
            Framing::None => Some(0),
            Framing::Exact(length) => Some(length),
            Framing::Unknown => None,
        };
        let is_over = self.left == Some(0);
        let Some(response) = response(head, server_field) else {
            respond.send_reset(Reason::INTERNAL_ERROR);
            return Put::Abort;
        };
        match respond.send_response(response, is_over) {
            Ok(_) if is_over => Put::More,
            Ok(send) => {
                self.out = Out::Body(send);
                Put::More
            }
            Err(_) => Put::Abort,
        }
    }

    fn put_chunk(&mut self, chunk: Bytes) -> Put {
        let length = chunk.len() as u64;
        if self.left.is_some_and(|left| length > left) || !self.chunk.is_empty() {
            return Put::Abort;
        }
        self.left = self.left.map(|left| left - length);
        self.body_bytes += length;
        self.chunk = chunk;
        Put::Flush
    }

    fn put_end(&mut self) -> Put {
        match std::mem::replace(&mut self.out, Out::Over) {
            Out::Over => Put::End,
            Out::Body(mut send) if self.left.unwrap_or(0) == 0 => match send.send_data(Bytes::new(), true) {
                Ok(()) => Put::End,
                Err(_) => Put::Abort,
            },
            other => {
                self.out = other;
                Put::Abort
            }
        }
    }

    /// Breaks the response off: the client can tell it from an end (HTTP-159).
    fn reset(&mut self, reason: Reason) {
        match std::mem::replace(&mut self.out, Out::Over) {
            Out::Head(mut respond) => respond.send_reset(reason),
            Out::Body(mut send) => send.send_reset(reason),
            Out::Over => {}
        }
        self.chunk = Bytes::new();
    }

    /// Hands on what the client's window takes. What is handed on is written by the connection's task.
    fn try_flush(&mut self) -> io::Result<bool> {
        while !self.chunk.is_empty() {
            let Out::Body(send) = &mut self.out else { return Err(io::ErrorKind::BrokenPipe.into()) };
            send.reserve_capacity(self.chunk.len());
            let room = send.capacity().min(self.chunk.len());
            if room == 0 {
                return Ok(false);
            }
            let piece = self.chunk.split_to(room);
            let is_last = self.chunk.is_empty() && self.left == Some(0);
            send.send_data(piece, is_last).map_err(lost)?;
            if is_last {
                self.out = Out::Over;
            }
        }
        Ok(true)
    }
}

/// A head as the crate wants it, with Date (HTTP-151) and perhaps Server; nothing if it has more fields than a map holds.
fn response(head: &ResponseHead, server_field: bool) -> Option<Response<()>> {
    let mut response = Response::new(());
    *response.status_mut() = head.status;
    let fields = response.headers_mut();
    for (name, value) in &head.headers {
        fields.try_append(name.clone(), value.clone()).ok()?;
    }
    if !fields.contains_key(header::DATE) {
        let date = HeaderValue::from_bytes(&DateText::new().now()).ok()?;
        fields.try_append(header::DATE, date).ok()?;
    }
    if server_field && !fields.contains_key(header::SERVER) {
        fields.try_append(header::SERVER, HeaderValue::from_static(SOFTWARE)).ok()?;
    }
    Some(response)
}

fn lost(error: h2::Error) -> io::Error {
    match error.get_io() {
        Some(cause) => cause.kind().into(),
        None => io::Error::new(io::ErrorKind::BrokenPipe, error),
    }
}

impl Carrier for StreamWire {
    fn shared(&self) -> &Shared {
        &self.link.shared
    }

    fn peer(&self) -> Peer {
        self.link.peer
    }

    fn trouble(&self) -> Option<Refusal> {
        self.lock().trouble
    }

    fn note_called(&self) {
        if self.link.shared.config.telemetry.is_some() {
            self.lock().called = Some(Instant::now());
        }
    }

    fn put(&self, event: Event) -> Put {
        let state = &mut *self.lock();
        match event {
            Event::Head(head) => state.put_head(&head, self.link.shared.config.server_field),
            Event::Chunk(chunk) => state.put_chunk(chunk),
            Event::Nothing => Put::Nothing,
            Event::End => state.put_end(),
            // The reset comes from whoever serves the stream.
            Event::Abort => Put::Abort,
        }
    }

    /// What is framed has to come through here.
    fn sendable(&self, _: impl FnOnce() -> Option<FilePart>) -> Option<FilePart> {
        None
    }

    fn put_file(&self, _: FilePart) -> Put {
        Put::Abort
    }

    fn interim(_: &Arc<Self>) -> Option<Interim> {
        None
    }

    /// There is no 101 in HTTP/2 (RFC 9113 §8.6), and nobody was offered one.
    async fn switch(_: &Arc<Self>, _: ResponseHead, _: &Upgrade, _: &mut Timer) -> Outcome {
        Outcome::Aborted
    }

    fn try_flush(&self) -> io::Result<bool> {
        self.lock().try_flush()
    }

    async fn flush(&self, timer: &mut Timer) -> io::Result<()> {
        while !self.try_flush()? {
            let limit = self.link.shared.config.write_timeout;
            timer.within(limit, poll_fn(|cx| self.poll_room(cx))).await.map_err(timed_out)??;
        }
        Ok(())
    }

    fn flush_blocking(&self) -> io::Result<()> {
        while !self.try_flush()? {
            let limit = self.link.shared.config.write_timeout;
            block_on(&self.link.shared, limit, poll_fn(|cx| self.poll_room(cx)))?;
        }
        Ok(())
    }

    fn is_peer_gone(&self) -> bool {
        self.poll_peer_gone(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// RST_STREAM, or the end of the connection.
    fn poll_peer_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.lock().out {
            Out::Head(respond) => respond.poll_reset(cx).map(drop),
            Out::Body(send) => send.poll_reset(cx).map(drop),
            Out::Over => Poll::Pending,
        }
    }
}

/// `write`, the imperative form: everything is with the connection's task before it returns (PEP-121).
impl PushSink for StreamWire {
    fn push(&self, event: Event) -> Result<(), Disconnected> {
        match self.put(event) {
            Put::More => Ok(()),
            Put::Flush | Put::Nothing => self.flush_blocking().map_err(|_| Disconnected),
            Put::End | Put::Abort => Err(Disconnected),
        }
    }
}
