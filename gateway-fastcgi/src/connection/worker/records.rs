//! What each record does in each state: the rows of the table.
//!
//! Holds the input side of the machine, and what is answered without asking anybody: GET_VALUES, unknown types and roles, more
//! requests at a time than are served. Does not hold what is sent on behalf of the application (`answer`).

use super::{Active, Input, Request, WorkerConnection, WorkerEvent};
use crate::protocol::{
    BeginRequest, Content, EndRequest, PairScan, ProtocolError, ProtocolStatus, RecordHeader, RecordType, RequestId,
    Role, UnknownType,
};
use bytes::BytesMut;

/// What one look at the current record came to.
enum Step {
    Event(WorkerEvent),
    Next,
    NeedMore,
}

/// So many times the most parameters of one request may be open at once; more requests are refused until some are told.
const OPEN_PARAMS: usize = 4;

impl WorkerConnection {
    pub(super) fn advance(&mut self) -> Result<Option<WorkerEvent>, ProtocolError> {
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
        if self.active.iter().any(|active| !self.is_input_complete(active.id)) {
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
                    self.count_unasked(8 + answer.len());
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
                    self.count_unasked(8 + body.len());
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
        let Some(active) = self.request(id) else { return self.discard() };
        match (header.kind, &active.input) {
            (RecordType::ABORT_REQUEST, _) => self.abort(id),
            (RecordType::PARAMS, Input::Params { .. }) => self.params(header, id),
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
        let Some(body) = self.reader.fixed(header)? else { return Ok(Step::NeedMore) };
        let begin = BeginRequest::decode(&body)?;
        self.began = true;
        if self.request(id).is_some() {
            return Err(ProtocolError::BeginTwice { id: id.get() });
        }
        let input = Input::Params { list: BytesMut::new(), scan: PairScan::default() };
        let request = Active { id, begin, input, deaf: false, answered: false, stderr_used: false, stale: false };
        let refusal = if !self.roles.contains(&begin.role) {
            ProtocolStatus::UNKNOWN_ROLE
        } else if self.active.is_empty() || self.has_room() {
            self.discarded = 0;
            self.active.push(request);
            return Ok(Step::Next);
        } else if self.capabilities.multiplexes {
            ProtocolStatus::OVERLOADED
        } else {
            ProtocolStatus::CANT_MPX_CONN
        };
        self.count_discarded(0)?;
        self.count_unasked(16);
        self.end(&request, EndRequest { app_status: 0, protocol_status: refusal });
        Ok(Step::Next)
    }

    /// May one more request begin beside those under way?
    fn has_room(&self) -> bool {
        self.capabilities.multiplexes
            && self.active.len() < self.limits.max_requests
            && self.params_bytes() < self.most_open_params()
    }

    fn most_open_params(&self) -> usize {
        self.limits.max_params_bytes.saturating_mul(OPEN_PARAMS)
    }

    fn abort(&mut self, id: RequestId) -> Result<Step, ProtocolError> {
        if matches!(self.discard()?, Step::NeedMore) {
            return Ok(Step::NeedMore);
        }
        let Some(at) = self.active.iter().position(|active| active.id == id) else { return Ok(Step::Next) };
        match self.active.get_mut(at) {
            // Nobody was told of this request yet, so nobody else will end it.
            Some(Active { input: Input::Params { .. }, .. }) => {
                let active = self.active.swap_remove(at);
                self.end_untold(&active);
                Ok(Step::Next)
            }
            Some(active) if !active.deaf || active.begin.role == Role::AUTHORIZER => {
                active.deaf = true;
                Ok(Step::Event(WorkerEvent::Abort(id)))
            }
            _ => Ok(Step::Next),
        }
    }

    fn params(&mut self, header: RecordHeader, id: RequestId) -> Result<Step, ProtocolError> {
        // FCGI-42: requests that began while there was room may all grow, so it is asked again here.
        if self.active.len() > 1 && self.params_bytes() + self.reader.content_left() > self.most_open_params() {
            return self.refuse_untold(id);
        }
        let Self { active, reader, limits, .. } = self;
        let Some(Active { begin, input, deaf, stale, .. }) = active.iter_mut().find(|active| active.id == id) else {
            return Ok(Step::Next);
        };
        let Input::Params { list, scan } = input else { return Ok(Step::Next) };
        if list.len() + reader.content_left() > limits.max_params_bytes {
            return Err(ProtocolError::ParamsTooLong { limit: limits.max_params_bytes });
        }
        let Some(piece) = reader.piece() else { return Ok(Step::NeedMore) };
        *stale = false;
        if header.content_length > 0 {
            if list.is_empty() {
                *list = piece;
            } else {
                list.extend_from_slice(&piece);
            }
            scan.advance(list, &limits.pairs)?;
            return Ok(Step::Next);
        }
        let params = std::mem::take(scan).finish(std::mem::take(list).freeze())?;
        // Whether an Authorizer gets STDIN is not said: work with none and with an empty one (FCGI-99).
        *deaf = begin.role == Role::AUTHORIZER;
        *input = if *deaf { Input::Complete } else { Input::Stdin };
        let request = Request { id, role: begin.role, keep_connection: begin.keep_connection, params };
        Ok(Step::Event(WorkerEvent::Request(request)))
    }

    /// Ends a request that nobody was told of, for want of room; what still comes of it is dropped.
    fn refuse_untold(&mut self, id: RequestId) -> Result<Step, ProtocolError> {
        if let Some(at) = self.active.iter().position(|active| active.id == id) {
            let active = self.active.swap_remove(at);
            self.end(&active, EndRequest { app_status: 0, protocol_status: ProtocolStatus::OVERLOADED });
        }
        self.discard()
    }

    /// A record of the stream that is open.
    fn input_piece(&mut self, header: RecordHeader, id: RequestId) -> Step {
        let Some(data) = self.reader.piece_of_stream() else { return Step::NeedMore };
        let stdin = header.kind == RecordType::STDIN;
        if header.content_length > 0 {
            return Step::Event(if stdin { WorkerEvent::Stdin { id, data } } else { WorkerEvent::Data { id, data } });
        }
        if let Some(active) = self.request_mut(id) {
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
}
