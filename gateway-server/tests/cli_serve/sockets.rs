//! Where it listens: socket files with their mode and owner, and sockets that systemd has opened.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, getegid, geteuid, kill_process};

use crate::gateway::Gateway;

#[test]
fn a_socket_file_has_the_mode_and_owner_of_the_flags() {
    let folder = tempfile::tempdir().unwrap();
    let owner = format!("{}:{}", geteuid().as_raw(), getegid().as_raw());
    let flags = ["--listen", "unix:s.sock", "--socket-mode", "660", "--socket-owner", &owner];
    let mut gateway = Gateway::start(folder.path(), &flags);
    gateway.wait_for("listening on unix:");
    let found = std::fs::metadata(folder.path().join("s.sock")).unwrap();
    assert_eq!((found.mode() & 0o777, found.uid(), found.gid()), (0o660, geteuid().as_raw(), getegid().as_raw()));
    assert!(gateway.stop().0.success());
}

/// One answer of a gateway at this socket.
fn ask(socket: &Path) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn sockets_of_systemd_are_served_all_or_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passed.sock");
    let listener = UnixListener::bind(&path).unwrap();
    // As systemd: descriptors from 3 on, and the variables that say so.
    let script = r#"exec 3<&0 0</dev/null
        LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$0" serve --listen "$1" --mount /=app:demo"#;
    for source in ["systemd", "systemd:web"] {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_gateway"), source]);
        command.stdin(OwnedFd::from(listener.try_clone().unwrap())).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let answer = ask(&path);
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert!(child.wait().unwrap().success());
        assert!(answer.starts_with("HTTP/1.1 200 "), "{source}: {answer}");
        assert!(path.exists(), "the file is systemd's");
    }
    let gateway = Gateway::start(folder.path(), &["--listen", "systemd"]);
    let (status, log) = gateway.end();
    assert_eq!(status.code(), Some(1));
    let said = log.iter().find(|line| line.contains("cannot listen on systemd: systemd passed no socket")).unwrap();
    assert!(said.contains("start this service by its .socket unit") && said.contains("with --listen ADDR"), "{said}");
}
