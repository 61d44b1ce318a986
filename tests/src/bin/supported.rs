//! Merges the columns that the suite's tests wrote into one table, prints it, and compares it with `docs/SUPPORTED.md`.
//!
//! Run it after the tests; with `UPDATE_SUPPORTED=1` it writes the file instead of comparing. It fails if a gateway has no
//! column, a case failed, or the file says something else.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)]

use std::process::ExitCode;

use gateway_tests::programs::workspace;
use gateway_tests::suite::column::{GATEWAYS, WORKERS};
use gateway_tests::suite::{Cell, Column, cases};

fn main() -> ExitCode {
    let mut wrong = Vec::new();
    let gateways = load(&GATEWAYS, &mut wrong);
    let workers = load(&WORKERS, &mut wrong);
    print_summary(gateways.iter().chain(&workers));
    let text = document(&gateways, &workers);
    let file = workspace().join("docs/SUPPORTED.md");
    if wrong.is_empty() && std::env::var_os("UPDATE_SUPPORTED").is_some() {
        if let Err(error) = std::fs::write(&file, &text) {
            wrong.push(format!("cannot write {}: {error}", file.display()));
        }
    } else if std::fs::read_to_string(&file).ok().as_deref() != Some(&text) {
        wrong.push(format!("{} is not what was seen; UPDATE_SUPPORTED=1 writes it", file.display()));
    }
    for line in &wrong {
        println!("{line}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn load(names: &[&str], wrong: &mut Vec<String>) -> Vec<Column> {
    let mut columns = Vec::new();
    for name in names {
        match Column::load(name) {
            Some(column) => {
                wrong.extend(column.failures().map(|f| format!("{name}: {f}")));
                columns.push(column);
            }
            None => wrong.push(format!("{name}: no column, its test did not come to its end")),
        }
    }
    columns
}

fn print_summary<'a>(columns: impl Iterator<Item = &'a Column>) {
    println!("{:24} {:>5} {:>8} {:>5}", "gateway", "ok", "differs", "FAIL");
    for column in columns {
        let count = |wanted: fn(&Cell) -> bool| column.cells.values().filter(|c| wanted(c)).count();
        println!(
            "{:24} {:>5} {:>8} {:>5}",
            column.gateway,
            count(|c| *c == Cell::Same),
            count(|c| matches!(c, Cell::Differs(_))),
            count(|c| matches!(c, Cell::Failed(_)))
        );
    }
}

const INTRODUCTION: &str = "# Where an application runs, and what differs there

The same program, `testbed`, unchanged, behind every gateway. The first column is the yardstick: the application driven in
the same process, without a wire. `ok` means the same status, the same end-to-end fields, the same body and the same kind of
end. A number is a difference with its reason below; anything else fails the tests. Fields that belong to the connection or
the server (`Date`, `Server`, `Connection`, `Keep-Alive`, `Transfer-Encoding`) are not compared.

This file is written by the tests (`UPDATE_SUPPORTED=1 tests/run.sh`) and checked by each run, with the servers of Debian 12
and the configurations of [deploy/](deploy/README.md), where that has one, else of `tests/src/servers/`.
";

const WORKERS_INTRODUCTION: &str = "
## Behind our gateway

The same cases, answered by programs that are not on our contract, on FastCGI libraries that are not ours
(`tests/programs/worker.*`), behind `gateway serve`. `-` is what such a program cannot be asked.
";

fn document(gateways: &[Column], workers: &[Column]) -> String {
    let mut reasons: Vec<String> = Vec::new();
    let mut text = format!("{INTRODUCTION}\n");
    text.push_str(&table(gateways, &mut reasons));
    text.push_str(&format!("{WORKERS_INTRODUCTION}\n"));
    text.push_str(&table(workers, &mut reasons));
    text.push_str("\n## Differences\n\n");
    for (index, reason) in reasons.iter().enumerate() {
        text.push_str(&format!("{}. {reason}\n", index + 1));
    }
    text
}

/// A row for each case that was asked of one of them.
fn table(columns: &[Column], reasons: &mut Vec<String>) -> String {
    let mut text = "| case |".to_owned();
    columns.iter().for_each(|c| text.push_str(&format!(" {} |", c.gateway)));
    text.push_str(&format!("\n|---|{}\n", "---|".repeat(columns.len())));
    for case in cases().iter().filter(|case| columns.iter().any(|c| c.cells.contains_key(case.name))) {
        text.push_str(&format!("| {} |", case.name));
        for column in columns {
            let cell = match column.cells.get(case.name) {
                Some(Cell::Same) => "ok".to_owned(),
                Some(Cell::Differs(why)) => {
                    why.iter().map(|reason| number(reasons, reason).to_string()).collect::<Vec<_>>().join(", ")
                }
                Some(Cell::Failed(_)) => "FAIL".to_owned(),
                None => "-".to_owned(),
            };
            text.push_str(&format!(" {cell} |"));
        }
        text.push('\n');
    }
    text
}

/// The number of a reason below the tables: the same reason has one number.
fn number(reasons: &mut Vec<String>, reason: &str) -> usize {
    let known = reasons.iter().position(|r| r == reason);
    known.unwrap_or_else(|| {
        reasons.push(reason.to_owned());
        reasons.len() - 1
    }) + 1
}
