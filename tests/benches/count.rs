//! Runs one case a number of times and does nothing else: what a counter of instructions is put around.
//!
//! `count` lists the names of the cases, `count NAME TIMES` runs one. `tests/instructions.sh` builds it against two
//! revisions, without the library that measures times, and subtracts the counts of N and 2 N times.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod cases;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, times] = arguments.as_slice() else {
        cases::all().for_each(|case| println!("{}", case.name));
        return ExitCode::SUCCESS;
    };
    let (Some(case), Ok(times)) = (cases::all().find(|case| case.name == name), times.parse::<u32>()) else {
        eprintln!("count: no case {name}, or {times} is no number; without arguments the names are listed");
        return ExitCode::from(2);
    };
    let mut body = (case.start)();
    for _ in 0..times {
        body();
    }
    ExitCode::SUCCESS
}
