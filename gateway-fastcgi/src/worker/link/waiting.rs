//! Waiting for requests and for their input.
//!
//! Holds the three ways to wait: as a task, as a thread, and as a stream that is polled. Does not hold what is read for.

use super::live::Live;
use super::{Caller, InputKind, Link, LinkError, Read, Reader, State};
use crate::net::Readiness;
use crate::worker::environ::First;
use bytes::Bytes;
use gateway_spec::Disconnected;
use std::future::poll_fn;
use std::io;
use std::sync::{MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// What a request has of an input stream.
#[derive(Debug)]
pub(in crate::worker) enum Taken {
    Piece(Bytes),
    End,
    /// The gateway does not want the answer any more.
    Aborted,
}

/// What can be had of an input stream without waiting.
#[derive(Debug)]
pub(in crate::worker) enum Arrived {
    /// Empty at the end.
    Piece(Bytes),
    /// Nothing is in the socket.
    Nothing,
    /// Somebody else reads, or there is output to be sent first.
    Elsewhere,
}

impl Link {
    /// The next piece of an input stream, at most `max` bytes, for a task.
    pub(in crate::worker) async fn take(&self, serial: u64, from: InputKind, max: usize) -> Result<Taken, LinkError> {
        loop {
            if let Some(taken) = self.taken(serial, from, max)? {
                return Ok(taken);
            }
            let is_own = !self.is_pumped();
            if is_own {
                self.flush().await?;
                match self.read(Caller::Task)? {
                    Read::Some | Read::End => continue,
                    Read::Nothing => {}
                }
            }
            let arrived = poll_fn(|cx| self.poll_arrived(serial, from, cx));
            let ready = async {
                // Also where a pump begins meanwhile: the waker is in place before anything is waited for.
                tokio::select! {
                    biased;
                    () = arrived => Ok(()),
                    ready = self.stream.readable(), if is_own => ready,
                }
            };
            let ready = tokio::time::timeout(self.read_timeout, ready).await;
            ready.map_err(|_| self.silent())??;
        }
    }

    /// The next piece of an input stream, at most `max` bytes, if it is here or in the socket; for a thread.
    pub(in crate::worker) fn take_arrived(
        &self,
        serial: u64,
        from: InputKind,
        max: usize,
    ) -> Result<Arrived, LinkError> {
        loop {
            let mut held = self.lock_for(serial)?;
            let (_, live) = held.parts()?;
            if let Some(piece) = live.arrivals(from).take(max)? {
                return Ok(Arrived::Piece(piece));
            }
            if held.state.reader != Reader::Anybody || !held.state.write(&self.stream, Caller::Thread)? {
                return Ok(Arrived::Elsewhere);
            }
            if let Read::Nothing = self.read_under(&mut held.state, Caller::Thread)? {
                return Ok(Arrived::Nothing);
            }
            self.call_begins(true);
        }
    }

    /// The next piece of an input stream, at most `max` bytes, for a thread. Empty at the end.
    pub(in crate::worker) fn take_blocking(
        &self,
        serial: u64,
        from: InputKind,
        max: usize,
    ) -> Result<Bytes, LinkError> {
        self.wait_blocking(serial, true, |live| Ok(live.arrivals(from).take(max)?))
    }

    /// Waits for what has to come first of STDIN, for a thread; meanwhile nothing is sent.
    pub(in crate::worker) fn receive_first_blocking(&self, serial: u64, first: First) -> Result<(), LinkError> {
        self.wait_blocking(serial, false, |live| {
            let enough = match first {
                First::Nothing => true,
                First::Wanted => live.stdin.ended || live.stdin.unwanted,
                First::All => live.stdin.ended,
            };
            Ok(enough.then_some(()))
        })
    }

    /// Waits until `ready` says so. If nobody reads, the thread reads, for all requests.
    fn wait_blocking<T>(
        &self,
        serial: u64,
        sends: bool,
        mut ready: impl FnMut(&mut Live) -> Result<Option<T>, LinkError>,
    ) -> Result<T, LinkError> {
        let mut silence = Duration::ZERO;
        loop {
            let mut held = self.lock_for(serial)?;
            let (_, live) = held.parts()?;
            if let Some(ready) = ready(live)? {
                return Ok(ready);
            }
            if held.state.reader != Reader::Anybody {
                if self.wait_arrival(held.state, self.read_timeout) {
                    return Err(self.silent());
                }
                continue;
            }
            held.state.reader = Reader::Thread;
            drop(held);
            let read = self.read_blocking(sends, &mut silence);
            let mut state = self.lock();
            if state.reader == Reader::Thread {
                state.reader = Reader::Anybody;
            }
            self.notify(&state);
            drop(state);
            read?;
        }
    }

    /// Reads once, when there is something; counts how long there was nothing.
    fn read_blocking(&self, sends: bool, silence: &mut Duration) -> Result<(), LinkError> {
        /// How long a thread does not look up that may have been relieved by a pump.
        const LOOK: Duration = Duration::from_millis(100);
        let unsent = sends && !self.try_flush(Caller::Thread)?;
        if let Read::Some | Read::End = self.read(Caller::Thread)? {
            *silence = Duration::ZERO;
            return Ok(());
        }
        let what = if unsent { Readiness::Either } else { Readiness::Read };
        let left = self.read_timeout.saturating_sub(*silence);
        let slice = if self.is_known_for_one() { left } else { left.min(LOOK) };
        match self.stream.block_until(what, slice) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut && slice < left => {
                *silence += slice;
                Ok(())
            }
            ready => ready.map_err(|error| self.gave_up(error, LinkError::Silent(self.read_timeout))),
        }
    }

    /// A pause for a thread, early when somebody reads something.
    pub(in crate::worker) fn pause_blocking(&self, longest: Duration) {
        if !self.is_pumped() {
            let _ = self.stream.block_until(Readiness::Read, longest);
            return;
        }
        self.wait_arrival(self.lock(), longest);
    }

    /// Waits until somebody has read something; says whether that took too long.
    fn wait_arrival(&self, mut state: MutexGuard<'_, State>, longest: Duration) -> bool {
        state.waiting_threads += 1;
        let waited = self.arrived.wait_timeout(state, longest);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting_threads -= 1;
        waited.timed_out()
    }

    /// [`Link::take`], polled, where there is a pump.
    pub(in crate::worker) fn poll_take(
        &self,
        serial: u64,
        from: InputKind,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Bytes>> {
        let mut held = self.lock_for(serial)?;
        let (_, live) = held.parts()?;
        let taken = live.arrivals(from).take(usize::MAX)?;
        match taken {
            Some(piece) => {
                if self.is_known_for_one() {
                    self.changed.notify_one();
                }
                Poll::Ready(Ok(piece))
            }
            None => {
                live.input_waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Waits until there is error output to send, and a little longer for more of it; or until the request is not wanted any more.
    pub(in crate::worker) async fn errors(&self, serial: u64) -> Result<(), Disconnected> {
        /// So much is sent without waiting for more: what fits into one record.
        const TOGETHER: usize = 60_000;
        const PATIENCE: Duration = Duration::from_millis(100);
        self.written(serial, 1).await?;
        if let Ok(gone) = tokio::time::timeout(PATIENCE, self.written(serial, TOGETHER)).await {
            gone?;
        }
        let mut held = self.lock_for(serial)?;
        let (machine, live) = held.parts()?;
        live.put_errors(machine);
        Ok(())
    }

    /// Waits until so many bytes of error output are there.
    async fn written(&self, serial: u64, bytes: usize) -> Result<(), Disconnected> {
        poll_fn(|cx| {
            let mut held = self.lock_for(serial)?;
            let (_, live) = held.parts()?;
            if live.errors.len() >= bytes {
                return Poll::Ready(Ok(()));
            }
            live.driver_waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Waits until all of STDIN is there or nobody wants it, where there is a pump.
    pub(in crate::worker) async fn receive_rest(&self, serial: u64) -> Result<(), Disconnected> {
        poll_fn(|cx| {
            let mut held = self.lock_for(serial)?;
            let (_, live) = held.parts()?;
            if live.stdin.ended || live.stdin.unwanted {
                return Poll::Ready(Ok(()));
            }
            live.driver_waker = Some(cx.waker().clone());
            if !std::mem::replace(&mut live.stdin.whole, true) {
                self.changed.notify_one();
            }
            Poll::Pending
        })
        .await
    }

    /// The application has let go of an input stream; the rest may be dropped.
    pub(in crate::worker) fn let_go_of_input(&self, serial: u64, from: InputKind) {
        if let Ok(mut held) = self.lock_for(serial)
            && let Ok((_, live)) = held.parts()
        {
            live.arrivals(from).let_go();
            live.wake_driver();
            if self.is_known_for_one() {
                self.changed.notify_one();
            }
        }
    }

    fn taken(&self, serial: u64, from: InputKind, max: usize) -> Result<Option<Taken>, LinkError> {
        let mut state = self.lock();
        let gone = state.gone;
        let live = state.lives.iter_mut().find(|live| live.serial == serial).ok_or(LinkError::Gone)?;
        if live.aborted {
            return Ok(Some(Taken::Aborted));
        }
        match live.arrivals(from).take(max)? {
            Some(piece) if piece.is_empty() => Ok(Some(Taken::End)),
            Some(piece) => Ok(Some(Taken::Piece(piece))),
            None if gone => Err(LinkError::Gone),
            None => Ok(None),
        }
    }

    fn poll_arrived(&self, serial: u64, from: InputKind, cx: &mut Context<'_>) -> Poll<()> {
        let Ok(mut held) = self.lock_for(serial) else { return Poll::Ready(()) };
        let Ok((_, live)) = held.parts() else { return Poll::Ready(()) };
        if live.arrivals(from).has_news() {
            return Poll::Ready(());
        }
        live.input_waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The gateway has stopped within a request. Alone, that is the end of the connection; others go on without it.
    fn silent(&self) -> LinkError {
        let late = LinkError::Silent(self.read_timeout);
        if self.is_pumped() { late } else { self.lost(late) }
    }
}
