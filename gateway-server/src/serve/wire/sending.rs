//! Responses on their way into the outbox.
//!
//! Holds what an event of an exchange puts there. Does not write.

use super::{Put, State, Wire};
use crate::environ::SOFTWARE;
use crate::h1::{AfterResponse, Stamp};
use crate::serve::refusal::Refusal;
use gateway_spec::{Disconnected, Event, FilePart, PushSink, ResponseHead};
use std::io;

impl Wire {
    /// Puts one event of a response into the outbox.
    pub(in crate::serve) fn put(&self, event: Event) -> Put {
        let state = &mut *self.lock();
        state.put(event, self.after_response(state.request))
    }

    /// Puts in an event and, before it, the head that waited for it, and writes what the socket takes: all under one lock.
    pub(in crate::serve) fn send(&self, head: Option<ResponseHead>, event: Event) -> io::Result<Put> {
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
    pub(in crate::serve) fn sendable(&self, take: impl FnOnce() -> Option<FilePart>) -> Option<FilePart> {
        if self.stream.sends_files() { take() } else { None }
    }

    /// Puts what is left of a file into the outbox, which is empty.
    pub(in crate::serve) fn put_file(&self, part: FilePart) -> Put {
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
    pub(in crate::serve) fn refuse(&self, refusal: Refusal, head_only: bool) -> Put {
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
