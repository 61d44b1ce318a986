//! One connection that several requests share (FCGI_MPXS_CONNS, FastCGI 1.0 §3.3).
//!
//! Holds the machine behind a lock, which requests send through, and the task that reads and hands out what comes. Does not
//! hold what a request makes of it (`sharing`), what waits for a slow one (`mailbox`), or how many such connections there are
//! (`pool`).

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::time::{Instant, Sleep, sleep_until};

use super::mailbox::{Fate, Loss, Mailbox, Window};
use super::places::Place;
use super::pool::Pool;
use super::{Config, Request};
use crate::connection::{ClientConnection, ClientEvent, SendError};
use crate::net::Stream;
use crate::protocol::{BeginRequest, RequestId};

/// A connection and the requests on it.
pub(super) struct SharedConnection {
    stream: Stream,
    config: Arc<Config>,
    state: Mutex<State>,
}

struct State {
    machine: ClientConnection,
    routes: Vec<Route>,
    /// Requests that have more to send, the first first.
    senders: VecDeque<Waker>,
    /// The task that reads.
    driver: Option<Waker>,
    /// Bytes that the system took so far: what a request is known by to be unsent.
    written: u64,
    /// It takes no more requests, and is closed after its last.
    is_retired: bool,
    is_lost: bool,
    /// Whether somebody has told the pool of the loss.
    is_noted: bool,
    /// What the system said when it took no more.
    broken: Option<io::ErrorKind>,
    /// Whether a request has ended on it.
    has_served: bool,
    born: Instant,
    idle_since: Instant,
}

/// Where the output of one request goes.
struct Route {
    id: RequestId,
    mailbox: Arc<Mailbox>,
    /// When ABORT_REQUEST was sent.
    aborted: Option<Instant>,
    /// The place of a request that nobody waits for any more, until the worker has ended it.
    _place: Option<Place>,
}

/// A request that has begun on a shared connection.
pub(super) struct Shared {
    pub(super) id: RequestId,
    pub(super) mailbox: Arc<Mailbox>,
    /// Where its bytes begin among all that are written.
    pub(super) starts_at: u64,
}

/// First read; most answers are short.
const ROOM: usize = 16 * 1024;

/// So much is collected before senders have to wait.
const WRITE_TOGETHER: usize = 64 * 1024;

/// Reads before other tasks get their turn.
const MAX_READS: usize = 16;

/// How long a worker has to end a request after ABORT_REQUEST (FCGI-79). After that its connection gets no new requests, for it
/// may be that it knows no ABORT_REQUEST and will have the id for ever.
const ABORT_PATIENCE: Duration = Duration::from_secs(10);

impl SharedConnection {
    /// Starts the task that reads. It ends with the connection.
    pub(super) fn start(stream: Stream, max_requests: u16, config: &Arc<Config>, pool: Weak<Pool>) -> Arc<Self> {
        let now = Instant::now();
        let state = State {
            machine: ClientConnection::multiplexing(max_requests),
            routes: Vec::new(),
            senders: VecDeque::new(),
            driver: None,
            written: 0,
            is_retired: false,
            is_lost: false,
            is_noted: false,
            broken: None,
            has_served: false,
            born: now,
            idle_since: now,
        };
        let shared = Arc::new(Self { stream, config: Arc::clone(config), state: Mutex::new(state) });
        tokio::spawn(drive(Arc::clone(&shared), pool));
        shared
    }

    /// How many requests are on it; `None` if it takes no more.
    pub(super) fn load(&self) -> Option<usize> {
        let state = self.state();
        let is_young = state.born.elapsed() < self.config.max_connection_age;
        (!state.is_retired && is_young && state.machine.has_room()).then(|| state.routes.len())
    }

    /// Takes no further request, and closes after the last.
    pub(super) fn retire(&self) {
        let mut state = self.state();
        state.is_retired = true;
        state.wake_driver();
    }

    /// Begins a request; `None` if it takes no more. Nothing is written before [`SharedConnection::flush`].
    ///
    /// # Errors
    /// A variable cannot be sent.
    pub(super) fn begin(&self, request: &Request, mailbox: Mailbox) -> Result<Option<Shared>, SendError> {
        let mut state = self.state();
        if state.is_retired || !state.machine.has_room() {
            return Ok(None);
        }
        let starts_at = state.written + state.machine.output().remaining() as u64;
        let begin = BeginRequest { role: request.role, keep_connection: true };
        let id = state.machine.send_with_parameters(begin, request.variables.parameters())?;
        let mailbox = Arc::new(mailbox);
        state.routes.push(Route { id, mailbox: Arc::clone(&mailbox), aborted: None, _place: None });
        Ok(Some(Shared { id, mailbox, starts_at }))
    }

