//! Socket, machine and unsent bytes of a connection: what goes out.
//!
//! A thread serves the connection, but the request body and the `write` handle are in the application's hands, which may give them
//! to other threads. So all of it is behind one lock, which is held while something is written, and not while anything is waited
//! for that the peer has to send.

use super::pool::Pool;
use super::writing::Taking;
use crate::environ::{ConnectionFacts, SOFTWARE};
use crate::h1::{AfterResponse, Connection, NextCycle, SendError, Stamp};
use crate::serve::date::DateText;
use crate::serve::drive::Outcome;
use crate::serve::half_close::HalfClose;
use crate::serve::pace::Pace;
use crate::serve::record::{RefusedLine, Result as Recorded};
use crate::serve::refusal::Refusal;
use crate::serve::request::{Reading, Step, next_step};
use gateway_fastcgi::net::{BlockingStream, Peer};
use gateway_spec::{Disconnected, Event, FilePart, PushSink, ResponseHead};
use http::StatusCode;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A connection.
pub(super) struct Line {
    pub(super) pool: Arc<Pool>,
    pub(super) peer: Peer,
    pub(super) stream: BlockingStream,
    facts: ConnectionFacts,
    state: Mutex<State>,
}

/// What the lock guards.
pub(super) struct State {
    pub(super) machine: Connection,
    /// Heads and ends of answers that have not been written, so that they can leave together with what follows.
    unsent: Vec<u8>,
    date: DateText,
    /// The decoded path of the request in progress.
    path: Vec<u8>,
    /// Counts requests, so that an input that outlives its request reads nothing of the next one.
    pub(super) request: u64,
    /// What spoilt the body of the request in progress.
    pub(super) trouble: Option<Refusal>,
    pub(super) half_close: HalfClose,
    /// How the client sends the body of the request in progress, and takes the response.
    pub(super) sending: Pace,
    taking: Taking,
    status: Option<StatusCode>,
    body_bytes: u64,
    called: Option<Instant>,
    refused_line: Option<RefusedLine>,
}

/// What is to be done after an event was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// Ask for the next event.
    More,
    /// The application has nothing: look at the peer, and ask again after a while.
    Nothing,
    /// The response is complete.
    End,
    /// The response is broken off, by the application or because it cannot be carried.
    Abort,
}

impl From<SendError> for Sent {
    fn from(_: SendError) -> Self {
        Sent::Abort
    }
}

