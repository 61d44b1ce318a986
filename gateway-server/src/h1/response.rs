//! The head of a response, written into a buffer that is used again (RFC 9112 §4, RFC 9110 §6.4).
//!
//! Holds which framing a response gets and the bytes of its head. Does not hold when it may be sent.

use super::head::Version;
use gateway_spec::{Framing, Headers};
use http::{StatusCode, header};

/// How the body of a response is delimited on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseFraming {
    /// No body, whatever the fields say (HTTP-142).
    None,
    /// Content-Length.
    Exact(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
    /// The end of the connection: all an HTTP/1.0 client understands (HTTP-148).
    UntilClose,
}

impl ResponseFraming {
    pub(super) fn of(framing: Framing, version: Version) -> Self {
        match (framing, version) {
            (Framing::None, _) => Self::None,
            (Framing::Exact(length), _) => Self::Exact(length),
            (Framing::Unknown, Version::Http11) => Self::Chunked,
            (Framing::Unknown, Version::Http10) => Self::UntilClose,
        }
    }
}

/// What the server adds to every response.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// The time in IMF-fixdate form (HTTP-151).
    pub date: &'a [u8],
    /// The Server field, if one is sent (HTTP-153).
    pub server: Option<&'a [u8]>,
}

/// What the Connection field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announce {
    /// Nothing: the version's default holds.
    Nothing,
    KeepAlive,
    Close,
}

/// Writes a response head, the empty line included.
///
/// Framing and connection fields are ours alone: what `headers` says about them is passed over, so that there are never two
/// framings (HTTP-147), nor one where none belongs (HTTP-145).
pub(super) fn encode_head(
    status: StatusCode,
    headers: &Headers,
    framing: ResponseFraming,
    announce: Announce,
    stamp: Stamp<'_>,
    out: &mut Vec<u8>,
) {
    status_line(status, out);
    // A response to HEAD, and 304, tell the length that GET would have had (HTTP-144); 1xx and 204 tell none.
    let describes_length = framing == ResponseFraming::None
        && !status.is_informational()
        && !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
    let (mut has_date, mut has_server, mut has_upgrade) = (false, false, false);
    for (name, value) in headers.iter() {
        if is_framing(name) && !(describes_length && name == header::CONTENT_LENGTH) {
            continue;
        }
        has_date |= name == header::DATE;
        has_server |= name == header::SERVER;
        has_upgrade |= name == header::UPGRADE;
        field(name.as_str().as_bytes(), value.as_bytes(), out);
    }
    match framing {
        ResponseFraming::Exact(length) => length_field(length, out),
        // HTTP-146: without this line, HTTP/1.1 would read a 205 to the end of the connection.
        ResponseFraming::None if status == StatusCode::RESET_CONTENT => length_field(0, out),
        ResponseFraming::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        ResponseFraming::None | ResponseFraming::UntilClose => {}
    }
    if !has_date {
        field(b"date", stamp.date, out);
    }
    if let (Some(server), false) = (stamp.server, has_server) {
        field(b"server", server, out);
    }
    // RFC 9110 §7.8: whoever sends Upgrade says that it is about the connection (HTTP-130, HTTP-131).
    match (announce, has_upgrade) {
        (Announce::Nothing, false) => {}
        (Announce::Nothing, true) => out.extend_from_slice(b"connection: upgrade\r\n"),
        (Announce::KeepAlive, false) => out.extend_from_slice(b"connection: keep-alive\r\n"),
        (Announce::KeepAlive, true) => out.extend_from_slice(b"connection: keep-alive, upgrade\r\n"),
        (Announce::Close, false) => out.extend_from_slice(b"connection: close\r\n"),
        (Announce::Close, true) => out.extend_from_slice(b"connection: close, upgrade\r\n"),
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes an interim response: status and fields, nothing else (HTTP-145).
pub(super) fn encode_interim(status: StatusCode, headers: &Headers, out: &mut Vec<u8>) {
    status_line(status, out);
    for (name, value) in headers.iter().filter(|(name, _)| !is_framing(name) && *name != header::UPGRADE) {
        field(name.as_str().as_bytes(), value.as_bytes(), out);
    }
    out.extend_from_slice(b"\r\n");
}

fn status_line(status: StatusCode, out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn is_framing(name: &header::HeaderName) -> bool {
    // Well-known names compare as one byte each.
    *name == header::CONTENT_LENGTH || *name == header::TRANSFER_ENCODING || *name == header::CONNECTION
}

#[inline]
fn field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    // At once, so that nothing below asks for room again.
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn length_field(length: u64, out: &mut Vec<u8>) {
    // 20 digits hold the largest u64.
    let mut digits = [b'0'; 20];
    let mut left = length;
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(left % 10).unwrap_or_default();
        left /= 10;
        used += 1;
        if left == 0 {
            break;
        }
    }
    field(b"content-length", digits.get(20 - used..).unwrap_or_default(), out);
}
