//! One connection: its socket, and how far its request is.
//!
//! Holds what is done when the socket is ready. Does not hold when a request is due, or what is counted.

use std::net::SocketAddr;

use rustix::event::epoll::EventFlags;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::{set_tcp_nodelay, socket_error};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{connect, recv, send, socket_with};

use super::Mark;
use super::answer::{Complete, Reader, Wrong};
use super::poller::Poller;

/// One connection, open or not.
#[derive(Debug, Default)]
pub(super) struct Connection {
    socket: Option<OwnedFd>,
    /// Whether the peer has accepted it.
    connected: bool,
    /// Whether an answer came on it.
    used: bool,
    request: Option<Sending>,
    reader: Reader,
    /// The whole answer, while the request is not wholly sent.
    complete: Option<Complete>,
}

/// A request that has no answer yet.
#[derive(Debug, Clone, Copy)]
struct Sending {
    due: Mark,
    sent: usize,
}

/// What became of a connection's request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Progress {
    /// Nothing yet.
    Waiting,
    /// The answer is there, and may be a wrong one; the connection is closed unless the answer let it open.
    Answered { due: Mark, complete: Complete },
    /// There will be no answer; the connection is closed.
    Failed(Failure),
    /// The peer closed the connection while there was no request, or where it may not have seen it (RFC 9112 §9.3.1):
    /// the request, if there is one, is to be made again on a new connection.
    Stale,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Failure {
    #[error("no connection: {0}")]
    Connect(Errno),
    #[error("the connection failed before the answer was whole: {0}")]
    Broken(Errno),
    #[error("the connection ended before the answer was whole")]
    Ended,
    #[error("{0}")]
    Wrong(Wrong),
}

/// Room for what is received; that of a thread serves all its connections.
#[derive(Debug)]
pub(super) struct Room(Vec<u8>);

/// What of an answer is looked at in one piece.
const LOOK_BYTES: usize = 64 * 1024;

/// What is thrown away in one piece. The kernel does not write to the room then, so it takes no memory.
const SKIP_BYTES: usize = 4 * 1024 * 1024;

/// From here on it is worth to have the kernel throw the bytes away, instead of copying them.
const MIN_SKIP_BYTES: u64 = 4 * 1024;

impl Room {
    pub(super) fn new() -> Self {
        Self(vec![0; SKIP_BYTES])
    }

    fn first(&mut self, len: usize) -> &mut [u8] {
        let len = len.min(self.0.len());
        self.0.get_mut(..len).unwrap_or_default()
    }
}

impl Connection {
    /// When the request that has no answer was due.
    pub(super) fn due(&self) -> Option<Mark> {
        self.request.map(|request| request.due)
    }

    /// Whether the peer has not accepted it yet.
    pub(super) fn is_opening(&self) -> bool {
        self.socket.is_some() && !self.connected
    }

    /// Begins to open it, if it is not open.
    pub(super) fn open(&mut self, to: SocketAddr, poller: &Poller, number: usize) -> Result<(), Failure> {
        if self.socket.is_none() {
            self.socket = Some(begin_to_connect(to, poller, number).map_err(Failure::Connect)?);
        }
        Ok(())
    }

    /// Closes it and forgets its request.
    pub(super) fn close(&mut self) {
        self.request = None;
        self.shut();
    }

    fn shut(&mut self) {
        self.socket = None;
        self.connected = false;
        self.used = false;
        self.complete = None;
    }

    /// Sends `bytes`, or as much as there is room for, on the open connection: a request that was due at `due`.
    pub(super) fn begin(&mut self, due: Mark, bytes: &[u8]) -> Progress {
        self.reader.start();
        self.request = Some(Sending { due, sent: 0 });
        match self.send(bytes) {
            Ok(()) => Progress::Waiting,
            Err(error) => self.failed(error),
        }
    }

    /// Goes on after a report that the socket is ready for something.
    pub(super) fn ready(&mut self, flags: EventFlags, bytes: &[u8], room: &mut Room) -> Progress {
        let closing = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        if !self.connected {
            if let Err(error) = self.connect_result() {
                return self.failed(error);
            }
            self.connected = true;
        }
        let sent = self.send(bytes);
        if closing || flags.contains(EventFlags::IN) || sent.is_err() {
            // A peer that answers early may close before it has the whole request: its answer is looked for first.
            match self.receive(closing || sent.is_err(), room) {
                Ok(()) => {}
                Err(progress) => return progress,
            }
        }
        match sent {
            Ok(()) => self.finished(bytes.len()),
            Err(error) => self.failed(error),
        }
    }

