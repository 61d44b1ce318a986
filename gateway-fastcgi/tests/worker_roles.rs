//! Authorizers and Filters over real sockets, asked record by record.
#![cfg(feature = "worker")]
// The lints know tests by their attribute; what only tests call is test code too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::needless_pass_by_value)] // an application's signature is the contract's

use gateway_fastcgi::net::{Address, ListenOptions, Listener};
use gateway_fastcgi::protocol::{BeginRequest, EndRequest, Pair, ProtocolStatus, RecordHeader, RecordType, Role};
use gateway_fastcgi::worker::{FilterData, Roles, Verdict, Worker, WorkerConfig, WorkerHandle};
use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

/// No test waits longer than this for something that does not come.
const LATE: Duration = Duration::from_secs(20);

/// A worker that is being served.
struct Running {
    path: std::path::PathBuf,
    handle: WorkerHandle,
    _runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

fn serve(roles: Roles) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (address, options) = (Address::unix(&path), ListenOptions::default());
    let listener = runtime.block_on(Listener::bind(&address, &options)).unwrap();
    let worker = Worker::with_roles(roles, WorkerConfig::default());
    let handle = worker.handle();
    runtime.spawn(worker.serve(listener));
    Running { path, handle, _runtime: runtime, _folder: folder }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

/// A connection of a gateway that keeps it.
struct Wire(UnixStream);

impl Wire {
    fn connect(running: &Running) -> Self {
        let socket = UnixStream::connect(&running.path).unwrap();
        socket.set_read_timeout(Some(LATE)).unwrap();
        socket.set_write_timeout(Some(LATE)).unwrap();
        Self(socket)
    }

    fn record(&mut self, kind: RecordType, content: &[u8]) {
        let header = RecordHeader::new(kind, 1, u16::try_from(content.len()).unwrap());
        self.0.write_all(&[&header.encode(), content].concat()).unwrap();
    }

    fn begin(&mut self, role: Role, params: &[(&str, &str)]) {
        let common = [
            ("REQUEST_METHOD", "POST"),
            ("SERVER_NAME", "localhost"),
            ("SERVER_PORT", "80"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("REQUEST_URI", "/staff/plans"),
        ];
        let mut list = Vec::new();
        for (name, value) in common.iter().chain(params) {
            Pair::new(name.as_bytes(), value.as_bytes()).unwrap().encode(&mut list);
        }
        self.record(RecordType::BEGIN_REQUEST, &BeginRequest { role, keep_connection: true }.encode());
        self.record(RecordType::PARAMS, &list);
        self.record(RecordType::PARAMS, b"");
    }

    /// A whole stream, with its end.
    fn stream(&mut self, kind: RecordType, bytes: &[u8]) {
        for piece in bytes.chunks(30_000) {
            self.record(kind, piece);
        }
        self.record(kind, b"");
    }

    /// All of STDOUT, and how the request ended; `None` if the connection ended instead.
    fn answer(&mut self) -> (String, Option<EndRequest>) {
        let mut stdout = Vec::new();
        loop {
            let mut header = [0; 8];
            match self.0.read_exact(&mut header) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return (String::from_utf8(stdout).unwrap(), None);
                }
                read => read.unwrap(),
            }
            let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
            let mut content = vec![0; length + usize::from(header[6])];
            self.0.read_exact(&mut content).unwrap();
            content.truncate(length);
            match RecordType(header[1]) {
                RecordType::STDOUT => stdout.extend_from_slice(&content),
                RecordType::END_REQUEST => {
                    return (String::from_utf8(stdout).unwrap(), Some(EndRequest::decode(&content).unwrap()));
                }
                _ => {}
            }
        }
    }

    /// An answer that is complete.
    #[track_caller]
    fn complete(&mut self) -> String {
        let (stdout, end) = self.answer();
        assert_eq!(end.map(|end| end.protocol_status), Some(ProtocolStatus::REQUEST_COMPLETE), "{stdout}");
        stdout
    }

