//! When requests are due.

use std::time::Duration;

use super::{Mark, clock};

/// What makes a request be made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// The answer to the one before it, on its connection.
    Closed,
    /// The clock: `rate` requests a second from all threads together, whether answers come or not. Their latency
    /// counts from when they were due, so that a stalled server cannot hide the requests it kept from being sent.
    Open { rate: f64 },
}

impl Pace {
    /// Whether a load can have this pace.
    pub(super) fn is_possible(self) -> bool {
        match self {
            Pace::Closed => true,
            Pace::Open { rate } => rate.is_finite() && rate > 0.0,
        }
    }
}

/// The due times of one thread's requests: a fixed grid from the start, so that lateness never adds up.
#[derive(Debug)]
pub(super) struct Grid {
    first: f64,
    step: f64,
    end: Mark,
    taken: u64,
}

impl Grid {
    /// The thread `index` of `threads` has each `threads`th request. There is no grid in a closed loop.
    pub(super) fn new(pace: Pace, start: Mark, duration: Duration, index: usize, threads: usize) -> Option<Self> {
        let Pace::Open { rate } = pace else { return None };
        let between = 1e9 / rate;
        let first = start as f64 + between * index as f64;
        Some(Self { first, step: between * threads as f64, end: clock::after(start, duration), taken: 0 })
    }

    /// When the next request is due; `None` when the time is up before.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast that is too large saturates")]
    pub(super) fn next(&self) -> Option<Mark> {
        let due = (self.first + self.step * self.taken as f64) as Mark;
        (due < self.end).then_some(due)
    }

    /// The next request has been sent, or given up.
    pub(super) fn take(&mut self) {
        self.taken += 1;
    }

    /// How many are due before the time is up, and were not taken.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast that is too large saturates")]
    pub(super) fn left(&self) -> u64 {
        ((self.end as f64 - self.first) / self.step).ceil().max(0.0) as u64 - self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due_times(grid: Option<Grid>) -> Vec<Mark> {
        let mut grid = grid.unwrap();
        std::iter::from_fn(|| grid.next().inspect(|_| grid.take())).collect()
    }

    #[test]
    fn two_threads_share_one_grid() {
        let (pace, time) = (Pace::Open { rate: 1000.0 }, Duration::from_millis(5));
        assert_eq!(due_times(Grid::new(pace, 7_000_000, time, 0, 2)), [7_000_000, 9_000_000, 11_000_000]);
        assert_eq!(due_times(Grid::new(pace, 7_000_000, time, 1, 2)), [8_000_000, 10_000_000]);
    }

    #[test]
    fn the_grid_has_as_many_requests_as_the_rate_says() {
        let grid = Grid::new(Pace::Open { rate: 30_000.0 }, 123, Duration::from_secs(1), 0, 1);
        assert_eq!(due_times(grid).len(), 30_000);
    }

    #[test]
    fn a_rate_that_is_no_rate_is_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(!Pace::Open { rate }.is_possible(), "{rate}");
        }
    }
}
