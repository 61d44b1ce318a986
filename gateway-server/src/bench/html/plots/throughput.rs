//! Requests per second by the number of connections.

use super::super::super::result::Report;
use super::super::figures::{about, number, plural};
use super::super::palette;
use super::super::reading::{Reading, concurrencies};
use super::lines::{ACROSS, Axis, Line, UPWARD, chart};
use super::scale::Scale;

/// Rates further apart than this are shown on a logarithmic scale: on a linear one the slow lines lie on the axis.
const FAR_APART: f64 = 15.0;

/// How the rates are spread upwards, for the words beside the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Upward {
    Linear,
    Logarithmic,
}

/// The picture, if any rate was measured.
pub(in super::super) fn throughput(report: &Report) -> Option<(String, Upward)> {
    let reading = Reading::of(report);
    let lines: Vec<Line> = (report.models.iter().enumerate())
        .map(|(place, measured)| {
            let points = measured.closed.iter().filter(|point| point.workload == reading.workload);
            let shown = points.filter(|point| point.rate.is_finite() && point.rate > 0.0);
            let mut points: Vec<_> = shown.map(|point| (point.concurrency.max(1) as f64, point.rate)).collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            Line { look: palette::model(place), markers: points.clone(), points }
        })
        .collect();
    let rates = || lines.iter().flat_map(|line| &line.points).map(|point| point.1);
    let (low, high) = (rates().reduce(f64::min)?, rates().reduce(f64::max)?);
    let upward = if high / low > FAR_APART { Upward::Logarithmic } else { Upward::Linear };
    let counts = concurrencies(report, reading.workload);
    let label = format!("Requests per second of {} by connections", plural(report.models.len(), "model"));
    Some((chart(&label, &connections(&counts), &rate(low, high, upward), &lines), upward))
}

fn connections(counts: &[usize]) -> Axis {
    let values: Vec<f64> = counts.iter().map(|&count| count.max(1) as f64).collect();
    let ends = (values.first().copied().unwrap_or(1.0), values.last().copied().unwrap_or(1.0));
    // A single number of connections stands in the middle.
    let ends = if ends.0 < ends.1 { ends } else { (ends.0 / 2.0, ends.1 * 2.0) };
    let ticks = values.iter().zip(counts).map(|(&value, &count)| (value, number(count as u64))).collect();
    Axis { title: "connections at once".to_owned(), scale: Scale::logarithmic(ends, ACROSS), ticks }
}

fn rate(low: f64, high: f64, upward: Upward) -> Axis {
    let scale = match upward {
        Upward::Linear => Scale::linear((0.0, high * 1.05), UPWARD),
        Upward::Logarithmic => Scale::logarithmic((low / 1.4, high * 1.4), UPWARD),
    };
    let ticks =
        scale.ticks().into_iter().map(|value| (value, about(value).replace(".00", "").replace(".0", ""))).collect();
    Axis { title: "requests per second".to_owned(), scale, ticks }
}
