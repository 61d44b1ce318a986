//! What a gateway's connection tells.
//!
//! Holds the events; when they come is in `records`.

use crate::protocol::{EndRequest, PeerValues, RecordType, RequestId};
use bytes::Bytes;

/// What a gateway has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// More output: first a CGI header block, then content; never empty. How it is cut means nothing (FCGI-110).
    Stdout {
        /// The request.
        id: RequestId,
        /// The bytes.
        data: Bytes,
    },
    /// Output is complete. Not every worker says so (FCGI-76): `End` is what counts.
    StdoutEnd(RequestId),
    /// More for the error log, never for the client (FCGI-83); never empty.
    Stderr {
        /// The request.
        id: RequestId,
        /// The bytes.
        data: Bytes,
    },
    /// The request is over. Anything but REQUEST_COMPLETE means that it was not run (FCGI-82).
    End {
        /// The request.
        id: RequestId,
        /// How it ended.
        end: EndRequest,
    },
    /// The worker answered [`super::ClientConnection::send_get_values`].
    Values(PeerValues),
    /// The worker did not understand a management record of this type.
    UnknownType(RecordType),
}
