//! The bytes of FastCGI 1.0 and what they mean, one record at a time.
//!
//! Holds record headers, the bodies of fixed size, name-value pairs and the capability query, all as pure functions between
//! bytes and values. Does not hold the order in which records may come: that is [`crate::connection`]. Knows no sockets.
//!
//! Lengths are types: a record's content length is a `u16`, and [`Content`] exists only for what fits, so an encoder cannot
//! be handed more than 65535 bytes and a length can never wrap and smuggle a record in (FCGI-21).
//!
//! # Examples
//! ```
//! use gateway_fastcgi::protocol::{BeginRequest, RecordHeader, RecordType, RequestId, Role};
//!
//! let begin = BeginRequest { role: Role::RESPONDER, keep_connection: true };
//! let header = RecordHeader::new(RecordType::BEGIN_REQUEST, RequestId::ONE.get(), 8);
//! assert_eq!(header.encode(), [1, 1, 0, 1, 0, 8, 0, 0]);
//! assert_eq!(begin.encode(), [0, 1, 1, 0, 0, 0, 0, 0]);
//! ```

mod body;
mod error;
mod pair;
mod record;
#[cfg(test)]
mod tests;
mod values;

pub use body::{BeginRequest, EndRequest, ProtocolStatus, Role, UnknownType};
pub use error::ProtocolError;
pub(crate) use pair::SHORT;
pub use pair::{Pair, PairError, PairLimits, PairScan, Params};
pub use record::{Content, HEADER_LENGTH, MAX_CONTENT_LENGTH, RecordHeader, RecordType, RequestId};
pub use values::{Capabilities, PeerValues, ValueName};
