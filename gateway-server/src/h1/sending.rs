//! The response side of a connection: what may be sent when, and whether the connection lives on.
//!
//! Holds the states of one response and their transitions. Does not hold the bytes of a head (`response`) or a chunk
//! (`chunked`).

use super::chunked::{CHUNK_END, LAST_CHUNK, encode_chunk_size};
use super::connection::Connection;
use super::head::Version;
use super::response::{Announce, ResponseFraming, Stamp, encode_head, encode_interim};
use gateway_spec::{Headers, ResponseHead};
use http::StatusCode;

/// How far the response is.
///
/// | state | on | becomes |
/// | --- | --- | --- |
/// | `Expected`, `Idle` | `send_continue` | itself |
/// | `Expected`, `Idle` | `send_head` | `Body` |
/// | `Body` | `send_data` | `Body`, with less left |
/// | `Body` | `send_end` | `Done` |
/// | any | `send_abort`, or a step that is not in this table | `Failed` |
///
/// `Idle` is before a request: only an answer to one that could not be read is sent from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseState {
    Idle,
    Expected,
    Body(ResponseFraming),
    Done,
    Failed,
}

/// A response that this connection cannot carry. Always the fault of the caller, or of the application behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The step is not allowed in this state.
    #[error("the response is not in a state to send this")]
    OutOfOrder,
    /// More body than was announced.
    #[error("the response body is longer than its Content-Length")]
    TooLong,
    /// Less body than was announced (HTTP-150).
    #[error("the response body is {missing} bytes shorter than its Content-Length")]
    TooShort {
        /// What is missing, in bytes.
        missing: u64,
    },
}

/// Does the connection live on after this response?
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Persistence {
    client_allows: bool,
    open: bool,
    close_delimited: bool,
}

impl Persistence {
    pub(super) fn of_request(client_allows: bool) -> Self {
        Self { client_allows, open: client_allows, close_delimited: false }
    }

    pub(super) fn is_open(self) -> bool {
        self.open
    }
}

/// What the server wants for the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterResponse {
    /// Keep it open if the client lets us.
    KeepOpen,
    /// Close it.
    Close,
}

impl Connection {
    /// Writes `100 Continue`, if the client waits for it and no response has begun (HTTP-120, HTTP-123). Tells whether it
    /// did.
    pub fn send_continue(&mut self, out: &mut Vec<u8>) -> bool {
        let waits = self.response == ResponseState::Expected && self.awaits_continue();
        if waits {
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.forget_expectation();
        }
        waits
    }

    /// Writes an interim response (1xx), if one may be sent now: to HTTP/1.1, before the response (HTTP-127). Tells whether it did.
    /// 100 is [`Connection::send_continue`]'s, and 101 is no interim response.
    pub fn send_interim(&mut self, status: StatusCode, headers: &Headers, out: &mut Vec<u8>) -> bool {
        let may = self.response == ResponseState::Expected
            && self.version() == Version::Http11
            && status.is_informational()
            && !matches!(status, StatusCode::CONTINUE | StatusCode::SWITCHING_PROTOCOLS);
        if may {
            encode_interim(status, headers, out);
        }
        may
    }

    /// Writes the head of the response.
    ///
    /// The connection is announced to close if the server or the client wants so, if the body can end no other way, if
    /// the request could not be read, or if the client still waits for `100 Continue`: then nobody can know whether the
    /// body will come (HTTP-125).
    ///
    /// # Errors
    /// [`SendError::OutOfOrder`] after a first head.
    pub fn send_head(
        &mut self,
        head: &ResponseHead,
        after: AfterResponse,
        stamp: Stamp<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if !matches!(self.response, ResponseState::Idle | ResponseState::Expected) {
            return Err(self.fail(SendError::OutOfOrder));
        }
        let framing = ResponseFraming::of(head.framing, self.version());
        self.persistence.open = self.persistence.client_allows
            && after == AfterResponse::KeepOpen
            && framing != ResponseFraming::UntilClose
            && self.response == ResponseState::Expected
            && !self.has_failed()
            && !self.awaits_continue();
        self.persistence.close_delimited = framing == ResponseFraming::UntilClose;
        let announce = match (self.persistence.open, self.version()) {
            (false, _) => Announce::Close,
            (true, Version::Http10) => Announce::KeepAlive,
            (true, Version::Http11) => Announce::Nothing,
        };
        encode_head(head.status, &head.headers, framing, announce, stamp, out);
        self.response = ResponseState::Body(framing);
        Ok(())
    }

    /// Writes what stands before `length` bytes of the body, and returns what stands behind them.
    ///
    /// # Errors
    /// [`SendError::TooLong`], and nothing is written, if the body would be longer than announced.
    pub fn send_data(&mut self, length: usize, out: &mut Vec<u8>) -> Result<&'static [u8], SendError> {
        match self.response {
            ResponseState::Body(_) if length == 0 => Ok(b""),
            ResponseState::Body(ResponseFraming::Exact(left)) => {
                let Some(left) = left.checked_sub(length as u64) else { return Err(self.fail(SendError::TooLong)) };
                self.response = ResponseState::Body(ResponseFraming::Exact(left));
                Ok(b"")
            }
            ResponseState::Body(ResponseFraming::Chunked) => {
                encode_chunk_size(length, out);
                Ok(CHUNK_END)
            }
            ResponseState::Body(ResponseFraming::UntilClose) => Ok(b""),
            ResponseState::Body(ResponseFraming::None) => Err(self.fail(SendError::TooLong)),
            _ => Err(self.fail(SendError::OutOfOrder)),
        }
    }

    /// Writes what ends the response.
    ///
    /// # Errors
    /// [`SendError::TooShort`] if less than announced was sent: the connection must be closed, so that the peer sees it.
    pub fn send_end(&mut self, out: &mut Vec<u8>) -> Result<(), SendError> {
        match self.response {
            ResponseState::Body(ResponseFraming::Exact(missing @ 1..)) => {
                return Err(self.fail(SendError::TooShort { missing }));
            }
            ResponseState::Body(ResponseFraming::Chunked) => out.extend_from_slice(LAST_CHUNK),
            ResponseState::Body(_) => {}
            _ => return Err(self.fail(SendError::OutOfOrder)),
        }
        self.response = ResponseState::Done;
        Ok(())
    }

    /// Gives the response up. Nothing is written: that the end is missing tells the peer (HTTP-159).
    pub fn send_abort(&mut self) {
        self.response = ResponseState::Failed;
    }

    /// Has a response head been sent for the request in progress?
    pub fn is_response_started(&self) -> bool {
        !matches!(self.response, ResponseState::Idle | ResponseState::Expected)
    }

    /// Is everything that was announced of the body sent, so that only the end is missing?
    pub fn is_body_complete(&self) -> bool {
        matches!(self.response, ResponseState::Body(ResponseFraming::Exact(0) | ResponseFraming::None))
    }

    /// Is the end of the connection the only end that this response has?
    pub fn is_close_delimited(&self) -> bool {
        self.persistence.close_delimited
    }

    fn fail(&mut self, error: SendError) -> SendError {
        self.response = ResponseState::Failed;
        error
    }
}
