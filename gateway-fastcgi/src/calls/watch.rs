//! Keeps sockets served while applications block the runtime's workers.
//!
//! A worker that finds one thing to do wakes nobody, and a worker that is not woken does not look after sockets. So a
//! call that blocks on an otherwise idle server would stop everything: the one worker that was awake sits in it. To wake
//! another one before each call would cost more than the call. Instead one thread looks on. When calls are in progress and
//! none has begun since its last look, they block: it hands the runtime something to do, for which an idle worker wakes up
//! and takes over the sockets; and if all workers sit in calls, it wakes spare ones. When nothing is in progress the thread
//! sleeps.

use super::spare::Spares;
use super::{Blocked, Calls, Counts};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::Thread;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long sockets may stand unserved when a call blocks: two looks.
const INTERVAL: Duration = Duration::from_millis(2);

/// Looks without a call before the thread goes to sleep.
const IDLE_LOOKS: u32 = 50;

/// Looks with all workers in calls before spare ones are woken although calls come and go: they would run side by side.
const FULL_LOOKS: u32 = 32;

/// Looks without a call before workers are put to sleep.
const QUIET_LOOKS: u32 = 20;

/// How long it sleeps at most. Should it ever miss a call, that is how long the call can do harm.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// The thread, and whether it has to be woken. It ends when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Watch {
    asleep: AtomicBool,
    thread: OnceLock<Thread>,
    starting: Mutex<()>,
    told: Mutex<Told>,
    pub(super) spares: Arc<Spares>,
}

/// Whoever is told that calls block.
#[derive(Default)]
struct Told(Vec<Weak<dyn Blocked>>);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Told").field(&self.0.len()).finish()
    }
}

impl Watch {
    /// Includes somebody who is told.
    pub(super) fn tell(&self, who: Weak<dyn Blocked>) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).0.push(who);
    }

    fn calls_block(&self, runtime: &Handle) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.0.retain(|who| who.strong_count() > 0);
        let told: Vec<_> = told.0.iter().filter_map(Weak::upgrade).collect();
        told.into_iter().for_each(|who| who.blocked(runtime));
    }

    /// Says that a call begins: nearly always one load.
    pub(super) fn call_begins(&self) {
        if self.asleep.load(Ordering::SeqCst) {
            self.asleep.store(false, Ordering::SeqCst);
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

impl Drop for Watch {
    /// The thread sees that it has nothing to watch.
    fn drop(&mut self) {
        self.spares.end();
        self.wake();
    }
}

/// Starts the thread, if it does not run yet. `spare` workers of the runtime sleep until they are needed.
pub(super) fn start(calls: &Calls, runtime: &Handle, spare: usize) -> io::Result<()> {
    let watch = &calls.watch;
    // Two gateways that share their places may begin at the same time.
    let _starting = watch.starting.lock().unwrap_or_else(PoisonError::into_inner);
    if watch.thread.get().is_some() {
        return Ok(());
    }
    let mut looking = Looking {
        counts: Arc::clone(&calls.counts),
        spares: Arc::clone(&watch.spares),
        runtime: runtime.clone(),
        base: runtime.metrics().num_workers().saturating_sub(spare),
        spare,
        sent: 0,
        begun: 0,
        blocked: false,
        full_looks: 0,
        quiet_looks: QUIET_LOOKS,
    };
    let watched = Arc::downgrade(watch);
    let thread =
        std::thread::Builder::new().name("gateway-watch".to_owned()).spawn(move || look_on(&watched, &mut looking))?;
    let _ = watch.thread.set(thread.thread().clone());
    Ok(())
}

fn look_on(watch: &Weak<Watch>, looking: &mut Looking) {
    let mut idle_looks = 0;
    loop {
        if watch.strong_count() == 0 {
            return;
        }
        idle_looks = if looking.look() { 0 } else { idle_looks + 1 };
        if looking.blocked
            && let Some(watch) = watch.upgrade()
        {
            watch.calls_block(&looking.runtime);
        }
        if idle_looks < IDLE_LOOKS {
            std::thread::sleep(INTERVAL);
            continue;
        }
        let Some(noted) = watch.upgrade() else { return };
        noted.asleep.store(true, Ordering::SeqCst);
        drop(noted);
        // Looked at again after the note is there: a call that began meanwhile either is seen here or saw the note.
        if looking.counts.busy() == 0 {
            std::thread::park_timeout(LONGEST_SLEEP);
        }
        idle_looks = 0;
    }
}

/// What the thread knows from one look to the next.
struct Looking {
    counts: Arc<Counts>,
    spares: Arc<Spares>,
    runtime: Handle,
    /// Workers that are always awake, and those that need not be.
    base: usize,
    spare: usize,
    /// How many of the spare ones were sent to sleep and not woken since.
    sent: usize,
    begun: usize,
    /// What the last look found.
    blocked: bool,
    full_looks: u32,
    quiet_looks: u32,
}

impl Looking {
    /// Looks once, and does what is needed. Tells whether to look again soon.
    fn look(&mut self) -> bool {
        let busy = self.counts.busy();
        let begun = self.counts.begun.load(Ordering::Relaxed);
        let blocked = busy > 0 && begun == std::mem::replace(&mut self.begun, begun);
        self.blocked = blocked;
        // Calls on other threads count too: their connections are served here.
        let quiet = self.counts.dispatch.busy() == (0, 0);
        self.quiet_looks = if quiet { self.quiet_looks.saturating_add(1) } else { 0 };
        self.wake_spares(busy, blocked);
        let settling = self.quiet_looks >= QUIET_LOOKS && self.settle();
        if blocked || settling {
            // Its doing nothing is the point: whoever runs it looks after the sockets next, and takes what is in the queue
            // of a worker that fell asleep.
            self.runtime.spawn(async {});
        }
        busy > 0 || settling
    }

    /// Wakes spare workers if all others sit in calls.
    fn wake_spares(&mut self, busy: usize, blocked: bool) {
        let woken = self.spare - self.sent;
        let full = busy >= self.base + woken;
        self.full_looks = if full { self.full_looks + 1 } else { 0 };
        if full && (blocked || self.full_looks >= FULL_LOOKS) {
            // Twice as many each time: a crowd that blocks is met within a few looks.
            self.sent -= self.spares.wake(woken.max(1));
            self.full_looks = 0;
        }
    }

    /// Sends one more worker to sleep when the last one has fallen asleep. Tells whether there is more to do.
    fn settle(&mut self) -> bool {
        let asleep = self.spares.asleep() == self.sent;
        if asleep && self.sent < self.spare {
            self.spares.put_to_sleep(&self.runtime);
            self.sent += 1;
            return true;
        }
        !asleep
    }
}
