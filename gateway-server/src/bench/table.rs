//! The report as a table in the terminal: at most 100 columns, plain text.

use super::html::figures::{UNKNOWN, count, mebibytes, number, plural, ratio, time};
use super::html::reading::{Reading, compare, concurrencies, find, sane, stage, waited, workloads};
use super::html::words::stages::explain;
use super::result::{Measured, Point, Report, Stage, Timeline};

/// No line is longer.
const COLUMNS: usize = 100;
/// The longest name that is written whole.
const NAME: usize = 26;

/// All that the terminal shows at the end.
pub(crate) fn text(report: &Report) -> String {
    let reading = Reading::of(report);
    let note = reading.load_bound_note().map(|note| format!("{note}\n"));
    let blocks =
        [head(report), rates(&reading), costs(&reading), others(&reading), note, stages(report), left_out(report)];
    let blocks: Vec<String> = blocks.into_iter().flatten().collect();
    let lines = blocks.join("\n");
    lines.lines().map(|line| cut(line, COLUMNS).trim_end().to_owned() + "\n").collect()
}

fn head(report: &Report) -> Option<String> {
    let machine = &report.machine;
    Some(format!(
        "gateway bench {}: {} on {}, {}, {}\n",
        report.version,
        report.settings.app,
        plural(machine.cores, "core"),
        machine.processor,
        machine.kernel
    ))
}

/// Rows of cells below headings; as many columns beside each other as fit, the rest below.
struct Grid {
    heads: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

impl Grid {
    fn draw(&self) -> String {
        let names = self.rows.iter().map(|(name, _)| letters(name)).max().unwrap_or(0).min(NAME);
        let widths: Vec<usize> = (self.heads.iter().enumerate())
            .map(|(at, head)| {
                let cells = self.rows.iter().filter_map(|(_, cells)| cells.get(at));
                cells.map(|cell| letters(cell)).chain([letters(head)]).max().unwrap_or(0) + 2
            })
            .collect();
        let mut out = String::new();
        let mut from = 0;
        while from < widths.len() {
            let mut width = names;
            let fits = widths.iter().skip(from).take_while(|next| {
                width += **next;
                width <= COLUMNS
            });
            let taken = fits.count().max(1);
            self.piece(from..from + taken, names, &widths, &mut out);
            from += taken;
        }
        out
    }

