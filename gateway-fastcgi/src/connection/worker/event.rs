//! What a worker's connection tells.
//!
//! Holds the events; when they come is the machine's table.

use crate::protocol::{Params, RequestId, Role};
use bytes::Bytes;

/// A request whose parameters are complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id on this connection.
    pub id: RequestId,
    /// What is asked for.
    pub role: Role,
    /// Does the gateway want to keep the connection?
    pub keep_connection: bool,
    /// The CGI variables.
    pub params: Params,
}

/// What a worker has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// A request begins. Answer it with `send_*` and [`super::WorkerConnection::send_end`], or
    /// [`super::WorkerConnection::refuse`] it.
    Request(Request),
    /// More of the request body; never empty. How it is cut means nothing.
    Stdin {
        /// The request.
        id: RequestId,
        /// The bytes.
        data: Bytes,
    },
    /// The request body is complete.
    StdinEnd(RequestId),
    /// More of a Filter's file; never empty.
    Data {
        /// The request.
        id: RequestId,
        /// The bytes.
        data: Bytes,
    },
    /// A Filter's file is complete.
    DataEnd(RequestId),
    /// The gateway does not want the answer any longer: end the request soon (FCGI-79).
    Abort(RequestId),
}
