//! A gateway that writes and reads records of many requests by hand, and a worker in its own runtime.

use gateway_fastcgi::net::{Address, ListenOptions, Listener};
use gateway_fastcgi::protocol::{
    BeginRequest, EndRequest, Pair, PairLimits, Params, ProtocolStatus, RecordHeader, RecordType, Role,
};
use gateway_fastcgi::worker::{Worker, WorkerConfig, WorkerHandle};
use gateway_spec::Application;
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// No test waits longer than this for something that does not come.
const LATE: Duration = Duration::from_secs(30);

/// Where an application waits until it is let go, and a test sees how many are in it.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<(usize, bool)>, Condvar)>);

impl Gate {
    /// Nobody waits in it; it only counts.
    pub(crate) fn open() -> Self {
        let gate = Self::default();
        gate.let_go();
        gate
    }

    pub(crate) fn enter(&self) {
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        state.0 += 1;
        changed.notify_all();
        let waited = changed.wait_timeout_while(state, LATE, |state| !state.1).unwrap();
        assert!(!waited.1.timed_out(), "nobody was let go");
    }

    pub(crate) fn let_go(&self) {
        self.0.0.lock().unwrap().1 = true;
        self.0.1.notify_all();
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) {
        let state = self.0.0.lock().unwrap();
        let waited = self.0.1.wait_timeout_while(state, LATE, |state| state.0 < count).unwrap();
        assert!(!waited.1.timed_out(), "{} came in, {count} were to come", waited.0.0);
    }
}

