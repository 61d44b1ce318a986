//! One record as it is explained: its place, its header, what it means, and what is odd about it.
//!
//! Holds values. Does not hold how they are found (`meaning`) or shown (`text`).

use std::fmt;

use super::Side;
use crate::protocol::{BeginRequest, EndRequest, ProtocolError, RecordHeader, RecordType};

/// One record, or what stood in the place of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which way it goes.
    pub side: Side,
    /// Where it starts, in bytes from the start of its direction.
    pub at: u64,
    /// Its header, as far as one is there.
    pub header: Option<RecordHeader>,
    /// What it means.
    pub meaning: Meaning,
    /// Which rules it breaks, by itself; whether it may come at this point is not known here.
    pub faults: Vec<ProtocolError>,
    /// What is worth knowing about it.
    pub notes: Vec<Note>,
}

/// What the content of a record means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Meaning {
    /// BEGIN_REQUEST, with all its flags.
    Begin {
        /// What is asked for.
        begin: BeginRequest,
        /// The whole byte.
        flags: u8,
    },
    /// ABORT_REQUEST.
    Abort,
    /// END_REQUEST.
    End(EndRequest),
    /// Name-value pairs, also those that began in the record before.
    Pairs(Vec<NamedValue>),
    /// Content of a stream.
    Stream(Vec<u8>),
    /// The empty record that ends a stream.
    StreamEnd,
    /// UNKNOWN_TYPE, about this type.
    UnknownType(RecordType),
    /// Content whose meaning nobody knows.
    Opaque(Vec<u8>),
    /// The start of a record; the connection ended within it.
    Cut(Vec<u8>),
    /// What is no record at all.
    Garbage(Vec<u8>),
}

/// A name-value pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedValue {
    /// Its name.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

/// What is worth knowing about a record that breaks no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// Flags that nobody has defined (FCGI-53).
    Flags(u8),
    /// So many bytes of a pair that goes on in the next record (FCGI-27, FCGI-45).
    OpenPair(usize),
    /// An empty record with padding (FCGI-46).
    PaddedEnd,
    /// Content and padding together are more than 65535 bytes (FCGI-45).
    Long,
    /// The request ends without the end of its STDOUT (FCGI-76).
    NoStdoutEnd,
    /// A type that the specification does not have (FCGI-57, FCGI-58).
    Type,
    /// A management record that names a request (FCGI-24).
    ManagementId,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flags(flags) => write!(f, "flags {flags:#04x} hold bits that mean nothing; they are ignored"),
            Self::OpenPair(bytes) => write!(
                f,
                "the last {bytes} bytes are the start of a pair that goes on in the next record, which php-fpm does not take"
            ),
            Self::PaddedEnd => f.write_str("padding behind an empty record, which php-fpm does not read"),
            Self::Long => f.write_str("content and padding together are more than 65535 bytes, which php-fpm refuses"),
            Self::NoStdoutEnd => f.write_str("no empty STDOUT came before, as php-fpm leaves it out"),
            Self::Type => f.write_str("no type of the specification; it is skipped"),
            Self::ManagementId => f.write_str("a management record has id 0"),
        }
    }
}

impl Entry {
    /// The clause of FastCGI 1.0 that says what such a record is, such as `§5.1`.
    pub fn clause(&self) -> &'static str {
        let Some(header) = self.header else { return "§3.3" };
        match (header.kind, &self.meaning) {
            (_, Meaning::StreamEnd) => "§3.3",
            (RecordType::BEGIN_REQUEST, _) => "§5.1",
            (RecordType::PARAMS, _) => "§5.2",
            (RecordType::STDIN | RecordType::DATA | RecordType::STDOUT | RecordType::STDERR, _) => "§5.3",
            (RecordType::ABORT_REQUEST, _) => "§5.4",
            (RecordType::END_REQUEST, _) => "§5.5",
            (RecordType::GET_VALUES | RecordType::GET_VALUES_RESULT, _) => "§4.1",
            (RecordType::UNKNOWN_TYPE, _) => "§4.2",
            _ if header.id == 0 => "§4.2",
            _ => "§3.3",
        }
    }
}
