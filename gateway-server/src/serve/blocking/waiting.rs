//! Receiving, with a limit of time for everything.
//!
//! Holds `poll`, which waits for several descriptors at once, and what a connection waits for with it. A socket is read only when
//! `poll` says that something is there, so no peer can hold a thread longer than the limits allow.

use super::line::Line;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Which of the descriptors can be read, or have been closed by their peers; none when the time is over.
pub(super) struct Ready(pub(super) Vec<bool>);

/// Waits for any of `sockets`, until a time or for ever.
pub(super) fn wait(sockets: &[BorrowedFd<'_>], until: Option<Instant>) -> io::Result<Ready> {
    let mut fds: Vec<_> = sockets.iter().map(|socket| PollFd::from_borrowed_fd(*socket, PollFlags::IN)).collect();
    loop {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds, left.as_ref()) {
            Ok(_) => return Ok(Ready(fds.iter().map(|fd| !fd.revents().is_empty()).collect())),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What became of a wait for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Received {
    Bytes,
    /// The peer sends no more.
    End,
    Timeout,
    Lost,
    /// The server stops, and nothing was in progress.
    Stop,
    /// Others wait for a thread, and nothing was in progress.
    GaveWay,
}

/// What is read at once.
const ROOM: usize = 16 << 10;

/// How long a connection may be silent while others wait for its thread.
const SILENCE: Duration = Duration::from_millis(100);

/// How often a silent connection looks whether others have come to wait, as long as there was a free thread.
const LOOK: Duration = Duration::from_secs(1);

impl Line {
    /// Waits for bytes of a request that has begun.
    pub(super) fn receive(&self, until: Instant) -> Received {
        match wait(&[self.stream.as_fd()], Some(until)) {
            Ok(Ready(ready)) if ready.contains(&true) => self.read(),
            Ok(_) => Received::Timeout,
            Err(_) => Received::Lost,
        }
    }

    /// Waits for a request to begin. Then a stop ends the wait, and so do others who wait for a thread.
    pub(super) fn receive_idle(&self, until: Instant) -> Received {
        loop {
            let pause = if self.pool.is_full() { SILENCE } else { LOOK };
            let look = until.min(Instant::now() + pause);
            match wait(&[self.stream.as_fd(), self.pool.bell.as_fd()], Some(look))
                .as_ref()
                .map(|Ready(ready)| &ready[..])
            {
                Ok([true, _]) => return self.read(),
                Ok([_, true]) => return Received::Stop,
                Ok(_) if Instant::now() >= until => return Received::Timeout,
                Ok(_) if self.pool.must_give_way() => return Received::GaveWay,
                Ok(_) => {}
                Err(_) => return Received::Lost,
            }
        }
    }

    /// Reads what is there, into the machine.
    fn read(&self) -> Received {
        let mut bytes = [0; ROOM];
        match self.stream.read(&mut bytes) {
            Ok(0) => {
                self.lock().machine.receive_end();
                Received::End
            }
            Ok(length) => {
                self.lock().machine.receive(bytes.get(..length).unwrap_or_default());
                Received::Bytes
            }
            Err(_) => Received::Lost,
        }
    }

    /// Says that nothing more will come, then reads on for a while: bytes that arrive on a closed socket would make the system
    /// throw away what the peer has not read yet (HTTP-172).
    pub(super) fn close_staged(&self) {
        if rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write).is_err() {
            return;
        }
        let until = Instant::now() + self.pool.shared.config.linger_timeout;
        let mut scrap = [0; ROOM];
        while let Ok(Ready(ready)) = wait(&[self.stream.as_fd()], Some(until)) {
            let is_over = !ready.contains(&true) || Instant::now() >= until;
            if is_over || !matches!(self.stream.read(&mut scrap), Ok(1..)) {
                return;
            }
        }
    }

    /// Has the peer gone?
    pub(super) fn is_peer_gone(&self) -> bool {
        self.lock().half_close.is_peer_gone(&self.stream, self.pool.shared.config.half_close_timeout)
    }
}
