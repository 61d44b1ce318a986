//! How much memory our gateways hold: below 64 MiB for a gigabyte in each direction, and some kilobytes for a connection that waits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway_tests::client::{Payload, Request, send};
use gateway_tests::process::{Running, peak_memory};
use gateway_tests::servers::ours;

const GIB: u64 = 1 << 30;
const MAX_RESIDENT_BYTES: u64 = 64 << 20;

/// Runs `work` and returns the peak of every process of the server, also of those that came and went meanwhile.
fn peaks(server: &Running, work: impl FnOnce()) -> BTreeMap<u32, u64> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut peaks = BTreeMap::new();
            loop {
                let last = done.load(Ordering::Acquire);
                for id in server.all_ids() {
                    // A process that has just ended keeps the peak seen before.
                    let peak = peaks.entry(id).or_insert(0);
                    *peak = peak_memory(id).unwrap_or(0).max(*peak);
                }
                if last {
                    return peaks;
                }
                // Sampling, not waiting: VmHWM is a peak, only short-lived processes need more than one look.
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        work();
        done.store(true, Ordering::Release);
        sampler.join().expect("the sampler")
    })
}

#[track_caller]
fn check_memory(prefix: &str, server: &Running) {
    let upload = Request::post(&format!("{prefix}/upload"), Payload::Pattern(GIB));
    let stream = Request::get(&format!("{prefix}/stream/{GIB}?chunk=65536"));
    let peaks = peaks(server, || {
        let answer = send(server.address, &upload).unwrap_or_else(|e| panic!("{e}\n{}", server.logs()));
        assert_eq!((answer.status, answer.text()), (200, GIB.to_string()));
        let answer = send(server.address, &stream).unwrap_or_else(|e| panic!("{e}\n{}", server.logs()));
        assert!(answer.content.complete);
        assert_eq!((answer.status, answer.content.length), (200, GIB));
    });
    println!("peak resident bytes by process: {peaks:?}");
    assert!(peaks.len() >= server.all_ids().len() && peaks.values().any(|&peak| peak > 0), "nothing was measured");
    assert!(peaks.values().all(|&peak| peak < MAX_RESIDENT_BYTES), "{peaks:?}");
}

#[test]
fn http_listener_stays_small() {
    check_memory("", &ours::testbed_http());
}

#[test]
fn cgi_host_and_program_stay_small() {
    check_memory("/app", &ours::cgi_host());
}

#[test]
fn fastcgi_client_and_worker_stay_small() {
    check_memory("/app", &ours::fastcgi_spawned());
}

/// Ten thousand connections that wait for their next request are to fit into 60 MiB.
#[test]
fn a_connection_that_waits_holds_some_kilobytes() {
    const CONNECTIONS: u64 = 800;
    const MAX_BYTES_EACH: u64 = (60 << 20) / 10_000;
    let server = ours::testbed_http();
    let held = || -> u64 { server.all_ids().iter().map(|id| anonymous_bytes(*id)).sum() };
    // What the first requests bring about is not theirs.
    let first: Vec<TcpStream> = (0..50).map(|_| greeted(&server)).collect();
    let before = held();
    let waiting: Vec<TcpStream> = (0..CONNECTIONS).map(|_| greeted(&server)).collect();
    let each = (held() - before) / CONNECTIONS;
    println!("bytes held by a connection that waits: {each}");
    assert!(each < MAX_BYTES_EACH, "{each} bytes each, at most {MAX_BYTES_EACH} are wanted");
    assert_eq!((first.len(), waiting.len()), (50, 800));
}

/// A connection on which one request was answered.
fn greeted(server: &Running) -> TcpStream {
    let mut connection = TcpStream::connect(server.address).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    connection.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: memory\r\nAccept: */*\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"Hello, World!") && !answer.ends_with(b"Hello, World!\n") {
        let mut piece = [0; 1024];
        let length = connection.read(&mut piece).unwrap();
        assert!(length > 0, "{}", server.logs());
        answer.extend_from_slice(&piece[..length]);
    }
    connection
}

fn anonymous_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    kilobytes.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
