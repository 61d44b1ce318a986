//! What a connection tells its caller: what the peer's bytes mean, and what may follow a response.
//!
//! Holds the words. Does not hold when each is said (`connection`).

use super::head::RequestHead;
use bytes::Bytes;

/// What the peer's bytes mean.
#[derive(Debug)]
pub enum Event<'a> {
    /// Nothing yet: read more.
    NeedMore,
    /// A whole request head. Its bytes are kept until the next call of [`Connection::next_event`](super::Connection::next_event).
    Request(RequestHead<'a>),
    /// A piece of the body, never empty, not copied.
    Data(Bytes),
    /// The request is complete. Until [`Connection::start_next_cycle`](super::Connection::start_next_cycle) every further call
    /// says this again.
    EndOfRequest,
    /// The peer closed between two requests.
    Closed,
}

/// What to do after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextCycle {
    /// The next request may follow.
    Ready,
    /// The request body has not been read to its end: read it away, or close (HTTP-167).
    Drain,
    /// Close.
    Close,
}
