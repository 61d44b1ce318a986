//! Workers that sleep until they are needed.
//!
//! A runtime in which N applications may block needs N + 1 workers. But workers that are awake hand work to each other, and
//! on a machine with fewer cores that costs more than the work. So those beyond the cores are put to sleep, each in a task
//! that blocks, and woken when calls block the others. When, the watch decides.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::runtime::Handle;

/// The sleepers of one runtime.
#[derive(Debug, Default)]
pub(super) struct Spares {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    asleep: usize,
    /// So many of those asleep are to wake.
    called: usize,
    /// Nobody sleeps any more.
    over: bool,
}

impl Spares {
    /// Puts one worker to sleep, as soon as it has nothing else at hand.
    ///
    /// tokio keeps two things for a worker alone: the task it woke last, and tasks that have yielded. Behind a yield of its
    /// own the sleeper finds the first place empty; the second is why workers are put to sleep one by one, and only while
    /// nothing goes on, and why no loop of ours yields that way ([`super::turn`]). What else is in a sleeper's queue others take.
    pub(super) fn put_to_sleep(self: &Arc<Self>, runtime: &Handle) {
        let spares = Arc::clone(self);
        runtime.spawn(async move {
            tokio::task::yield_now().await;
            spares.sleep();
        });
    }

    /// Wakes `count` sleepers, or as many as there are; says how many.
    pub(super) fn wake(&self, count: usize) -> usize {
        let mut state = self.lock();
        let woken = count.min(state.asleep);
        // Counted as awake from here on, though they still have to notice.
        state.asleep -= woken;
        state.called += woken;
        drop(state);
        self.changed.notify_all();
        woken
    }

    /// Wakes everybody; from now on nobody falls asleep.
    pub(super) fn end(&self) {
        self.lock().over = true;
        self.changed.notify_all();
    }

    /// How many sleep now.
    pub(super) fn asleep(&self) -> usize {
        self.lock().asleep
    }

    fn sleep(&self) {
        let mut state = self.lock();
        state.asleep += 1;
        while state.called == 0 && !state.over {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match state.called.checked_sub(1) {
            Some(called) => state.called = called,
            None => state.asleep -= 1,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
