//! Several requests at a time on one connection of a worker, asked by a gateway that writes and reads records by hand.
#![cfg(feature = "worker")]
// The lints know tests by their attribute; what only tests call is test code too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::needless_pass_by_value)] // an application's signature is the contract's

mod multiplexing;

use gateway_fastcgi::connection::Limits;
use gateway_fastcgi::protocol::{ProtocolStatus, RecordType};
use gateway_fastcgi::worker::WorkerConfig;
use gateway_spec::{AppError, Body, Disconnected, Environ, StartResponse, StatusCode, headers};
use multiplexing::{Connection, Gate, Running, big};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Answers by path: `/late` waits for the gate, `/flood` sends for ever, `/break` breaks off.
fn app(gate: &Gate, closed: &Gate) -> impl gateway_spec::Application + use<> {
    let (gate, closed) = (gate.clone(), closed.clone());
    move |mut environ: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        let path = environ.path_info().to_str()?.to_owned();
        start_response(StatusCode::OK, headers![])?;
        Ok(match path.as_str() {
            "/late" => {
                gate.enter();
                "late".into()
            }
            "/late-count" => {
                gate.enter();
                let mut all = Vec::new();
                environ.input.read_to_end(&mut all)?;
                all.len().to_string().into()
            }
            "/echo" => {
                let mut input = std::mem::take(&mut environ.input);
                Body::iter(std::iter::from_fn(move || match input.chunk(65_536) {
                    Ok(chunk) if chunk.is_empty() => None,
                    Ok(chunk) => Some(Ok(chunk)),
                    Err(error) => Some(Err(error.into())),
                }))
            }
            "/read" => match environ.input.read_all(1 << 30) {
                Ok(all) => all.len().to_string().into(),
                Err(error) if Disconnected::is_cause_of(&error) => {
                    closed.enter();
                    return Err(error.into());
                }
                Err(error) => format!("{:?}", error.kind()).into(),
            },
            "/flood" => {
                let closed = closed.clone();
                let piece = bytes::Bytes::from(vec![b'f'; 1 << 20]);
                Body::iter(std::iter::repeat_with(move || Ok(piece.clone()))).on_close(move || closed.enter())
            }
            "/closing" => {
                let closed = closed.clone();
                Body::from("closing").on_close(move || closed.enter())
            }
            "/break" => {
                let gate = gate.clone();
                let mut sent = false;
                Body::iter(std::iter::from_fn(move || {
                    if std::mem::replace(&mut sent, true) {
                        gate.enter();
                        return Some(Err("broken".into()));
                    }
                    Some(Ok("begun".into()))
                }))
            }
            _ => "hello".into(),
        })
    }
}

fn running(config: WorkerConfig) -> (Running, Gate, Gate) {
    let (gate, closed) = (Gate::default(), Gate::open());
    (Running::new(app(&gate, &closed), config), gate, closed)
}

#[test]
fn fcgi_31_56_a_slow_application_holds_nobody_up_from_the_first_request_on() {
    let (worker, gate, _) = running(WorkerConfig::default());
    let mut connection = Connection::to(&worker);
    connection.get(1, "/late");
    gate.wait_for(1);
    for id in [2, 3, 900] {
        connection.get(id, "/hello");
        assert_eq!(connection.answer(id).body(), b"hello");
    }
    gate.let_go();
    assert_eq!(connection.answer(1).body(), b"late");
}

#[test]
fn fcgi_31_a_body_that_is_not_read_yet_holds_nobody_up() {
    let (worker, gate, _) = running(WorkerConfig::default());
    let mut connection = Connection::to(&worker);
    let body = big(3_000_000);
    connection.begin(1, "POST", "/late-count", Some(body.len()));
    connection.stdin(1, &body[..2_000_000]);
    gate.wait_for(1);
    connection.get(2, "/hello");
    assert_eq!(connection.answer(2).body(), b"hello");
    connection.stdin(1, &body[2_000_000..]);
    connection.stdin(1, b"");
    connection.get(3, "/hello");
    assert_eq!(connection.answer(3).body(), b"hello");
    gate.let_go();
    assert_eq!(connection.answer(1).body(), b"3000000");
}

