//! Keeps sockets served while applications block the runtime's workers.
//!
//! A worker that finds one thing to do wakes nobody, and a worker that is not woken does not look after sockets. So a
//! call that blocks on an otherwise idle server would stop everything: the one worker that was awake sits in it. To wake
//! another one before each call would cost more than the call. Instead one thread looks on: as long as calls are in
//! progress, it hands the runtime something to do every few milliseconds, and an idle worker wakes up and takes over the
//! sockets. When nothing is in progress the thread sleeps.

use super::places::Places;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::Thread;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long sockets may stand unserved when a call blocks.
const INTERVAL: Duration = Duration::from_millis(4);

/// Looks without a call before the thread goes to sleep.
const IDLE_LOOKS: u32 = 25;

/// How long it sleeps at most. Should it ever miss a call, that is how long the call can do harm.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// The thread, and whether it has to be woken. It ends when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Watch {
    asleep: AtomicBool,
    thread: OnceLock<Thread>,
    starting: Mutex<()>,
}

impl Watch {
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
        self.wake();
    }
}

/// Starts the thread, if it does not run yet.
pub(super) fn start(watch: &Arc<Watch>, places: &Arc<Places>, runtime: &Handle) -> io::Result<()> {
    // Two gateways that share their places may begin at the same time.
    let _starting = watch.starting.lock().unwrap_or_else(PoisonError::into_inner);
    if watch.thread.get().is_some() {
        return Ok(());
    }
    let (watched, places, runtime) = (Arc::downgrade(watch), Arc::clone(places), runtime.clone());
    let looking = move || look_on(&watched, &places, &runtime);
    let thread = std::thread::Builder::new().name("gateway-watch".to_owned()).spawn(looking)?;
    let _ = watch.thread.set(thread.thread().clone());
    Ok(())
}

fn look_on(watch: &Weak<Watch>, places: &Places, runtime: &Handle) {
    let has_calls = || places.dispatch().busy().0 > 0;
    let mut idle_looks = 0;
    loop {
        if watch.strong_count() == 0 {
            return;
        }
        if has_calls() {
            idle_looks = 0;
            // Its doing nothing is the point: whoever runs it looks after the sockets next.
            runtime.spawn(async {});
        } else {
            idle_looks += 1;
        }
        if idle_looks < IDLE_LOOKS {
            std::thread::sleep(INTERVAL);
            continue;
        }
        let Some(noted) = watch.upgrade() else { return };
        noted.asleep.store(true, Ordering::SeqCst);
        drop(noted);
        // Looked at again after the note is there: a call that began meanwhile either is seen here or saw the note.
        if !has_calls() {
            std::thread::park_timeout(LONGEST_SLEEP);
        }
        idle_looks = 0;
    }
}
