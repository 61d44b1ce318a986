//! What a caller of `send_*` can do wrong.

use crate::protocol::{PairError, RequestId};

/// A record that cannot be sent in this state. Nothing was appended to the output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The request has ended, or its stream has.
    #[error("request {0} is not open for this")]
    Inactive(RequestId),
    /// The request was answered in part already, so it cannot be refused any more.
    #[error("request {0} has been answered already")]
    Answered(RequestId),
    /// The connection serves one request at a time, and there is one.
    #[error("a request is under way on this connection")]
    Busy,
    /// The last request did not ask to keep the connection, or the connection broke.
    #[error("the connection takes no further request")]
    Closed,
    /// A pair's lengths cannot be written.
    #[error("parameter cannot be sent")]
    Pair(#[from] PairError),
    /// A pair does not fit into one record, and php-fpm cannot take one that is cut (FCGI-45).
    #[error("parameter of {length} bytes does not fit into one record")]
    PairTooLong {
        /// Its encoded length.
        length: usize,
    },
    /// A name or value holds a NUL (FCGI-41).
    #[error("parameter holds a NUL byte")]
    NulInPair,
}
