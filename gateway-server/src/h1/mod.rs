//! HTTP/1.1 as a codec and a machine: bytes in, events out, bytes out (RFC 9112).
//!
//! Holds everything about messages and connections that can be decided without a socket. Does not read, write, wait, log
//! or ask the time; the modules point one way: `limits`, `error` ← `framing`, `target`, `persistence`, `chunked`,
//! `response` ← `head`, `syntax`, `checks`, `body` ← `arriving`, `event` ← `connection`, `sending`.
//!
//! We are strict where leniency would let two readers disagree about where a message ends (HTTP-105…114): CRLF and
//! nothing else ends a line, in heads, chunks and trailers alike; no folded lines; one Host, one length, one coding. Decisions
//! where the text leaves a choice:
//!
//! | point | choice |
//! | --- | --- |
//! | Content-Length with Transfer-Encoding | 400, close |
//! | equal repeated Content-Length | 400, close |
//! | a lone LF | 400, close, everywhere |
//! | Host differs from an absolute target | the target's host counts (HTTP-30) |
//! | HTTP/1.0 without Host | accepted; an empty Host too (HTTP-47) |
//! | `gzip, chunked` | 501, close |
//! | versions but 1.0 and 1.1 | 505, close (HTTP-11, HTTP-12) |
//! | CONNECT | 501, close (HTTP-33) |
//! | raw braces, pipes, carets, backquotes in a target | accepted: browsers send them |

mod arriving;
mod body;
mod checks;
mod chunked;
mod connection;
mod error;
mod event;
mod framing;
mod head;
mod limits;
mod persistence;
mod response;
mod sending;
mod syntax;
mod target;
#[cfg(test)]
mod tests;

pub use chunked::{ChunkedDecoder, Decoded};
pub use connection::Connection;
pub use error::RequestError;
pub use event::{Event, NextCycle};
pub use framing::{BodyFraming, body_framing};
pub use head::{RequestHead, Version};
pub use limits::{Limits, MAX_FIELDS};
pub use persistence::is_persistent;
pub use response::Stamp;
pub use sending::{AfterResponse, SendError};
pub use target::TargetForm;
#[cfg(feature = "http2")]
pub(crate) use target::{is_authority, parse_target};
pub(crate) use target::{is_host, split_port};
