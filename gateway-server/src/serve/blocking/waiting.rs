//! Receiving, with a limit of time for everything.
//!
//! Holds `poll`, which waits for several descriptors at once, and what a connection waits for with it. No attempt to read waits, so no
//! peer can hold a thread longer than the limits allow.

use super::line::Line;
use crate::serve::pace::Rule;
use gateway_fastcgi::net::after;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Which of the descriptors can be read, or have been closed by their peers; none when the time is over.
pub(super) struct Ready(pub(super) Vec<bool>);

/// The moment `limit` from now; if that is very long, one that no clock will see.
pub(super) fn moment(limit: Duration) -> Instant {
    after(limit).into_std()
}

/// Waits for any of `sockets`, until a time or for ever.
pub(super) fn wait(sockets: &[BorrowedFd<'_>], until: Option<Instant>) -> io::Result<Ready> {
    let mut fds: Vec<_> = sockets.iter().map(|socket| PollFd::from_borrowed_fd(*socket, PollFlags::IN)).collect();
    poll_until(&mut fds, until)?;
    Ok(Ready(fds.iter().map(|fd| !fd.revents().is_empty()).collect()))
}

/// Waits until one socket can be read or written; false when the time is over.
pub(super) fn wait_for(socket: BorrowedFd<'_>, what: PollFlags, until: Instant) -> io::Result<bool> {
    poll_until(&mut [PollFd::from_borrowed_fd(socket, what)], Some(until)).map(|ready| ready > 0)
}

/// How many of the descriptors are ready.
fn poll_until(fds: &mut [PollFd<'_>], until: Option<Instant>) -> io::Result<usize> {
    loop {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(fds, left.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            polled => return Ok(polled?),
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
    /// Reads what has come of a request that has begun, and waits until something has.
    pub(super) fn receive(&self, until: Instant) -> Received {
        self.read_or(|| wait_for(self.stream.as_fd(), PollFlags::IN, until))
    }

    /// [`Line::receive`] for the body that an application reads, at the pace that is asked of the client.
    pub(super) fn receive_body(&self) -> Received {
        self.read_or(|| {
            let wait = {
                let state = &mut *self.lock();
                state.sending.begin(Rule::of_bodies(&self.pool.shared.config), state.machine.body_arrived())
            };
            let ready = wait_for(self.stream.as_fd(), PollFlags::IN, moment(wait.longest));
            self.lock().sending.end(&wait);
            ready
        })
    }

    fn read_or(&self, wait: impl Fn() -> io::Result<bool>) -> Received {
        loop {
            if let Some(received) = self.try_read() {
                return received;
            }
            match wait() {
                Ok(true) => {}
                Ok(false) => return Received::Timeout,
                Err(_) => return Received::Lost,
            }
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
                Ok([true, _]) => {
                    if let Some(received) = self.try_read() {
                        return received;
                    }
                }
                Ok([_, true]) => return Received::Stop,
                Ok(_) if Instant::now() >= until => return Received::Timeout,
                Ok(_) if self.pool.must_give_way() => return Received::GaveWay,
                Ok(_) => {}
                Err(_) => return Received::Lost,
            }
        }
    }

    /// Reads what is there, into the machine; `None` if nothing is.
    fn try_read(&self) -> Option<Received> {
        let mut bytes = [0; ROOM];
        Some(match self.stream.read(&mut bytes) {
            Ok(0) => {
                self.lock().machine.receive_end();
                Received::End
            }
            Ok(length) => {
                self.lock().machine.receive(bytes.get(..length).unwrap_or_default());
                Received::Bytes
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(_) => Received::Lost,
        })
    }

    /// Says that nothing more will come, then reads on for a while: bytes that arrive on a closed socket would make the system
    /// throw away what the peer has not read yet (HTTP-172).
    pub(super) fn close_staged(&self) {
        if rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write).is_err() {
            return;
        }
        let until = moment(self.pool.shared.config.linger_timeout);
        let mut scrap = [0; ROOM];
        while let Ok(true) = wait_for(self.stream.as_fd(), PollFlags::IN, until) {
            let read = self.stream.read(&mut scrap);
            let is_over = match &read {
                Ok(read) => *read == 0,
                Err(error) => error.kind() != io::ErrorKind::WouldBlock,
            };
            if is_over || Instant::now() >= until {
                return;
            }
        }
    }

    /// Has the peer gone?
    pub(super) fn is_peer_gone(&self) -> bool {
        self.lock().half_close.is_peer_gone(&self.stream, self.pool.shared.config.half_close_timeout)
    }
}
