//! The names that requests bring every day: recognised by one look into a table, and numbered.
//!
//! Holds the list and how the name of a variable, or of a request field, is found in it. What a gateway sends as text is then a
//! [`VariableName`], which needs no further check. Any other name is as good; it only takes the longer way.

use super::name::VariableName;

/// RFC 3875 §4.1, what servers add to it, and the fields of common clients. A name that is missing here takes the longer way; one too
/// many costs nothing.
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
    "HTTP_X_REQUEST_ID",
];

/// A place in the list.
pub(super) type Number = u8;

impl VariableName {
    /// So many places have the names that requests bring every day, at most; see [`Environ::iter_placed`](crate::Environ::iter_placed).
    pub const EVERYDAY_PLACES: usize = 64;

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
        number(name).map(variable)
    }

    /// All names that requests bring every day, with their places.
    pub fn all_everyday() -> impl Iterator<Item = (usize, Self)> {
        NAMES.iter().zip(0..).map(|(_, number)| (usize::from(number), variable(number)))
    }
}

/// The number of a variable's name.
#[inline]
pub(super) fn number(variable: &[u8]) -> Option<Number> {
    let number = (*VARIABLES.get(slot_of(variable)?)?)?;
    (name(number).as_bytes() == variable).then_some(number)
}

/// [`number`] for the compiler.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses a wrong index")]
pub(super) const fn number_of_constant(variable: &str) -> Option<Number> {
    let Some(slot) = slot_of(variable.as_bytes()) else { return None };
    match VARIABLES[slot] {
        Some(number) if is_same(NAMES[number as usize].as_bytes(), variable.as_bytes()) => Some(number),
        _ => None,
    }
}

/// The variable that a request field becomes, if both are of every day. Fields about the connection are never found.
#[inline]
pub(super) fn of_field(field: &[u8]) -> Option<VariableName> {
    let (first, last) = ends(field)?;
    let number = (*FIELDS.get(slot(first | LOWER, last | LOWER, field.len()))?)?;
    let known = field_part(name(number).as_bytes());
    let is_it = |(byte, known): (&u8, &u8)| match byte {
        b'-' => *known == b'_',
        // Another field, and one that is no variable (CGI-172).
        b'_' => false,
        _ => byte.to_ascii_uppercase() == *known,
    };
    (field.len() == known.len() && field.iter().zip(known).all(is_it)).then(|| variable(number))
}

/// The name with this number.
#[inline]
pub(super) fn name(number: Number) -> &'static str {
    NAMES.get(usize::from(number)).copied().unwrap_or_default()
}

/// The variable with this number.
#[inline]
fn variable(number: Number) -> VariableName {
    VariableName::numbered(name(number), number)
}

/// Without its `HTTP_`.
const fn field_part(variable: &[u8]) -> &[u8] {
    match variable {
        [b'H', b'T', b'T', b'P', b'_', field @ ..] => field,
        _ => variable,
    }
}

/// Each number at the [`slot`] of its name.
static VARIABLES: [Option<Number>; SLOTS] = table(false);

/// Each number of a request field's variable at the slot of the field's name.
static FIELDS: [Option<Number>; SLOTS] = table(true);

/// Two names that meet do not compile.
#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, which refuses a wrong index"
)]
const fn table(of_fields: bool) -> [Option<Number>; SLOTS] {
    assert!(NAMES.len() <= VariableName::EVERYDAY_PLACES, "the set of names in an environ has 64 bits");
    let mut table = [None; SLOTS];
    let mut at = 0;
    while at < NAMES.len() {
        let variable = NAMES[at].as_bytes();
        let place = match of_fields {
            true if is_field(variable) => slot_of_field_of(field_part(variable)),
            true => None,
            false => slot_of(variable),
        };
        if let Some(slot) = place {
            assert!(table[slot].is_none(), "two names meet: choose another FACTOR");
            table[slot] = Some(at as Number);
        }
        at += 1;
    }
    table
}

/// Does a request field become this variable?
const fn is_field(variable: &[u8]) -> bool {
    let is_prefixed = field_part(variable).len() < variable.len() && !is_same(variable, b"HTTP_CONNECTION");
    is_prefixed || is_same(variable, b"CONTENT_TYPE") || is_same(variable, b"CONTENT_LENGTH")
}

