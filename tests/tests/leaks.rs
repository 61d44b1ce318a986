//! Clients that go away at every moment leave nothing behind: no child, no descriptor, no file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::time::Duration;

use gateway_tests::client::{Connection, Payload, Request, send};
use gateway_tests::process::{Running, assert_none_left, descendants, descriptors, poll_until};
use gateway_tests::servers::ours;

/// One client that leaves in the middle of each part of an exchange.
fn abort_everywhere(server: &Running, prefix: &str) {
    let open = || Connection::open(server.address).unwrap();
    // Before a request, in its head, behind its head.
    drop(open());
    open().send_raw(format!("GET {prefix}/hel").as_bytes()).unwrap();
    open()
        .send_raw(format!("POST {prefix}/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n").as_bytes())
        .unwrap();
    // In an upload, short and long; with both framings.
    let head = format!("POST {prefix}/upload HTTP/1.1\r\nHost: h\r\n");
    open().send_raw(format!("{head}Content-Length: 1000\r\n\r\nonly this").as_bytes()).unwrap();
    open().send_raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhel").as_bytes()).unwrap();
    let _ = open().send_raw(&[format!("{head}Content-Length: 90000000\r\n\r\n").as_bytes(), &[b'x'; 300_000]].concat());
    // Before the answer, and in it.
    open().send_raw(format!("GET {prefix}/sleep/50 HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).unwrap();
    for target in ["/stream/8589934592?chunk=65536", "/bytes/67108864", "/fail/after", "/length/long"] {
        let mut connection = open();
        connection.send_raw(format!("GET {prefix}{target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).unwrap();
        assert!(connection.receive_some().unwrap() > 0, "{target}");
    }
    // In an echo, with both directions under way.
    let mut connection = open();
    let echo = format!("POST {prefix}/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 90000000\r\n\r\n");
    connection.send_raw(&[echo.as_bytes(), &[b'x'; 100_000]].concat()).unwrap();
}

/// How many descriptors each process of ours has, by role: the server, then its descendants and workers.
fn open_descriptors(server: &Running) -> Vec<usize> {
    server.all_ids().into_iter().map(|id| descriptors(id).values().sum()).collect()
}

fn files(server: &Running) -> BTreeSet<String> {
    let entries = std::fs::read_dir(server.place().path()).unwrap();
    entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[track_caller]
fn check_nothing_left(prefix: &str, mut server: Running) {
    let works = |server: &Running| {
        let answer = send(server.address, &Request::post(&format!("{prefix}/upload"), Payload::Pattern(1000)));
        assert_eq!(answer.unwrap().text(), "1000");
    };
    // The first round opens what is kept on purpose: listeners, pools, logs.
    works(&server);
    abort_everywhere(&server, prefix);
    works(&server);
    let id = server.front().id();
    let children = descendants(id).len();
    let before = settled(&server);
    let files_before = files(&server);
    for _ in 0..15 {
        abort_everywhere(&server, prefix);
    }
    works(&server);
    let mut last = Vec::new();
    let back = poll_until(Duration::from_secs(60), || {
        last = open_descriptors(&server);
        (last.len() == before.len() && last.iter().zip(&before).all(|(now, then)| now <= then)).then_some(())
    });
    assert!(back.is_some(), "descriptors before {before:?}, after {last:?}\n{}", server.logs());
    assert!(descendants(id).len() <= children, "children left: {:?}", descendants(id));
    assert_eq!(files(&server), files_before);
    assert!(!server.front().has_ended() && !server.logs().contains("panicked"), "{}", server.logs());
    let place = server.stop();
    assert_none_left(place.path());
}

/// The counts once they have stood still for a while: aborted exchanges take a moment to be noticed.
fn settled(server: &Running) -> Vec<usize> {
    let mut last = open_descriptors(server);
    let mut same = 0;
    poll_until(Duration::from_secs(60), || {
        let now = open_descriptors(server);
        same = if now == last { same + 1 } else { 0 };
        last = now;
        (same >= 200).then_some(())
    });
    last
}

#[test]
fn http_listener_leaves_nothing() {
    check_nothing_left("", ours::testbed_http());
}

#[test]
fn cgi_host_leaves_nothing() {
    check_nothing_left("/app", ours::cgi_host());
}

#[test]
fn fastcgi_client_and_spawned_workers_leave_nothing() {
    check_nothing_left("/app", ours::fastcgi_spawned());
}

#[test]
fn fastcgi_client_and_worker_leave_nothing() {
    check_nothing_left("/app", ours::fastcgi_unix());
}
