//! The beginning and the end of the manager.

use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use gateway_tests::client::{Request, send};
use gateway_tests::place::Place;
use gateway_tests::process::{Process, poll_until, start_tcp};
use gateway_tests::programs::program;
use gateway_tests::records::{Peer, get};
use rustix::process::Signal;

use crate::setup::{Managed, PATIENCE, pids};

fn is_gone(pid: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    // One that nobody has reaped yet has no memory and no files any more.
    stat.map_or(true, |stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
}

#[test]
fn workers_do_not_outlive_a_manager_that_is_killed() {
    let mut workers = Managed::testbed(&["--workers", "3"]);
    let pids = pids(&workers.wait("ready", |status| status["idle"] == 3));
    workers.process.signal(Signal::KILL);
    assert!(poll_until(PATIENCE, || pids.iter().all(|pid| is_gone(*pid)).then_some(())).is_some(), "{pids:?}");
}

#[test]
fn fcgi_10_sigterm_lets_requests_finish_and_leaves_nothing() {
    let mut workers = Managed::testbed(&["--workers", "2"]);
    let front = workers.front("");
    let pids = pids(&workers.wait("ready", |status| status["idle"] == 2));
    let address = front.address;
    let asking = std::thread::spawn(move || send(address, &Request::get("/app/sleep/1000")).unwrap());
    workers.wait("busy", |status| status["busy"] == 1);
    workers.process.signal(Signal::TERM);
    assert_eq!(asking.join().unwrap().status, 200, "{}", workers.process.log());
    let exit = workers.process.wait_ended(PATIENCE).expect("it ends");
    assert!(exit.success(), "{exit}\n{}", workers.process.log());
    assert!(pids.iter().all(|pid| is_gone(*pid)) && !workers.socket.exists());
}

#[test]
fn the_socket_has_the_permissions_asked_for() {
    use std::os::unix::fs::PermissionsExt;
    let workers = Managed::testbed(&["--workers", "1", "--socket-mode", "660"]);
    let mode = std::fs::metadata(&workers.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
}

/// A command that is given a listening socket.
fn passed(place: &Place, as_systemd: bool) -> (Command, std::path::PathBuf) {
    let (gateway, testbed) = (place.program(&program("gateway")), place.program(&program("testbed")));
    let socket = place.join("passed");
    let listener = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let line = format!("exec {} workers --workers 1 -- {}", gateway.display(), testbed.display());
    let line = if as_systemd { format!("LISTEN_PID=$$ LISTEN_FDS=1 {line} 3<&0 0</dev/null") } else { line };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &line]).stdin(Stdio::from(std::os::fd::OwnedFd::from(listener))).current_dir(place.path());
    (command, socket)
}

#[test]
fn a_socket_that_was_passed_is_served() {
    for as_systemd in [false, true] {
        let place = Place::new();
        let (mut command, socket) = passed(&place, as_systemd);
        let log = std::fs::File::create(place.join("workers.log")).unwrap();
        let mut child = command.stderr(log).spawn().unwrap();
        let gateway = place.program(&program("gateway"));
        let mount = format!("/app=fastcgi:unix:{}", socket.display());
        let front = gateway_tests::process::Running::listen(Place::new(), "front", Vec::new(), |_, port| {
            let mut command = Command::new(&gateway);
            command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--mount", &mount]);
            command
        });
        let answer = send(front.address, &Request::get("/app/hello"));
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, Signal::TERM).unwrap();
        assert!(child.wait().unwrap().success());
        let log = std::fs::read_to_string(place.join("workers.log")).unwrap();
        assert_eq!(answer.unwrap().status, 200, "systemd: {as_systemd}\n{log}");
        assert!(socket.exists(), "the file belongs to whoever made it");
    }
}

#[test]
fn fcgi_5_6_the_list_in_the_environment_of_the_manager_is_obeyed_by_its_workers() {
    for (list, served) in [("127.0.0.1", true), ("127.0.0.2", false), ("x", false)] {
        let place = Place::new();
        let (gateway, testbed) = (place.program(&program("gateway")), place.program(&program("testbed")));
        let (process, address) = start_tcp(&place, "workers", |port| {
            let mut command = Command::new(&gateway);
            command.env("FCGI_WEB_SERVER_ADDRS", list).args(["workers", "--workers", "1", "--listen"]);
            command.arg(format!("tcp:127.0.0.1:{port}")).arg("--").arg(&testbed);
            command
        });
        let mut peer = Peer::connect_tcp(address);
        peer.send(&get(1, false, "/hello"));
        assert_eq!(peer.receive_output(1).is_some(), served, "{list:?}\n{}", process.log());
    }
}

#[test]
fn what_does_not_fit_together_is_refused_with_what_to_write() {
    let rows: [(&[&str], &str); 4] = [
        (
            &["--listen", "/run/app/s"],
            "--listen: \"/run/app/s\": a socket file is named with `unix:`, as in `unix:/run/app/s`",
        ),
        (&["--max-spare", "2"], "max_spare: \"2\": means something with mode = dynamic only"),
        (&["--mode", "dynamic", "--min-spare", "3"], "min_spare: \"3\": is more than workers, which is 2"),
        (
            &["--directory", "/nonexist"],
            "directory: \"/nonexist\": No such file or directory (os error 2); correct the path",
        ),
    ];
    for (flags, wanted) in rows {
        let place = Place::new();
        let mut command = Command::new(place.program(&program("gateway")));
        command.args(["workers", "--listen", "unix:s"]).args(flags).args(["--", "sleep", "1000"]);
        if flags[0] == "--listen" {
            command = Command::new(place.program(&program("gateway")));
            command.arg("workers").args(flags).args(["--", "sleep", "1000"]);
        }
        let mut process = Process::start(&place, "workers", &mut command);
        assert_eq!(process.wait_ended(PATIENCE).unwrap().code(), Some(2), "{flags:?}");
        assert!(process.log().contains(wanted), "{flags:?}: {}", process.log());
    }
}

#[test]
fn every_mistake_of_the_command_line_is_told() {
    let place = Place::new();
    let mut command = Command::new(place.program(&program("gateway")));
    command.args(["workers", "--listen", "unix:s", "--mode", "some", "--max-requests", "0"]);
    command.args(["--socket-owner", "no-such-user"]);
    let mut process = Process::start(&place, "workers", &mut command);
    assert_eq!(process.wait_ended(PATIENCE).unwrap().code(), Some(2));
    let log = process.log();
    assert!(log.contains("--mode: \"some\" is not allowed; allowed is static, dynamic or ondemand"), "{log}");
    assert!(log.contains("--max-requests: \"0\" is not allowed"), "{log}");
    assert!(log.contains("--socket-owner: \"no-such-user\""), "{log}");
}
