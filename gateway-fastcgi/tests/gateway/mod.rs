//! A small gateway made of the client machine and a blocking socket, and a worker in its own runtime.

use bytes::{Buf, Bytes};
use gateway_fastcgi::connection::{ClientConnection, ClientEvent};
use gateway_fastcgi::net::{Address, ListenOptions, Listener};
use gateway_fastcgi::protocol::{
    BeginRequest, EndRequest, PeerValues, RecordHeader, RecordType, RequestId, Role, ValueName,
};
use gateway_fastcgi::worker::{Worker, WorkerConfig, WorkerHandle};
use gateway_spec::Application;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// No test waits longer than this for something that does not come.
const LATE: Duration = Duration::from_secs(20);

/// A worker that is being served.
pub(crate) struct Running {
    pub(crate) address: Address,
    pub(crate) handle: WorkerHandle,
    serving: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Running {
    pub(crate) fn unix(app: impl Application, config: WorkerConfig) -> Self {
        Self::start(app, config, |folder| Source::Bind(Address::unix(folder.join("worker"))))
    }

    pub(crate) fn tcp(app: impl Application, config: WorkerConfig) -> Self {
        Self::start(app, config, |_| Source::Bind(Address::tcp("127.0.0.1", 0)))
    }

    pub(crate) fn tcp_at(host: &str, app: impl Application, config: WorkerConfig) -> Self {
        Self::start(app, config, |_| Source::Bind(Address::tcp(host, 0)))
    }

    pub(crate) fn inherited(app: impl Application, config: WorkerConfig, socket: OwnedFd) -> Self {
        Self::start(app, config, |_| Source::Take(socket))
    }

    fn start(app: impl Application, config: WorkerConfig, source: impl FnOnce(&std::path::Path) -> Source) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let source = source(folder.path());
        let listener = runtime.block_on(async {
            match source {
                Source::Bind(address) => Listener::bind(&address, &ListenOptions::default()).await.unwrap(),
                Source::Take(socket) => Listener::from_fd(socket).unwrap(),
            }
        });
        let address = listener.address().clone();
        let worker = Worker::with_config(app, config);
        let handle = worker.handle();
        let serving = Some(runtime.spawn(worker.serve(listener)));
        Self { address, handle, serving, runtime, _folder: folder }
    }

    /// Waits until the worker has returned.
    #[track_caller]
    pub(crate) fn ended(mut self) {
        let serving = self.serving.take().unwrap();
        let ended = self.runtime.block_on(async { tokio::time::timeout(LATE, serving).await });
        ended.expect("the worker ends").unwrap().unwrap();
    }
}

enum Source {
    Bind(Address),
    Take(OwnedFd),
}

/// Parameters by name.
pub(crate) type Variables = Vec<(String, String)>;

