//! Every way in which a peer can break the protocol.

use super::{PairError, RecordType};

/// A peer broke the protocol; the connection cannot be used any longer.
///
/// After one, nothing more is read from the connection: where the next record starts, or what it belongs to, is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The version byte of a record is not 1 (FCGI-20).
    #[error("record has version {version}")]
    Version {
        /// What stood there.
        version: u8,
    },
    /// A body of fixed size has another size (FCGI-70).
    #[error("{kind} has a body of {length} bytes instead of 8")]
    BodyLength {
        /// The record.
        kind: RecordType,
        /// Its content length.
        length: usize,
    },
    /// An application record with id 0 (FCGI-24).
    #[error("{kind} with request id 0")]
    NullRequestId {
        /// The record.
        kind: RecordType,
    },
    /// BEGIN_REQUEST for an id that is active (FCGI-33).
    #[error("second BEGIN_REQUEST for active id {id}")]
    BeginTwice {
        /// The id.
        id: u16,
    },
    /// A record that may not come at this point, such as STDIN before the end of PARAMS (FCGI-73).
    #[error("{kind} out of order")]
    OutOfOrder {
        /// The record.
        kind: RecordType,
    },
    /// Content after the empty record that ends its stream (FCGI-34).
    #[error("{kind} after its end")]
    AfterStreamEnd {
        /// The stream.
        kind: RecordType,
    },
    /// A type that this side of a connection never gets (FCGI-25).
    #[error("{kind} goes the other way")]
    WrongDirection {
        /// The record.
        kind: RecordType,
    },
    /// A record for a request that is not active, sent to the gateway side (FCGI-111).
    #[error("{kind} for inactive id {id}")]
    InactiveId {
        /// The record.
        kind: RecordType,
        /// Its id.
        id: u16,
    },
    /// A name-value pair is malformed or over a limit.
    #[error("name-value pair refused")]
    Pair(#[from] PairError),
    /// The parameters of one request are longer than the limit (FCGI-42).
    #[error("parameters are longer than {limit} bytes")]
    ParamsTooLong {
        /// The limit.
        limit: usize,
    },
    /// More records than the limit before the first request (FCGI-136).
    #[error("more than {limit} records before the first BEGIN_REQUEST")]
    TooManyRecordsBeforeBegin {
        /// The limit.
        limit: u32,
    },
    /// More bytes than the limit that belong to no active request (FCGI-136).
    #[error("more than {limit} bytes that belong to no request")]
    TooMuchDiscarded {
        /// The limit.
        limit: u64,
    },
    /// The peer closed inside a record or a request (FCGI-34, FCGI-80).
    #[error("connection closed inside a {inside}")]
    Truncated {
        /// `"record"` or `"request"`.
        inside: &'static str,
    },
}

impl ProtocolError {
    /// The clause that was broken.
    pub fn clause(&self) -> &'static str {
        match self {
            Self::Version { .. } | Self::NullRequestId { .. } => "FastCGI 1.0 §3.3",
            Self::BodyLength { kind: RecordType::END_REQUEST, .. } => "FastCGI 1.0 §5.5",
            Self::BodyLength { kind: RecordType::UNKNOWN_TYPE, .. } => "FastCGI 1.0 §4.2",
            Self::BodyLength { .. } | Self::BeginTwice { .. } => "FastCGI 1.0 §5.1",
            Self::OutOfOrder { .. } => "FastCGI 1.0 §6.1",
            Self::AfterStreamEnd { .. } | Self::InactiveId { .. } => "FastCGI 1.0 §3.3",
            Self::WrongDirection { .. } => "FastCGI 1.0 appendix A",
            Self::Pair(_) | Self::ParamsTooLong { .. } => "FastCGI 1.0 §3.4",
            Self::TooManyRecordsBeforeBegin { .. } | Self::TooMuchDiscarded { .. } => "FastCGI 1.0 §3.3",
            Self::Truncated { .. } => "FastCGI 1.0 §3.5",
        }
    }
}
