//! Merges the columns that the suite's tests wrote into one table, prints it, and compares it with `docs/SUPPORTED.md`.
//!
//! Run it after the tests; with `UPDATE_SUPPORTED=1` it writes the file instead of comparing. It fails if a gateway has no
//! column, a case failed, or the file says something else.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)]

use std::process::ExitCode;

use gateway_tests::programs::workspace;
use gateway_tests::suite::column::GATEWAYS;
use gateway_tests::suite::{Cell, Column, cases};

fn main() -> ExitCode {
    let mut wrong = Vec::new();
    let mut columns = Vec::new();
    for gateway in GATEWAYS {
        match Column::load(gateway) {
            Some(column) => {
                wrong.extend(column.failures().map(|f| format!("{gateway}: {f}")));
                columns.push(column);
            }
            None => wrong.push(format!("{gateway}: no column, its test did not come to its end")),
        }
    }
    print_summary(&columns);
    let text = document(&columns);
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

fn print_summary(columns: &[Column]) {
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
and the configurations in `tests/src/servers/`.
";

fn document(columns: &[Column]) -> String {
    let mut reasons: Vec<&str> = Vec::new();
    let mut text = format!("{INTRODUCTION}\n| case |");
    columns.iter().for_each(|c| text.push_str(&format!(" {} |", c.gateway)));
    text.push_str(&format!("\n|---|{}\n", "---|".repeat(columns.len())));
    for case in cases() {
        text.push_str(&format!("| {} |", case.name));
        for column in columns {
            let cell = match column.cells.get(case.name) {
                Some(Cell::Same) => "ok".to_owned(),
                Some(Cell::Differs(why)) => {
                    why.iter().map(|reason| number(&mut reasons, reason).to_string()).collect::<Vec<_>>().join(", ")
                }
                Some(Cell::Failed(_)) | None => "FAIL".to_owned(),
            };
            text.push_str(&format!(" {cell} |"));
        }
        text.push('\n');
    }
    text.push_str("\n## Differences\n\n");
    for (index, reason) in reasons.iter().enumerate() {
        text.push_str(&format!("{}. {reason}\n", index + 1));
    }
    text
}

/// The number of a reason below the table: the same reason has one number.
fn number<'a>(reasons: &mut Vec<&'a str>, reason: &'a str) -> usize {
    let known = reasons.iter().position(|r| *r == reason);
    known.unwrap_or_else(|| {
        reasons.push(reason);
        reasons.len() - 1
    }) + 1
}
