//! Every case of `tests/corpus/http1`: through our machine, however it is cut, and over a socket to our server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use gateway_server::h1::{AfterResponse, Connection, Event, Limits, NextCycle, RequestError, Stamp};
use gateway_spec::{Framing, Headers, ResponseHead, StatusCode};
use gateway_tests::corpus::answers::ask_all;
use gateway_tests::corpus::seeing::with_our_server;
use gateway_tests::corpus::{Case, PROBE_SEEN, all, seen};
use gateway_tests::programs::workspace;

/// What came out of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Seen {
    /// Method, target and, once it is complete, the body.
    requests: Vec<Vec<u8>>,
    complete: usize,
    refused: Option<RequestError>,
}

/// Feeds the pieces and then the end, and answers each complete request.
fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    // The cases are about syntax: a length of any size is one.
    let mut connection = Connection::new(Limits::default().max_body_bytes(None));
    let (mut seen, mut body) = (Seen::default(), Vec::new());
    for piece in pieces {
        connection.receive(piece);
        if !take_events(&mut connection, &mut seen, &mut body) {
            return seen;
        }
    }
    connection.receive_end();
    take_events(&mut connection, &mut seen, &mut body);
    seen
}

/// Takes events until more input is needed; false once the connection is over.
fn take_events(connection: &mut Connection, seen: &mut Seen, body: &mut Vec<u8>) -> bool {
    loop {
        match connection.next_event() {
            Ok(Event::NeedMore) => return true,
            Ok(Event::Closed) => return false,
            Ok(Event::Request(head)) => {
                seen.requests.push([head.method().as_bytes(), b" ", head.target()].concat());
                body.clear();
            }
            Ok(Event::Data(data)) => body.extend_from_slice(&data),
            Ok(Event::EndOfRequest) => {
                if !body.is_empty() {
                    let request = seen.requests.last_mut().expect("a body belongs to a request");
                    request.push(b' ');
                    request.append(body);
                }
                seen.complete += 1;
                if !answer(connection) {
                    return false;
                }
            }
            Err(error) => {
                seen.refused = Some(error);
                // HTTP-114: whatever follows, nothing is parsed any more.
                connection.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                assert_eq!(connection.next_event().unwrap_err(), error, "an error stays");
                return false;
            }
        }
    }
}

fn answer(connection: &mut Connection) -> bool {
    let head = ResponseHead { status: StatusCode::NO_CONTENT, headers: Headers::new(), framing: Framing::None };
    let stamp = Stamp { date: b"Sun, 06 Nov 1994 08:49:37 GMT", server: None };
    connection.send_head(&head, AfterResponse::KeepOpen, stamp, &mut Vec::new()).unwrap();
    connection.send_end(&mut Vec::new()).unwrap();
    connection.start_next_cycle() == NextCycle::Ready
}

/// What is wrong with what the machine made of a case; nothing if it is as the case says.
fn verdict(case: &Case, mut whole: Seen) -> Result<(), String> {
    let open = whole.requests.last().is_some_and(|request| request == PROBE_SEEN.as_bytes());
    if open {
        whole.requests.pop();
        whole.complete -= 1;
    }
    let error = whole.refused.map(|error| format!("{error:?}").split([' ', '{']).next().unwrap().to_owned());
    if error != case.error {
        return Err(format!("the error is {error:?}"));
    }
    if let Some(error) = whole.refused
        && case.statuses.last() != Some(&error.status().as_u16())
    {
        return Err(format!("{error} is {}", error.status()));
    }
    if whole.complete + usize::from(error.is_some()) != case.statuses.len() {
        return Err(format!("{} requests are complete", whole.complete));
    }
    if whole.requests != case.sees {
        let requests: Vec<_> = whole.requests.iter().map(|r| seen(r)).collect();
        return Err(format!("the requests are {requests:?}"));
    }
    if open == case.open { Ok(()) } else { Err(format!("the probe comes out: {open}")) }
}

#[test]
fn the_machine_makes_of_each_case_what_it_says() {
    let wrong: Vec<String> = all()
        .iter()
        .filter_map(|case| verdict(case, run([&*case.input()])).err().map(|wrong| format!("{}: {wrong}", case.id)))
        .collect();
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn cutting_a_case_anywhere_changes_nothing() {
    for case in all() {
        let input = case.input();
        let whole = run([&*input]);
        for at in case.cuts() {
            let (one, two) = input.split_at(at);
            assert_eq!(run([one, two]), whole, "{} cut at {at}", case.id);
        }
        assert_eq!(run(input.chunks(1)), whole, "{} byte by byte", case.id);
    }
}

#[test]
fn our_server_answers_each_case_as_it_says() {
    let cases = all();
    let outcomes = with_our_server(|address| ask_all(address, &cases));
    let mut wrong = Vec::new();
    for (case, outcome) in cases.iter().zip(outcomes.unwrap()) {
        let statuses = outcome.statuses();
        if (&statuses, outcome.open) != (&case.statuses, case.open) {
            wrong.push(format!("{}: {statuses:?}, open {}", case.id, outcome.open));
        }
        for (answer, expected) in outcome.answers.iter().zip(case.seen()) {
            // The server answers `OPTIONS *` and what it refuses by itself.
            let asked = answer.status == 200 && !expected.starts_with("OPTIONS *");
            if answer.seen.as_ref() != asked.then_some(&expected) {
                wrong.push(format!("{}: the application saw {:?}", case.id, answer.seen));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_two_cases_send_the_same() {
    let mut sent: BTreeMap<(Vec<u8>, bool), String> = BTreeMap::new();
    for case in all() {
        let twin = sent.insert((case.bytes, case.probed), case.id.clone());
        assert_eq!(twin, None, "{} sends the same", case.id);
    }
}

#[test]
fn the_corpus_is_large_and_names_requirements() {
    let cases = all();
    let refused = cases.iter().filter(|case| case.error.is_some()).count();
    assert!(refused >= 200, "{refused} cases are refused");
    let requirements = fs::read_to_string(workspace().join("docs/requirements/http1.md")).unwrap();
    let known: BTreeSet<&str> =
        requirements.lines().filter_map(|line| line.strip_prefix("| HTTP-")?.split(' ').next()).collect();
    for case in cases {
        let number = case.id.strip_prefix("http_").and_then(|rest| rest.split('_').next()).unwrap_or_default();
        assert!(known.contains(number), "{}: there is no HTTP-{number}", case.id);
    }
}
