//! Where synchronous applications run, and what happens when the house is full.

use super::support::*;
use gateway_spec::{Environ, StartResponse};
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// `/block` says that it is there and waits to be let go; everything else answers at once.
fn blocking_server(config: gateway_server::Config) -> (Running, Receiver<()>, Sender<()>) {
    let (entered, enters) = channel();
    let (release, waits) = channel::<()>();
    let waits = Arc::new(Mutex::new(waits));
    let server = serve_with(config, move |environ: Environ, start_response: StartResponse| {
        if environ.path_info() == "/block" {
            entered.send(())?;
            waits.lock().unwrap().recv()?;
        }
        echo(environ, start_response)
    });
    (server, enters, release)
}

fn block(server: &Running) -> Client {
    let mut client = server.client();
    client.send("GET /block HTTP/1.1\r\nHost: a\r\n\r\n");
    client
}

#[test]
fn applications_that_block_do_not_stop_the_others() {
    let (server, enters, release) = blocking_server(config().threads(2).max_blocking_calls(64));
    let mut stuck: Vec<Client> = (0..20).map(|_| block(&server)).collect();
    for _ in 0..20 {
        enters.recv_timeout(PATIENCE).unwrap();
    }
    for _ in 0..50 {
        assert_eq!(server.get("/free").text(), "/free ");
    }
    for client in &mut stuck {
        release.send(()).unwrap();
        let _ = client;
    }
    for client in &mut stuck {
        assert_eq!(client.response().text(), "/block ");
    }
}

/// Requests a second that four clients are answered which ask one after the other.
fn rate(server: &Running) -> f64 {
    const ROUND: Duration = Duration::from_millis(250);
    let begun = Instant::now();
    let answered: u32 = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let (mut client, mut answered) = (server.client(), 0);
                    while begun.elapsed() < ROUND {
                        client.send("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n");
                        assert_eq!(client.response().status, 200);
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    f64::from(answered) / begun.elapsed().as_secs_f64()
}

/// [`rate`] while 64 clients are in calls that block, each in one after the other.
fn rate_beside_calls_that_block(server: &Running, in_calls: &Counter) -> f64 {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let mut client = server.client();
                while !is_over.load(Ordering::SeqCst) {
                    client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
                    assert_eq!(client.response().status, 200);
                }
            });
        }
        let before = in_calls.now();
        eventually("all are in a call", || in_calls.now() >= before + 64);
        let rate = rate(server);
        is_over.store(true, Ordering::SeqCst);
        rate
    })
}

/// With a machine of its own it is 0.9 and more; here other tests run beside it.
#[test]
fn calls_that_block_leave_others_half_their_rate_and_more() {
    let in_calls = Counter::default();
    let count = in_calls.clone();
    let server =
        serve_with(gateway_server::Config::default(), move |environ: Environ, start_response: StartResponse| {
            if environ.path_info() == "/slow" {
                count.add();
                std::thread::sleep(Duration::from_millis(100));
            }
            ok(start_response, "done")
        });
    let mut shares = Vec::new();
    while !shares.iter().any(|share| *share >= 0.5) {
        assert!(shares.len() < 6, "of the rate without calls that block: {shares:?}");
        let alone = rate(&server);
        shares.push(rate_beside_calls_that_block(&server, &in_calls) / alone);
    }
}

#[test]
fn one_application_that_blocks_on_an_idle_server_stops_nobody() {
    for threads in [4, 1, 2, 16, 1] {
        let (server, enters, release) = blocking_server(config().threads(threads));
        let mut stuck = block(&server);
        enters.recv_timeout(PATIENCE).unwrap();
        // Everybody else was asleep when the call began: somebody must wake up all the same.
        assert_eq!(server.get("/free").text(), "/free ");
        release.send(()).unwrap();
        assert_eq!(stuck.response().text(), "/block ");
    }
}

