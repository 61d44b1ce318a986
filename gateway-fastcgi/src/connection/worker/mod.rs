//! The application's end of a connection.
//!
//! Holds which records may come when, and what is answered without asking anybody: GET_VALUES, unknown types and roles,
//! a second request at a time. Does not run requests. Follows FastCGI 1.0 §3.3, §3.5, §4, §5 and §6.1.
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

mod event;
mod records;

pub use event::{Request, WorkerEvent};

use super::reader::RecordReader;
use super::{Limits, Outgoing, SendError};
use crate::protocol::{
    BeginRequest, Capabilities, Content, EndRequest, PairScan, ProtocolError, ProtocolStatus, RecordType, RequestId,
    Role,
};
use bytes::{Bytes, BytesMut};

/// The worker's state machine for one connection.
///
/// Serves one request at a time: a second one is answered with CANT_MPX_CONN, and the first goes on unharmed (FCGI-31). Every
/// call names its request, so that serving several later changes no signature.
///
/// Memory: at most the parameters of one request within [`Limits`], plus one record body of fixed use (64 KiB), plus what the
/// caller has not taken. Answers that nobody asked the caller for are never longer than twice the bytes received, so writing
/// [`WorkerConnection::output`] before reading on bounds them too.
#[derive(Debug)]
pub struct WorkerConnection {
    limits: Limits,
    capabilities: Capabilities,
    roles: &'static [Role],
    reader: RecordReader,
    output: Outgoing,
    active: Option<Active>,
    began: bool,
    close_when_idle: bool,
    ended_input: bool,
    discarded: u64,
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
            active: None,
            began: false,
            close_when_idle: false,
            ended_input: false,
            discarded: 0,
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

    /// Appends output of the request; nothing if `data` is empty.
    ///
    /// # Errors
    /// [`SendError::Inactive`] after its end.
    pub fn send_stdout(&mut self, id: RequestId, data: Bytes) -> Result<(), SendError> {
        self.answering(id)?;
        self.output.stream(RecordType::STDOUT, id, data);
        Ok(())
    }

    /// Appends a header block and the first bytes behind it, in one record when both fit.
    ///
    /// # Errors
    /// [`SendError::Inactive`] after its end.
    pub fn send_stdout_parts(&mut self, id: RequestId, head: &[u8], body: Bytes) -> Result<(), SendError> {
        self.answering(id)?;
        self.output.stream_parts(RecordType::STDOUT, id, head, body);
        Ok(())
    }

    /// Appends error output of the request; nothing if `text` is empty.
    ///
    /// # Errors
    /// [`SendError::Inactive`] after its end.
    pub fn send_stderr(&mut self, id: RequestId, text: Bytes) -> Result<(), SendError> {
        let active = self.answering(id)?;
        active.stderr_used |= !text.is_empty();
        self.output.stream(RecordType::STDERR, id, text);
        Ok(())
    }

    /// Ends the request: the ends of its output streams, then END_REQUEST, exactly once (FCGI-74, FCGI-75, FCGI-93).
    ///
    /// # Errors
    /// [`SendError::Inactive`] after its end.
    pub fn send_end(&mut self, id: RequestId, app_status: u32) -> Result<(), SendError> {
        let active = self.take(id)?;
        if active.stderr_used {
            self.output.end_stream(RecordType::STDERR, id);
        }
        self.output.end_stream(RecordType::STDOUT, id);
        self.end(&active, EndRequest { app_status, protocol_status: ProtocolStatus::REQUEST_COMPLETE });
        Ok(())
    }

    /// Ends the request without having run it, such as with [`ProtocolStatus::OVERLOADED`] (FCGI-72).
    ///
    /// # Errors
    /// [`SendError::Inactive`] after its end, [`SendError::Answered`] after output.
    pub fn refuse(&mut self, id: RequestId, reason: ProtocolStatus) -> Result<(), SendError> {
        if self.active.as_ref().is_some_and(|active| active.id == id && active.answered) {
            return Err(SendError::Answered(id));
        }
        let active = self.take(id)?;
        self.end(&active, EndRequest { app_status: 0, protocol_status: reason });
        Ok(())
    }

    /// What is to be written.
    pub fn output(&mut self) -> &mut Outgoing {
        &mut self.output
    }

    /// The request under way, from BEGIN_REQUEST to END_REQUEST.
    pub fn active(&self) -> Option<RequestId> {
        self.active.as_ref().map(|active| active.id)
    }

    /// Is all input of the request under way there?
    pub fn is_input_complete(&self) -> bool {
        self.active.as_ref().is_none_or(|active| active.deaf || matches!(active.input, Input::Complete))
    }

    /// Has the last request asked for the connection to be closed once it is answered (FCGI-51)?
    ///
    /// Write the output, then close; what the gateway still sends means nothing.
    pub fn is_closing(&self) -> bool {
        self.failure.is_some() || (self.close_when_idle && self.active.is_none())
    }

    /// Is the connection between two requests, with nothing of the next one there?
    pub fn is_idle(&self) -> bool {
        self.active.is_none() && !self.reader.is_within_record()
    }

    /// Bytes from the gateway that this machine holds.
    pub fn retained_bytes(&self) -> usize {
        let list = match &self.active {
            Some(Active { input: Input::Params { list, .. }, .. }) => list.len(),
            _ => 0,
        };
        self.reader.buffered() + list
    }

    fn answering(&mut self, id: RequestId) -> Result<&mut Active, SendError> {
        let active = self.active.as_mut().filter(|active| active.id == id).ok_or(SendError::Inactive(id))?;
        // FastCGI 1.0 §6.2: the parameters are read before anything is written (FCGI-92).
        if matches!(active.input, Input::Params { .. }) {
            return Err(SendError::Inactive(id));
        }
        active.answered = true;
        Ok(active)
    }

    /// Takes the request out of its active state, once.
    fn take(&mut self, id: RequestId) -> Result<Active, SendError> {
        let open = |active: &mut Active| active.id == id && !matches!(active.input, Input::Params { .. });
        self.active.take_if(open).ok_or(SendError::Inactive(id))
    }

    fn end(&mut self, request: &Active, end: EndRequest) {
        let body = end.encode();
        self.output.record(RecordType::END_REQUEST, request.id.get(), Content::from(&body));
        // Whether KEEP_CONN may differ between requests is not said: once one asks for closing, the last one closes.
        self.close_when_idle |= !request.begin.keep_connection;
    }
}