#[test]
fn fcgi_31_a_body_that_comes_slowly_holds_nobody_up() {
    let (worker, _, _) = running(WorkerConfig::default());
    let mut connection = Connection::to(&worker);
    let body = big(1_000_000);
    connection.begin(1, "POST", "/read", Some(body.len()));
    for id in 2..6 {
        connection.stdin(1, &body[..100_000]);
        connection.get(id, "/hello");
        assert_eq!(connection.answer(id).body(), b"hello");
    }
    connection.stdin(1, &body[..600_000]);
    connection.stdin(1, b"");
    assert_eq!(connection.answer(1).body(), b"1000000");
}

#[test]
fn fcgi_29_interleaved_bodies_come_back_each_to_its_own_request() {
    let (worker, _, _) = running(WorkerConfig::default());
    let mut connection = Connection::to(&worker);
    let bodies: Vec<(u16, Vec<u8>)> =
        (1..9_u16).map(|id| (id, vec![b'a' + u8::try_from(id).unwrap(); 300_000])).collect();
    for (id, body) in &bodies {
        connection.begin(*id, "POST", "/echo", Some(body.len()));
    }
    for at in (0..300_000).step_by(30_000) {
        for (id, body) in &bodies {
            connection.stdin(*id, &body[at..at + 30_000]);
        }
    }
    for (id, body) in &bodies {
        connection.stdin(*id, b"");
        let answer = connection.answer(*id);
        assert!(answer.body() == &body[..], "{id}: {} bytes", answer.body().len());
    }
}

#[test]
fn fcgi_116_a_long_answer_leaves_room_for_short_ones() {
    let (worker, _, closed) = running(WorkerConfig::default());
    let mut connection = Connection::to(&worker);
    connection.get(1, "/flood");
    for id in 2..6 {
        connection.read_bytes(1, connection.received(1) + (2 << 20));
        // From here on nothing is read, so the long answer stands still.
        connection.get(id, "/closing");
        closed.wait_for(usize::from(id) - 1);
        let before = connection.received(1);
        assert_eq!(connection.answer(id).body(), b"closing");
        let between = connection.received(1) - before;
        // What the socket held, the chunk that was begun while there were no neighbours, and two turns.
        assert!(between <= 2 << 20, "{between} bytes of the long answer came first");
    }
    connection.abort(1);
    assert_eq!(connection.ends(1), ProtocolStatus::REQUEST_COMPLETE);
    closed.wait_for(5);
}

#[test]
fn fcgi_79_an_abort_ends_one_request_once_and_no_other() {
    let (worker, gate, closed) = running(WorkerConfig::default());
    let mut connection = Connection::to(&worker);
    connection.get(1, "/late");
    connection.begin(2, "POST", "/read", Some(1_000_000));
    connection.stdin(2, b"some");
    gate.wait_for(1);
    connection.abort(2);
    connection.abort(2);
    assert_eq!(connection.ends(2), ProtocolStatus::REQUEST_COMPLETE);
    closed.wait_for(1);
    gate.let_go();
    assert_eq!(connection.answer(1).body(), b"late");
    connection.get(2, "/hello");
    assert_eq!(connection.answer(2).body(), b"hello", "the id is free again, and nothing of before is under it");
}

#[test]
fn fcgi_80_a_lost_connection_ends_all_its_requests() {
    let (worker, _, closed) = running(WorkerConfig::default());
    let mut connection = Connection::to(&worker);
    for id in 1..4 {
        connection.begin(id, "POST", "/read", Some(1_000_000));
        connection.stdin(id, b"some");
    }
    connection.get(4, "/flood");
    connection.read_bytes(4, 1 << 20);
    drop(connection);
    closed.wait_for(4);
}

