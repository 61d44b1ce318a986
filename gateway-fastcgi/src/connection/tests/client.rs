//! The client machine.

use super::*;
use crate::protocol::{PairLimits, Params, PeerValues, ProtocolStatus, RequestId, UnknownType, ValueName};

const ONE: RequestId = RequestId::ONE;
const KEEP: BeginRequest = BeginRequest { role: Role::RESPONDER, keep_connection: true };

/// A machine that has sent a request with an empty body.
fn asked(begin: BeginRequest) -> ClientConnection {
    let mut client = ClientConnection::new();
    client.send_request(begin, [(&b"A"[..], &b"b"[..])]).unwrap();
    client.end_stdin(ONE).unwrap();
    taken(client.output());
    client
}

#[track_caller]
fn check(bytes: &[u8]) -> Told<ClientEvent> {
    let expected = drive_client(&mut asked(KEEP), bytes, &[]);
    for cuts in all_cuts(bytes.len()) {
        assert_eq!(drive_client(&mut asked(KEEP), bytes, &cuts), expected, "cut at {cuts:?}");
    }
    expected
}

#[track_caller]
fn check_error(bytes: &[u8], expected: ProtocolError) {
    assert_eq!(check(bytes).1, Some(expected));
}

fn stdout(data: &'static str) -> ClientEvent {
    ClientEvent::Stdout { id: ONE, data: data.into() }
}

#[test]
fn fcgi_90_a_request_has_its_golden_bytes() {
    let mut client = ClientConnection::new();
    client.send_request(KEEP, [(&b"SERVER_PORT"[..], &b"80"[..])]).unwrap();
    client.send_stdin(ONE, "hi".into()).unwrap();
    client.end_stdin(ONE).unwrap();
    let golden = [
        &[1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0][..],
        &[1, 4, 0, 1, 0, 15, 1, 0],
        b"\x0b\x02SERVER_PORT80\0",
        &[1, 4, 0, 1, 0, 0, 0, 0],
        &[1, 5, 0, 1, 0, 2, 6, 0],
        b"hi\0\0\0\0\0\0",
        &[1, 5, 0, 1, 0, 0, 0, 0],
    ];
    assert_eq!(taken(client.output()), golden.concat());
}

#[test]
fn fcgi_45_pairs_are_never_cut_across_records() {
    let value = vec![b'v'; 999];
    let names: Vec<String> = (0..500).map(|n| format!("NAME_{n}")).collect();
    let mut client = ClientConnection::new();
    client.send_request(KEEP, names.iter().map(|name| (name.as_bytes(), &value[..]))).unwrap();
    let wire = records(&taken(client.output()));
    let limits = PairLimits { max_name_bytes: 99, max_value_bytes: 999, max_pairs: 500 };
    let mut pairs = 0;
    for (header, content) in wire.iter().filter(|(header, _)| header.kind == RecordType::PARAMS) {
        assert!(u32::from(header.content_length) + u32::from(header.padding_length) <= 65_535);
        pairs += Params::decode(content.clone().into(), &limits).unwrap().len();
    }
    assert_eq!(pairs, 500);
    let params: Vec<_> = wire.iter().filter(|(header, _)| header.kind == RecordType::PARAMS).collect();
    assert!(params.len() > 7, "several records were needed");
    assert!(params.iter().rev().skip(1).all(|(_, content)| !content.is_empty()), "only the last record is empty");
}

#[test]
fn fcgi_46_ends_of_streams_have_no_padding() {
    let mut client = ClientConnection::new();
    client.send_request(BeginRequest { role: Role::FILTER, keep_connection: true }, []).unwrap();
    client.end_stdin(ONE).unwrap();
    client.end_data(ONE).unwrap();
    let ends: Vec<_> = records(&taken(client.output())).into_iter().skip(1).map(|(header, _)| header).collect();
    let kinds = [RecordType::PARAMS, RecordType::STDIN, RecordType::DATA];
    assert_eq!(ends, kinds.map(|kind| RecordHeader::new(kind, 1, 0)));
}

