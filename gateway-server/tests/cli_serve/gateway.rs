//! A running `gateway serve`, its log, and a client for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes, and short enough to notice.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running gateway; stopped on drop.
pub(crate) struct Gateway {
    child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
    port: u16,
}

impl Gateway {
    /// `gateway serve` in `folder` on a free port, with these flags.
    pub(crate) fn serve(folder: &Path, flags: &[&str]) -> Self {
        Self::serve_with(folder, flags, &[])
    }

    /// [`Gateway::serve`] with these variables in its environment.
    pub(crate) fn serve_with(folder: &Path, flags: &[&str], env: &[(&str, &Path)]) -> Self {
        let mut gateway = Self::started(folder, &[&["--listen", "127.0.0.1:0"], flags].concat(), env);
        let line = gateway.wait_for("listening on http://127.0.0.1:");
        let digits = line.split("listening on http://127.0.0.1:").nth(1).unwrap();
        gateway.port = digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap();
        gateway
    }

    /// `gateway serve` with these flags alone.
    pub(crate) fn start(folder: &Path, flags: &[&str]) -> Self {
        Self::start_with(folder, flags, &[])
    }

    /// [`Gateway::start`] with these variables in its environment.
    pub(crate) fn start_with(folder: &Path, flags: &[&str], env: &[(&str, &Path)]) -> Self {
        Self::started(folder, flags, env)
    }

    fn started(folder: &Path, flags: &[&str], env: &[(&str, &Path)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.envs(env.iter().copied());
        command.arg("serve").args(flags).current_dir(folder).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Gateway { child, lines, log: Vec::new(), port: 0 }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first line of the log, from here on, that holds `text`.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line with {text:?} in {:#?}", self.log));
            self.log.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end; the exit status and the whole log.
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>) {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.log.push(line);
        }
        (self.child.wait().unwrap(), std::mem::take(&mut self.log))
    }

    /// Waits for the end of the process alone: another may still write to its log.
    pub(crate) fn end_of_process(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub(crate) fn stop(self) -> (ExitStatus, Vec<String>) {
        self.signal(Signal::TERM);
        self.end()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends a request and reads the answer to its end. HTTP/1.0 keeps the framing simple.
    pub(crate) fn ask(&self, method: &str, path: &str, fields: &[&str], body: &str) -> Answer {
        let mut stream = self.connect();
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: localhost\r\n").unwrap();
        for field in fields {
            write!(stream, "{field}\r\n").unwrap();
        }
        if !body.is_empty() {
            write!(stream, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        write!(stream, "\r\n{body}").unwrap();
        Answer::read(stream)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn read(mut stream: impl Read) -> Self {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        let all = String::from_utf8(all).unwrap();
        let (head, body) = all.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {all:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// What follows `name: ` or `name = ` at the start of a line of the body.
    pub(crate) fn line(&self, name: &str) -> &str {
        let value = |line: &'_ str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([':', ' ']));
        let line = self.body.lines().find(|line| value(line)).unwrap_or_else(|| panic!("no {name} in {}", self.body));
        line[name.len()..].trim_start_matches([':', '=', ' '])
    }
}

/// Whether a process is there, running or waiting to be collected.
pub(crate) fn is_there(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// The processes that a process has started and that are still there.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of_task =
        |task: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(task.ok()?.path().join("children")).ok();
    let lists: String = tasks.filter_map(of_task).collect();
    lists.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// One request on a connection that goes on; its answer is 200 and has a length.
pub(crate) fn ask(stream: &mut (impl Read + Write)) {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    stream.read_exact(&mut vec![0; length]).unwrap();
}
