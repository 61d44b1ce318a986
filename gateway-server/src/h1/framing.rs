//! Where a request body ends, decided once from the fields (RFC 9112 §6.3).
//!
//! This is the gate against request smuggling (HTTP-105…108): a message that two readers could cut differently is refused,
//! never repaired. Does not hold the reading itself.

use super::error::RequestError;
use super::head::Version;

/// How the body of a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is none: neither field is present (HTTP-75).
    None,
    /// It has this many bytes.
    Length(u64),
    /// It ends with the zero chunk.
    Chunked,
}

/// Decides the framing of a request from its version and all of its fields.
///
/// # Errors
/// Every way of saying it twice, or unclearly. Identical repeated lengths are refused too, where RFC 9112 §6.3 would let
/// us merge them: an honest client never sends them.
///
/// # Examples
/// ```
/// use gateway_server::h1::{BodyFraming, RequestError, Version, body_framing};
///
/// let fields: [(&[u8], &[u8]); 2] = [(b"Host", b"a"), (b"Content-Length", b"5")];
/// assert_eq!(body_framing(Version::Http11, fields), Ok(BodyFraming::Length(5)));
/// let both: [(&[u8], &[u8]); 2] = [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")];
/// assert_eq!(body_framing(Version::Http11, both), Err(RequestError::LengthAndCoding));
/// ```
///
/// Source: RFC 9112 §6.1, §6.3; requirements HTTP-75…85, HTTP-105…108.
pub fn body_framing<'a>(
    version: Version,
    fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<BodyFraming, RequestError> {
    let (mut length, mut coding) = (None, None);
    for (name, value) in fields {
        let (seen, repeated) = match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => (&mut length, RequestError::LengthRepeated),
            // HTTP-82, HTTP-106: two lines mean two codings, and we take exactly one.
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => (&mut coding, RequestError::Coding),
            _ => continue,
        };
        if seen.replace(value).is_some() {
            return Err(repeated);
        }
    }
    match (length, coding) {
        (None, None) => Ok(BodyFraming::None),
        (Some(_), Some(_)) => Err(RequestError::LengthAndCoding),
        (Some(length), None) => decimal(length).map(BodyFraming::Length),
        (None, Some(_)) if version == Version::Http10 => Err(RequestError::CodingInOldVersion),
        (None, Some(coding)) => only_chunked(coding),
    }
}

/// `1*DIGIT` that fits 63 bits (HTTP-84, HTTP-85): no sign, space, list or other base.
fn decimal(text: &[u8]) -> Result<u64, RequestError> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(RequestError::Length);
    }
    let number = text.iter().try_fold(0_u64, |n, digit| n.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    // The sign bit stays free, so that no later sum of two lengths can overflow.
    number.filter(|n| i64::try_from(*n).is_ok()).ok_or(RequestError::Length)
}

/// Exactly `chunked`, in any case. A known-looking list that ends with it is 501, everything else 400.
fn only_chunked(value: &[u8]) -> Result<BodyFraming, RequestError> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(BodyFraming::Chunked);
    }
    let mut codings = value.split(|b| *b == b',').map(<[u8]>::trim_ascii);
    let last_is_chunked = codings.next_back().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
    let others_are_tokens = codings.all(|coding| is_token(coding) && !coding.eq_ignore_ascii_case(b"chunked"));
    if last_is_chunked && others_are_tokens { Err(RequestError::CodingUnknown) } else { Err(RequestError::Coding) }
}

/// `token = 1*tchar` (RFC 9110 §5.6.2).
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| is_tchar(*b))
}

/// `tchar` (RFC 9110 §5.6.2, HTTP-56).
pub(super) fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