impl Line {
    pub(super) fn new(stream: BlockingStream, peer: Peer, pool: Arc<Pool>) -> Self {
        let config = &pool.shared.config;
        let state = State {
            machine: Connection::new(config.limits.clone()),
            unsent: Vec::new(),
            date: DateText::new(),
            path: Vec::new(),
            request: 1,
            trouble: None,
            half_close: HalfClose::default(),
            sending: Pace::from_first_byte(),
            taking: Taking::default(),
            status: None,
            body_bytes: 0,
            called: None,
            refused_line: None,
        };
        let facts = ConnectionFacts::of(stream.local_tcp(), peer, pool.shared.config.errors.clone());
        Self { pool, peer, stream, facts, state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics; and each field would be valid by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what has arrived.
    pub(super) fn next_step(&self) -> Step<'_> {
        let state = &mut *self.lock();
        (state.trouble, state.status, state.body_bytes, state.called) = (None, None, 0, None);
        let State { machine, path, request, refused_line, .. } = state;
        let reading = Reading { machine, path, request: *request, peer: self.peer, refused_line };
        next_step(reading, &self.pool.shared, &self.facts)
    }

    /// Sends one event of a response. The head waits for what follows it; everything else is with the system afterwards.
    pub(super) fn send(&self, event: Event) -> io::Result<Sent> {
        let state = &mut *self.lock();
        Ok(match event {
            Event::Head(head) => state.put_head(&head, self.after_response(state.request), self.server_field()),
            Event::Chunk(chunk) => {
                let Ok(tail) = state.machine.send_data(chunk.len(), &mut state.unsent) else { return Ok(Sent::Abort) };
                state.body_bytes += chunk.len() as u64;
                self.write_all(&mut state.taking, &[&state.unsent, &chunk, tail])?;
                state.unsent.clear();
                Sent::More
            }
            Event::Nothing => {
                self.flush_of(state)?;
                Sent::Nothing
            }
            // Without a body, or with a chunked one, there is something left to write.
            Event::End => match state.machine.send_end(&mut state.unsent) {
                Ok(()) => {
                    // Answers to requests that are here already leave together.
                    if state.machine.buffered() == 0 {
                        self.flush_of(state)?;
                    }
                    Sent::End
                }
                Err(error) => error.into(),
            },
            Event::Abort => {
                state.machine.send_abort();
                self.flush_of(state)?;
                Sent::Abort
            }
        })
    }

    /// Sends a part of a file, without reading it.
    pub(super) fn send_file(&self, part: FilePart) -> io::Result<Sent> {
        let state = &mut *self.lock();
        let length = usize::try_from(part.length()).unwrap_or(usize::MAX);
        let Ok(tail) = state.machine.send_data(length, &mut state.unsent) else { return Ok(Sent::Abort) };
        state.body_bytes += part.length();
        self.flush_of(state)?;
        self.write_file(&mut state.taking, part)?;
        self.write_all(&mut state.taking, &[tail])?;
        Ok(Sent::More)
    }

    /// Sends an answer of the server's own.
    pub(super) fn refuse(&self, refusal: Refusal, head_only: bool) -> io::Result<Sent> {
        let (head, body) = refusal.answer(head_only);
        let state = &mut *self.lock();
        let after = if refusal.keeps_open() { self.after_response(state.request) } else { AfterResponse::Close };
        state.body_bytes = body.len() as u64;
        if state.put_head(&head, after, self.server_field()) == Sent::Abort {
            return Ok(Sent::Abort);
        }
        if state.machine.send_data(body.len(), &mut state.unsent).is_err() {
            return Ok(Sent::Abort);
        }
        state.unsent.extend_from_slice(&body);
        let ended = state.machine.send_end(&mut state.unsent);
        self.flush_of(state)?;
        Ok(ended.map_or_else(Sent::from, |()| Sent::End))
    }

    pub(super) fn flush(&self) -> io::Result<()> {
        self.flush_of(&mut self.lock())
    }

    fn flush_of(&self, state: &mut State) -> io::Result<()> {
        self.write_all(&mut state.taking, &[&state.unsent])?;
        state.unsent.clear();
        Ok(())
    }

    /// Sends `100 Continue` if the client waits for it and nothing else was sent.
    pub(super) fn send_continue(&self, state: &mut State) -> io::Result<()> {
        if state.machine.send_continue(&mut state.unsent) { self.flush_of(state) } else { Ok(()) }
    }

    /// Begins the next request; from here on the input of the last one is cut off.
    pub(super) fn next_cycle(&self) -> NextCycle {
        let mut state = self.lock();
        let next = state.machine.start_next_cycle();
        if next != NextCycle::Drain {
            state.request += 1;
            state.sending = Pace::from_first_byte();
            state.taking.pace = Pace::default();
        }
        next
    }

    pub(super) fn note_called(&self) {
        self.lock().called = Some(Instant::now());
    }

    /// What is told of the request.
    pub(super) fn result(&self, outcome: Outcome) -> Recorded {
        let State { request, status, body_bytes, called, .. } = *self.lock();
        Recorded { request, status, body_bytes, called, outcome }
    }

    /// The request line of what was refused, and the length of the answer's body.
    pub(super) fn refused(&self) -> (Option<RefusedLine>, u64) {
        let mut state = self.lock();
        (state.refused_line.take(), state.body_bytes)
    }

    /// Cuts the connection, whoever works on it.
    pub(super) fn cut(&self) {
        let _ = rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Both);
    }

    fn server_field(&self) -> bool {
        self.pool.shared.config.server_field
    }

    fn after_response(&self, request: u64) -> AfterResponse {
        let shared = &self.pool.shared;
        let last = request >= shared.config.max_requests_per_connection;
        let ends = last || shared.is_stopping() || self.pool.must_give_way();
        if ends { AfterResponse::Close } else { AfterResponse::KeepOpen }
    }
}

impl State {
    fn put_head(&mut self, head: &ResponseHead, after: AfterResponse, server_field: bool) -> Sent {
        self.status = Some(head.status);
        let date = self.date.now();
        let stamp = Stamp { date: &date, server: server_field.then_some(SOFTWARE.as_bytes()) };
        self.machine.send_head(head, after, stamp, &mut self.unsent).map_or_else(Sent::from, |()| Sent::More)
    }
}

/// `write`, the imperative form: everything is with the system before it returns (PEP-121).
impl PushSink for Line {
    fn push(&self, event: Event) -> Result<(), Disconnected> {
        match self.send(event) {
            Ok(Sent::More | Sent::Nothing) => Ok(()),
            Ok(Sent::End | Sent::Abort) | Err(_) => Err(Disconnected),
        }
    }
}
