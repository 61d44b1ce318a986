//! Which upstream a request goes to: the one with the fewest requests of those that are well.
//!
//! Holds what each upstream has and may have. Does not hold who waits (`places`), connections or clocks: the time is told.

use tokio::time::Instant;

use super::health::{Change, Failure, Health, HealthLimits, Standing};

/// The upstreams of one client.
#[derive(Debug)]
pub(super) struct Balance {
    upstreams: Vec<Load>,
    /// Where the search begins, so that equals take turns.
    turn: usize,
}

#[derive(Debug)]
struct Load {
    requests: usize,
    max_requests: usize,
    health: Health,
}

/// Upstreams that a request does not want, because they had it already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Avoid(u64);

// One bit each.
const _: () = assert!(MAX_UPSTREAMS <= 64);

impl Avoid {
    pub(super) const NONE: Self = Self(0);

    #[must_use]
    pub(super) fn and(self, upstream: usize) -> Self {
        Self(self.0 | 1 << (upstream % MAX_UPSTREAMS))
    }

    pub(super) fn holds(self, upstream: usize) -> bool {
        self.0 & 1 << (upstream % MAX_UPSTREAMS) != 0
    }
}

/// Most upstreams of one client: more than a machine that answers for others has.
pub const MAX_UPSTREAMS: usize = 64;

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) upstream: usize,
    /// Whether this request shows if the upstream is well again.
    pub(super) is_trial: bool,
}

impl Balance {
    /// So many upstreams, each for so many requests at a time.
    pub(super) fn new(upstreams: usize, max_requests: usize, limits: HealthLimits) -> Self {
        let load = || Load { requests: 0, max_requests, health: Health::new(limits) };
        Self { upstreams: std::iter::repeat_with(load).take(upstreams).collect(), turn: 0 }
    }

    /// Takes a place for a request; `None` if it has to wait for one.
    ///
    /// Of the upstreams that are well, the one with the fewest requests. When none is well, the one that is soonest to be
    /// tried again: that may fail, but refusing would fail for certain. Room at one that is not well is no reason not to wait.
    pub(super) fn begin(&mut self, avoid: Avoid, now: Instant) -> Option<Choice> {
        let count = self.upstreams.len();
        let mut best: Option<(Rank, usize)> = None;
        let mut a_full_one_is_well = false;
        let turn = if self.turn < count { self.turn } else { 0 };
        for upstream in (turn..count).chain(0..turn) {
            let Some(load) = self.upstreams.get(upstream).filter(|_| !avoid.holds(upstream)) else { continue };
            let rank = match load.health.standing(now) {
                Standing::Well | Standing::TrialDue => Rank::Well { requests: load.requests },
                Standing::Out(until) => Rank::Out { until },
            };
            if load.requests >= load.max_requests {
                a_full_one_is_well |= matches!(rank, Rank::Well { .. });
            } else if best.is_none_or(|(best, _)| rank < best) {
                best = Some((rank, upstream));
            }
        }
        let (rank, upstream) = best?;
        if a_full_one_is_well && matches!(rank, Rank::Out { .. }) {
            return None;
        }
        self.turn = upstream + 1;
        let load = self.upstreams.get_mut(upstream)?;
        load.requests += 1;
        Some(Choice { upstream, is_trial: load.health.begin(now) })
    }

    /// Is there an upstream that this request has not had?
    pub(super) fn has_another(&self, avoid: Avoid) -> bool {
        (0..self.upstreams.len()).any(|upstream| !avoid.holds(upstream))
    }

    /// Gives a place back.
    pub(super) fn end(&mut self, upstream: usize) {
        if let Some(load) = self.upstreams.get_mut(upstream) {
            load.requests = load.requests.saturating_sub(1);
        }
    }

    /// How many requests an upstream takes at a time.
    pub(super) fn set_max_requests(&mut self, upstream: usize, max_requests: usize) {
        if let Some(load) = self.upstreams.get_mut(upstream) {
            load.max_requests = max_requests;
        }
    }

    pub(super) fn succeeded(&mut self, upstream: usize) -> Change {
        self.upstreams.get_mut(upstream).map_or(Change::None, |load| load.health.succeeded())
    }

    pub(super) fn failed(&mut self, upstream: usize, failure: Failure, now: Instant) -> Change {
        self.upstreams.get_mut(upstream).map_or(Change::None, |load| load.health.failed(failure, now))
    }

    pub(super) fn trial_told_nothing(&mut self, upstream: usize) {
        if let Some(load) = self.upstreams.get_mut(upstream) {
            load.health.trial_told_nothing();
        }
    }

    /// How many requests an upstream has, and whether it is out.
    pub(super) fn state(&self, upstream: usize, now: Instant) -> (usize, bool) {
        let load = self.upstreams.get(upstream);
        load.map_or((0, false), |load| (load.requests, matches!(load.health.standing(now), Standing::Out(_))))
    }

    pub(super) fn is_spotless(&self, upstream: usize) -> bool {
        self.upstreams.get(upstream).is_none_or(|load| load.health.is_spotless())
    }
}

