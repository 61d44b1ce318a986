//! The places for calls on the runtime's workers, and waiting for one that will be free in a moment.
//!
//! Most calls are over in microseconds. If all places are taken, that is mostly because the system has taken the processor
//! from somebody who holds one; another thread would only make that worse. So one waits, for a short time, and asks for a
//! thread only when no call comes to an end meanwhile. What the numbers mean is [`Dispatch`]'s.

use gateway_spec::{Admission, Dispatch, Permit};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// A call that takes longer than this is taken for one that blocks.
const QUICK: Duration = Duration::from_millis(2);

#[derive(Debug)]
pub(super) struct Places {
    dispatch: Dispatch,
    inline: usize,
    waiting: AtomicUsize,
    freed: Notify,
    /// Somebody has waited in vain, and no call has ended since: nobody else need wait.
    stuck: AtomicBool,
}

impl Places {
    pub(super) fn new(inline: usize, overflow: usize) -> Self {
        Self {
            dispatch: Dispatch::new(inline, overflow),
            inline,
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
            stuck: AtomicBool::new(false),
        }
    }

    pub(super) fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Takes the best place there is.
    pub(super) async fn admit(&self) -> Admission {
        if let Some(permit) = self.try_inline() {
            return Admission::Inline(permit);
        }
        if !self.stuck.load(Ordering::Relaxed) {
            let waiting = Waiting::begin(&self.waiting);
            let waited = timeout(QUICK, self.freed_place()).await;
            drop(waiting);
            match waited {
                Ok(permit) => return Admission::Inline(permit),
                Err(_) => self.stuck.store(true, Ordering::Relaxed),
            }
        }
        self.dispatch.admit()
    }

    /// Gives a place back.
    pub(super) fn leave(&self, permit: Permit) {
        drop(permit);
        if self.stuck.load(Ordering::Relaxed) {
            self.stuck.store(false, Ordering::Relaxed);
        }
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.freed.notify_one();
        }
    }

    async fn freed_place(&self) -> Permit {
        loop {
            // One that was freed before we began to wait has left a note with `freed`, or is found here.
            if let Some(permit) = self.try_inline() {
                return permit;
            }
            self.freed.notified().await;
        }
    }

    pub(super) fn try_inline(&self) -> Option<Permit> {
        if self.dispatch.busy().0 >= self.inline {
            return None;
        }
        match self.dispatch.admit() {
            Admission::Inline(permit) => Some(permit),
            // Somebody was faster; a place that may block is not what was asked for.
            Admission::Overflow(_) | Admission::Full => None,
        }
    }
}

/// One that waits; no longer counted when it has a place, has given up, or its connection was cut.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
