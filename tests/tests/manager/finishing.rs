//! Whose time counts for a worker that finishes: the manager's, unless somebody else ends it.

use std::net::SocketAddr;
use std::thread::JoinHandle;

use gateway_tests::client::{Request, Response, send};
use gateway_tests::place::Place;
use gateway_tests::programs::program;
use rustix::process::{Pid, Signal, kill_process};

use crate::setup::{Managed, pids};

/// Workers with a grace of 100 ms.
fn hasty(flags: &[&str]) -> Managed {
    let place = Place::new();
    let worker = place.program(&program("hasty"));
    Managed::over(place, &[&["--workers", "1"], flags].concat(), &[&worker.display().to_string()])
}

/// Asks for what takes so long, and waits until a worker has the request. No GET: that would be asked again of another one.
fn ask(workers: &Managed, front: SocketAddr, millis: u32) -> JoinHandle<Response> {
    let request = Request::post(&format!("/app/{millis}"), "x");
    let asking = std::thread::spawn(move || send(front, &request).unwrap());
    workers.wait("busy", |status| status["busy"] == 1);
    asking
}

#[test]
fn fcgi_10_a_reload_gives_a_request_the_managers_time_and_not_the_workers_own() {
    let mut workers = hasty(&[]);
    let front = workers.front("");
    let asking = ask(&workers, front.address, 1500);
    workers.process.signal(Signal::HUP);
    workers.wait("reloaded", |status| status["reloads"] == 1);
    assert_eq!(asking.join().unwrap().status, 200, "{}", workers.process.log());
    let log = workers.wait_for_log("worker finished");
    assert!(!log.contains("WARN"), "{log}");
}

#[test]
fn fcgi_10_requests_that_finish_timeout_cuts_off_are_a_warning() {
    let mut workers = hasty(&["--finish-timeout", "200ms"]);
    let front = workers.front("");
    let asking = ask(&workers, front.address, 60_000);
    workers.process.signal(Signal::HUP);
    assert_eq!(asking.join().unwrap().status, 502, "{}", workers.process.log());
    let log = workers.wait_for_log("lost=1");
    let is_told =
        |line: &str| line.contains("WARN") && line.contains("did not end in time") && line.contains("active=1");
    assert!(log.lines().any(is_told), "{log}");
}

#[test]
fn fcgi_10_requests_that_a_worker_cuts_off_by_itself_are_a_warning_of_the_manager() {
    let workers = hasty(&[]);
    let front = workers.front("");
    let asking = ask(&workers, front.address, 60_000);
    let worker = i32::try_from(pids(&workers.status())[0]).unwrap();
    kill_process(Pid::from_raw(worker).unwrap(), Signal::TERM).unwrap();
    assert_eq!(asking.join().unwrap().status, 502, "{}", workers.process.log());
    let log = workers.wait_for_log("requests cut off");
    let is_told = |line: &str| line.contains("WARN") && line.contains(&format!("pid={worker} requests=1"));
    assert!(log.lines().any(is_told), "{log}");
}