/// The smaller, the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Well { requests: usize },
    Out { until: Instant },
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const LIMITS: HealthLimits = HealthLimits { max_failures: 2, max_backoff: Duration::from_secs(8) };

    fn chosen(balance: &mut Balance, now: Instant) -> Option<usize> {
        balance.begin(Avoid::NONE, now).map(|choice| choice.upstream)
    }

    #[test]
    fn the_upstream_with_the_fewest_requests_is_next() {
        let now = Instant::now();
        let mut balance = Balance::new(3, 10, LIMITS);
        let first: Vec<_> = (0..6).map(|_| chosen(&mut balance, now).unwrap()).collect();
        assert_eq!(first, [0, 1, 2, 0, 1, 2]);
        balance.end(1);
        balance.end(1);
        assert_eq!((chosen(&mut balance, now), chosen(&mut balance, now)), (Some(1), Some(1)));
    }

    #[test]
    fn one_that_is_out_gets_one_trial_when_it_is_time() {
        let now = Instant::now();
        let mut balance = Balance::new(2, 10, LIMITS);
        balance.failed(0, Failure::Unreachable, now);
        assert_eq!((chosen(&mut balance, now), chosen(&mut balance, now)), (Some(1), Some(1)));
        let later = now + Duration::from_secs(1);
        let trial = balance.begin(Avoid::NONE, later);
        assert_eq!(trial, Some(Choice { upstream: 0, is_trial: true }));
        assert_eq!(chosen(&mut balance, later), Some(1), "one trial at a time");
        balance.succeeded(0);
        assert_eq!(chosen(&mut balance, later), Some(0));
    }

    #[test]
    fn when_all_are_out_the_least_bad_is_tried() {
        let now = Instant::now();
        let mut balance = Balance::new(3, 1, LIMITS);
        for (upstream, after) in [(0, 2), (1, 1), (2, 3)] {
            balance.failed(upstream, Failure::Unreachable, now + Duration::from_millis(after));
        }
        assert_eq!((0..4).map(|_| chosen(&mut balance, now)).collect::<Vec<_>>(), [Some(1), Some(0), Some(2), None]);
    }

    #[test]
    fn a_full_upstream_that_is_well_is_waited_for() {
        let now = Instant::now();
        let mut balance = Balance::new(2, 1, LIMITS);
        balance.failed(0, Failure::Unreachable, now);
        assert_eq!(chosen(&mut balance, now), Some(1));
        assert_eq!(chosen(&mut balance, now), None);
        balance.failed(1, Failure::Unreachable, now);
        assert_eq!(chosen(&mut balance, now), Some(0), "nothing is left to wait for");
    }

    #[test]
    fn an_upstream_that_had_the_request_does_not_get_it_again() {
        let now = Instant::now();
        let mut balance = Balance::new(2, 9, LIMITS);
        let avoid = Avoid::NONE.and(0);
        assert_eq!(balance.begin(avoid, now).map(|choice| choice.upstream), Some(1));
        assert!(balance.has_another(avoid));
        assert!(!balance.has_another(avoid.and(1)));
        assert_eq!(balance.begin(avoid.and(1), now), None);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Begin(u64),
        End(usize),
        Succeed(usize),
        Fail(usize, u8),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        vec(
            prop_oneof![
                3 => (0_u64..8).prop_map(Step::Begin),
                2 => (0_usize..3).prop_map(Step::End),
                1 => (0_usize..3).prop_map(Step::Succeed),
                2 => (0_usize..3, 0_u8..3).prop_map(|(upstream, kind)| Step::Fail(upstream, kind)),
                1 => (0_u64..3000).prop_map(Step::Wait),
            ],
            0..200,
        )
    }

    proptest! {
        #[test]
        fn no_upstream_ever_has_more_than_it_may_or_is_avoided_in_vain(steps in steps()) {
            let mut now = Instant::now();
            let mut balance = Balance::new(3, 4, LIMITS);
            let mut requests = [0_usize; 3];
            for step in steps {
                match step {
                    Step::Begin(mask) => match balance.begin(Avoid(mask), now) {
                        Some(Choice { upstream, .. }) => {
                            prop_assert!(mask & 1 << upstream == 0);
                            requests[upstream] += 1;
                            prop_assert!(requests[upstream] <= 4);
                        }
                        // Refused only where something is full, or nothing is left.
                        None => prop_assert!(mask == 7 || (0..3).any(|n| mask & 1 << n == 0 && requests[n] == 4)),
                    },
                    Step::End(upstream) if requests[upstream] > 0 => {
                        requests[upstream] -= 1;
                        balance.end(upstream);
                    }
                    Step::End(_) => {}
                    Step::Succeed(upstream) => {
                        balance.succeeded(upstream);
                        prop_assert!(balance.is_spotless(upstream));
                    }
                    Step::Fail(upstream, kind) => {
                        let kinds = [Failure::Unreachable, Failure::Broken, Failure::Overloaded];
                        balance.failed(upstream, kinds[usize::from(kind)], now);
                    }
                    Step::Wait(millis) => now += Duration::from_millis(millis),
                }
            }
        }
    }
}
