//! Which part of something shared this thread works on, so that threads seldom meet.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// More than threads that end requests at the same time, on most machines.
pub(super) const SHARDS: usize = 16;

/// The number of this thread's part.
pub(super) fn this_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
    }
    SHARD.with(|shard| {
        let number = shard.get().unwrap_or_else(|| NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        shard.set(Some(number));
        number
    })
}
