//! How many workers there are: the three modes, with the meanings they have in php-fpm.
//!
//! Holds the arithmetic alone: numbers in, a number out. Knows neither processes nor a clock.

use std::time::Duration;

/// How many workers there are.
///
/// # Examples
/// ```
/// use gateway_fastcgi::manager::Mode;
///
/// let mode = Mode::dynamic(16, 4, 2, 6);
/// assert_eq!(mode.max_children(), 16);
/// assert_eq!(Mode::from(4).name(), "static");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Always so many.
    Static {
        /// How many.
        children: usize,
    },
    /// As many as are busy, and some to spare.
    Dynamic {
        /// The most there may be.
        max_children: usize,
        /// How many there are at first.
        start: usize,
        /// The fewest that are idle.
        min_spare: usize,
        /// The most that are idle.
        max_spare: usize,
    },
    /// None at first; one is started when a request waits, and ends when it has been idle for a time.
    OnDemand {
        /// The most there may be.
        max_children: usize,
        /// How long one is idle before it ends.
        idle_timeout: Duration,
    },
}

/// What the workers are doing, in numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Crew {
    /// Those that are to stay, including those that start.
    pub(super) staying: usize,
    /// Of these, those without a request.
    pub(super) idle: usize,
    /// Of the idle, those that have been so for longer than the idle timeout.
    pub(super) idle_too_long: usize,
    /// Requests that nobody has accepted yet, or that are served beside another in the same worker.
    pub(super) waiting: usize,
}

/// What follows for the number of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) target: usize,
    /// More would be started if there might be more.
    pub(super) is_at_most: bool,
}

impl Mode {
    /// [`Mode::Dynamic`], with numbers that fit: at least one child, `start` within the spares, the spares within the children.
    pub fn dynamic(max_children: usize, start: usize, min_spare: usize, max_spare: usize) -> Self {
        let max_children = max_children.max(1);
        let min_spare = min_spare.clamp(1, max_children);
        let max_spare = max_spare.clamp(min_spare, max_children);
        Self::Dynamic { max_children, start: start.clamp(min_spare, max_spare), min_spare, max_spare }
    }

    /// [`Mode::OnDemand`], at least one child.
    pub fn on_demand(max_children: usize, idle_timeout: Duration) -> Self {
        Self::OnDemand { max_children: max_children.max(1), idle_timeout }
    }

    /// What php-fpm calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Mode::Static { .. } => "static",
            Mode::Dynamic { .. } => "dynamic",
            Mode::OnDemand { .. } => "ondemand",
        }
    }

    /// The most workers there may be, not counting those that are being replaced.
    pub fn max_children(&self) -> usize {
        match self {
            Mode::Static { children } => *children,
            Mode::Dynamic { max_children, .. } | Mode::OnDemand { max_children, .. } => *max_children,
        }
    }

    /// How many there are at first.
    pub(super) fn at_first(&self) -> usize {
        match self {
            Mode::Static { children } => *children,
            Mode::Dynamic { start, .. } => *start,
            Mode::OnDemand { .. } => 0,
        }
    }

    pub(super) fn idle_timeout(&self) -> Option<Duration> {
        match self {
            Mode::OnDemand { idle_timeout, .. } => Some(*idle_timeout),
            _ => None,
        }
    }

    /// How many there should be, if there should be `target` now. At most `rate` more at once.
    pub(super) fn wish(&self, target: usize, crew: Crew, rate: usize) -> Wish {
        let grown = |by: usize, most: usize| Wish {
            target: (crew.staying.max(target) + by.min(rate)).min(most),
            is_at_most: by > 0 && crew.staying >= most,
        };
        let same = Wish { target, is_at_most: false };
        match self {
            Mode::Static { children } => Wish { target: *children, is_at_most: false },
            Mode::Dynamic { max_children, min_spare, max_spare, .. } => {
                if crew.idle < *min_spare {
                    grown(min_spare - crew.idle, *max_children)
                } else if crew.idle > *max_spare {
                    // One at a time, as php-fpm: load that comes in waves should find them still there.
                    Wish { target: crew.staying.saturating_sub(1).min(target), is_at_most: false }
                } else {
                    same
                }
            }
            Mode::OnDemand { max_children, .. } => {
                if crew.waiting > crew.idle {
                    grown(crew.waiting - crew.idle, *max_children)
                } else if crew.idle_too_long > 0 {
                    Wish { target: target.min(crew.staying.saturating_sub(crew.idle_too_long)), is_at_most: false }
                } else {
                    same
                }
            }
        }
    }
}

/// [`Mode::Static`], at least one.
impl From<usize> for Mode {
    fn from(children: usize) -> Self {
        Mode::Static { children: children.max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mode: &Mode, target: usize, crew: Crew, wanted: usize, is_at_most: bool) {
        assert_eq!(mode.wish(target, crew, 4), Wish { target: wanted, is_at_most });
    }

    fn busy(staying: usize, idle: usize) -> Crew {
        Crew { staying, idle, ..Crew::default() }
    }

    #[test]
    fn static_is_the_same_whatever_happens() {
        for crew in [busy(0, 0), busy(3, 0), busy(3, 3)] {
            check(&Mode::from(3), 3, crew, 3, false);
        }
    }

    #[test]
    fn dynamic_keeps_its_spares() {
        let mode = Mode::dynamic(8, 3, 2, 4);
        check(&mode, 3, busy(3, 3), 3, false);
        check(&mode, 3, busy(3, 1), 4, false);
        check(&mode, 3, busy(3, 0), 5, false);
        check(&mode, 6, busy(6, 5), 5, false);
        check(&mode, 8, busy(8, 0), 8, true);
        // One has died: it is replaced, the wish stays.
        check(&mode, 4, busy(3, 2), 4, false);
    }

    #[test]
    fn dynamic_grows_no_faster_than_the_rate() {
        check(&Mode::dynamic(100, 20, 20, 40), 20, busy(20, 0), 24, false);
    }

    #[test]
    fn on_demand_grows_from_nothing_with_what_waits_and_ends_what_is_idle() {
        let mode = Mode::on_demand(2, Duration::from_secs(1));
        let waiting = |staying, idle, waiting| Crew { staying, idle, waiting, ..Crew::default() };
        check(&mode, 0, waiting(0, 0, 0), 0, false);
        check(&mode, 0, waiting(0, 0, 1), 1, false);
        // It starts and will take what waits.
        check(&mode, 1, waiting(1, 1, 1), 1, false);
        check(&mode, 1, waiting(1, 0, 3), 2, false);
        check(&mode, 2, waiting(2, 0, 1), 2, true);
        check(&mode, 2, Crew { staying: 2, idle: 1, idle_too_long: 1, waiting: 0 }, 1, false);
    }

    #[test]
    fn numbers_that_do_not_fit_are_made_to() {
        let wanted = Mode::Dynamic { max_children: 4, start: 4, min_spare: 4, max_spare: 4 };
        assert_eq!(Mode::dynamic(4, 99, 9, 1), wanted);
        assert_eq!(Mode::dynamic(0, 0, 0, 0).max_children(), 1);
    }
}
