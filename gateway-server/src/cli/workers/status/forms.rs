//! The three forms of a status: lines for people, JSON, and OpenMetrics.

use std::fmt::Write as _;

use gateway_fastcgi::manager::{State, Status, WorkerStatus};
use serde_json::{Value, json};

use crate::telemetry::openmetrics::{Kind, Page};

/// What is counted about a pool: its name, whether it only grows, what it means, and how it is read.
type Figure = (&'static str, Kind, &'static str, fn(&Status) -> u64);

/// All figures, in the order in which they are shown.
const FIGURES: [Figure; 19] = [
    ("idle", Kind::Gauge, "workers without a request", |s| s.count(State::Idle) as u64),
    ("busy", Kind::Gauge, "workers with a request", |s| s.count(State::Busy) as u64),
    ("starting", Kind::Gauge, "workers that are not ready yet", |s| s.count(State::Starting) as u64),
    ("leaving", Kind::Gauge, "workers that are to be replaced", |s| s.count(State::Leaving) as u64),
    ("finishing", Kind::Gauge, "workers that were asked to finish", |s| s.count(State::Finishing) as u64),
    ("workers", Kind::Gauge, "processes", |s| s.workers.len() as u64),
    ("target", Kind::Gauge, "workers that are wanted", |s| s.target as u64),
    ("max_children", Kind::Gauge, "the most workers there may be", |s| s.max_children as u64),
    ("max_children_reached", Kind::Counter, "times that more were wanted", |s| s.max_children_reached),
    ("max_busy", Kind::Gauge, "the most workers that were busy at once", |s| s.max_busy as u64),
    ("queue", Kind::Gauge, "connections that no worker has accepted yet", |s| s.queue as u64),
    ("max_queue", Kind::Gauge, "the most there were", |s| s.max_queue as u64),
    ("requests", Kind::Counter, "requests that have ended, in workers that tell", |s| s.requests),
    ("slow", Kind::Counter, "requests that were slow", |s| s.slow),
    ("starts", Kind::Counter, "processes that were started", |s| s.starts),
    ("crashes", Kind::Counter, "processes that died", |s| s.crashes),
    ("timeouts", Kind::Counter, "processes killed for a request that took too long", |s| s.timeouts),
    ("reloads", Kind::Counter, "reloads that were completed", |s| s.reloads),
    ("emergency", Kind::Gauge, "whether starts are held back after crashes", |s| u64::from(s.emergency)),
];

/// Lines for people: the figures of each pool, then one line for each worker.
pub(super) fn text(pools: &[(&str, Status)]) -> String {
    let mut text = String::new();
    for (name, status) in pools {
        let up = status.since.elapsed().as_secs();
        let _ = writeln!(
            text,
            "pool:                 {name}\nmode:                 {}\nup:                   {up} s",
            status.mode
        );
        for (figure, _, _, read) in FIGURES {
            let label = format!("{figure}:");
            let _ = writeln!(text, "{label:22}{}", read(status));
        }
        let _ = writeln!(text, "\n{}", table(status.workers.iter().map(row).collect()));
    }
    text
}

const HEADING: [&str; 9] = ["pid", "state", "gen", "up", "requests", "active", "memory", "cpu", "request"];

/// Rows below the heading, each column as wide as what it holds. Texts begin below each other, numbers end there.
fn table(mut rows: Vec<[String; 9]>) -> String {
    rows.insert(0, HEADING.map(str::to_owned));
    let mut widths = [0; 9];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for ((cell, width), name) in row.iter().zip(widths).zip(HEADING) {
            let _ = match name {
                "state" | "request" => write!(line, "{cell:width$}  "),
                _ => write!(line, "{cell:>width$}  "),
            };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn row(worker: &WorkerStatus) -> [String; 9] {
    let request = worker.request.as_ref();
    [
        worker.pid.to_string(),
        worker.state.name().to_owned(),
        worker.generation.to_string(),
        format!("{}s", worker.started.elapsed().as_secs()),
        worker.requests.map_or("?".to_owned(), |requests| requests.to_string()),
        worker.active.to_string(),
        format!("{}KiB", worker.memory_bytes / 1024),
        format!("{:.2}s", worker.cpu.as_secs_f64()),
        request.map(|one| format!("{} {} {:.1}s", one.method, one.path, one.age.as_secs_f64())).unwrap_or_default(),
    ]
}

/// One object with a list of pools.
pub(super) fn json(pools: &[(&str, Status)]) -> String {
    let pools: Vec<Value> = pools.iter().map(|(name, status)| pool(name, status)).collect();
    json!({ "pools": pools }).to_string() + "\n"
}

fn pool(name: &str, status: &Status) -> Value {
    let mut object = json!({
        "pool": name,
        "mode": status.mode,
        "up_seconds": status.since.elapsed().as_secs(),
        "is_reloading": status.is_reloading,
        "last_exit": status.last_exit.map(|exit| exit.to_string()),
        "processes": status.workers.iter().map(worker).collect::<Vec<_>>(),
    });
    if let Value::Object(fields) = &mut object {
        fields.extend(FIGURES.map(|(figure, _, _, read)| (figure.to_owned(), json!(read(status)))));
    }
    object
}

fn worker(worker: &WorkerStatus) -> Value {
    json!({
        "pid": worker.pid,
        "state": worker.state.name(),
        "generation": worker.generation,
        "up_seconds": worker.started.elapsed().as_secs(),
        "tells": worker.is_ours,
        "requests": worker.requests,
        "active": worker.active,
        "memory_bytes": worker.memory_bytes,
        "cpu_seconds": worker.cpu.as_secs_f64(),
        "request": worker.request.as_ref().map(|one| json!({
            "method": one.method,
            "path": one.path,
            "seconds": one.age.as_secs_f64(),
        })),
    })
}

/// Figures for Prometheus and its kin.
pub(super) fn openmetrics(page: &mut Page, pools: &[(&str, Status)]) {
    for (figure, kind, about, read) in FIGURES {
        let family = format!("gateway_workers_{figure}");
        page.family(&family, kind, about);
        let sample = if kind == Kind::Counter { family + "_total" } else { family };
        for (name, status) in pools {
            page.sample(&sample, &[("pool", name)], read(status));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_their_names_whether_a_worker_is_idle_or_busy_and_however_long_it_has_run() {
        let row = |cells: [&str; 9]| cells.map(str::to_owned);
        let idle = row(["7", "idle", "0", "1s", "0", "0", "9KiB", "0.00s", ""]);
        let busy =
            row(["4194304", "finishing", "12", "99999999s", "?", "1", "12345678KiB", "98765.43s", "GET /x 0.1s"]);
        let wanted = "    pid  state      gen         up  requests  active       memory        cpu  request\n      \
                      7  idle         0         1s         0       0         9KiB      0.00s\n\
                      4194304  finishing   12  99999999s         ?       1  12345678KiB  98765.43s  GET /x 0.1s\n";
        assert_eq!(table(vec![idle, busy]), wanted);
    }
}
