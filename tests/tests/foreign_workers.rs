//! Our FastCGI client in front of workers that are not ours. Each test writes one column of `docs/SUPPORTED.md`, "Behind our
//! gateway", and then asks what only this side can be asked: early answers, standard error, kept connections, dead workers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use gateway_tests::client::{Content, Payload, Request, Response, send};
use gateway_tests::process::{Running, assert_none_left, poll_until};
use gateway_tests::servers::foreign;
use gateway_tests::suite::{HttpGateway, cases, check_without};
use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_secs(20);

/// Go makes a request of its own of the variables, and has no way to write to the error stream.
const NOT_IN_GO: &[&str] = &["stderr"];

/// What only an application on our contract does.
const OUR_OWN: &[&str] =
    &["lazy", "write", "restart", "fail_before", "panic", "panic_after", "closed", "closed_broken"];

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connections {
    Kept,
    /// The worker closes them, whatever KEEP_CONN says.
    Closed,
}

fn check_worker(name: &'static str, without: &[&str], connections: Connections, server: Running) {
    check_error_stream(&server);
    check_answers(name, without, connections, server);
}

fn check_answers(name: &'static str, without: &[&str], connections: Connections, server: Running) {
    let gateway = HttpGateway { name, prefix: "/app", process_per_request: false, address: server.address };
    check_without(&gateway, &[OUR_OWN, without].concat());
    check_early_answers(&server);
    check_connections(connections, &server);
    check_dead_workers(&server);
    let place = server.stop();
    assert_none_left(place.path());
}

/// FCGI-116: the worker answers at once and leaves 5 MB unread; FCGI-121: the next request has nothing to do with them.
fn check_early_answers(server: &Running) {
    for _ in 0..3 {
        let early = ask(server, &Request::post("/early", Payload::Pattern(5_000_000)));
        assert_eq!((early.status, early.text().as_str()), (200, "answered at once"));
        let echo = ask(server, &Request::post("/echo", Payload::Pattern(1000)));
        assert_eq!(echo.content, Content::of_pattern(1000));
    }
}

/// FCGI-83: in the log, and nowhere else, whenever it comes.
fn check_error_stream(server: &Running) {
    assert_eq!(ask(server, &Request::get("/stderr/around")).text(), "the body");
    for line in ["a line before the head", "a line behind the body"] {
        let is_told = |logged: &str| logged.contains(line) && logged.contains("request_id=");
        let logged = poll_until(PATIENCE, || server.logs().lines().any(is_told).then_some(()));
        assert!(logged.is_some(), "{line:?} is not in the log with its request:\n{}", server.logs());
    }
}

/// How many sockets a worker has without a connection: the listening one, and the channel to its manager if it has one.
fn own_sockets(process: u32) -> usize {
    let environ = fs::read(format!("/proc/{process}/environ")).unwrap();
    1 + usize::from(environ.split(|byte| *byte == 0).any(|entry| entry.starts_with(b"GATEWAY_CONTROL=")))
}

fn check_connections(expected: Connections, server: &Running) {
    let worker = process(server);
    match expected {
        Connections::Kept => {
            let before = sockets(worker);
            assert!(before.len() > own_sockets(worker), "{before:?}");
            assert_eq!(process(server), worker);
            assert_eq!(sockets(worker), before);
        }
        Connections::Closed => {
            let closed = poll_until(PATIENCE, || (sockets(worker).len() == own_sockets(worker)).then_some(()));
            assert!(closed.is_some(), "{:?}", sockets(worker));
        }
    }
}

/// FCGI-117: the connection was kept, and its worker has died meanwhile.
fn check_dead_workers(server: &Running) {
    for request in [Request::get("/hello"), Request::post("/echo", Payload::from("Hello, World!"))] {
        let worker = process(server);
        kill_process(Pid::from_raw(worker.cast_signed()).unwrap(), Signal::KILL).unwrap();
        if request.method == "POST" {
            // What a worker may have begun to do is not asked for twice: it must be dead before it is asked.
            // Reaped, that is: of a program with threads the first may be gone while others hold its connections.
            let is_gone = || !Path::new(&format!("/proc/{worker}")).exists();
            let gone = poll_until(PATIENCE, || is_gone().then_some(()));
            assert!(gone.is_some(), "worker {worker} does not die");
        }
        assert_eq!(ask(server, &request).text(), "Hello, World!");
        assert_ne!(process(server), worker);
    }
}

