//! The table of everything: workload × connections × model.
//!
//! On a narrow screen each row becomes a small card; the column's name then stands before each figure.

use super::super::result::{Measured, Point, Report};
use super::figures::{UNKNOWN, count, number, percent, plural, time};
use super::markup::escape;
use super::palette;
use super::plots::sample;
use super::reading::{Reading, concurrencies, find, workloads};

const COLUMNS: [&str; 7] = ["requests/s", "spread", "p50", "p99", "p99.9", "CPU/request", "errors"];

/// A table for each workload and number of connections.
pub(super) fn tables(report: &Report) -> String {
    let reading = Reading::of(report);
    let mut out = String::new();
    for workload in workloads(report) {
        for concurrency in concurrencies(report, workload) {
            let rows = report.models.iter().enumerate().filter_map(|(place, measured)| {
                Some(row(&reading, place, measured, find(&measured.closed, workload, concurrency)?))
            });
            let caption = format!("{}, {}", escape(workload), plural(concurrency, "connection"));
            out.push_str(&table(&caption, &rows.collect::<String>()));
        }
    }
    out.push_str(&open(&reading));
    out.extend(reading.load_bound_note().map(|note| format!("<p>{note}</p>\n")));
    out
}

fn open<'a>(reading: &Reading<'a>) -> String {
    let report: &'a Report = reading.report;
    let mut kinds: Vec<&str> = Vec::new();
    for point in report.models.iter().flat_map(|measured| &measured.open) {
        if !kinds.contains(&point.workload.as_str()) {
            kinds.push(&point.workload);
        }
    }
    let tables = kinds.into_iter().map(|workload| {
        let rows = report.models.iter().enumerate().flat_map(|(place, measured)| {
            let points = measured.open.iter().filter(|point| point.workload == workload);
            points.map(move |point| row(reading, place, measured, point))
        });
        let rate = report.settings.rate.map_or_else(String::new, |rate| format!(", {} requests a second", count(rate)));
        table(&format!("{}, open loop{rate}", escape(workload)), &rows.collect::<String>())
    });
    tables.collect()
}

fn table(caption: &str, rows: &str) -> String {
    let heads: String = COLUMNS.iter().map(|name| format!("<th scope=\"col\">{name}</th>")).collect();
    format!(
        "<table class=\"points\">\n<caption>{caption}</caption>\n<thead><tr><th scope=\"col\">model</th>{heads}</tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n"
    )
}

fn row(reading: &Reading<'_>, place: usize, measured: &Measured, point: &Point) -> String {
    let answered = point.requests > 0;
    let figure = |text: String| if answered { text } else { UNKNOWN.to_owned() };
    let figures = [
        reading.rate(point),
        figure(spread(point).map_or_else(|| UNKNOWN.to_owned(), |share| format!("±{}", percent(share)))),
        figure(time(point.latency.p50_us)),
        figure(time(point.latency.p99_us)),
        figure(time(point.latency.p999_us)),
        figure(time(point.cpu.total())),
        number(point.errors.total()),
    ];
    let cells = COLUMNS.iter().zip(figures).map(|(name, figure)| format!("<td data-name=\"{name}\">{figure}</td>"));
    let class = if point.errors.total() > 0 { " class=\"failed\"" } else { "" };
    let (line, title) = (sample(palette::model(place)), escape(&measured.model.title));
    format!("<tr{class}><th scope=\"row\">{line} {title}</th>{}</tr>\n", cells.collect::<String>())
}

/// Half the distance between the slowest and the fastest sample, as a share of the rate.
fn spread(point: &Point) -> Option<f64> {
    let rates =
        point.samples.iter().map(|sample| sample.requests as f64 / sample.seconds).filter(|rate| rate.is_finite());
    let rates: Vec<f64> = rates.collect();
    let (low, high) = (rates.iter().copied().reduce(f64::min)?, rates.iter().copied().reduce(f64::max)?);
    (rates.len() > 1 && point.rate > 0.0).then(|| (high - low) / 2.0 / point.rate)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn every_point_has_a_row() {
        let report = fixture::full();
        let points: usize = report.models.iter().map(|measured| measured.closed.len() + measured.open.len()).sum();
        assert_eq!(tables(&report).matches("<th scope=\"row\">").count(), points);
    }

    #[test]
    fn the_spread_is_that_of_the_samples() {
        let report = fixture::full();
        let point = &report.models[0].closed[0];
        assert!((spread(point).unwrap() - 0.02).abs() < 1e-3, "{:?}", spread(point));
        let mut alone = point.clone();
        alone.samples.truncate(1);
        assert_eq!(spread(&alone), None);
    }

    #[test]
    fn answers_that_never_came_have_no_times() {
        let report = fixture::all_errors();
        let table = tables(&report);
        assert!(table.contains("class=\"failed\""), "{table}");
        assert!(table.contains(&format!("<td data-name=\"p50\">{UNKNOWN}</td>")), "{table}");
    }
}
