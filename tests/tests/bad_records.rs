//! Malformed records to our FastCGI worker: it closes, ignores or answers as its requirement says, and serves the next
//! connection (FastCGI 1.0).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use gateway_tests::place::Place;
use gateway_tests::process::Process;
use gateway_tests::records::{
    ABORT_REQUEST, BEGIN_REQUEST, END_REQUEST, GET_VALUES, GET_VALUES_RESULT, PARAMS, Peer, STDIN, STDOUT,
    UNKNOWN_TYPE, begin, get, get_parameters, pair, record,
};
use gateway_tests::servers::ours::testbed_worker_unix;

struct Worker {
    process: Process,
    socket: std::path::PathBuf,
    _place: Place,
}

fn worker() -> Worker {
    let place = Place::new();
    let (process, socket) = testbed_worker_unix(&place);
    Worker { process, socket, _place: place }
}

impl Worker {
    fn peer(&self) -> Peer {
        Peer::connect(&self.socket)
    }

    /// The same process answers, without a panic in its log.
    #[track_caller]
    fn check_alive(&mut self) {
        let mut peer = self.peer();
        peer.send(&get(1, false, "/hello"));
        let output = peer.receive_output(1).expect("an answer");
        assert!(output.ends_with("\r\n\r\nHello, World!") || output.ends_with("\n\nHello, World!"), "{output}");
        assert!(!self.process.has_ended());
        assert!(!self.process.log().contains("panicked"), "{}", self.process.log());
    }
}

/// What must end the connection without an answer.
#[track_caller]
fn check_closed(bytes: &[u8]) {
    let mut worker = worker();
    let mut peer = worker.peer();
    peer.send(bytes);
    peer.finish_sending();
    while let Some(record) = peer.receive() {
        assert_ne!(record.kind, STDOUT, "the application answered");
    }
    worker.check_alive();
}

#[test]
fn fcgi_20_other_versions_are_refused() {
    let mut bytes = get(1, false, "/hello");
    bytes[0] = 0;
    check_closed(&bytes);
    bytes[0] = 2;
    check_closed(&bytes);
}

#[test]
fn fcgi_24_a_request_with_id_0_is_refused() {
    check_closed(&get(0, false, "/hello"));
}

#[test]
fn fcgi_34_records_cut_at_any_byte_are_no_request() {
    let mut worker = worker();
    let whole = get(1, false, "/hello");
    for end in 0..whole.len() - 8 {
        let mut peer = worker.peer();
        peer.send(&whole[..end]);
        peer.finish_sending();
        while let Some(record) = peer.receive() {
            assert_ne!(record.kind, END_REQUEST, "cut at {end}: the request was answered as if it were whole");
        }
    }
    worker.check_alive();
}

#[test]
fn fcgi_42_huge_lengths_are_refused_without_allocating() {
    let huge = [0xff; 8];
    check_closed(&[begin(1, false), record(PARAMS, 1, &huge), record(PARAMS, 1, &[]), record(STDIN, 1, &[])].concat());
}

#[test]
fn fcgi_42_parameters_that_never_end_are_refused() {
    let mut bytes = begin(1, false);
    let long = pair("X", &"v".repeat(60_000));
    for _ in 0..400 {
        bytes.extend(record(PARAMS, 1, &long));
    }
    check_closed(&bytes);
}

#[test]
fn fcgi_29_records_of_unknown_requests_are_ignored() {
    let mut worker = worker();
    let mut peer = worker.peer();
    peer.send(&[record(STDIN, 9, b"late"), record(ABORT_REQUEST, 9, &[]), get(1, false, "/hello")].concat());
    assert!(peer.receive_output(1).expect("an answer").ends_with("Hello, World!"));
    worker.check_alive();
}

#[test]
fn fcgi_27_parameters_may_be_cut_anywhere() {
    let worker = worker();
    let parameters = get_parameters("/hello");
    for at in 0..=parameters.len() {
        let mut peer = worker.peer();
        let (first, second) = parameters.split_at(at);
        let mut bytes = begin(1, false);
        for part in [first, second].into_iter().filter(|p| !p.is_empty()) {
            bytes.extend(record(PARAMS, 1, part));
        }
        bytes.extend([record(PARAMS, 1, &[]), record(STDIN, 1, &[])].concat());
        peer.send(&bytes);
        let output = peer.receive_output(1).unwrap_or_else(|| panic!("no answer when cut at {at}"));
        assert!(output.ends_with("Hello, World!"), "cut at {at}: {output}");
    }
}

#[test]
fn fcgi_51_the_worker_closes_without_keep_conn() {
    let worker = worker();
    let mut peer = worker.peer();
    peer.send(&get(1, false, "/hello"));
    assert!(peer.receive_output(1).is_some());
    assert!(peer.is_closed());
}

#[test]
fn fcgi_52_the_worker_keeps_the_connection_when_asked() {
    let worker = worker();
    let mut peer = worker.peer();
    for _ in 0..3 {
        peer.send(&get(1, true, "/hello"));
        assert!(peer.receive_output(1).expect("an answer").ends_with("Hello, World!"));
    }
}

#[test]
fn fcgi_55_get_values_answers_the_known_names_only() {
    let worker = worker();
    let mut peer = worker.peer();
    peer.send(&record(GET_VALUES, 0, &[pair("FCGI_MPXS_CONNS", ""), pair("FCGI_NO_SUCH", "")].concat()));
    let answer = peer.receive().expect("an answer");
    assert_eq!((answer.kind, answer.id), (GET_VALUES_RESULT, 0));
    let text = String::from_utf8_lossy(&answer.content).into_owned();
    assert!(text.contains("FCGI_MPXS_CONNS") && !text.contains("FCGI_NO_SUCH"), "{text:?}");
}

#[test]
fn fcgi_57_unknown_management_types_are_named() {
    let worker = worker();
    let mut peer = worker.peer();
    peer.send(&record(42, 0, b"what"));
    let answer = peer.receive().expect("an answer");
    assert_eq!((answer.kind, answer.id, answer.content.first()), (UNKNOWN_TYPE, 0, Some(&42)));
}

#[test]
fn fcgi_unknown_roles_are_refused_by_end_request() {
    let worker = worker();
    let mut peer = worker.peer();
    peer.send(&record(BEGIN_REQUEST, 1, &[0, 77, 0, 0, 0, 0, 0, 0]));
    let answer = peer.receive().expect("an answer");
    // FCGI_UNKNOWN_ROLE
    assert_eq!((answer.kind, answer.id, answer.content.get(4)), (END_REQUEST, 1, Some(&3)));
}

#[test]
fn fcgi_abort_is_followed_by_exactly_one_end() {
    let mut worker = worker();
    let mut peer = worker.peer();
    let parameters = [get_parameters("/upload"), pair("CONTENT_LENGTH", "1000")].concat();
    peer.send(&[begin(1, true), record(PARAMS, 1, &parameters), record(PARAMS, 1, &[])].concat());
    peer.send(&[record(STDIN, 1, b"a part"), record(ABORT_REQUEST, 1, &[])].concat());
    assert!(peer.receive_output(1).is_some(), "no END_REQUEST");
    // The id is free again, and no second END_REQUEST comes for it.
    peer.send(&get(1, true, "/hello"));
    assert!(peer.receive_output(1).expect("an answer").ends_with("Hello, World!"));
    worker.check_alive();
}
