//! Floods against the real `testbed` as a FastCGI worker, and against our gateway: memory stays below a named bound, others are
//! answered meanwhile, and afterwards every descriptor is back.
//!
//! `GATEWAY_FLOOD=10` makes every flood ten times as long.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod gateway;
mod target;

use gateway_tests::records::{GET_VALUES, PARAMS, STDIN, begin, get, get_parameters, pair, record};
use target::{Line, Target};

/// One connection cannot make a worker larger than this, whatever comes over it: as in the tests of a gigabyte.
const MAX_RESIDENT_BYTES: u64 = 64 << 20;

/// Nor can a thousand: each may cost its buffer, and what is kept of its requests.
const MAX_RESIDENT_BYTES_OF_A_THOUSAND: u64 = 256 << 20;

/// How often a flood repeats itself.
fn times(number: usize) -> usize {
    number * std::env::var("GATEWAY_FLOOD").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// BEGIN_REQUEST for every id there is.
fn all_ids() -> Vec<u8> {
    (1..=u16::MAX).flat_map(|id| begin(id, true)).collect()
}

/// The head of an upload of so many bytes, with none of them.
fn upload(id: u16, length: usize) -> Vec<u8> {
    let parameters = [get_parameters("/upload"), pair("CONTENT_LENGTH", &length.to_string())].concat();
    [begin(id, true), record(PARAMS, id, &parameters), record(PARAMS, id, &[])].concat()
}

#[test]
fn fcgi_72_requests_that_never_go_on_are_bounded_whether_or_not_the_answers_are_read() {
    let ids = all_ids();
    Target::start().survives(MAX_RESIDENT_BYTES, |socket| {
        let mut lines = Line::connect_all(socket, 2);
        lines[0].pour(&ids);
        lines[1].pour_and_read(&ids);
        lines
    });
}

#[test]
fn fcgi_72_the_same_id_begun_again_and_again_ends_the_connection_and_no_other() {
    let begins = begin(1, true).repeat(60_000);
    Target::start().survives(MAX_RESIDENT_BYTES, |socket| {
        for _ in 0..times(20) {
            let mut line = Line::connect(socket);
            line.pour(&begins);
            assert!(line.is_refused());
        }
    });
}

#[test]
fn fcgi_42_parameters_that_never_end_on_all_ids_of_many_connections_are_bounded() {
    let begun = |ids: std::ops::Range<u16>| ids.flat_map(|id| begin(id, true)).collect::<Vec<u8>>();
    // Two records of these are within the limit of one request.
    let long = |id: u16| record(PARAMS, id, &pair("X", &"v".repeat(60_000)));
    Target::start().survives(MAX_RESIDENT_BYTES_OF_A_THOUSAND, |socket| {
        let mut lines = Line::connect_all(socket, times(100));
        for line in &mut lines {
            line.pour_and_read(&begun(1..100));
            for id in 1..100 {
                if !line.pour_and_read(&long(id).repeat(2)) {
                    break;
                }
            }
        }
        lines
    });
}

#[test]
fn fcgi_42_endless_parameters_of_one_request_are_refused_at_the_limit() {
    let long = record(PARAMS, 1, &pair("X", &"v".repeat(60_000))).repeat(20);
    Target::start().survives(MAX_RESIDENT_BYTES, |socket| {
        for _ in 0..times(50) {
            let mut line = Line::connect(socket);
            line.pour(&begin(1, true));
            line.pour(&long);
            assert!(line.is_refused());
        }
    });
}

#[test]
fn fcgi_27_parameters_of_one_byte_a_record_cost_no_more_than_others() {
    let list = get_parameters("/hello");
    let filler = pair("X", &"v".repeat(100_000));
    let bytes = |id: u16, list: &[u8]| list.iter().flat_map(|byte| record(PARAMS, id, &[*byte])).collect::<Vec<u8>>();
    let whole = [begin(1, true), bytes(1, &list), record(PARAMS, 1, &[]), record(STDIN, 1, &[])].concat();
    let endless = [begin(1, true), bytes(1, &filler)].concat();
    Target::start().survives(MAX_RESIDENT_BYTES, |socket| {
        let mut good = Line::connect(socket);
        let mut lines = Line::connect_all(socket, times(20));
        for line in &mut lines {
            line.pour(&endless);
            assert!(good.pour_and_read(&whole), "a slow one is still served");
        }
        lines
    });
}

#[test]
fn fcgi_29_136_records_of_unknown_requests_are_dropped_and_counted() {
    let stray = record(STDIN, 9, &[0; 60_000]);
    let small = record(STDIN, 9, b"x").repeat(6000);
    Target::start().survives(MAX_RESIDENT_BYTES, |socket| {
        let mut early = Line::connect(socket);
        early.pour(&small);
        assert!(early.is_refused(), "before any request, only a few are taken");
        let mut line = Line::connect(socket);
        line.pour_and_read(&get(1, true, "/hello"));
        for _ in 0..900 {
            assert!(line.pour(&stray), "what a long upload may leave behind is taken");
        }
        line.pour_and_read(&get(1, true, "/hello"));
        // More than the 64 MiB that may belong to nobody.
        (0..1200).all(|_| line.pour(&stray));
        assert!(line.is_refused());
    });
}

#[test]
fn fcgi_54_60_questions_for_values_that_nobody_reads_the_answers_of_are_bounded() {
    let query = ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"].map(|name| pair(name, "")).concat();
    let queries = record(GET_VALUES, 0, &query).repeat(1000);
    let names = record(GET_VALUES, 0, &pair("FCGI_MAX_CONNS", "").repeat(4000)).repeat(10);
    let unknown = record(77, 0, b"what?").repeat(4000);
    Target::start().survives(MAX_RESIDENT_BYTES, |socket| {
        let mut lines = Line::connect_all(socket, 3);
        for (line, flood) in lines.iter_mut().zip([&queries, &names, &unknown]) {
            line.pour_and_read(&get(1, true, "/hello"));
            for _ in 0..times(200) {
                if !line.pour(flood) {
                    break;
                }
            }
        }
        lines
    });
}

#[test]
fn fcgi_119_a_thousand_connections_that_say_nothing_hold_nobody_up_and_are_let_go() {
    Target::start().survives(MAX_RESIDENT_BYTES, |socket| {
        let mut lines = Line::connect_all(socket, 1000);
        // Some begin and fall silent then, as a gateway may for longer.
        lines.iter_mut().take(500).for_each(|line| _ = line.pour(&[1, 1, 0]));
        assert!(lines.iter_mut().skip(500).all(Line::is_refused));
        lines
    });
}

#[test]
fn slow_bodies_on_a_thousand_connections_stop_nobody() {
    for length in [60_000, 1 << 20] {
        Target::start().survives(MAX_RESIDENT_BYTES_OF_A_THOUSAND, |socket| {
            let mut lines = Line::connect_all(socket, 1000);
            lines.iter_mut().for_each(|line| _ = line.pour(&upload(1, length)));
            for _ in 0..times(5) {
                lines.iter_mut().for_each(|line| _ = line.pour_and_read(&record(STDIN, 1, b"slow")));
            }
            lines
        });
    }
}

#[test]
fn slow_bodies_on_a_thousand_ids_stop_nobody() {
    for (connections, length) in [(1, 60_000), (1, 1 << 20), (20, 60_000), (20, 1 << 20)] {
        let ids = 1..=u16::try_from(1000 / connections).unwrap();
        let heads: Vec<u8> = ids.clone().flat_map(|id| upload(id, length)).collect();
        let pieces: Vec<u8> = ids.flat_map(|id| record(STDIN, id, b"slow")).collect();
        Target::start().survives(MAX_RESIDENT_BYTES, |socket| {
            let mut lines = Line::connect_all(socket, connections);
            lines.iter_mut().for_each(|line| _ = line.pour_and_read(&heads));
            for _ in 0..times(5) {
                lines.iter_mut().for_each(|line| _ = line.pour_and_read(&pieces));
            }
            lines
        });
    }
}

#[test]
fn fcgi_31_bodies_that_a_sleeping_application_does_not_take_are_in_memory_in_part_only() {
    let parameters = [get_parameters("/sleep/1000"), pair("CONTENT_LENGTH", &(10 * 60_000).to_string())].concat();
    let ids = 1..=60_u16;
    let heads =
        ids.clone().flat_map(|id| [begin(id, true), record(PARAMS, id, &parameters), record(PARAMS, id, &[])].concat());
    let (heads, part) =
        (heads.collect::<Vec<u8>>(), ids.flat_map(|id| record(STDIN, id, &[7; 60_000])).collect::<Vec<u8>>());
    Target::start().survives(MAX_RESIDENT_BYTES, |socket| {
        let mut lines = Line::connect_all(socket, 2);
        lines.iter_mut().for_each(|line| assert!(line.pour(&heads)));
        for _ in 0..10 {
            lines.iter_mut().for_each(|line| assert!(line.pour_and_read(&part), "the reader waits for nobody"));
        }
        lines
    });
}

#[test]
fn an_answer_that_nobody_reads_holds_up_its_own_connection_only() {
    let download = get(1, true, "/stream/1073741824");
    Target::start().survives(MAX_RESIDENT_BYTES, |socket| {
        let mut lines = Line::connect_all(socket, 100);
        lines.iter_mut().for_each(|line| assert!(line.pour(&download)));
        lines
    });
}

#[test]
fn fcgi_83_an_application_that_floods_its_error_stream_waits_for_its_reader() {
    let flood = get(1, true, "/stderr/67108864");
    Target::start().survives(MAX_RESIDENT_BYTES, |socket| {
        let mut lines = Line::connect_all(socket, 10);
        lines.iter_mut().for_each(|line| assert!(line.pour(&flood)));
        // One is read for a while.
        lines[0].wait_for(1 << 24);
        lines
    });
}
