//! Does the connection stay open after this request (RFC 9112 §9.3)?
//!
//! Holds what the request says about it. What the server wants is decided by the connection machine.

use super::head::Version;

/// The options in one Connection value; empty list elements are passed over (HTTP-67).
pub(super) fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|b| *b == b',').map(<[u8]>::trim_ascii).filter(|option| !option.is_empty())
}

/// Does the client let the connection persist (HTTP-166, HTTP-177)? `close` wins over everything.
///
/// # Examples
/// ```
/// use gateway_server::h1::{Version, is_persistent};
/// assert!(is_persistent(Version::Http11, []));
/// assert!(!is_persistent(Version::Http10, []));
/// assert!(is_persistent(Version::Http10, [&b"Keep-Alive"[..]]));
/// assert!(!is_persistent(Version::Http11, [&b", keep-alive, CLOSE"[..]]));
/// ```
pub fn is_persistent<'a>(version: Version, connection_values: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let mut asked = version == Version::Http11;
    for option in connection_values.into_iter().flat_map(options) {
        if option.eq_ignore_ascii_case(b"close") {
            return false;
        }
        asked |= option.eq_ignore_ascii_case(b"keep-alive");
    }
    asked
}
