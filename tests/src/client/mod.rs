//! A strict HTTP/1.1 client over a plain socket, for tests.
//!
//! It says exactly what it is told to, also what no client should, and accepts nothing that RFC 9112 forbids a server to
//! send. Bodies stream in both directions at once: sent from a pattern, received into a count, a hash and a first part,
//! so that a gigabyte needs no memory. Holds the request, the connection and the exchange; a response is in
//! [`response`], its reading in `reader`, bodies in [`content`].

pub mod content;
pub mod http2;
mod reader;
pub mod response;

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

pub use content::{Content, Payload};
pub use response::{Broken, Response};

use reader::Reader;

/// How long one read or write may take; a server that needs longer hangs.
const IO_LIMIT: Duration = Duration::from_secs(60);

/// One request, as it will be on the wire.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, any bytes that fit a `str`.
    pub method: String,
    /// The request target as it is sent.
    pub target: String,
    /// The fields in their order; `Host` and the framing fields are added when they are missing.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Payload,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), fields: Vec::new(), body: Payload::None }
    }

    /// A GET request.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST request with a body.
    pub fn post(target: &str, body: impl Into<Payload>) -> Self {
        Self { body: body.into(), ..Self::new("POST", target) }
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The target's part before `?`.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The target's part behind `?`.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    fn head(&self, host: SocketAddr) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str(&format!("Host: {host}\r\n"));
        }
        for (name, value) in &self.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&self.body.framing_field());
        head.push_str("\r\n");
        head
    }
}

/// One connection to a server.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    reader: Reader<TcpStream>,
    host: SocketAddr,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(IO_LIMIT))?;
        stream.set_write_timeout(Some(IO_LIMIT))?;
        stream.set_nodelay(true)?;
        let reader = Reader::new(stream.try_clone()?);
        Ok(Self { stream, reader, host: address })
    }

    /// Sends the request and reads the answer, both at once: a server may answer before the request's end.
    ///
    /// # Errors
    /// [`Broken`] says which rule the answer breaks. A body that ends early is no error here: see [`Content::complete`].
    pub fn exchange(&mut self, request: &Request) -> Result<Response, Broken> {
        let head = request.head(self.host);
        let (stream, reader) = (&self.stream, &mut self.reader);
        if request.body.is_empty() {
            (&*stream).write_all(head.as_bytes()).map_err(Broken::Io)?;
            return reader.response(&request.method);
        }
        std::thread::scope(|scope| {
            // The server may answer and close without having read everything; what counts is its answer.
            scope.spawn(move || {
                let mut out = stream;
                let _ = out.write_all(head.as_bytes()).and_then(|()| request.body.write_to(&mut out));
            });
            let answer = reader.response(&request.method);
            if answer.as_ref().map_or(true, |r| !r.is_persistent()) {
                // A server that answered and stopped reading must not leave the sending thread hanging.
                let _ = stream.shutdown(Shutdown::Both);
            }
            answer
        })
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Tells the server that nothing more will be sent.
    pub fn finish_sending(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Reads the next response, to a request of that method.
    pub fn receive(&mut self, method: &str) -> Result<Response, Broken> {
        self.reader.response(method)
    }

    /// Reads at least one byte of whatever the server sends and returns how many came; 0 at the end.
    pub fn receive_some(&mut self) -> io::Result<usize> {
        self.reader.receive_some()
    }

    /// Reads the interim response `100 Continue` and nothing behind it.
    pub fn receive_continue(&mut self) -> Result<(), Broken> {
        self.reader.interim()
    }

    /// Waits for the server to close the connection; true if it sends nothing more before.
    pub fn is_at_end(&mut self) -> bool {
        match self.reader.receive_some() {
            Ok(got) => got == 0,
            // Closing with unread input resets the connection.
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

/// Sends one request on a connection of its own.
///
/// # Errors
/// As [`Connection::exchange`].
pub fn send(address: SocketAddr, request: &Request) -> Result<Response, Broken> {
    Connection::open(address).map_err(Broken::Io)?.exchange(request)
}
