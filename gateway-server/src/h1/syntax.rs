//! The syntax of a request head: lines, tokens, characters (RFC 9112 §3, §5).
//!
//! Fills the table of offsets (`head`) with the request line and the fields. The one file that knows httparse. Does not hold
//! what must be there and what it means: see `checks`.

use super::error::RequestError;
use super::head::{HeadTable, Version};
use super::limits::{Limits, MAX_FIELDS};
use std::mem::MaybeUninit;
use std::ops::Range;

/// What became of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Complete,
    /// The head does not end within these bytes.
    Partial,
}

/// Parses the head at the start of `bytes`, which does not begin with an empty line, into `table`.
///
/// Only syntax is looked at: lines, tokens, characters. httparse takes a lone LF as a line end; we do not (HTTP-2), so the
/// gaps between what it found are looked at again.
pub(super) fn parse_syntax(bytes: &[u8], limits: &Limits, table: &mut HeadTable) -> Result<Parsed, RequestError> {
    let mut room = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let room = room.get_mut(..limits.max_fields).unwrap_or_default();
    let mut request = httparse::Request::new(&mut []);
    let strict = httparse::ParserConfig::default();
    let length = match strict.parse_request_with_uninit_headers(&mut request, bytes, room) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(Parsed::Partial),
        Err(error) => return Err(sort(error, bytes, limits)),
    };
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(RequestError::RequestLine);
    };
    table.length = length;
    table.method = method.len();
    table.target = offsets(bytes, target.as_bytes()).ok_or(RequestError::RequestLine)?;
    table.version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    table.clear_fields();
    // ` HTTP/1.1` stands between the target and the end of its line.
    let mut line_end = table.target.end + 9;
    for field in request.headers.iter() {
        let name = offsets(bytes, field.name.as_bytes()).ok_or(RequestError::FieldName)?;
        let value = offsets(bytes, field.value).ok_or(RequestError::FieldValue)?;
        check_line_end(bytes, line_end..name.start)?;
        line_end = value.end;
        table.push_field(name, value).ok_or(RequestError::HeadTooLong { limit: limits.max_head_bytes })?;
    }
    let last_line = length.checked_sub(2).ok_or(RequestError::LineEnd)?;
    check_line_end(bytes, line_end..last_line)?;
    if bytes.get(last_line..length) == Some(b"\r\n") { Ok(Parsed::Complete) } else { Err(RequestError::LineEnd) }
}

/// Where `part` lies in `whole`, which it was cut from.
fn offsets(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}

/// Between a value and the next line stand only white space and CRLF (HTTP-2, HTTP-57).
fn check_line_end(bytes: &[u8], gap: Range<usize>) -> Result<(), RequestError> {
    let gap = bytes.get(gap).unwrap_or_default();
    let space = gap.strip_suffix(b"\r\n").ok_or(RequestError::LineEnd)?;
    if space.iter().all(|b| matches!(b, b' ' | b'\t')) { Ok(()) } else { Err(RequestError::LineEnd) }
}

/// Gives an error of httparse its name here.
fn sort(error: httparse::Error, bytes: &[u8], limits: &Limits) -> RequestError {
    match error {
        httparse::Error::HeaderName => RequestError::FieldName,
        httparse::Error::HeaderValue => RequestError::FieldValue,
        httparse::Error::NewLine => RequestError::LineEnd,
        httparse::Error::TooManyHeaders => RequestError::TooManyFields { limit: limits.max_fields },
        httparse::Error::Version if has_foreign_version(bytes) => RequestError::Version,
        httparse::Error::Version | httparse::Error::Token | httparse::Error::Status => RequestError::RequestLine,
    }
}

/// Does the request line end with a well-formed version (HTTP-9) that we do not speak?
fn has_foreign_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default().trim_ascii_end();
    let mut words = line.split(|b| *b == b' ');
    let (Some(_), Some(_), Some(version), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return false;
    };
    matches!(version.strip_prefix(b"HTTP/"), Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit())
}