#[test]
fn pep_145_a_response_that_is_broken_off_is_not_ended_and_its_neighbours_are_whole() {
    let (worker, gate, _) = running(WorkerConfig::default());
    let mut connection = Connection::to(&worker);
    connection.get(1, "/late");
    gate.wait_for(1);
    connection.get(2, "/break");
    gate.wait_for(2);
    gate.let_go();
    assert_eq!(connection.answer(1).body(), b"late");
    let rest = connection.until_closed();
    assert!(!rest.iter().any(|(kind, id)| (*kind, *id) == (RecordType::END_REQUEST, 2)), "{rest:?}");
}

#[test]
fn fcgi_72_requests_over_the_limit_of_a_connection_are_told_so() {
    let (worker, gate, _) = running(WorkerConfig::default().limits(Limits::default().max_requests(2)));
    let mut connection = Connection::to(&worker);
    connection.get(1, "/late");
    connection.get(2, "/late");
    gate.wait_for(2);
    connection.get(3, "/hello");
    assert_eq!(connection.ends(3), ProtocolStatus::OVERLOADED);
    gate.let_go();
    assert_eq!(connection.answer(1).body(), b"late");
    connection.get(3, "/hello");
    assert_eq!(connection.answer(3).body(), b"hello");
}

#[test]
fn fcgi_31_without_multiplexing_a_second_request_is_refused() {
    let (worker, gate, _) = running(WorkerConfig::default().multiplexing(false));
    let mut connection = Connection::to(&worker);
    // In one write, so that the second is read before the first is answered.
    connection.hold();
    connection.get(1, "/hello");
    connection.get(2, "/hello");
    connection.send();
    assert_eq!(connection.ends(2), ProtocolStatus::CANT_MPX_CONN);
    assert_eq!(connection.answer(1).body(), b"hello");
    gate.let_go();
}

#[test]
fn fcgi_56_values_say_what_is_true() {
    let limits = Limits::default().max_requests(5);
    let (worker, _, _) = running(WorkerConfig::default().max_connections(10).limits(limits));
    assert_eq!(
        Connection::to(&worker).values(),
        [("FCGI_MAX_CONNS", "10"), ("FCGI_MAX_REQS", "50"), ("FCGI_MPXS_CONNS", "1")]
    );
    let (worker, _, _) = running(WorkerConfig::default().max_connections(10).multiplexing(false));
    assert_eq!(
        Connection::to(&worker).values(),
        [("FCGI_MAX_CONNS", "10"), ("FCGI_MAX_REQS", "10"), ("FCGI_MPXS_CONNS", "0")]
    );
}

#[test]
fn idle_ids_time_out_and_the_connection_lives() {
    let (worker, gate, _) = running(WorkerConfig::default().read_timeout(Duration::from_millis(200)));
    let mut connection = Connection::to(&worker);
    connection.get(1, "/late");
    gate.wait_for(1);
    connection.begin_only(2);
    connection.begin(3, "POST", "/hello", Some(10));
    connection.begin(4, "POST", "/read", Some(1_000_000));
    connection.stdin(4, b"some");
    assert_eq!(connection.ends(2), ProtocolStatus::REQUEST_COMPLETE);
    assert!(connection.answer(3).head().starts_with("Status: 408 "));
    assert_eq!(connection.answer(4).body(), b"TimedOut");
    gate.let_go();
    assert_eq!(connection.answer(1).body(), b"late");
}

#[test]
fn fcgi_10_a_shutdown_finishes_all_requests_and_takes_no_more() {
    let (worker, gate, _) = running(WorkerConfig::default());
    let mut connection = Connection::to(&worker);
    connection.get(1, "/late");
    connection.get(2, "/late");
    gate.wait_for(2);
    worker.handle.shutdown();
    connection.until_refused(3);
    gate.let_go();
    assert_eq!(connection.answer(1).body(), b"late");
    assert_eq!(connection.answer(2).body(), b"late");
    connection.until_closed();
    worker.ended();
}

#[test]
fn a_worker_and_a_connection_end_after_their_requests() {
    let (worker, _, _) = running(WorkerConfig::default().max_connection_requests(2).max_requests(3));
    let mut connection = Connection::to(&worker);
    for _ in 0..2 {
        connection.get(1, "/hello");
        assert_eq!(connection.answer(1).body(), b"hello");
    }
    connection.until_closed();
    let mut connection = Connection::to(&worker);
    connection.get(1, "/hello");
    assert_eq!(connection.answer(1).body(), b"hello");
    connection.until_closed();
    worker.ended();
}

