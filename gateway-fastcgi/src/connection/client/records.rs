//! What each record of a worker means, and when it is none.
//!
//! Holds the input side of the machine; laxer than the text where php-fpm is (FCGI-76). Does not hold what is sent.

use super::{ClientConnection, ClientEvent};
use crate::protocol::{EndRequest, PeerValues, ProtocolError, RecordHeader, RecordType, RequestId, UnknownType};

/// What one look at the current record came to.
enum Step {
    Event(ClientEvent),
    Next,
    NeedMore,
}

impl ClientConnection {
    pub(super) fn advance(&mut self) -> Result<Option<ClientEvent>, ProtocolError> {
        loop {
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

    fn starved(&self) -> Result<Option<ClientEvent>, ProtocolError> {
        if !self.ended_input {
            return Ok(None);
        }
        if self.reader.is_within_record() {
            return Err(ProtocolError::Truncated { inside: "record" });
        }
        if !self.active.is_empty() {
            return Err(ProtocolError::Truncated { inside: "request" });
        }
        Ok(None)
    }

    fn management(&mut self, header: RecordHeader) -> Result<Step, ProtocolError> {
        match header.kind {
            RecordType::GET_VALUES_RESULT => {
                let Some(content) = self.reader.whole() else { return Ok(Step::NeedMore) };
                Ok(Step::Event(ClientEvent::Values(PeerValues::decode(content.freeze())?)))
            }
            RecordType::UNKNOWN_TYPE => {
                let Some(content) = self.reader.fixed(header)? else { return Ok(Step::NeedMore) };
                Ok(Step::Event(ClientEvent::UnknownType(UnknownType::decode(&content)?.0)))
            }
            kind @ RecordType::GET_VALUES => Err(ProtocolError::WrongDirection { kind }),
            kind if kind.is_known() => Err(ProtocolError::NullRequestId { kind }),
            // lighttpd skips these, and so do we.
            _ => Ok(self.skip()),
        }
    }

    fn application(&mut self, header: RecordHeader, id: RequestId) -> Result<Step, ProtocolError> {
        let kind = header.kind;
        if !kind.is_known() {
            return Ok(self.skip());
        }
        let Some(active) = self.active.iter_mut().find(|active| active.id == id) else {
            // This is how a worker says that it is about to close (`WorkerConnection::send_farewell`).
            if kind == RecordType::STDERR && header.content_length == 0 {
                self.spent = true;
                return Ok(self.skip());
            }
            // The gateway's input has no late records to forgive: what a worker sends here belongs to nobody (FCGI-111).
            return Err(ProtocolError::InactiveId { kind, id: id.get() });
        };
        match kind {
            RecordType::STDOUT if header.content_length == 0 => {
                let first = std::mem::replace(&mut active.stdout_open, false);
                let _ = self.reader.piece();
                return Ok(if first { Step::Event(ClientEvent::StdoutEnd(id)) } else { Step::Next });
            }
            RecordType::STDOUT if !active.stdout_open => return Err(ProtocolError::AfterStreamEnd { kind }),
            // A farewell that crossed this request on its way; so an empty one does not say that no more will come.
            RecordType::STDERR if header.content_length == 0 => return Ok(self.skip()),
            RecordType::STDOUT | RecordType::STDERR => {}
            RecordType::END_REQUEST => return self.end(header, id),
            _ => return Err(ProtocolError::WrongDirection { kind }),
        }
        let Some(piece) = self.reader.piece() else { return Ok(Step::NeedMore) };
        let data = piece.freeze();
        Ok(Step::Event(match kind {
            RecordType::STDOUT => ClientEvent::Stdout { id, data },
            _ => ClientEvent::Stderr { id, data },
        }))
    }

    fn end(&mut self, header: RecordHeader, id: RequestId) -> Result<Step, ProtocolError> {
        let Some(content) = self.reader.fixed(header)? else { return Ok(Step::NeedMore) };
        let end = EndRequest::decode(&content)?;
        if let Some(at) = self.active.iter().position(|active| active.id == id) {
            let active = self.active.remove(at);
            // php-fpm would wait for the rest of the input; a worker that multiplexes ignores what is late (FCGI-29).
            let left_open = active.stdin_open || active.data_open || active.abort_sent;
            self.spent |= !active.keep_connection || (left_open && self.max_requests == 1);
        }
        Ok(Step::Event(ClientEvent::End { id, end }))
    }

    fn skip(&mut self) -> Step {
        if self.reader.skip().ended { Step::Next } else { Step::NeedMore }
    }
}
