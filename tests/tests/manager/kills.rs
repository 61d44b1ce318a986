//! Workers that are killed under load.

use std::process::Command;
use std::time::{Duration, Instant};

use gateway_tests::client::Request;
use gateway_tests::place::Place;
use gateway_tests::process::{Running, descendants};
use gateway_tests::programs::program;
use rustix::process::{Pid, Signal, kill_process};

use crate::load::Load;

/// How long it goes on: 60 s by `KILL_SECONDS=60`.
fn duration() -> Duration {
    Duration::from_secs(std::env::var("KILL_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(5))
}

#[test]
fn killed_workers_lose_no_idempotent_request_and_every_other_loss_is_a_502_in_the_log() {
    let place = Place::new();
    let (gateway, testbed) = (place.program(&program("gateway")), place.program(&program("testbed")));
    let mount = format!("/app=fastcgi:spawn:{}?workers=8&max_connections=64", testbed.display());
    let mut front = Running::listen(place, "front", Vec::new(), |_, port| {
        let mut command = Command::new(&gateway);
        command.args(["serve", "--no-access-log", "--listen", &format!("127.0.0.1:{port}"), "--mount", &mount]);
        command
    });
    let gets = Load::of(front.address, 48, &Request::get("/app/sleep/5"));
    let posts = Load::of(front.address, 16, &Request::post("/app/sleep/5", "x"));
    let id = front.front().id();
    let (end, mut killed) = (Instant::now() + duration(), 0_usize);
    while Instant::now() < end {
        // Not a wait for something: the pace of the test.
        std::thread::sleep(Duration::from_millis(200));
        let workers = descendants(id);
        let victim =
            workers.get(killed % workers.len().max(1)).and_then(|pid| Pid::from_raw(i32::try_from(*pid).ok()?));
        if let Some(victim) = victim {
            killed += usize::from(kill_process(victim, Signal::KILL).is_ok());
        }
    }
    let (gets, posts) = (gets.end(), posts.end());
    let log = front.logs();
    println!("killed {killed}; GET {gets:?}; POST {posts:?}");
    let tail = log.lines().rev().take(40).collect::<Vec<_>>().join("\n");
    assert!(killed > 5 && log.matches("worker died").count() + 1 >= killed, "{killed}\n{tail}");
    assert!(gets.len() == 1 && gets["200"] > 100, "a GET was lost: {gets:?}\n{tail}");
    assert!(posts.keys().all(|answer| answer == "200" || answer == "502"), "{posts:?}\n{tail}");
    let lost = posts.get("502").copied().unwrap_or(0);
    let told = log.lines().filter(|line| line.contains("WARN application failed")).count();
    assert!(told as u64 >= lost, "{lost} were lost and {told} told of\n{tail}");
}
