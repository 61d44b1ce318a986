//! Header field names and variable names (RFC 3875 §4.1.18).
//!
//! Holds the mapping, both ways, and which fields never become a variable. The rule is one for all gateways, because a
//! second mapping that differs in one character is a hole (CGI-172).

use super::VariableName;
use super::everyday::of_field;
use super::name::{CONTENT_LENGTH, CONTENT_TYPE, HTTP_COOKIE};

/// How one request field becomes a variable.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mapping {
    /// CONTENT_TYPE or CONTENT_LENGTH, which have no `HTTP_` prefix and are never joined.
    Own(VariableName),
    /// A name of every day; repeats are joined with this separator.
    Everyday(VariableName, &'static [u8]),
    /// `HTTP_` and the name in upper case; repeats are joined with a comma.
    Prefixed,
    /// Not for the application.
    Dropped,
}

/// Decides what becomes of a field.
#[inline]
pub(super) fn mapping(name: &[u8]) -> Mapping {
    match of_field(name) {
        Some(variable) if variable == CONTENT_TYPE || variable == CONTENT_LENGTH => Mapping::Own(variable),
        // RFC 9110 §5.3 and RFC 9113 §8.2.3: cookies are joined with "; " (CGI-59).
        Some(variable) if variable == HTTP_COOKIE => Mapping::Everyday(variable, b"; "),
        Some(variable) => Mapping::Everyday(variable, b", "),
        None => mapping_of_other(name),
    }
}

fn mapping_of_other(name: &[u8]) -> Mapping {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    match name.len() {
        // CGI-170 ("httpoxy"): HTTP_PROXY configures the outgoing requests of many libraries.
        5 if is("proxy") => Mapping::Dropped,
        // Hop-by-hop: about the connection, which is the gateway's (PEP-153, CGI-57, CGI-58).
        2 if is("te") => Mapping::Dropped,
        7 if is("upgrade") || is("trailer") => Mapping::Dropped,
        8 if is("trailers") => Mapping::Dropped,
        10 if is("connection") || is("keep-alive") => Mapping::Dropped,
        16 if is("proxy-connection") => Mapping::Dropped,
        17 if is("transfer-encoding") => Mapping::Dropped,
        18 if is("proxy-authenticate") => Mapping::Dropped,
        19 if is("proxy-authorization") => Mapping::Dropped,
        _ if !is_mappable(name) => Mapping::Dropped,
        _ => Mapping::Prefixed,
    }
}

/// Whether a field name has a variable of its own: letters, digits and `-` only.
///
/// `_` would meet `-` in the variable's name (CGI-172); the other token characters have no agreed place in one. A gateway
/// that wants to be stricter than dropping such fields asks this first and refuses the request.
///
/// # Examples
/// ```
/// use gateway_spec::environ::is_mappable;
/// assert!(is_mappable(b"X-Forwarded-For"));
/// assert!(!is_mappable(b"X_Forwarded_For"));
/// ```
pub fn is_mappable(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// One byte of a field name as it stands in a variable name.
pub(super) fn map_byte(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }
}

/// Calls `with` with the name of the variable that begins with `HTTP_`.
pub(super) fn with_variable_name<T>(name: &[u8], with: impl FnOnce(&[u8]) -> T) -> T {
    /// Longer names exist in no registry; they take the slow way.
    const ON_STACK: usize = 64;
    let bytes = b"HTTP_".iter().copied().chain(name.iter().copied().map(map_byte));
    let mut buffer = [0; ON_STACK];
    let Some(room) = buffer.get_mut(..name.len() + 5) else { return with(&bytes.collect::<Vec<_>>()) };
    for (slot, byte) in room.iter_mut().zip(bytes) {
        *slot = byte;
    }
    with(room)
}

/// The field name of a variable, `None` if the variable is not a request field.
pub(super) fn field_name(variable: &[u8]) -> Option<String> {
    let name = match variable {
        b"CONTENT_TYPE" | b"CONTENT_LENGTH" => variable,
        _ => variable.strip_prefix(b"HTTP_")?,
    };
    Some(name.iter().map(|byte| if *byte == b'_' { '-' } else { char::from(byte.to_ascii_lowercase()) }).collect())
}
