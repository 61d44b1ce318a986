//! When the last byte moved: what timeouts of silence are measured against.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The time of the last activity of one program, shared by its pumps.
pub(super) struct Activity {
    start: Instant,
    /// Milliseconds after `start`.
    last: AtomicU64,
    /// Whether the client keeps the program waiting, which is not the program's silence.
    held: AtomicBool,
}

/// A future was not ready before the silence lasted too long.
pub(super) struct Silence;

impl Activity {
    pub(super) fn new() -> Self {
        Activity { start: Instant::now(), last: AtomicU64::new(0), held: AtomicBool::new(false) }
    }

    /// Something moved.
    pub(super) fn mark(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// Waits for the client, during which there is no silence.
    pub(super) async fn hold<T>(&self, client: impl Future<Output = T>) -> T {
        self.held.store(true, Ordering::Relaxed);
        let output = client.await;
        self.mark();
        self.held.store(false, Ordering::Relaxed);
        output
    }

    /// Ends when nothing has moved for `limit`.
    pub(super) async fn quiet(&self, limit: Duration) {
        loop {
            if self.held.load(Ordering::Relaxed) {
                self.mark();
            }
            let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
            let deadline = at_latest(self.start + last, limit);
            if Instant::now() >= deadline {
                return;
            }
            tokio::time::sleep_until(deadline).await;
        }
    }

    /// Waits for `future` as long as the silence is not longer than `limit`.
    pub(super) async fn within<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Result<T, Silence> {
        tokio::select! {
            biased;
            output = future => Ok(output),
            () = self.quiet(limit) => Err(Silence),
        }
    }
}

/// `limit` after `start`; a limit beyond the end of time is none.
pub(super) fn at_latest(start: Instant, limit: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    start.checked_add(limit).unwrap_or(start + FAR)
}