#[test]
fn fcgi_45_a_pair_too_long_for_one_record_is_refused_and_nothing_sent() {
    let mut client = ClientConnection::new();
    let long = vec![b'x'; 65_528 - 6];
    let error = client.send_request(KEEP, [(&b"A"[..], &b"b"[..]), (b"AB", &long)]).unwrap_err();
    assert_eq!(error, SendError::PairTooLong { length: 65_529 });
    assert!(!client.output().has_remaining());
    client.send_request(KEEP, [(&b"A"[..], &long[..])]).unwrap();
    assert_eq!(records(&taken(client.output()))[1].0.content_length, 65_528);
}

#[test]
fn fcgi_41_nul_in_a_pair_is_refused() {
    for pair in [(&b"A\0"[..], &b""[..]), (b"A", b"\0"), (b"", b"\0")] {
        assert_eq!(ClientConnection::new().send_request(KEEP, [pair]), Err(SendError::NulInPair));
    }
    let send = |name: &[u8], value: &[u8]| {
        ClientConnection::new().send_request(KEEP, [(&b""[..], &b""[..]), (name, value)]).map(|_| ())
    };
    // A length may be written with zeros; those are none.
    for length in [0, 1, 127, 128, 255, 256, 512, 4096, 65_000] {
        let mut long = vec![b'x'; length];
        assert_eq!((send(b"A", &long), send(&long, b"")), (Ok(()), Ok(())), "{length}");
        long.push(0);
        assert_eq!(send(b"A", &long), Err(SendError::NulInPair), "{length}");
        assert_eq!(send(&long, b"v"), Err(SendError::NulInPair), "{length}");
    }
}

#[test]
fn fcgi_30_one_request_at_a_time_always_with_id_1() {
    let mut client = asked(KEEP);
    assert_eq!(client.send_request(KEEP, []), Err(SendError::Busy));
    drive_client(&mut client, &end(1, EndRequest::COMPLETE), &[]);
    assert_eq!(client.send_request(KEEP, []), Ok(ONE));
}

#[test]
fn fcgi_110_an_answer_is_told_however_it_is_cut() {
    let bytes = [
        record(RecordType::STDOUT, 1, b"Status: ", 1),
        record(RecordType::STDERR, 1, b"oh", 0),
        record(RecordType::STDOUT, 1, b"200\r\n\r\n", 255),
        record(RecordType::STDERR, 1, b"", 0),
        record(RecordType::STDOUT, 1, b"", 0),
        end(1, EndRequest { app_status: 9, ..EndRequest::COMPLETE }),
    ];
    let stderr = ClientEvent::Stderr { id: ONE, data: "oh".into() };
    let ended = ClientEvent::End { id: ONE, end: EndRequest { app_status: 9, ..EndRequest::COMPLETE } };
    let expected = vec![stdout("Status: "), stderr, stdout("200\r\n\r\n"), ClientEvent::StdoutEnd(ONE), ended];
    assert_eq!(check(&bytes.concat()), (expected, None));
}

#[test]
fn fcgi_22_the_largest_record_of_a_worker_is_one_record() {
    let bytes = [record(RecordType::STDOUT, 1, &[b'x'; 65_535], 255), end(1, EndRequest::COMPLETE)].concat();
    let whole = drive_client(&mut asked(KEEP), &bytes, &[]);
    let [ClientEvent::Stdout { data, .. }, ClientEvent::End { .. }] = &whole.0[..] else { panic!("{whole:?}") };
    assert_eq!((data.len(), &whole.1), (65_535, &None));
    // Around the header, both ends of the content, and both ends of the padding.
    for cut in (0..16).chain(65_530..65_560).chain(65_790..bytes.len()) {
        assert_eq!(drive_client(&mut asked(KEEP), &bytes, &[cut]), whole, "cut at {cut}");
    }
}

#[test]
fn fcgi_75_an_empty_stderr_is_accepted() {
    let stderr = record(RecordType::STDERR, 1, b"", 0);
    let out = record(RecordType::STDOUT, 1, b"x", 0);
    let ended = ClientEvent::End { id: ONE, end: EndRequest::COMPLETE };
    for bytes in [
        [&stderr[..], &out, &end(1, EndRequest::COMPLETE)].concat(),
        [&out[..], &stderr, &end(1, EndRequest::COMPLETE)].concat(),
    ] {
        assert_eq!(check(&bytes), (vec![stdout("x"), ended.clone()], None));
    }
}

