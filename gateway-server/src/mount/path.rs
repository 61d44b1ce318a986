//! The path of a request, decoded once and checked (RFC 3875 §3.3, §4.1.5).
//!
//! Holds the decoding. Does not hold who answers it.

use std::borrow::Cow;

use http::StatusCode;

/// A decoded path: starts with `/`, has no dot segments, and its slashes are the ones the client wrote as such.
///
/// # Examples
/// ```
/// use gateway_server::mount::{PathError, RequestPath};
/// assert_eq!(RequestPath::decode(b"/caf%C3%A9/")?.as_bytes(), "/café/".as_bytes());
/// assert_eq!(RequestPath::decode(b"/a/%2e%2e/b"), Err(PathError::DotSegment { at: 3 }));
/// # Ok::<(), PathError>(())
/// ```
///
/// Source: RFC 3875 §4.1.5; requirements CGI-14, CGI-26, CGI-28, CGI-157, FCGI-132.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath<'a> {
    decoded: Cow<'a, [u8]>,
}

/// Why a path is refused. Offsets count from the start of the path as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// It does not start with `/`.
    #[error("path does not start with a slash")]
    NotAbsolute,
    /// A `%` that two hexadecimal digits do not follow (RFC 3986 §2.1).
    #[error("broken percent-encoding at offset {at}")]
    Escape {
        /// Where the `%` stands.
        at: usize,
    },
    /// An encoded slash: decoded, it would separate segments that the client kept together (CGI-28).
    #[error("encoded slash at offset {at}")]
    EncodedSlash {
        /// Where the escape stands.
        at: usize,
    },
    /// NUL, CR or LF, plain or encoded (FCGI-132).
    #[error("byte {byte:#04x} at offset {at}")]
    Control {
        /// The byte after decoding.
        byte: u8,
        /// Where it stands.
        at: usize,
    },
    /// A segment that is `.` or `..` after decoding (CGI-157).
    #[error("dot segment at offset {at}")]
    DotSegment {
        /// Where the segment starts.
        at: usize,
    },
}

impl PathError {
    /// The status of the answer: the client sent what nobody should, so always 400.
    pub fn status(&self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }

    /// The clause that lets us refuse.
    pub fn clause(&self) -> &'static str {
        match self {
            PathError::NotAbsolute => "RFC 9112 §3.2.1",
            PathError::Escape { .. } => "RFC 3986 §2.1",
            PathError::EncodedSlash { .. } | PathError::Control { .. } => "RFC 3875 §4.1.5",
            PathError::DotSegment { .. } => "RFC 3875 §9.8",
        }
    }
}

impl<'a> RequestPath<'a> {
    /// Decodes the path of a request target, without its query, and checks it. A path without escapes is not copied.
    ///
    /// # Errors
    /// [`PathError`], the first thing that is wrong from the left.
    pub fn decode(path: &'a [u8]) -> Result<Self, PathError> {
        if path.contains(&b'%') { unescape(path) } else { Self::from_decoded(path) }
    }

    /// Takes a path that was decoded before, by somebody who kept encoded slashes out, and checks the rest.
    ///
    /// # Errors
    /// As for [`decode`](Self::decode); offsets count in the decoded path.
    pub(crate) fn from_decoded(path: &'a [u8]) -> Result<Self, PathError> {
        if path.first() != Some(&b'/') {
            return Err(PathError::NotAbsolute);
        }
        let mut segment_at = 0;
        for segment in path.split(|byte| *byte == b'/') {
            if let Some((at, &byte)) = segment.iter().enumerate().find(|(_, byte)| is_refused(**byte)) {
                return Err(PathError::Control { byte, at: segment_at + at });
            }
            if matches!(segment, b"." | b"..") {
                return Err(PathError::DotSegment { at: segment_at });
            }
            segment_at += segment.len() + 1;
        }
        Ok(RequestPath { decoded: Cow::Borrowed(path) })
    }

    /// The decoded path.
    pub fn as_bytes(&self) -> &[u8] {
        &self.decoded
    }
}

fn is_refused(byte: u8) -> bool {
    matches!(byte, 0 | b'\r' | b'\n')
}

fn unescape(path: &[u8]) -> Result<RequestPath<'static>, PathError> {
    if path.first() != Some(&b'/') {
        return Err(PathError::NotAbsolute);
    }
    let mut decoded = Vec::with_capacity(path.len());
    let (mut at, mut segment) = (0, Segment::default());
    while let Some(&raw) = path.get(at) {
        if raw == b'/' {
            segment.finish(&decoded)?;
            decoded.push(b'/');
            at += 1;
            segment = Segment { at, decoded_at: decoded.len() };
            continue;
        }
        let (byte, next) = if raw == b'%' { (escaped(path, at)?, at + 3) } else { (raw, at + 1) };
        if is_refused(byte) {
            return Err(PathError::Control { byte, at });
        }
        decoded.push(byte);
        at = next;
    }
    segment.finish(&decoded)?;
    Ok(RequestPath { decoded: Cow::Owned(decoded) })
}

/// Where the segment that is being decoded starts, in both forms of the path.
#[derive(Debug, Clone, Copy, Default)]
struct Segment {
    at: usize,
    decoded_at: usize,
}

impl Segment {
    fn finish(self, decoded: &[u8]) -> Result<(), PathError> {
        match decoded.get(self.decoded_at..) {
            Some(b"." | b"..") => Err(PathError::DotSegment { at: self.at }),
            _ => Ok(()),
        }
    }
}

/// The byte that the escape at `at` stands for; a slash is not one of them.
fn escaped(path: &[u8], at: usize) -> Result<u8, PathError> {
    let digit = |offset: usize| path.get(at + offset).and_then(|byte| char::from(*byte).to_digit(16));
    let (Some(high), Some(low)) = (digit(1), digit(2)) else { return Err(PathError::Escape { at }) };
    match u8::try_from(high << 4 | low) {
        Ok(b'/') => Err(PathError::EncodedSlash { at }),
        Ok(byte) => Ok(byte),
        Err(_) => Err(PathError::Escape { at }),
    }
}

/// A decoded path as it stands in a URL: everything but unreserved characters and slashes is percent-encoded.
#[cfg(feature = "proxy")]
pub(crate) fn encode_path(path: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(path.len());
    for byte in path.iter().copied() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
