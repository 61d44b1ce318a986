use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::protocol::{EndRequest, PairError, ProtocolStatus, RecordType};

const BEGIN: [u8; 16] = [1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0];

/// All entries of bytes that come in pieces of this size, and what is left at the end.
fn entries_in(side: Side, bytes: &[u8], piece: usize) -> Vec<Entry> {
    let mut dump = Dump::new(side);
    let mut entries = Vec::new();
    for mut piece in bytes.chunks(piece) {
        while !piece.is_empty() {
            let received = dump.receive(piece);
            assert!(received.taken > 0, "no step forward");
            piece = &piece[received.taken..];
            entries.extend(received.entry);
        }
    }
    entries.extend(dump.end());
    entries
}

fn entries(side: Side, bytes: &[u8]) -> Vec<Entry> {
    entries_in(side, bytes, usize::MAX)
}

#[track_caller]
fn one(side: Side, bytes: &[u8]) -> Entry {
    let mut entries = entries(side, bytes);
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

fn record(kind: u8, id: u8, content: &[u8], padding: u8) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut bytes = vec![1, kind, 0, id, high, low, padding, 0];
    bytes.extend_from_slice(content);
    bytes.extend(std::iter::repeat_n(0xee, usize::from(padding)));
    bytes
}

fn pair(name: &str, value: &str) -> NamedValue {
    NamedValue { name: name.into(), value: value.into() }
}

/// One of everything that a worker gets.
fn conversation() -> Vec<u8> {
    [
        &BEGIN[..],
        &record(4, 1, b"\x01\x02Axy\x02\x00BB", 3),
        &record(4, 1, b"", 0),
        &record(5, 1, b"body", 255),
        &record(5, 1, b"", 0),
        &record(2, 1, b"", 0),
        &record(9, 0, b"\x0e\x00FCGI_MAX_CONNS", 0),
    ]
    .concat()
}

#[test]
fn fcgi_26_records_are_the_same_however_the_bytes_are_cut() {
    let bytes = conversation();
    let whole = entries(Side::ToWorker, &bytes);
    assert_eq!(whole.len(), 7);
    assert!(whole.iter().all(|entry| entry.faults.is_empty()), "{whole:#?}");
    for piece in 1..=bytes.len() {
        assert_eq!(entries_in(Side::ToWorker, &bytes, piece), whole, "pieces of {piece}");
    }
}

#[test]
fn each_record_says_where_it_starts_what_it_means_and_which_clause_says_so() {
    let entries = entries(Side::ToWorker, &conversation());
    let seen: Vec<_> = entries.iter().map(|entry| (entry.at, entry.clause())).collect();
    assert_eq!(
        seen,
        [(0, "§5.1"), (16, "§5.2"), (36, "§3.3"), (44, "§5.3"), (311, "§3.3"), (319, "§5.4"), (327, "§4.1")]
    );
    assert_eq!(entries[1].meaning, Meaning::Pairs(vec![pair("A", "xy"), pair("BB", "")]));
    assert_eq!(entries[2].meaning, Meaning::StreamEnd);
    assert_eq!(entries[3].meaning, Meaning::Stream(b"body".to_vec()));
}

#[test]
fn fcgi_27_a_pair_may_go_on_in_the_next_record() {
    let list = b"\x04\x05NAMEvalue\x01\x01Ab";
    for at in 1..list.len() {
        let bytes = [record(4, 1, &list[..at], 0), record(4, 1, &list[at..], 0), record(4, 1, b"", 0)].concat();
        let entries = entries(Side::ToWorker, &bytes);
        let pairs: Vec<NamedValue> = entries
            .iter()
            .filter_map(|entry| match &entry.meaning {
                Meaning::Pairs(pairs) => Some(pairs.clone()),
                _ => None,
            })
            .flatten()
            .collect();
        assert_eq!(pairs, [pair("NAME", "value"), pair("A", "b")], "cut at {at}");
        let is_noted = entries[0].notes.iter().any(|note| matches!(note, Note::OpenPair(_)));
        assert_eq!(is_noted, at != 11, "cut at {at}");
        assert!(entries.iter().all(|entry| entry.faults.is_empty()));
    }
}

