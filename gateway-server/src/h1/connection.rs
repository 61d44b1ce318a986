//! One HTTP/1.1 connection, seen from the server, as a machine.
//!
//! Holds the buffer of what arrived, where both directions are, and what is allowed next. Does not hold sockets or times:
//! the caller gives bytes ([`Connection::receive`]), takes events ([`Connection::next_event`]), asks for bytes to write
//! (`send_*`) and begins the next request ([`Connection::start_next_cycle`]).

use super::checks::parse_head;
use super::chunked::{ChunkedDecoder, Decoded};
use super::error::RequestError;
use super::framing::BodyFraming;
use super::head::{HeadTable, Parsed, RequestHead, Version};
use super::limits::Limits;
use super::sending::{Persistence, ResponseState};
use bytes::{Buf, Bytes, BytesMut};
use gateway_spec::Scheme;

/// What the peer's bytes mean.
#[derive(Debug)]
pub enum Event<'a> {
    /// Nothing yet: read more.
    NeedMore,
    /// A whole request head. Its bytes are kept until the next call of [`Connection::next_event`].
    Request(RequestHead<'a>),
    /// A piece of the body, never empty, not copied.
    Data(Bytes),
    /// The request is complete. Until [`Connection::start_next_cycle`] every further call says this again.
    EndOfRequest,
    /// The peer closed between two requests.
    Closed,
}

/// One connection. It allocates for its buffer, and for nothing else once that has its size, unless a body is cut from it.
///
/// | request side | on | becomes | event |
/// | --- | --- | --- | --- |
/// | `Head` | complete head with a body | `Body` | `Request` |
/// | `Head` | complete head without one | `Done` | `Request` |
/// | `Head` | end of input, nothing begun | `Closed` | `Closed` |
/// | `Head`, `Body` | end of input within it, or a broken rule | `Failed` | the error, again and again |
/// | `Body` | bytes | `Body` | `Data` |
/// | `Body` | its end | `Done` | `EndOfRequest` |
/// | `Done` | `start_next_cycle`, response done, persistent | `Head` | |
///
/// The response side is the table of `ResponseState` in `sending`.
///
/// # Examples
/// ```
/// use gateway_server::h1::{Connection, Event, Limits};
///
/// let mut connection = Connection::new(Limits::default());
/// connection.receive(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
/// let Event::Request(head) = connection.next_event()? else { unreachable!() };
/// assert_eq!((head.method(), head.target()), ("GET", &b"/hello"[..]));
/// assert!(matches!(connection.next_event()?, Event::EndOfRequest));
/// # Ok::<(), gateway_server::h1::RequestError>(())
/// ```
///
/// Source: RFC 9112; requirements HTTP-1…HTTP-184.
#[derive(Debug)]
pub struct Connection {
    limits: Limits,
    scheme: Scheme,
    /// What of a body has come as it is, before what is in the buffer; see [`Connection::receive_shared`].
    shared: Bytes,
    buffer: BytesMut,
    head: HeadTable,
    request: RequestState,
    pub(super) response: ResponseState,
    pub(super) persistence: Persistence,
    /// Bytes at the front of the buffer that belong to the head just given out.
    held_head: usize,
    /// Up to here the buffer is known to hold no complete head.
    searched: usize,
    /// Up to here the buffer holds no line end behind `searched`: a long line that comes in drops is looked at once.
    scanned: usize,
    empty_lines: usize,
    body_bytes: u64,
    peer_closed: bool,
}

#[derive(Debug)]
enum RequestState {
    Head,
    Body(BodyDecoder),
    Done,
    Closed,
    Failed(RequestError),
}

#[derive(Debug)]
enum BodyDecoder {
    Length(u64),
    Chunked(ChunkedDecoder),
}

/// How many empty lines before a request line are let pass (HTTP-5): old clients sent one after a body.
const MAX_EMPTY_LINES: usize = 4;

/// A buffer that held no longer body than this is kept for the next request.
const KEPT_BODY_BYTES: u64 = 8 << 10;

