//! One HTTP/1.1 connection, seen from the server, as a machine.
//!
//! Holds the buffer of what arrived, where both directions are, and what is allowed next. Does not hold sockets or times:
//! the caller gives bytes ([`Connection::receive`]), takes events ([`Connection::next_event`]), asks for bytes to write
//! (`send_*`, in `sending`) and begins the next request ([`Connection::start_next_cycle`]). How a head is waited for is in
//! `arriving`, how a body is taken in `body`.

use super::arriving::ArrivingHead;
use super::body::BodyDecoder;
use super::chunked::Decoded;
use super::error::RequestError;
use super::event::{Event, NextCycle};
use super::head::{HeadTable, RequestHead, Version};
use super::limits::Limits;
use super::sending::{Persistence, ResponseState};
use super::syntax::Parsed;
use bytes::{Buf, Bytes, BytesMut};
use gateway_spec::Scheme;

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
    arriving: ArrivingHead,
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

/// A buffer that has grown for a longer body than this is not kept for the next request.
const KEPT_BODY_BYTES: u64 = 8 << 10;

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
            arriving: ArrivingHead::default(),
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
        if self.buffered() == 0 && self.body_left().is_some_and(|left| bytes.len() as u64 <= left) {
            self.shared = bytes;
        } else {
            self.receive(&bytes);
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
            RequestState::Head => {
                match self.arriving.look(&mut self.buffer, &self.limits, &self.scheme, &mut self.head) {
                    Ok(Parsed::Complete) => {
                        self.begin_request();
                        return Ok(Event::Request(RequestHead { bytes: &self.buffer, table: &self.head }));
                    }
                    Ok(Parsed::Partial) => self.nothing_yet(),
                    Err(error) => Err(error),
                }
            }
        };
        outcome.inspect_err(|error| self.request = RequestState::Failed(*error))
    }

    /// Is the whole body here already, so that no more need be read for this request?
    ///
    /// Of a chunked body this is not known before it is decoded.
    pub fn body_is_buffered(&self) -> bool {
        self.body_left().is_some_and(|left| self.buffered() as u64 >= left)
    }

    /// How many bytes of the body are still to come out, where that is known.
    pub fn body_left(&self) -> Option<u64> {
        match &self.request {
            RequestState::Body(body) => body.left(),
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
        if self.response != ResponseState::Done || !self.persistence.is_open() {
            return NextCycle::Close;
        }
        match &self.request {
            RequestState::Body(_) => NextCycle::Drain,
            RequestState::Done => {
                self.request = RequestState::Head;
                self.response = ResponseState::Idle;
                self.arriving = ArrivingHead::default();
                // So that an idle connection holds little.
                if self.body_bytes > KEPT_BODY_BYTES && self.buffer.is_empty() {
                    self.buffer = BytesMut::new();
                }
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
        self.request = BodyDecoder::of(self.head.body, &self.limits).map_or(RequestState::Done, RequestState::Body);
        self.response = ResponseState::Expected;
        self.persistence = Persistence::of_request(self.head.keep_alive);
    }

    /// The head's bytes are not needed any longer.
    fn drop_held_head(&mut self) {
        if self.held_head > 0 {
            self.buffer.advance(self.held_head);
            self.held_head = 0;
        }
    }

    fn next_of_body(&mut self) -> Result<Event<'static>, RequestError> {
        let RequestState::Body(body) = &mut self.request else { return Ok(Event::EndOfRequest) };
        match body.decode(&mut self.shared, &mut self.buffer)? {
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
