//! How many instructions a program's process executes for one request, counted by Callgrind.
//!
//! Runs the program under valgrind with N and with 2 N requests on one kept connection, one after the other; the
//! difference, divided by N, is what one costs, without the start. Does not hold what is counted, nor what it may be:
//! `tests/request_cost.sh` builds the program and compares.
//!
//! `request_cost http|fastcgi PROGRAM [N]` prints the number.

#![allow(clippy::print_stdout, reason = "a number is what it is for")]

use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use gateway_tests::records;
use rustix::process::{Pid, Signal, kill_process};

type Failure = Box<dyn Error>;

/// What a browser's request carries at least, so that there are some variables to make.
const REQUEST: &[u8] =
    b"GET /hello HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: request_cost\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n";

/// How often it is measured: what other processes do to the waiting of its threads only ever adds, so the least counts.
const ROUNDS: usize = 3;

/// How long a program may take to listen, under valgrind and on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (gateway, program, requests) = match arguments.as_slice() {
        [gateway, program] if matches!(&**gateway, "http" | "fastcgi") => (gateway, program, 2000),
        [gateway, program, requests] if matches!(&**gateway, "http" | "fastcgi") => match requests.parse() {
            Ok(requests @ 1..) => (gateway, program, requests),
            _ => return usage(),
        },
        _ => return usage(),
    };
    match measure(gateway, Path::new(program), requests) {
        Ok(instructions) => {
            println!("{instructions}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("request_cost: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("request_cost http|fastcgi PROGRAM [N]");
    ExitCode::from(2)
}

fn measure(gateway: &str, program: &Path, requests: u64) -> Result<u64, Failure> {
    let mut least = u64::MAX;
    for _ in 0..ROUNDS {
        let (once, twice) = (count(gateway, program, requests)?, count(gateway, program, 2 * requests)?);
        least = least.min(twice.saturating_sub(once) / requests);
    }
    Ok(least)
}

/// The instructions of a whole run with so many requests.
fn count(gateway: &str, program: &Path, requests: u64) -> Result<u64, Failure> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("s");
    let mut child = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([&format!("--{gateway}"), &format!("unix:{}", socket.display()), "--threads", "1"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("valgrind does not start: {e}; it is a package of that name"))?;
    let asked = connect(&socket, &mut child).and_then(|stream| match gateway {
        "http" => ask_http(stream, requests),
        _ => ask_fastcgi(stream, requests),
    });
    kill_process(Pid::from_child(&child), Signal::TERM)?;
    let mut said = String::new();
    if let Some(mut errors) = child.stderr.take() {
        errors.read_to_string(&mut said)?;
    }
    child.wait()?;
    asked.map_err(|e| format!("{e}\n{said}"))?;
    let collected =
        said.lines().find_map(|line| line.split_once("Collected : ")).ok_or("valgrind has counted nothing")?;
    Ok(collected.1.trim().parse()?)
}

fn connect(socket: &Path, child: &mut Child) -> Result<UnixStream, Failure> {
    let end = Instant::now() + START_LIMIT;
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => return Ok(stream),
            Err(e) if Instant::now() > end || child.try_wait()?.is_some() => return Err(e.into()),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn ask_http(mut stream: UnixStream, requests: u64) -> Result<(), Failure> {
    let mut answer = [0; 4096];
    for _ in 0..requests {
        stream.write_all(REQUEST)?;
        let mut length = 0;
        while !answer.get(..length).is_some_and(|answer| answer.ends_with(b"Hello, World!")) {
            match stream.read(answer.get_mut(length..).unwrap_or_default())? {
                0 => return Err("the program has closed the connection".into()),
                read => length += read,
            }
        }
    }
    Ok(())
}

fn ask_fastcgi(stream: UnixStream, requests: u64) -> Result<(), Failure> {
    let mut peer = records::Peer::new(stream);
    let request = records::get(1, true, "/hello");
    for _ in 0..requests {
        peer.send(&request);
        peer.receive_output(1).ok_or("the program has closed the connection")?;
    }
    Ok(())
}
