//! One connection to a worker and what goes over it, both ways at once (FCGI-116).
//!
//! Holds the pump around the gateway's machine, which decides what may come when, and the request. The machine is given the bytes of one
//! record at a time, so that a mistake has an offset. Does not hold the question for values (`values`).

use std::io::{self, ErrorKind};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use gateway_fastcgi::connection::{ClientConnection, ClientEvent, SendError};
use gateway_fastcgi::dump::{Entry, Side};
use gateway_fastcgi::net::{Address, Stream};
use gateway_fastcgi::protocol::{BeginRequest, EndRequest, ProtocolError, ProtocolStatus, RequestId, Role};
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::Answer;
use super::console::escaped;
use super::error::{FcgiError, Outcome};
use super::flags::{Limits, Request};
use super::trace::Trace;

/// An open connection.
pub(super) struct Conversation {
    stream: Stream,
    pub(super) machine: ClientConnection,
    pub(super) trace: Trace,
    /// What was read.
    input: BytesMut,
    /// Bytes that came in all.
    received: u64,
    /// What the first of them were, for those that are no FastCGI.
    start: Vec<u8>,
    /// The worker takes no more; its answer may come all the same (FCGI-92).
    unwanted: bool,
    limit: Duration,
    deadline: Instant,
}

/// The bytes of one record, or those that are here of it.
pub(super) struct Arrived {
    /// The record, once it is whole.
    pub(super) entry: Option<Entry>,
    pub(super) events: Vec<ClientEvent>,
}

/// What came of waiting for the worker.
pub(super) enum Step {
    /// Something was written, or there is something to look at.
    Moved,
    /// The worker will send no more.
    Ended,
}

/// So much of what was sent is handed to the machine at once.
const FILL: usize = 64 * 1024;

/// What is kept of the start of an answer: room for any first line.
const MAX_START: usize = 60;

/// How long the worker's closing is waited for when somebody wants to know, and its not closing.
const CLOSING: Duration = Duration::from_secs(1);
const STAYING: Duration = Duration::from_millis(50);

impl Conversation {
    pub(super) async fn connect(address: &Address, limits: Limits, trace: Trace) -> Result<Self, FcgiError> {
        let stream = match timeout(limits.connect.min(limits.total), Stream::connect(address)).await {
            Ok(stream) => stream.map_err(|source| FcgiError::Connect { address: address.clone(), source })?,
            Err(_) => return Err(FcgiError::ConnectTimeout { address: address.clone(), limit: limits.connect }),
        };
        trace.remark(None, &format!("connected to {address}"));
        let deadline = Instant::now() + limits.total.saturating_sub(trace.elapsed());
        Ok(Self {
            stream,
            machine: ClientConnection::new(),
            trace,
            input: BytesMut::new(),
            received: 0,
            start: Vec::new(),
            unwanted: false,
            limit: limits.total,
            deadline,
        })
    }

    /// Sends a request and takes its answer.
    pub(super) async fn request(mut self, mut request: Request, mut answer: Answer) -> Result<Outcome, FcgiError> {
        let begin = BeginRequest { role: request.role, keep_connection: request.keep };
        let list = &request.parameters.0;
        answer.parameters(list);
        let pairs = list.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        let id = self.machine.send_request(begin, pairs).map_err(FcgiError::Request)?;
        loop {
            if let Some((end, since)) = self.events(&mut answer)? {
                let outcome = ended(answer, end, request.role, since);
                self.see_the_end(request.keep).await;
                return outcome;
            }
            self.fill(id, &mut request)?;
            if let Step::Ended = self.step("END_REQUEST").await? {
                return Err(self.closed("END_REQUEST"));
            }
        }
    }

