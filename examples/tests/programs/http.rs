//! As an HTTP server: found by its line on standard error, asked over a plain socket, ended by a signal.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use crate::{GUESTBOOK, MIRROR, Serving, TESTBED, command, output, text};

/// Starts on a free port and reads from the line it prints which one that is.
fn start(program: &str, arguments: &[&str]) -> (Serving, String) {
    let mut command = command(program, &["--http", "127.0.0.1:0"]);
    command.args(arguments);
    let mut serving = Serving::start(command);
    let line = serving.line();
    let address = line.strip_prefix("listening on http://").and_then(|rest| rest.split_once(' '));
    let (address, _) = address.unwrap_or_else(|| panic!("no address in {line:?}"));
    (serving, address.to_owned())
}

/// Sends requests, the last of which asks to close, and returns everything that came back.
fn exchange(mut stream: impl Read + Write, requests: &str) -> String {
    stream.write_all(requests.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn ask(address: &str, requests: &str) -> String {
    exchange(TcpStream::connect(address).unwrap(), requests)
}

const GET_HELLO: &str = "GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
fn two_requests_on_one_connection_are_answered_and_sigterm_ends_it_well() {
    let (mut serving, address) = start(TESTBED, &["--threads", "2"]);
    let first = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/x-note\r\nContent-Length: 4\r\n\r\nnote";
    let answer = ask(&address, &format!("{first}{GET_HELLO}"));
    assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answer}");
    assert!(answer.contains("content-type: text/x-note\r\n") && answer.contains("\r\n\r\nnoteHTTP/1.1"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nHello, World!"), "{answer}");
    serving.terminate();
    assert_eq!(serving.wait().code(), Some(0));
}

#[test]
fn fcgi_10_a_request_in_progress_is_answered_after_sigterm() {
    let (mut serving, address) = start(TESTBED, &[]);
    let mut stream = TcpStream::connect(&address).unwrap();
    let head = "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The application asks for the body: its call is under way.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(text(&interim), "HTTP/1.1 100 Continue\r\n\r\n");
    serving.terminate();
    while TcpStream::connect(&address).is_ok() {
        std::thread::yield_now();
    }
    stream.write_all(&[b'x'; 200_000]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\n200000"), "{answer}");
    drop(stream);
    assert_eq!(serving.wait().code(), Some(0));
}

#[test]
fn it_listens_on_a_socket_file_and_removes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let place = format!("unix:{}", path.display());
    let mut serving = Serving::start(command(TESTBED, &["--http", &place, "--socket-mode", "660"]));
    assert_eq!(serving.line(), format!("listening on {place} (Ctrl-C ends it)\n"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o660);
    assert!(exchange(UnixStream::connect(&path).unwrap(), GET_HELLO).ends_with("Hello, World!"));
    serving.terminate();
    assert_eq!(serving.wait().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn an_address_that_is_taken_is_told_with_what_to_do() {
    let (_serving, address) = start(TESTBED, &[]);
    let said = output(command(TESTBED, &["--http", &address]), b"");
    assert_eq!(said.status.code(), Some(1));
    let errors = text(&said.stderr);
    assert!(errors.starts_with(&format!("cannot listen on tcp:{address}: ")), "{errors}");
    assert!(errors.ends_with("stop the program that listens there, or choose another port\n"), "{errors}");
}

#[test]
fn pep_141_an_application_that_fails_is_heard_of() {
    let (mut serving, address) = start(TESTBED, &[]);
    let request = GET_HELLO.replace("/hello", "/fail/before");
    assert!(ask(&address, &request).starts_with("HTTP/1.1 500 "));
    let line = serving.line();
    assert!(line.starts_with("warn: ") && line.contains("failed before the first chunk"), "{line}");
    assert!(ask(&address, GET_HELLO).ends_with("Hello, World!"), "the server lives");
}

#[test]
fn mirror_shows_the_request_and_no_variables() {
    let (_serving, address) = start(MIRROR, &[]);
    let request = "PUT /p%20x?q=1 HTTP/1.1\r\nHost: localhost\r\nX-Two: a\r\nX-Two: b\r\nContent-Length: 5\r\n\
                   Connection: close\r\n\r\nhello";
    let answer = ask(&address, request);
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let (start, fields) = body.split_at("echo/1\nmethod=PUT\ntarget=/p%20x?q=1\nlength=5\nbody=68656c6c6f\n".len());
    assert_eq!(start, "echo/1\nmethod=PUT\ntarget=/p%20x?q=1\nlength=5\nbody=68656c6c6f\n");
    let mut fields: Vec<_> = fields.lines().collect();
    fields.sort_unstable();
    assert_eq!(fields, ["h.content-length=5", "h.host=localhost", "h.x-two=a, b"]);
}

#[test]
fn the_guestbook_takes_a_form_and_shows_the_entry() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(GUESTBOOK, &["--http", "127.0.0.1:0"]);
    command.env("GUESTBOOK_DB", folder.path().join("entries.sqlite3"));
    let mut serving = Serving::start(command);
    let line = serving.line();
    let address = line.trim_start_matches("listening on http://").split(' ').next().unwrap().to_owned();
    let body = "name=Ada&message=hello";
    let length = body.len();
    let post = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let answer = ask(&address, &post);
    assert!(answer.starts_with("HTTP/1.1 303 ") && answer.contains("location: /\r\n"), "{answer}");
    let page = ask(&address, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(page.contains("<strong>Ada</strong>") && page.contains("(in-process)"), "{page}");
}
