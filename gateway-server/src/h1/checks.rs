//! What a head must say beyond its syntax: target, Host, framing, Expect, Connection.
//!
//! Holds the order of the checks and fills the rest of the table. Each rule is in its own file.

use super::error::RequestError;
use super::framing::{BodyFraming, body_framing};
use super::head::{HeadTable, RequestHead, Version};
use super::limits::Limits;
use super::persistence::is_persistent;
use super::syntax::{Parsed, parse_syntax};
use super::target::{is_authority, parse_target};
use gateway_spec::Scheme;
use std::ops::Range;

/// Parses the head at the start of `bytes`, which came over a connection of that scheme, and checks all of it.
pub(super) fn parse_head(
    bytes: &[u8],
    limits: &Limits,
    scheme: &Scheme,
    table: &mut HeadTable,
) -> Result<Parsed, RequestError> {
    if parse_syntax(bytes, limits, table)? == Parsed::Partial {
        return Ok(Parsed::Partial);
    }
    if table.length > limits.max_head_bytes {
        return Err(RequestError::HeadTooLong { limit: limits.max_head_bytes });
    }
    if table.method > limits.max_method_bytes {
        return Err(RequestError::MethodTooLong { limit: limits.max_method_bytes });
    }
    if table.target.len() > limits.max_target_bytes {
        return Err(RequestError::TargetTooLong { limit: limits.max_target_bytes });
    }
    let head = RequestHead { bytes, table };
    let parts = parse_target(head.method_bytes(), head.target(), scheme)?;
    let host = host(&head, bytes)?;
    let body = match head.has_name_of(b"content-length".len()) || head.has_name_of(b"transfer-encoding".len()) {
        true => body_framing(head.version(), head.fields())?,
        false => BodyFraming::None,
    };
    if let (BodyFraming::Length(length), Some(limit)) = (body, limits.max_body_bytes)
        && length > limit
    {
        return Err(RequestError::BodyTooLong { limit });
    }
    if body == BodyFraming::Chunked && limits.length_required {
        return Err(RequestError::LengthRequired);
    }
    let expects_continue = expects_continue(&head, body)?;
    let keep_alive = is_persistent(head.version(), head.values(b"connection"));
    let has_connection_options = head.values(b"connection").next().is_some();
    table.parts = parts;
    table.host = host;
    table.body = body;
    table.keep_alive = keep_alive;
    table.expects_continue = expects_continue;
    table.has_connection_options = has_connection_options;
    Ok(Parsed::Complete)
}

/// The one Host value, as offsets; required in HTTP/1.1 (HTTP-45), never repeated or malformed in any version (HTTP-46).
///
/// An empty value is legal where there is no authority (HTTP-47): the server then speaks for itself.
fn host(head: &RequestHead<'_>, bytes: &[u8]) -> Result<Range<usize>, RequestError> {
    let mut hosts = head.values(b"host");
    let Some(value) = hosts.next() else {
        return if head.version() == Version::Http11 { Err(RequestError::HostMissing) } else { Ok(0..0) };
    };
    if hosts.next().is_some() {
        return Err(RequestError::HostRepeated);
    }
    if !value.is_empty() && !is_authority(value) {
        return Err(RequestError::Host);
    }
    let start = value.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
    Ok(start..start + value.len())
}

/// `Expect: 100-continue` and nothing else (HTTP-112, HTTP-126); without meaning in HTTP/1.0 or without a body.
fn expects_continue(head: &RequestHead<'_>, body: BodyFraming) -> Result<bool, RequestError> {
    if head.version() == Version::Http10 {
        return Ok(false);
    }
    let mut expected = false;
    for value in head.values(b"expect") {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(RequestError::Expectation);
        }
        expected = true;
    }
    Ok(expected && !matches!(body, BodyFraming::None | BodyFraming::Length(0)))
}
