//! One stream of HTTP/2: a request, its application, its response.
//!
//! Holds the waits: a response is handed on no faster than the client's windows allow, and a client that takes it too slowly is shed. Does
//! not hold what a request is (`request`), its body (`input`), or how far the response is (`response`).

use super::Link;
use super::input::{StreamInput, preread};
use super::line::{Account, Cause, Turn};
use super::request::{Call, Refused, call};
use super::response::{Out, State, lost};
use crate::serve::answer::run;
use crate::serve::carrier::Carrier;
use crate::serve::drive::Outcome;
use crate::serve::interim::{Interim, SendsInterim};
use crate::serve::record::{Recording, Result as Recorded, refused, refusing, wants_times};
use crate::serve::refusal::Refusal;
use crate::serve::request::Arrival;
use crate::serve::shared::Shared;
use crate::serve::upgrade::Upgrade;
use crate::serve::wire::Put;
use bytes::Bytes;
use gateway_fastcgi::net::{Elapsed, Peer, Timer};
use gateway_spec::{Disconnected, Event, FilePart, Headers, PushSink, ResponseHead};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Request, StatusCode};
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tracing::Instrument as _;

/// The way of one response. Its task owns it; inputs and `write` handles share it.
pub(super) struct StreamWire {
    pub(super) link: Arc<Link>,
    /// Counted on its connection.
    pub(super) number: u64,
    state: Mutex<State>,
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
        taking: Account::of_response(&link.shared.config),
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
                match preread(&mut body, &wire.link, timer).await {
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

impl StreamWire {
    fn begin_wait(&self) -> Turn {
        let line = &self.link.line;
        let state = &mut *self.lock();
        let moved = state.moved();
        state.taking.begin(&line.sent, moved, line.why_nothing_goes())
    }

    /// After a wait for room that took as long as it may: resets the stream of a client that takes too little.
    fn goes_on(&self, turn: &Turn) -> io::Result<()> {
        let state = &mut *self.lock();
        let moved = state.moved();
        if state.taking.goes_on(turn, moved, self.link.line.why_nothing_goes()) {
            return Ok(());
        }
        let (peer, stream, clause) = (self.link.peer, self.number, "RFC 9113 §10.5 (HTTP-174)");
        tracing::warn!(%peer, stream, sent = moved, clause, "response is taken too slowly");
        state.reset(Reason::ENHANCE_YOUR_CALM);
        Err(io::ErrorKind::TimedOut.into())
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
        if self.link.shared.config.telemetry.is_some() || wants_times() {
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

    fn interim(this: &Arc<Self>) -> Option<Interim> {
        let way: Weak<Self> = Arc::downgrade(this);
        Some(Interim::new(way, this.number))
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
            let turn = self.begin_wait();
            match timer.within(turn.longest(), poll_fn(|cx| self.poll_room(cx))).await {
                Ok(room) => {
                    self.lock().taking.end(&turn);
                    room?;
                }
                Err(Elapsed) => self.goes_on(&turn)?,
            }
        }
        Ok(())
    }

    fn flush_blocking(&self) -> io::Result<()> {
        while !self.try_flush()? {
            let turn = self.begin_wait();
            match block_on(&self.link.shared, turn.longest(), poll_fn(|cx| self.poll_room(cx))) {
                Err(e) if e.kind() == io::ErrorKind::TimedOut => self.goes_on(&turn)?,
                room => {
                    self.lock().taking.end(&turn);
                    room?;
                }
            }
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

impl SendsInterim for StreamWire {
    /// Not while the client takes nothing: it is not given more and more to hold.
    fn send_interim(&self, request: u64, status: StatusCode, headers: &Headers) -> bool {
        request == self.number
            && self.link.line.why_nothing_goes() != Cause::Line
            && self.lock().send_interim(status, headers)
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

/// Waits on a thread that runs application code, letting the runtime go on without it.
pub(super) fn block_on<T>(
    shared: &Shared,
    limit: Duration,
    ready: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let bounded = async { tokio::time::timeout(limit, ready).await };
    tokio::task::block_in_place(|| shared.runtime.block_on(bounded)).map_err(|_| io::ErrorKind::TimedOut)?
}
