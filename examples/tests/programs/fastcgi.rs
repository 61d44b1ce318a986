//! As a FastCGI worker: on a socket of its own, and on descriptor 0 as FastCGI servers start it (FastCGI 1.0 §2.2).

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;

use bytes::Buf;
use gateway_fastcgi::connection::{ClientConnection, ClientEvent};
use gateway_fastcgi::protocol::{BeginRequest, Role};

use crate::{MIRROR, Serving, TESTBED, command};

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