pub(crate) fn big(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// A worker that is being served.
pub(crate) struct Running {
    address: Address,
    pub(crate) handle: WorkerHandle,
    serving: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Running {
    pub(crate) fn new(app: impl Application, config: WorkerConfig) -> Self {
        Self::of(Worker::with_config(app, config))
    }

    pub(crate) fn of(worker: Worker) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
        let address = Address::unix(folder.path().join("worker"));
        let listener = runtime.block_on(Listener::bind(&address, &ListenOptions::default())).unwrap();
        let handle = worker.handle();
        let serving = Some(runtime.spawn(worker.serve(listener)));
        Self { address, handle, serving, runtime, _folder: folder }
    }

    #[track_caller]
    pub(crate) fn ended(mut self) {
        let serving = self.serving.take().unwrap();
        let ended = self.runtime.block_on(async { tokio::time::timeout(LATE, serving).await });
        ended.expect("the worker ends").unwrap().unwrap();
    }
}

/// What came for one request.
#[derive(Debug, Default, Clone)]
pub(crate) struct Answer {
    stdout: Vec<u8>,
    received: usize,
    ends: Vec<EndRequest>,
}

impl Answer {
    fn cut(&self) -> usize {
        self.stdout.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4
    }

    pub(crate) fn head(&self) -> &str {
        std::str::from_utf8(&self.stdout[..self.cut()]).unwrap()
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.stdout[self.cut()..]
    }
}

/// One connection of a gateway.
pub(crate) struct Connection {
    socket: UnixStream,
    unread: Vec<u8>,
    answers: HashMap<u16, Answer>,
    values: Option<Vec<u8>>,
    seen: Vec<(RecordType, u16)>,
    held: Option<Vec<u8>>,
}

impl Connection {
    pub(crate) fn to(running: &Running) -> Self {
        let Address::Unix(path) = &running.address else { panic!("a unix socket") };
        let socket = UnixStream::connect(path).unwrap();
        socket.set_read_timeout(Some(LATE)).unwrap();
        Self { socket, unread: Vec::new(), answers: HashMap::new(), values: None, seen: Vec::new(), held: None }
    }

    /// From here on nothing is written before [`Connection::send`].
    pub(crate) fn hold(&mut self) {
        self.held = Some(Vec::new());
    }

    pub(crate) fn send(&mut self) {
        let held = self.held.take().unwrap();
        self.write(&held);
    }

    /// Writes, and reads what comes meanwhile: a gateway never does one after the other.
    fn write(&mut self, mut bytes: &[u8]) {
        if let Some(held) = &mut self.held {
            held.extend_from_slice(bytes);
            return;
        }
        self.socket.set_nonblocking(true).unwrap();
        while !bytes.is_empty() {
            match self.socket.write(bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.read_now();
                    std::thread::yield_now();
                }
                // The reading side tells.
                Err(_) => break,
            }
        }
        self.socket.set_nonblocking(false).unwrap();
    }

    fn record(&mut self, kind: RecordType, id: u16, content: &[u8]) {
        let header = RecordHeader::new(kind, id, u16::try_from(content.len()).unwrap());
        self.write(&[&header.encode(), content].concat());
    }

    pub(crate) fn begin_only(&mut self, id: u16) {
        self.answers.remove(&id);
        let body = BeginRequest { role: Role::RESPONDER, keep_connection: true }.encode();
        self.record(RecordType::BEGIN_REQUEST, id, &body);
    }

    /// A request whose body follows.
    pub(crate) fn begin(&mut self, id: u16, method: &str, path: &str, length: Option<usize>) {
        self.begin_only(id);
        let length = length.map_or(String::new(), |length| length.to_string());
        let pairs = [
            ("REQUEST_METHOD", method),
            ("SCRIPT_NAME", ""),
            ("PATH_INFO", path),
            ("QUERY_STRING", ""),
            ("SERVER_NAME", "localhost"),
            ("SERVER_PORT", "80"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("CONTENT_LENGTH", &length),
        ];
        let mut params = Vec::new();
        for (name, value) in pairs {
            Pair::new(name.as_bytes(), value.as_bytes()).unwrap().encode(&mut params);
        }
        self.record(RecordType::PARAMS, id, &params);
        self.record(RecordType::PARAMS, id, b"");
    }

    pub(crate) fn get(&mut self, id: u16, path: &str) {
        self.begin(id, "GET", path, None);
        self.stdin(id, b"");
    }

    /// Records of STDIN; the end if there is no data.
    pub(crate) fn stdin(&mut self, id: u16, data: &[u8]) {
        if data.is_empty() {
            self.record(RecordType::STDIN, id, b"");
        }
        for piece in data.chunks(32_000) {
            self.record(RecordType::STDIN, id, piece);
        }
    }

    pub(crate) fn abort(&mut self, id: u16) {
        self.record(RecordType::ABORT_REQUEST, id, b"");
    }

    fn answer_of(&mut self, id: u16) -> &mut Answer {
        self.answers.entry(id).or_default()
    }

    /// Waits for the whole answer.
    #[track_caller]
    pub(crate) fn answer(&mut self, id: u16) -> Answer {
        assert_eq!(self.ends(id), ProtocolStatus::REQUEST_COMPLETE);
        self.answers.remove(&id).unwrap()
    }

    /// Waits for END_REQUEST, and says how the request ended.
    #[track_caller]
    pub(crate) fn ends(&mut self, id: u16) -> ProtocolStatus {
        while self.answer_of(id).ends.is_empty() {
            assert!(self.read(), "the connection was closed before {id} had ended: {:?}", self.seen);
        }
        let ends = &self.answer_of(id).ends;
        assert_eq!(ends.len(), 1, "{id} has ended more than once");
        ends[0].protocol_status
    }

    /// How many bytes of STDOUT came.
    pub(crate) fn received(&self, id: u16) -> usize {
        self.answers.get(&id).map_or(0, |answer| answer.received)
    }

    /// Reads until so many bytes of STDOUT came.
    #[track_caller]
    pub(crate) fn read_bytes(&mut self, id: u16, count: usize) {
        while self.received(id) < count {
            assert!(self.read(), "closed");
        }
    }

    /// Asks until a request is turned down.
    #[track_caller]
    pub(crate) fn until_refused(&mut self, id: u16) {
        loop {
            self.get(id, "/hello");
            match self.ends(id) {
                ProtocolStatus::OVERLOADED => return,
                status => assert_eq!(status, ProtocolStatus::REQUEST_COMPLETE),
            }
        }
    }

    /// Reads to the end of the connection: the records that came.
    #[track_caller]
    pub(crate) fn until_closed(&mut self) -> Vec<(RecordType, u16)> {
        self.seen.clear();
        while self.read() {}
        std::mem::take(&mut self.seen)
    }

    #[track_caller]
    pub(crate) fn values(&mut self) -> Vec<(&'static str, &'static str)> {
        let mut query = Vec::new();
        for name in ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"] {
            Pair::new(name.as_bytes(), b"").unwrap().encode(&mut query);
        }
        self.record(RecordType::GET_VALUES, 0, &query);
        while self.values.is_none() {
            assert!(self.read(), "closed");
        }
        let limits = PairLimits { max_name_bytes: 99, max_value_bytes: 99, max_pairs: 9 };
        let values = Params::decode(self.values.take().unwrap().into(), &limits).unwrap();
        let text = |bytes: &[u8]| &*String::from_utf8(bytes.to_vec()).unwrap().leak();
        values.iter().map(|pair| (text(pair.name()), text(pair.value()))).collect()
    }

    /// Reads once; says whether the connection is still open.
    fn read(&mut self) -> bool {
        let mut buffer = vec![0; 256 * 1024];
        match self.socket.read(&mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                self.take(&buffer[..length]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn read_now(&mut self) {
        let mut buffer = vec![0; 256 * 1024];
        if let Ok(length) = self.socket.read(&mut buffer) {
            self.take(&buffer[..length]);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        let unread = std::mem::take(&mut self.unread);
        let mut rest = &unread[..];
        while let Some(header) = RecordHeader::decode(rest).unwrap() {
            let (content, padding) = (usize::from(header.content_length), usize::from(header.padding_length));
            if rest.len() < 8 + content + padding {
                break;
            }
            self.sort(header, &rest[8..8 + content]);
            rest = &rest[8 + content + padding..];
        }
        self.unread = rest.to_vec();
    }

    fn sort(&mut self, header: RecordHeader, content: &[u8]) {
        self.seen.push((header.kind, header.id));
        match header.kind {
            RecordType::STDOUT => {
                let answer = self.answer_of(header.id);
                assert!(answer.ends.is_empty(), "output after the end of {}", header.id);
                answer.received += content.len();
                // A flood is counted, not kept.
                if answer.stdout.len() < 8 << 20 {
                    answer.stdout.extend_from_slice(content);
                }
            }
            RecordType::END_REQUEST => {
                let end = EndRequest::decode(content).unwrap();
                self.answer_of(header.id).ends.push(end);
            }
            RecordType::GET_VALUES_RESULT => self.values = Some(content.to_vec()),
            _ => {}
        }
    }
}
