//! The admin listener: health, readiness, and figures that a real parser reads.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::gateway::{Answer, Gateway};

/// Asks the admin listener at this socket file.
fn admin(socket: &Path, path: &str) -> Answer {
    ask(socket, "GET", path)
}

fn ask(socket: &Path, method: &str, path: &str) -> Answer {
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(stream, "{method} {path} HTTP/1.0\r\n\r\n").unwrap();
    Answer::read(stream)
}

/// The samples of a page as Python's parser of OpenMetrics reads them: `name{label=value}` in the order of the page.
fn parsed(page: &str) -> Vec<(String, f64)> {
    let script = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
for family in parse(sys.stdin.read()):
    for s in family.samples:
        print(s.name + '{' + ','.join(k + '=' + v for k, v in sorted(s.labels.items())) + '}', s.value, sep='\\t')
";
    let mut python = Command::new("/usr/bin/python3");
    let mut python = python.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let mut text = String::new();
    python.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(python.wait().unwrap().success(), "not read: {page}");
    text.lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(name, value)| (name.into(), value.parse().unwrap()))
        .collect()
}

fn value(samples: &[(String, f64)], name: &str) -> f64 {
    samples.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name} in {samples:#?}")).1
}

#[test]
fn figures_are_read_by_a_real_parser_and_are_what_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let worker = format!("/w=fastcgi:spawn:{}?env.GATEWAY_DEMO_ROLE=fastcgi", env!("CARGO_BIN_EXE_gateway"));
    let flags = ["--admin", "unix:admin.sock", "--mount", "/d=app:demo", "--mount", &worker, "--no-access-log"];
    let gateway = Gateway::serve(folder.path(), &flags);
    for _ in 0..3 {
        gateway.get("/d/");
    }
    gateway.get("/d/nothing");
    gateway.ask("TRACE", "/d/", &[], "");
    assert_eq!(gateway.get("/w/").status, 200);
    let page = admin(&socket, "/metrics");
    assert_eq!(page.field("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    let samples = parsed(&page.body);
    let is = |name: &str, wanted: f64| assert_eq!(value(&samples, name), wanted, "{name} in {samples:#?}");
    is("gateway_requests_total{method=GET,mount=/d,status=2xx}", 3.0);
    is("gateway_requests_total{method=GET,mount=/d,status=4xx}", 1.0);
    is("gateway_requests_total{method=other,mount=none,status=4xx}", 1.0);
    is("gateway_request_duration_seconds_bucket{le=+Inf,mount=/d}", 4.0);
    is("gateway_requests_in_progress{mount=/d}", 0.0);
    is("gateway_connections_total{}", 6.0);
    assert!(samples.iter().any(|(name, value)| name.starts_with("gateway_workers_workers{pool=") && *value > 0.0));
    assert!(samples.iter().any(|(name, _)| name.starts_with("gateway_upstream_out{mount=/w,upstream=unix:")));
    assert_eq!(gateway.stop().0.code(), Some(0));
}

#[test]
fn it_is_well_until_its_end_and_ready_until_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let mut gateway = Gateway::serve(folder.path(), &["--admin", "unix:admin.sock", "--mount", "/=app:demo"]);
    assert_eq!((admin(&socket, "/healthz").status, admin(&socket, "/readyz").status), (200, 200));
    assert_eq!((admin(&socket, "/ping").status, admin(&socket, "/nothing").status), (200, 404));
    let all = ["/healthz", "/readyz", "/metrics", "/status", "/ping"];
    let nothing = admin(&socket, "/nothing").body;
    assert!(all.iter().all(|path| nothing.contains(path)), "{nothing}");
    for path in all {
        let refused = ask(&socket, "POST", path);
        assert_eq!((refused.status, refused.field("allow")), (405, Some("GET, HEAD")), "{path}");
    }
    assert_eq!(ask(&socket, "HEAD", "/healthz").status, 200);
    let mut stream = gateway.connect();
    // A request that is in progress until its last byte is sent.
    write!(stream, "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nfour").unwrap();
    while !admin(&socket, "/metrics").body.contains("gateway_requests_in_progress{mount=\"/\"} 1\n") {}
    gateway.signal(Signal::TERM);
    gateway.wait_for("stopping: no new connections");
    assert_eq!((admin(&socket, "/healthz").status, admin(&socket, "/readyz").status), (200, 503));
    stream.write_all(b"!").unwrap();
    assert_eq!(gateway.end().0.code(), Some(0));
}

#[test]
fn an_address_that_others_reach_has_to_be_meant() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--listen", "127.0.0.1:0", "--mount", "/=app:demo", "--admin", "0.0.0.0:0"];
    let (status, log) = Gateway::start(folder.path(), &flags).end();
    assert_eq!(status.code(), Some(2));
    assert!(log.last().unwrap().contains("--admin: \"tcp:0.0.0.0:0\": other machines may reach it"), "{log:#?}");
    let mut gateway = Gateway::start(folder.path(), &[&flags[..], &["--admin-open"]].concat());
    gateway.wait_for("admin listener");
}