    fn piece(&self, columns: std::ops::Range<usize>, names: usize, widths: &[usize], out: &mut String) {
        let line = |name: &str, cells: &[String]| {
            let cells = columns.clone().filter_map(|at| Some((cells.get(at)?, widths.get(at)?)));
            let cells: String = cells.map(|(cell, width)| format!("{cell:>width$}")).collect();
            format!("{:names$}{cells}\n", cut(name, names))
        };
        out.push_str(&line("", &self.heads));
        for (name, cells) in &self.rows {
            out.push_str(&line(name, cells));
        }
    }
}

fn letters(text: &str) -> usize {
    text.chars().count()
}

/// A text that is too long ends in an ellipsis.
fn cut(text: &str, longest: usize) -> String {
    if letters(text) <= longest {
        return text.to_owned();
    }
    text.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

/// A rate, and what it is beside the in-process model's.
fn rate(reading: &Reading<'_>, point: Option<&Point>) -> String {
    let Some(point) = point else { return UNKNOWN.to_owned() };
    let base = reading.base().and_then(|base| find(&base.closed, &point.workload, point.concurrency));
    let rate = reading.rate(point);
    if reading.base().is_none() {
        return rate;
    }
    let times = base.and_then(|base| compare(point.rate, base.rate)).map_or_else(|| UNKNOWN.to_owned(), ratio);
    format!("{rate} {times:>7}")
}

fn rates(reading: &Reading<'_>) -> Option<String> {
    let counts = concurrencies(reading.report, reading.workload);
    let rows = reading.report.models.iter().map(|measured| {
        let cells = counts.iter().map(|&count| rate(reading, find(&measured.closed, reading.workload, count)));
        (measured.model.title.clone(), cells.collect())
    });
    let heads = counts.iter().map(|&count| plural(count, "connection")).collect();
    let beside = if reading.base().is_some() { ", and compared with in-process" } else { "" };
    let grid = Grid { heads, rows: rows.collect() };
    (!counts.is_empty()).then(|| format!("{}: requests per second{beside}\n{}", reading.workload, grid.draw()))
}

fn costs(reading: &Reading<'_>) -> Option<String> {
    let heads = ["p50", "p99", "CPU µs/request", "idle MiB", "cold start ms", "errors"].map(str::to_owned).to_vec();
    let rows: Vec<_> =
        reading.report.models.iter().map(|model| (model.model.title.clone(), cost(reading, model))).collect();
    let title =
        format!("{}, {}: latency, and what it costs", reading.workload, plural(reading.concurrency, "connection"));
    (!rows.is_empty()).then(|| format!("{title}\n{}", Grid { heads, rows }.draw()))
}

fn cost<'a>(reading: &Reading<'a>, measured: &'a Measured) -> Vec<String> {
    let point = reading.point(measured).filter(|point| point.requests > 0);
    let of = |figure: fn(&Point) -> f64| point.map_or_else(|| UNKNOWN.to_owned(), |point| time(figure(point)));
    let errors: u64 = measured.closed.iter().chain(&measured.open).map(|point| point.errors.total()).sum();
    vec![
        of(|point| point.latency.p50_us),
        of(|point| point.latency.p99_us),
        point.map_or_else(|| UNKNOWN.to_owned(), |point| count(point.cpu.total())),
        mebibytes(measured.memory.idle.total()),
        count(measured.cold_start_us / 1e3),
        number(errors),
    ]
}

fn others(reading: &Reading<'_>) -> Option<String> {
    let others: Vec<&str> = workloads(reading.report).into_iter().skip(1).collect();
    // The most connections that each was measured with, if not those that were looked at first.
    let chosen = others.iter().filter_map(|workload| {
        let counts = concurrencies(reading.report, workload);
        let most = counts.last().copied()?;
        Some((*workload, if counts.contains(&reading.concurrency) { reading.concurrency } else { most }))
    });
    let chosen: Vec<(&str, usize)> = chosen.collect();
    let rows = reading.report.models.iter().map(|measured| {
        let cells = chosen.iter().map(|(workload, count)| rate(reading, find(&measured.closed, workload, *count)));
        (measured.model.title.clone(), cells.collect())
    });
    let heads = chosen.iter().map(|(workload, count)| format!("{} ×{count}", cut(workload, 16))).collect();
    let grid = Grid { heads, rows: rows.collect() };
    let title = "other workloads (× connections): requests per second";
    (!chosen.is_empty()).then(|| format!("{title}\n{}", grid.draw()))
}

/// The stages of one request below each other, the models beside each other.
fn stages(report: &Report) -> Option<String> {
    let timelines = report.models.iter().filter_map(|measured| Some((measured, measured.timeline.as_ref()?)));
    let timelines: Vec<(&Measured, &Timeline)> = timelines.collect();
    let cells =
        |of: &dyn Fn(&Timeline) -> f64| -> Vec<f64> { timelines.iter().map(|(_, timeline)| of(timeline)).collect() };
    let mut rows: Vec<(String, Vec<f64>)> = Vec::new();
    for kind in STAGES {
        rows.push((explain(kind).0.to_lowercase(), cells(&|timeline| stage(timeline, kind))));
    }
    rows.retain(|(_, times)| times.iter().any(|time| *time > 0.0));
    rows.push(("together".to_owned(), cells(&waited)));
    let afterwards = cells(&|timeline| sane(timeline.afterwards_us));
    if afterwards.iter().any(|time| *time > 0.0) {
        rows.push(("afterwards".to_owned(), afterwards));
    }
    let written =
        |times: Vec<f64>| times.into_iter().map(|micros| if micros > 0.0 { time(micros) } else { String::new() });
    let rows = rows.into_iter().map(|(name, times)| (name, written(times).collect())).collect();
    let heads = timelines.iter().map(|(measured, _)| measured.model.key.clone()).collect();
    let title = "where one request's time goes (on a new connection, alone)";
    (!timelines.is_empty()).then(|| format!("{title}\n{}", Grid { heads, rows }.draw()))
}

/// In the order in which a request meets them.
const STAGES: [Stage; 11] = super::html::STAGES;

fn left_out(report: &Report) -> Option<String> {
    let lines = report.left_out.iter().flat_map(|reason| wrapped(reason)).collect::<String>();
    (!report.left_out.is_empty()).then(|| format!("not measured\n{lines}"))
}

/// Words in lines, the second and later ones further in.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec!["  ".to_owned()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.trim().is_empty() => line.push_str(word),
            Some(line) if letters(line) + 1 + letters(word) <= COLUMNS => line.push_str(&format!(" {word}")),
            _ => lines.push(format!("    {word}")),
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::super::html::fixture;
    use super::*;

