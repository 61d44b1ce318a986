//! Limits of a worker: the soft ones lose no request, the hard one says which.

use gateway_tests::client::{Request, send};

use crate::load::{Load, check_all_answered, get_and_post};
use crate::setup::Managed;

/// Loads the workers until so many more were started, and checks that nothing was lost.
#[track_caller]
fn check_replaced_without_a_loss(flags: &[&str], reason: &str) {
    let workers = Managed::testbed(&[&["--workers", "2"], flags].concat());
    let front = workers.front("");
    let load = Load::of(front.address, 8, &get_and_post("/app"));
    workers.wait("replaced", |status| status["starts"].as_u64() >= Some(6));
    check_all_answered(&load.end(), &(front.logs() + &workers.process.log()));
    let log = workers.process.log();
    assert!(log.contains(&format!("limit=\"{reason}\"")) && log.contains(&format!("reason=\"{reason}\"")), "{log}");
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

#[test]
fn max_requests_replace_a_worker_without_a_failed_request() {
    check_replaced_without_a_loss(&["--max-requests", "50", "--max-requests-jitter", "10"], "max_requests");
}

#[test]
fn a_worker_over_its_memory_is_replaced_without_a_failed_request() {
    // Whatever a process needs to run is more.
    check_replaced_without_a_loss(&["--max-resident", "64KiB"], "max_memory");
}

#[test]
fn a_worker_at_the_end_of_its_lifetime_is_replaced_without_a_failed_request() {
    check_replaced_without_a_loss(&["--worker-lifetime", "300ms"], "lifetime");
}

#[test]
fn a_request_that_takes_too_long_ends_its_worker_and_the_log_says_which() {
    let workers = Managed::testbed(&["--workers", "1", "--request-timeout", "300ms"]);
    let front = workers.front("");
    // A GET would be asked again, of the next worker.
    let lost = send(front.address, &Request::post("/app/sleep/30000?secret=1", "x")).unwrap();
    assert_eq!(lost.status, 502, "{}", front.logs());
    let log = workers.wait_for_log("worker killed");
    let line = log.lines().find(|line| line.contains("request timed out")).unwrap();
    for part in ["WARN", "method=POST", "path=/app/sleep/30000", "took=", "pid="] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert!(!log.contains("secret"), "{log}");
    workers.wait("replaced", |status| status["timeouts"] == 1 && status["starts"] == 2);
    assert_eq!(send(front.address, &Request::get("/app/hello")).unwrap().status, 200);
}

#[test]
fn slow_requests_are_told_of_while_they_run_and_when_they_have_ended() {
    let workers = Managed::testbed(&["--workers", "1", "--slow-after", "200ms"]);
    let front = workers.front("");
    assert_eq!(send(front.address, &Request::get("/app/hello")).unwrap().status, 200);
    assert_eq!(send(front.address, &Request::get("/app/sleep/1000")).unwrap().status, 200);
    let log = workers.wait_for_log("slow request pid=");
    assert!(log.contains("slow request, still running") && log.contains("path=/app/sleep/1000"), "{log}");
    assert!(!log.contains("path=/app/hello"), "{log}");
    workers.wait("counted", |status| status["slow"] == 1 && status["requests"] == 2);
}
