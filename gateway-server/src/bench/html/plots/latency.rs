//! How long answers took: the share of requests that were faster, towards the slowest ones.

use super::super::super::result::{Latency, Measured, Point, Report};
use super::super::figures::round_time;
use super::super::palette;
use super::super::reading::Reading;
use super::lines::{ACROSS, Axis, Line, UPWARD, chart};
use super::scale::Scale;

/// The shares that have a tick. Each further step is a tenth of the requests that are left.
const SHARES: [(f64, &str); 4] = [(0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %")];

/// The closed loop at the concurrency that is looked at first.
pub(in super::super) fn closed(report: &Report) -> Option<String> {
    let reading = Reading::of(report);
    draw(report, "Closed loop", |measured| reading.point(measured))
}

/// The open loop at its constant rate.
pub(in super::super) fn open(report: &Report) -> Option<String> {
    let reading = Reading::of(report);
    draw(report, "Open loop", |measured| reading.open(measured))
}

fn draw<'a>(report: &'a Report, label: &str, choose: impl Fn(&'a Measured) -> Option<&'a Point>) -> Option<String> {
    let lines: Vec<Line> = (report.models.iter().enumerate())
        .filter_map(|(place, measured)| line(place, &choose(measured)?.latency))
        .collect();
    let times = || lines.iter().flat_map(|line| &line.points).map(|point| point.1);
    let (low, high) = (times().reduce(f64::min)?, times().reduce(f64::max)?);
    let scale = Scale::logarithmic((low / 1.3, high * 1.3), UPWARD);
    let ticks = scale.ticks().into_iter().map(|value| (value, round_time(value))).collect();
    let y = Axis { title: "time until the whole answer is there".to_owned(), scale, ticks };
    let ticks = SHARES.iter().map(|(share, text)| (rarity(*share), (*text).to_owned())).collect();
    let scale = Scale::linear((0.0, rarity(0.999)), (ACROSS.0, ACROSS.1 - 14.0));
    let x = Axis { title: "share of requests that were at least this fast".to_owned(), scale, ticks };
    Some(chart(&format!("{label}: latency by share of requests"), &x, &y, &lines))
}

fn line(place: usize, latency: &Latency) -> Option<Line> {
    let percentiles = [latency.p50_us, latency.p90_us, latency.p99_us, latency.p999_us];
    let marked = SHARES.iter().zip(percentiles).map(|((share, _), time)| (rarity(*share), time));
    let markers: Vec<_> = marked.filter(|(_, time)| time.is_finite() && *time > 0.0).collect();
    let mut points = curve(&latency.counts);
    if points.is_empty() {
        points.clone_from(&markers);
    }
    (!points.is_empty()).then_some(Line { look: palette::model(place), points, markers })
}

/// Powers of ten of the requests that are slower: 50 % is 0.3, 99 % is 2.
fn rarity(share: f64) -> f64 {
    -(1.0 - share).log10()
}

/// The distribution as a line up to the last share; points that would stand in one place are left out.
fn curve(counts: &[(f64, u64)]) -> Vec<(f64, f64)> {
    let total: u64 = counts.iter().map(|(_, requests)| requests).sum();
    let end = rarity(0.999);
    let mut before = 0;
    let mut points: Vec<(f64, f64)> = Vec::new();
    for &(time, requests) in counts.iter().filter(|(time, _)| time.is_finite() && *time > 0.0) {
        let right = rarity(before as f64 / total as f64).max(0.0);
        before += requests;
        let Some(&(left, low)) = points.last() else {
            points.push((right, time));
            continue;
        };
        if right >= end {
            // The last piece is cut where the picture ends.
            let share = (end - left) / (right - left);
            points.push((end, low + (time - low) * share));
            break;
        }
        if right - left > 0.02 || time > low * 1.05 {
            points.push((right, time));
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_rises_and_ends_at_the_last_share() {
        let counts: Vec<(f64, u64)> = (1..=2000).map(|n| (f64::from(n), 5)).collect();
        let points = curve(&counts);
        assert!(points.len() > 20 && points.len() < 400, "{}", points.len());
        assert!(points.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1));
        let (right, time) = *points.last().unwrap();
        assert!((right - 3.0).abs() < 1e-9 && time > 1900.0, "{right} {time}");
    }

    #[test]
    fn without_a_distribution_the_percentiles_are_the_line() {
        let latency = Latency { p50_us: 10.0, p90_us: 20.0, p99_us: 40.0, p999_us: 80.0, ..Latency::default() };
        assert_eq!(line(0, &latency).unwrap().points.len(), 4);
        assert!(line(0, &Latency::default()).is_none());
    }
}
