//! GATEWAY_MARKS: what each process did when, in a file of its own.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::gateway::{Gateway, is_there};

const PROGRAM: &str = env!("CARGO_BIN_EXE_gateway");

/// The marks of a process: when, and what.
fn marks(folder: &Path, pid: u32) -> Vec<(u64, String)> {
    let text = std::fs::read_to_string(folder.join(format!("{pid}.marks"))).unwrap();
    let mark = |line: &str| line.split_once(' ').map(|(at, name)| (at.parse().unwrap(), name.to_owned()));
    text.lines().map(|line| mark(line).unwrap()).collect()
}

fn names(marks: &[(u64, String)]) -> Vec<&str> {
    marks.iter().map(|(_, name)| name.as_str()).collect()
}

/// When `name` was, the first time.
fn at(marks: &[(u64, String)], name: &str) -> u64 {
    marks.iter().find(|(_, mark)| mark == name).unwrap_or_else(|| panic!("no {name} in {marks:?}")).0
}

/// Ends the gateway; its marks.
fn stop(gateway: Gateway, folder: &Path) -> Vec<(u64, String)> {
    let pid = gateway.id();
    let (status, log) = gateway.stop();
    assert_eq!(status.code(), Some(0), "{log:#?}");
    assert!(log.iter().any(|line| line.contains("\"GET /\" 200")), "the log is as without marks: {log:#?}");
    assert!(!log.iter().any(|line| line.contains("TRACE") || line.contains("mark=")), "{log:#?}");
    marks(folder, pid)
}

#[test]
fn a_listener_marks_each_step_of_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let env = [("GATEWAY_MARKS", folder.path())];
    let gateway = Gateway::serve_with(folder.path(), &["--mount", "/=app:demo"], &env);
    assert_eq!(gateway.get("/").status, 200);
    let marks = stop(gateway, folder.path());
    let steps = ["main", "accepted", "received", "parsed", "dispatched", "answered", "written", "saving", "saved"];
    assert_eq!(names(&marks), steps);
    assert!(marks.is_sorted(), "{marks:?}");
}

#[test]
fn a_cgi_program_and_its_host_mark_the_same_request() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    let mount = format!("/=cgi:{PROGRAM}?env.GATEWAY_DEMO_ROLE=cgi&env.GATEWAY_MARKS={place}");
    let gateway = Gateway::serve_with(folder.path(), &["--mount", &mount], &[("GATEWAY_MARKS", folder.path())]);
    let program = gateway.get("/").line("process id").parse().unwrap();
    // The answer does not wait for the end of the program, and a stop of the host would not either.
    let asked = Instant::now();
    while is_there(program) {
        assert!(asked.elapsed() < Duration::from_secs(30), "the program is still there");
        std::thread::yield_now();
    }
    let host = stop(gateway, folder.path());
    let (first, last) = host.split_at(8);
    let steps = ["main", "accepted", "received", "parsed", "dispatched", "spawning", "spawned", "output"];
    assert_eq!(names(first), steps);
    // The answer is passed on while the program ends.
    let mut rest = names(last);
    rest.sort_unstable();
    assert_eq!(rest, ["answered", "closed", "reaped", "saved", "saving", "written"]);

    let program = marks(folder.path(), program);
    assert_eq!(names(&program), ["main", "called", "finished", "saving", "saved"]);
    // A server may kill a program whose answer it has, and the marks with it.
    let way = [at(&host, "spawning"), at(&program, "main"), at(&program, "saved"), at(&host, "output")];
    assert!(way.is_sorted(), "one clock for all: {host:?} {program:?}");
}

#[test]
fn a_fastcgi_worker_and_its_client_mark_the_same_requests() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    let mount = format!("/=fastcgi:spawn:{PROGRAM}?workers=1&env.GATEWAY_DEMO_ROLE=fastcgi&env.GATEWAY_MARKS={place}");
    let gateway = Gateway::serve_with(folder.path(), &["--mount", &mount], &[("GATEWAY_MARKS", folder.path())]);
    let worker: u32 = gateway.get("/").line("process id").parse().unwrap();
    assert_eq!(gateway.get("/").status, 200);
    let client = stop(gateway, folder.path());
    let of_the_client = ["connecting", "connected", "sent", "output", "ended"];
    let steps: Vec<&str> = names(&client).into_iter().filter(|name| of_the_client.contains(name)).collect();
    let kept = ["sent", "output", "ended"];
    assert_eq!(steps, [&of_the_client[..], &kept[..]].concat(), "the second request finds the connection kept");

    assert!(!is_there(worker));
    let worker = marks(folder.path(), worker);
    assert_eq!(names(&worker), ["main", "called", "finished", "called", "finished", "saving", "saved"]);
    let way = [at(&client, "connecting"), at(&worker, "called"), at(&worker, "finished"), at(&client, "output")];
    assert!(way.is_sorted(), "{client:?} {worker:?}");
}

#[test]
fn a_folder_that_is_not_there_is_told_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let gateway = Gateway::serve_with(folder.path(), &["--mount", "/=app:demo"], &[("GATEWAY_MARKS", &missing)]);
    assert_eq!(gateway.get("/").status, 200);
    let (status, log) = gateway.stop();
    assert_eq!(status.code(), Some(0));
    assert!(log.iter().any(|line| line.starts_with("GATEWAY_MARKS: cannot write ")), "{log:#?}");
}

#[test]
fn without_the_variable_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::serve(folder.path(), &["--mount", "/=app:demo"]);
    assert_eq!(gateway.get("/").status, 200);
    gateway.stop();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
