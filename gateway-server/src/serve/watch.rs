//! Keeps sockets served while applications block the runtime's workers.
//!
//! A worker that finds one thing to do wakes nobody, and a worker that is not woken does not look after sockets. So a
//! call that blocks on an otherwise idle server would stop everything: the one worker that was awake sits in it. To wake
//! another one before each call would cost more than the call. Instead one thread looks on: as long as calls are in
//! progress, it hands the runtime something to do every few milliseconds, and an idle worker wakes up and takes over the
//! sockets. When nothing is in progress the thread sleeps.

use super::shared::Shared;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::Thread;
use std::time::Duration;

/// How long sockets may stand unserved when a call blocks.
const INTERVAL: Duration = Duration::from_millis(4);

/// Looks without a call before the thread goes to sleep.
const IDLE_LOOKS: u32 = 25;

/// How long it sleeps at most. Should it ever miss a call, that is how long the call can do harm.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Watch {
    asleep: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Watch {
    /// Says that a call begins: nearly always one load.
    pub(super) fn call_begins(&self) {
        if self.asleep.load(Ordering::SeqCst) {
            self.asleep.store(false, Ordering::SeqCst);
            if let Some(thread) = self.thread.get() {
                thread.unpark();
            }
        }
    }
}

/// Starts the thread, which ends with the server.
pub(super) fn start(shared: &Arc<Shared>) -> std::io::Result<()> {
    let weak = Arc::downgrade(shared);
    let thread = std::thread::Builder::new().name("gateway-watch".to_owned()).spawn(move || look_on(&weak))?;
    let _ = shared.watch.thread.set(thread.thread().clone());
    Ok(())
}

fn look_on(shared: &Weak<Shared>) {
    let mut idle_looks = 0;
    loop {
        let Some(server) = shared.upgrade() else { return };
        if server.places.dispatch.busy().0 > 0 {
            idle_looks = 0;
            // Its doing nothing is the point: whoever runs it looks after the sockets next.
            server.runtime.spawn(async {});
        } else {
            idle_looks += 1;
        }
        if idle_looks < IDLE_LOOKS {
            drop(server);
            std::thread::sleep(INTERVAL);
            continue;
        }
        server.watch.asleep.store(true, Ordering::SeqCst);
        // Looked at again after the note is there: a call that began meanwhile either is seen here or saw the note.
        let busy = server.places.dispatch.busy().0 > 0;
        drop(server);
        if !busy {
            std::thread::park_timeout(LONGEST_SLEEP);
        }
        idle_looks = 0;
    }
}
