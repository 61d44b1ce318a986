//! The gateway's end of a connection.
//!
//! Holds how a request is put into records, and what may be sent when. Does not hold what comes back (`records`). Does not know what
//! the variables mean (that is CGI), nor when to give up. Follows FastCGI 1.0 §3.3, §5 and §6.

mod event;
mod records;

pub use event::ClientEvent;

use super::reader::RecordReader;
use super::{Outgoing, Parameters, SendError};
use crate::protocol::{BeginRequest, Content, PeerValues, ProtocolError, RecordType, RequestId, Role, ValueName};
use bytes::{Bytes, BytesMut};

/// The gateway's state machine for one connection.
///
/// One request at a time, always with id 1, as every peer understands it; several with [`ClientConnection::multiplexing`]. Reading
/// and writing are independent: a worker may answer before it has read anything (FCGI-116), so never finish writing before reading.
///
/// Memory: one record body of fixed size, or a GET_VALUES_RESULT of at most 64 KiB; output data is handed out as it comes.
#[derive(Debug)]
pub struct ClientConnection {
    reader: RecordReader,
    output: Outgoing,
    /// The requests under way, in the order of their ids.
    active: Vec<Active>,
    max_requests: u16,
    spent: bool,
    ended_input: bool,
    failure: Option<ProtocolError>,
}

impl Default for ClientConnection {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct Active {
    id: RequestId,
    keep_connection: bool,
    stdin_open: bool,
    data_open: bool,
    stdout_open: bool,
    abort_sent: bool,
}

impl ClientConnection {
    /// A fresh connection.
    pub fn new() -> Self {
        Self::multiplexing(1)
    }

    /// A fresh connection for several requests at a time, for a worker that said FCGI_MPXS_CONNS=1.
    ///
    /// Ids are as small as they can be (FCGI-30). A request that ended early or was aborted does not spoil the connection for
    /// others, as it does without multiplexing: such a worker ignores what comes late (FCGI-29).
    ///
    /// # Examples
    /// ```
    /// use gateway_fastcgi::connection::{ClientConnection, SendError};
    /// use gateway_fastcgi::protocol::{BeginRequest, Role};
    ///
    /// let mut client = ClientConnection::multiplexing(2);
    /// let begin = BeginRequest { role: Role::RESPONDER, keep_connection: true };
    /// assert_eq!(client.send_request(begin, [])?.get(), 1);
    /// assert_eq!(client.send_request(begin, [])?.get(), 2);
    /// assert_eq!(client.send_request(begin, []), Err(SendError::Busy));
    /// # Ok::<(), SendError>(())
    /// ```
    pub fn multiplexing(max_requests: u16) -> Self {
        Self {
            reader: RecordReader::default(),
            output: Outgoing::default(),
            active: Vec::new(),
            max_requests: max_requests.max(1),
            spent: false,
            ended_input: false,
            failure: None,
        }
    }

    /// Begins a request: BEGIN_REQUEST, all parameters, and their end. Returns its id.
    ///
    /// Pairs are never cut across records (FCGI-45). The input follows with [`ClientConnection::send_stdin`] and
    /// [`ClientConnection::end_stdin`].
    ///
    /// # Errors
    /// Nothing is sent then: [`SendError::Busy`], [`SendError::Closed`], or a pair that cannot be sent
    /// ([`SendError::PairTooLong`], [`SendError::NulInPair`]).
    pub fn send_request<'a, P>(&mut self, begin: BeginRequest, pairs: P) -> Result<RequestId, SendError>
    where
        P: IntoIterator<Item = (&'a [u8], &'a [u8])>,
    {
        let mut parameters = Parameters::default();
        pairs.into_iter().for_each(|(name, value)| parameters.push(name, value));
        self.send_with_parameters(begin, &parameters)
    }

    /// [`ClientConnection::send_request`] for parameters that may have to be sent once more.
    ///
    /// # Errors
    /// As there.
    pub fn send_with_parameters(
        &mut self,
        begin: BeginRequest,
        parameters: &Parameters,
    ) -> Result<RequestId, SendError> {
        let Some((at, id)) = self.free_id() else { return Err(SendError::Busy) };
        if self.spent || self.ended_input || self.failure.is_some() {
            return Err(SendError::Closed);
        }
        parameters.check()?;
        let body = begin.encode();
        self.output.record(RecordType::BEGIN_REQUEST, id.get(), Content::from(&body));
        self.output.params(id, parameters);
        let request = Active {
            id,
            keep_connection: begin.keep_connection,
            stdin_open: true,
            data_open: begin.role == Role::FILTER,
            stdout_open: true,
            abort_sent: false,
        };
        self.active.insert(at, request);
        Ok(id)
    }

    /// The smallest id that is free, and its place among the others.
    fn free_id(&self) -> Option<(usize, RequestId)> {
        let taken = self.active.iter().zip(1_u16..).take_while(|(active, number)| active.id.get() == *number).count();
        let number = u16::try_from(taken).ok().filter(|taken| *taken < self.max_requests)?;
        Some((taken, RequestId::new(number + 1)?))
    }

