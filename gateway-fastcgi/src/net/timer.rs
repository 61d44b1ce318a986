//! Deadlines for a connection's waits, without a timer's cost at each of them.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// One timer for one connection, used again for each wait.
///
/// It is set anew only when it rings or when a deadline comes before it: on a busy connection that is nearly never.
///
/// # Examples
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use gateway_fastcgi::net::Timer;
/// use std::time::Duration;
///
/// let mut timer = Timer::new(Duration::from_secs(60));
/// assert_eq!(timer.within(Duration::from_secs(1), async { 42 }).await.ok(), Some(42));
/// assert!(timer.within(Duration::from_millis(1), std::future::pending::<()>()).await.is_err());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Timer {
    sleep: Pin<Box<Sleep>>,
}

/// The deadline came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// The moment `limit` from now; one that no clock will see if that is very long, so that `Duration::MAX` means "never".
pub fn after(limit: Duration) -> Instant {
    const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    Instant::now() + limit.min(NEVER)
}

impl Timer {
    /// A timer whose first deadline is expected `first` from now.
    pub fn new(first: Duration) -> Self {
        Self { sleep: Box::pin(sleep_until(after(first))) }
    }

    /// Waits for `future`, but not past `deadline`.
    ///
    /// # Errors
    /// [`Elapsed`] when the deadline came first.
    pub async fn until<F: Future>(&mut self, deadline: Instant, future: F) -> Result<F::Output, Elapsed> {
        self.race(|| deadline, future).await
    }

    /// [`Timer::until`] counted from now. The clock is not asked where nothing has to be waited for.
    ///
    /// # Errors
    /// [`Elapsed`] when `limit` was over first.
    pub async fn within<F: Future>(&mut self, limit: Duration, future: F) -> Result<F::Output, Elapsed> {
        self.race(|| after(limit), future).await
    }

    async fn race<F: Future>(&mut self, limit: impl Fn() -> Instant, future: F) -> Result<F::Output, Elapsed> {
        let mut future = pin!(future);
        let mut deadline = None;
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            let deadline = *deadline.get_or_insert_with(&limit);
            if deadline < self.sleep.deadline() {
                self.sleep.as_mut().reset(deadline);
            }
            while self.sleep.as_mut().poll(cx).is_ready() {
                if Instant::now() >= deadline {
                    return Poll::Ready(Err(Elapsed));
                }
                self.sleep.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }
}