    /// Does nothing come for a moment?
    fn is_silent(&mut self) -> bool {
        self.0.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let read = self.0.read(&mut [0]);
        self.0.set_read_timeout(Some(LATE)).unwrap();
        read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("a header block").1
}

/// Lets those in who say who they are, and tells what it was told.
fn guard(environ: Environ) -> Result<Verdict, AppError> {
    let Some(user) = environ.header("x-user") else {
        return Ok(Verdict::deny(StatusCode::FORBIDDEN, headers!["content-type" => "text/plain"], "Staff only.\n"));
    };
    if user == "trouble" {
        return Err("no list of users".into());
    }
    let told = environ.get("FCGI_ROLE").unwrap_or_default().to_vec();
    Ok(Verdict::allow().variable("REMOTE_USER", user.to_vec()).variable("TOLD", told))
}

const ADA: &[(&str, &str)] = &[("HTTP_X_USER", "ada")];
const LEAVE: &str =
    "Status: 200 OK\r\nVariable-REMOTE_USER: ada\r\nVariable-TOLD: AUTHORIZER\r\ncontent-length: 0\r\n\r\n";

#[test]
fn fcgi_99_an_authorizer_works_with_no_stdin_record_and_with_an_empty_one() {
    let running = serve(Roles::none().authorizer(guard));
    let mut wire = Wire::connect(&running);
    wire.begin(Role::AUTHORIZER, ADA);
    assert_eq!(wire.complete(), LEAVE, "no record");
    wire.begin(Role::AUTHORIZER, ADA);
    wire.stream(RecordType::STDIN, b"");
    assert_eq!(wire.complete(), LEAVE, "an empty one");
    wire.begin(Role::AUTHORIZER, ADA);
    wire.stream(RecordType::STDIN, &[b'x'; 100_000]);
    assert_eq!(wire.complete(), LEAVE, "a body that nobody asked for");
    wire.begin(Role::AUTHORIZER, ADA);
    assert_eq!(wire.complete(), LEAVE, "after it");
}

#[test]
fn fcgi_98_a_denial_and_a_failure_are_no_leave() {
    let running = serve(Roles::none().authorizer(guard));
    let mut wire = Wire::connect(&running);
    wire.begin(Role::AUTHORIZER, &[]);
    let denied = wire.complete();
    assert!(denied.starts_with("Status: 403 Forbidden\r\n") && body(&denied) == "Staff only.\n", "{denied}");
    wire.begin(Role::AUTHORIZER, &[("HTTP_X_USER", "trouble")]);
    let failed = wire.complete();
    assert!(failed.starts_with("Status: 500 ") && !failed.contains("no list of users"), "{failed}");
}

#[test]
fn fcgi_71_a_role_that_nobody_plays_is_unknown() {
    fn page(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        Ok("page".into())
    }
    let table: [(Roles, &[Role]); 3] = [
        (Roles::none().responder(page), &[Role::AUTHORIZER, Role::FILTER]),
        (Roles::none().authorizer(guard), &[Role::RESPONDER, Role::FILTER]),
        (Roles::none().filter(shout), &[Role::RESPONDER, Role::AUTHORIZER]),
    ];
    for (roles, strangers) in table {
        let running = serve(roles);
        let mut wire = Wire::connect(&running);
        for role in strangers.iter().chain(&[Role(4), Role(0)]) {
            wire.begin(*role, &[]);
            let (stdout, end) = wire.answer();
            let status = end.map(|end| end.protocol_status);
            assert_eq!((stdout.as_str(), status), ("", Some(ProtocolStatus::UNKNOWN_ROLE)), "{role}");
        }
    }
}

/// The request body, then the file in capitals.
fn shout(mut environ: Environ, mut data: FilterData, start_response: StartResponse) -> Result<Body, AppError> {
    let said = environ.input.read_all(1 << 20)?;
    let file = data.file.read_all(1 << 20)?.to_ascii_uppercase();
    start_response(StatusCode::OK, headers![])?;
    Ok([&said[..], b"|", &file].concat().into())
}

/// Answers from a cache if that is as new as the file.
fn cached(_: Environ, data: FilterData, start_response: StartResponse) -> Result<Body, AppError> {
    let fresh = data.last_modified == Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
    let (length, told) = (data.length(), if fresh { "fresh" } else { "stale" });
    drop(data);
    start_response(StatusCode::OK, headers![])?;
    Ok(format!("{told} {length:?}").into())
}

fn file(length: &'static str) -> [(&'static str, &'static str); 3] {
    [("FCGI_DATA_LENGTH", length), ("FCGI_DATA_LAST_MOD", "1000000000"), ("CONTENT_LENGTH", "3")]
}

#[test]
fn fcgi_101_a_filter_gets_the_body_and_then_the_file() {
    let running = serve(Roles::none().filter(shout));
    let mut wire = Wire::connect(&running);
    for text in ["file", ""] {
        wire.begin(Role::FILTER, &file(if text.is_empty() { "0" } else { "4" }));
        wire.stream(RecordType::STDIN, b"abc");
        wire.stream(RecordType::DATA, text.as_bytes());
        assert_eq!(body(&wire.complete()), format!("abc|{}", text.to_uppercase()));
    }
    // Without a length the end of DATA is the end.
    wire.begin(Role::FILTER, &[]);
    wire.stream(RecordType::STDIN, b"");
    wire.stream(RecordType::DATA, &[b'x'; 100_000]);
    assert_eq!(body(&wire.complete()).len(), 100_001);
}

#[test]
fn fcgi_102_a_filter_may_answer_before_the_file_comes_and_the_file_is_drained() {
    let running = serve(Roles::none().filter(cached));
    let mut wire = Wire::connect(&running);
    for _ in 0..3 {
        wire.begin(Role::FILTER, &file("1000000"));
        wire.stream(RecordType::STDIN, b"abc");
        assert_eq!(body(&wire.complete()), "fresh Some(1000000)");
        wire.stream(RecordType::DATA, &[b'x'; 1_000_000]);
    }
}

#[test]
fn fcgi_102_a_filter_has_all_of_stdin_before_anything_is_sent() {
    let (called, calls) = mpsc::channel();
    let early = move |environ: Environ, data: FilterData, start_response: StartResponse| {
        let answer = cached(environ, data, start_response);
        called.send(()).unwrap();
        answer
    };
    let running = serve(Roles::none().filter(early));
    let mut wire = Wire::connect(&running);
    // Too long to be received before the call.
    wire.begin(Role::FILTER, &[("CONTENT_LENGTH", "100000"), ("FCGI_DATA_LENGTH", "4")]);
    wire.record(RecordType::STDIN, &[b'x'; 50_000]);
    calls.recv_timeout(LATE).unwrap();
    assert!(wire.is_silent());
    wire.stream(RecordType::STDIN, &[b'x'; 50_000]);
    assert_eq!(body(&wire.complete()), "stale Some(4)");
}

#[test]
fn fcgi_103_a_filter_sees_no_more_of_the_file_than_was_told() {
    let running = serve(Roles::none().filter(shout));
    let mut wire = Wire::connect(&running);
    for _ in 0..2 {
        wire.begin(Role::FILTER, &file("4"));
        wire.stream(RecordType::STDIN, b"abc");
        wire.stream(RecordType::DATA, b"file and what is not of it");
        assert_eq!(body(&wire.complete()), "abc|FILE");
    }
}

#[test]
fn fcgi_104_a_file_that_is_cut_short_is_told_to_the_filter_and_by_it() {
    let running = serve(Roles::none().filter(shout));
    let mut wire = Wire::connect(&running);
    wire.begin(Role::FILTER, &file("40"));
    wire.stream(RecordType::STDIN, b"abc");
    wire.stream(RecordType::DATA, b"file");
    let failed = wire.complete();
    assert!(failed.starts_with("Status: 500 ") && !failed.contains("FILE"), "{failed}");
    // Once the answer has begun, a gateway sees that it is not whole.
    let copy = |_: Environ, data: FilterData, start_response: StartResponse| -> Result<Body, AppError> {
        start_response(StatusCode::OK, headers![])?;
        Ok(Body::reader(data.file, 4096))
    };
    let running = serve(Roles::none().filter(copy));
    let mut wire = Wire::connect(&running);
    wire.begin(Role::FILTER, &file("40"));
    wire.stream(RecordType::STDIN, b"abc");
    wire.stream(RecordType::DATA, b"file");
    let (sent, end) = wire.answer();
    assert_eq!((body(&sent), end), ("file", None));
}

#[test]
fn fcgi_101_a_length_of_a_file_that_is_no_number_is_refused() {
    let running = serve(Roles::none().filter(shout));
    let mut wire = Wire::connect(&running);
    wire.begin(Role::FILTER, &file("soon"));
    wire.stream(RecordType::STDIN, b"abc");
    assert!(wire.complete().starts_with("Status: 400 "));
    wire.stream(RecordType::DATA, b"file");
    wire.begin(Role::FILTER, &file("4"));
    wire.stream(RecordType::STDIN, b"abc");
    wire.stream(RecordType::DATA, b"file");
    assert_eq!(body(&wire.complete()), "abc|FILE");
}

#[test]
fn fcgi_79_a_filter_that_waits_for_its_file_learns_of_an_abort() {
    let (called, calls) = mpsc::channel();
    let (failed, failures) = mpsc::channel();
    let waiting = move |_: Environ, mut data: FilterData, _: StartResponse| -> Result<Body, AppError> {
        called.send(()).unwrap();
        let error = data.file.read_all(1 << 20).unwrap_err();
        failed.send(gateway_spec::Disconnected::is_cause_of(&error)).unwrap();
        Err(error.into())
    };
    let running = serve(Roles::none().filter(waiting));
    let mut wire = Wire::connect(&running);
    wire.begin(Role::FILTER, &file("40"));
    wire.stream(RecordType::STDIN, b"abc");
    wire.record(RecordType::DATA, b"file");
    calls.recv_timeout(LATE).unwrap();
    wire.record(RecordType::ABORT_REQUEST, b"");
    assert_eq!(wire.complete(), "");
    assert!(failures.recv_timeout(LATE).unwrap());
}
