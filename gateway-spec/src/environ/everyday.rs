//! The names that requests bring every day: recognised by one look into a table.
//!
//! Holds the list and how a name is found in it. What a gateway sends as text is then a [`VariableName`], which needs no further
//! check. Any other name is as good; it only takes the longer way.

use super::name::VariableName;

/// RFC 3875 §4.1, what servers add to it, and the fields of common clients. The list is as long as it is short of misses; a name too many costs nothing.
const NAMES: &[&str] = &[
    "AUTH_TYPE",
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "GATEWAY_INTERFACE",
    "PATH_INFO",
    "PATH_TRANSLATED",
    "QUERY_STRING",
    "REMOTE_ADDR",
    "REMOTE_HOST",
    "REMOTE_IDENT",
    "REMOTE_USER",
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "CONTEXT_DOCUMENT_ROOT",
    "CONTEXT_PREFIX",
    "DOCUMENT_ROOT",
    "DOCUMENT_URI",
    "FCGI_ROLE",
    "HTTPS",
    "PATH",
    "REDIRECT_STATUS",
    "REDIRECT_URI",
    "REMOTE_PORT",
    "REQUEST_SCHEME",
    "REQUEST_URI",
    "SCRIPT_FILENAME",
    "SCRIPT_URI",
    "SCRIPT_URL",
    "SERVER_ADDR",
    "SERVER_ADMIN",
    "SERVER_SIGNATURE",
    "UNIQUE_ID",
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_ENCODING",
    "HTTP_ACCEPT_LANGUAGE",
    "HTTP_AUTHORIZATION",
    "HTTP_CACHE_CONTROL",
    "HTTP_CONNECTION",
    "HTTP_COOKIE",
    "HTTP_DNT",
    "HTTP_HOST",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_ORIGIN",
    "HTTP_PRAGMA",
    "HTTP_PRIORITY",
    "HTTP_RANGE",
    "HTTP_REFERER",
    "HTTP_SEC_CH_UA",
    "HTTP_SEC_CH_UA_MOBILE",
    "HTTP_SEC_CH_UA_PLATFORM",
    "HTTP_SEC_FETCH_DEST",
    "HTTP_SEC_FETCH_MODE",
    "HTTP_SEC_FETCH_SITE",
    "HTTP_SEC_FETCH_USER",
    "HTTP_UPGRADE_INSECURE_REQUESTS",
    "HTTP_USER_AGENT",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REQUESTED_WITH",
];

impl VariableName {
    /// The name, if it is one that requests bring every day.
    ///
    /// # Examples
    /// ```
    /// use gateway_spec::VariableName;
    /// const SCRIPT_NAME: VariableName = VariableName::new("SCRIPT_NAME");
    /// assert_eq!(VariableName::everyday(b"SCRIPT_NAME"), Some(SCRIPT_NAME));
    /// assert_eq!(VariableName::everyday(b"X_OF_MY_OWN"), None);
    /// ```
    #[inline]
    pub fn everyday(name: &[u8]) -> Option<Self> {
        let known = (*TABLE.get(slot(name)?)?)?;
        (known.as_bytes() == name).then_some(known)
    }
}

/// Each name at its [`slot`]. One that meets another does not compile.
static TABLE: [Option<VariableName>; SLOTS] = table();

#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses a wrong index")]
const fn table() -> [Option<VariableName>; SLOTS] {
    let mut table = [None; SLOTS];
    let mut at = 0;
    while at < NAMES.len() {
        if let Some(slot) = slot(NAMES[at].as_bytes()) {
            assert!(table[slot].is_none(), "two names meet: choose another FACTOR");
            table[slot] = Some(VariableName::new(NAMES[at]));
        }
        at += 1;
    }
    table
}

const SLOTS: usize = 512;

/// Any odd number that keeps the names apart.
const FACTOR: u64 = 0x025b_413f_8a9a_021f;

/// The first four bytes, the last four and the length are never the same for two of the names. `None` for shorter names.
#[allow(clippy::cast_possible_truncation, reason = "only as many bits are left as a slot has")]
const fn slot(name: &[u8]) -> Option<usize> {
    let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) else { return None };
    let (first, last) = (u32::from_le_bytes(*first) as u64, u32::from_le_bytes(*last) as u64);
    let mixed = (first | last << 32).wrapping_add((name.len() as u64) << 16).wrapping_mul(FACTOR);
    Some((mixed >> (64 - SLOTS.trailing_zeros())) as usize)
}

#[cfg(test)]
mod tests {
    use super::{NAMES, VariableName};

    #[test]
    fn every_everyday_name_is_found_and_no_other() {
        for &name in NAMES {
            assert_eq!(VariableName::everyday(name.as_bytes()).map(VariableName::as_str), Some(name));
            for other in [format!("{name}_"), format!("X{name}"), name[1..].to_owned(), name.to_lowercase()] {
                assert!(NAMES.contains(&&*other) || VariableName::everyday(other.as_bytes()).is_none(), "{other}");
            }
        }
        for short in ["", "A", "AB", "ABC"] {
            assert_eq!(VariableName::everyday(short.as_bytes()), None);
        }
    }
}
