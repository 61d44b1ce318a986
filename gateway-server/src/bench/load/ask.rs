//! A single request on a connection of its own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::clock;
use super::connection::{Connection, Failure, Progress, Room};
use super::poller::Poller;
use super::request::Request;

/// A moment: nanoseconds of CLOCK_MONOTONIC.
pub(crate) type Mark = u64;

/// A whole answer, whatever its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body_len: u64,
    /// Before the connection was opened.
    pub(crate) began: Mark,
    /// After the last byte had come; for an answer that does not say its length, after the end of the connection.
    pub(crate) ended: Mark,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AskError {
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// Fault of the system.
    #[error("waiting for the answer: {0}")]
    System(#[from] io::Error),
}

/// Asks once on a new connection, and waits for the whole answer.
pub(crate) fn ask(address: SocketAddr, request: &Request, timeout: Duration) -> Result<Answer, AskError> {
    let (mut poller, mut events, mut room) = (Poller::new()?, Poller::events(), Room::new());
    let mut connection = Connection::default();
    let began = clock::now();
    let until = clock::after(began, timeout);
    connection.open(address, &poller, 0)?;
    let mut progress = connection.begin(began, request.bytes());
    loop {
        match progress {
            Progress::Waiting => {}
            Progress::Answered { complete, .. } => {
                let (status, body_len) = (complete.status, complete.body_len);
                return Ok(Answer { status, body_len, began, ended: clock::now() });
            }
            Progress::Failed(failure) => return Err(failure.into()),
            Progress::Stale => return Err(Failure::Ended.into()),
        }
        let now = clock::now();
        if now >= until {
            return Err(AskError::Timeout(timeout));
        }
        poller.wait(&mut events, now, until)?;
        progress = match events.first() {
            Some(event) => connection.ready(event.flags, request.bytes(), &mut room),
            None => Progress::Waiting,
        };
    }
}
