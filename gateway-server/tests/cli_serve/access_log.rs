//! The access log, and the id that a request has everywhere.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;

use crate::gateway::Gateway;

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn each_request_is_a_line_of_the_file_and_none_of_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let flags =
        ["--access-log", "access.log", "--access-format", "time,method,target,status,bytes", "--mount", "/d=app:demo"];
    let gateway = Gateway::serve(folder.path(), &flags);
    gateway.get("/d/?q=1");
    gateway.ask("TRACE", "/d/", &[], "");
    gateway.get("/elsewhere");
    let mut garbage = gateway.connect();
    std::io::Write::write_all(&mut garbage, b"no request\r\n\r\n").unwrap();
    assert_eq!(crate::gateway::Answer::read(garbage).status, 400);
    let (_, log) = gateway.stop();
    let mut found = lines(&folder.path().join("access.log"));
    found.iter_mut().for_each(|line| *line = line.split_once(' ').unwrap().1.to_owned());
    found.sort();
    assert!(found[0].starts_with("method=- target=- status=400 bytes="), "{found:#?}");
    assert!(found[1].starts_with("method=GET target=\"/d/?q=1\" status=200 bytes="), "{found:#?}");
    assert_eq!(
        found[2..],
        ["method=GET target=/elsewhere status=404 bytes=14", "method=TRACE target=/d/ status=405 bytes=19"]
    );
    assert!(!log.iter().any(|line| line.contains("GET")), "{log:#?}");
}

#[test]
fn a_log_that_was_renamed_goes_on_in_a_new_file_after_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    let flags = ["--access-log", "access.log", "--access-format", "target", "--mount", "/=app:demo"];
    let gateway = Gateway::serve(folder.path(), &flags);
    for at in 0..10 {
        gateway.get(&format!("/{at}"));
    }
    std::fs::rename(&path, &old).unwrap();
    gateway.signal(Signal::HUP);
    // The new file says that the signal has arrived.
    while !path.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    gateway.get("/last");
    gateway.stop();
    let wanted: Vec<String> = (0..10).map(|at| format!("target=/{at}")).collect();
    assert_eq!((lines(&old), lines(&path)), (wanted, vec!["target=/last".to_owned()]));
}

#[test]
fn a_request_has_one_id_in_its_program_in_its_log_lines_and_in_the_access_log() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    let script =
        "#!/bin/sh\necho said >&2\nprintf 'Content-Type: text/plain\\n\\n%s %s' $UNIQUE_ID $HTTP_X_REQUEST_ID\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    for format in ["human", "json"] {
        let flags =
            ["--access-log", format, "--access-format", "json", "--mount", "/p=cgi:program", "--log-format", format];
        let gateway = Gateway::serve(folder.path(), &flags);
        let answer = gateway.ask("GET", "/p", &["X-Request-Id: forged"], "");
        let (_, log) = gateway.stop();
        let ids: Vec<&str> = answer.body.split(' ').collect();
        assert!(ids.len() == 2 && ids[0] == ids[1] && ids[0].len() == 32, "{ids:?}");
        let line = log.iter().find(|line| line.contains("said")).unwrap();
        assert!(line.contains(ids[0]), "{line}");
        if format == "json" {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["span"]["request_id"], ids[0], "{line}");
        }
        let access: serde_json::Value = serde_json::from_str(&lines(&folder.path().join(format))[0]).unwrap();
        assert_eq!(access["request_id"], ids[0]);
    }
}

#[test]
fn a_log_that_cannot_be_opened_or_has_no_such_field_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (status, log) =
        Gateway::start(folder.path(), &["--listen", "127.0.0.1:0", "--access-log", "no/such/folder/x"]).end();
    assert_eq!(status.code(), Some(2));
    assert!(
        log.last().unwrap().contains("--access-log: \"no/such/folder/x\": the folder no/such/folder is missing"),
        "{log:#?}"
    );
    // What only shows when it is opened shows before any worker is started.
    std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
    let (status, log) = Gateway::start(folder.path(), &["--listen", "127.0.0.1:0", "--access-log", "loop"]).end();
    assert_eq!(status.code(), Some(1));
    assert!(log.last().unwrap().contains("access log loop: "), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("starting workers")), "{log:#?}");
    let (_, log) = Gateway::start(folder.path(), &["--access-log", "x", "--access-format", "time,statsu"]).end();
    assert!(log.last().unwrap().contains("--access-format: \"time,statsu\" is not allowed"), "{log:#?}");
}

#[test]
fn time_that_is_spent_waiting_and_behind_us_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    // Long enough to be seen, beside what a process takes to start.
    let script = "#!/bin/sh\nsleep 0.2\nprintf 'Content-Type: text/plain\\n\\n'\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let worker = format!("/w=fastcgi:spawn:{}?env.GATEWAY_DEMO_ROLE=fastcgi", env!("CARGO_BIN_EXE_gateway"));
    let flags = [
        "--access-log",
        "log",
        "--access-format",
        "json",
        "--mount",
        "/p=cgi:program?max_children=1",
        "--mount",
        &worker,
    ];
    let gateway = Gateway::serve(folder.path(), &flags);
    let asked = [0, 1].map(|_| {
        let mut stream = gateway.connect();
        std::io::Write::write_all(&mut stream, b"GET /p HTTP/1.0\r\n\r\n").unwrap();
        stream
    });
    for stream in asked {
        assert_eq!(crate::gateway::Answer::read(stream).status, 200);
    }
    assert_eq!(gateway.get("/w/").status, 200);
    gateway.stop();
    let found: Vec<serde_json::Value> =
        lines(&folder.path().join("log")).iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    let time = |at: usize, name: &str| found[at][name].as_f64().unwrap();
    assert_eq!((&found[0]["upstream"], &found[1]["upstream"]), (&program.to_str().into(), &program.to_str().into()));
    assert!(time(0, "upstream_ms") >= 200.0 && time(1, "upstream_ms") >= 200.0, "{found:#?}");
    assert!(time(0, "queue_ms") < 200.0 && time(1, "queue_ms") >= 100.0, "the second waited for the first: {found:#?}");
    for at in 0..3 {
        let sum = time(at, "queue_ms") + time(at, "app_ms");
        assert!(
            (sum - time(at, "duration_ms")).abs() < 0.01 && time(at, "upstream_ms") <= time(at, "app_ms"),
            "{found:#?}"
        );
    }
    assert!(found[2]["upstream"].as_str().unwrap().starts_with("unix:/"), "{found:#?}");
}
