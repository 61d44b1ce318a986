//! The worker machine.

use super::*;
use crate::protocol::{PairError, ProtocolStatus, RequestId, UnknownType};

const ONE: RequestId = RequestId::ONE;

fn machine() -> WorkerConnection {
    WorkerConnection::new(Limits::default(), OWN)
}

fn params(id: u16, list: &[u8]) -> Vec<u8> {
    [record(RecordType::PARAMS, id, list, 3), record(RecordType::PARAMS, id, b"", 0)].concat()
}

fn post(id: u16, keep: bool, body: &[u8]) -> Vec<u8> {
    let stdin = [record(RecordType::STDIN, id, body, 7), record(RecordType::STDIN, id, b"", 0)].concat();
    [begin(id, Role::RESPONDER, keep), params(id, b"\x01\x01Ab"), stdin].concat()
}

/// The events of `bytes`, the same however they are cut; and the answers nobody was asked for.
#[track_caller]
fn check(fresh: impl Fn() -> WorkerConnection, bytes: &[u8]) -> (Told<WorkerEvent>, Vec<u8>) {
    let mut whole = fresh();
    let expected = (drive_worker(&mut whole, bytes, &[]), taken(whole.output()));
    for cuts in all_cuts(bytes.len()) {
        for drive in [drive_worker, drive_worker_shared] {
            let mut cut = fresh();
            let got = (drive(&mut cut, bytes, &cuts), taken(cut.output()));
            assert_eq!(got, expected, "cut at {cuts:?}");
        }
    }
    expected
}

#[track_caller]
fn check_error(bytes: &[u8], expected: ProtocolError) {
    let ((_, error), _) = check(machine, bytes);
    assert_eq!(error, Some(expected));
}

fn names(events: &[WorkerEvent]) -> Vec<&'static str> {
    let name = |event: &WorkerEvent| match event {
        WorkerEvent::Request(_) => "request",
        WorkerEvent::Stdin { .. } => "stdin",
        WorkerEvent::StdinEnd(_) => "stdin end",
        WorkerEvent::Data { .. } => "data",
        WorkerEvent::DataEnd(_) => "data end",
        WorkerEvent::Abort(_) => "abort",
    };
    events.iter().map(name).collect()
}

