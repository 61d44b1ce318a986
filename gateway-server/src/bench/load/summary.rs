//! A histogram as it is written down.

use hdrhistogram::Histogram;

use crate::bench::result::Latency;

/// The percentiles and the whole distribution of `latency`, which is in nanoseconds.
pub(crate) fn summary(latency: &Histogram<u64>) -> Latency {
    let at = |quantile| microseconds(latency.value_at_quantile(quantile));
    let counts = latency.iter_recorded();
    Latency {
        mean_us: latency.mean() / 1e3,
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p999_us: at(0.999),
        max_us: microseconds(latency.max()),
        counts: counts.map(|step| (microseconds(step.value_iterated_to()), step.count_at_value())).collect(),
    }
}

fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_thousandth() {
        let mut latency = Histogram::<u64>::new(3).unwrap();
        for microsecond in 1..=1000 {
            latency.record(microsecond * 1000).unwrap();
        }
        let summary = summary(&latency);
        let expected = [500.0, 900.0, 990.0, 999.0, 1000.0, 500.5];
        let found = [summary.p50_us, summary.p90_us, summary.p99_us, summary.p999_us, summary.max_us, summary.mean_us];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 0.001_1, "{found} instead of {expected}");
        }
    }

    #[test]
    fn the_distribution_rises_and_holds_every_request() {
        let mut latency = Histogram::<u64>::new(3).unwrap();
        for value in [40_000, 2_000_000, 40_000, 7] {
            latency.record(value).unwrap();
        }
        let counts = summary(&latency).counts;
        assert!(counts.is_sorted_by(|before, after| before.0 < after.0), "{counts:?}");
        assert_eq!(counts.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 2, 1]);
    }

    #[test]
    fn nothing_measured_is_all_zero() {
        assert_eq!(summary(&Histogram::<u64>::new(3).unwrap()), Latency::default());
    }
}
