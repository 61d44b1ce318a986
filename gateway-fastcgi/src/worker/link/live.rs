//! What is known of one request that is under way.
//!
//! Holds its input as far as it has come, its output as far as it waits, and who is to be woken. Does not read or write.

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
    /// The encoded head, waiting for its first chunk.
    pub(in crate::worker) head: Vec<u8>,
    /// What is missing of a declared length.
    pub(in crate::worker) left: Option<u64>,
    /// What waits of a long chunk, so that others get their turn.
    pub(in crate::worker) rest: Bytes,
    pub(super) stdin: Arrivals,
    pub(super) data: Arrivals,
    /// Whoever reads the input, and whoever waits for the request to be unwanted.
    pub(super) input_waker: Option<Waker>,
    pub(super) abort_waker: Option<Waker>,
}

impl Live {
    pub(super) fn new(serial: u64, id: RequestId, head: Vec<u8>, max_spool_bytes: u64) -> Self {
        Self {
            serial,
            id,
            aborted: false,
            head,
            left: None,
            rest: Bytes::new(),
            stdin: Arrivals::new(max_spool_bytes),
            data: Arrivals::new(max_spool_bytes),
            input_waker: None,
            abort_waker: None,
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

    pub(super) fn wake(&mut self) {
        for waker in [self.input_waker.take(), self.abort_waker.take()].into_iter().flatten() {
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
    failed: Option<io::ErrorKind>,
}

impl Arrivals {
    fn new(max_spool_bytes: u64) -> Self {
        Self { spool: Spool::new(max_spool_bytes), ended: false, unwanted: false, failed: None }
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

    /// Is there something to take, or nothing to wait for?
    pub(super) fn has_news(&self) -> bool {
        !self.spool.is_empty() || self.ended || self.unwanted || self.failed.is_some()
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
