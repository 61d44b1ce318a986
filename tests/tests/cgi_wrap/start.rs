//! How it comes by its socket, and command lines that are refused.

use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use gateway_tests::client::{Request, send};
use gateway_tests::place::Place;
use gateway_tests::programs::program;
use gateway_tests::servers::nginx;

use crate::page::{block, command};
use crate::setup::{ENV, locations, scripts, socket, wrapped};

/// Ended by its id on drop.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a shell with a listening socket as its descriptor 0, whose script starts the worker with `arguments`, and asks it
/// something through nginx.
#[track_caller]
fn check_passed(shell: &str, arguments: &[String]) {
    let place = scripts(&[("env", ENV)]);
    let listener = UnixListener::bind(socket(&place)).unwrap();
    std::fs::set_permissions(socket(&place), PermissionsExt::from_mode(0o666)).unwrap();
    let root = place.join("lib").display().to_string();
    let arguments = arguments.iter().map(|argument| argument.replace("/usr/lib", &root));
    let mut worker = Command::new("/bin/sh");
    worker.args(["-c", shell]).arg(place.program(&program("gateway"))).args(arguments);
    let worker = Guard(worker.stdin(OwnedFd::from(listener)).stderr(Stdio::null()).spawn().unwrap());
    let locations = locations(&place);
    let front = nginx::serving(place, Vec::new(), "", &locations);
    let response = send(front.address, &Request::get("/cgi-bin/env/x")).unwrap();
    assert!(response.text().starts_with("/cgi-bin/env|/x|"), "{}\n{}", response.text(), front.logs());
    drop(worker);
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn fcgi_3_a_listening_socket_on_descriptor_0_is_served() {
    for arguments in ["cgi-wrap --root /usr/lib/cgi-bin", "cgi-wrap --root /usr/lib/cgi-bin --fastcgi fd0"] {
        check_passed(r#"exec "$0" "$@""#, &words(arguments));
    }
}

/// With the command of the page's service unit.
#[test]
fn a_socket_from_systemd_is_served() {
    let arguments = command(&block("ini"), "ExecStart=");
    check_passed(r#"exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@""#, &arguments);
}

#[test]
fn fcgi_133_the_socket_file_is_for_its_owner_unless_said_otherwise() {
    for (flags, mode) in [(&[][..], 0o600), (&["--socket-mode", "660"], 0o660)] {
        let server = wrapped(&[], flags);
        let found = std::fs::metadata(socket(server.front.place())).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{flags:?}");
    }
}

#[track_caller]
fn check_refused(folder: &Path, arguments: &[&str], code: i32, said: &[&str]) {
    let mut command = Command::new(program("gateway"));
    command.arg("cgi-wrap").args(arguments).current_dir(folder).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in said {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn mistakes_are_named_all_at_once_with_their_flag() {
    let place = Place::new();
    let here = place.path();
    let all =
        ["-s", "unix:", "-p", "nowhere", "-c", "0", "--max-queue", "x", "--stderr", "away", "--socket-mode", "999"];
    let said = [
        "gateway: --fastcgi: ",
        "`unix:` needs a path, or systemd, or fd0",
        "gateway: --root /",
        "/nowhere: ",
        "gateway: --max-children: \"0\" is not allowed; allowed is a number from 1 on",
        "gateway: --max-queue: ",
        "gateway: --stderr: \"away\" is not allowed; allowed is log or fastcgi",
        "gateway: --socket-mode: \"999\" is not allowed; allowed is an octal mode such as 660",
    ];
    check_refused(here, &all, 2, &said);
    let options =
        ["-p", ".", "-o", "timeout=soon", "-o", "nosuch=1", "-o", "max_children=2", "-c", "3", "-o", "root=nowhere"];
    let said = [
        "gateway: --option timeout: \"soon\" is not allowed",
        "gateway: --option nosuch: unknown; allowed are timeout,",
        "gateway: --option max_children: given twice",
        "gateway: --option: root: ",
    ];
    check_refused(here, &options, 2, &said);
}

#[test]
fn without_a_socket_it_says_how_to_name_one() {
    let place = Place::new();
    check_refused(place.path(), &["-p", "."], 1, &["no listening socket was passed", "--fastcgi unix:PATH"]);
    check_refused(place.path(), &["-p", ".", "-s", "fd0"], 1, &["no listening socket was passed"]);
    check_refused(
        place.path(),
        &["-p", ".", "-s", "unix:no/folder"],
        1,
        &["cannot listen on unix:", "make the folder first"],
    );
}