#[allow(clippy::indexing_slicing, reason = "within both, which are equally long")]
const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && one.len() == other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

const SLOTS: usize = 512;

/// Any odd number that keeps the names apart.
const FACTOR: u64 = 0x025b_413f_8a9a_021f;

/// Set in each letter, a field's name is in lower case.
const LOWER: u32 = 0x2020_2020;

/// The first four bytes, the last four and the length are never the same for two of the names.
#[allow(clippy::cast_possible_truncation, reason = "only as many bits are left as a slot has")]
const fn slot(first: u32, last: u32, length: usize) -> usize {
    let ends = first as u64 | (last as u64) << 32;
    let mixed = ends.wrapping_add((length as u64) << 16).wrapping_mul(FACTOR);
    (mixed >> (64 - SLOTS.trailing_zeros())) as usize
}

const fn slot_of(variable: &[u8]) -> Option<usize> {
    match ends(variable) {
        Some((first, last)) => Some(slot(first, last, variable.len())),
        None => None,
    }
}

/// The slot of the field whose variable has this after its `HTTP_`.
const fn slot_of_field_of(variable: &[u8]) -> Option<usize> {
    match ends(variable) {
        Some((first, last)) => Some(slot(as_field(first), as_field(last), variable.len())),
        None => None,
    }
}

const fn as_field(bytes: u32) -> u32 {
    const fn of(byte: u8) -> u8 {
        if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
    }
    let [a, b, c, d] = bytes.to_le_bytes();
    u32::from_le_bytes([of(a), of(b), of(c), of(d)])
}

/// Shorter names have none, and are no names of every day here.
const fn ends(name: &[u8]) -> Option<(u32, u32)> {
    match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        (Some(first), Some(last)) => Some((u32::from_le_bytes(*first), u32::from_le_bytes(*last))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::field::map_byte;
    use super::{NAMES, VariableName, of_field};

    #[test]
    fn every_everyday_name_is_found_and_no_other() {
        for &name in NAMES {
            assert_eq!(VariableName::everyday(name.as_bytes()).map(VariableName::as_str), Some(name));
            assert!(VariableName::all_everyday().any(|(_, known)| known.as_str() == name));
            for other in [format!("{name}_"), format!("X{name}"), name[1..].to_owned(), name.to_lowercase()] {
                assert!(NAMES.contains(&&*other) || VariableName::everyday(other.as_bytes()).is_none(), "{other}");
            }
        }
        for short in ["", "A", "AB", "ABC"] {
            assert_eq!(VariableName::everyday(short.as_bytes()), None);
        }
    }

    /// What is found by a field's name is what its mapping makes of it, byte by byte.
    #[test]
    fn cgi_53_a_field_of_every_day_is_found_in_any_case() {
        let mut found = 0;
        for variable in NAMES {
            let Some(part) = variable.strip_prefix("HTTP_") else { continue };
            let lower = part.to_lowercase().replace('_', "-");
            for field in [lower.clone(), lower.to_uppercase(), lower.replace("-s", "-S")] {
                let found_name = of_field(field.as_bytes()).map(VariableName::as_str);
                assert_eq!(found_name, Some(*variable).filter(|_| part.len() > 3 && part != "CONNECTION"), "{field}");
                found += usize::from(found_name.is_some());
            }
            // CGI-172: one character off is another field.
            for other in
                [lower.replace('-', "_"), lower.replace('-', "\r"), lower.replace('e', "\x05"), format!("{lower}s")]
            {
                let name = of_field(other.as_bytes()).map(VariableName::as_str);
                let mapped = format!("HTTP_{}", String::from_utf8(other.bytes().map(map_byte).collect()).unwrap());
                let is_mappable = super::super::is_mappable(other.as_bytes());
                assert!(name.is_none_or(|name| is_mappable && name == mapped), "{other}");
            }
        }
        assert!(found > 60, "{found}");
        assert_eq!(of_field(b"Content-Type").map(VariableName::as_str), Some("CONTENT_TYPE"));
        assert_eq!(of_field(b"content-length").map(VariableName::as_str), Some("CONTENT_LENGTH"));
        for other in ["", "te", "host-name", "script-name", "connection"] {
            assert_eq!(of_field(other.as_bytes()), None, "{other}");
        }
    }
}
