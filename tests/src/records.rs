//! FastCGI records written by hand, right and wrong ones (FastCGI 1.0 §3.3).
//!
//! Deliberately not the codec under test: a mistake that both sides share would not show.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// `FCGI_BEGIN_REQUEST`
pub const BEGIN_REQUEST: u8 = 1;
/// `FCGI_ABORT_REQUEST`
pub const ABORT_REQUEST: u8 = 2;
/// `FCGI_END_REQUEST`
pub const END_REQUEST: u8 = 3;
/// `FCGI_PARAMS`
pub const PARAMS: u8 = 4;
/// `FCGI_STDIN`
pub const STDIN: u8 = 5;
/// `FCGI_STDOUT`
pub const STDOUT: u8 = 6;
/// `FCGI_GET_VALUES`
pub const GET_VALUES: u8 = 9;
/// `FCGI_GET_VALUES_RESULT`
pub const GET_VALUES_RESULT: u8 = 10;
/// `FCGI_UNKNOWN_TYPE`
pub const UNKNOWN_TYPE: u8 = 11;

/// One record as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its type.
    pub kind: u8,
    /// Its request.
    pub id: u16,
    /// Its content.
    pub content: Vec<u8>,
}

/// One record's bytes.
pub fn record(kind: u8, id: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a record holds at most 65535 bytes");
    let mut bytes = vec![1, kind];
    bytes.extend(id.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(content);
    bytes
}

/// A Responder request's beginning; `keep` is the flag `FCGI_KEEP_CONN`.
pub fn begin(id: u16, keep: bool) -> Vec<u8> {
    record(BEGIN_REQUEST, id, &[0, 1, u8::from(keep), 0, 0, 0, 0, 0])
}

/// One name-value pair with the shortest lengths.
pub fn pair(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in [name, value] {
        match u8::try_from(text.len()) {
            Ok(length) if length < 128 => bytes.push(length),
            _ => bytes.extend((0x8000_0000 | u32::try_from(text.len()).expect("a short text")).to_be_bytes()),
        }
    }
    bytes.extend(name.as_bytes());
    bytes.extend(value.as_bytes());
    bytes
}

/// The parameters of a GET of `path`.
pub fn get_parameters(path: &str) -> Vec<u8> {
    let pairs = [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", path),
        ("REQUEST_URI", path),
        ("QUERY_STRING", ""),
        ("SERVER_NAME", "localhost"),
        ("SERVER_PORT", "80"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
    ];
    pairs.iter().flat_map(|(name, value)| pair(name, value)).collect()
}

/// A whole GET request without a body.
pub fn get(id: u16, keep: bool, path: &str) -> Vec<u8> {
    let parameters = get_parameters(path);
    [begin(id, keep), record(PARAMS, id, &parameters), record(PARAMS, id, &[]), record(STDIN, id, &[])].concat()
}

/// A connection to a worker.
#[derive(Debug)]
pub struct Peer(UnixStream);

impl Peer {
    /// Connects to a worker's socket.
    pub fn connect(socket: &Path) -> Self {
        Self::new(UnixStream::connect(socket).expect("the worker listens"))
    }

    /// Connects to a worker's port.
    pub fn connect_tcp(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the worker listens");
        // Reading, writing and half-closing are the same for every stream socket.
        Self::new(OwnedFd::from(stream).into())
    }

    /// The server's side of a connection: a worker by hand.
    pub fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        Self(stream)
    }

    /// Sends bytes; the worker may have closed already.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// Tells the worker that nothing more will be sent.
    pub fn finish_sending(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Write);
    }

    /// The next record, or `None` when the worker closed.
    pub fn receive(&mut self) -> Option<Record> {
        let mut header = [0; 8];
        self.read(&mut header)?;
        let mut content = vec![0; usize::from(u16::from_be_bytes([header[4], header[5]]))];
        self.read(&mut content)?;
        self.read(&mut vec![0; usize::from(header[6])])?;
        assert_eq!(header[0], 1, "the worker's version");
        Some(Record { kind: header[1], id: u16::from_be_bytes([header[2], header[3]]), content })
    }

    /// Reads until the request ends and returns what it wrote to its output, or `None` when the worker closed before.
    pub fn receive_output(&mut self, id: u16) -> Option<String> {
        let mut output = Vec::new();
        loop {
            let record = self.receive()?;
            match record.kind {
                STDOUT if record.id == id => output.extend(record.content),
                END_REQUEST if record.id == id => return Some(String::from_utf8_lossy(&output).into_owned()),
                _ => {}
            }
        }
    }

    /// True when the worker closes without sending anything more.
    pub fn is_closed(&mut self) -> bool {
        self.receive().is_none()
    }

    fn read(&mut self, buffer: &mut [u8]) -> Option<()> {
        match self.0.read_exact(buffer) {
            Ok(()) => Some(()),
            Err(e) if matches!(e.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => None,
            Err(e) => panic!("the worker neither answers nor closes: {e}"),
        }
    }
}
