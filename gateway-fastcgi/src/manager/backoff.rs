//! How long to wait before a worker is started again.
//!
//! Holds the arithmetic alone; knows neither clock nor processes.

use std::time::Duration;

/// A worker that ends by itself with status 0 means to (FCGI-9), such as after its last request, and under load that may be
/// soon. A program that is no worker ends sooner still.
const STABLE_AFTER_CLEAN_EXIT: Duration = Duration::from_millis(100);

/// The delays of one place.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    stable_after: Duration,
    next: Duration,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With status 0.
    Clean,
    /// In any other way, or it could not be started.
    Crash,
}

impl Backoff {
    pub(super) fn new(min: Duration, max: Duration, stable_after: Duration) -> Self {
        Self { min, max: max.max(min), stable_after, next: min }
    }

    /// The delay after a process that lived so long.
    ///
    /// None after one that was stable; else twice the delay before, up to the most.
    pub(super) fn after(&mut self, lifetime: Duration, ending: Ending) -> Duration {
        let stable_after = match ending {
            Ending::Clean => STABLE_AFTER_CLEAN_EXIT.min(self.stable_after),
            Ending::Crash => self.stable_after,
        };
        if lifetime >= stable_after {
            self.next = self.min;
            return Duration::ZERO;
        }
        let delay = self.next;
        self.next = self.next.saturating_mul(2).min(self.max);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn backoff() -> Backoff {
        Backoff::new(SECOND / 10, SECOND, 10 * SECOND)
    }

    #[test]
    fn fcgi_123_a_crash_loop_is_throttled_up_to_the_most() {
        let mut backoff = backoff();
        let delays: Vec<_> = (0..6).map(|_| backoff.after(SECOND, Ending::Crash).as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn fcgi_123_a_worker_that_was_stable_is_replaced_at_once() {
        let mut backoff = backoff();
        backoff.after(SECOND, Ending::Crash);
        assert_eq!(backoff.after(10 * SECOND, Ending::Crash), Duration::ZERO);
        assert_eq!(backoff.after(SECOND, Ending::Crash), SECOND / 10);
    }

    #[test]
    fn fcgi_9_a_deliberate_end_is_no_crash_unless_it_comes_at_once() {
        let mut backoff = backoff();
        assert_eq!(backoff.after(SECOND / 2, Ending::Clean), Duration::ZERO);
        assert_eq!(backoff.after(SECOND / 50, Ending::Clean), SECOND / 10);
    }

    #[test]
    fn a_most_below_the_least_is_the_least() {
        let mut backoff = Backoff::new(SECOND, Duration::ZERO, SECOND);
        assert_eq!(backoff.after(Duration::ZERO, Ending::Crash), SECOND);
        assert_eq!(backoff.after(Duration::ZERO, Ending::Crash), SECOND);
    }
}
