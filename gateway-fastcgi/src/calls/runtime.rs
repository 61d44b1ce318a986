//! A runtime in which applications may block.

use super::spare::Spares;
use super::{Calls, watch};
use std::io;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Threads beyond those for calls, for name resolution and files.
const SPARE_BLOCKING: usize = 64;

/// How many tasks a worker runs before it looks after sockets: fewer than by default, since a task may be a call that takes long.
const EVENT_INTERVAL: u32 = 16;

/// A tokio runtime with places for so many calls, one more worker for sockets, and the watch over both.
///
/// Of the workers only as many are awake as there are cores; the others sleep until calls block.
///
/// # Examples
/// ```
/// use gateway_fastcgi::calls::CallRuntime;
/// let runtime = CallRuntime::new(1, 0)?;
/// assert_eq!(runtime.block_on(async { 6 * 7 }), 42);
/// runtime.shutdown(std::time::Duration::from_secs(1));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct CallRuntime {
    // Dropped first: the runtime's own end waits for all its workers.
    sleepers: Sleepers,
    runtime: Runtime,
    calls: Calls,
}

/// Wakes the spare workers for good when it is dropped.
#[derive(Debug)]
struct Sleepers(Arc<Spares>);

impl Drop for Sleepers {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl CallRuntime {
    /// Starts a runtime in which `inline` applications may run at once on workers, at least one, and `overflow` more on
    /// threads that may block.
    ///
    /// # Errors
    /// What the system says when there are no more threads.
    pub fn new(inline: usize, overflow: usize) -> io::Result<Self> {
        let inline = inline.max(1);
        let runtime = Builder::new_multi_thread()
            .worker_threads(inline.saturating_add(1))
            .max_blocking_threads(overflow.saturating_add(SPARE_BLOCKING))
            .event_interval(EVENT_INTERVAL)
            .thread_name("gateway")
            .enable_all()
            .build()?;
        let calls = Calls::new(inline, overflow);
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        watch::start(&calls, runtime.handle(), inline + 1 - inline.min(cores))?;
        Ok(Self { sleepers: Sleepers(Arc::clone(&calls.watch.spares)), runtime, calls })
    }

    /// Starts a runtime with one thread for sockets and calls alike: an application that blocks holds up everything else.
    /// `overflow` calls may wait on threads of their own, for request bodies that still arrive.
    ///
    /// # Errors
    /// What the system says when there are no more threads.
    pub fn single(overflow: usize) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(overflow.saturating_add(SPARE_BLOCKING))
            .event_interval(EVENT_INTERVAL)
            .thread_name("gateway")
            .enable_all()
            .build()?;
        let calls = Calls::new(1, overflow);
        Ok(Self { sleepers: Sleepers(Arc::clone(&calls.watch.spares)), runtime, calls })
    }

    /// How many applications may run at once on workers unless somebody says otherwise, in a process that is one of several:
    /// four for each core, and 16 at least, since those that wait do not work.
    pub fn default_inline() -> usize {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        (4 * cores).max(16)
    }

    /// The places.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Ends the runtime; applications that do not come back within `longest` are left behind.
    pub fn shutdown(self, longest: Duration) {
        let Self { sleepers, runtime, .. } = self;
        drop(sleepers);
        runtime.shutdown_timeout(longest);
    }
}

impl Deref for CallRuntime {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        &self.runtime
    }
}
