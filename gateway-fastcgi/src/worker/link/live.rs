//! What is known of one request that is under way.
//!
//! Holds its input as far as it has come, its output as far as it waits, and who is to be woken. Does not read or write.

use crate::connection::WorkerConnection;
use crate::protocol::RequestId;
use crate::worker::spool::Spool;
use bytes::Bytes;
use std::io;
use std::task::Waker;

/// Which of a request's input streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) enum InputKind {
    Stdin,
    Data,
}

pub(in crate::worker) struct Live {
    pub(super) serial: u64,
    pub(super) id: RequestId,
    /// The gateway does not want the answer any more.
    pub(super) aborted: bool,
    /// END_REQUEST is in the output: from here on the id may be another request's.
    pub(in crate::worker) ended: bool,
    /// The encoded head, waiting for its first chunk.
    pub(in crate::worker) head: Vec<u8>,
    /// What is missing of a declared length.
    pub(in crate::worker) left: Option<u64>,
    /// What waits of a long chunk, so that others get their turn.
    pub(in crate::worker) rest: Bytes,
    /// Error output of an asynchronous application that waits for its driver.
    pub(in crate::worker) errors: Vec<u8>,
    pub(super) stdin: Arrivals,
    pub(super) data: Arrivals,
    /// Whoever reads the input, and whoever drives an asynchronous application.
    pub(super) input_waker: Option<Waker>,
    pub(super) driver_waker: Option<Waker>,
}

impl Live {
    pub(super) fn new(serial: u64, id: RequestId, head: Vec<u8>, max_spool_bytes: u64) -> Self {
        Self {
            serial,
            id,
            aborted: false,
            ended: false,
            head,
            left: None,
            rest: Bytes::new(),
            errors: Vec::new(),
            stdin: Arrivals::new(max_spool_bytes),
            data: Arrivals::new(max_spool_bytes),
            input_waker: None,
            driver_waker: None,
        }
    }

    pub(super) fn arrivals(&mut self, from: InputKind) -> &mut Arrivals {
        match from {
            InputKind::Stdin => &mut self.stdin,
            InputKind::Data => &mut self.data,
        }
    }

    /// The buffer of the head, for another request.
    pub(super) fn into_head(mut self) -> Vec<u8> {
        self.head.clear();
        self.head
    }

    /// Puts out the error output that waits; says whether there was any.
    pub(in crate::worker) fn put_errors(&mut self, machine: &mut WorkerConnection) -> bool {
        let errors = std::mem::take(&mut self.errors);
        !errors.is_empty() && machine.send_stderr(self.id, errors.into()).is_ok()
    }

    /// There is error output, or an end, that the driver should look at.
    pub(in crate::worker) fn wake_driver(&mut self) {
        if let Some(waker) = self.driver_waker.take() {
            waker.wake();
        }
    }

    pub(super) fn wake(&mut self) {
        for waker in [self.input_waker.take(), self.driver_waker.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

/// One input stream, as far as it has come and was not taken.
pub(in crate::worker) struct Arrivals {
    spool: Spool,
    pub(super) ended: bool,
    /// The application has let go of it: what comes is dropped.
    pub(super) unwanted: bool,
    /// All of it is to be received, whatever the application takes.
    pub(super) whole: bool,
    failed: Option<io::ErrorKind>,
}

impl Arrivals {
    fn new(max_spool_bytes: u64) -> Self {
        Self { spool: Spool::new(max_spool_bytes), ended: false, unwanted: false, whole: false, failed: None }
    }

    pub(super) fn receive(&mut self, data: Bytes) {
        if self.unwanted || self.failed.is_some() {
            return;
        }
        if let Err(error) = self.spool.push(data) {
            tracing::error!(%error, "the rest of a request body could not be kept");
            self.failed = Some(error.kind());
        }
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    pub(super) fn let_go(&mut self) {
        self.unwanted = true;
        self.spool = Spool::new(0);
    }

    /// Has enough come until the application takes some, unless others have to be read for?
    pub(super) fn is_full(&self, more: usize) -> bool {
        !self.whole && !self.unwanted && self.spool.is_full(more)
    }

    /// Is there something to take, or nothing to wait for?
    pub(super) fn has_news(&self) -> bool {
        !self.spool.is_empty() || self.ended || self.unwanted || self.failed.is_some()
    }

    /// Has it ended, and is nothing left of it?
    pub(super) fn is_over(&self) -> bool {
        self.ended && self.spool.is_empty() && self.failed.is_none()
    }

    /// What has come, at most `max` bytes of it; empty at the end. `None` if something may still come.
    pub(super) fn take(&mut self, max: usize) -> io::Result<Option<Bytes>> {
        let piece = self.spool.take(max)?;
        if !piece.is_empty() {
            return Ok(Some(piece));
        }
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        Ok((self.ended || self.unwanted).then(Bytes::new))
    }
}
