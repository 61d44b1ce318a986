//! Whether a peer has gone that nobody reads from.
//!
//! That it only sends no more does not end its request (HTTP-173), but a peer that has closed both directions looks the same until
//! something is sent to it. So such a peer counts as gone after a while.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// When it was first seen that the peer sends no more.
#[derive(Debug, Default)]
pub(super) struct HalfClose {
    since: Option<Instant>,
}

impl HalfClose {
    /// Has the peer torn the connection down, or sent nothing more for so long? Does not wait.
    pub(super) fn is_peer_gone(&mut self, socket: &impl AsFd, longest: Duration) -> bool {
        let mut fds = [PollFd::new(socket, PollFlags::RDHUP)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        if poll(&mut fds, Some(&at_once)).is_err() {
            return false;
        }
        let [fd] = &fds;
        if fd.revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return true;
        }
        let since = fd.revents().contains(PollFlags::RDHUP).then(Instant::now);
        self.since = since.map(|now| self.since.unwrap_or(now));
        self.since.is_some_and(|since| since.elapsed() >= longest)
    }
}
