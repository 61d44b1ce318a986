//! A gigabyte in each direction through each of our gateways, while every process of ours stays below 64 MiB.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::collections::BTreeMap;
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
