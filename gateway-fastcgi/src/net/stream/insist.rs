//! Past the runtime: what a socket can do by the word of the system itself, which the runtime may be told later.
//!
//! Holds what code that blocks needs of a [`Stream`]. Does not hold attempts that go by what the runtime knows: those are the stream's.

use super::Stream;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::io::{self, IoSlice};
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Stream {
    /// Until the guard is dropped, attempts ask the system also where the runtime knows of nothing to read, or of no room to write. By
    /// default they do not ask in vain.
    ///
    /// For code that blocks, which the system itself wakes ([`Stream::block_until`]) and the runtime may be told later. And for whoever
    /// writes to a slow line: there a system says that there is room only when a good part of its buffer is free.
    pub fn insist(&self) -> Insisting<'_> {
        self.insisting.fetch_add(1, Ordering::Relaxed);
        Insisting { stream: self }
    }

    /// Does anybody insist now?
    pub(super) fn insists(&self) -> bool {
        self.insisting.load(Ordering::Relaxed) > 0
    }

    /// Reads without asking the runtime: for code that blocks. 0 means the peer will send no more.
    ///
    /// # Errors
    /// As [`Stream::try_read`].
    pub fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::io::read(self, &mut *buffer))?)
    }

    /// Writes without asking the runtime: for code that blocks.
    ///
    /// # Errors
    /// As [`Stream::try_write`].
    pub fn write_now(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::io::writev(self, slices))?)
    }

    /// Blocks the calling thread until one of the things in `what` can be done, or the peer has gone.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] after `longest`; otherwise what the system says.
    pub fn block_until(&self, what: Readiness, longest: Duration) -> io::Result<()> {
        let events = match what {
            Readiness::Read => PollFlags::IN,
            Readiness::Write => PollFlags::OUT,
            Readiness::Either => PollFlags::IN | PollFlags::OUT,
        };
        let longest = Timespec::try_from(longest).ok();
        let mut sockets = [PollFd::new(self, events)];
        match rustix::io::retry_on_intr(|| rustix::event::poll(&mut sockets, longest.as_ref()))? {
            0 => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

/// See [`Stream::insist`].
#[derive(Debug)]
#[must_use]
pub struct Insisting<'a> {
    stream: &'a Stream,
}

impl Drop for Insisting<'_> {
    fn drop(&mut self) {
        self.stream.insisting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What [`Stream::block_until`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Something can be read.
    Read,
    /// Something can be written.
    Write,
    /// One of the two.
    Either,
}
