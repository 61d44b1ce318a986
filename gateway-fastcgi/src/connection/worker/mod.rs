//! The application's end of a connection.
//!
//! Holds the state of the connection and of each request. What each record does to it is in `records`, what is sent in `answer`.
//! Does not run requests. Follows FastCGI 1.0 §3.3, §3.5, §4, §5 and §6.1.
//!
//! Each request has a state of its own; records of several requests may come in any order between each other:
//!
//! | state of the request | record | then |
//! | --- | --- | --- |
//! | none | BEGIN_REQUEST | params |
//! | params | PARAMS … empty PARAMS | event `Request`; stdin (Responder, Filter) or complete (Authorizer) |
//! | stdin | STDIN … empty STDIN | events `Stdin`, `StdinEnd`; complete, or data (Filter) |
//! | data | DATA … empty DATA | events `Data`, `DataEnd`; complete |
//! | params | ABORT_REQUEST | ended by the machine; no event, there was none before |
//! | later | ABORT_REQUEST | event `Abort`; the caller ends it |
//! | any | `send_end`, `refuse` | none; further records of this id are dropped |

mod answer;
mod event;
mod records;

pub use event::{Request, WorkerEvent};

use super::reader::RecordReader;
use super::{Limits, Outgoing};
use crate::protocol::{BeginRequest, Capabilities, PairScan, ProtocolError, RequestId, Role};
use bytes::{Bytes, BytesMut};

/// The worker's state machine for one connection.
///
/// Serves several requests at a time if its [`Capabilities`] say so, up to [`Limits::max_requests`]; one more is answered with
/// OVERLOADED. Otherwise it serves one, and a second is answered with CANT_MPX_CONN; those before go on unharmed (FCGI-31).
///
/// Memory: at most the parameters of all open requests within [`Limits`], plus one record body of fixed use (64 KiB), plus what
/// the caller has not taken. Answers that nobody asked the caller for are never longer than twice the bytes received, so writing
/// [`WorkerConnection::output`] before reading on bounds them too.
#[derive(Debug)]
pub struct WorkerConnection {
    limits: Limits,
    capabilities: Capabilities,
    roles: &'static [Role],
    reader: RecordReader,
    output: Outgoing,
    /// The requests between BEGIN_REQUEST and END_REQUEST: mostly one, so a list is searched fastest.
    active: Vec<Active>,
    began: bool,
    close_when_idle: bool,
    /// A request has ended before all of its input was there.
    input_cut: bool,
    ended_input: bool,
    discarded: u64,
    /// Bytes of output that no caller gave, since there was none.
    unasked: usize,
    failure: Option<ProtocolError>,
}

#[derive(Debug)]
struct Active {
    id: RequestId,
    begin: BeginRequest,
    input: Input,
    /// After ABORT_REQUEST, or where the role calls for no input: what still comes is dropped.
    deaf: bool,
    answered: bool,
    stderr_used: bool,
    /// No parameters came since the last [`WorkerConnection::expire`].
    stale: bool,
}

/// Which input stream is open.
#[derive(Debug)]
enum Input {
    Params { list: BytesMut, scan: PairScan },
    Stdin,
    Data,
    Complete,
}

impl WorkerConnection {
    /// A fresh connection that serves Responders.
    pub fn new(limits: Limits, capabilities: Capabilities) -> Self {
        Self {
            limits,
            capabilities,
            roles: &[Role::RESPONDER],
            reader: RecordReader::default(),
            output: Outgoing::default(),
            active: Vec::new(),
            began: false,
            close_when_idle: false,
            input_cut: false,
            ended_input: false,
            discarded: 0,
            unasked: 0,
            failure: None,
        }
    }

    /// Serves these roles; others are answered with UNKNOWN_ROLE (FCGI-71).
    #[must_use]
    pub fn with_roles(mut self, roles: &'static [Role]) -> Self {
        self.roles = roles;
        self
    }