fn ask(server: &Running, request: &Request) -> Response {
    let mut request = request.clone();
    request.target = format!("/app{}", request.target);
    let answer =
        send(server.address, &request).unwrap_or_else(|e| panic!("{}: {e}\n{}", request.target, server.logs()));
    assert_eq!(answer.status, 200, "{} {}\n{}", request.method, request.target, server.logs());
    answer
}

/// The id of the worker's process.
fn process(server: &Running) -> u32 {
    ask(server, &Request::get("/process")).text().parse().unwrap()
}

/// Which sockets a process has open.
fn sockets(process: u32) -> BTreeSet<String> {
    let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.map(|target| target.to_string_lossy().into_owned()).filter(|target| target.starts_with("socket:")).collect()
}

#[test]
fn fcgi_83_116_117_libfcgi_in_c() {
    check_worker("libfcgi C", &[], Connections::Kept, foreign::libfcgi());
}

#[test]
fn fcgi_83_116_117_fcgi_in_perl() {
    check_worker("Perl FCGI", &[], Connections::Kept, foreign::perl());
}

/// It holds its answers back to their end: nothing comes of one that it breaks off.
#[test]
fn fcgi_83_116_117_fcgi_in_ruby() {
    check_worker("Ruby fcgi", &["fail_after"], Connections::Closed, foreign::ruby());
}

/// Go answers GET_VALUES, and says that it multiplexes.
#[test]
fn fcgi_116_117_fcgi_in_go() {
    let environ = cases().into_iter().map(|case| case.name).filter(|name| name.starts_with("environ_"));
    let without: Vec<_> = environ.chain(NOT_IN_GO.iter().copied()).collect();
    check_answers("Go fcgi", &without, Connections::Kept, foreign::go(""));
}

#[test]
fn fcgi_30_116_requests_share_a_connection_with_a_worker_in_go() {
    let server = foreign::go("&multiplex=true&idle_timeout=300ms");
    let worker = process(&server);
    let shares = || {
        std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8)
                .map(|number: usize| {
                    let server = &server;
                    scope.spawn(move || match number % 4 {
                        0 => assert_eq!(ask(server, &Request::get("/sleep/200")).text(), "slept 200 ms\n"),
                        1 => {
                            let echo = ask(server, &Request::post("/echo", Payload::Pattern(1_000_000)));
                            assert_eq!(echo.content, Content::of_pattern(1_000_000));
                        }
                        2 => assert_eq!(ask(server, &Request::get("/download")).content.length, 1 << 20),
                        _ => {
                            let upload = ask(server, &Request::post("/upload", Payload::Pattern(1_000_000)));
                            assert_eq!(upload.text(), "1000000");
                        }
                    })
                })
                .collect();
            asking.into_iter().for_each(|one| one.join().unwrap());
        });
        // Its own sockets, the one that all share, and one on which it was asked what it can do.
        sockets(worker).len() <= own_sockets(worker) + 2
    };
    // Requests share connections once the worker has said that it can, which is asked beside the first ones.
    assert!(poll_until(PATIENCE, || shares().then_some(())).is_some(), "{:?}", sockets(worker));
    assert_eq!(process(&server), worker);
    server.stop();
}

/// PHP ends its own answers well, whatever happens in the script.
#[test]
fn fcgi_83_112_116_117_php_cgi() {
    check_worker("php-cgi", &["fail_after"], Connections::Kept, foreign::php_cgi());
}

#[test]
fn fcgi_83_112_116_117_php_fpm() {
    check_worker("php-fpm", &["fail_after"], Connections::Kept, foreign::php_fpm());
}
