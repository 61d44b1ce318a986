//! What is counted while the load is made.

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::connection::Failure;
use crate::bench::result::Errors;

/// What came of a piece of load.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// From the first request until the time was up, or in an open loop until the last answer.
    pub(crate) seconds: f64,
    /// Right answers.
    pub(crate) requests: u64,
    /// Right answers with those of the warm-up, and those that came when the time was up: the work that was done.
    pub(crate) answered: u64,
    pub(crate) errors: Errors,
    /// Of the right answers, from the request being due to the last byte, in nanoseconds. Where a connection had to be
    /// opened for the request, that is part of it.
    pub(crate) latency: Histogram<u64>,
    /// CPU time of the threads that made the load, from the warm-up to the last answer.
    pub(crate) cpu: Duration,
    /// Open loop: how late the last request was sent. Much more than a millisecond means that the rate could not be
    /// held, since no connection was free.
    pub(crate) behind: Duration,
}

/// The outcome of one thread.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) elapsed: Duration,
    pub(super) requests: u64,
    pub(super) answered: u64,
    pub(super) errors: Errors,
    pub(super) latency: Histogram<u64>,
    pub(super) cpu: Duration,
    pub(super) behind: Duration,
}

/// Latencies are exact to as many decimal digits.
const DIGITS: u8 = 3;

/// No latency is longer: a request counts as a timeout long before.
const MAX_NANOSECONDS: u64 = 60_000_000_000;

impl Tally {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            elapsed: Duration::ZERO,
            requests: 0,
            answered: 0,
            errors: Errors::default(),
            latency: histogram()?,
            cpu: Duration::ZERO,
            behind: Duration::ZERO,
        })
    }

    /// Counts a right answer; it has no latency where it came before or after the time.
    pub(super) fn answer(&mut self, nanoseconds: Option<u64>) {
        self.answered += 1;
        if let Some(nanoseconds) = nanoseconds {
            self.requests += 1;
            self.latency.saturating_record(nanoseconds);
        }
    }

    /// Counts a request without an answer.
    pub(super) fn failure(&mut self, failure: Failure) {
        match failure {
            Failure::Connect(_) => self.errors.connect += 1,
            Failure::Broken(_) | Failure::Ended => self.errors.broken += 1,
            Failure::Wrong(_) => self.errors.wrong += 1,
        }
    }

    /// All threads together.
    pub(super) fn outcome(tallies: &[Tally]) -> io::Result<Outcome> {
        let mut latency = histogram()?;
        let mut errors = Errors::default();
        for tally in tallies {
            latency.add(&tally.latency).map_err(io::Error::other)?;
            errors.add(&tally.errors);
        }
        Ok(Outcome {
            seconds: longest(tallies, |tally| tally.elapsed).as_secs_f64(),
            requests: tallies.iter().map(|tally| tally.requests).sum(),
            answered: tallies.iter().map(|tally| tally.answered).sum(),
            errors,
            latency,
            cpu: tallies.iter().map(|tally| tally.cpu).sum(),
            behind: longest(tallies, |tally| tally.behind),
        })
    }
}

fn longest(tallies: &[Tally], of: impl Fn(&Tally) -> Duration) -> Duration {
    tallies.iter().map(of).max().unwrap_or_default()
}

fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new_with_max(MAX_NANOSECONDS, DIGITS).map_err(io::Error::other)
}
