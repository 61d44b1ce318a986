//! What is written to standard error.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::gateway::{Gateway, ask};

#[test]
fn each_request_is_one_line_without_its_query() {
    let mut gateway = Gateway::serve(&std::env::temp_dir(), &["--mount", "/d=app:demo"]);
    gateway.get("/d/?secret=1");
    let line = gateway.wait_for("GET /d/");
    assert!(line.contains("\"GET /d/\" 200 ") && line.contains(" bytes in ") && line.contains("127.0.0.1:"), "{line}");
    gateway.get("/d/nothing%1B%5B31m%22");
    let line = gateway.wait_for("nothing");
    assert!(line.contains(r#""GET /d/nothing\u{1b}[31m\"" 404 "#), "{line}");
    gateway.get("/elsewhere");
    gateway.wait_for("\"GET /elsewhere\" 404 ");
    let (_, log) = gateway.stop();
    assert!(!log.iter().any(|line| line.contains("secret")), "{log:#?}");
}

#[test]
fn no_access_log_leaves_only_those_lines_out() {
    let gateway = Gateway::serve(&std::env::temp_dir(), &["--mount", "/d=app:demo", "--no-access-log"]);
    gateway.get("/d/");
    let (_, log) = gateway.stop();
    assert!(!log.iter().any(|line| line.contains("GET")), "{log:#?}");
    for text in ["mounted prefix=/d handler=app:demo", "listening on http://127.0.0.1:", "stopping", "stopped"] {
        assert!(log.iter().any(|line| line.contains(text)), "{text} is not in {log:#?}");
    }
}

#[test]
fn json_is_one_object_a_line_from_first_to_last() {
    let gateway = Gateway::serve(&std::env::temp_dir(), &["--log-format", "json"]);
    gateway.get("/fastcgi/x%22?secret=1");
    let (status, log) = gateway.stop();
    assert_eq!(status.code(), Some(0));
    let objects: Vec<serde_json::Value> = log.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    let access: Vec<_> = objects.iter().filter(|object| object["target"] == "gateway_server::access").collect();
    assert_eq!(access.len(), 1, "{log:#?}");
    assert_eq!((&access[0]["method"], &access[0]["path"]), (&"GET".into(), &"/fastcgi/x\"".into()));
    assert_eq!(access[0]["status"], 404);
    assert!(!log.iter().any(|line| line.contains("secret")), "{log:#?}");
}

#[test]
fn a_level_leaves_out_what_is_below_it_and_can_differ_by_part() {
    let mut gateway = Gateway::start(&std::env::temp_dir(), &["--listen", "127.0.0.1:0", "--log", "debug"]);
    gateway.wait_for("DEBUG");
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s.sock");
    let listen = format!("unix:{}", socket.display());
    let level = "error,gateway_server::cli::run=info";
    let mut quiet = Gateway::start(folder.path(), &["--listen", &listen, "--log", level, "--mount", "/=app:demo"]);
    quiet.wait_for(&format!("listening on {listen}"));
    let mut stream = UnixStream::connect(&socket).unwrap();
    write!(stream, "GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("In-process"), "{answer}");
    let (status, log) = quiet.stop();
    assert!(status.success() && log.iter().any(|line| line.contains("stopped")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("mounted")), "{log:#?}");
    assert!(!socket.exists(), "the socket's file is removed");
}

/// A line as the access log writes it, said by a program.
const FORGED: &str = "2026-01-01T00:00:00.000000Z 192.0.2.1:1 \"GET /forged\" 200 1 bytes in 1.0 ms";

#[test]
fn cgi_158_what_a_program_says_is_in_the_log_and_is_no_line_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    std::fs::write(&program, format!("#!/bin/sh\necho '{FORGED}' >&2\nprintf 'Content-Type: text/plain\\n\\n'\n"))
        .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    for format in ["human", "json"] {
        let gateway = Gateway::serve(folder.path(), &["--log-format", format, "--mount", "/p=cgi:program"]);
        assert_eq!(gateway.get("/p").status, 200);
        let (_, log) = gateway.stop();
        assert!(!log.iter().any(|line| line.starts_with("2026-01-01")), "{log:#?}");
        assert_eq!(log.iter().filter(|line| line.contains("forged")).count(), 1, "{log:#?}");
        if format == "json" {
            let objects: Vec<serde_json::Value> =
                log.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
            assert!(objects.iter().any(|object| object["text"] == FORGED && object["level"] == "WARN"), "{log:#?}");
        }
    }
}

#[test]
fn a_file_that_mounts_nothing_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("g.toml"), "").unwrap();
    let mut gateway = Gateway::serve(folder.path(), &["--config", "g.toml"]);
    assert_eq!(gateway.get("/").status, 404);
    gateway.wait_for("\"GET /\" 404 ");
    let (_, log) = gateway.stop();
    assert!(log.iter().any(|line| line.contains("nothing is mounted")), "{log:#?}");
}

/// Such as after `gateway serve 2>&1 | head`, or with a collector of logs that has ended.
#[test]
fn a_log_that_nobody_reads_any_more_ends_nothing() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--mount", "/=app:demo"]).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    let address = loop {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0);
        if let Some((_, address)) = line.trim_end().split_once("listening on http://") {
            break address.to_owned();
        }
    };
    drop(log);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    for _ in 0..3 {
        ask(&mut stream);
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
