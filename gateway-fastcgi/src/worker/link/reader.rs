//! Who reads a connection: one at a time, or bytes that one has taken would not wake another who waits for them.

use super::Caller;

/// Who reads the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// The session: there is no request.
    Session,
    /// Whoever needs something: there is one request.
    Anybody,
    /// A thread that waits for the socket right now.
    Thread,
    /// The pump, from now on.
    Pump,
}

impl Reader {
    /// May this caller read now?
    pub(super) fn admits(self, caller: Caller) -> bool {
        match caller {
            Caller::Task => matches!(self, Self::Session | Self::Anybody),
            Caller::Thread => matches!(self, Self::Anybody | Self::Thread),
            Caller::Pump => self == Self::Pump,
        }
    }
}
