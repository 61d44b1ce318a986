//! A mount's place in the URL space.
//!
//! Holds one prefix as the operator writes it. Does not hold what is mounted there.

use std::fmt;
use std::str::FromStr;

use super::path::{PathError, RequestPath};

/// The leading segments of the paths that one mount answers.
///
/// Written like the path of a URL: `/`, `/app`, `/shop/admin`. A slash at the end says nothing and is dropped; characters
/// may be percent-encoded.
///
/// # Examples
/// ```
/// use gateway_server::mount::Prefix;
/// assert_eq!("/app/".parse::<Prefix>()?, "/app".parse()?);
/// assert_eq!("/".parse::<Prefix>()?.script_name(), b"");
/// assert!("app".parse::<Prefix>().is_err());
/// # Ok::<(), gateway_server::mount::PrefixError>(())
/// ```
///
/// Source: PEP 3333 "environ Variables"; requirements PEP-13, CGI-37.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// Empty, or `/` and a segment, as often as it has segments.
    script_name: Vec<u8>,
}

/// Why a text is no prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// It could not be the start of any path that is answered.
    #[error("{0}")]
    Path(#[from] PathError),
    /// It has an empty segment: two slashes with nothing between.
    #[error("empty segment")]
    EmptySegment,
    /// It holds `?` or `#`: those end a path.
    #[error("{0:?} is no part of a path")]
    NotPath(char),
}

impl Prefix {
    /// The prefix of every path, `/`.
    pub const fn root() -> Self {
        Prefix { script_name: Vec::new() }
    }

    /// SCRIPT_NAME for what is mounted here: empty for `/`, and never `/` itself (PEP-13).
    pub fn script_name(&self) -> &[u8] {
        &self.script_name
    }

    /// What is left of `path` behind this prefix, `None` if it does not start with these segments.
    pub(super) fn strip<'a>(&self, path: &'a RequestPath<'_>) -> Option<&'a [u8]> {
        let rest = path.as_bytes().strip_prefix(self.script_name.as_slice())?;
        matches!(rest.first(), None | Some(b'/')).then_some(rest)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        if let Some(found) = text.chars().find(|c| matches!(c, '?' | '#')) {
            return Err(PrefixError::NotPath(found));
        }
        let path = RequestPath::decode(text.as_bytes())?;
        let bytes = path.as_bytes();
        let script_name = bytes.strip_suffix(b"/").unwrap_or(bytes);
        if script_name.split(|byte| *byte == b'/').skip(1).any(<[u8]>::is_empty) {
            return Err(PrefixError::EmptySegment);
        }
        Ok(Prefix { script_name: script_name.to_vec() })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.script_name.is_empty() {
            return f.write_str("/");
        }
        for piece in self.script_name.utf8_chunks() {
            f.write_str(piece.valid())?;
            for byte in piece.invalid() {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}
