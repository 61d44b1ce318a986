//! A worker written by hand, record by record, that answers one connection as it was told; and the command that asks it.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use tempfile::TempDir;

pub(crate) const BEGIN: u8 = 1;
pub(crate) const END: u8 = 3;
pub(crate) const PARAMS: u8 = 4;
pub(crate) const STDIN: u8 = 5;
pub(crate) const STDOUT: u8 = 6;
pub(crate) const STDERR: u8 = 7;
pub(crate) const DATA: u8 = 8;
pub(crate) const GET_VALUES: u8 = 9;
pub(crate) const VALUES_RESULT: u8 = 10;
pub(crate) const UNKNOWN_TYPE: u8 = 11;

/// One record of request 1.
pub(crate) fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    record_of(1, kind, content)
}

pub(crate) fn record_of(id: u8, kind: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[1, kind, 0, id, high, low, 0, 0], content].concat()
}

/// END_REQUEST with an appStatus and a protocolStatus.
pub(crate) fn end(app: u8, protocol: u8) -> Vec<u8> {
    record(END, &[0, 0, 0, app, protocol, 0, 0, 0])
}

/// A whole answer.
pub(crate) fn answer(output: &str) -> Vec<u8> {
    [record(STDOUT, output.as_bytes()), record(STDOUT, b""), end(0, 0)].concat()
}

pub(crate) const HELLO: &str = "Content-Type: text/plain\r\n\r\nhello\n";

/// What the worker got.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) kinds: Vec<u8>,
    pub(crate) begin: Vec<u8>,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) stdin: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

impl Asked {
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn take(&mut self, kind: u8, content: &[u8]) {
        self.kinds.push(kind);
        match kind {
            BEGIN => self.begin = content.to_vec(),
            PARAMS => self.params.extend(pairs(content)),
            STDIN => self.stdin.extend_from_slice(content),
            DATA => self.data.extend_from_slice(content),
            _ => {}
        }
    }
}

/// Each record by itself, as PHP does (FCGI-45).
fn pairs(mut bytes: &[u8]) -> Vec<(String, String)> {
    fn length(bytes: &mut &[u8]) -> usize {
        let (first, rest) = bytes.split_first().unwrap();
        if *first < 128 {
            *bytes = rest;
            return usize::from(*first);
        }
        let (four, rest) = bytes.split_first_chunk::<4>().unwrap();
        *bytes = rest;
        usize::try_from(u32::from_be_bytes(*four) & 0x7fff_ffff).unwrap()
    }
    let mut pairs = Vec::new();
    while !bytes.is_empty() {
        let (name, value) = (length(&mut bytes), length(&mut bytes));
        let (name, rest) = bytes.split_at(name);
        let (value, rest) = rest.split_at(value);
        pairs.push((String::from_utf8(name.to_vec()).unwrap(), String::from_utf8(value.to_vec()).unwrap()));
        bytes = rest;
    }
    pairs
}

/// The worker's end of its connection.
pub(crate) struct Line {
    pub(crate) stream: UnixStream,
    pub(crate) asked: Asked,
}

impl Line {
    /// Reads up to the empty record of this type, or one GET_VALUES.
    pub(crate) fn read_to(&mut self, last: u8) {
        loop {
            let mut header = [0; 8];
            self.stream.read_exact(&mut header).unwrap();
            let [1, kind, _, _, high, low, padding, _] = header else { panic!("{header:?}") };
            let mut content = vec![0; usize::from(u16::from_be_bytes([high, low]))];
            self.stream.read_exact(&mut content).unwrap();
            self.stream.read_exact(&mut vec![0; usize::from(padding)]).unwrap();
            self.asked.take(kind, &content);
            if kind == last && (content.is_empty() || kind == GET_VALUES) {
                return;
            }
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }
}

/// A worker that is asked once.
pub(crate) struct Worker {
    pub(crate) folder: TempDir,
    thread: JoinHandle<Asked>,
}

impl Worker {
    /// Does as told with the first connection.
    pub(crate) fn start(conduct: impl FnOnce(&mut Line) + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("w.sock")).unwrap();
        let thread = std::thread::spawn(move || {
            let mut line = Line { stream: listener.accept().unwrap().0, asked: Asked::default() };
            conduct(&mut line);
            line.asked
        });
        Worker { folder, thread }
    }

    /// Reads a whole request and sends these bytes.
    pub(crate) fn answering(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self::start(move |line| {
            line.read_to(STDIN);
            line.write(bytes.as_ref());
        })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("w.sock")
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// `gateway fcgi get unix:… /uri flags`: what came of it, and what the worker saw.
    pub(crate) fn get(self, uri: &str, flags: &[&str]) -> (Done, Asked) {
        self.ask(&[&["get", "ADDR", uri], flags].concat(), b"")
    }

    /// Any command; the address stands in the place of `ADDR`.
    pub(crate) fn ask(self, arguments: &[&str], input: &[u8]) -> (Done, Asked) {
        let address = self.address();
        let arguments: Vec<&str> =
            arguments.iter().map(|word| if *word == "ADDR" { address.as_str() } else { word }).collect();
        let done = fcgi(&arguments, input);
        (done, self.thread.join().unwrap())
    }
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// `gateway fcgi …` with this standard input.
pub(crate) fn fcgi(arguments: &[&str], input: &[u8]) -> Done {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    // Who does not want input does not read it.
    let _ = writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.arg("fcgi").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