    #[track_caller]
    fn check_width(report: &Report) {
        let text = text(report);
        for line in text.lines() {
            assert!(letters(line) <= COLUMNS, "{} columns: {line}", letters(line));
        }
        for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
            assert!(word != "NaN" && word != "inf", "{text}");
        }
    }

    #[test]
    fn no_line_is_longer_than_a_hundred_columns() {
        let mut long = fixture::with_peers();
        long.settings.app = "a/very/long/command ".repeat(20);
        long.left_out.push("apache: ".to_owned() + &"because ".repeat(40));
        long.models[0].model.title = "A model with a name that goes on and on".to_owned();
        let mut empty = fixture::full();
        empty.models.clear();
        for report in [long, empty, fixture::full(), fixture::minimal(), fixture::all_errors()] {
            check_width(&report);
        }
    }

    #[test]
    fn rates_are_shown_with_what_they_are_beside_in_process() {
        let text = text(&fixture::full());
        let row = text.lines().find(|line| line.starts_with("CGI ")).unwrap();
        assert!(row.ends_with("702  0.017×"), "{row}");
        let row = text.lines().find(|line| line.starts_with("In-process ")).unwrap();
        assert!(row.ends_with("41,237   1.00×"), "{row}");
    }

    #[test]
    fn a_rate_that_is_the_loads_own_limit_is_marked_as_one() {
        let mut report = fixture::full();
        assert!(!text(&report).contains('≥'));
        for measured in &mut report.models {
            for point in &mut measured.closed {
                point.load_cpu_us = 0.95 * 1e6 / point.rate;
            }
        }
        let text = text(&report);
        let row = text.lines().find(|line| line.starts_with("In-process ")).unwrap();
        assert!(row.ends_with("≥41,237   1.00×"), "{row}");
        assert!(text.contains("≥ stands where the load generator had no more to give"), "{text}");
    }

    #[test]
    fn one_model_is_compared_with_nothing() {
        let text = text(&fixture::minimal());
        assert!(text.contains("hello: requests per second\n"), "{text}");
        assert!(!text.contains('×'), "{text}");
    }

    #[test]
    fn the_stages_stand_below_each_other() {
        let text = text(&fixture::full());
        let row = text.lines().find(|line| line.starts_with("fork, exec")).unwrap();
        assert!(row.ends_with("214 µs"), "{row}");
    }

    #[test]
    fn what_was_left_out_is_named_with_its_reason() {
        assert!(text(&fixture::full()).contains("not measured\n  apache-cgi: Apache is not installed\n"));
    }

    #[test]
    fn workloads_beside_the_first_have_a_block_of_their_own() {
        let text = text(&fixture::full());
        assert!(text.contains("db ×64") && text.contains("download ×64"), "{text}");
    }
}