    /// Sends more of the request body; nothing if `data` is empty.
    ///
    /// # Errors
    /// [`SendError::Inactive`] after the end of the stream or of the request: a worker may end it early, and then the rest of
    /// the body is not wanted.
    pub fn send_stdin(&mut self, id: RequestId, data: Bytes) -> Result<(), SendError> {
        self.open(id, |active| active.stdin_open)?;
        self.output.stream(RecordType::STDIN, id, data);
        Ok(())
    }

    /// Ends the request body; needed also when there is none (FCGI-74).
    ///
    /// # Errors
    /// As [`ClientConnection::send_stdin`].
    pub fn end_stdin(&mut self, id: RequestId) -> Result<(), SendError> {
        self.open(id, |active| active.stdin_open)?.stdin_open = false;
        self.output.end_stream(RecordType::STDIN, id);
        Ok(())
    }

    /// Sends more of a Filter's file, after the end of its STDIN (FCGI-73).
    ///
    /// # Errors
    /// [`SendError::Inactive`] before the end of STDIN, for other roles, and after the end.
    pub fn send_data(&mut self, id: RequestId, data: Bytes) -> Result<(), SendError> {
        self.open(id, |active| active.data_open && !active.stdin_open)?;
        self.output.stream(RecordType::DATA, id, data);
        Ok(())
    }

    /// Ends a Filter's file.
    ///
    /// # Errors
    /// As [`ClientConnection::send_data`].
    pub fn end_data(&mut self, id: RequestId) -> Result<(), SendError> {
        self.open(id, |active| active.data_open && !active.stdin_open)?.data_open = false;
        self.output.end_stream(RecordType::DATA, id);
        Ok(())
    }

    /// Asks for an early end, once. The request stays active until `End` comes; the rest of its input is not wanted.
    ///
    /// php-fpm and libfcgi do not understand it; closing the connection says the same (FCGI-80).
    ///
    /// # Errors
    /// [`SendError::Inactive`] after the end.
    pub fn send_abort(&mut self, id: RequestId) -> Result<(), SendError> {
        let active = self.open(id, |_| true)?;
        (active.stdin_open, active.data_open) = (false, false);
        if !std::mem::replace(&mut active.abort_sent, true) {
            self.output.end_stream(RecordType::ABORT_REQUEST, id);
        }
        Ok(())
    }

    /// Asks what the worker can do. Do not depend on an answer, and use a connection of its own (FCGI-59).
    pub fn send_get_values(&mut self, names: &[ValueName]) {
        let query = PeerValues::query(names);
        if let Some(content) = Content::new(&query) {
            self.output.record(RecordType::GET_VALUES, 0, content);
        }
    }

    /// Takes bytes from the worker. Ask for all events before the next call, to keep memory bounded.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.reader.receive(bytes);
    }

    /// A buffer with at least `room` spare bytes to read into: as [`ClientConnection::receive`] without the copy.
    ///
    /// Append only; events are slices of it.
    pub fn input(&mut self, room: usize) -> &mut BytesMut {
        self.reader.input(room)
    }

    /// Notes that the worker will send no more.
    pub fn receive_end(&mut self) {
        self.ended_input = true;
    }

    /// What the bytes received so far mean; `None` when more are needed.
    ///
    /// # Errors
    /// The worker broke the protocol, or closed within a request. The same error is returned ever after; close the connection.
    pub fn next_event(&mut self) -> Result<Option<ClientEvent>, ProtocolError> {
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

    /// The request under way; of several the one with the smallest id.
    pub fn active(&self) -> Option<RequestId> {
        self.active.first().map(|active| active.id)
    }

    /// May one more request be sent now?
    pub fn has_room(&self) -> bool {
        let broken = self.spent || self.ended_input || self.failure.is_some();
        self.free_id().is_some() && !broken
    }

    /// May another request be sent on this connection?
    ///
    /// Not without KEEP_CONN, not after an early end with input unsent (php-fpm would wait for the rest of it), not after an
    /// error or end, and not while bytes from the worker are left that no request has asked for.
    pub fn is_reusable(&self) -> bool {
        let broken = self.spent || self.ended_input || self.failure.is_some();
        self.active.is_empty() && !broken && !self.reader.is_within_record()
    }

    /// Has the worker said, or the gateway, that this connection gets no further request?
    pub fn is_spent(&self) -> bool {
        self.spent
    }

    /// Bytes from the worker that this machine holds.
    pub fn retained_bytes(&self) -> usize {
        self.reader.buffered()
    }

    fn open(&mut self, id: RequestId, is_open: impl Fn(&Active) -> bool) -> Result<&mut Active, SendError> {
        let found = self.active.iter_mut().find(|active| active.id == id && is_open(active));
        found.ok_or(SendError::Inactive(id))
    }
}
