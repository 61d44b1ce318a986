//! As a FastCGI worker: on a socket of its own, and on descriptor 0 as FastCGI servers start it (FastCGI 1.0 §2.2).

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Buf;
use gateway_fastcgi::connection::{ClientConnection, ClientEvent};
use gateway_fastcgi::protocol::{BeginRequest, RequestId, Role};

use crate::{DOORKEEPER, MIRROR, Serving, TESTBED, command};

/// What a front server does: sends one request with `body` and returns standard output.
fn ask(socket: &Path, variables: &[(&str, &str)], body: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    let mut client = ClientConnection::new();
    let length = body.len().to_string();
    let common = [
        ("REQUEST_METHOD", "POST"),
        ("SERVER_NAME", "localhost"),
        ("SERVER_PORT", "80"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("CONTENT_LENGTH", &length),
    ];
    let variables: Vec<_> =
        common.iter().chain(variables).map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let begin = BeginRequest { role: Role::RESPONDER, keep_connection: false };
    let id = client.send_request(begin, variables).unwrap();
    client.send_stdin(id, bytes::Bytes::copy_from_slice(body)).unwrap();
    client.end_stdin(id).unwrap();
    let output = client.output();
    let request = output.copy_to_bytes(output.remaining());
    stream.write_all(&request).unwrap();
    let mut stdout = Vec::new();
    while client.active().is_some() {
        let mut read = [0; 4096];
        let length = stream.read(&mut read).unwrap();
        assert!(length > 0, "the worker closed before the end of the request");
        client.receive(&read[..length]);
        while let Some(event) = client.next_event().unwrap() {
            if let ClientEvent::Stdout { data, .. } = event {
                stdout.extend_from_slice(&data);
            }
        }
    }
    String::from_utf8(stdout).unwrap()
}

#[test]
fn a_worker_on_a_socket_file_answers_and_sigterm_ends_it_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker.sock");
    let place = format!("unix:{}", path.display());
    let mut serving = Serving::start(command(TESTBED, &["--fastcgi", &place]));
    assert_eq!(serving.line(), format!("FastCGI worker on {place} (Ctrl-C ends it)\n"));
    // The whole path as SCRIPT_NAME and no PATH_INFO, as many front servers send it.
    let answer = ask(&path, &[("SCRIPT_NAME", "/hello")], b"");
    assert!(answer.starts_with("Status: 200 OK\r\n") && answer.ends_with("\r\n\r\nHello, World!"), "{answer}");
    let answer = ask(&path, &[("SCRIPT_NAME", "/app"), ("PATH_INFO", "/upload")], &[b'x'; 100_000]);
    assert!(answer.ends_with("\r\n\r\n100000"), "{answer}");
    serving.terminate();
    assert_eq!(serving.wait().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn fcgi_3_a_worker_serves_the_listening_socket_it_was_started_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inherited.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut command = command(MIRROR, &[]);
    command.stdin(Stdio::from(OwnedFd::from(listener)));
    let mut serving = Serving::start(command);
    let variables = [("SCRIPT_NAME", "/app"), ("PATH_INFO", "/p"), ("REQUEST_URI", "/app/p"), ("HTTP_X_TEST", "yes")];
    let answer = ask(&path, &variables, b"hello");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(body.starts_with("echo/1\nmethod=POST\ntarget=/app/p\nlength=5\nbody=68656c6c6f\n"), "{body}");
    for line in ["\nh.x-test=yes\n", "\nenv.PATH_INFO=/p\n", "\nenv.SERVER_NAME=localhost\n"] {
        assert!(body.contains(line), "{line:?} is not in {body}");
    }
    serving.terminate();
    assert_eq!(serving.wait().code(), Some(0));
    assert!(path.exists(), "the file is its owner's to remove");
}

/// A request whose application has begun to answer and waits for the rest of the body.
struct UnderWay {
    stream: UnixStream,
    client: ClientConnection,
    id: RequestId,
    answered: Vec<u8>,
    ended: bool,
}

impl UnderWay {
    fn begin(socket: &Path) -> Self {
        let mut client = ClientConnection::new();
        let variables = [
            ("REQUEST_METHOD", "POST"),
            ("SERVER_NAME", "localhost"),
            ("SERVER_PORT", "80"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SCRIPT_NAME", "/echo"),
            // Too long to be received before the call.
            ("CONTENT_LENGTH", "100000"),
        ];
        let variables = variables.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let begin = BeginRequest { role: Role::RESPONDER, keep_connection: false };
        let id = client.send_request(begin, variables).unwrap();
        let stream = UnixStream::connect(socket).unwrap();
        let mut begun = UnderWay { stream, client, id, answered: Vec::new(), ended: false };
        begun.send(50_000);
        while begun.answered.is_empty() {
            assert!(begun.receive(), "the worker closed");
        }
        begun
    }

    fn send(&mut self, length: usize) {
        self.client.send_stdin(self.id, vec![b'x'; length].into()).unwrap();
        self.flush();
    }

    fn flush(&mut self) {
        let output = self.client.output();
        let bytes = output.copy_to_bytes(output.remaining());
        self.stream.write_all(&bytes).unwrap();
    }

    /// Takes in some of the answer; false at the end of the connection.
    fn receive(&mut self) -> bool {
        let mut read = [0; 4096];
        let length = self.stream.read(&mut read).unwrap();
        self.client.receive(&read[..length]);
        while let Some(event) = self.client.next_event().unwrap() {
            match event {
                ClientEvent::Stdout { data, .. } => self.answered.extend_from_slice(&data),
                ClientEvent::End { .. } => self.ended = true,
                _ => {}
            }
        }
        length > 0
    }
}

/// A worker with a request under way that has been told to end and takes no more.
fn ending() -> (Serving, UnderWay, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker.sock");
    let mut serving = Serving::start(command(TESTBED, &["--fastcgi", &format!("unix:{}", path.display())]));
    serving.line();
    let begun = UnderWay::begin(&path);
    serving.terminate();
    while UnixStream::connect(&path).is_ok() {
        std::thread::yield_now();
    }
    (serving, begun, folder)
}

#[test]
fn fcgi_9_10_sigterm_lets_a_worker_finish_and_it_exits_with_0() {
    let (mut serving, mut begun, _folder) = ending();
    begun.send(50_000);
    begun.client.end_stdin(begun.id).unwrap();
    begun.flush();
    while !begun.ended {
        assert!(begun.receive(), "the worker closed before the end of the request");
    }
    assert_eq!(begun.answered.iter().filter(|byte| **byte == b'x').count(), 100_000);
    drop(begun);
    assert_eq!(serving.wait().code(), Some(0));
}

#[test]
fn fcgi_9_10_a_second_sigterm_ends_a_worker_at_once_and_that_is_no_good_end() {
    let (mut serving, _begun, _folder) = ending();
    // What comes sooner is the same wish.
    std::thread::sleep(Duration::from_millis(120));
    serving.terminate();
    assert_eq!(serving.wait().code(), Some(1));
}

/// The socket that systemd passes is descriptor 3, and known by its name.
#[test]
fn a_socket_from_systemd_is_served_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passed.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let script = r#"exec 3<&0 4<&0 0</dev/null
        LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=other:app exec "$0" "$@""#;
    let start = |name: &str| {
        let mut command = command("/bin/sh", &["-c", script, TESTBED, "--fastcgi", name]);
        command.stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())));
        Serving::start(command)
    };
    let serving = start("systemd:app");
    let answer = ask(&path, &[("SCRIPT_NAME", "/hello")], b"");
    assert!(answer.ends_with("\r\n\r\nHello, World!"), "{answer}");
    drop(serving);
    for (name, said) in [
        ("systemd", "2 sockets were passed, and one can be served: name it with systemd:NAME"),
        ("systemd:web", "systemd passed no socket named \"web\"; it passed \"other, app\""),
    ] {
        let mut refused = start(name);
        let line = refused.line();
        assert!(line.contains(said), "{line}");
        assert_eq!(refused.wait().code(), Some(1));
    }
}

