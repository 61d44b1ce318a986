//! Whether an upstream is worth a request: what is learned from the requests it had (passive health).
//!
//! Holds the state of one upstream and its changes. Does not hold the other upstreams (`balance`), clocks or connections: the
//! time is told.

use std::time::Duration;

use tokio::time::Instant;

/// After what an upstream is out, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct HealthLimits {
    /// Failures in a row that take an upstream out.
    pub(super) max_failures: u32,
    /// The longest time between two trials.
    pub(super) max_backoff: Duration,
}

/// The time before the first trial: about what a crashed worker takes to be there again.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// How long an upstream that said OVERLOADED is left alone; it is also what Retry-After says.
pub(super) const REST: Duration = Duration::from_secs(1);

/// What went wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// There was no connection.
    Unreachable,
    /// The connection broke, the worker fell silent or what it said made no sense.
    Broken,
    /// FCGI_OVERLOADED: well, but full.
    Overloaded,
}

/// What may be expected of an upstream now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// It answers.
    Well,
    /// It did not, and it is time to try it with one request.
    TrialDue,
    /// It did not; the next trial is at this time.
    Out(Instant),
}

/// What changed, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// Out for so long.
    Out(Duration),
    /// In again.
    Back,
}

/// The health of one upstream.
#[derive(Debug)]
pub(super) struct Health {
    limits: HealthLimits,
    failures: u32,
    out: Option<Out>,
    /// The end of the rest after OVERLOADED.
    rests_until: Option<Instant>,
}

#[derive(Debug)]
struct Out {
    until: Instant,
    backoff: Duration,
    trial: bool,
}

impl Health {
    pub(super) fn new(limits: HealthLimits) -> Self {
        Self { limits, failures: 0, out: None, rests_until: None }
    }

    pub(super) fn standing(&self, now: Instant) -> Standing {
        match (&self.out, self.rests_until) {
            (Some(out), _) if out.trial || now < out.until => Standing::Out(out.until),
            (Some(_), _) => Standing::TrialDue,
            (None, Some(until)) if now < until => Standing::Out(until),
            (None, _) => Standing::Well,
        }
    }

    /// Does a success change anything?
    pub(super) fn is_spotless(&self) -> bool {
        self.failures == 0 && self.out.is_none()
    }

    /// A request goes there. Returns whether it is the trial.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let is_trial = self.standing(now) == Standing::TrialDue;
        if let (true, Some(out)) = (is_trial, &mut self.out) {
            out.trial = true;
        }
        is_trial
    }

    /// The trial ended without telling anything: the client went before the answer came.
    pub(super) fn trial_told_nothing(&mut self) {
        if let Some(out) = &mut self.out {
            out.trial = false;
        }
    }

    /// The upstream answered.
    pub(super) fn succeeded(&mut self) -> Change {
        self.failures = 0;
        self.out.take().map_or(Change::None, |_| Change::Back)
    }

    /// The upstream did not.
    pub(super) fn failed(&mut self, failure: Failure, now: Instant) -> Change {
        match failure {
            Failure::Overloaded => {
                self.rests_until = Some(now + REST);
                self.trial_told_nothing();
                return Change::None;
            }
            Failure::Unreachable => self.failures = self.failures.max(self.limits.max_failures),
            Failure::Broken => self.failures = self.failures.saturating_add(1),
        }
        let backoff = match &self.out {
            // What began before it was out is no news.
            Some(out) if !out.trial => return Change::None,
            Some(out) => out.backoff.saturating_mul(2),
            None if self.failures < self.limits.max_failures => return Change::None,
            None => FIRST_BACKOFF,
        };
        let backoff = backoff.min(self.limits.max_backoff);
        self.out = Some(Out { until: now + backoff, backoff, trial: false });
        Change::Out(backoff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HealthLimits = HealthLimits { max_failures: 3, max_backoff: Duration::from_secs(4) };
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn three_failures_in_a_row_take_an_upstream_out() {
        let now = Instant::now();
        let mut health = Health::new(LIMITS);
        for _ in 0..5 {
            assert_eq!(health.failed(Failure::Broken, now), Change::None);
            assert_eq!(health.failed(Failure::Broken, now), Change::None);
            assert!(!health.is_spotless());
            assert_eq!(health.succeeded(), Change::None);
        }
        health.failed(Failure::Broken, now);
        health.failed(Failure::Broken, now);
        assert_eq!(health.failed(Failure::Broken, now), Change::Out(SECOND));
        assert_eq!(health.standing(now), Standing::Out(now + SECOND));
    }

    #[test]
    fn one_failure_to_connect_is_enough() {
        let now = Instant::now();
        let mut health = Health::new(LIMITS);
        assert_eq!(health.failed(Failure::Unreachable, now), Change::Out(SECOND));
    }

    #[test]
    fn trials_are_further_and_further_apart_up_to_the_most() {
        let mut now = Instant::now();
        let mut health = Health::new(LIMITS);
        health.failed(Failure::Unreachable, now);
        for backoff in [1, 2, 4, 4] {
            now += SECOND * backoff;
            assert_eq!(health.standing(now), Standing::TrialDue);
            assert!(health.begin(now));
            assert!(!health.begin(now), "one trial at a time");
            let next = Change::Out(SECOND * (2 * backoff).min(4));
            assert_eq!(health.failed(Failure::Broken, now), next);
        }
    }

    #[test]
    fn a_trial_that_succeeds_brings_it_back() {
        let now = Instant::now();
        let mut health = Health::new(LIMITS);
        health.failed(Failure::Unreachable, now);
        assert!(health.begin(now + SECOND));
        assert_eq!(health.succeeded(), Change::Back);
        assert_eq!(health.standing(now), Standing::Well);
        // And the next time it starts from the shortest.
        assert_eq!(health.failed(Failure::Unreachable, now), Change::Out(SECOND));
    }

    #[test]
    fn a_trial_that_told_nothing_is_due_again() {
        let now = Instant::now();
        let mut health = Health::new(LIMITS);
        health.failed(Failure::Unreachable, now);
        assert!(health.begin(now + SECOND));
        health.trial_told_nothing();
        assert_eq!(health.standing(now + SECOND), Standing::TrialDue);
    }

    #[test]
    fn what_was_under_way_when_it_went_out_does_not_prolong_it() {
        let now = Instant::now();
        let mut health = Health::new(LIMITS);
        health.failed(Failure::Unreachable, now);
        for _ in 0..50 {
            assert_eq!(health.failed(Failure::Broken, now), Change::None);
        }
        assert_eq!(health.standing(now), Standing::Out(now + SECOND));
    }

    #[test]
    fn fcgi_82_an_overloaded_upstream_rests_and_is_not_ill() {
        let now = Instant::now();
        let mut health = Health::new(LIMITS);
        for _ in 0..9 {
            assert_eq!(health.failed(Failure::Overloaded, now), Change::None);
        }
        assert_eq!(health.standing(now), Standing::Out(now + REST));
        assert_eq!(health.standing(now + REST), Standing::Well);
        assert!(health.is_spotless());
    }
}
