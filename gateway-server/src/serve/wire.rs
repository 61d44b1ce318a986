//! One connection as everybody who works on it sees it: socket, machine, and what waits to be written.
//!
//! Holds the attempts, which never wait, and the two ways of waiting around them: asynchronous, for the connection's task,
//! and blocking, for application code on a thread that may block. The lock is held for an attempt, never while waiting and
//! never while application code runs.

use super::answer::Outcome;
use super::carrier::block_on;
use super::date::DateText;
use super::half_close::HalfClose;
use super::outbox::Outbox;
use super::pace::{Pace, Rule, Wait};
use super::record::{RefusedLine, Result as Recorded};
use super::refusal::Refusal;
use super::room::{Guest, Waiting};
use super::shared::Shared;
use super::transport::Transport;
use crate::environ::{ConnectionFacts, SOFTWARE};
use crate::h1::{AfterResponse, Connection, NextCycle, Stamp};
use gateway_fastcgi::net::Peer;
use gateway_fastcgi::net::{Elapsed, Timer};
use gateway_spec::{Disconnected, Event, FilePart, PushSink, ResponseHead};
use http::StatusCode;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// A connection. Its task owns it; inputs and `write` handles share it.
pub(super) struct Wire {
    pub(super) stream: Transport,
    pub(super) shared: Arc<Shared>,
    pub(super) facts: ConnectionFacts,
    pub(super) peer: Peer,
    state: Mutex<State>,
    /// The last wait for a request or the rest of its head, to be ended by a graceful stop or to make room.
    pause: Mutex<Option<Pause>>,
}

struct Pause {
    waiting: Waiting,
    since: Instant,
    waker: Waker,
    is_given_up: bool,
}

/// What the lock guards.
pub(super) struct State {
    pub(super) machine: Connection,
    pub(super) out: Outbox,
    date: DateText,
    /// The decoded path of the request in progress.
    pub(super) path: Vec<u8>,
    /// Counts requests, so that an input that outlives its request reads nothing of the next one.
    pub(super) request: u64,
    server_field: bool,
    /// What spoilt the body of the request in progress.
    pub(super) trouble: Option<Refusal>,
    pub(super) status: Option<StatusCode>,
    pub(super) body_bytes: u64,
    /// When the application was called, if somebody is to be told.
    pub(super) called: Option<std::time::Instant>,
    /// What was asked for, if it is refused and somebody is to be told.
    pub(super) refused_line: Option<RefusedLine>,
    /// How the client sends the body of the request in progress, and takes the response.
    sending: Pace,
    taking: Pace,
    half_close: HalfClose,
}

/// What is to be done after an event was put into the outbox.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// Ask for the next event.
    More,
    /// Write everything out first (PEP-100).
    Flush,
    /// Write everything out, look at the peer, and ask again after a while.
    Nothing,
    /// The response is complete.
    End,
    /// The response is broken off, by the application or because it cannot be carried.
    Abort,
}

/// What to do after a response before the next request can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Write everything out.
    Flush,
    /// Read the rest of the body away, and ask again.
    Drain,
    /// Write everything out, and close.
    Close,
}

/// What became of a wait for bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    Bytes,
    /// The peer sends no more.
    End,
    /// The server is stopping and nothing was in progress, or the place is needed.
    Stop,
    Timeout,
    Lost,
}

/// Room for a usual head, or some that follow each other.
const HEAD_ROOM: usize = 16 << 10;

/// Room for bodies: fewer system calls for large ones.
const BODY_ROOM: usize = 64 << 10;

