//! What the driver tells a gateway: events that it pulls, or has pushed to it.
//!
//! Holds the events and the one way to be pushed them. Does not hold when they come: that is the driver.

use bytes::Bytes;

use super::ResponseHead;
use crate::Disconnected;

/// What the gateway has to do next.
#[derive(Debug)]
pub enum Event {
    /// Send the head. It comes once, and only when what follows is there already, so that it can share a write.
    Head(ResponseHead),
    /// Send these bytes; never empty. Finish sending before pulling the next event (PEP-100).
    Chunk(Bytes),
    /// The application has nothing yet: make sure that everything is sent, look after the connection, pull again.
    Nothing,
    /// The response is complete and the body closed.
    End,
    /// The response is broken off and the body closed: let the client see that it is not whole (PEP-145).
    Abort,
}

/// Where data given to `write` goes at once: the gateway's own way of sending, callable from application code.
pub trait PushSink: Send + Sync {
    /// Sends one event, [`Event::Head`] or [`Event::Chunk`], before it returns (PEP-121).
    ///
    /// # Errors
    /// [`Disconnected`] when nobody is there to read it.
    fn push(&self, event: Event) -> Result<(), Disconnected>;
}
