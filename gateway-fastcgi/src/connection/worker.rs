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

use super::reader::RecordReader;
use super::{Limits, Outgoing, SendError};
use crate::protocol::{
    BeginRequest, Capabilities, Content, EndRequest, PairScan, Params, ProtocolError, ProtocolStatus, RecordHeader,
    RecordType, RequestId, Role, UnknownType,
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

/// A request whose parameters are complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id on this connection.
    pub id: RequestId,
    /// What is asked for.
    pub role: Role,
    /// Does the gateway want to keep the connection?
    pub keep_connection: bool,
    /// The CGI variables.
    pub params: Params,
}

/// What a worker has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// A request begins. Answer it with `send_*` and [`WorkerConnection::send_end`], or [`WorkerConnection::refuse`] it.
    Request(Request),
    /// More of the request body; never empty. How it is cut means nothing.
    Stdin {
        /// The request.
        id: RequestId,
        /// The bytes.
        data: Bytes,
    },
    /// The request body is complete.
    StdinEnd(RequestId),
    /// More of a Filter's file; never empty.
    Data {
        /// The request.
        id: RequestId,
        /// The bytes.
        data: Bytes,
    },
    /// A Filter's file is complete.
    DataEnd(RequestId),
    /// The gateway does not want the answer any longer: end the request soon (FCGI-79).
    Abort(RequestId),
}

/// What one look at the current record came to.
enum Step {
    Event(WorkerEvent),
    Next,
    NeedMore,
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

    fn advance(&mut self) -> Result<Option<WorkerEvent>, ProtocolError> {
        loop {
            if self.is_closing() {
                self.reader.clear();
                return Ok(None);
            }
            if !self.began && self.reader.records() > self.limits.max_records_before_begin {
                return Err(ProtocolError::TooManyRecordsBeforeBegin { limit: self.limits.max_records_before_begin });
            }
            let Some(header) = self.reader.header()? else { return self.starved() };
            let step = match header.request() {
                None => self.management(header)?,
                Some(id) => self.application(header, id)?,
            };
            match step {
                Step::Event(event) => return Ok(Some(event)),
                Step::Next => {}
                Step::NeedMore => return self.starved(),
            }
        }
    }

    fn starved(&self) -> Result<Option<WorkerEvent>, ProtocolError> {
        if !self.ended_input {
            return Ok(None);
        }
        if self.reader.is_within_record() {
            return Err(ProtocolError::Truncated { inside: "record" });
        }
        if !self.is_input_complete() {
            return Err(ProtocolError::Truncated { inside: "request" });
        }
        Ok(None)
    }

    /// A record with id 0.
    fn management(&mut self, header: RecordHeader) -> Result<Step, ProtocolError> {
        match header.kind {
            RecordType::GET_VALUES => {
                let Some(query) = self.reader.whole() else { return Ok(Step::NeedMore) };
                self.count_discarded(query.len())?;
                let answer = self.capabilities.answer(&query)?;
                if let Some(content) = Content::new(&answer) {
                    self.output.record(RecordType::GET_VALUES_RESULT, 0, content);
                }
                Ok(Step::Next)
            }
            // These two go the other way (FCGI-25); nothing waits for them.
            RecordType::GET_VALUES_RESULT | RecordType::UNKNOWN_TYPE => self.discard(),
            kind if kind.is_known() => Err(ProtocolError::NullRequestId { kind }),
            kind => {
                let step = self.discard()?;
                if matches!(step, Step::Next) {
                    let body = UnknownType(kind).encode();
                    self.output.record(RecordType::UNKNOWN_TYPE, 0, Content::from(&body));
                }
                Ok(step)
            }
        }
    }

    fn application(&mut self, header: RecordHeader, id: RequestId) -> Result<Step, ProtocolError> {
        if header.kind == RecordType::BEGIN_REQUEST {
            return self.begin(header, id);
        }
        // Records of an inactive id are dropped (FCGI-29): late input of a request that was answered early.
        let Some(active) = self.active.as_mut().filter(|active| active.id == id) else { return self.discard() };
        match (header.kind, &active.input) {
            (RecordType::ABORT_REQUEST, _) => self.abort(id),
            (RecordType::PARAMS, Input::Params { .. }) => self.params(header),
            (RecordType::STDIN | RecordType::DATA, _) if active.deaf => self.discard(),
            (kind @ (RecordType::STDIN | RecordType::DATA), Input::Params { .. }) => {
                Err(ProtocolError::OutOfOrder { kind })
            }
            (RecordType::STDIN, Input::Stdin) | (RecordType::DATA, Input::Data) => Ok(self.input_piece(header, id)),
            (kind @ RecordType::DATA, Input::Stdin) if active.begin.role == Role::FILTER => {
                Err(ProtocolError::OutOfOrder { kind })
            }
            // php-fpm's practice: an empty record too many does no harm (FCGI-121).
            (RecordType::PARAMS | RecordType::STDIN, _) if header.content_length == 0 => self.discard(),
            (kind @ (RecordType::PARAMS | RecordType::STDIN), _) => Err(ProtocolError::AfterStreamEnd { kind }),
            // Unknown types (FCGI-58), types that go the other way (FCGI-25), DATA that the role does not call for.
            _ => self.discard(),
        }
    }

