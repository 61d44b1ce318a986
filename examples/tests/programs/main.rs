//! The built programs, started the way people and servers start them.
//!
//! Holds how a program is started and ended. What is asked of it is in `command_line`, `cgi`, `start`, `http` and
//! `fastcgi`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "these are tests")]

mod cgi;
mod command_line;
mod fastcgi;
mod http;
mod start;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

const TESTBED: &str = env!("CARGO_BIN_EXE_testbed");
const MIRROR: &str = env!("CARGO_BIN_EXE_mirror");
const HELLO: &str = env!("CARGO_BIN_EXE_hello");
const HELLO_CGI: &str = env!("CARGO_BIN_EXE_hello_cgi");
const TESTBED_CGI: &str = env!("CARGO_BIN_EXE_testbed_cgi");
const DOORKEEPER: &str = env!("CARGO_BIN_EXE_doorkeeper");
const GUESTBOOK: &str = env!("CARGO_BIN_EXE_guestbook");

/// A program in an environment of its own: nothing of the one that runs the tests decides its gateway.
fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// Runs it to its end with `input` on standard input.
fn output(mut command: Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        // A program need not read its input.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("it ends")
    })
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// A program that serves until it is told to stop.
struct Serving {
    child: Child,
    errors: Option<BufReader<ChildStderr>>,
}

impl Serving {
    fn start(mut command: Command) -> Serving {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let errors = child.stderr.take().map(BufReader::new);
        Serving { child, errors }
    }

    /// The next line on standard error.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.errors.as_mut().expect("a pipe").read_line(&mut line).expect("a line");
        line
    }

    fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it runs");
    }

    fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
