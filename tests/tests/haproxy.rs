//! HAProxy sends several requests at once on one connection to our worker (`option mpxs-conns`), and none waits for another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gateway_tests::client::{Payload, Request, Response, send};
use gateway_tests::process::{Running, descriptors, running_below};
use gateway_tests::servers::haproxy;

/// What the slow request's application does.
const SLOW: &str = "/app/sleep/2000";

/// Sockets that the worker has.
fn sockets(server: &Running) -> usize {
    let workers = running_below(server.place().path());
    let [worker] = workers[..] else { panic!("{} workers", workers.len()) };
    descriptors(worker).get("socket").copied().unwrap_or(0)
}

fn hello(server: &Running) -> Response {
    send(server.address, &Request::get("/app/hello")).unwrap()
}

/// Asks `slow` and, while it is not answered, others. All are on the one connection that HAProxy has.
fn check_others_are_answered(slow: &Request) {
    let server = haproxy::multiplexing();
    assert_eq!(hello(&server).status, 200);
    let with_one_connection = sockets(&server);
    let (is_answered, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let answer = send(server.address, slow).unwrap();
            is_answered.store(true, Ordering::SeqCst);
            assert_eq!((answer.status, answer.text().as_str()), (200, "slept 2000 ms\n"));
        });
        // For so long that the slow one is surely among them, and it takes four times as long.
        let until = Instant::now() + Duration::from_millis(500);
        let other = || {
            while Instant::now() < until {
                match hello(&server).status {
                    200 => answered.fetch_add(1, Ordering::SeqCst),
                    // HAProxy 2.6's own answer to requests that find its buffer full of somebody's body; not our worker's.
                    500 if !slow.body.is_empty() => 0,
                    status => panic!("{status}\n{}", server.logs()),
                };
            }
        };
        thread::scope(|others| (0..8).for_each(|_| drop(others.spawn(other))));
        assert!(!is_answered.load(Ordering::SeqCst), "the others waited for the slow one");
        assert!(answered.load(Ordering::SeqCst) > 20, "{}", server.logs());
        assert_eq!(sockets(&server), with_one_connection);
    });
}

#[test]
fn fcgi_31_a_slow_request_does_not_hold_up_others_on_its_connection() {
    check_others_are_answered(&Request::get(SLOW));
}

#[test]
fn fcgi_31_a_body_that_nobody_reads_does_not_hold_up_others_on_its_connection() {
    check_others_are_answered(&Request::post(SLOW, Payload::Pattern(4 << 20)));
}