    /// Is there room for more of a body? If not, the caller is woken when there is.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.has_room() {
            return Poll::Ready(());
        }
        self.write(&mut state);
        if state.has_room() {
            return Poll::Ready(());
        }
        if !state.senders.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.senders.push_back(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Sends a piece of the body, or its end.
    ///
    /// # Errors
    /// [`SendError::Inactive`]: the worker has ended the request, or the connection is lost.
    pub(super) fn send(&self, request: &Shared, piece: Option<Bytes>) -> Result<(), SendError> {
        let mut state = self.state();
        // The id may be another request's by now.
        if state.route(request).is_none() {
            return Err(SendError::Inactive(request.id));
        }
        match piece {
            Some(piece) => state.machine.send_stdin(request.id, piece),
            None => state.machine.end_stdin(request.id),
        }
    }

    /// Writes what there is, and lets the next sender in.
    pub(super) fn flush(&self) {
        let mut state = self.state();
        self.write(&mut state);
        state.wake_a_sender();
    }

    /// Whether a byte of the request went out.
    pub(super) fn is_sent(&self, request: &Shared) -> bool {
        self.state().written > request.starts_at
    }

    /// Whether the connection had been of use before. Such a one may have been dead already.
    pub(super) fn has_served(&self) -> bool {
        self.state().has_served
    }

    /// Whether this is the first to tell of the loss.
    pub(super) fn note_loss(&self) -> bool {
        !std::mem::replace(&mut self.state().is_noted, true)
    }

    /// Nobody waits for this request any more: the worker is told, and the others go on.
    pub(super) fn abandon(&self, request: &Shared, place: Option<Place>) {
        let mut state = self.state();
        if state.route(request).is_none() {
            return;
        }
        state.abort(request.id);
        if let Some(route) = state.route(request) {
            route._place = place;
        }
        self.write(&mut state);
        // Its deadline is a new one.
        state.wake_driver();
        state.wake_a_sender();
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes as much as the system takes; the rest is left to the driver.
    fn write(&self, state: &mut State) {
        loop {
            let output = state.machine.output();
            if !output.has_remaining() {
                return;
            }
            if state.broken.is_some() {
                output.advance(output.remaining());
                return;
            }
            let mut slices = [IoSlice::new(&[]); 16];
            let filled = output.chunks_vectored(&mut slices);
            match self.stream.try_write_vectored(slices.get(..filled).unwrap_or_default()) {
                Ok(0) => state.broken = Some(io::ErrorKind::WriteZero),
                Ok(written) => {
                    output.advance(written);
                    state.written += written as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return state.wake_driver(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // Answers may come all the same; reading finds the end.
                Err(e) => state.broken = Some(e.kind()),
            }
        }
    }

    fn poll_drive(&self, cx: &mut Context<'_>, timer: Pin<&mut Sleep>) -> Poll<()> {
        let mut state = self.state();
        for _ in 0..MAX_READS {
            state.driver = None;
            self.write(&mut state);
            while state.machine.output().has_remaining() {
                match self.stream.poll_write_ready(cx) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(())) => self.write(&mut state),
                    Poll::Ready(Err(e)) => state.broken = Some(e.kind()),
                }
            }
            state.wake_a_sender();
            if state.is_over() {
                return Poll::Ready(());
            }
            let read = match self.stream.try_read_buf(state.machine.input(ROOM)) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => match self.stream.poll_read_ready(cx) {
                    Poll::Pending => return self.poll_time(&mut state, cx, timer),
                    Poll::Ready(ready) => ready.map(|()| None),
                },
                Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(None),
                other => other.map(Some),
            };
            match read {
                Ok(None) => {}
                Ok(Some(0)) => {
                    state.machine.receive_end();
                    state.hand_out();
                    state.lose(Loss::Gone(None));
                }
                Ok(Some(_)) => state.hand_out(),
                Err(e) => state.lose(Loss::Gone(Some(e.kind()))),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Nothing moves: how long may that last?
    fn poll_time(&self, state: &mut State, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        state.driver = Some(cx.waker().clone());
        loop {
            let now = Instant::now();
            let deadline = state.deadline(&self.config);
            if deadline <= now {
                state.is_retired = true;
                if state.routes.iter().all(|route| route.aborted.is_some_and(|at| now >= at + ABORT_PATIENCE)) {
                    state.lose(Loss::Gone(None));
                    return Poll::Ready(());
                }
            }
            let wake_at = if deadline > now { deadline } else { now + ABORT_PATIENCE };
            if timer.deadline() != wake_at {
                timer.as_mut().reset(wake_at);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// Reads until the connection is over.
async fn drive(shared: Arc<SharedConnection>, pool: Weak<Pool>) {
    let mut timer = Box::pin(sleep_until(Instant::now()));
    poll_fn(|cx| shared.poll_drive(cx, timer.as_mut())).await;
    shared.stream.shutdown();
    if let Some(pool) = pool.upgrade() {
        pool.forget(&shared);
    }
}

impl State {
    fn has_room(&mut self) -> bool {
        self.broken.is_some() || self.is_lost || self.machine.output().remaining() < WRITE_TOGETHER
    }

    fn is_over(&self) -> bool {
        self.is_lost || (self.is_retired && self.routes.is_empty())
    }

    fn route(&mut self, request: &Shared) -> Option<&mut Route> {
        self.routes.iter_mut().find(|route| Arc::ptr_eq(&route.mailbox, &request.mailbox))
    }

    /// Hands out what the bytes that are here mean.
    fn hand_out(&mut self) {
        loop {
            match self.machine.next_event() {
                Ok(Some(ClientEvent::Stdout { id, data })) => self.output(id, data),
                Ok(Some(ClientEvent::Stderr { id, data })) => {
                    if let Some(route) = self.routes.iter().find(|route| route.id == id) {
                        route.mailbox.put_error_output(&data);
                    }
                }
                Ok(Some(ClientEvent::End { id, end })) => {
                    if let Some(at) = self.routes.iter().position(|route| route.id == id) {
                        self.routes.swap_remove(at).mailbox.put_fate(Fate::Ended(end));
                    }
                    self.has_served = true;
                    self.idle_since = Instant::now();
                }
                Ok(Some(ClientEvent::StdoutEnd(_) | ClientEvent::Values(_) | ClientEvent::UnknownType(_))) => {}
                Ok(None) => return,
                // The end of the connection is the caller's to tell.
                Err(crate::protocol::ProtocolError::Truncated { .. }) => return,
                Err(error) => return self.lose(Loss::Protocol(error)),
            }
        }
    }

    fn output(&mut self, id: RequestId, data: Bytes) {
        let Some(route) = self.routes.iter().find(|route| route.id == id && route.aborted.is_none()) else { return };
        if route.mailbox.put_output(data) == Window::Full {
            self.abort(id);
        }
    }

    fn abort(&mut self, id: RequestId) {
        // It is active, for it has a route.
        let _ = self.machine.send_abort(id);
        if let Some(route) = self.routes.iter_mut().find(|route| route.id == id) {
            route.aborted.get_or_insert_with(Instant::now);
        }
    }

    /// Every request on it is over.
    fn lose(&mut self, loss: Loss) {
        let loss = match (loss, self.broken) {
            (Loss::Gone(None), Some(kind)) => Loss::Gone(Some(kind)),
            (loss, _) => loss,
        };
        self.is_lost = true;
        self.is_retired = true;
        for route in self.routes.drain(..) {
            route.mailbox.put_fate(Fate::Lost(loss.clone()));
        }
        self.senders.drain(..).for_each(Waker::wake);
    }

    fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    /// One at a time, so that all get their turn: whoever is done wakes the next.
    fn wake_a_sender(&mut self) {
        if self.has_room()
            && let Some(sender) = self.senders.pop_front()
        {
            sender.wake();
        }
    }

    /// When the connection has lasted long enough as it is.
    fn deadline(&self, config: &Config) -> Instant {
        let far = self.born + Duration::from_secs(365 * 24 * 3600);
        let old = self.born.checked_add(config.max_connection_age).unwrap_or(far);
        if self.routes.is_empty() {
            return self.idle_since.checked_add(config.idle_timeout).unwrap_or(far).min(old);
        }
        let aborted = self.routes.iter().filter_map(|route| route.aborted).min();
        aborted.map_or(old, |at| (at + ABORT_PATIENCE).min(old))
    }
}