    /// What the bytes that are here mean; the end of the request and its time once it has come.
    fn events(&mut self, answer: &mut Answer) -> Result<Option<(EndRequest, Duration)>, FcgiError> {
        while let Some(Arrived { events, .. }) = self.next_record()? {
            for event in events {
                let since = self.trace.elapsed();
                match event {
                    ClientEvent::Stdout { data, .. } => answer.output(&data, since)?,
                    ClientEvent::Stderr { data, .. } => answer.error_output(&data),
                    ClientEvent::End { end, .. } => return Ok(Some((end, since))),
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    /// What comes next: what it looks like, and what it means.
    pub(super) fn next_record(&mut self) -> Result<Option<Arrived>, FcgiError> {
        if self.input.is_empty() {
            return Ok(None);
        }
        let at = self.trace.offset();
        let received = self.trace.received(&self.input);
        self.machine.receive(&self.input.split_to(received.taken));
        let mut events = Vec::new();
        loop {
            match self.machine.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => return Ok(Some(Arrived { entry: received.entry, events })),
                Err(error) => return Err(self.refused(error, at, received.entry.as_ref())),
            }
        }
    }

    /// What came is not what may come.
    fn refused(&mut self, error: ProtocolError, at: u64, entry: Option<&Entry>) -> FcgiError {
        let is_shown = entry.is_some_and(|entry| entry.faults.contains(&error));
        if !is_shown {
            self.trace.broken(&format!("{error} ({})", error.clause()));
        }
        if !matches!(error, ProtocolError::Version { .. }) || at > 0 {
            return FcgiError::Protocol { error, at };
        }
        let first_line = self.start.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        let start = format!("\"{}\"", escaped(first_line));
        let lower = self.start.to_ascii_lowercase();
        if [&b"http/"[..], b"<html", b"<!doc"].iter().any(|sign| lower.starts_with(sign)) {
            return FcgiError::Http { start };
        }
        FcgiError::NotFastCgi { start, clause: error.clause() }
    }

    /// Hands more of the body to the machine, and then of a Filter's file (FCGI-73, FCGI-101).
    fn fill(&mut self, id: RequestId, request: &mut Request) -> Result<(), FcgiError> {
        while !self.unwanted && self.machine.output().remaining() < FILL {
            let sent = match request.next_piece().map_err(FcgiError::Body)? {
                Piece::Stdin(data) => self.machine.send_stdin(id, data),
                Piece::StdinEnd => self.machine.end_stdin(id),
                Piece::Data(data) => self.machine.send_data(id, data),
                Piece::DataEnd => self.machine.end_data(id),
                Piece::Nothing => return Ok(()),
            };
            // Only a request that has ended takes no more, and then nobody asks for it.
            sent.or_else(|error| if matches!(error, SendError::Inactive(_)) { Ok(()) } else { Err(error) })
                .map_err(FcgiError::Request)?;
        }
        Ok(())
    }

    /// Writes or reads, whichever can be done.
    pub(super) async fn step(&mut self, awaited: &'static str) -> Result<Step, FcgiError> {
        let unsent = !self.unwanted && self.machine.output().has_remaining();
        let moved = timeout_at(self.deadline, async {
            tokio::select! {
                biased;
                read = self.stream.read_buf(&mut self.input) => Some(read),
                ready = self.stream.writable(), if unsent => ready.err().map(Err),
            }
        });
        let read = match moved.await {
            Ok(None) => return self.write_some().map(|()| Step::Moved),
            Ok(Some(read)) => read,
            Err(_) => {
                return Err(FcgiError::TimedOut { awaited, limit: self.limit, received: self.received, unsent });
            }
        };
        match read {
            Ok(0) => Ok(Step::Ended),
            Ok(count) => {
                self.received += count as u64;
                let room = MAX_START.saturating_sub(self.start.len());
                self.start.extend(self.input.iter().take(room).copied());
                Ok(Step::Moved)
            }
            Err(source) => {
                self.trace.ended();
                Err(FcgiError::Broken { awaited, received: self.received, source })
            }
        }
    }

    fn write_some(&mut self) -> Result<(), FcgiError> {
        let output = self.machine.output();
        match self.stream.try_write(output.chunk()) {
            Ok(count) => {
                self.trace.sent(output.chunk().get(..count).unwrap_or_default());
                output.advance(count);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            // It may have answered before it closed, so the answer is looked for.
            Err(_) => self.unwanted = true,
        }
        Ok(())
    }

    pub(super) fn closed(&mut self, awaited: &'static str) -> FcgiError {
        FcgiError::Closed { awaited, received: self.received, at: self.trace.ended() }
    }

    /// Whether the worker closes the connection, as KEEP_CONN says (FCGI-51, FCGI-52), for those who want to know.
    async fn see_the_end(&mut self, keep: bool) {
        if !self.trace.is_on() {
            return;
        }
        let wait = if keep { STAYING } else { CLOSING };
        let end = timeout(wait, async {
            loop {
                while !self.input.is_empty() {
                    let taken = self.trace.received(&self.input).taken;
                    self.input.advance(taken);
                }
                match self.stream.read_buf(&mut self.input).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
            }
        });
        let is_closed = end.await.is_ok();
        if is_closed {
            self.trace.ended();
        }
        match (keep, is_closed) {
            (true, false) => self.trace.remark(None, "the worker keeps the connection open, as it was asked to (§5.1)"),
            (false, true) => {}
            (true, true) => self
                .trace
                .remark(Some(Side::FromWorker), "it was asked to keep the connection open, and has closed it (§5.1)"),
            (false, false) => self
                .trace
                .remark(None, "the worker was not asked to keep the connection open, and has not closed it (§5.1)"),
        }
    }
}

fn ended(answer: Answer, end: EndRequest, role: Role, since: Duration) -> Result<Outcome, FcgiError> {
    match end.protocol_status {
        ProtocolStatus::REQUEST_COMPLETE => answer.end(end, since),
        status => Err(FcgiError::Refused { status, role }),
    }
}

/// What of a request goes out next.
enum Piece {
    Stdin(bytes::Bytes),
    StdinEnd,
    Data(bytes::Bytes),
    DataEnd,
    Nothing,
}

impl Request {
    fn next_piece(&mut self) -> io::Result<Piece> {
        if let Some(body) = &mut self.body {
            return Ok(match body.piece()? {
                Some(data) => Piece::Stdin(data),
                None => {
                    self.body = None;
                    Piece::StdinEnd
                }
            });
        }
        let Some(file) = &mut self.data else { return Ok(Piece::Nothing) };
        Ok(match file.piece()? {
            Some(data) => Piece::Data(data),
            None => {
                self.data = None;
                Piece::DataEnd
            }
        })
    }
}
