//! Samples of one model at one point, added up.
//!
//! Holds the sums and what is worked out of them. Does not hold who takes samples.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::bench::fleet::Used;
use crate::bench::load::{self, Outcome};
use crate::bench::result::{Cpu, Errors, Parts, Point, Sample};

/// What has been measured of one model at one point so far.
#[derive(Debug, Default)]
pub(super) struct Collected {
    samples: Vec<Sample>,
    requests: u64,
    answered: u64,
    errors: Errors,
    latency: Option<Histogram<u64>>,
    used: Used,
    load_cpu: Duration,
    behind: Duration,
}

impl Collected {
    /// Adds a sample: what the load saw, and the CPU time of the model's processes meanwhile.
    pub(super) fn add(&mut self, outcome: &Outcome, used: &Used) {
        self.samples.push(Sample {
            seconds: outcome.seconds,
            requests: outcome.requests,
            errors: outcome.errors.total(),
            cpu_us: each(used.total(), outcome.answered),
        });
        self.requests += outcome.requests;
        self.answered += outcome.answered;
        self.errors.add(&outcome.errors);
        self.used.add(used);
        self.load_cpu += outcome.cpu;
        self.behind = self.behind.max(outcome.behind);
        match &mut self.latency {
            // Both have the same precision and grow as they must.
            Some(latency) => {
                let _ = latency.add(&outcome.latency);
            }
            none => *none = Some(outcome.latency.clone()),
        }
    }

    /// Requests per second: the median of the samples, which one disturbed sample does not move.
    pub(super) fn rate(&self) -> f64 {
        let rate = |sample: &Sample| if sample.seconds > 0.0 { sample.requests as f64 / sample.seconds } else { 0.0 };
        median(self.samples.iter().map(rate).collect())
    }

    /// All of it, for the report.
    pub(super) fn point(self, workload: &str, concurrency: usize) -> Point {
        let rate = self.rate();
        let each = |time: Duration| each(time, self.answered);
        Point {
            workload: workload.to_owned(),
            concurrency,
            rate,
            requests: self.requests,
            errors: self.errors,
            latency: self.latency.as_ref().map(load::summary).unwrap_or_default(),
            cpu: Cpu {
                user: Parts {
                    server: each(self.used.server),
                    workers: each(self.used.workers),
                    children: each(self.used.children),
                },
                kernel: each(self.used.kernel),
            },
            load_cpu_us: each(self.load_cpu),
            behind_us: self.behind.as_secs_f64() * 1e6,
            samples: self.samples,
        }
    }
}

/// Microseconds for each request.
fn each(time: Duration, requests: u64) -> f64 {
    if requests == 0 { 0.0 } else { time.as_secs_f64() * 1e6 / requests as f64 }
}

/// 0 of nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(upper), 0) => (upper + values.get(middle - 1).unwrap_or(upper)) / 2.0,
        (Some(value), _) => *value,
        (None, _) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![]), 0.0);
        assert_eq!(median(vec![3.0, 1.0, 100.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), 3.0);
    }

    #[test]
    fn a_disturbed_sample_does_not_move_the_rate_and_cpu_is_counted_for_every_answer() {
        let mut collected = Collected::default();
        for requests in [1000, 10, 1200] {
            let mut latency = Histogram::new(3).unwrap();
            latency.record(5_000).unwrap();
            let outcome = Outcome {
                seconds: 0.5,
                requests,
                answered: 1000,
                errors: Errors { wrong: 1, ..Errors::default() },
                latency,
                cpu: Duration::from_millis(2),
                behind: Duration::from_micros(requests),
            };
            let used = Used { server: Duration::from_millis(4), kernel: Duration::from_millis(6), ..Used::default() };
            collected.add(&outcome, &used);
        }
        let point = collected.point("hello", 8);
        assert_eq!((point.rate, point.requests, point.errors.wrong), (2000.0, 2210, 3));
        assert_eq!((point.cpu.user.server, point.cpu.kernel, point.load_cpu_us), (4.0, 6.0, 2.0));
        assert_eq!((point.samples[0].cpu_us, point.latency.counts.len()), (10.0, 1));
        assert_eq!(point.behind_us, 1200.0);
    }
}