    /// Takes bytes from the gateway. Ask for all events before the next call, to keep memory bounded.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.reader.receive(bytes);
    }

    /// [`WorkerConnection::receive`] for bytes that can be handed on: pieces of streams are not copied, unless something lies here before
    /// them.
    pub fn receive_shared(&mut self, bytes: Bytes) {
        self.reader.receive_shared(bytes);
    }

    /// A buffer with at least `room` spare bytes to read into: as [`WorkerConnection::receive`] without the copy.
    ///
    /// Append only; events are slices of it.
    pub fn input(&mut self, room: usize) -> &mut BytesMut {
        self.reader.input(room)
    }

    /// Notes that the gateway will send no more. Idle, that is the normal end (FCGI-50).
    pub fn receive_end(&mut self) {
        self.ended_input = true;
    }

    /// What the bytes received so far mean; `None` when more are needed.
    ///
    /// # Errors
    /// The gateway broke the protocol, or closed within a request whose input is not complete. The same error is returned ever
    /// after; close the connection.
    pub fn next_event(&mut self) -> Result<Option<WorkerEvent>, ProtocolError> {
        if let Some(failure) = &self.failure {
            self.reader.clear();
            return Err(failure.clone());
        }
        let next = self.advance();
        if let Err(failure) = &next {
            self.failure = Some(failure.clone());
        }
        next
    }

    /// What is to be written.
    pub fn output(&mut self) -> &mut Outgoing {
        &mut self.output
    }

    /// How many requests are under way, from BEGIN_REQUEST to END_REQUEST.
    pub fn open_requests(&self) -> usize {
        self.active.len()
    }

    /// Is all input of this request there, or is there no such request?
    pub fn is_input_complete(&self, id: RequestId) -> bool {
        self.request(id).is_none_or(|active| active.deaf || matches!(active.input, Input::Complete))
    }

    /// Has a request asked for the connection to be closed once it is answered (FCGI-51), and are all answered?
    ///
    /// Write the output, then close; what the gateway still sends means nothing.
    pub fn is_closing(&self) -> bool {
        self.failure.is_some() || (self.close_when_idle && self.active.is_empty())
    }

    /// Is it closing, and has the gateway no reason to send anything more? Then nothing is lost by a close at once (FCGI-120).
    pub fn has_nothing_to_come(&self) -> bool {
        self.is_closing() && self.is_idle() && !self.input_cut && self.failure.is_none()
    }

    /// Is the connection between two requests, with nothing of the next one there?
    pub fn is_idle(&self) -> bool {
        self.active.is_empty() && !self.reader.is_within_record()
    }

    /// Ends requests of which no parameters came since the last time this was called, and says how many.
    ///
    /// Call it as often as a gateway may pause within a request. Nobody was told of these requests, so nobody else ends them.
    pub fn expire(&mut self) -> usize {
        let in_params = |active: &Active| matches!(active.input, Input::Params { .. });
        let expired: Vec<_> = self.active.extract_if(.., |active| in_params(active) && active.stale).collect();
        expired.iter().for_each(|active| self.end_untold(active));
        self.active.iter_mut().for_each(|active| active.stale = in_params(active));
        expired.len()
    }

    /// Bytes from the gateway that this machine holds.
    pub fn retained_bytes(&self) -> usize {
        self.reader.buffered() + self.params_bytes()
    }

    /// Parameters of requests that are not told yet.
    fn params_bytes(&self) -> usize {
        let collected = |active: &Active| match &active.input {
            Input::Params { list, .. } => list.len(),
            _ => 0,
        };
        self.active.iter().map(collected).sum()
    }

    fn request(&self, id: RequestId) -> Option<&Active> {
        self.active.iter().find(|active| active.id == id)
    }

    fn request_mut(&mut self, id: RequestId) -> Option<&mut Active> {
        self.active.iter_mut().find(|active| active.id == id)
    }
}
