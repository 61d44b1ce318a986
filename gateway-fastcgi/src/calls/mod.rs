//! Where synchronous applications are called, for gateways that run on tokio: on the worker at hand, on a thread that may
//! block, or not at all.
//!
//! Holds the choice, the runtime it is made for (`runtime`), the watch that keeps sockets served while applications block
//! (`watch`) and the workers it has in reserve (`spare`). Does not call anything. The counting is
//! [`gateway_spec::Dispatch`]'s.
//!
//! An application on a worker costs least, by far, and has two dangers. If all workers sit in applications, nobody reads
//! sockets: so there is one worker more than places. And if the only worker that is awake sits in an application, the
//! others are there but do not know that they are needed: so somebody wakes them.

mod runtime;
mod seat;
mod spare;
#[cfg(test)]
mod tests;
mod watch;

use gateway_spec::{Admission, Dispatch, Permit};
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;
use tokio::runtime::{Handle, RuntimeFlavor};
use watch::Watch;

pub use runtime::CallRuntime;
pub use seat::Seat;

/// Whoever wants to know that calls block, so that something else has to be done meanwhile.
pub(crate) trait Blocked: Send + Sync {
    /// Calls are in progress and none has begun for a while. Called again and again as long as that is so, on a thread that
    /// should not be held up.
    fn blocked(self: Arc<Self>, runtime: &Handle);
}

/// Lets other tasks have their turn, at a place from which any worker of the runtime can go on with this one.
///
/// Neither `yield_now` of tokio nor what it does to a task that has used up its budget is that: such a task waits for the very worker
/// that ran it, and stands still if that one is put to sleep or sits in a call that blocks. So loops that may have much to do at once
/// are `unconstrained`, and take [`Turns`].
pub(crate) async fn turn() {
    let mut over = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut over, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The turns of a loop that may have much to do at once: every 32nd round, others go first.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use gateway_fastcgi::calls::Turns;
///
/// let mut turns = Turns::default();
/// for _ in 0..100 {
///     turns.next().await;
///     // Accept a connection, read a record.
/// }
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Turns {
    rounds: u32,
}

impl Turns {
    /// Begins another round.
    pub async fn next(&mut self) {
        const ROUNDS: u32 = 32;
        self.rounds = self.rounds.wrapping_add(1);
        if self.rounds.is_multiple_of(ROUNDS) {
            turn().await;
        }
    }
}

/// The places for calls on one runtime. Clones share them, and so may several gateways on that runtime.
///
/// # Examples
/// ```
/// use gateway_fastcgi::calls::CallRuntime;
/// use gateway_spec::Admission;
///
/// let runtime = CallRuntime::new(16, 256)?;
/// match runtime.calls().admit() {
///     Admission::Inline(permit) => {
///         // Call the application here, while the permit is held.
///         drop(permit);
///     }
///     Admission::Overflow(permit) => {
///         // `spawn_blocking` a call of the application, which drops the permit when it is done.
///         drop(permit);
///     }
///     Admission::Full => {} // Ask the client to come back later.
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Calls {
    counts: Arc<Counts>,
    watch: Arc<Watch>,
}

#[derive(Debug)]
struct Counts {
    dispatch: Dispatch,
    /// Calls on workers that ever began. That it stands still is how one sees that calls block.
    begun: AtomicUsize,
    /// Seats that were ever taken.
    seats: AtomicUsize,
}

impl Counts {
    /// Calls that run on workers right now.
    fn busy(&self) -> usize {
        self.dispatch.busy().0
    }
}

impl Calls {
    /// At most `inline` calls at once on the runtime's workers, and `overflow` more on threads that may block.
    pub fn new(inline: usize, overflow: usize) -> Self {
        let counts = Counts {
            dispatch: Dispatch::new(inline, overflow),
            begun: AtomicUsize::new(0),
            seats: AtomicUsize::new(0),
        };
        Self { counts: Arc::new(counts), watch: Arc::default() }
    }

    /// The places that somebody else's runtime has: one for each worker but one, so that sockets are served whatever
    /// applications do.
    ///
    /// A single worker has to do both: an application that blocks then blocks the sockets too.
    pub fn of(runtime: &Handle, overflow: usize) -> Self {
        Self::new(runtime.metrics().num_workers().saturating_sub(1).max(1), overflow)
    }

    /// Takes the best place there is.
    pub fn admit(&self) -> Admission {
        let admission = self.counts.dispatch.admit();
        if let Admission::Inline(_) = admission {
            self.counts.begun.fetch_add(1, Ordering::Relaxed);
            self.watch.call_begins();
        }
        admission
    }

    /// Takes a place on a worker if one is free right now.
    pub fn try_inline(&self) -> Option<Permit> {
        match self.admit() {
            Admission::Inline(permit) => Some(permit),
            Admission::Overflow(_) | Admission::Full => None,
        }
    }

    /// Takes a place on this worker for a call that may have to wait, and therefore has one on a thread that may block, if one is free and
    /// the runtime can go on without the thread.
    pub fn seat(&self) -> Seat {
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => {
                let number = || self.counts.seats.fetch_add(1, Ordering::Relaxed);
                self.try_inline().map(|permit| Seat::new(permit, number())).unwrap_or_default()
            }
            _ => Seat::default(),
        }
    }

    /// Takes a place on a thread that may block, for a call that is known to wait (its body is still arriving).
    pub fn admit_blocking(&self) -> Admission {
        self.counts.dispatch.admit_blocking()
    }

    /// How many calls run right now, on workers and on threads that may block.
    pub fn busy(&self) -> (usize, usize) {
        self.counts.dispatch.busy()
    }

    /// From now on `who` is told when calls block, as long as it lives and there is a watch.
    #[cfg_attr(not(feature = "worker"), allow(dead_code))]
    pub(crate) fn when_blocked(&self, who: Weak<dyn Blocked>) {
        self.watch.tell(who);
    }

    /// From now on this runtime's sockets are served a few milliseconds late at most, whatever applications do on its
    /// workers.
    ///
    /// Starts a thread, once, that lives as long as these places do. A runtime with a single worker cannot be helped, and
    /// gets none.
    ///
    /// # Errors
    /// What the system says when there are no more threads.
    pub fn watch(&self, runtime: &Handle) -> io::Result<()> {
        if runtime.metrics().num_workers() < 2 {
            return Ok(());
        }
        watch::start(self, runtime, 0)
    }
}