mod asynchronous {
    use super::*;
    use gateway_fastcgi::worker::Worker;
    use gateway_spec::{AsyncApplication, AsyncResponse, BodyStream, Cancellation, InputStream};

    /// `/echo` gives back, `/wait` waits until it is cancelled, `/whole` counts.
    struct App {
        entered: Gate,
        dropped: Gate,
        cancelled: Gate,
    }

    struct Raise(Gate);

    impl Drop for Raise {
        fn drop(&mut self) {
            self.0.enter();
        }
    }

    impl AsyncApplication for App {
        async fn call(&self, environ: Environ, mut input: InputStream) -> Result<AsyncResponse, AppError> {
            let path = environ.path_info().to_str()?.to_owned();
            let body = match path.as_str() {
                "/echo" => input.into_body(),
                "/wait" => {
                    let (cancellation, told): (Cancellation, _) =
                        (environ.extensions.get().cloned().unwrap(), self.cancelled.clone());
                    tokio::spawn(async move {
                        cancellation.cancelled().await;
                        told.enter();
                    });
                    let _raise = Raise(self.dropped.clone());
                    self.entered.enter();
                    std::future::pending::<()>().await;
                    BodyStream::empty()
                }
                _ => input.read_all(1 << 20).await?.len().to_string().into(),
            };
            Ok(AsyncResponse::new(StatusCode::OK, headers![], body))
        }
    }

    fn running() -> (Running, [Gate; 3]) {
        let gates = [Gate::open(), Gate::open(), Gate::open()];
        let [entered, dropped, cancelled] = gates.clone();
        let worker = Worker::asynchronous(App { entered, dropped, cancelled }, WorkerConfig::default());
        (Running::of(worker), gates)
    }

    #[test]
    fn fcgi_116_bodies_stream_both_ways_side_by_side() {
        let (worker, _) = running();
        let mut connection = Connection::to(&worker);
        for id in 1..4 {
            connection.begin(id, "POST", "/echo", Some(200_000));
        }
        for _ in 0..10 {
            for id in 1..4 {
                connection.stdin(id, &big(20_000));
            }
        }
        for id in 1..4 {
            connection.stdin(id, b"");
            assert!(connection.answer(id).body() == big(20_000).repeat(10));
        }
        connection.get(7, "/count");
        assert_eq!(connection.answer(7).body(), b"0");
    }

    #[test]
    fn fcgi_79_an_abort_drops_the_application_and_tells_its_work() {
        let (worker, [entered, dropped, cancelled]) = running();
        let mut connection = Connection::to(&worker);
        connection.get(1, "/wait");
        entered.wait_for(1);
        connection.abort(1);
        assert_eq!(connection.ends(1), ProtocolStatus::REQUEST_COMPLETE);
        dropped.wait_for(1);
        cancelled.wait_for(1);
        connection.get(1, "/wait");
        entered.wait_for(2);
        drop(connection);
        dropped.wait_for(2);
        cancelled.wait_for(2);
    }
}

#[test]
fn pep_104_fcgi_28_every_body_is_closed_once_with_many_requests_at_a_time_whose_ids_are_used_again() {
    let closes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&closes);
    let app = move |_: Environ, start_response: StartResponse| -> Result<Body, AppError> {
        let counted = Arc::clone(&counted);
        start_response(StatusCode::OK, headers![])?;
        Ok(Body::from("x").on_close(move || _ = counted.fetch_add(1, Ordering::Relaxed)))
    };
    let worker = Running::new(app, WorkerConfig::default());
    let mut connection = Connection::to(&worker);
    for round in 0..50 {
        for id in 1..21 {
            connection.get(id, "/");
        }
        for id in 1..21 {
            assert_eq!(connection.answer(id).body(), b"x", "{round}");
        }
    }
    drop(connection);
    worker.handle.shutdown();
    worker.ended();
    assert_eq!(closes.load(Ordering::Relaxed), 1000);
}