impl Wire {
    pub(super) fn new(stream: Transport, peer: Peer, shared: Arc<Shared>) -> Self {
        let facts = stream.facts(peer, shared.config.errors.clone());
        let state = State {
            machine: Connection::new(shared.config.limits.clone()).scheme(facts.scheme()),
            out: Outbox::default(),
            date: DateText::new(),
            path: Vec::new(),
            request: 1,
            server_field: shared.config.server_field,
            trouble: None,
            status: None,
            body_bytes: 0,
            called: None,
            refused_line: None,
            sending: Pace::from_first_byte(),
            taking: Pace::default(),
            half_close: HalfClose::default(),
        };
        Self { stream, shared, facts, peer, state: Mutex::new(state), pause: Mutex::new(None) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics; and each field would be valid by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts one event of a response into the outbox.
    pub(super) fn put(&self, event: Event) -> Put {
        let state = &mut *self.lock();
        state.put(event, self.after_response(state.request))
    }

    /// Puts in an event and, before it, the head that waited for it, and writes what the socket takes: all under one lock.
    pub(super) fn send(&self, head: Option<ResponseHead>, event: Event) -> io::Result<Put> {
        let state = &mut *self.lock();
        let after = self.after_response(state.request);
        let put = match head.map_or(Put::More, |head| state.put_head(&head, after)) {
            Put::More => state.put(event, after),
            trouble => trouble,
        };
        match put {
            Put::Flush if state.out.try_flush(&self.stream)? => Ok(Put::More),
            put => Ok(put),
        }
    }

    /// Asks for a part of a file, where the connection can send one.
    pub(super) fn sendable(&self, take: impl FnOnce() -> Option<FilePart>) -> Option<FilePart> {
        if self.stream.sends_files() { take() } else { None }
    }

    /// Puts what is left of a file into the outbox, which is empty.
    pub(super) fn put_file(&self, part: FilePart) -> Put {
        let state = &mut *self.lock();
        state.body_bytes += part.length();
        let length = usize::try_from(part.length()).unwrap_or(usize::MAX);
        let Ok(tail) = state.machine.send_data(length, &mut state.out.bytes) else { return Put::Abort };
        if length > 0 {
            state.out.put_file(part, tail);
        }
        Put::Flush
    }

    /// Puts a whole answer of the server's own.
    pub(super) fn refuse(&self, refusal: Refusal, head_only: bool) -> Put {
        let state = &mut *self.lock();
        let (head, body) = refusal.answer(head_only);
        let after = if refusal.keeps_open() { self.after_response(state.request) } else { AfterResponse::Close };
        state.body_bytes = body.len() as u64;
        if state.put_head(&head, after) == Put::Abort {
            return Put::Abort;
        }
        if !body.is_empty() {
            let Ok(tail) = state.machine.send_data(body.len(), &mut state.out.bytes) else { return Put::Abort };
            state.out.put(body, tail);
        }
        if state.machine.send_end(&mut state.out.bytes).is_ok() { Put::End } else { Put::Abort }
    }

    fn after_response(&self, request: u64) -> AfterResponse {
        let last = request >= self.shared.config.max_requests_per_connection;
        if last || self.shared.is_stopping() { AfterResponse::Close } else { AfterResponse::KeepOpen }
    }

    /// Begins the next request, which is to be looked at under the same lock; from here on the inputs of the last one are cut off.
    pub(super) fn next_cycle(&self) -> Result<MutexGuard<'_, State>, Before> {
        let mut state = self.lock();
        let next = state.machine.start_next_cycle();
        if next == NextCycle::Drain {
            return Err(Before::Drain);
        }
        state.request += 1;
        state.sending = Pace::from_first_byte();
        state.taking = Pace::default();
        match next {
            NextCycle::Ready if state.out.is_full() => Err(Before::Flush),
            NextCycle::Ready => Ok(state),
            NextCycle::Drain | NextCycle::Close => Err(Before::Close),
        }
    }

    /// Writes what the socket takes; true when everything is gone.
    pub(super) fn try_flush(&self) -> io::Result<bool> {
        self.lock().out.try_flush(&self.stream)
    }

    /// Writes everything out, however long it takes, as long as the peer takes it at the pace that is asked of it.
    pub(super) async fn flush(&self, timer: &mut Timer) -> io::Result<()> {
        while !self.try_flush()? {
            let wait = self.wait_for_room();
            match timer.within(wait.longest, self.stream.writable()).await {
                Ok(ready) => {
                    self.lock().taking.end(&wait);
                    ready?;
                }
                Err(Elapsed) => self.takes_anything(&wait)?,
            }
        }
        Ok(())
    }

    /// [`Wire::flush`] for threads that may block.
    pub(super) fn flush_blocking(&self) -> io::Result<()> {
        while !self.try_flush()? {
            let wait = self.wait_for_room();
            match block_on(&self.shared, wait.longest, self.stream.writable()) {
                Err(e) if e.kind() == io::ErrorKind::TimedOut => self.takes_anything(&wait)?,
                ready => {
                    self.lock().taking.end(&wait);
                    ready?;
                }
            }
        }
        Ok(())
    }

    fn wait_for_room(&self) -> Wait {
        let state = &mut *self.lock();
        state.taking.begin(Rule::of_responses(&self.shared.config), self.taken(state))
    }

    /// How much the peer has taken. Under TLS what is written counts too: that may go on while nothing more is taken into it.
    fn taken(&self, state: &State) -> u64 {
        state.out.taken() + self.stream.written()
    }

    /// After a wait without room: has the peer taken anything all the same, and enough of it?
    ///
    /// Otherwise the connection is reset, so that the system does not go on sending what nobody takes.
    fn takes_anything(&self, wait: &Wait) -> io::Result<()> {
        let state = &mut *self.lock();
        state.taking.end(wait);
        let before = self.taken(state);
        self.stream.insist(true);
        let flushed = state.out.try_flush(&self.stream);
        self.stream.insist(false);
        flushed?;
        let taken = self.taken(state);
        if taken > before && !state.taking.left(Rule::of_responses(&self.shared.config), taken).is_zero() {
            return Ok(());
        }
        tracing::warn!(peer = %self.peer, sent = state.body_bytes, clause = "RFC 9112 §9.5 (HTTP-174)", "response is taken too slowly");
        let _ = socket2::SockRef::from(self.stream.socket()).set_linger(Some(Duration::ZERO));
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Begins a wait for more of the body, to be ended with [`Wire::end_wait_for_body`].
    pub(super) fn wait_for_body(&self) -> Wait {
        let state = &mut *self.lock();
        state.sending.begin(Rule::of_bodies(&self.shared.config), state.machine.body_arrived())
    }

    pub(super) fn end_wait_for_body(&self, wait: &Wait) {
        self.lock().sending.end(wait);
    }

    /// Waits for bytes of a body.
    pub(super) async fn receive(&self, timer: &mut Timer, deadline: Instant) -> Received {
        loop {
            match self.lock().try_fill(&self.stream) {
                Ok(Some(0)) => return Received::End,
                Ok(Some(_)) => return Received::Bytes,
                Ok(None) => {}
                Err(_) => return Received::Lost,
            }
            match timer.until(deadline, self.stream.readable()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Received::Lost,
                Err(Elapsed) => return Received::Timeout,
            }
        }
    }

    /// Waits, since then, for a request or the rest of its head; what has arrived is to be looked at under the same lock. The first ends
    /// at a graceful stop, and both where their place is needed.
    pub(super) async fn receive_head(
        &self,
        timer: &mut Timer,
        deadline: Instant,
        waiting: Waiting,
        since: Instant,
    ) -> Result<MutexGuard<'_, State>, Received> {
        let mut tries = self.stream.reads_ahead();
        loop {
            if tries {
                let mut state = self.lock();
                match state.try_fill(&self.stream) {
                    // The end is the machine's to judge: between requests it is no error.
                    Ok(Some(read)) => {
                        if read > 0 && waiting == Waiting::ForRequest {
                            tracing::trace!(target: "gateway::marks", mark = "received");
                        }
                        return Ok(state);
                    }
                    Ok(None) => {}
                    Err(_) => return Err(Received::Lost),
                }
            }
            tries = true;
            match timer.until(deadline, self.readable_or_stop(waiting, since)).await {
                Ok(Some(Ok(()))) => {}
                Ok(Some(Err(_))) => return Err(Received::Lost),
                Ok(None) => return Err(Received::Stop),
                Err(Elapsed) => return Err(Received::Timeout),
            }
        }
    }

    /// Between requests the connection's task is the only one that waits, so the socket's single place for a waker will do.
    async fn readable_or_stop(&self, waiting: Waiting, since: Instant) -> Option<io::Result<()>> {
        poll_fn(|cx| {
            if let Poll::Ready(ready) = self.stream.poll_read_ready(cx) {
                return Poll::Ready(Some(ready));
            }
            let is_given_up = self.note_pause(waiting, since, cx.waker());
            // Looked at after the waker is in its place: a stop either is seen here or finds the waker.
            let stops = waiting == Waiting::ForRequest && self.shared.is_stopping();
            if is_given_up || stops { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }

    /// Notes a wait; true if it has been given up since it began.
    fn note_pause(&self, waiting: Waiting, since: Instant, waker: &Waker) -> bool {
        let mut pause = self.pause();
        match &mut *pause {
            Some(pause) => {
                pause.is_given_up &= (pause.waiting, pause.since) == (waiting, since);
                (pause.waiting, pause.since) = (waiting, since);
                pause.waker.clone_from(waker);
                pause.is_given_up
            }
            None => {
                *pause = Some(Pause { waiting, since, waker: waker.clone(), is_given_up: false });
                false
            }
        }
    }

    fn pause(&self) -> MutexGuard<'_, Option<Pause>> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the peer gone?
    pub(super) fn is_peer_gone(&self) -> bool {
        self.lock().half_close.is_peer_gone(self.stream.socket(), self.shared.config.half_close_timeout)
    }

    /// Notes that the application is called now, if somebody is to be told.
    pub(super) fn note_called(&self) {
        if self.shared.config.telemetry.is_some() {
            self.lock().called = Some(std::time::Instant::now());
        }
    }

    /// What came of the request in progress.
    pub(super) fn result(&self, outcome: Outcome) -> Recorded {
        let state = self.lock();
        let State { request, status, body_bytes, called, .. } = *state;
        Recorded { request, status, body_bytes, called, outcome }
    }
}

impl Guest for Wire {
    /// What the connection waits for, and since when, if nobody answers anything on it.
    fn waiting(&self) -> Option<(Waiting, Instant)> {
        let waiting = {
            let state = self.lock();
            match (state.machine.is_idle(), state.machine.is_in_head()) {
                (true, _) => Waiting::ForRequest,
                (false, true) => Waiting::ForHead,
                (false, false) => return None,
            }
        };
        let pause = self.pause();
        // A pause that is over looks like this one only if it begins again at once.
        pause
            .as_ref()
            .filter(|pause| pause.waiting == waiting && !pause.is_given_up)
            .map(|pause| (waiting, pause.since))
    }

    /// Ends the wait for a request or the rest of its head, if it still goes on.
    fn give_up(&self) {
        if let Some(pause) = &mut *self.pause() {
            pause.is_given_up = true;
            pause.waker.wake_by_ref();
        }
    }

    /// Wakes the connection's task if it waits for a request.
    fn wake_idle(&self) {
        if let Some(pause) = &*self.pause() {
            pause.waker.wake_by_ref();
        }
    }

    /// Cuts the connection, whoever works on it: their next attempt fails.
    fn cut(&self) {
        let _ = rustix::net::shutdown(self.stream.socket(), rustix::net::Shutdown::Both);
    }
}

impl State {
    fn put(&mut self, event: Event, after: AfterResponse) -> Put {
        match event {
            Event::Head(head) => self.put_head(&head, after),
            Event::Chunk(chunk) => {
                self.body_bytes += chunk.len() as u64;
                let Ok(tail) = self.machine.send_data(chunk.len(), &mut self.out.bytes) else { return Put::Abort };
                self.out.put(chunk, tail);
                // While further requests are here already, complete small responses are gathered into one write.
                let gathers = self.machine.is_body_complete() && self.machine.buffered() > 0;
                if gathers && !self.out.is_full() { Put::More } else { Put::Flush }
            }
            Event::Nothing => Put::Nothing,
            Event::End => match self.machine.send_end(&mut self.out.bytes) {
                Ok(()) => Put::End,
                Err(_) => Put::Abort,
            },
            Event::Abort => {
                self.machine.send_abort();
                Put::Abort
            }
        }
    }

    fn put_head(&mut self, head: &ResponseHead, after: AfterResponse) -> Put {
        tracing::trace!(target: "gateway::marks", mark = "answered");
        let date = self.date.now();
        let server = self.server_field.then_some(SOFTWARE.as_bytes());
        let stamp = Stamp { date: &date, server };
        self.status = Some(head.status);
        match self.machine.send_head(head, after, stamp, &mut self.out.bytes) {
            Ok(()) => Put::More,
            Err(_) => Put::Abort,
        }
    }

    /// Reads what is there: how many bytes, 0 at the end of input, `None` if nothing is there yet.
    pub(super) fn try_fill(&mut self, stream: &Transport) -> io::Result<Option<usize>> {
        loop {
            let read = match self.machine.body_left() {
                Some(0) => self.try_read_head(stream),
                _ => stream.try_read_buf(self.machine.receive_buffer(BODY_ROOM)),
            };
            return match read {
                Ok(0) => {
                    self.machine.receive_end();
                    Ok(Some(0))
                }
                Ok(read) => Ok(Some(read)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => Err(e),
            };
        }
    }

    /// Reads by way of a buffer of the thread's: a head is small and soon copied, and a connection that waits for one, as most do,
    /// holds no room of its own for it.
    fn try_read_head(&mut self, stream: &Transport) -> io::Result<usize> {
        thread_local! {
            static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; HEAD_ROOM].into());
        }
        ROOM.with_borrow_mut(|room| {
            let read = stream.try_read_buf(&mut &mut room[..])?;
            self.machine.receive(room.get(..read).unwrap_or_default());
            Ok(read)
        })
    }
}

/// `write`, the imperative form: everything is with the system before it returns (PEP-121).
impl PushSink for Wire {
    fn push(&self, event: Event) -> Result<(), Disconnected> {
        match self.put(event) {
            Put::More => Ok(()),
            Put::Flush | Put::Nothing => self.flush_blocking().map_err(|_| Disconnected),
            Put::End | Put::Abort => Err(Disconnected),
        }
    }
}
