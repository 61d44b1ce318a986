//! The access log as a whole: every line once, in the file that its name names.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use gateway_spec::Environ;

use super::{AccessFormat, AccessLog, Ended, Ending, IdsOf, Line, Telemetry};

fn log(path: &Path, format: &str) -> (AccessLog, Arc<Telemetry>) {
    let log = AccessLog::file(path, format.parse().unwrap()).unwrap();
    (log.clone(), Arc::new(Telemetry::new().access_log(log).request_ids(true)))
}

fn complete(status: u16) -> Ended {
    let at = Instant::now();
    Ended { status: Some(status), body_bytes: 7, ending: Ending::Complete, called: Some(at), at }
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn every_line_of_every_thread_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let (_log, telemetry) = log(&path, "target");
    let threads: Vec<_> = (0..20)
        .map(|thread| {
            let telemetry = Arc::clone(&telemetry);
            std::thread::spawn(move || {
                for request in 0..500 {
                    let mut environ = Environ::example("GET", "/");
                    environ.set("REQUEST_URI", format!("/{thread}/{request}")).unwrap();
                    telemetry.begin(&mut environ, IdsOf::Ours).end(&complete(200));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    drop((_log, telemetry));
    let mut found = lines(&path);
    found.sort();
    let mut wanted: Vec<_> =
        (0..20).flat_map(|thread| (0..500).map(move |request| format!("target=/{thread}/{request}"))).collect();
    wanted.sort();
    assert!(found == wanted, "{} lines of {}", found.len(), wanted.len());
}

#[test]
fn a_file_that_was_renamed_gets_no_line_after_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    let (log, telemetry) = log(&path, "status");
    let say = |status| telemetry.begin(&mut Environ::example("GET", "/"), IdsOf::Ours).end(&complete(status));
    say(200);
    std::fs::rename(&path, &old).unwrap();
    say(201);
    log.reopen().unwrap();
    say(202);
    log.flush();
    assert_eq!(
        (lines(&old), lines(&path)),
        (vec!["status=200".to_owned(), "status=201".into()], vec!["status=202".into()])
    );
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(log.reopen().is_err(), "it goes on where it was");
}

#[test]
fn a_log_that_nobody_reads_holds_up_nobody_and_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    // Open for reading too, or opening it for writing would wait for a reader; nobody reads.
    let _reader = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let (log, telemetry) = log(&path, "user_agent");
    let mut environ = Environ::example("GET", "/");
    environ.set("HTTP_USER_AGENT", "x".repeat(8000)).unwrap();
    let began = Instant::now();
    for _ in 0..1000 {
        telemetry.begin(&mut environ, IdsOf::Ours).end(&complete(200));
    }
    assert!(began.elapsed() < super::access_log::PATIENCE, "8 MB wait for nobody");
    // Their end would wait for a reader for a while.
    std::mem::forget((log, telemetry));
}

#[test]
fn each_form_says_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let check = |format: &str, check: &dyn Fn(&str)| {
        let (log, telemetry) = log(&path, format);
        let mut environ = Environ::example("GET", "/caf\u{e9}?q=\"1\"");
        for (name, value) in [
            ("SCRIPT_NAME", "/app"),
            ("REQUEST_URI", "/app/caf%C3%A9?q=\"1\""),
            ("REMOTE_ADDR", "192.0.2.1"),
            ("HTTP_USER_AGENT", "a \"b\"\n192.0.2.2 - - forged"),
            ("HTTP_X_REQUEST_ID", "theirs"),
        ] {
            environ.set(name, value).unwrap();
        }
        telemetry.begin(&mut environ, IdsOf::Ours).end(&complete(200));
        assert_ne!(environ.get("HTTP_X_REQUEST_ID").unwrap(), "theirs");
        assert_eq!(environ.get("HTTP_X_REQUEST_ID"), environ.get("UNIQUE_ID"));
        log.flush();
        let found = lines(&path);
        assert_eq!(found.len(), 1, "{found:#?}");
        check(&found[0]);
        std::fs::remove_file(&path).unwrap();
    };
    check("combined", &|line| {
        let (start, rest) = line.split_once(" [").unwrap();
        assert_eq!(start, "192.0.2.1 - -");
        let (_, rest) = rest.split_once("] ").unwrap();
        assert_eq!(rest, r#""GET /app/caf%C3%A9?q=\"1\" HTTP/1.1" 200 7 "-" "a \"b\"\x0a192.0.2.2 - - forged""#);
    });
    check("status,path,mount,ending,remote_user,request", &|line| {
        let wanted = r#"status=200 path="/app/caf\xc3\xa9" mount=/app ending=complete remote_user=- request="GET "#;
        assert!(line.starts_with(wanted), "{line}");
    });
    check("json", &|line| {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&object["status"], &object["bytes"], &object["mount"]), (&200.into(), &7.into(), &"/app".into()));
        assert_eq!(object["user_agent"], "a \"b\"\n192.0.2.2 - - forged");
        assert_eq!((&object["referer"], &object["host"]), (&serde_json::Value::Null, &serde_json::Value::Null));
        assert!(object["queue_ms"].as_f64().unwrap() <= object["duration_ms"].as_f64().unwrap());
        assert_eq!(object["request_id"].as_str().unwrap().len(), 32);
    });
}

#[test]
fn what_reached_no_application_is_a_line_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let (log, telemetry) = log(&path, "common");
    let refused = Ended { status: Some(400), ending: Ending::Refused, called: None, ..complete(400) };
    telemetry.refuse("192.0.2.1", None).end(&refused);
    let line = Line { method: "TRACE", target: b"/\"", protocol: "HTTP/1.1" };
    telemetry.refuse("192.0.2.1", Some(line)).end(&Ended { status: None, ..refused });
    log.flush();
    let found = lines(&path);
    assert!(found[0].ends_with("] \"-\" 400 7"), "{found:#?}");
    assert!(found[1].ends_with(r#"] "TRACE /\" HTTP/1.1" - 7"#), "{found:#?}");
}

#[test]
fn a_format_without_texts_keeps_none() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = log(&folder.path().join("access.log"), "status,duration_ms");
    assert_eq!(log.format(), &"status,duration_ms".parse::<AccessFormat>().unwrap());
    assert!(!log.format().wants(super::record::Text::Target));
}

#[test]
fn http_52_the_id_of_a_trusted_proxy_is_kept_and_nobody_elses() {
    let telemetry = Telemetry::new().request_ids(true);
    let id = |fields: &[(&str, &str)], ids| {
        let mut environ = Environ::example("GET", "/");
        fields.iter().for_each(|(name, value)| environ.set(name, value).unwrap());
        telemetry.begin(&mut environ, ids);
        environ.get("UNIQUE_ID").unwrap().to_string()
    };
    let trace = ("HTTP_TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let theirs = ("HTTP_X_REQUEST_ID", "theirs");
    assert_eq!(id(&[theirs, trace], IdsOf::TrustedPeer), "theirs");
    assert_eq!(id(&[("HTTP_X_REQUEST_ID", "no id"), trace], IdsOf::TrustedPeer), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(id(&[("HTTP_X_REQUEST_ID", "no id")], IdsOf::TrustedPeer).len(), 32);
    assert_eq!(id(&[theirs], IdsOf::Ours).len(), 32);
    assert_ne!(id(&[trace], IdsOf::Ours), "4bf92f3577b34da6a3ce929d0e0e4736");
}
