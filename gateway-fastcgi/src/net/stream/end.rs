//! The end of a connection, of either direction or of both.
//!
//! Holds what each means to the peer. Does not hold when a connection ends.

use super::Stream;
use rustix::net::Shutdown;
use std::io;

impl Stream {
    /// Ends both directions at once; whoever waits on this connection wakes up.
    pub fn shutdown(&self) {
        // It fails only where there is nothing left to end.
        let _ = rustix::net::shutdown(self, Shutdown::Both);
    }

    /// Says that nothing more will be written; reading goes on.
    ///
    /// # Errors
    /// What the system says, such as that the peer is gone already.
    pub fn shutdown_write(&self) -> io::Result<()> {
        Ok(rustix::net::shutdown(self, Shutdown::Write)?)
    }

    /// Says that nothing more will be read than what has arrived, which can still be.
    ///
    /// On a UNIX socket the peer learns it at its next write, of which then nothing has gone out. TCP has no word for it: what the
    /// peer sends afterwards is answered with a reset.
    ///
    /// # Errors
    /// What the system says, such as that the peer is gone already.
    pub fn shutdown_read(&self) -> io::Result<()> {
        Ok(rustix::net::shutdown(self, Shutdown::Read)?)
    }
}
