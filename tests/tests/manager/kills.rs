//! Workers that are killed under load.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use gateway_tests::client::Request;
use gateway_tests::place::Place;
use gateway_tests::process::{Running, descendants, poll_until};
use gateway_tests::programs::program;
use rustix::process::{Pid, Signal, kill_process};

use crate::load::Load;
use crate::setup::PATIENCE;

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
    let gets = Load::of(front.address, 48, &[Request::get("/app/sleep/5")]);
    let posts = Load::of(front.address, 16, &[Request::post("/app/sleep/5", "x")]);
    let id = front.front().id();
    let (end, mut turn, mut killed) = (Instant::now() + duration(), 0_usize, BTreeSet::new());
    while Instant::now() < end {
        // Not a wait for something: the pace of the test.
        std::thread::sleep(Duration::from_millis(200));
        let workers = descendants(id);
        turn += 1;
        let Some(victim) = workers.get(turn % workers.len().max(1)) else { continue };
        let is_killed =
            Pid::from_raw(i32::try_from(*victim).unwrap()).map(|pid| kill_process(pid, Signal::KILL).is_ok());
        killed.extend(is_killed.filter(|is| *is).map(|_| *victim));
    }
    let (gets, posts) = (gets.end(), posts.end());
    let is_told = |log: &String| killed.iter().all(|pid| log.contains(&format!("worker died pid={pid} ")));
    let log = poll_until(PATIENCE, || Some(front.logs()).filter(is_told)).expect("every end is told");
    println!("killed {}; GET {gets:?}; POST {posts:?}", killed.len());
    let tail = log.lines().rev().take(40).collect::<Vec<_>>().join("\n");
    assert!(killed.len() > 5, "{killed:?}\n{tail}");
    assert!(gets.len() == 1 && gets["200"] > 100, "a GET was lost: {gets:?}\n{tail}");
    assert!(posts.keys().all(|answer| answer == "200" || answer == "502"), "{posts:?}\n{tail}");
    let lost = posts.get("502").copied().unwrap_or(0);
    let told = log.lines().filter(|line| line.contains(" WARN ") && line.contains(": application failed ")).count();
    assert!(told as u64 >= lost, "{lost} were lost and {told} told of\n{tail}");
}
