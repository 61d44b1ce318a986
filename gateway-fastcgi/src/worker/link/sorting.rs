//! Sorts what comes on a connection to the requests it belongs to.
//!
//! Holds what each event of the machine changes. Does not read.

use super::State;
use super::live::Live;
use crate::connection::WorkerEvent;
use crate::protocol::{ProtocolError, RequestId};

impl State {
    /// Sorts what the bytes received so far mean to the requests. Whoever waits is woken.
    pub(super) fn route(&mut self, max_spool_bytes: u64) -> Result<(), ProtocolError> {
        loop {
            match self.machine.next_event() {
                Ok(None) => return Ok(()),
                Ok(Some(event)) => self.sort(event, max_spool_bytes),
                Err(error) => {
                    self.broken = Some(error.clone());
                    self.lose();
                    return Err(error);
                }
            }
        }
    }

    fn sort(&mut self, event: WorkerEvent, max_spool_bytes: u64) {
        match event {
            WorkerEvent::Request(request) => {
                self.serial += 1;
                self.multiplexed |= !self.lives.is_empty() || request.id != RequestId::ONE;
                let head = std::mem::take(&mut self.spare_head);
                self.lives.push(Live::new(self.serial, request.id, head, max_spool_bytes));
                self.begun.push_back((request, self.serial));
            }
            WorkerEvent::Stdin { id, data } => self.with(id, |live| live.stdin.receive(data)),
            WorkerEvent::StdinEnd(id) => self.with(id, |live| live.stdin.end()),
            WorkerEvent::Data { id, data } => self.with(id, |live| live.data.receive(data)),
            WorkerEvent::DataEnd(id) => self.with(id, |live| live.data.end()),
            WorkerEvent::Abort(id) => self.with(id, |live| live.aborted = true),
        }
    }

    fn with(&mut self, id: RequestId, change: impl FnOnce(&mut Live)) {
        // One that has ended may not be put away yet when its id is used again.
        if let Some(live) = self.lives.iter_mut().find(|live| live.id == id && !live.ended) {
            change(live);
            live.wake();
        }
    }

    /// The connection is of no use any more; all requests are told.
    pub(super) fn lose(&mut self) {
        self.gone = true;
        self.lives.iter_mut().for_each(Live::wake);
    }
}
