//! Where synchronous applications are called, for gateways that run on tokio: on the worker at hand, on a thread that may
//! block, or not at all.
//!
//! Holds the choice, the short wait before it is made for the worse (`places`), and the watch that keeps sockets served
//! while applications block (`watch`). Does not call anything. The counting is [`gateway_spec::Dispatch`]'s.
//!
//! An application on a worker costs least, by far, and has two dangers. If all workers sit in applications, nobody reads
//! sockets: so one of several workers is never given away. And if the only worker that is awake sits in an application, the
//! others are there but do not know that they are needed: so somebody wakes them.

mod places;
#[cfg(test)]
mod tests;
mod watch;

use gateway_spec::{Admission, Permit};
use places::Places;
use std::io;
use std::sync::Arc;
use tokio::runtime::Handle;
use watch::Watch;

/// The places for calls on one runtime. Clones share them, and so may several gateways on that runtime.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_multi_thread().worker_threads(4).build()?.block_on(async {
/// use gateway_fastcgi::calls::Calls;
/// use gateway_spec::Admission;
/// use tokio::runtime::Handle;
///
/// let calls = Calls::of(&Handle::current(), 256);
/// calls.watch(&Handle::current())?;
///
/// match calls.admit().await {
///     Admission::Inline(permit) => {
///         // Call the application here, and then:
///         calls.leave(permit);
///     }
///     Admission::Overflow(permit) => {
///         // `spawn_blocking` a call of the application, which drops the permit when it is done.
///         drop(permit);
///     }
///     Admission::Full => {} // Ask the client to come back later.
/// }
/// # Ok::<(), std::io::Error>(()) })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Calls {
    places: Arc<Places>,
    watch: Arc<Watch>,
}

impl Calls {
    /// At most `inline` calls at once on the runtime's workers, and `overflow` more on threads that may block.
    pub fn new(inline: usize, overflow: usize) -> Self {
        Self { places: Arc::new(Places::new(inline, overflow)), watch: Arc::default() }
    }

    /// The places that this runtime has: one for each worker but one, so that sockets are served whatever applications do.
    ///
    /// A single worker has to do both: an application that blocks then blocks the sockets too.
    pub fn of(runtime: &Handle, overflow: usize) -> Self {
        Self::new(runtime.metrics().num_workers().saturating_sub(1).max(1), overflow)
    }

    /// Takes the best place there is.
    ///
    /// If all places on workers are taken, it waits up to 2 ms for one: most calls are over in microseconds, and another
    /// thread would only make it worse. Does not wait if that was in vain for somebody else just now.
    pub async fn admit(&self) -> Admission {
        let admission = self.places.admit().await;
        if let Admission::Inline(_) = admission {
            self.watch.call_begins();
        }
        admission
    }

    /// Takes a place on a worker if one is free right now.
    pub fn try_inline(&self) -> Option<Permit> {
        let permit = self.places.try_inline();
        if permit.is_some() {
            self.watch.call_begins();
        }
        permit
    }

    /// Takes a place on a thread that may block, for a call that is known to wait (its body is still arriving).
    pub fn admit_blocking(&self) -> Admission {
        self.places.dispatch().admit_blocking()
    }

    /// Gives a place back, and says so to whoever waits for one. Those on threads that may block can as well be dropped.
    pub fn leave(&self, permit: Permit) {
        self.places.leave(permit);
    }

    /// How many calls run right now, on workers and on threads that may block.
    pub fn busy(&self) -> (usize, usize) {
        self.places.dispatch().busy()
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
        watch::start(&self.watch, &self.places, runtime)
    }
}