#[test]
fn fcgi_74_every_stream_is_ended_also_when_it_is_empty() {
    let mut client = ClientConnection::new();
    client.send_request(KEEP, []).unwrap();
    client.end_stdin(ONE).unwrap();
    let kinds: Vec<_> = records(&taken(client.output())).iter().map(|(header, _)| header.kind).collect();
    assert_eq!(kinds, [RecordType::BEGIN_REQUEST, RecordType::PARAMS, RecordType::STDIN]);
}

#[test]
fn fcgi_76_an_end_without_the_end_of_stdout_is_accepted() {
    let (events, error) = check(&[record(RecordType::STDOUT, 1, b"x", 0), end(1, EndRequest::COMPLETE)].concat());
    assert_eq!((events.len(), error), (2, None));
}

#[test]
fn fcgi_82_refusals_are_told_with_their_reason() {
    for number in 1..=4 {
        let refusal = EndRequest { app_status: 0, protocol_status: ProtocolStatus(number) };
        assert_eq!(check(&end(1, refusal)).0, [ClientEvent::End { id: ONE, end: refusal }]);
    }
}

#[test]
fn fcgi_111_records_for_another_id_or_after_the_end_are_errors() {
    let kind = RecordType::STDOUT;
    check_error(&record(kind, 2, b"x", 0), ProtocolError::InactiveId { kind, id: 2 });
    let late = [end(1, EndRequest::COMPLETE), record(kind, 1, b"x", 0)].concat();
    check_error(&late, ProtocolError::InactiveId { kind, id: 1 });
}

#[test]
fn a_farewell_ends_the_use_of_a_connection_and_nothing_else() {
    let farewell = record(RecordType::STDERR, 1, b"", 0);
    let answer = [record(RecordType::STDERR, 1, b"oh", 0), record(RecordType::STDOUT, 1, b"x", 0)].concat();
    let over = end(1, EndRequest::COMPLETE);
    let stderr = ClientEvent::Stderr { id: ONE, data: "oh".into() };
    let events = vec![stderr, stdout("x"), ClientEvent::End { id: ONE, end: EndRequest::COMPLETE }];
    // Where a request is on its way already it is one of its records, and errors may follow (FCGI-75).
    assert_eq!(check(&[&farewell[..], &answer, &over].concat()), (events.clone(), None));
    assert_eq!(check(&[&answer[..], &over, &farewell].concat()), (events, None));
    let mut client = asked(KEEP);
    drive_client(&mut client, &[answer, over].concat(), &[]);
    assert!(client.is_reusable() && !client.is_spent());
    drive_client(&mut client, &farewell, &[]);
    assert!(!client.is_reusable() && client.is_spent() && !client.has_room());
}

#[test]
fn fcgi_25_records_that_go_the_other_way_are_errors() {
    for kind in [RecordType::STDIN, RecordType::PARAMS, RecordType::BEGIN_REQUEST, RecordType::ABORT_REQUEST] {
        check_error(&record(kind, 1, b"x", 0), ProtocolError::WrongDirection { kind });
        check_error(&record(kind, 0, b"x", 0), ProtocolError::NullRequestId { kind });
    }
    let kind = RecordType::GET_VALUES;
    check_error(&record(kind, 0, b"", 0), ProtocolError::WrongDirection { kind });
}

#[test]
fn fcgi_58_unknown_types_are_skipped() {
    let bytes = [
        record(RecordType(42), 1, b"odd", 5),
        record(RecordType(99), 0, b"", 0),
        record(RecordType::STDOUT, 1, b"x", 0),
    ];
    assert_eq!(check(&bytes.concat()), (vec![stdout("x")], None));
}

#[test]
fn fcgi_34_output_after_its_end_is_an_error() {
    let kind = RecordType::STDOUT;
    let bytes = [record(kind, 1, b"", 0), record(kind, 1, b"x", 0)].concat();
    check_error(&bytes, ProtocolError::AfterStreamEnd { kind });
}

