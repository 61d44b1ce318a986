//! An upstream that does as it is told, byte for byte; and the proxy in front of it.

use crate::support::{PATIENCE, Running, config, start};
use gateway_fastcgi::net::Address;
use gateway_server::mount::{MountTable, Proxy, ProxyConfig};
use gateway_server::serve::{Handler, Server};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What an upstream is asked on each of its connections.
pub(crate) struct Upstream {
    pub(crate) address: Address,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// Runs `script` for each connection, in a thread of its own that ends with the test.
    pub(crate) fn start(script: impl Fn(&mut Talk) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().into();
        let connections = Arc::new(AtomicUsize::new(0));
        let (script, count) = (Arc::new(script), Arc::clone(&connections));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_nodelay(true).unwrap();
                let script = Arc::clone(&script);
                std::thread::spawn(move || script(&mut Talk { stream, received: Vec::new(), number }));
            }
        });
        Self { address, connections }
    }

    /// Answers every request with `answer`, and keeps the connection.
    pub(crate) fn answering(answer: &'static str) -> Self {
        Self::start(move |talk| {
            while talk.head().is_some() {
                talk.send(answer);
            }
        })
    }

    /// Answers every request with its own head as the body.
    pub(crate) fn mirror() -> Self {
        Self::start(move |talk| {
            while let Some(head) = talk.head() {
                talk.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len()));
            }
        })
    }

    pub(crate) fn url(&self) -> String {
        self.address.to_string().replace("tcp:", "http://")
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// A gateway with this upstream at `/`.
    pub(crate) fn behind(&self, config: ProxyConfig) -> Running {
        self.behind_at("/", "", config)
    }

    /// A gateway with this upstream at `prefix`, with `path` in its URL.
    pub(crate) fn behind_at(&self, prefix: &str, path: &str, proxy: ProxyConfig) -> Running {
        let mut table = MountTable::new();
        let proxy = Proxy::new((self.url() + path).parse().unwrap(), proxy);
        table.mount(prefix.parse().unwrap(), Handler::asynchronous(proxy)).unwrap();
        // Clients that go away are to be noticed soon.
        start(Server::routed(table).config(config().half_close_timeout(Duration::from_millis(50))))
    }
}

/// One connection, seen from the upstream.
pub(crate) struct Talk {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
    /// Counts connections, from 0.
    pub(crate) number: usize,
}

impl Talk {
    /// The next request's head with its empty line; `None` at the end.
    pub(crate) fn head(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                return Some(String::from_utf8(self.received.drain(..at + 4).collect()).unwrap());
            }
            if !self.more() {
                return None;
            }
        }
    }

    pub(crate) fn take(&mut self, length: usize) -> Vec<u8> {
        while self.received.len() < length && self.more() {}
        let length = length.min(self.received.len());
        self.received.drain(..length).collect()
    }

    /// Sends as much as is taken.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Waits for the end of the connection.
    pub(crate) fn wait_for_end(&mut self) {
        while self.more() {
            self.received.clear();
        }
    }

    fn more(&mut self) -> bool {
        let mut buffer = [0; 64 << 10];
        let read = self.stream.read(&mut buffer).unwrap_or(0);
        self.received.extend_from_slice(&buffer[..read]);
        read > 0
    }
}
