//! A server in a thread, and a client that speaks in bytes.

use gateway_fastcgi::net::Address;
use gateway_server::serve::{Bound, Config, Server, ServerHandle};
use gateway_spec::{AppError, Application, Body, Bytes, Environ, StartResponse, StatusCode, headers};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn config() -> Config {
    Config::default().threads(4).linger_timeout(Duration::from_millis(300)).stop_timeout(PATIENCE)
}

/// A running server; stopped and joined on drop.
pub(crate) struct Running {
    port: u16,
    handle: ServerHandle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

pub(crate) fn serve(app: impl Application) -> Running {
    start(Server::new(app).config(config()))
}

pub(crate) fn serve_with(config: Config, app: impl Application) -> Running {
    start(Server::new(app).config(config))
}

pub(crate) fn start(server: Server) -> Running {
    let bound: Bound = server.bind("127.0.0.1:0").unwrap();
    let Some(Address::Tcp { port, .. }) = bound.addresses().next() else { panic!("no address") };
    let (port, handle) = (*port, bound.handle());
    Running { port, handle, thread: Some(std::thread::spawn(|| bound.run())) }
}

impl Running {
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.port)
    }

    /// One request on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Response {
        let mut client = self.client();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        client.response()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn stop(&self) {
        self.handle.stop();
    }

    /// Waits for the server's end.
    pub(crate) fn join(mut self) -> std::io::Result<()> {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, received: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends as much as the server takes.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    pub(crate) fn finish_sending(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// The next response, to a request that was not HEAD.
    pub(crate) fn response(&mut self) -> Response {
        let mut response = self.response_head();
        response.body = if let Some(length) = response.field("content-length") {
            let length = length.parse().unwrap();
            self.take(length)
        } else if response.field("transfer-encoding") == Some("chunked") {
            self.chunks()
        } else if matches!(response.status, 100 | 204 | 304) {
            Vec::new()
        } else {
            self.rest()
        };
        response
    }

    /// The next response's head alone.
    pub(crate) fn response_head(&mut self) -> Response {
        let head = self.take_through(b"\r\n\r\n");
        let head = String::from_utf8(head).unwrap();
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest[..3].parse().ok());
        Response { status: status.unwrap_or_else(|| panic!("{head:?}")), head, body: Vec::new() }
    }

    /// One chunk's data; empty for the last one, after which no trailer is expected.
    pub(crate) fn chunk(&mut self) -> Vec<u8> {
        let line = String::from_utf8(self.take_through(b"\r\n")).unwrap();
        let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
        let data = self.take(size);
        assert_eq!(self.take(2), b"\r\n");
        data
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk();
            if chunk.is_empty() {
                return body;
            }
            body.extend_from_slice(&chunk);
        }
    }

    pub(crate) fn take(&mut self, length: usize) -> Vec<u8> {
        while self.received.len() < length {
            assert!(self.more(), "closed after {} of {length} bytes", self.received.len());
        }
        self.received.drain(..length).collect()
    }

    fn take_through(&mut self, end: &[u8]) -> Vec<u8> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.received[searched..].windows(end.len()).position(|window| window == end) {
                return self.received.drain(..searched + at + end.len()).collect();
            }
            searched = self.received.len().saturating_sub(end.len() - 1);
            assert!(self.more(), "closed after {:?}", String::from_utf8_lossy(&self.received));
        }
    }

    /// Everything until the server closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.received)
    }

    /// Nothing more comes, and the connection ends.
    #[track_caller]
    pub(crate) fn expect_closed(&mut self) {
        let rest = self.rest();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    fn more(&mut self) -> bool {
        let mut buffer = [0; 64 << 10];
        match self.stream.read(&mut buffer) {
            Ok(read) => {
                self.received.extend_from_slice(&buffer[..read]);
                read > 0
            }
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => false,
            Err(e) => panic!("{e}"),
        }
    }
}

/// Waits until `done`; fails after [`PATIENCE`].
#[track_caller]
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

/// Answers with `body` and 200.
pub(crate) fn ok(start_response: StartResponse, body: impl Into<Body>) -> Result<Body, AppError> {
    start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
    Ok(body.into())
}

/// Counts what it is told to count.
#[derive(Clone, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Says the path and, for a request with a body, what came with it.
pub(crate) fn echo(mut environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
    let path = environ.path_info().to_string();
    let body = environ.input.read_all(1 << 20)?;
    ok(start_response, Bytes::from([path.as_bytes(), b" ", &body[..]].concat()))
}