#[test]
fn http_158_a_full_house_is_503_with_retry_after() {
    let (server, enters, release) = blocking_server(config().threads(1).max_blocking_calls(1));
    let mut stuck = [block(&server), block(&server)];
    for _ in 0..2 {
        enters.recv_timeout(PATIENCE).unwrap();
    }
    let mut third = server.client();
    third.send("GET /third HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = third.response();
    assert_eq!((response.status, response.field("connection")), (503, Some("close")));
    assert!(response.field("retry-after").is_some());
    third.expect_closed();
    for client in &mut stuck {
        release.send(()).unwrap();
        let _ = client;
    }
    for client in &mut stuck {
        assert_eq!(client.response().text(), "/block ");
    }
    assert_eq!(server.get("/again").text(), "/again ");
}

#[test]
fn http_158_a_body_that_is_still_arriving_needs_a_place_too() {
    let (server, enters, release) = blocking_server(config().max_blocking_calls(1));
    let mut first = server.client();
    first.send("POST /block HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    enters.recv_timeout(PATIENCE).unwrap();
    let mut second = server.client();
    second.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    assert_eq!(second.response().status, 503);
    release.send(()).unwrap();
    first.send(vec![b'x'; 100_000]);
    assert_eq!(first.response().body.len(), 100_007);
}

/// `/upload/N` reads so much of its body, says so, and reads on.
fn reading_server() -> (Running, Receiver<()>) {
    let (read, reads) = channel();
    let server = serve_with(
        config().threads(1).max_blocking_calls(1),
        move |mut environ: Environ, start_response: StartResponse| {
            if let Some(length) = environ.path_info().to_str()?.strip_prefix("/upload/") {
                let length = length.parse()?;
                std::io::copy(&mut environ.input.by_ref().take(length), &mut std::io::sink())?;
                read.send(())?;
            }
            echo(environ, start_response)
        },
    );
    (server, reads)
}

#[test]
fn an_upload_that_waits_gives_its_place_on_a_worker_to_others() {
    let (server, reads) = reading_server();
    let mut slow = server.client();
    slow.send("POST /upload/0 HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    reads.recv_timeout(PATIENCE).unwrap();
    let begun = Instant::now();
    // It will wait, but perhaps it has not come to that yet.
    while server.get("/other").status != 200 {
        assert!(begun.elapsed() < PATIENCE);
    }
    slow.send(vec![b'x'; 100_000]);
    assert_eq!(slow.response().body.len(), 100_010);
}

#[test]
fn an_upload_that_has_read_a_lot_gives_its_place_on_a_worker_to_others() {
    let (server, reads) = reading_server();
    let mut long = server.client();
    long.send("POST /upload/3000000 HTTP/1.1\r\nHost: a\r\nContent-Length: 3000001\r\n\r\n");
    long.send(vec![b'x'; 3_000_000]);
    reads.recv_timeout(PATIENCE).unwrap();
    assert_eq!(server.get("/other").text(), "/other ");
    long.send("x");
    assert_eq!(long.response().text(), "/upload/3000000 x");
}

#[test]
fn one_thread_is_enough() {
    let server = serve_with(config().threads(1), echo);
    assert_eq!(server.get("/1").text(), "/1 ");
    let mut client = server.client();
    client.send("POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("2\r\nhi\r\n0\r\n\r\n");
    assert_eq!(client.response().text(), "/2 hi");
}

#[test]
fn pep_33_the_environ_tells_the_truth_about_threads() {
    let server = serve(|environ: Environ, start_response: StartResponse| {
        ok(start_response, format!("{} {} {}", environ.multithread, environ.multiprocess, environ.run_once))
    });
    assert_eq!(server.get("/").text(), "true false false");
}

#[test]
fn an_input_kept_beyond_its_request_reads_nothing_of_the_next() {
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let server = serve(move |mut environ: Environ, start_response: StartResponse| {
        if environ.path_info() == "/keep" {
            *keep.lock().unwrap() = Some(std::mem::take(&mut environ.input));
            return ok(start_response, "kept");
        }
        echo(environ, start_response)
    });
    let mut client = server.client();
    client.send("POST /keep HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n");
    assert_eq!(client.response().text(), "kept");
    client.send(vec![b'x'; 70_000]);
    client.send("POST /next HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut input = kept.lock().unwrap().take().unwrap();
    client.send("2\r\nhi\r\n0\r\n\r\n");
    assert_eq!(client.response().text(), "/next hi");
    let error = input.read_all(1 << 20).unwrap_err();
    assert!(gateway_spec::Disconnected::is_cause_of(&error), "{error}");
}