/// What to do after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextCycle {
    /// The next request may follow.
    Ready,
    /// The request body has not been read to its end: read it away, or close (HTTP-167).
    Drain,
    /// Close.
    Close,
}

impl Connection {
    /// A new connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            scheme: Scheme::Http,
            shared: Bytes::new(),
            buffer: BytesMut::new(),
            head: HeadTable::default(),
            request: RequestState::Head,
            response: ResponseState::Idle,
            persistence: Persistence::default(),
            held_head: 0,
            searched: 0,
            scanned: 0,
            empty_lines: 0,
            body_bytes: 0,
            peer_closed: false,
        }
    }

    /// The scheme that requests in absolute-form must have (HTTP-49). Default `http`; under TLS `https`.
    #[must_use]
    pub fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Takes bytes from the peer.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// [`Connection::receive`] for bytes that can be handed on: if all of them are of a body with a length, and nothing lies here before
    /// them, they are not copied.
    pub fn receive_shared(&mut self, bytes: Bytes) {
        match &self.request {
            RequestState::Body(BodyDecoder::Length(left)) if self.buffered() == 0 && bytes.len() as u64 <= *left => {
                self.shared = bytes;
            }
            _ => self.receive(&bytes),
        }
    }

    /// The peer will send no more.
    pub fn receive_end(&mut self) {
        self.peer_closed = true;
    }

    /// What the bytes received so far mean.
    ///
    /// # Errors
    /// The first broken rule. It stays; the connection must be closed after the answer (HTTP-114).
    pub fn next_event(&mut self) -> Result<Event<'_>, RequestError> {
        self.drop_held_head();
        let outcome = match &mut self.request {
            RequestState::Done => return Ok(Event::EndOfRequest),
            RequestState::Closed => return Ok(Event::Closed),
            RequestState::Failed(error) => return Err(*error),
            RequestState::Body(_) => self.next_of_body(),
            RequestState::Head => match self.next_head() {
                Ok(Parsed::Complete) => {
                    self.begin_request();
                    return Ok(Event::Request(RequestHead { bytes: &self.buffer, table: &self.head }));
                }
                Ok(Parsed::Partial) => self.nothing_yet(),
                Err(error) => Err(error),
            },
        };
        if let Err(error) = &outcome {
            self.request = RequestState::Failed(*error);
        }
        outcome
    }

    /// Is the whole body here already, so that no more need be read for this request?
    ///
    /// Of a chunked body this is not known before it is decoded.
    pub fn body_is_buffered(&self) -> bool {
        match &self.request {
            RequestState::Body(BodyDecoder::Length(left)) => (self.buffered() as u64) >= *left,
            RequestState::Body(BodyDecoder::Chunked(_)) => false,
            _ => true,
        }
    }

    /// How many bytes of the body are still to come out, where that is known.
    pub fn body_left(&self) -> Option<u64> {
        match &self.request {
            RequestState::Body(BodyDecoder::Length(left)) => Some(*left),
            RequestState::Body(BodyDecoder::Chunked(_)) => None,
            _ => Some(0),
        }
    }

    /// Takes everything that lies behind the request: what comes after an answer that ends HTTP on this connection (101).
    pub fn take_rest(&mut self) -> Bytes {
        self.drop_held_head();
        self.buffer.split().freeze()
    }

    /// How many bytes lie here behind the head given out.
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.held_head + self.shared.len()
    }

    /// How much of the body has arrived, in bytes: what came out of it, and what lies in the buffer.
    pub fn body_arrived(&self) -> u64 {
        self.body_bytes.saturating_add(self.buffered() as u64)
    }

    /// Does the head that is arriving, or that could not be read, ask with HEAD? Then no answer to it has a body (HTTP-142).
    pub fn is_head_asked_for(&self) -> bool {
        self.held_head == 0 && self.buffer.starts_with(b"HEAD ")
    }

    /// Is it between two requests, with nothing received of the next?
    pub fn is_idle(&self) -> bool {
        matches!(self.request, RequestState::Head) && self.buffer.is_empty()
    }

    /// Is a part of the next head here, and the rest still to come?
    pub fn is_in_head(&self) -> bool {
        matches!(self.request, RequestState::Head) && !self.buffer.is_empty()
    }

    /// Has the peer said that it will send no more?
    pub fn is_peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// Has the request been received to its end?
    pub fn is_request_complete(&self) -> bool {
        matches!(self.request, RequestState::Done)
    }

    /// The head of the request in progress, until the next call of [`Connection::next_event`].
    pub fn head(&self) -> Option<RequestHead<'_>> {
        (self.held_head > 0).then_some(RequestHead { bytes: &self.buffer, table: &self.head })
    }

    /// Begins the next request, if both sides are done and nobody wants to close.
    pub fn start_next_cycle(&mut self) -> NextCycle {
        self.drop_held_head();
        match (&self.request, self.response) {
            (RequestState::Done | RequestState::Body(_), ResponseState::Done) if !self.persistence.is_open() => {
                NextCycle::Close
            }
            (RequestState::Body(_), ResponseState::Done) => NextCycle::Drain,
            (RequestState::Done, ResponseState::Done) => {
                self.request = RequestState::Head;
                self.response = ResponseState::Idle;
                self.empty_lines = 0;
                self.searched = 0;
                self.scanned = 0;
                self.release_large_buffer();
                NextCycle::Ready
            }
            _ => NextCycle::Close,
        }
    }

    pub(super) fn version(&self) -> Version {
        self.head.version
    }

    /// Does the client still wait for `100 Continue`? No longer once a part of the body is here (HTTP-123).
    pub(super) fn awaits_continue(&self) -> bool {
        self.head.expects_continue
            && self.buffered() == 0
            && self.body_bytes == 0
            && matches!(self.request, RequestState::Body(_))
    }

    pub(super) fn forget_expectation(&mut self) {
        self.head.expects_continue = false;
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.request, RequestState::Failed(_))
    }

    fn begin_request(&mut self) {
        self.held_head = self.head.length;
        self.body_bytes = 0;
        self.request = match self.head.body {
            BodyFraming::None | BodyFraming::Length(0) => RequestState::Done,
            BodyFraming::Length(length) => RequestState::Body(BodyDecoder::Length(length)),
            BodyFraming::Chunked => RequestState::Body(BodyDecoder::Chunked(ChunkedDecoder::new(&self.limits))),
        };
        self.response = ResponseState::Expected;
        self.persistence = Persistence::of_request(self.head.keep_alive);
    }

    /// Lets go of a buffer that has grown for a body, so that an idle connection holds little.
    fn release_large_buffer(&mut self) {
        if self.body_bytes > KEPT_BODY_BYTES && self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// The head's bytes are not needed any longer.
    fn drop_held_head(&mut self) {
        if self.held_head > 0 {
            self.buffer.advance(self.held_head);
            self.held_head = 0;
        }
    }

    /// Looks for a complete head at the front of the buffer.
    ///
    /// The verdict on an incomplete head depends on its complete lines alone, so it is the same however the bytes arrive,
    /// and a peer that sends byte by byte cannot make us parse at every byte.
    fn next_head(&mut self) -> Result<Parsed, RequestError> {
        self.skip_empty_lines()?;
        let begin = self.searched.max(self.scanned);
        let Some(new) = self.buffer.get(begin..) else { return Ok(Parsed::Partial) };
        let Some(last_line) = new.iter().rposition(|b| *b == b'\n').map(|at| begin + at + 1) else {
            self.scanned = self.buffer.len();
            return self.check_partial_length();
        };
        let parsed = match parse_head(&self.buffer, &self.limits, &self.scheme, &mut self.head) {
            Ok(Parsed::Complete) => return Ok(Parsed::Complete),
            // Bytes behind the last line end may not change the verdict.
            _ => {
                let lines = self.buffer.get(..last_line).unwrap_or_default();
                parse_head(lines, &self.limits, &self.scheme, &mut self.head)?
            }
        };
        self.searched = last_line;
        match parsed {
            Parsed::Complete => Ok(Parsed::Complete),
            Parsed::Partial => self.check_partial_length(),
        }
    }

    fn check_partial_length(&self) -> Result<Parsed, RequestError> {
        let Limits { max_head_bytes, max_target_bytes, max_method_bytes, .. } = self.limits;
        let line_is_open = self.searched == 0;
        if line_is_open && self.buffer.first().is_some_and(|b| !super::framing::is_tchar(*b) && *b != b'\r') {
            // Not HTTP at all, such as TLS: no need to wait for a line end that may never come (HTTP-7).
            return Err(RequestError::RequestLine);
        }
        // ` ` twice and `HTTP/1.1`.
        if line_is_open && self.buffer.len() > max_method_bytes.saturating_add(max_target_bytes).saturating_add(10) {
            let method_ends = self.buffer.iter().take(max_method_bytes + 1).any(|b| *b == b' ');
            return Err(match method_ends {
                true => RequestError::TargetTooLong { limit: max_target_bytes },
                false => RequestError::MethodTooLong { limit: max_method_bytes },
            });
        }
        if self.buffer.len() >= max_head_bytes {
            return Err(RequestError::HeadTooLong { limit: max_head_bytes });
        }
        Ok(Parsed::Partial)
    }

    fn skip_empty_lines(&mut self) -> Result<(), RequestError> {
        loop {
            match self.buffer.get(..2).unwrap_or(&self.buffer) {
                [b'\r', b'\n'] if self.empty_lines == MAX_EMPTY_LINES => {
                    return Err(RequestError::EmptyLines { limit: MAX_EMPTY_LINES });
                }
                [b'\r', b'\n'] => {
                    self.empty_lines += 1;
                    self.scanned = 0;
                    self.buffer.advance(2);
                }
                [b'\r', _] | [b'\n', ..] => return Err(RequestError::LineEnd),
                _ => return Ok(()),
            }
        }
    }

    fn next_of_body(&mut self) -> Result<Event<'static>, RequestError> {
        let RequestState::Body(decoder) = &mut self.request else { return Ok(Event::EndOfRequest) };
        let decoded = match decoder {
            BodyDecoder::Length(0) => Decoded::End,
            BodyDecoder::Length(left) if !self.shared.is_empty() => {
                *left = left.saturating_sub(self.shared.len() as u64);
                Decoded::Data(std::mem::take(&mut self.shared))
            }
            BodyDecoder::Length(_) if self.buffer.is_empty() => Decoded::NeedMore,
            BodyDecoder::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(self.buffer.len());
                *left -= length as u64;
                Decoded::Data(self.buffer.split_to(length).freeze())
            }
            BodyDecoder::Chunked(decoder) => decoder.decode(&mut self.buffer)?,
        };
        match decoded {
            Decoded::NeedMore => self.nothing_yet(),
            Decoded::End => {
                self.request = RequestState::Done;
                Ok(Event::EndOfRequest)
            }
            Decoded::Data(data) => {
                self.body_bytes = self.body_bytes.saturating_add(data.len() as u64);
                match self.limits.max_body_bytes {
                    Some(limit) if self.body_bytes > limit => Err(RequestError::BodyTooLong { limit }),
                    _ => Ok(Event::Data(data)),
                }
            }
        }
    }

    /// The input is used up: more may come, or this was the end.
    fn nothing_yet(&mut self) -> Result<Event<'static>, RequestError> {
        if !self.peer_closed {
            return Ok(Event::NeedMore);
        }
        match &self.request {
            RequestState::Head if self.buffer.is_empty() => {
                self.request = RequestState::Closed;
                Ok(Event::Closed)
            }
            RequestState::Head => Err(RequestError::HeadIncomplete),
            _ => Err(RequestError::BodyIncomplete),
        }
    }
}
