//! What is sent for a request, and how it ends.
//!
//! Holds the output side of the machine: answers of the application, and refusals that nobody asked it for. Does not hold what the
//! gateway sends (`records`).

use super::{Active, Input, WorkerConnection};
use crate::connection::SendError;
use crate::protocol::{Content, EndRequest, ProtocolStatus, RecordType, RequestId};
use bytes::{Buf, Bytes};

impl WorkerConnection {
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
        if self.request(id).is_some_and(|active| active.answered) {
            return Err(SendError::Answered(id));
        }
        let active = self.take(id)?;
        self.end(&active, EndRequest { app_status: 0, protocol_status: reason });
        Ok(())
    }

    /// Queues a record that says nothing: an empty one of STDERR, of a request that is over.
    ///
    /// FastCGI has no word by which a worker could announce that it is about to close. But a gateway that keeps connections looks
    /// whether something comes on them while they are idle, and closes them if so (nginx, HAProxy, this crate's client); and where the
    /// next request is on its way already, the record is one that a worker may send within it (FCGI-75).
    pub fn send_farewell(&mut self, id: RequestId) {
        self.output.end_stream(RecordType::STDERR, id);
    }

    /// Bytes of answers in the output that nobody but this machine gave, such as refusals: a gateway that asks for more than it
    /// takes should not be read from.
    pub fn unasked_output(&self) -> usize {
        if self.output.has_remaining() { self.unasked } else { 0 }
    }

    /// The request, to be answered: its parameters are complete.
    fn answering(&mut self, id: RequestId) -> Result<&mut Active, SendError> {
        let active = self.request_mut(id).ok_or(SendError::Inactive(id))?;
        // FastCGI 1.0 §6.2: the parameters are read before anything is written (FCGI-92).
        if matches!(active.input, Input::Params { .. }) {
            return Err(SendError::Inactive(id));
        }
        active.answered = true;
        Ok(active)
    }

    /// Takes the request out of its active state, once.
    fn take(&mut self, id: RequestId) -> Result<Active, SendError> {
        let open = |active: &Active| active.id == id && !matches!(active.input, Input::Params { .. });
        let at = self.active.iter().position(open).ok_or(SendError::Inactive(id))?;
        Ok(self.active.swap_remove(at))
    }

    /// Ends a request that nobody was told of, so that nobody else will.
    pub(super) fn end_untold(&mut self, active: &Active) {
        self.count_unasked(32);
        self.output.end_stream(RecordType::STDOUT, active.id);
        self.end(active, EndRequest::COMPLETE);
    }

    pub(super) fn count_unasked(&mut self, bytes: usize) {
        self.unasked = self.unasked_output() + bytes;
    }

    pub(super) fn end(&mut self, request: &Active, end: EndRequest) {
        self.input_cut |= request.deaf || !matches!(request.input, Input::Complete);
        let body = end.encode();
        self.output.record(RecordType::END_REQUEST, request.id.get(), Content::from(&body));
        // Whether KEEP_CONN may differ between requests is not said: once one asks for closing, the last one closes.
        self.close_when_idle |= !request.begin.keep_connection;
    }
}