    fn connect_result(&self) -> Result<(), Errno> {
        self.socket.as_ref().map_or(Ok(()), |socket| socket_error(socket)?)
    }

    /// Sends what is left of the request until there is no room.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let (Some(socket), Some(request)) = (&self.socket, &mut self.request) else { return Ok(()) };
        while let Some(rest) = bytes.get(request.sent..).filter(|rest| !rest.is_empty()) {
            match send(socket, rest, SendFlags::NOSIGNAL) {
                Ok(sent) => {
                    request.sent += sent;
                    self.connected = true;
                    // Less than asked for: there was no more room, and there will be a report when there is.
                    if sent < rest.len() {
                        return Ok(());
                    }
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Receives until nothing is left: less than asked for means just that, unless the peer is closing.
    fn receive(&mut self, closing: bool, room: &mut Room) -> Result<(), Progress> {
        loop {
            let Some(socket) = &self.socket else { return Ok(()) };
            let (want, flags) = match self.reader.skippable() {
                skippable @ MIN_SKIP_BYTES.. => (usize::try_from(skippable).unwrap_or(usize::MAX), RecvFlags::TRUNC),
                _ => (LOOK_BYTES, RecvFlags::empty()),
            };
            let buffer = room.first(want);
            let asked = buffer.len();
            let len = match recv(socket, buffer, flags) {
                Ok((_, 0)) => return Err(self.ended()),
                Ok((_, len)) => len,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(self.failed(error)),
            };
            self.received(len, flags, room).map_err(|wrong| self.wrong(wrong))?;
            if len < asked && !closing {
                return Ok(());
            }
        }
    }

    fn received(&mut self, len: usize, flags: RecvFlags, room: &mut Room) -> Result<(), Wrong> {
        if self.request.is_none() {
            return Err(Wrong::Leftover);
        }
        let skipped = flags.contains(RecvFlags::TRUNC);
        self.complete = if skipped { self.reader.skip(len as u64)? } else { self.reader.receive(room.first(len))? };
        Ok(())
    }

    /// The answer, if it is whole and so is the request, `len` bytes long.
    fn finished(&mut self, len: usize) -> Progress {
        let (Some(request), Some(complete)) = (self.request, self.complete) else { return Progress::Waiting };
        if complete.keep && request.sent < len {
            return Progress::Waiting;
        }
        self.answered(request.due, complete)
    }

    fn answered(&mut self, due: Mark, complete: Complete) -> Progress {
        self.request = None;
        self.complete = None;
        self.used = true;
        if !complete.keep {
            self.shut();
        }
        Progress::Answered { due, complete }
    }

    /// The peer has closed its side.
    fn ended(&mut self) -> Progress {
        if let Some(request) = self.request
            && let Some(complete) = self.reader.end()
        {
            return self.answered(request.due, Complete { keep: false, ..complete });
        }
        self.lost(Failure::Ended)
    }

    /// A system call failed. An answer that was whole before is one.
    fn failed(&mut self, error: Errno) -> Progress {
        if let (Some(request), Some(complete)) = (self.request, self.complete) {
            return self.answered(request.due, Complete { keep: false, ..complete });
        }
        if self.connected { self.lost(Failure::Broken(error)) } else { self.fail(Failure::Connect(error)) }
    }

    fn lost(&mut self, failure: Failure) -> Progress {
        let kept = self.used && !self.reader.is_started();
        if self.request.is_none() || kept {
            self.shut();
            return Progress::Stale;
        }
        self.fail(failure)
    }

    fn wrong(&mut self, wrong: Wrong) -> Progress {
        self.fail(Failure::Wrong(wrong))
    }

    fn fail(&mut self, failure: Failure) -> Progress {
        self.close();
        Progress::Failed(failure)
    }
}

/// What comes of it is reported as for any other readiness.
fn begin_to_connect(to: SocketAddr, poller: &Poller, number: usize) -> Result<OwnedFd, Errno> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    set_tcp_nodelay(&socket, true)?;
    match connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error),
    }
    poller.watch(&socket, number)?;
    Ok(socket)
}
