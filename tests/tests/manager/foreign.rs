//! Workers that are not ours: what spawn-fcgi and multiwatch looked after.

use gateway_tests::client::{Request, send};
use gateway_tests::place::Place;
use rustix::process::Signal;

use crate::load::{Load, check_all_answered};
use crate::setup::{Managed, pids};

/// php-cgi over a script that answers its process id; one connection for each of its processes, and none that is kept for long:
/// php-cgi does not end while it has one.
fn php(flags: &[&str]) -> (Managed, String) {
    let place = Place::new();
    place.write(
        "hello.php",
        "<?php header('Content-Type: text/plain'); usleep((int) ($_GET['wait'] ?? 0)); echo getmypid();",
    );
    let options = format!("root={}&max_connections=2&max_kept=1&idle_timeout=100ms", place.path().display());
    (Managed::over(place, &[&["--workers", "2"], flags].concat(), &["php-cgi"]), options)
}

#[test]
fn fcgi_123_php_cgi_is_looked_after_and_reloaded() {
    let (mut workers, options) = php(&[]);
    let before = pids(&workers.wait("ready", |status| status["idle"] == 2 && status["starting"] == 0));
    let front = workers.front(&options);
    let answer = send(front.address, &Request::get("/app/hello.php")).unwrap();
    assert_eq!(answer.status, 200, "{}", front.logs());
    assert!(before.contains(&answer.text().parse().unwrap()), "{} is none of {before:?}", answer.text());
    workers.process.signal(Signal::HUP);
    let after = pids(&workers.wait("reloaded", |status| status["reloads"] == 1 && status["finishing"] == 0));
    assert!(after.len() == 2 && after.iter().all(|pid| !before.contains(pid)), "{before:?} {after:?}");
    let answer = send(front.address, &Request::get("/app/hello.php")).unwrap();
    assert!(after.contains(&answer.text().parse().unwrap()), "{} is none of {after:?}", answer.text());
}

#[test]
fn fcgi_123_php_cgi_is_told_after_how_many_requests_to_end() {
    let (workers, options) = php(&["--max-requests", "5"]);
    let front = workers.front(&options);
    let load = Load::of(front.address, 2, &[Request::get("/app/hello.php")]);
    workers.wait("replaced", |status| status["starts"].as_u64() >= Some(6));
    check_all_answered(&load.end(), &(front.logs() + &workers.process.log()));
    // Ending by itself with status 0 is no crash (FCGI-9).
    assert_eq!(workers.figure("crashes"), 0, "{}", workers.process.log());
}

#[test]
fn a_foreign_worker_is_busy_while_it_has_a_connection_and_what_waits_is_counted() {
    let (workers, options) = php(&[]);
    let front = workers.front(&options.replace("max_connections=2", "max_connections=5"));
    let load = Load::of(front.address, 5, &[Request::get("/app/hello.php?wait=400000")]);
    let status = workers.wait("busy with some in the queue", |status| status["busy"] == 2 && status["queue"] != 0);
    assert_eq!(status["processes"][0]["requests"], serde_json::Value::Null, "nobody can know: {status}");
    assert_eq!(status["processes"][0]["tells"], false);
    check_all_answered(&load.end(), &front.logs());
    workers.wait("idle", |status| status["queue"] == 0);
}

#[test]
fn ondemand_starts_foreign_workers_for_connections_that_wait() {
    let (workers, options) = php(&["--mode", "ondemand", "--process-idle-timeout", "300ms"]);
    assert_eq!(workers.figure("starts"), 0);
    let front = workers.front(&options);
    let load = Load::of(front.address, 2, &[Request::get("/app/hello.php?wait=50000")]);
    workers.wait("both", |status| pids(status).len() == 2);
    check_all_answered(&load.end(), &front.logs());
    workers.wait("none again", |status| pids(status).is_empty());
}
