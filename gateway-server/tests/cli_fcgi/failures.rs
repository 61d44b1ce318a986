//! Workers that do what they should not, and those that are none: what is said, and the exit code.

use std::io::Read;
use std::net::TcpListener;

use crate::worker::{
    BEGIN, END, GET_VALUES, HELLO, STDERR, STDIN, STDOUT, UNKNOWN_TYPE, VALUES_RESULT, Worker, answer, end, fcgi,
    record, record_of,
};

/// The exit code and the last line, for a worker that reads the request and answers this.
#[track_caller]
fn check(name: &str, bytes: impl AsRef<[u8]>, code: i32, wanted: &str) {
    for flags in [&[][..], &["--dump"]] {
        let (done, _) = Worker::answering(bytes.as_ref().to_vec()).get("/", flags);
        let last = done.err.lines().last().unwrap_or_default().to_owned();
        assert!(done.code == code && last.contains(wanted), "{name}: {} {}", done.code, done.err);
    }
}

#[test]
fn fcgi_111_a_broken_rule_is_told_with_its_offset_and_clause() {
    let head = record(STDOUT, HELLO.as_bytes());
    let at = head.len();
    let after = |bytes: &[u8]| [&head, bytes].concat();
    let broken = |what: &str| format!("in the record at byte {at} of its answer: {what}");
    check("garbage", after(b"garbage"), 8, &broken("record has version 103 (FastCGI 1.0 §3.3)"));
    check(
        "another request",
        after(&record_of(2, STDOUT, b"x")),
        8,
        &broken("STDOUT for inactive id 2 (FastCGI 1.0 §3.3)"),
    );
    check(
        "direction",
        after(&record(BEGIN, &[0; 8])),
        8,
        &broken("BEGIN_REQUEST goes the other way (FastCGI 1.0 appendix A)"),
    );
    check(
        "short END",
        after(&record(END, &[0; 7])),
        8,
        &broken("END_REQUEST has a body of 7 bytes instead of 8 (FastCGI 1.0 §5.5)"),
    );
    check("id 0", after(&record_of(0, STDOUT, b"x")), 8, &broken("STDOUT with request id 0 (FastCGI 1.0 §3.3)"));
    let end = record(STDOUT, b"");
    let second = format!("in the record at byte {} of its answer: STDOUT after its end", at + end.len());
    check("after the end", after(&[end, record(STDOUT, b"x")].concat()), 8, &second);
}

#[test]
fn what_is_wrong_stands_in_the_dump_below_its_record() {
    let bytes = [record(STDOUT, HELLO.as_bytes()), record_of(2, STDOUT, b"x")].concat();
    let (done, _) = Worker::answering(bytes).get("/", &["--dump"]);
    assert!(done.err.contains("│ x\n             │ ✗ STDOUT for inactive id 2 (FastCGI 1.0 §3.3)\n"), "{}", done.err);
    // Wrong already when its header is there.
    let cut = &record_of(2, STDOUT, b"half of it")[..12];
    let (done, _) = Worker::answering([&record(STDOUT, HELLO.as_bytes()), cut].concat()).get("/", &["--dump"]);
    assert!(done.err.contains("│ half\n             │ ✗ STDOUT for inactive id 2"), "{}", done.err);
    assert!(!done.err.contains("closed inside"), "{}", done.err);
    let (done, _) = Worker::answering("junk\0junk").get("/", &["--dump"]);
    assert!(done.err.contains("← no FastCGI record "), "{}", done.err);
    assert!(done.err.contains("│ 0000  6a 75 6e 6b 00 6a 75 6e  6b "), "{}", done.err);
    assert!(done.err.contains("│ ✗ at byte 0: record has version 106 (FastCGI 1.0 §3.3)\n"), "{}", done.err);
}

#[test]
fn a_connection_that_ends_early_is_told_with_what_was_missing() {
    let head = record(STDOUT, HELLO.as_bytes());
    let length = head.len();
    let closed = |after: usize| format!("the worker closed the connection before END_REQUEST, after {after} bytes");
    check(
        "at once",
        b"",
        18,
        &(closed(0) + "; it may have crashed, been stopped or be finishing, or refuse this client"),
    );
    check("before the end", head.clone(), 18, &(closed(length) + "; it may have crashed"));
    check("within a record", &head[..20], 18, &(closed(20) + ", within the record at byte 0 (FastCGI 1.0 §3.5)"));
    let cut = [&head[..], &[1, 3, 0]].concat();
    check("within a header", cut, 18, &format!("within the record at byte {length} "));
    check("with an end of STDOUT", [head.clone(), record(STDOUT, b"")].concat(), 18, &closed(length + 8));
    let (done, _) = Worker::answering(head).get("/", &[]);
    assert_eq!(done.out, "hello\n", "what came is not held back");
}

#[test]
fn fcgi_82_a_refusal_says_why() {
    check(
        "OVERLOADED",
        end(0, 2),
        9,
        "did not run the request: OVERLOADED (FastCGI 1.0 §5.5); it has no room: try again later",
    );
    check("CANT_MPX_CONN", end(0, 1), 9, "CANT_MPX_CONN (FastCGI 1.0 §5.5); it sees another request");
    check("UNKNOWN_ROLE", end(0, 3), 9, "UNKNOWN_ROLE (FastCGI 1.0 §5.5); it does not serve the role RESPONDER");
    check("nobody knows", end(0, 9), 9, "protocol status 9 (FastCGI 1.0 §5.5)");
}