#[test]
fn fcgi_70_bodies_of_another_size_are_refused() {
    for length in [0, 7, 9] {
        let kind = RecordType::END_REQUEST;
        check_error(&record(kind, 1, &vec![0; length], 0), ProtocolError::BodyLength { kind, length });
        let kind = RecordType::UNKNOWN_TYPE;
        check_error(&record(kind, 0, &vec![0; length], 0), ProtocolError::BodyLength { kind, length });
    }
}

#[test]
fn fcgi_34_an_answer_that_is_cut_is_an_error() {
    let bytes = [record(RecordType::STDOUT, 1, b"x", 3), end(1, EndRequest::COMPLETE)].concat();
    for length in 0..=bytes.len() {
        let mut client = asked(KEEP);
        drive_client(&mut client, &bytes[..length], &[]);
        client.receive_end();
        assert_eq!(client.next_event().is_ok(), length == bytes.len(), "closed after {length}");
    }
}

#[test]
fn fcgi_59_values_are_asked_for_and_told() {
    let mut client = ClientConnection::new();
    client.send_get_values(&ValueName::ALL);
    let mut worker = WorkerConnection::new(Limits::default(), OWN);
    drive_worker(&mut worker, &taken(client.output()), &[]);
    let (events, error) = drive_client(&mut client, &taken(worker.output()), &[]);
    let values = PeerValues { max_connections: Some(7), max_requests: Some(7), multiplexes: Some(false) };
    assert_eq!((events, error), (vec![ClientEvent::Values(values)], None));
    let unknown = record(RecordType::UNKNOWN_TYPE, 0, &UnknownType(RecordType(9)).encode(), 0);
    assert_eq!(check(&unknown).0, [ClientEvent::UnknownType(RecordType(9))]);
}

#[test]
fn fcgi_117_only_a_clean_end_leaves_a_connection_to_reuse() {
    let done = end(1, EndRequest::COMPLETE);
    let mut client = asked(KEEP);
    assert!(!client.is_reusable());
    drive_client(&mut client, &done, &[]);
    assert!(client.is_reusable());
    drive_client(&mut client, &[1], &[]);
    assert!(!client.is_reusable(), "bytes that nobody asked for");

    let mut closing = asked(BeginRequest { keep_connection: false, ..KEEP });
    drive_client(&mut closing, &done, &[]);
    assert!(!closing.is_reusable());
    assert_eq!(closing.send_request(KEEP, []), Err(SendError::Closed));

    let mut early = ClientConnection::new();
    early.send_request(KEEP, []).unwrap();
    drive_client(&mut early, &done, &[]);
    assert!(!early.is_reusable(), "input was left unsent");
    assert_eq!(early.send_stdin(ONE, "x".into()), Err(SendError::Inactive(ONE)));

    let mut ended = asked(KEEP);
    drive_client(&mut ended, &done, &[]);
    ended.receive_end();
    assert!(!ended.is_reusable());
}

#[test]
fn fcgi_79_abort_is_sent_once() {
    let mut client = asked(KEEP);
    client.send_abort(ONE).unwrap();
    client.send_abort(ONE).unwrap();
    assert_eq!(taken(client.output()), record(RecordType::ABORT_REQUEST, 1, b"", 0));
}

#[test]
fn fcgi_73_a_filters_file_comes_after_stdin() {
    let mut client = ClientConnection::new();
    client.send_request(BeginRequest { role: Role::FILTER, keep_connection: true }, []).unwrap();
    assert_eq!(client.send_data(ONE, "x".into()), Err(SendError::Inactive(ONE)));
    client.end_stdin(ONE).unwrap();
    client.send_data(ONE, "x".into()).unwrap();
    assert_eq!(asked(KEEP).send_data(ONE, "x".into()), Err(SendError::Inactive(ONE)));
}

/// Several requests under way, with empty bodies.
fn asked_together(count: u16) -> ClientConnection {
    let mut client = ClientConnection::multiplexing(count);
    for number in 1..=count {
        let id = client.send_request(KEEP, [(&b"A"[..], &b"b"[..])]).unwrap();
        assert_eq!(id.get(), number);
        client.end_stdin(id).unwrap();
    }
    taken(client.output());
    client
}

