//! Where a synchronous application is called: on the worker at hand, on a spare thread, or not at all.
//!
//! Holds the counting. Does not hold threads or a runtime: a gateway asks, and acts on the answer.
//!
//! Calling an application on the runtime's own worker is the fastest way by far, and wrong for the last free worker: if
//! every worker sat in application code, nobody would read sockets. So for N places a runtime has N + 1 workers.
//!
//! One more thing is needed that takes a runtime: to wake a worker when those that are awake sit in calls.
//! `gateway_fastcgi::calls` does it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the applications that run right now and says where the next call goes.
///
/// # Examples
/// ```
/// use gateway_spec::{Admission, Dispatch};
/// let dispatch = Dispatch::new(1, 1);
/// let first = dispatch.admit();
/// assert!(matches!(first, Admission::Inline(_)));
/// let second = dispatch.admit();
/// assert!(matches!(second, Admission::Overflow(_)));
/// assert!(matches!(dispatch.admit(), Admission::Full));
/// drop(first);
/// assert!(matches!(dispatch.admit(), Admission::Inline(_)));
/// ```
#[derive(Debug, Clone)]
pub struct Dispatch {
    gauges: Arc<Gauges>,
}

#[derive(Debug)]
struct Gauges {
    inline: Gauge,
    overflow: Gauge,
}

/// Where to call the application. The permit is held for as long as application code may run.
#[derive(Debug)]
pub enum Admission {
    /// Call it here and now, on the runtime's worker.
    Inline(Permit),
    /// Call it on a thread that may block.
    Overflow(Permit),
    /// The house is full: answer 503.
    Full,
}

/// A place in the house; given back on drop.
#[derive(Debug)]
pub struct Permit {
    gauges: Arc<Gauges>,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Inline,
    Overflow,
}

impl Dispatch {
    /// At most `inline` calls at once on the runtime's workers, and `overflow` more on threads that may block.
    ///
    /// Give a runtime `inline + 1` workers, so that one is left for sockets whatever the applications do.
    pub fn new(inline: usize, overflow: usize) -> Self {
        Dispatch { gauges: Arc::new(Gauges { inline: Gauge::new(inline), overflow: Gauge::new(overflow) }) }
    }

    /// Takes the best free place.
    pub fn admit(&self) -> Admission {
        if self.gauges.inline.enter() { Admission::Inline(self.permit(Place::Inline)) } else { self.admit_blocking() }
    }

    /// Takes a place on a thread that may block, for a call that is known to wait (its body is still arriving).
    pub fn admit_blocking(&self) -> Admission {
        if self.gauges.overflow.enter() { Admission::Overflow(self.permit(Place::Overflow)) } else { Admission::Full }
    }

    /// How many calls run right now, on workers and on spare threads.
    pub fn busy(&self) -> (usize, usize) {
        (self.gauges.inline.now.load(Ordering::Relaxed), self.gauges.overflow.now.load(Ordering::Relaxed))
    }

    fn permit(&self, place: Place) -> Permit {
        Permit { gauges: Arc::clone(&self.gauges), place }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        match self.place {
            Place::Inline => self.gauges.inline.leave(),
            Place::Overflow => self.gauges.overflow.leave(),
        }
    }
}

#[derive(Debug)]
struct Gauge {
    now: AtomicUsize,
    most: usize,
}

impl Gauge {
    fn new(most: usize) -> Self {
        Gauge { now: AtomicUsize::new(0), most }
    }

    fn enter(&self) -> bool {
        // Optimistic: count first, step back when that was one too many. Nothing else is guarded by the counter.
        if self.now.fetch_add(1, Ordering::Relaxed) < self.most {
            return true;
        }
        self.leave();
        false
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}
