//! The four forms of a request target (RFC 9112 §3.2), and the host inside one (RFC 9110 §4.2, RFC 3986 §3.2).
//!
//! Holds shape, not meaning: nothing is decoded or normalised here (HTTP-38).

use super::error::RequestError;
use gateway_spec::Scheme;
use std::ops::Range;

/// Which of the four forms a target has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`
    Origin,
    /// `http://host/path?query`
    Absolute,
    /// `*`, with OPTIONS only
    Asterisk,
}

/// Where the parts of a target lie, as offsets into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetParts {
    pub(crate) form: TargetForm,
    pub(crate) authority: Range<usize>,
    /// May be empty in absolute-form.
    pub(crate) path: Range<usize>,
    pub(crate) query: Option<Range<usize>>,
}

/// Sorts a target by its form and finds its parts. `scheme` is what this connection may speak for.
pub(crate) fn parse_target(method: &[u8], target: &[u8], scheme: &Scheme) -> Result<TargetParts, RequestError> {
    if method == b"CONNECT" {
        return Err(connect(target));
    }
    if target == b"*" {
        let parts = TargetParts { form: TargetForm::Asterisk, authority: 0..0, path: 0..0, query: None };
        return if method == b"OPTIONS" { Ok(parts) } else { Err(RequestError::Target) };
    }
    let (form, authority) = match target.first() {
        Some(b'/') => (TargetForm::Origin, 0..0),
        _ => (TargetForm::Absolute, absolute(target, scheme)?),
    };
    let rest = authority.end;
    let after = target.get(rest..).unwrap_or_default();
    let question = after.iter().position(|b| *b == b'?').map_or(target.len(), |at| rest + at);
    let path = rest..question;
    let query = (question < target.len()).then(|| question + 1..target.len());
    let text = |range: &Range<usize>| target.get(range.clone()).unwrap_or_default();
    // RFC 3986 §3.3 has a narrower set, but browsers send these raw, so we take them: in a query all but what HTTP-24
    // and HTTP-37 name, in a path not the backslash either, which some programs read as a slash.
    let clean_path = text(&path).iter().all(|b| is_target_byte(*b) && *b != b'\\');
    let clean_query = query.as_ref().is_none_or(|query| text(query).iter().all(|b| is_target_byte(*b)));
    if !clean_path || !clean_query {
        return Err(RequestError::Target);
    }
    Ok(TargetParts { form, authority, path, query })
}

fn is_target_byte(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && !matches!(byte, b'"' | b'#' | b'<' | b'>')
}

/// The authority of an absolute-form target: the connection's scheme, no userinfo, a host (HTTP-29, HTTP-39, HTTP-49).
fn absolute(target: &[u8], served: &Scheme) -> Result<Range<usize>, RequestError> {
    let colon = target.windows(3).position(|three| three == b"://").ok_or(RequestError::Target)?;
    let scheme = target.get(..colon).unwrap_or_default();
    if !scheme.first().is_some_and(u8::is_ascii_alphabetic)
        || !scheme.iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
    {
        return Err(RequestError::Target);
    }
    let start = colon + 3;
    let rest = target.get(start..).unwrap_or_default();
    let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    if !is_authority(authority) {
        return Err(RequestError::Target);
    }
    let is_served = scheme.eq_ignore_ascii_case(served.as_str().as_bytes());
    if is_served { Ok(start..start + end) } else { Err(RequestError::Scheme) }
}

/// CONNECT is never served; a malformed one is told so (HTTP-31…33).
fn connect(target: &[u8]) -> RequestError {
    let port = target.iter().rposition(|b| *b == b':').and_then(|at| target.get(at + 1..));
    let well_formed = is_authority(target) && port.is_some_and(|port| !port.is_empty());
    if well_formed { RequestError::Connect } else { RequestError::Target }
}

/// `uri-host [":" port]` with a host that is not empty (RFC 9110 §7.2, HTTP-46).
pub(crate) fn is_authority(text: &[u8]) -> bool {
    // A name is looked at once; only an address in brackets has colons of its own.
    let host = match text.first() {
        Some(b'[') => split_port(text).0,
        _ => text.get(..text.iter().take_while(|byte| is_host_byte(**byte)).count()).unwrap_or_default(),
    };
    let is_rest_port = match text.get(host.len()..).unwrap_or_default() {
        [] => true,
        [b':', port @ ..] => port.len() <= 5 && parse_port(port).is_some(),
        _ => false,
    };
    is_rest_port && (host.first().is_some_and(|byte| is_host_byte(*byte)) || is_host(host))
}

/// Cuts `host:port` at the colon; an IPv6 literal keeps its brackets.
pub(crate) fn split_port(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let from = if text.first() == Some(&b'[') { text.iter().position(|b| *b == b']').unwrap_or(0) } else { 0 };
    match text.iter().skip(from).position(|b| *b == b':') {
        Some(at) => (text.get(..from + at).unwrap_or_default(), text.get(from + at + 1..)),
        None => (text, None),
    }
}

/// The number of a port; an empty one is legal and means the default (RFC 3986 §3.2.3).
fn parse_port(port: &[u8]) -> Option<u16> {
    port.iter().try_fold(0_u16, |n, b| {
        b.is_ascii_digit().then_some(())?;
        n.checked_mul(10)?.checked_add(u16::from(b - b'0'))
    })
}

/// `uri-host` that is not empty: a name, an IPv4 address, or an IPv6 address in brackets.
pub(crate) fn is_host(host: &[u8]) -> bool {
    if let Some(inner) = host.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) {
        let text = std::str::from_utf8(inner).unwrap_or_default();
        return text.parse::<std::net::Ipv6Addr>().is_ok();
    }
    // reg-name without percent-encoding: no name that is served contains one, and environments carry it verbatim.
    !host.is_empty() && host.iter().all(|byte| is_host_byte(*byte))
}

/// Of `unreserved` and `sub-delims` (RFC 3986 §3.2.2).
fn is_host_byte(byte: u8) -> bool {
    HOST_BYTES.get(usize::from(byte)).copied().unwrap_or_default()
}

/// One look instead of a dozen comparisons: every request has a host.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses a wrong index")]
static HOST_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~')
            || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=');
        byte += 1;
    }
    table
};