pub(crate) fn get(path: &str) -> Variables {
    let pairs = [
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", path),
        ("QUERY_STRING", ""),
        ("SERVER_NAME", "localhost"),
        ("SERVER_PORT", "80"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

pub(crate) fn post(path: &str, length: usize) -> Variables {
    let mut variables = get(path);
    variables[0].1 = "POST".to_owned();
    variables.push(("CONTENT_LENGTH".to_owned(), length.to_string()));
    variables
}

/// An answer as a gateway sees it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The header block, without the blank line.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) end: EndRequest,
}

trait Socket: Read + Write + Send {
    fn set_nonblocking(&self, yes: bool);
    fn finish_sending(&self);
}

impl Socket for std::os::unix::net::UnixStream {
    fn set_nonblocking(&self, yes: bool) {
        Self::set_nonblocking(self, yes).unwrap();
    }

    fn finish_sending(&self) {
        self.shutdown(std::net::Shutdown::Write).unwrap();
    }
}

impl Socket for std::net::TcpStream {
    fn set_nonblocking(&self, yes: bool) {
        Self::set_nonblocking(self, yes).unwrap();
    }

    fn finish_sending(&self) {
        self.shutdown(std::net::Shutdown::Write).unwrap();
    }
}

/// One connection of a gateway.
pub(crate) struct Gateway {
    socket: Box<dyn Socket>,
    machine: ClientConnection,
    pub(crate) stdout: Vec<u8>,
    stderr: Vec<u8>,
    end: Option<EndRequest>,
    values: Option<PeerValues>,
}

impl Gateway {
    pub(crate) fn connect(running: &Running) -> Self {
        let socket: Box<dyn Socket> = match &running.address {
            Address::Unix(path) => {
                let socket = std::os::unix::net::UnixStream::connect(path).unwrap();
                socket.set_read_timeout(Some(LATE)).unwrap();
                socket.set_write_timeout(Some(LATE)).unwrap();
                Box::new(socket)
            }
            Address::Tcp { host, port } => {
                let socket = std::net::TcpStream::connect((host.as_str(), *port)).unwrap();
                socket.set_read_timeout(Some(LATE)).unwrap();
                socket.set_write_timeout(Some(LATE)).unwrap();
                Box::new(socket)
            }
        };
        let machine = ClientConnection::new();
        Self { socket, machine, stdout: Vec::new(), stderr: Vec::new(), end: None, values: None }
    }

    /// One whole request on a connection that is kept.
    #[track_caller]
    pub(crate) fn ask(&mut self, variables: &Variables, body: &[u8]) -> Answer {
        self.ask_with(variables, body, true)
    }

    /// The last request of a connection.
    #[track_caller]
    pub(crate) fn ask_last(&mut self, variables: &Variables, body: &[u8]) -> Answer {
        self.ask_with(variables, body, false)
    }

    #[track_caller]
    fn ask_with(&mut self, variables: &Variables, body: &[u8], keep: bool) -> Answer {
        self.begin_with(variables, keep);
        // Piece by piece, taking in what is answered meanwhile: never write all before reading (FCGI-116).
        for piece in body.chunks(32 * 1024) {
            self.send_stdin(piece);
            self.take_in_what_is_there();
        }
        self.end_stdin();
        self.answer()
    }

    /// As a simple gateway does it: everything is written before anything is read.
    #[track_caller]
    pub(crate) fn ask_half_duplex(&mut self, variables: &Variables, body: &[u8]) -> Answer {
        self.begin(variables);
        self.send_stdin(body);
        self.end_stdin();
        self.answer()
    }

    pub(crate) fn begin(&mut self, variables: &Variables) {
        self.begin_with(variables, true);
    }

    fn begin_with(&mut self, variables: &Variables, keep_connection: bool) {
        (self.stdout, self.stderr, self.end) = (Vec::new(), Vec::new(), None);
        let pairs = variables.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        self.machine.send_request(BeginRequest { role: Role::RESPONDER, keep_connection }, pairs).unwrap();
        self.flush();
    }

    pub(crate) fn send_stdin(&mut self, data: &[u8]) {
        // An early answer may have ended the request; then the rest is not wanted, but a gateway may send it all the same.
        if self.machine.send_stdin(RequestId::ONE, Bytes::copy_from_slice(data)).is_ok() {
            self.flush();
        } else {
            self.send_late(data);
        }
    }

    pub(crate) fn end_stdin(&mut self) {
        if self.machine.end_stdin(RequestId::ONE).is_ok() {
            self.flush();
        } else {
            self.send_late(b"");
            self.renew();
        }
    }

    /// What a gateway does that has not noticed yet that the request is over.
    fn send_late(&mut self, data: &[u8]) {
        for piece in data.chunks(60_000).chain(data.is_empty().then_some(data)) {
            let header = RecordHeader::new(RecordType::STDIN, 1, u16::try_from(piece.len()).unwrap());
            self.send_raw(&header.encode());
            self.send_raw(piece);
        }
    }

    /// The machine would not use this connection again; after the end of STDIN was sent by hand, or a farewell heard, this gateway does.
    pub(crate) fn renew(&mut self) {
        self.machine = ClientConnection::new();
    }

    pub(crate) fn abort(&mut self) {
        self.machine.send_abort(RequestId::ONE).unwrap();
        self.flush();
    }

    /// The gateway will send nothing more.
    pub(crate) fn finish_sending(&mut self) {
        self.socket.finish_sending();
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        // A worker may have closed already; the reading side tells.
        let _ = self.socket.write_all(bytes);
    }

    fn flush(&mut self) {
        let output = self.machine.output();
        let bytes = output.copy_to_bytes(output.remaining());
        self.send_raw(&bytes);
    }

    /// Waits for the answer to end.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer().expect("a whole answer")
    }

    #[track_caller]
    pub(crate) fn try_answer(&mut self) -> Result<Answer, String> {
        while self.end.is_none() {
            self.read_once()?;
        }
        let stdout = std::mem::take(&mut self.stdout);
        let cut = stdout.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = cut.map_or((&stdout[..0], &stdout[..]), |at| (&stdout[..at + 2], &stdout[at + 4..]));
        Ok(Answer {
            head: String::from_utf8(head.to_vec()).unwrap(),
            body: body.to_vec(),
            stderr: std::mem::take(&mut self.stderr),
            end: self.end.take().unwrap(),
        })
    }

    #[track_caller]
    pub(crate) fn read_until_stdout(&mut self) {
        while self.stdout.is_empty() {
            self.read_some();
        }
    }

    #[track_caller]
    pub(crate) fn read_some(&mut self) {
        self.read_once().expect("more output");
    }

    fn read_once(&mut self) -> Result<(), String> {
        let mut buffer = vec![0; 256 * 1024];
        match self.socket.read(&mut buffer) {
            Ok(0) => self.machine.receive_end(),
            Ok(length) => self.machine.receive(&buffer[..length]),
            Err(error) => return Err(error.to_string()),
        }
        self.events()
    }

    fn events(&mut self) -> Result<(), String> {
        while let Some(event) = self.machine.next_event().map_err(|error| error.to_string())? {
            match event {
                ClientEvent::Stdout { data, .. } => self.stdout.extend_from_slice(&data),
                ClientEvent::Stderr { data, .. } => self.stderr.extend_from_slice(&data),
                ClientEvent::End { end, .. } => self.end = Some(end),
                ClientEvent::Values(values) => self.values = Some(values),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads what is there without waiting.
    fn take_in_what_is_there(&mut self) {
        self.socket.set_nonblocking(true);
        let read = self.read_once();
        self.socket.set_nonblocking(false);
        // Nothing there is no mistake; a lost connection shows when the answer is waited for.
        let _ = read;
    }

    /// Has nothing come so far?
    pub(crate) fn has_got_nothing(&mut self) -> bool {
        self.take_in_what_is_there();
        self.stdout.is_empty() && self.end.is_none()
    }

    #[track_caller]
    pub(crate) fn values(&mut self) -> PeerValues {
        self.machine.send_get_values(&ValueName::ALL);
        self.flush();
        while self.values.is_none() {
            self.read_some();
        }
        self.values.take().unwrap()
    }

    /// The next read: its records' ids and types, and its bytes.
    #[track_caller]
    pub(crate) fn one_read(&mut self) -> (Vec<(u16, RecordType)>, Vec<u8>) {
        let mut buffer = vec![0; 64 * 1024];
        let length = self.socket.read(&mut buffer).unwrap();
        buffer.truncate(length);
        self.machine.receive(&buffer);
        self.events().unwrap();
        assert!(self.end.take().is_some(), "the end is in the same write");
        let mut records = Vec::new();
        let mut rest = &buffer[..];
        while let Some(header) = RecordHeader::decode(rest).unwrap() {
            records.push((header.id, header.kind));
            rest = &rest[8 + usize::from(header.content_length) + usize::from(header.padding_length)..];
        }
        (records, buffer)
    }

    /// Does the worker say that it is about to close, before it does?
    pub(crate) fn hears_farewell(&mut self) -> bool {
        while !self.machine.is_spent() {
            if self.read_once().is_err() || !(self.machine.has_room() || self.machine.is_spent()) {
                return false;
            }
        }
        self.end.is_none()
    }

    /// Does the worker close, without having said anything?
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut buffer = [0; 64];
        match self.socket.read(&mut buffer) {
            Ok(length) => length == 0,
            // A reset for what was still on its way to the worker.
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    /// A request for values, answered: had anything else been sent before, the machine would refuse it.
    #[track_caller]
    pub(crate) fn nothing_follows(&mut self) -> bool {
        self.machine.send_get_values(&[ValueName::MaxConns]);
        self.flush();
        while self.values.is_none() {
            if self.read_once().is_err() {
                return false;
            }
        }
        self.values.take().is_some() && self.stdout.is_empty() && self.end.is_none()
    }
}