#[test]
fn fcgi_26_a_request_is_told_in_order_however_it_is_cut() {
    let ((events, error), output) = check(machine, &post(1, true, b"hello"));
    assert_eq!((error, output.len()), (None, 0));
    let [WorkerEvent::Request(request), WorkerEvent::Stdin { data, .. }, WorkerEvent::StdinEnd(_)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((request.id, request.role, request.keep_connection), (ONE, Role::RESPONDER, true));
    assert_eq!(request.params.get(b"A"), Some(&b"b"[..]));
    assert_eq!(data, "hello");
}

#[test]
fn fcgi_27_a_pair_may_cross_records_at_any_byte() {
    let list = b"\x04\x06NAMEvalue!\x80\0\0\x01\x01Xy";
    for cut in 1..list.len() {
        let bytes = [
            begin(1, Role::RESPONDER, true),
            record(RecordType::PARAMS, 1, &list[..cut], 0),
            record(RecordType::PARAMS, 1, &list[cut..], 1),
            record(RecordType::PARAMS, 1, b"", 0),
        ];
        let (events, error) = drive_worker(&mut machine(), &bytes.concat(), &[]);
        let Some(WorkerEvent::Request(request)) = events.first() else { panic!("{error:?} cut at {cut}") };
        assert_eq!(request.params.get(b"NAME"), Some(&b"value!"[..]));
        assert_eq!(request.params.get(b"X"), Some(&b"y"[..]));
    }
}

#[test]
fn fcgi_74_93_an_answer_has_its_golden_bytes() {
    let mut worker = machine();
    drive_worker(&mut worker, &post(1, true, b""), &[]);
    worker.send_stdout_parts(ONE, b"Status: 200 OK\r\n\r\n", "hi".into()).unwrap();
    worker.send_end(ONE, 3).unwrap();
    let golden = [
        &[1, 6, 0, 1, 0, 20, 4, 0][..],
        b"Status: 200 OK\r\n\r\nhi\0\0\0\0",
        &[1, 6, 0, 1, 0, 0, 0, 0],
        &[1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0],
    ];
    assert_eq!(taken(worker.output()), golden.concat());
}

#[test]
fn fcgi_23_long_output_is_cut_into_aligned_records_and_not_copied() {
    let mut worker = machine();
    drive_worker(&mut worker, &post(1, true, b""), &[]);
    let body = Bytes::from(vec![7; 200_001]);
    worker.send_stdout_parts(ONE, b"\r\n", body.clone()).unwrap();
    let out = worker.output();
    let mut slices = [std::io::IoSlice::new(&[]); 8];
    let filled = out.chunks_vectored(&mut slices);
    assert!(slices[..filled].iter().any(|slice| slice.as_ptr() == body.as_ptr()), "the body itself is in the output");
    let wire = taken(out);
    assert!(wire.len().is_multiple_of(8));
    let got: Vec<u8> = records(&wire).into_iter().flat_map(|(_, content)| content).collect();
    assert_eq!(got, [b"\r\n", &body[..]].concat());
}

#[test]
fn fcgi_75_stderr_is_ended_only_if_it_was_used() {
    let mut worker = machine();
    drive_worker(&mut worker, &post(1, true, b""), &[]);
    worker.send_stderr(ONE, "oh".into()).unwrap();
    worker.send_end(ONE, 0).unwrap();
    let kinds: Vec<_> = records(&taken(worker.output())).iter().map(|(header, _)| header.kind).collect();
    let expected = [RecordType::STDERR, RecordType::STDERR, RecordType::STDOUT, RecordType::END_REQUEST];
    assert_eq!(kinds, expected);
}

#[test]
fn fcgi_75_a_farewell_is_an_empty_record_of_a_request_that_is_over() {
    let mut worker = machine();
    drive_worker(&mut worker, &post(1, true, b""), &[]);
    worker.send_end(ONE, 0).unwrap();
    taken(worker.output());
    worker.send_farewell(ONE);
    assert_eq!(taken(worker.output()), [1, 7, 0, 1, 0, 0, 0, 0]);
}

#[test]
fn fcgi_81_a_request_ends_exactly_once() {
    let mut worker = machine();
    drive_worker(&mut worker, &post(1, true, b""), &[]);
    worker.send_end(ONE, 0).unwrap();
    taken(worker.output());
    assert_eq!(worker.send_end(ONE, 0), Err(SendError::Inactive(ONE)));
    assert_eq!(worker.send_stdout(ONE, "x".into()), Err(SendError::Inactive(ONE)));
    assert_eq!(worker.send_stderr(ONE, "x".into()), Err(SendError::Inactive(ONE)));
    assert_eq!(worker.refuse(ONE, ProtocolStatus::OVERLOADED), Err(SendError::Inactive(ONE)));
    assert!(!worker.output().has_remaining());
}

#[test]
fn fcgi_92_nothing_is_answered_before_the_parameters_are_read() {
    let mut worker = machine();
    drive_worker(&mut worker, &begin(1, Role::RESPONDER, true), &[]);
    assert_eq!(worker.send_stdout(ONE, "x".into()), Err(SendError::Inactive(ONE)));
    assert_eq!(worker.send_end(ONE, 0), Err(SendError::Inactive(ONE)));
}

#[test]
fn fcgi_51_52_keep_conn_decides_what_follows() {
    for keep in [true, false] {
        let mut worker = machine();
        drive_worker(&mut worker, &post(1, keep, b""), &[]);
        assert!(!worker.is_closing());
        worker.send_end(ONE, 0).unwrap();
        assert_eq!(worker.is_closing(), !keep);
        let (events, _) = drive_worker(&mut worker, &post(1, keep, b""), &[]);
        assert_eq!(!events.is_empty(), keep);
    }
}

#[test]
fn fcgi_28_29_121_late_input_is_dropped_and_the_id_used_again() {
    let bytes = post(1, true, &[b'x'; 300]);
    for cut in 50..bytes.len() {
        let mut worker = machine();
        let (events, _) = drive_worker(&mut worker, &bytes[..cut], &[]);
        assert_eq!(names(&events)[0], "request");
        worker.send_end(ONE, 0).unwrap();
        let rest = [&bytes[cut..], &post(1, true, b"second")].concat();
        let (events, error) = drive_worker(&mut worker, &rest, &[]);
        assert_eq!((names(&events), error), (vec!["request", "stdin", "stdin end"], None), "ended at {cut}");
    }
}

#[test]
fn fcgi_31_a_second_request_at_a_time_is_refused_and_the_first_unharmed() {
    let first = post(1, true, b"hello");
    let second = post(2, true, b"other");
    let (head, tail) = first.split_at(begin(1, Role::RESPONDER, true).len());
    let ((events, error), output) = check(machine, &[head, &second, tail].concat());
    assert_eq!((names(&events), error), (vec!["request", "stdin", "stdin end"], None));
    let refusal = EndRequest { app_status: 0, protocol_status: ProtocolStatus::CANT_MPX_CONN };
    assert_eq!(output, end(2, refusal));
}

#[test]
fn fcgi_33_a_second_begin_of_an_active_id_is_an_error() {
    check_error(&[post(1, true, b""), begin(1, Role::RESPONDER, true)].concat(), ProtocolError::BeginTwice { id: 1 });
}

#[test]
fn fcgi_71_unknown_roles_are_refused_and_the_connection_lives() {
    for role in [0, 2, 3, 4, 65_535] {
        let bytes = [begin(1, Role(role), true), params(1, b""), post(2, true, b"")].concat();
        let ((events, error), output) = check(machine, &bytes);
        assert_eq!((names(&events), error), (vec!["request", "stdin end"], None));
        let refusal = EndRequest { app_status: 0, protocol_status: ProtocolStatus::UNKNOWN_ROLE };
        assert_eq!(output, end(1, refusal));
    }
}

#[test]
fn fcgi_72_overload_is_answered_without_output() {
    let mut worker = machine();
    drive_worker(&mut worker, &post(1, true, b"x"), &[]);
    worker.refuse(ONE, ProtocolStatus::OVERLOADED).unwrap();
    let refusal = EndRequest { app_status: 0, protocol_status: ProtocolStatus::OVERLOADED };
    assert_eq!(taken(worker.output()), end(1, refusal));
    drive_worker(&mut worker, &post(1, true, b"x"), &[]);
    worker.send_stdout(ONE, "x".into()).unwrap();
    assert_eq!(worker.refuse(ONE, ProtocolStatus::OVERLOADED), Err(SendError::Answered(ONE)));
}

#[test]
fn fcgi_54_55_values_are_answered_before_during_and_after_a_request() {
    let query = record(RecordType::GET_VALUES, 0, b"\x0f\0FCGI_MPXS_CONNS\x03\0ODD", 5);
    let answer = record(RecordType::GET_VALUES_RESULT, 0, b"\x0f\x01FCGI_MPXS_CONNS0", 0);
    let request = post(1, true, b"x");
    let bytes = [&query[..], &request[..16], &query, &request[16..], &query].concat();
    let ((events, error), output) = check(machine, &bytes);
    assert_eq!((names(&events), error), (vec!["request", "stdin", "stdin end"], None));
    assert_eq!(output, answer.repeat(3));
}

#[test]
fn fcgi_57_unknown_management_types_are_named() {
    let ((_, error), output) = check(machine, &record(RecordType(42), 0, b"whatever", 9));
    assert_eq!(error, None);
    assert_eq!(output, record(RecordType::UNKNOWN_TYPE, 0, &UnknownType(RecordType(42)).encode(), 0));
}

#[test]
fn fcgi_25_58_records_without_meaning_here_are_skipped() {
    let request = post(1, true, b"x");
    for kind in [RecordType(42), RecordType::STDOUT, RecordType::END_REQUEST, RecordType::DATA] {
        let odd = record(kind, 1, b"odd", 2);
        // After the parameters, before STDIN.
        let at = request.len() - (8 + 1 + 7) - 8;
        let bytes = [&request[..at], &odd, &request[at..]].concat();
        let ((events, error), output) = check(machine, &bytes);
        assert_eq!((names(&events), error), (vec!["request", "stdin", "stdin end"], None), "{kind}");
        assert!(output.is_empty());
    }
}

#[test]
fn fcgi_24_application_records_never_have_id_0() {
    for kind in [RecordType::BEGIN_REQUEST, RecordType::PARAMS, RecordType::STDIN, RecordType::STDOUT] {
        check_error(&record(kind, 0, b"12345678", 0), ProtocolError::NullRequestId { kind });
    }
}

#[test]
fn fcgi_20_another_version_is_fatal() {
    check_error(&[2, 1, 0, 1, 0, 8, 0, 0], ProtocolError::Version { version: 2 });
    check_error(&[post(1, true, b""), vec![0]].concat(), ProtocolError::Version { version: 0 });
}

#[test]
fn fcgi_21_padding_is_skipped_whatever_its_bytes() {
    // `record` pads with 0xff: read as a header it would be fatal.
    let padded = [
        record(
            RecordType::BEGIN_REQUEST,
            1,
            &BeginRequest { role: Role::RESPONDER, keep_connection: true }.encode(),
            255,
        ),
        record(RecordType::PARAMS, 1, b"\x01\x01Ab", 1),
        record(RecordType::PARAMS, 1, b"", 255),
        record(RecordType::STDIN, 1, b"hello", 254),
        record(RecordType::STDIN, 1, b"", 8),
    ];
    let ((events, error), output) = check(machine, &padded.concat());
    assert_eq!((names(&events), error, output.len()), (vec!["request", "stdin", "stdin end"], None, 0));
}

#[test]
fn fcgi_32_reserved_bytes_are_ignored() {
    let mut bytes = post(1, true, b"hello");
    let mut at = 0;
    while at < bytes.len() {
        bytes[at + 7] = 0xff;
        at += 8 + usize::from(u16::from_be_bytes([bytes[at + 4], bytes[at + 5]])) + usize::from(bytes[at + 6]);
    }
    let ((events, error), _) = check(machine, &bytes);
    assert_eq!((names(&events), error), (vec!["request", "stdin", "stdin end"], None));
}

#[test]
fn fcgi_22_the_largest_record_is_one_record() {
    let bytes = [
        begin(1, Role::RESPONDER, true),
        params(1, b""),
        record(RecordType::STDIN, 1, &[b'x'; 65_535], 255),
        record(RecordType::STDIN, 1, b"", 0),
    ];
    let (events, error) = drive_worker(&mut machine(), &bytes.concat(), &[]);
    assert_eq!((names(&events), error), (vec!["request", "stdin", "stdin end"], None));
}

#[test]
fn fcgi_70_a_begin_of_another_size_is_refused() {
    for length in [0, 7, 9] {
        let expected = ProtocolError::BodyLength { kind: RecordType::BEGIN_REQUEST, length };
        check_error(&record(RecordType::BEGIN_REQUEST, 1, &vec![0; length], 0), expected);
    }
}

#[test]
fn fcgi_73_streams_come_in_order() {
    let start = begin(1, Role::RESPONDER, true);
    for kind in [RecordType::STDIN, RecordType::DATA] {
        check_error(&[&start[..], &record(kind, 1, b"x", 0)].concat(), ProtocolError::OutOfOrder { kind });
    }
}

#[test]
fn fcgi_34_content_after_the_end_of_its_stream_is_an_error() {
    for kind in [RecordType::PARAMS, RecordType::STDIN] {
        let bytes = [post(1, true, b""), record(kind, 1, b"x", 0)].concat();
        check_error(&bytes, ProtocolError::AfterStreamEnd { kind });
    }
}

#[test]
fn fcgi_121_stray_empty_stdin_is_skipped() {
    let stray = record(RecordType::STDIN, 1, b"", 0);
    let ((events, error), _) = check(machine, &[&stray[..], &post(1, true, b""), &stray].concat());
    assert_eq!((names(&events), error), (vec!["request", "stdin end"], None));
}

#[test]
fn fcgi_79_abort_is_told_once_and_ended_by_the_caller() {
    let abort = record(RecordType::ABORT_REQUEST, 1, b"", 0);
    let start = [begin(1, Role::RESPONDER, true), params(1, b"")].concat();
    let late = record(RecordType::STDIN, 1, b"late", 0);
    let mut worker = machine();
    let (events, error) = drive_worker(&mut worker, &[&start[..], &abort, &abort, &late].concat(), &[]);
    assert_eq!((names(&events), error), (vec!["request", "abort"], None));
    assert!(!worker.output().has_remaining());
    worker.send_end(ONE, 0).unwrap();
    assert_eq!(records(&taken(worker.output())).len(), 2);
    let (events, _) = drive_worker(&mut worker, &post(1, true, b""), &[]);
    assert_eq!(names(&events), ["request", "stdin end"]);
}

#[test]
fn fcgi_79_abort_before_the_request_was_told_is_answered_by_the_machine() {
    let abort = record(RecordType::ABORT_REQUEST, 1, b"", 0);
    let ((events, error), output) = check(machine, &[&begin(1, Role::RESPONDER, true)[..], &abort].concat());
    assert_eq!((events.len(), error), (0, None));
    assert_eq!(output, [record(RecordType::STDOUT, 1, b"", 0), end(1, EndRequest::COMPLETE)].concat());
}

#[test]
fn fcgi_79_abort_of_an_unknown_id_is_ignored() {
    let bytes = [record(RecordType::ABORT_REQUEST, 9, b"", 0), post(1, true, b"")].concat();
    let ((events, error), output) = check(machine, &bytes);
    assert_eq!((names(&events), error, output.len()), (vec!["request", "stdin end"], None, 0));
}

#[test]
fn fcgi_99_an_authorizer_works_without_stdin_and_with_an_empty_one() {
    let fresh = || machine().with_roles(&[Role::AUTHORIZER]);
    let bare = [begin(1, Role::AUTHORIZER, true), params(1, b"")].concat();
    let with_stdin = [&bare[..], &record(RecordType::STDIN, 1, b"", 0)].concat();
    for bytes in [bare, with_stdin] {
        let ((events, error), _) = check(fresh, &bytes);
        assert_eq!((names(&events), error), (vec!["request"], None));
    }
}

#[test]
fn fcgi_101_a_filter_gets_its_file_after_stdin() {
    let data = [record(RecordType::DATA, 1, b"file", 1), record(RecordType::DATA, 1, b"", 0)].concat();
    let stdin = [record(RecordType::STDIN, 1, b"q", 0), record(RecordType::STDIN, 1, b"", 0)].concat();
    let start = [begin(1, Role::FILTER, true), params(1, b"")].concat();
    let fresh = || machine().with_roles(&[Role::FILTER]);
    let ((events, error), _) = check(fresh, &[&start[..], &stdin, &data].concat());
    assert_eq!((names(&events), error), (vec!["request", "stdin", "stdin end", "data", "data end"], None));
    let (_, error) = drive_worker(&mut fresh(), &[&start[..], &data].concat(), &[]);
    assert_eq!(error, Some(ProtocolError::OutOfOrder { kind: RecordType::DATA }));
}

#[test]
fn fcgi_34_80_the_end_of_the_connection_is_told_from_a_cut() {
    let bytes = [post(1, true, b"hello"), vec![1, 5]].concat();
    for length in 0..=bytes.len() {
        let mut worker = machine();
        drive_worker(&mut worker, &bytes[..length], &[]);
        worker.receive_end();
        let whole = length == 0 || length == bytes.len() - 2;
        assert_eq!(worker.next_event().is_ok(), whole, "closed after {length}");
    }
}

#[test]
fn fcgi_42_131_wild_lengths_are_refused_before_anything_is_kept() {
    let bytes = [begin(1, Role::RESPONDER, true), record(RecordType::PARAMS, 1, &[0xff; 8], 0)].concat();
    let mut worker = machine();
    let (_, error) = drive_worker(&mut worker, &bytes, &[]);
    assert!(matches!(error, Some(ProtocolError::Pair(PairError::NameTooLong { .. }))));
}

#[test]
fn fcgi_42_parameters_are_bounded_as_a_whole() {
    let fresh = || WorkerConnection::new(Limits::default().max_params_bytes(100), OWN);
    let list = [&b"\x01\x5fA"[..], &[b'x'; 95]].concat();
    let half = record(RecordType::PARAMS, 1, &list, 0);
    let start = begin(1, Role::RESPONDER, true);
    assert_eq!(drive_worker(&mut fresh(), &[&start[..], &half].concat(), &[]).1, None);
    let ((_, error), _) = check(fresh, &[&start[..], &half, &half].concat());
    assert_eq!(error, Some(ProtocolError::ParamsTooLong { limit: 100 }));
}

#[test]
fn fcgi_136_records_before_the_first_request_are_bounded() {
    let limits = Limits::default().max_records_before_begin(3);
    let stray = record(RecordType::STDIN, 5, b"x", 0);
    let mut worker = WorkerConnection::new(limits.clone(), OWN);
    let (events, error) = drive_worker(&mut worker, &[stray.repeat(3), post(1, true, b"")].concat(), &[]);
    assert_eq!((names(&events), error), (vec!["request", "stdin end"], None));
    let mut worker = WorkerConnection::new(limits, OWN);
    let (_, error) = drive_worker(&mut worker, &stray.repeat(4), &[]);
    assert_eq!(error, Some(ProtocolError::TooManyRecordsBeforeBegin { limit: 3 }));
}

#[test]
fn fcgi_136_bytes_for_nobody_are_bounded_and_not_kept() {
    let mut worker = WorkerConnection::new(Limits::default().max_discarded_bytes(10_000), OWN);
    drive_worker(&mut worker, &post(1, true, b""), &[]);
    worker.send_end(ONE, 0).unwrap();
    let late = record(RecordType::STDIN, 1, &[0; 992], 0);
    for _ in 0..9 {
        assert_eq!(drive_worker(&mut worker, &late, &[]).1, None);
        assert_eq!(worker.retained_bytes(), 0);
    }
    let (_, error) = drive_worker(&mut worker, &late.repeat(2), &[]);
    assert_eq!(error, Some(ProtocolError::TooMuchDiscarded { limit: 10_000 }));
}

mod multiplexed {
    //! Several requests at a time.

    use super::*;

    fn machine() -> WorkerConnection {
        let own = Capabilities { max_connections: 1, max_requests: 3, multiplexes: true };
        WorkerConnection::new(Limits::default().max_requests(3), own)
    }

    fn stdin(id: u16, data: &[u8]) -> Vec<u8> {
        record(RecordType::STDIN, id, data, 2)
    }

    #[test]
    fn fcgi_29_records_of_several_requests_are_told_to_each() {
        let start = |id| [begin(id, Role::RESPONDER, true), params(id, b"")].concat();
        let bytes = [start(7), stdin(7, b"a"), start(2), stdin(2, b"x"), stdin(7, b"b"), stdin(2, b""), stdin(7, b"")];
        let ((events, error), output) = check(machine, &bytes.concat());
        assert_eq!((error, output.len()), (None, 0));
        let of = |id: u16| {
            let id = RequestId::new(id).unwrap();
            let mut told = Vec::new();
            for event in &events {
                match event {
                    WorkerEvent::Stdin { id: of, data } if *of == id => told.extend_from_slice(data),
                    WorkerEvent::StdinEnd(of) if *of == id => told.push(b'.'),
                    _ => {}
                }
            }
            told
        };
        assert_eq!((of(7), of(2)), (b"ab.".to_vec(), b"x.".to_vec()));
    }

    #[test]
    fn fcgi_72_one_request_more_than_there_may_be_is_refused() {
        let bytes: Vec<_> = (1..5).map(|id| begin(id, Role::RESPONDER, true)).collect();
        let ((_, error), output) = check(machine, &bytes.concat());
        assert_eq!(error, None);
        assert_eq!(output, end(4, EndRequest { app_status: 0, protocol_status: ProtocolStatus::OVERLOADED }));
    }

    #[test]
    fn fcgi_42_open_parameters_of_all_requests_are_bounded() {
        let own = Capabilities { max_connections: 1, max_requests: 100, multiplexes: true };
        let mut worker = WorkerConnection::new(Limits::default().max_requests(100).max_params_bytes(100), own);
        let list = [&b"\x01\x5fA"[..], &[b'x'; 95]].concat();
        let bytes: Vec<_> = (1..101)
            .map(|id| [begin(id, Role::RESPONDER, true), record(RecordType::PARAMS, id, &list, 0)].concat())
            .collect();
        assert_eq!(drive_worker(&mut worker, &bytes.concat(), &[]).1, None);
        assert!(worker.retained_bytes() <= 500, "{}", worker.retained_bytes());
        let refused = records(&taken(worker.output())).len();
        assert_eq!(refused + worker.open_requests(), 100);
    }

    #[test]
    fn fcgi_42_open_parameters_are_bounded_also_when_all_requests_began_before() {
        let own = Capabilities { max_connections: 1, max_requests: 100, multiplexes: true };
        let fresh = || WorkerConnection::new(Limits::default().max_requests(100).max_params_bytes(100), own);
        let list = [&b"\x01\x5fA"[..], &[b'x'; 95]].concat();
        let begun: Vec<_> = (1..11).map(|id| begin(id, Role::RESPONDER, true)).collect();
        let lists: Vec<_> = (1..11).map(|id| record(RecordType::PARAMS, id, &list, 3)).collect();
        let ends: Vec<_> = (1..11).map(|id| record(RecordType::PARAMS, id, b"", 0)).collect();
        let bytes = [begun.concat(), lists.concat()].concat();
        let mut worker = fresh();
        assert_eq!(drive_worker(&mut worker, &bytes, &[]).1, None);
        assert!(worker.retained_bytes() <= 400, "{}", worker.retained_bytes());
        let ((events, error), output) = check(fresh, &[bytes, ends.concat()].concat());
        assert_eq!((names(&events), error), (vec!["request"; 4], None));
        let refusal = EndRequest { app_status: 0, protocol_status: ProtocolStatus::OVERLOADED };
        assert_eq!(output, (5..11).flat_map(|id| end(id, refusal)).collect::<Vec<u8>>());
    }

    #[test]
    fn fcgi_51_the_last_request_closes_once_one_asked_for_it() {
        let mut worker = machine();
        let bytes = [post(1, false, b""), post(2, true, b"")].concat();
        drive_worker(&mut worker, &bytes, &[]);
        worker.send_end(ONE, 0).unwrap();
        assert!(!worker.is_closing());
        worker.send_end(RequestId::new(2).unwrap(), 0).unwrap();
        assert!(worker.is_closing());
    }

    #[test]
    fn parameters_that_stop_expire_and_nothing_else_does() {
        let mut worker = machine();
        let bytes = [begin(1, Role::RESPONDER, true), post(2, true, b"x"), begin(3, Role::RESPONDER, true)].concat();
        drive_worker(&mut worker, &bytes, &[]);
        assert_eq!(worker.expire(), 0);
        drive_worker(&mut worker, &record(RecordType::PARAMS, 3, b"\x01", 0), &[]);
        assert_eq!(worker.expire(), 1);
        assert_eq!(
            taken(worker.output()),
            [record(RecordType::STDOUT, 1, b"", 0), end(1, EndRequest::COMPLETE)].concat()
        );
        assert_eq!((worker.expire(), worker.open_requests()), (1, 1));
    }

    #[test]
    fn answers_that_nobody_asked_the_caller_for_are_counted_until_they_are_written() {
        let mut worker = machine();
        drive_worker(&mut worker, &[post(1, true, b""), record(RecordType(42), 0, b"", 0)].concat(), &[]);
        worker.send_stdout(ONE, Bytes::from(vec![0; 1000])).unwrap();
        assert_eq!(worker.unasked_output(), 16);
        taken(worker.output());
        assert_eq!(worker.unasked_output(), 0);
    }
}

#[test]
fn a_stream_that_is_shared_is_not_copied() {
    let mut worker = machine();
    drive_worker(&mut worker, &[begin(1, Role::RESPONDER, true), params(1, b"\x01\x01Ab")].concat(), &[]);
    let wire = Bytes::from([record(RecordType::STDIN, 1, b"one", 5), record(RecordType::STDIN, 1, b"two", 0)].concat());
    worker.receive_shared(wire.slice(..18));
    let place = |worker: &mut WorkerConnection| match worker.next_event() {
        Ok(Some(WorkerEvent::Stdin { data, .. })) => data.as_ptr(),
        other => panic!("{other:?}"),
    };
    assert_eq!(place(&mut worker), wire[8..].as_ptr());
    // A header in two pieces is put together, and what follows it with it.
    worker.receive_shared(wire.slice(18..));
    assert_ne!(place(&mut worker), wire[24..].as_ptr());
    assert_eq!(worker.next_event(), Ok(None));
}
