//! What a service manager hears of programs made with `main!` and of `gateway workers` (sd_notify(3)); `gateway serve` is asked in its own tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use gateway_tests::place::Place;
use gateway_tests::process::Process;
use gateway_tests::programs::program;
use rustix::process::Signal;

/// Starts a command under a service manager: it is ready where it says so, stops, and says that too.
#[track_caller]
fn check(name: &str, program: &str, arguments: &[&str], status: &str) {
    let place = Place::new();
    let path = place.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    // Programs run as another user here, if root runs the tests.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let heard = || {
        let mut bytes = [0; 1000];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let mut command = Command::new(self::program(program));
    command.args(arguments).current_dir(place.path()).env("NOTIFY_SOCKET", &path);
    let mut process = Process::start(&place, name, &mut command);
    let ready = heard();
    assert!(ready.starts_with(&format!("READY=1\nSTATUS={status}")), "{ready}\n{}", process.log());
    process.signal(Signal::TERM);
    assert!(heard().starts_with("STOPPING=1\n"));
    assert!(process.wait_ended(Duration::from_secs(30)).unwrap().success(), "{}", process.log());
}

#[test]
fn programs_and_workers_say_that_they_are_ready_and_that_they_stop() {
    check("notify-http", "hello", &["--http", "127.0.0.1:0"], "serving http://127.0.0.1:");
    check("notify-fastcgi", "hello", &["--fastcgi", "unix:s.sock"], "serving unix:");
    let worker = program("hello");
    let workers = ["workers", "--listen", "unix:s.sock", "--workers", "1", "--", worker.to_str().unwrap()];
    check("notify-workers", "gateway", &workers, "workers accept on unix:");
}