#[test]
fn fcgi_110_an_answer_that_is_none_of_cgi_is_told() {
    check("no head", end(0, 0), 8, "the worker's header block is invalid: ");
    check("half a head", [record(STDOUT, b"Content-Type: x"), end(0, 0)].concat(), 8, "header block is invalid");
    check("a status line", answer("HTTP/1.1 200 OK\r\n\r\n"), 8, "header block is invalid");
}

#[test]
fn a_server_of_another_protocol_is_recognised() {
    let http = "an HTTP server listens there, not a FastCGI worker: it said \"HTTP/1.1 400 Bad Request";
    check("HTTP", b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", 8, http);
    check("old HTTP", b"<html><body>400</body>", 8, "an HTTP server listens there");
    check("another", b"220 mail ESMTP\r\n", 8, "speaks no FastCGI: it said \"220 mail ESMTP");
}

#[test]
fn our_own_http_listener_is_recognised_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.args(["serve", "--listen", "unix:h.sock", "--mount", "/=app:demo"]).current_dir(folder.path());
    let mut server = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut log = std::io::BufReader::new(server.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut log, &mut line).unwrap() > 0, "it did not start");
    }
    let address = format!("unix:{}", folder.path().join("h.sock").display());
    let done = fcgi(&["get", &address, "/"], b"");
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(done.code == 8 && done.err.contains("an HTTP server listens there"), "{} {}", done.code, done.err);
}

#[test]
fn nobody_there_is_told_with_what_to_look_at() {
    let folder = tempfile::tempdir().unwrap();
    let missing = format!("unix:{}/none", folder.path().display());
    let done = fcgi(&["get", &missing, "/"], b"");
    assert!(done.code == 7 && done.err.contains("is the worker running, and is this its path?"), "{}", done.err);
    let left = folder.path().join("left");
    drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
    let done = fcgi(&["get", &format!("unix:{}", left.display()), "/"], b"");
    assert!(done.code == 7 && done.err.contains("nobody listens there: is the worker running?"), "{}", done.err);
    // The system refuses connections to whatever is no socket, too.
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.as_path(), folder.path()] {
        let done = fcgi(&["get", &format!("unix:{}", path.display()), "/"], b"");
        assert!(done.code == 7 && done.err.contains("what is there is no socket"), "{}", done.err);
    }
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let done = fcgi(&["get", &format!("tcp:{port}"), "/"], b"");
    assert!(done.code == 7 && done.err.contains("nobody listens there"), "{}", done.err);
}

#[test]
fn a_worker_that_takes_too_long_is_left() {
    let silent = || {
        Worker::start(|line| {
            line.read_to(STDIN);
            line.write(&record(STDERR, b"one moment\n"));
            while !matches!(line.stream.read(&mut [0; 64]), Ok(0) | Err(_)) {}
        })
    };
    let (done, _) = silent().get("/", &["--timeout", "100ms"]);
    let wanted = "gateway: no END_REQUEST within 100ms: 19 bytes came; --timeout allows more\n";
    assert_eq!((done.code, done.err.as_str()), (28, format!("one moment\n{wanted}").as_str()));
}

#[test]
fn a_socket_behind_which_nobody_says_anything_may_have_no_worker() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    // As a manager's or systemd's whose workers do not start: it connects, and nobody accepts.
    let _open = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let done = fcgi(&["get", &format!("unix:{}", socket.display()), "/", "--timeout", "100ms"], b"");
    assert!(done.code == 28 && done.err.contains("is a worker running behind this socket, and free?"), "{}", done.err);
}

#[test]
fn a_worker_that_does_not_take_the_request_is_told_apart() {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let deaf = Worker::start(move |_| {
        let _ = receiver.recv();
    });
    let address = deaf.address();
    let done = fcgi(&["post", &address, "/", "-d", "-", "--timeout", "200ms"], &vec![b'x'; 3_000_000]);
    drop(sender);
    assert!(
        done.code == 28 && done.err.contains("and it has not taken the whole request"),
        "{} {}",
        done.code,
        done.err
    );
}

#[test]
fn fcgi_59_a_worker_need_not_know_get_values() {
    let silent = Worker::start(|line| line.read_to(GET_VALUES));
    let (done, _) = silent.ask(&["get", "ADDR", "--values"], b"");
    let wanted = "the worker closed the connection before GET_VALUES_RESULT, after 0 bytes";
    assert!(done.code == 18 && done.err.contains(wanted), "{}", done.err);
    let unknown = Worker::start(|line| {
        line.read_to(GET_VALUES);
        line.write(&record_of(0, UNKNOWN_TYPE, &[9, 0, 0, 0, 0, 0, 0, 0]));
    });
    let (done, _) = unknown.ask(&["get", "ADDR", "--values"], b"");
    assert_eq!(
        (done.code, done.err.as_str()),
        (9, "gateway: the worker does not know GET_VALUES (FastCGI 1.0 §4.2)\n")
    );
    let broken = Worker::start(|line| {
        line.read_to(GET_VALUES);
        line.write(&record_of(0, VALUES_RESULT, b"\x05\x05A"));
    });
    let (done, _) = broken.ask(&["get", "ADDR", "--values", "--dump"], b"");
    assert!(done.code == 8 && done.err.contains("list ends within the pair at offset 0"), "{}", done.err);
}