    fn begin(&mut self, header: RecordHeader, id: RequestId) -> Result<Step, ProtocolError> {
        if header.content_length != 8 {
            let length = usize::from(header.content_length);
            return Err(ProtocolError::BodyLength { kind: header.kind, length });
        }
        let Some(body) = self.reader.whole() else { return Ok(Step::NeedMore) };
        let begin = BeginRequest::decode(&body)?;
        self.began = true;
        if self.active.as_ref().is_some_and(|active| active.id == id) {
            return Err(ProtocolError::BeginTwice { id: id.get() });
        }
        let input = Input::Params { list: BytesMut::new(), scan: PairScan::default() };
        let request = Active { id, begin, input, deaf: false, answered: false, stderr_used: false };
        let refusal = |protocol_status| EndRequest { app_status: 0, protocol_status };
        if self.active.is_some() {
            self.count_discarded(0)?;
            self.end(&request, refusal(ProtocolStatus::CANT_MPX_CONN));
        } else if !self.roles.contains(&begin.role) {
            self.count_discarded(0)?;
            self.end(&request, refusal(ProtocolStatus::UNKNOWN_ROLE));
        } else {
            self.discarded = 0;
            self.active = Some(request);
        }
        Ok(Step::Next)
    }

    fn abort(&mut self, id: RequestId) -> Result<Step, ProtocolError> {
        if matches!(self.discard()?, Step::NeedMore) {
            return Ok(Step::NeedMore);
        }
        match &mut self.active {
            // Nobody was told of this request yet, so nobody else will end it.
            Some(Active { input: Input::Params { .. }, .. }) => {
                if let Some(active) = self.active.take() {
                    self.output.end_stream(RecordType::STDOUT, id);
                    self.end(&active, EndRequest::COMPLETE);
                }
                Ok(Step::Next)
            }
            Some(active) if !active.deaf || active.begin.role == Role::AUTHORIZER => {
                active.deaf = true;
                Ok(Step::Event(WorkerEvent::Abort(id)))
            }
            _ => Ok(Step::Next),
        }
    }

    fn params(&mut self, header: RecordHeader) -> Result<Step, ProtocolError> {
        let Some(Active { id, begin, input, deaf, .. }) = &mut self.active else { return Ok(Step::Next) };
        let Input::Params { list, scan } = input else { return Ok(Step::Next) };
        if list.len() + self.reader.content_left() > self.limits.max_params_bytes {
            return Err(ProtocolError::ParamsTooLong { limit: self.limits.max_params_bytes });
        }
        let Some(piece) = self.reader.piece() else { return Ok(Step::NeedMore) };
        if header.content_length > 0 {
            if list.is_empty() {
                *list = piece;
            } else {
                list.extend_from_slice(&piece);
            }
            scan.advance(list, &self.limits.pairs)?;
            return Ok(Step::Next);
        }
        let params = std::mem::take(scan).finish(std::mem::take(list).freeze())?;
        // Whether an Authorizer gets STDIN is not said: work with none and with an empty one (FCGI-99).
        *deaf = begin.role == Role::AUTHORIZER;
        *input = if *deaf { Input::Complete } else { Input::Stdin };
        let request = Request { id: *id, role: begin.role, keep_connection: begin.keep_connection, params };
        Ok(Step::Event(WorkerEvent::Request(request)))
    }

    /// A record of the stream that is open.
    fn input_piece(&mut self, header: RecordHeader, id: RequestId) -> Step {
        let Some(piece) = self.reader.piece() else { return Step::NeedMore };
        let stdin = header.kind == RecordType::STDIN;
        if header.content_length > 0 {
            let data = piece.freeze();
            return Step::Event(if stdin { WorkerEvent::Stdin { id, data } } else { WorkerEvent::Data { id, data } });
        }
        if let Some(active) = &mut self.active {
            let data_follows = stdin && active.begin.role == Role::FILTER;
            active.input = if data_follows { Input::Data } else { Input::Complete };
        }
        Step::Event(if stdin { WorkerEvent::StdinEnd(id) } else { WorkerEvent::DataEnd(id) })
    }

    fn discard(&mut self) -> Result<Step, ProtocolError> {
        let skipped = self.reader.skip();
        if !skipped.ended {
            self.discarded += skipped.bytes as u64;
            return Ok(Step::NeedMore);
        }
        self.count_discarded(skipped.bytes)?;
        Ok(Step::Next)
    }

    /// Counts a record with this much content that did nothing for a request.
    fn count_discarded(&mut self, content: usize) -> Result<(), ProtocolError> {
        self.discarded += 8 + content as u64;
        if self.discarded > self.limits.max_discarded_bytes {
            return Err(ProtocolError::TooMuchDiscarded { limit: self.limits.max_discarded_bytes });
        }
        Ok(())
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
