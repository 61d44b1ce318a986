//! One response as it is handed to the crate: head, body, end or reset.
//!
//! Holds what of it has gone and what waits for the client's window. Does not hold the waits (`stream`).

use super::line::Account;
use crate::environ::SOFTWARE;
use crate::serve::date::DateText;
use crate::serve::refusal::Refusal;
use crate::serve::wire::Put;
use bytes::Bytes;
use gateway_spec::{Framing, Headers, ResponseHead};
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use std::io;
use std::time::Instant;

/// What the lock guards.
pub(super) struct State {
    pub(super) out: Out,
    /// A chunk that waits for the client's window.
    pub(super) chunk: Bytes,
    /// How much of a body of known length is still to be put in.
    pub(super) left: Option<u64>,
    pub(super) status: Option<StatusCode>,
    pub(super) body_bytes: u64,
    pub(super) called: Option<Instant>,
    /// What spoilt the body of the request.
    pub(super) trouble: Option<Refusal>,
    /// How the client takes the response.
    pub(super) taking: Account,
}

pub(super) enum Out {
    /// Nothing was sent but perhaps `100 Continue`.
    Head(SendResponse<Bytes>),
    Body(SendStream<Bytes>),
    /// The end was sent, or a reset.
    Over,
}

const CONNECTION_FIELDS: [HeaderName; 4] =
    [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::UPGRADE];

impl State {
    /// How much of the body the client has made room for.
    pub(super) fn moved(&self) -> u64 {
        self.body_bytes - self.chunk.len() as u64
    }

    /// Sends `100 Continue` (HTTP-120), unless the response has begun.
    pub(super) fn send_continue(&mut self) {
        if let Out::Head(respond) = &mut self.out {
            let mut interim = Response::new(());
            *interim.status_mut() = StatusCode::CONTINUE;
            // A client that has gone shows at the next step.
            let _ = respond.send_informational(interim);
        }
    }

    /// Sends an interim response, unless the response has begun; without the fields that say how a message of HTTP/1.1 is framed (§8.2.2).
    pub(super) fn send_interim(&mut self, status: StatusCode, headers: &Headers) -> bool {
        let is_other = matches!(status, StatusCode::CONTINUE | StatusCode::SWITCHING_PROTOCOLS);
        let Out::Head(respond) = &mut self.out else { return false };
        if !status.is_informational() || is_other {
            return false;
        }
        let mut interim = Response::new(());
        *interim.status_mut() = status;
        for (name, value) in headers.iter().filter(|(name, _)| !CONNECTION_FIELDS.contains(name)) {
            if interim.headers_mut().try_append(name.clone(), value.clone()).is_err() {
                return false;
            }
        }
        respond.send_informational(interim).is_ok()
    }

    pub(super) fn put_head(&mut self, head: &ResponseHead, server_field: bool) -> Put {
        let Out::Head(mut respond) = std::mem::replace(&mut self.out, Out::Over) else { return Put::Abort };
        self.status = Some(head.status);
        self.left = match head.framing {
            Framing::None => Some(0),
            Framing::Exact(length) => Some(length),
            Framing::Unknown => None,
        };
        let is_over = self.left == Some(0);
        let Some(response) = response(head, server_field) else {
            respond.send_reset(Reason::INTERNAL_ERROR);
            return Put::Abort;
        };
        match respond.send_response(response, is_over) {
            Ok(_) if is_over => Put::More,
            Ok(send) => {
                self.out = Out::Body(send);
                Put::More
            }
            Err(_) => Put::Abort,
        }
    }

    pub(super) fn put_chunk(&mut self, chunk: Bytes) -> Put {
        let length = chunk.len() as u64;
        if self.left.is_some_and(|left| length > left) || !self.chunk.is_empty() {
            return Put::Abort;
        }
        self.left = self.left.map(|left| left - length);
        self.body_bytes += length;
        self.chunk = chunk;
        Put::Flush
    }

    pub(super) fn put_end(&mut self) -> Put {
        match std::mem::replace(&mut self.out, Out::Over) {
            Out::Over => Put::End,
            Out::Body(mut send) if self.left.unwrap_or(0) == 0 => match send.send_data(Bytes::new(), true) {
                Ok(()) => Put::End,
                Err(_) => Put::Abort,
            },
            other => {
                self.out = other;
                Put::Abort
            }
        }
    }

    /// Breaks the response off: the client can tell it from an end (HTTP-159).
    pub(super) fn reset(&mut self, reason: Reason) {
        match std::mem::replace(&mut self.out, Out::Over) {
            Out::Head(mut respond) => respond.send_reset(reason),
            Out::Body(mut send) => send.send_reset(reason),
            Out::Over => {}
        }
        self.chunk = Bytes::new();
    }

    /// Hands on what the client's window takes. What is handed on is written by the connection's task.
    pub(super) fn try_flush(&mut self) -> io::Result<bool> {
        while !self.chunk.is_empty() {
            let Out::Body(send) = &mut self.out else { return Err(io::ErrorKind::BrokenPipe.into()) };
            send.reserve_capacity(self.chunk.len());
            let room = send.capacity().min(self.chunk.len());
            if room == 0 {
                return Ok(false);
            }
            let piece = self.chunk.split_to(room);
            let is_last = self.chunk.is_empty() && self.left == Some(0);
            send.send_data(piece, is_last).map_err(lost)?;
            if is_last {
                self.out = Out::Over;
            }
        }
        Ok(true)
    }
}

/// A head as the crate wants it, with Date (HTTP-151) and perhaps Server; nothing if it has more fields than a map holds.
fn response(head: &ResponseHead, server_field: bool) -> Option<Response<()>> {
    let mut response = Response::new(());
    *response.status_mut() = head.status;
    let fields = response.headers_mut();
    for (name, value) in &head.headers {
        fields.try_append(name.clone(), value.clone()).ok()?;
    }
    if !fields.contains_key(header::DATE) {
        let date = HeaderValue::from_bytes(&DateText::new().now()).ok()?;
        fields.try_append(header::DATE, date).ok()?;
    }
    if server_field && !fields.contains_key(header::SERVER) {
        fields.try_append(header::SERVER, HeaderValue::from_static(SOFTWARE)).ok()?;
    }
    Some(response)
}

pub(super) fn lost(error: h2::Error) -> io::Error {
    match error.get_io() {
        Some(cause) => cause.kind().into(),
        None => io::Error::new(io::ErrorKind::BrokenPipe, error),
    }
}
