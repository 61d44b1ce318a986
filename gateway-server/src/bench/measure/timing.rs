//! How long a sample is, for a model whose answers take their time.
//!
//! With many connections on a slow model an answer is longer under way than a sample is: it would count the answers of a
//! queue that is still filling, or none. So a sample that was too short for what it found is taken again, longer.

use std::time::Duration;

use crate::bench::load::Outcome;
use crate::bench::plan::{Point, WARM_UP};

/// The times of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timing {
    pub(super) warm_up: Duration,
    pub(super) sample: Duration,
}

/// No sample and no warm-up gets longer than this: as long as a request may take.
const LONGEST: Duration = Duration::from_secs(10);

impl Timing {
    pub(super) fn of(point: &Point) -> Timing {
        Timing { warm_up: WARM_UP, sample: point.sample }
    }

    /// Warm-up and sample together.
    pub(super) fn total(self) -> Duration {
        self.warm_up + self.sample
    }

    /// Longer times, if the answers of a sample took too long for these.
    ///
    /// The first answers come from an empty queue, so the warm-up is to be longer than one of the later ones takes; and
    /// each connection should have its turn in the sample.
    pub(super) fn longer(self, outcome: &Outcome) -> Option<Timing> {
        let answer = match outcome.requests {
            // None in all that time: longer, at least twice.
            0 if outcome.answered > 0 || outcome.errors.total() == 0 => self.total() * 2,
            _ => Duration::from_nanos(outcome.latency.value_at_quantile(0.9)),
        };
        let fits = answer <= self.warm_up.mul_f64(1.25) && answer <= self.sample;
        let next = Timing {
            warm_up: self.warm_up.max(answer.mul_f64(1.25)).min(LONGEST),
            sample: self.sample.max(answer.mul_f64(1.5)).min(LONGEST),
        };
        (!fits && next != self).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::result::Errors;
    use hdrhistogram::Histogram;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn outcome(answers: &[u64], errors: u64) -> Outcome {
        let mut latency = Histogram::new(3).unwrap();
        answers.iter().for_each(|answer| latency.record(answer * 1_000_000).unwrap());
        let requests = answers.len() as u64;
        let errors = Errors { wrong: errors, ..Errors::default() };
        let (cpu, behind) = (Duration::ZERO, Duration::ZERO);
        Outcome { seconds: 0.3, requests, answered: requests, errors, latency, cpu, behind }
    }

    const USUAL: Timing = Timing { warm_up: WARM_UP, sample: Duration::from_millis(300) };

    #[test]
    fn answers_that_come_soon_need_no_longer_sample() {
        assert_eq!(USUAL.longer(&outcome(&[1, 2, 90], 0)), None);
    }

    #[test]
    fn slow_answers_make_warm_up_and_sample_longer_until_they_fit() {
        let longer = USUAL.longer(&outcome(&[400; 10], 0)).unwrap();
        assert!(longer.warm_up >= ms(499) && longer.sample >= ms(599), "{longer:?}");
        assert_eq!(longer.longer(&outcome(&[400; 10], 0)), None);
    }

    #[test]
    fn no_answer_at_all_means_longer_and_there_is_an_end_to_it() {
        let mut timing = USUAL;
        let mut times = 0;
        while let Some(next) = timing.longer(&outcome(&[], 0)) {
            (timing, times) = (next, times + 1);
        }
        assert_eq!((timing.warm_up, timing.sample, times), (LONGEST, LONGEST, 3));
    }

    #[test]
    fn a_model_that_answers_with_errors_alone_is_not_waited_for() {
        assert_eq!(USUAL.longer(&outcome(&[], 5)), None);
    }
}