#[test]
fn fcgi_42_parameters_without_end_are_not_held() {
    let start = [&[0x80, 3, 0, 0, 0x80, 3, 0, 0][..], &[b'x'; 60_000]].concat();
    let mut dump = Dump::new(Side::ToWorker);
    let mut faults = 0;
    for id in 1..=100 {
        let entry = dump.receive(&record(4, id, &start, 0)).entry.unwrap();
        faults += entry.faults.len();
        assert!(dump.known.held() <= Dump::MAX_OPEN_BYTES);
    }
    assert_eq!(faults, 96);
    let huge = one(Side::ToWorker, &record(4, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff", 0));
    assert!(matches!(huge.faults[..], [ProtocolError::Pair(PairError::NameTooLong { .. })]), "{huge:?}");
}

#[test]
fn each_broken_rule_is_told_with_its_clause() {
    let from = Side::FromWorker;
    let rows: Vec<(&str, Side, Vec<u8>, ProtocolError)> = vec![
        ("version", from, b"HTTP/1.1 400".to_vec(), ProtocolError::Version { version: b'H' }),
        ("direction", from, BEGIN.to_vec(), ProtocolError::WrongDirection { kind: RecordType::BEGIN_REQUEST }),
        (
            "other direction",
            Side::ToWorker,
            record(6, 1, b"x", 0),
            ProtocolError::WrongDirection { kind: RecordType::STDOUT },
        ),
        ("id 0", from, record(6, 0, b"x", 0), ProtocolError::NullRequestId { kind: RecordType::STDOUT }),
        (
            "short END",
            from,
            record(3, 1, b"1234567", 0),
            ProtocolError::BodyLength { kind: RecordType::END_REQUEST, length: 7 },
        ),
        ("cut values", from, record(10, 0, b"\x01\x09A", 0), PairError::Cut { at: 0 }.into()),
        ("cut record", from, record(6, 1, b"output", 0)[..10].to_vec(), ProtocolError::Truncated { inside: "record" }),
        ("cut header", from, vec![1, 6], ProtocolError::Truncated { inside: "record" }),
    ];
    for (name, side, bytes, fault) in rows {
        let entry = one(side, &bytes);
        assert_eq!(entry.faults, std::slice::from_ref(&fault), "{name}");
        let text = Layout::default().text(&entry, Duration::ZERO);
        assert!(text.contains(&format!("✗ at byte 0: {fault}")) && text.contains(fault.clause()), "{name}: {text}");
    }
}

#[test]
fn parameters_that_end_within_a_pair_are_told_at_their_end() {
    let bytes = [record(4, 1, b"\x05\x05NA", 0), record(4, 1, b"", 0)].concat();
    let entries = entries(Side::ToWorker, &bytes);
    assert_eq!(entries[1].faults, [PairError::Cut { at: 0 }.into()]);
}

#[test]
fn what_follows_garbage_is_not_guessed() {
    let bytes = [&record(6, 1, b"fine", 0)[..], b"garbage", &BEGIN].concat();
    for piece in [1, 3, 1000] {
        let entries = entries_in(Side::FromWorker, &bytes, piece);
        assert_eq!(entries.len(), 2, "pieces of {piece}");
        assert_eq!((entries[1].at, entries[1].header), (12, None));
        assert!(matches!(entries[1].meaning, Meaning::Garbage(_)));
    }
}

#[test]
fn what_is_odd_but_allowed_is_noted() {
    let rows: [(&str, Side, Vec<u8>, Note); 6] = [
        ("flags (FCGI-53)", Side::ToWorker, record(1, 1, &[0, 1, 0xfe, 0, 0, 0, 0, 0], 0), Note::Flags(0xfe)),
        ("padded end (FCGI-46)", Side::ToWorker, record(5, 1, b"", 8), Note::PaddedEnd),
        ("too long for PHP (FCGI-45)", Side::FromWorker, record(6, 1, &[b'x'; 65535], 255), Note::Long),
        ("unknown type (FCGI-58)", Side::FromWorker, record(42, 1, b"", 0), Note::Type),
        ("unknown management type (FCGI-57)", Side::ToWorker, record(42, 0, b"", 0), Note::Type),
        ("management with an id (FCGI-24)", Side::ToWorker, record(9, 1, b"", 0), Note::ManagementId),
    ];
    for (name, side, bytes, note) in rows {
        let entry = one(side, &bytes);
        assert_eq!((entry.notes, entry.faults), (vec![note], vec![]), "{name}");
    }
}

#[test]
fn fcgi_76_an_end_without_the_end_of_stdout_is_noted() {
    let (out, out_end, end) = (record(6, 1, b"x", 0), record(6, 1, b"", 0), record(3, 1, &[0; 8], 0));
    let last = |bytes: &[&[u8]]| entries(Side::FromWorker, &bytes.concat()).pop().unwrap();
    assert_eq!(last(&[&out, &end]).notes, [Note::NoStdoutEnd]);
    assert_eq!(last(&[&out, &out_end, &end]).notes, []);
    assert_eq!(last(&[&end]).notes, []);
    assert_eq!(last(&[&out, &end, &end]).notes, []);
}

/// What a request to php-fpm looks like.
#[test]
fn the_picture() {
    let bytes = [
        &BEGIN[..],
        &record(4, 1, b"\x0e\x03REQUEST_METHODGET\x0c\x00QUERY_STRING", 0),
        &record(4, 1, b"", 0),
        &record(5, 1, &[0, 1, 2, 3, 250], 3),
    ]
    .concat();
    let layout = Layout::default();
    let mut text = String::new();
    for (at, entry) in entries(Side::ToWorker, &bytes).iter().enumerate() {
        text += &layout.text(entry, Duration::from_micros(at as u64 * 1250));
    }
    let status = EndRequest { app_status: 3, protocol_status: ProtocolStatus::OVERLOADED };
    let end = one(Side::FromWorker, &record(3, 1, &status.encode(), 0));
    text += &layout.text(&end, Duration::from_millis(12));
    text += &layout.remark(Some(Side::FromWorker), Duration::from_millis(1234), "end of the connection");
    let picture = "
   0.00 ms → FCGI_BEGIN_REQUEST (1)      id 1     8 bytes                         §5.1
             │ role RESPONDER (1)
             │ flags 1, FCGI_KEEP_CONN: the gateway closes the connection
   1.25 ms → FCGI_PARAMS (4)             id 1     33 bytes                        §5.2
             │ REQUEST_METHOD = GET
             │ QUERY_STRING   =
   2.50 ms → FCGI_PARAMS (4)             id 1     0 bytes, end of stream          §3.3
   3.75 ms → FCGI_STDIN (5)              id 1     5 bytes + 3 padding             §5.3
             │ 0000  00 01 02 03 fa                                    .....
  12.00 ms ← FCGI_END_REQUEST (3)        id 1     8 bytes                         §5.5
             │ appStatus 3
             │ protocolStatus 2, FCGI_OVERLOADED
1234.00 ms ← end of the connection
";
    assert_eq!(text, picture[1..], "\n{text}");
}

#[test]
fn colours_change_nothing_but_colours() {
    let plain = Layout::default();
    let coloured = Layout::default().colour(true);
    for entry in entries(Side::FromWorker, &conversation()) {
        let text = coloured.text(&entry, Duration::ZERO);
        assert!(text.contains("\x1b["));
        let mut bare = String::new();
        for (at, piece) in text.split("\x1b[").enumerate() {
            bare += if at == 0 { piece } else { piece.split_once('m').unwrap().1 };
        }
        assert_eq!(bare, plain.text(&entry, Duration::ZERO));
    }
}

#[test]
fn long_contents_are_cut_where_the_limit_is() {
    let layout = Layout::default().max_content_bytes(10);
    let text = layout.text(&one(Side::FromWorker, &record(6, 1, &[b'x'; 100], 0)), Duration::ZERO);
    assert!(text.contains("│ xxxxxxxxxx\n") && text.contains("… 90 more bytes\n"), "{text}");
    let text = layout
        .text(&one(Side::ToWorker, &record(4, 1, &[&[1, 100, b'A'][..], &[b'y'; 100]].concat(), 0)), Duration::ZERO);
    assert!(text.contains("│ A = yyyyyyyyyy… 90 more bytes\n"), "{text}");
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_all_taken_and_shown(
        bytes in proptest::collection::vec(prop_oneof![Just(1u8), Just(0), 0u8..12, any::<u8>()], 0..400),
        piece in 1usize..40,
    ) {
        for side in [Side::ToWorker, Side::FromWorker] {
            let whole = entries(side, &bytes);
            let pieces = entries_in(side, &bytes, piece);
            // Garbage is told at once, with what is there of it.
            let clean = |entries: &[Entry]| entries.iter().filter(|e| !matches!(e.meaning, Meaning::Garbage(_))).cloned().collect::<Vec<_>>();
            prop_assert_eq!(clean(&whole), clean(&pieces));
            for entry in whole {
                let text = Layout::default().text(&entry, Duration::ZERO);
                prop_assert!(text.ends_with('\n') && !text.chars().any(|c| c.is_control() && c != '\n'), "{:?}", text);
            }
        }
    }
}
