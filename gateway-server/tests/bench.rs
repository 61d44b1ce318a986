//! `gateway bench` as its users see it: the command, the files it leaves, and that nothing else stays.
//!
//! What is checked is that everything was measured and fits together. Whether a figure is large or small belongs into
//! benchmarks, not into tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a failure is a panic"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// `gateway bench` in a folder of its own, which holds its temporary files too.
fn bench(folder: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.arg("bench").args(flags).current_dir(folder).env("TMPDIR", folder).stdin(Stdio::null());
    command
}

fn run(folder: &Path, flags: &[&str]) -> Output {
    bench(folder, flags).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Neither files but `expected` nor processes are left.
#[track_caller]
fn check_clean(folder: &Path, expected: &[&str]) {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, expected);
    let needle = folder.to_str().unwrap();
    for process in fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path()) {
        let command = fs::read(process.join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        assert!(!command.contains(needle), "{}: {command}", process.display());
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_else(|| panic!("{value} is no list"))
}

fn stages(model: &Value) -> Vec<&str> {
    items(&model["timeline"]["stages"]).iter().map(|stage| stage[0].as_str().unwrap()).collect()
}

#[test]
fn a_short_run_measures_every_model_and_leaves_a_report() {
    let folder = folder();
    let flags = [
        "--quick",
        "--concurrency",
        "1,4",
        "--duration",
        "200ms",
        "--workloads",
        "hello,db,upload",
        "--json",
        "all.json",
    ];
    let output = run(folder.path(), &flags);
    let (told, trouble) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{trouble}");
    check_clean(folder.path(), &["all.json", "gateway-bench.html"]);
    let report: Value = serde_json::from_slice(&fs::read(folder.path().join("all.json")).unwrap()).unwrap();
    assert_eq!(items(&report["left_out"]), &[] as &[Value]);
    let models = items(&report["models"]);
    let keys: Vec<&str> = models.iter().map(|model| model["model"]["key"].as_str().unwrap()).collect();
    assert_eq!((keys.len(), keys[0], keys[5]), (6, "in-process", "cgi"));
    for model in models {
        let key = model["model"]["key"].as_str().unwrap();
        check_model(key, model);
        assert!(told.contains(key) || told.contains(model["model"]["title"].as_str().unwrap()), "{key} in {told}");
    }
    let page = fs::read_to_string(folder.path().join("gateway-bench.html")).unwrap();
    assert!(page.to_ascii_lowercase().starts_with("<!doctype html>") && page.contains("<svg"), "no page with pictures");
    assert!(told.contains("gateway-bench.html") && told.contains("all.json"), "{told}");
}

/// Every part of the measurement is there, and the parts agree with one another.
#[track_caller]
fn check_model(key: &str, model: &Value) {
    assert!(number(&model["cold_start_us"]) > 0.0, "{key}");
    let (idle, way) = (&model["memory"]["idle"], model["model"]["way"].as_str().unwrap());
    assert!(number(&idle["server"]) > 100_000.0, "{key}: {idle}");
    assert_eq!(number(&idle["workers"]) > 100_000.0, way.starts_with("fastcgi"), "{key}: {idle}");
    assert_eq!(number(&idle["children"]), 0.0, "{key}: {idle}");
    let closed = items(&model["closed"]);
    // The first workload at both concurrencies, the others at one.
    assert_eq!(closed.len(), 4, "{key}");
    for point in closed.iter().chain(items(&model["open"])) {
        check_point(key, way, point);
    }
    let wanted: &[&str] = match way {
        "inprocess" => &["accept", "parse", "queue", "application", "write"],
        "cgi" => &["accept", "parse", "queue", "fork-exec", "loader", "application-start", "application", "write"],
        _ => &["accept", "parse", "queue", "connect", "application-start", "application", "write"],
    };
    let found = stages(model);
    assert!(wanted.iter().all(|stage| found.contains(stage)), "{key}: {found:?}");
    assert!(way != "cgi" || number(&model["timeline"]["afterwards_us"]) >= 0.0, "{key}");
}

#[track_caller]
fn check_point(key: &str, way: &str, point: &Value) {
    let name = format!("{key}, {} × {}", point["workload"], point["concurrency"]);
    for error in ["connect", "broken", "wrong", "timeout"] {
        assert_eq!(number(&point["errors"][error]), 0.0, "{name}: {error}");
    }
    assert!(number(&point["requests"]) > 0.0 && number(&point["rate"]) > 0.0, "{name}");
    let latency = &point["latency"];
    assert!(number(&latency["p50_us"]) > 0.0 && number(&latency["p50_us"]) <= number(&latency["max_us"]), "{name}");
    let counted: f64 = items(&latency["counts"]).iter().map(|pair| number(&pair[1])).sum();
    assert_eq!(counted, number(&point["requests"]), "{name}");
    let user = &point["cpu"]["user"];
    assert!(number(&user["server"]) + number(&point["cpu"]["kernel"]) > 0.0, "{name}: {user}");
    assert_eq!(way == "cgi", number(&user["children"]) > 0.0, "{name}: {user}");
}

#[test]
fn what_cannot_be_measured_is_told_before_anything_is() {
    let rows: [(&[&str], &str); 6] = [
        (
            &["--app", "no-such-program-here"],
            "gateway: --app no-such-program-here: no such program in any folder of PATH",
        ),
        (&["--models", "scgi"], "gateway: --models scgi: there is no such model; there are in-process, fastcgi-unix-1"),
        (&["--app", "./x", "--workloads", "db"], "gateway: --workloads db: only --app hello answers it"),
        (&["--html", "no/such/folder/x.html"], "gateway: cannot write no/such/folder/x.html"),
        (&["--concurrency", "0"], "error: invalid value '0' for '--concurrency"),
        (&["--rate", "-5"], "error: unexpected argument '-5'"),
    ];
    for (flags, wanted) in rows {
        let folder = folder();
        let output = run(folder.path(), flags);
        let told = text(&output.stderr);
        assert!(!output.status.success() && told.starts_with(wanted), "{flags:?}: {told}");
        check_clean(folder.path(), &[]);
    }
}

#[test]
fn a_program_that_is_no_application_is_told_with_what_it_said() {
    let folder = folder();
    let output = run(folder.path(), &["--app", "ls --no-such-flag", "--models", "in-process"]);
    let told = text(&output.stderr);
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("nothing could be measured") && told.contains("in-process: "), "{told}");
    assert!(told.contains("no-such-flag"), "{told}");
    check_clean(folder.path(), &[]);
}

#[test]
fn an_answer_that_is_not_200_is_no_measurement() {
    let folder = folder();
    let output = run(folder.path(), &["--workloads", "/no/such/page", "--models", "in-process"]);
    let told = text(&output.stderr);
    assert!(told.contains("/no/such/page: answered with status 404"), "{told}");
    check_clean(folder.path(), &[]);
}

#[test]
fn a_signal_ends_it_and_everything_it_started() {
    for signal in [Signal::INT, Signal::TERM] {
        let folder = folder();
        let mut command = bench(folder.path(), &["--models", "in-process,fastcgi-unix-2,cgi", "--workloads", "hello"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        // All models are up when the first round begins.
        let begun = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("hello × 1")));
        assert!(begun.is_some(), "it ended before");
        kill_process(Pid::from_child(&child), signal).unwrap();
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{rest:?}");
        assert!(rest.iter().any(|line| line.contains("interrupted")), "{rest:?}");
        check_clean(folder.path(), &[]);
    }
}