#[test]
fn fcgi_5_133_a_worker_serves_those_who_are_named_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker.sock");
    let place = format!("unix:{}", path.display());
    let (me, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let owner = format!("{me}:{group}");
    let me = me.to_string();
    let mut allowed = Serving::start(command(
        TESTBED,
        &["--fastcgi", &place, "--allow-user", &me, "--socket-owner", &owner, "--socket-mode", "660"],
    ));
    allowed.line();
    assert!(ask(&path, &[("SCRIPT_NAME", "/hello")], b"").ends_with("Hello, World!"));
    drop(allowed);
    let mut refused =
        Serving::start(command(TESTBED, &["--fastcgi", &place, "--allow-group", &(group + 1).to_string()]));
    refused.line();
    let mut stream = UnixStream::connect(&path).unwrap();
    // It closes without a word; what was sent may have been too late.
    let _ = stream.write_all(&[1, 9, 0, 0, 0, 0, 0, 0]);
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    let mut nonsense = Serving::start(command(TESTBED, &["--fastcgi", "127.0.0.1:0", "--allow-user", &me]));
    assert!(nonsense.line().contains("is no UNIX socket: --allow-user and --allow-group cannot tell"));
    let mut unknown = Serving::start(command(TESTBED, &["--fastcgi", &place, "--allow-user", "no such user"]));
    assert_eq!(unknown.line(), "--allow-user \"no such user\": no user is called \"no such user\"\n");
}

/// As an Authorizer is asked: no path, no body, no STDIN.
#[test]
fn fcgi_71_99_a_program_plays_the_roles_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker.sock");
    let guests = folder.path().join("guests");
    std::fs::write(&guests, "0123456789abcdef ada\n").unwrap();
    let mut command = command(DOORKEEPER, &["--fastcgi", &format!("unix:{}", path.display())]);
    command.env("DOORKEEPER_GUESTS", &guests);
    let mut serving = Serving::start(command);
    serving.line();
    let asked = |role: Role, token: &str| {
        let mut client = ClientConnection::new();
        let variables = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/list"), ("HTTP_AUTHORIZATION", token)];
        let variables = variables.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let id = client.send_request(BeginRequest { role, keep_connection: false }, variables).unwrap();
        if role != Role::AUTHORIZER {
            client.end_stdin(id).unwrap();
        }
        let mut begun =
            UnderWay { stream: UnixStream::connect(&path).unwrap(), client, id, answered: Vec::new(), ended: false };
        begun.flush();
        while begun.receive() {}
        String::from_utf8(begun.answered).unwrap()
    };
    // A Responder is asked where a server knows no Authorizers, and the answer is the same.
    for role in [Role::AUTHORIZER, Role::RESPONDER] {
        let leave = asked(role, "Bearer 0123456789abcdef");
        assert!(leave.starts_with("Status: 200 OK\r\nVariable-REMOTE_USER: ada\r\n"), "{leave}");
        assert!(asked(role, "Bearer").starts_with("Status: 401 Unauthorized\r\n"));
    }
    assert_eq!(asked(Role::FILTER, ""), "", "UNKNOWN_ROLE");
}
