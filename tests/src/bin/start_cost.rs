//! What one CGI request costs in processor time and page faults, for several programs side by side.
//!
//! Starts each program many times as a gateway does (`posix_spawn` through the standard library, a pipe to read the
//! answer from, wait for its end) and asks the kernel what that cost: this process and its children together. The programs
//! take turns, a short sample each, so that a change of the machine's speed meets all of them. Does not hold a server, nor
//! what is compared: `tests/start_cost.sh` builds and names that.
//!
//! `start_cost [--rounds N] [--times N] NAME=PATH...`; the first program is what the others are compared with.

#![allow(clippy::print_stdout, reason = "a table is what it is for")]

use std::io::Read;
use std::process::{Command, ExitCode, Stdio};

use nix::sys::resource::{UsageWho, getrusage};

/// The request; what a server sends besides makes no difference between programs.
const REQUEST: [(&str, &str); 12] = [
    ("GATEWAY_INTERFACE", "CGI/1.1"),
    ("HTTP_ACCEPT", "*/*"),
    ("HTTP_HOST", "localhost"),
    ("HTTP_USER_AGENT", "start_cost"),
    ("PATH_INFO", "/"),
    ("QUERY_STRING", ""),
    ("REMOTE_ADDR", "127.0.0.1"),
    ("REQUEST_METHOD", "GET"),
    ("SCRIPT_NAME", "/hello"),
    ("SERVER_NAME", "localhost"),
    ("SERVER_PORT", "80"),
    ("SERVER_PROTOCOL", "HTTP/1.1"),
];

struct Program {
    name: String,
    path: String,
    /// What one start took, for each sample.
    samples: Vec<Used>,
}

/// Processor time and page faults.
#[derive(Clone, Copy)]
struct Used {
    micros: f64,
    faults: f64,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|(rounds, times, programs)| run(rounds, times, programs)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("start_cost: {problem}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<(u32, u32, Vec<Program>), String> {
    let (mut rounds, mut times, mut programs) = (5, 400, Vec::new());
    while let Some(arg) = args.next() {
        let mut number =
            || args.next().and_then(|text| text.parse().ok()).filter(|number| *number > 0).ok_or("a number above 0");
        match arg.as_str() {
            "--rounds" => rounds = number().map_err(|what| format!("--rounds needs {what}"))?,
            "--times" => times = number().map_err(|what| format!("--times needs {what}"))?,
            _ => {
                let (name, path) = arg.split_once('=').ok_or_else(|| format!("{arg}: want NAME=PATH"))?;
                programs.push(Program { name: name.to_owned(), path: path.to_owned(), samples: Vec::new() });
            }
        }
    }
    if programs.is_empty() {
        Err("no program is named: want NAME=PATH...".to_owned())
    } else {
        Ok((rounds, times, programs))
    }
}

fn run(rounds: u32, times: u32, mut programs: Vec<Program>) -> Result<(), String> {
    for round in 0..=rounds {
        for program in &mut programs {
            let before = used()?;
            for _ in 0..times {
                start(&program.path)?;
            }
            let after = used()?;
            let each = |before: f64, after: f64| (after - before) / f64::from(times);
            let sample = Used { micros: each(before.micros, after.micros), faults: each(before.faults, after.faults) };
            // The first round reads the programs from the disk.
            if round > 0 {
                program.samples.push(sample);
            }
        }
    }
    print(&programs);
    Ok(())
}

fn print(programs: &[Program]) {
    println!("{:<28} {:>8} {:>8} {:>8} {:>12}", "program", "CPU us", "best", "ratio", "page faults");
    let base = programs.first().map_or(1.0, |first| median(first, |used| used.micros));
    for program in programs {
        let (micros, faults) = (median(program, |used| used.micros), median(program, |used| used.faults));
        let best = program.samples.iter().map(|used| used.micros).fold(f64::INFINITY, f64::min);
        println!("{:<28} {micros:>8.0} {best:>8.0} {:>8.2} {faults:>12.1}", program.name, micros / base);
    }
}

fn median(program: &Program, what: fn(&Used) -> f64) -> f64 {
    let mut all: Vec<f64> = program.samples.iter().map(what).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

fn start(path: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{path}: {error}");
    let mut command = Command::new(path);
    command.env_clear().envs(REQUEST).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let mut answer = Vec::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_end(&mut answer).map_err(failed)?;
    }
    let status = child.wait().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(format!("{path}: {status}")) }
}

/// What this process and the children it has waited for have used.
fn used() -> Result<Used, String> {
    let mut sum = Used { micros: 0.0, faults: 0.0 };
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who).map_err(|error| format!("getrusage: {error}"))?;
        let times = [usage.user_time(), usage.system_time()];
        sum.micros += times.iter().map(|time| time.tv_sec() as f64 * 1e6 + time.tv_usec() as f64).sum::<f64>();
        sum.faults += usage.minor_page_faults() as f64;
    }
    Ok(sum)
}
