//! The record header and the small types around it (FastCGI 1.0 §3.3).
//!
//! Holds eight bytes, both ways. Does not hold contents, or which record may follow which.

use super::ProtocolError;
use std::fmt;
use std::num::NonZeroU16;

/// FCGI_HEADER_LEN: bytes of a record header.
pub const HEADER_LENGTH: usize = 8;

/// The most content bytes that one record holds.
pub const MAX_CONTENT_LENGTH: usize = u16::MAX as usize;

/// FCGI_VERSION_1
const VERSION: u8 = 1;

/// The type of a record: a byte, of which eleven values have a meaning.
///
/// # Examples
/// ```
/// use gateway_fastcgi::protocol::RecordType;
///
/// assert_eq!(RecordType(5), RecordType::STDIN);
/// assert_eq!(RecordType::STDIN.to_string(), "STDIN");
/// assert_eq!(RecordType(42).to_string(), "type 42");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordType(pub u8);

impl RecordType {
    /// FCGI_BEGIN_REQUEST
    pub const BEGIN_REQUEST: Self = Self(1);
    /// FCGI_ABORT_REQUEST
    pub const ABORT_REQUEST: Self = Self(2);
    /// FCGI_END_REQUEST
    pub const END_REQUEST: Self = Self(3);
    /// FCGI_PARAMS
    pub const PARAMS: Self = Self(4);
    /// FCGI_STDIN
    pub const STDIN: Self = Self(5);
    /// FCGI_STDOUT
    pub const STDOUT: Self = Self(6);
    /// FCGI_STDERR
    pub const STDERR: Self = Self(7);
    /// FCGI_DATA
    pub const DATA: Self = Self(8);
    /// FCGI_GET_VALUES
    pub const GET_VALUES: Self = Self(9);
    /// FCGI_GET_VALUES_RESULT
    pub const GET_VALUES_RESULT: Self = Self(10);
    /// FCGI_UNKNOWN_TYPE
    pub const UNKNOWN_TYPE: Self = Self(11);

    /// Does the specification know this type (up to FCGI_MAXTYPE)?
    pub fn is_known(self) -> bool {
        (1..=11).contains(&self.0)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::BEGIN_REQUEST => "BEGIN_REQUEST",
            Self::ABORT_REQUEST => "ABORT_REQUEST",
            Self::END_REQUEST => "END_REQUEST",
            Self::PARAMS => "PARAMS",
            Self::STDIN => "STDIN",
            Self::STDOUT => "STDOUT",
            Self::STDERR => "STDERR",
            Self::DATA => "DATA",
            Self::GET_VALUES => "GET_VALUES",
            Self::GET_VALUES_RESULT => "GET_VALUES_RESULT",
            Self::UNKNOWN_TYPE => "UNKNOWN_TYPE",
            Self(other) => return write!(f, "type {other}"),
        };
        f.write_str(name)
    }
}

/// The id of a request on one connection; never 0, which is FCGI_NULL_REQUEST_ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(NonZeroU16);

impl RequestId {
    /// The id that a gateway without multiplexing uses for every request (FCGI-30).
    pub const ONE: Self = Self(NonZeroU16::MIN);

    /// The id with this number; `None` for 0.
    pub fn new(number: u16) -> Option<Self> {
        NonZeroU16::new(number).map(Self)
    }

    /// The number on the wire.
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Bytes that fit into one record.
///
/// # Examples
/// ```
/// use gateway_fastcgi::protocol::Content;
///
/// assert_eq!(Content::new(&[0; 65535]).map(|content| content.length()), Some(65535));
/// assert!(Content::new(&[0; 65536]).is_none());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    bytes: &'a [u8],
    length: u16,
}

impl<'a> Content<'a> {
    /// Proves that `bytes` fit; `None` past 65535.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        u16::try_from(bytes.len()).ok().map(|length| Self { bytes, length })
    }

    /// The bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// How many there are.
    pub fn length(self) -> u16 {
        self.length
    }
}

impl<'a> From<&'a [u8; 8]> for Content<'a> {
    fn from(bytes: &'a [u8; 8]) -> Self {
        Self { bytes, length: 8 }
    }
}

/// The eight bytes before the content of every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// What the content is.
    pub kind: RecordType,
    /// The request it belongs to; 0 for management records (FCGI-24).
    pub id: u16,
    /// Bytes of content.
    pub content_length: u16,
    /// Bytes of padding behind the content, to be skipped whatever they are (FCGI-21).
    pub padding_length: u8,
}

impl RecordHeader {
    /// A header without padding.
    pub fn new(kind: RecordType, id: u16, content_length: u16) -> Self {
        Self { kind, id, content_length, padding_length: 0 }
    }

    /// The same with as much padding as brings the next record to an 8-byte boundary (FCGI-23).
    ///
    /// Content and padding together stay within 65535 bytes, because php-fpm refuses more (FCGI-45).
    #[must_use]
    pub fn aligned(mut self) -> Self {
        let padding = self.content_length.wrapping_neg() & 7;
        self.padding_length = match self.content_length.checked_add(padding) {
            // The mask leaves at most 7.
            Some(_) => padding.to_le_bytes()[0],
            None => 0,
        };
        self
    }

    /// The request, `None` in a management record.
    pub fn request(&self) -> Option<RequestId> {
        RequestId::new(self.id)
    }

    /// Decodes a header from the start of `input`.
    ///
    /// Returns `None` while fewer than 8 bytes are there. Reserved bytes are ignored (FCGI-32).
    ///
    /// # Errors
    /// [`ProtocolError::Version`] if the first byte is not 1 (FCGI-20); the connection cannot be resynchronised.
    ///
    /// # Examples
    /// ```
    /// use gateway_fastcgi::protocol::{RecordHeader, RecordType};
    ///
    /// let bytes = [1, 5, 0, 7, 1, 0, 3, 0xff];
    /// let header = RecordHeader::decode(&bytes)?.ok_or("short")?;
    /// assert_eq!((header.kind, header.id), (RecordType::STDIN, 7));
    /// assert_eq!((header.content_length, header.padding_length), (256, 3));
    /// assert_eq!(RecordHeader::decode(&bytes[..7])?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Source: FastCGI 1.0 §3.3.
    pub fn decode(input: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let Some(&version) = input.first() else { return Ok(None) };
        if version != VERSION {
            return Err(ProtocolError::Version { version });
        }
        let Some(&[_, kind, id_high, id_low, length_high, length_low, padding_length, _]) = input.first_chunk::<8>()
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            kind: RecordType(kind),
            id: u16::from_be_bytes([id_high, id_low]),
            content_length: u16::from_be_bytes([length_high, length_low]),
            padding_length,
        }))
    }

    /// The bytes on the wire; reserved bytes are 0 (FCGI-32).
    pub fn encode(&self) -> [u8; 8] {
        let [id_high, id_low] = self.id.to_be_bytes();
        let [length_high, length_low] = self.content_length.to_be_bytes();
        [VERSION, self.kind.0, id_high, id_low, length_high, length_low, self.padding_length, 0]
    }
}
