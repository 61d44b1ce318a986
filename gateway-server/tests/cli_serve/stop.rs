//! The end: signals, exit codes, and that nothing is left; and beginnings that cannot be.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use rustix::process::Signal;

use crate::gateway::{Answer, Gateway, children, is_there};

#[test]
fn sigterm_ends_it_with_exit_code_0_and_no_child_left() {
    for signal in [Signal::TERM, Signal::INT] {
        let gateway = Gateway::serve(&std::env::temp_dir(), &[]);
        let mut started = children(gateway.id());
        assert_eq!(started.len(), 2, "the workers");
        assert_eq!(gateway.get("/fastcgi/").status, 200);
        let program = gateway.get("/cgi/");
        started.push(program.line("process id").parse().unwrap());
        gateway.signal(signal);
        let (status, log) = gateway.end();
        assert_eq!(status.code(), Some(0), "{log:#?}");
        assert!(started.iter().all(|pid| !is_there(*pid)), "one of {started:?} is left");
        assert!(log.iter().any(|line| line.contains("stopping: no new connections")), "{log:#?}");
        assert!(log.last().is_some_and(|line| line.ends_with("stopped")), "{log:#?}");
    }
}

#[test]
fn requests_in_progress_are_finished() {
    let mut gateway = Gateway::serve(&std::env::temp_dir(), &[]);
    let mut stream = gateway.connect();
    write!(stream, "GET /fastcgi/stream HTTP/1.0\r\n\r\n").unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).unwrap();
    gateway.signal(Signal::TERM);
    gateway.wait_for("stopping: no new connections");
    let answer = Answer::read(first.chain(stream));
    assert!(answer.body.contains("line 10 of 10"), "{answer:?}");
    assert_eq!(gateway.end().0.code(), Some(0));
}

#[test]
fn requests_that_take_longer_than_the_stop_timeout_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[timeouts]\nstop = \"50ms\"\n[[mount]]\nprefix = \"/\"\ntarget = \"app:demo\"\n";
    std::fs::write(folder.path().join("g.toml"), text).unwrap();
    let mut gateway = Gateway::serve(folder.path(), &["--config", "g.toml"]);
    let mut stream = gateway.connect();
    write!(stream, "GET /stream HTTP/1.0\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 1]).unwrap();
    gateway.signal(Signal::TERM);
    gateway.wait_for("stopped before all requests were done");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(!rest.windows(7).any(|window| window == b"line 10"), "it was not finished");
    assert_eq!(gateway.end().0.code(), Some(0), "the stop went as it was asked for");
}

#[test]
fn a_second_signal_ends_it_at_once_and_leaves_no_child_either() {
    let mut gateway = Gateway::serve(&std::env::temp_dir(), &[]);
    let workers = children(gateway.id());
    let mut stream = gateway.connect();
    write!(stream, "GET /fastcgi/stream HTTP/1.0\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 1]).unwrap();
    gateway.signal(Signal::TERM);
    gateway.wait_for("stopping: no new connections");
    // What comes sooner is the same wish.
    std::thread::sleep(Duration::from_millis(120));
    gateway.signal(Signal::TERM);
    let (status, log) = gateway.end();
    assert_eq!(status.code(), Some(1), "{log:#?}");
    let mut rest = Vec::new();
    // The connection is cut, one way or the other.
    let _ = stream.read_to_end(&mut rest);
    assert!(!rest.windows(7).any(|window| window == b"line 10"), "it was not finished");
    assert!(workers.iter().all(|pid| !is_there(*pid)), "{workers:?} are left");
}

/// As timeout(1) sends it: to the process, and to its group.
#[test]
fn two_signals_at_once_are_one_wish() {
    let mut gateway = Gateway::serve(&std::env::temp_dir(), &[]);
    let mut stream = gateway.connect();
    write!(stream, "GET /fastcgi/stream HTTP/1.0\r\n\r\n").unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).unwrap();
    gateway.signal(Signal::TERM);
    gateway.signal(Signal::INT);
    gateway.wait_for("stopping: no new connections");
    let answer = Answer::read(first.chain(stream));
    assert!(answer.body.contains("line 10 of 10"), "{answer:?}");
    assert_eq!(gateway.end().0.code(), Some(0));
}

#[test]
fn an_address_in_use_is_told_with_the_flag_that_changes_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (status, log) = Gateway::start(&std::env::temp_dir(), &["--listen", &address]).end();
    assert_eq!(status.code(), Some(1));
    let said = log.last().unwrap();
    assert!(said.starts_with(&format!("gateway: --listen {address}: cannot listen on tcp:{address}: ")), "{said}");
    assert!(
        said.ends_with("choose another address with --listen ADDR, or end the program that uses this one"),
        "{said}"
    );
    let flags = ["--listen", "127.0.0.1:0", "--mount", "/=app:demo", "--admin", &address];
    let (_, log) = Gateway::start(&std::env::temp_dir(), &flags).end();
    let said = log.last().unwrap();
    assert!(said.starts_with(&format!("gateway: --admin: cannot listen on tcp:{address}: ")), "{said}");
    assert!(said.contains("choose another address with --admin ADDR"), "{said}");
}

#[test]
fn a_file_where_a_socket_is_to_be_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let (status, log) = Gateway::start(folder.path(), &["--listen", "unix:file"]).end();
    assert_eq!(status.code(), Some(1));
    let said = log.last().unwrap();
    assert!(said.ends_with("choose another path with --listen ADDR, or move that file away"), "{said}");
}

#[test]
fn an_operator_who_reads_json_gets_failures_in_json_too() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let flags = ["--listen", &address, "--log-format", "json", "--mount", "/=app:demo"];
    let (status, log) = Gateway::start(&std::env::temp_dir(), &flags).end();
    let last: serde_json::Value = serde_json::from_str(log.last().unwrap()).expect("JSON");
    assert!(last["error"].as_str().unwrap().contains("cannot listen"), "{last}");
    assert_eq!((status.code(), &last["level"]), (Some(1), &"ERROR".into()));
}

#[test]
fn workers_that_cannot_be_started_end_it_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty"), "").unwrap();
    std::fs::set_permissions(folder.path().join("empty"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let this = env!("CARGO_BIN_EXE_gateway");
    let good = format!("/good=fastcgi:spawn:{this}?env.GATEWAY_DEMO_ROLE=fastcgi");
    let flags = ["--listen", "127.0.0.1:0", "--mount", &good, "--mount", "/bad=fastcgi:spawn:./empty"];
    let mut gateway = Gateway::start(folder.path(), &flags);
    gateway.wait_for("starting workers");
    let (status, log) = gateway.end();
    assert_eq!(status.code(), Some(1));
    assert!(log.last().unwrap().contains("--mount /bad=fastcgi:spawn:./empty: worker \"./empty\""), "{log:#?}");
    let pid_of = |line: &String| line.split("pid=").nth(1)?.split(' ').next()?.parse::<u32>().ok();
    let started: Vec<u32> = log.iter().filter(|line| line.contains("worker started")).filter_map(pid_of).collect();
    assert!(!started.is_empty() && started.iter().all(|pid| !is_there(*pid)), "{started:?} of {log:#?}");
}

#[test]
fn a_command_line_that_makes_no_sense_is_exit_code_2() {
    for flags in [&["--nonsense"][..], &["--listen"], &["extra"]] {
        assert_eq!(Gateway::start(&std::env::temp_dir(), flags).end().0.code(), Some(2), "{flags:?}");
    }
}