#[test]
fn fcgi_30_ids_are_the_smallest_that_are_free() {
    let mut client = asked_together(4);
    assert!(!client.has_room());
    assert_eq!(client.send_request(KEEP, []), Err(SendError::Busy));
    for (ended, free) in [(&[3][..], &[3][..]), (&[4, 1], &[1, 4]), (&[2, 3, 4, 1], &[1, 2, 3, 4])] {
        for id in ended {
            drive_client(&mut client, &end(*id, EndRequest::COMPLETE), &[]);
        }
        for id in free {
            assert!(client.has_room());
            assert_eq!(client.send_request(KEEP, []).unwrap().get(), *id);
        }
    }
}

#[test]
fn fcgi_26_answers_of_several_requests_may_interleave_and_be_cut_anywhere() {
    let bytes = [
        record(RecordType::STDOUT, 2, b"two", 1),
        record(RecordType::STDERR, 1, b"oops", 0),
        record(RecordType::STDOUT, 1, b"one", 255),
        end(2, EndRequest::COMPLETE),
        record(RecordType::STDOUT, 1, b"", 0),
        record(RecordType::STDOUT, 3, b"three", 3),
        end(1, EndRequest::COMPLETE),
        end(3, EndRequest::COMPLETE),
    ]
    .concat();
    let id = |number| RequestId::new(number).unwrap();
    let stdout = |number, data: &'static str| ClientEvent::Stdout { id: id(number), data: data.into() };
    let ended = |number| ClientEvent::End { id: id(number), end: EndRequest::COMPLETE };
    let expected = [
        stdout(2, "two"),
        ClientEvent::Stderr { id: id(1), data: "oops".into() },
        stdout(1, "one"),
        ended(2),
        ClientEvent::StdoutEnd(id(1)),
        stdout(3, "three"),
        ended(1),
        ended(3),
    ];
    for cuts in all_cuts(bytes.len()) {
        let mut client = asked_together(3);
        assert_eq!(drive_client(&mut client, &bytes, &cuts), (expected.to_vec(), None), "cut at {cuts:?}");
        assert!(client.is_reusable());
    }
}

#[test]
fn fcgi_111_output_of_a_request_that_has_ended_is_an_error_whatever_others_do() {
    let mut client = asked_together(2);
    let bytes = [end(1, EndRequest::COMPLETE), record(RecordType::STDOUT, 1, b"x", 0)].concat();
    let error = ProtocolError::InactiveId { kind: RecordType::STDOUT, id: 1 };
    assert_eq!(drive_client(&mut client, &bytes, &[]).1, Some(error));
    assert!(!client.has_room());
}

#[test]
fn fcgi_79_a_request_that_is_aborted_sends_no_more_and_leaves_the_others_alone() {
    let mut client = ClientConnection::multiplexing(2);
    let (one, two) = (client.send_request(KEEP, []).unwrap(), client.send_request(KEEP, []).unwrap());
    client.send_abort(one).unwrap();
    assert_eq!(client.send_stdin(one, "x".into()), Err(SendError::Inactive(one)));
    client.send_stdin(two, "y".into()).unwrap();
    drive_client(&mut client, &end(1, EndRequest::COMPLETE), &[]);
    assert_eq!(client.active(), Some(two));
    assert_eq!(client.send_request(KEEP, []), Ok(one), "the connection goes on, and the id is free");
    assert!(!client.is_reusable());
}

#[test]
fn fcgi_29_an_early_end_with_input_unsent_spoils_only_a_connection_without_multiplexing() {
    for (max_requests, goes_on) in [(1, false), (2, true)] {
        let mut client = ClientConnection::multiplexing(max_requests);
        client.send_request(KEEP, []).unwrap();
        drive_client(&mut client, &end(1, EndRequest::COMPLETE), &[]);
        assert_eq!((client.has_room(), client.is_reusable()), (goes_on, goes_on));
    }
}

#[test]
fn fcgi_51_when_one_request_asked_to_close_no_other_begins() {
    let mut client = ClientConnection::multiplexing(3);
    client.send_request(KEEP, []).unwrap();
    client.send_request(BeginRequest { keep_connection: false, ..KEEP }, []).unwrap();
    drive_client(&mut client, &end(2, EndRequest::COMPLETE), &[]);
    assert!(!client.has_room());
    assert_eq!(client.active(), Some(ONE), "those under way go on");
}
