//! Rolling reloads.

use std::path::Path;
use std::process::Command;

use gateway_tests::client::{Request, send};
use gateway_tests::place::Place;
use gateway_tests::process::{Running, poll_until};
use gateway_tests::programs::program;
use gateway_tests::servers::{haproxy, nginx};
use rustix::process::Signal;
use serde_json::Value;

use crate::load::{Load, check_all_answered, get_and_post};
use crate::setup::{Managed, PATIENCE, pids};

/// How many reloads there are under load: 20 by `RELOADS=20`.
fn reloads() -> u64 {
    std::env::var("RELOADS").ok().and_then(|count| count.parse().ok()).unwrap_or(5)
}

#[test]
fn rolling_reloads_under_load_lose_no_request() {
    let mut workers = Managed::testbed(&["--workers", "4"]);
    workers.wait("ready", |status| status["starting"] == 0);
    let front = workers.front("");
    let load = Load::of(front.address, 16, &get_and_post("/app"));
    let mut before = pids(&workers.status());
    for reload in 1..=reloads() {
        workers.process.signal(Signal::HUP);
        let after = workers.wait("reloaded", |status| status["reloads"] == reload && status["finishing"] == 0);
        let after = pids(&after);
        assert!(after.len() == 4 && after.iter().all(|pid| !before.contains(pid)), "{before:?} {after:?}");
        before = after;
    }
    let counts = load.end();
    check_all_answered(&counts, &(front.logs() + &workers.process.log()));
    println!("{counts:?}");
    let log = workers.process.log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

/// Checks that a server that keeps its connections, and never sends a POST again, loses none over reloads.
#[track_caller]
fn check_reloads_behind(server: impl FnOnce(&Path) -> Running) {
    let mut workers = Managed::testbed(&["--workers", "4"]);
    workers.wait("ready", |status| status["starting"] == 0);
    let front = server(&workers.socket);
    let load = Load::of(front.address, 8, &get_and_post("/app"));
    for reload in 1..=reloads() {
        workers.process.signal(Signal::HUP);
        workers.wait("reloaded", |status| status["reloads"] == reload && status["finishing"] == 0);
    }
    let counts = load.end();
    check_all_answered(&counts, &(front.logs() + &workers.process.log()));
}

#[test]
fn fcgi_10_reloads_behind_nginx_lose_no_request() {
    check_reloads_behind(|socket| nginx::application(Place::new(), Vec::new(), &format!("unix:{}", socket.display())));
}

#[test]
fn fcgi_10_reloads_behind_haproxy_lose_no_request() {
    check_reloads_behind(|socket| {
        haproxy::start(Place::new(), Vec::new(), &haproxy::configuration("One request at a time", socket))
    });
}

#[test]
fn fcgi_10_reloads_behind_a_haproxy_that_multiplexes_lose_no_request() {
    check_reloads_behind(|socket| {
        let heading = "Several requests at once on each connection";
        haproxy::start(Place::new(), Vec::new(), &haproxy::configuration(heading, socket))
    });
}

#[test]
fn a_reload_whose_new_workers_do_not_come_up_keeps_the_old_ones_and_says_so() {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    let config = |command: &str| format!("command = [{command:?}]\nworkers = 3\n");
    let file = place.write("workers.toml", &config(&testbed.display().to_string()));
    let mut workers = Managed::over(place, &["--config", &file.display().to_string()], &[]);
    let before = pids(&workers.wait("ready", |status| status["idle"] == 3));
    std::fs::write(&file, config("/bin/false")).unwrap();
    workers.process.signal(Signal::HUP);
    let log = workers.wait_for_log("reload failed");
    assert!(log.contains("exit status: 1") && log.contains("kept=3"), "{log}");
    let after = workers.wait("settled", |status| status["is_reloading"] == false && status["idle"] == 3);
    assert_eq!(pids(&after), before);
    // The next one works, and not because of what failed.
    std::fs::write(&file, config(&testbed.display().to_string())).unwrap();
    workers.process.signal(Signal::HUP);
    workers.wait("reloaded", |status| status["reloads"] == 1 && pids(status).iter().all(|pid| !before.contains(pid)));
}

#[test]
fn gateway_serve_shows_its_workers_and_replaces_them_at_sighup() {
    let place = Place::new();
    let (gateway, testbed) = (place.program(&program("gateway")), place.program(&program("testbed")));
    let mount = format!("/app=fastcgi:spawn:{}?workers=2&look_interval=50ms", testbed.display());
    let mut front = Running::listen(place, "front", Vec::new(), |_, port| {
        let mut command = Command::new(&gateway);
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--admin", "127.0.0.1:0"]);
        command.args(["--no-access-log", "--mount", &mount]);
        command
    });
    let page = front.front().address("admin listener");
    let status = || -> Value {
        let answer = send(page, &Request::get("/status?json")).map(|answer| answer.text()).unwrap_or_default();
        serde_json::from_str::<Value>(&answer).map(|all| all["pools"][0].clone()).unwrap_or_default()
    };
    let wait = |is: &dyn Fn(&Value) -> bool| {
        poll_until(PATIENCE, || Some(status()).filter(is)).unwrap_or_else(|| panic!("never there: {}", status()))
    };
    let before = pids(&wait(&|status| status["idle"] == 2));
    let load = Load::of(front.address, 4, &get_and_post("/app"));
    front.front().signal(Signal::HUP);
    let after = pids(&wait(&|status| status["reloads"] == 1 && status["finishing"] == 0));
    assert!(after.len() == 2 && after.iter().all(|pid| !before.contains(pid)), "{before:?} {after:?}");
    check_all_answered(&load.end(), &front.logs());
}

#[test]
fn a_file_with_a_mistake_is_told_with_its_line_and_changes_nothing() {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    let right = format!("command = \"{}\"\nworkers = 1\n", testbed.display());
    let file = place.write("workers.toml", &right);
    let mut workers = Managed::over(place, &["--config", &file.display().to_string()], &[]);
    let before = pids(&workers.wait("ready", |status| status["idle"] == 1));
    std::fs::write(&file, right + "max_request = 5\n").unwrap();
    workers.process.signal(Signal::HUP);
    let log = workers.wait_for_log("not reloaded");
    assert!(log.contains("workers.toml:3:1: max_request: unknown"), "{log}");
    assert_eq!(pids(&workers.status()), before);
}
