//! Golden bytes, limits, and both ways of every codec.

use super::*;
use bytes::Bytes;
use proptest::prelude::*;

const WIDE: PairLimits = PairLimits { max_name_bytes: 1 << 20, max_value_bytes: 1 << 20, max_pairs: 1 << 20 };

fn record(kind: RecordType, id: u16, content: &[u8]) -> Vec<u8> {
    let content = Content::new(content).unwrap();
    [&RecordHeader::new(kind, id, content.length()).encode(), content.bytes()].concat()
}

#[test]
fn fcgi_70_begin_has_its_golden_bytes() {
    let begin = BeginRequest { role: Role::RESPONDER, keep_connection: true }.encode();
    let golden = [1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0];
    assert_eq!(record(RecordType::BEGIN_REQUEST, 1, &begin), golden);
}

#[test]
fn fcgi_46_stream_ends_have_their_golden_bytes() {
    assert_eq!(record(RecordType::PARAMS, 1, b""), [1, 4, 0, 1, 0, 0, 0, 0]);
    assert_eq!(record(RecordType::STDIN, 1, b""), [1, 5, 0, 1, 0, 0, 0, 0]);
}

#[test]
fn fcgi_81_end_has_its_golden_bytes() {
    let golden = [1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(record(RecordType::END_REQUEST, 1, &EndRequest::COMPLETE.encode()), golden);
}

#[test]
fn fcgi_57_unknown_type_has_its_golden_bytes() {
    let golden = [1, 11, 0, 0, 0, 8, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(record(RecordType::UNKNOWN_TYPE, 0, &UnknownType(RecordType(42)).encode()), golden);
}

#[test]
fn fcgi_20_other_versions_are_refused_at_the_first_byte() {
    for version in [0, 2, 255] {
        assert_eq!(RecordHeader::decode(&[version]), Err(ProtocolError::Version { version }));
    }
}

#[test]
fn fcgi_32_reserved_bytes_are_ignored() {
    let header = RecordHeader::decode(&[1, 5, 0, 1, 0, 0, 0, 0xff]).unwrap().unwrap();
    assert_eq!(header, RecordHeader::new(RecordType::STDIN, 1, 0));
    let begin = BeginRequest::decode(&[0, 1, 0, 9, 9, 9, 9, 9]).unwrap();
    assert_eq!(begin, BeginRequest { role: Role::RESPONDER, keep_connection: false });
}

#[test]
fn fcgi_26_a_header_is_none_before_its_eighth_byte() {
    let bytes = [1, 6, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff];
    for length in 0..8 {
        assert_eq!(RecordHeader::decode(&bytes[..length]), Ok(None), "{length} bytes");
    }
    let header = RecordHeader::decode(&bytes).unwrap().unwrap();
    assert_eq!((header.kind, header.id), (RecordType::STDOUT, 0xfffe));
    assert_eq!((header.content_length, header.padding_length), (65_535, 255));
}

#[test]
fn fcgi_53_other_flag_bits_do_not_keep_the_connection() {
    assert!(!BeginRequest::decode(&[0, 1, 0xfe, 0, 0, 0, 0, 0]).unwrap().keep_connection);
}

#[test]
fn fcgi_70_bodies_of_another_size_are_refused() {
    for length in [0, 7, 9] {
        let body = vec![0; length];
        let refused = |kind| ProtocolError::BodyLength { kind, length };
        assert_eq!(BeginRequest::decode(&body), Err(refused(RecordType::BEGIN_REQUEST)));
        assert_eq!(EndRequest::decode(&body), Err(refused(RecordType::END_REQUEST)));
        assert_eq!(UnknownType::decode(&body), Err(refused(RecordType::UNKNOWN_TYPE)));
    }
}

#[test]
fn fcgi_45_content_and_padding_stay_within_65535() {
    for length in [0, 1, 7, 8, 9, 65_528, 65_529, 65_535] {
        let header = RecordHeader::new(RecordType::STDOUT, 1, length).aligned();
        let total = u32::from(length) + u32::from(header.padding_length);
        assert!(total <= 65_535, "{length}");
        assert!(length > 65_528 || total.is_multiple_of(8), "{length}");
    }
}

#[track_caller]
fn check_length(length: usize, prefix: &[u8]) {
    let value = vec![b'v'; length];
    let mut out = Vec::new();
    Pair::new(b"", &value).unwrap().encode(&mut out);
    assert_eq!(&out[1..out.len() - length], prefix, "length {length}");
}

#[test]
fn fcgi_40_lengths_have_their_golden_bytes() {
    check_length(0, &[0]);
    check_length(127, &[127]);
    check_length(128, &[0x80, 0, 0, 0x80]);
    check_length(300, &[0x80, 0, 1, 0x2c]);
}

#[test]
fn fcgi_40_short_length_in_four_bytes_is_accepted() {
    let params = Params::decode(Bytes::from_static(b"\x80\0\0\x01\x80\0\0\x05Avalue"), &WIDE).unwrap();
    assert_eq!(params.get(b"A"), Some(&b"value"[..]));
}

#[test]
fn fcgi_42_wild_lengths_are_refused_from_eight_bytes() {
    let error = Params::decode(Bytes::from_static(&[0xff; 8]), &WIDE).unwrap_err();
    assert_eq!(error, PairError::NameTooLong { length: 0x7fff_ffff, limit: 1 << 20 });
    let error = Params::decode(Bytes::from_static(b"\x01\xff\xff\xff\xff"), &WIDE).unwrap_err();
    assert_eq!(error, PairError::ValueTooLong { length: 0x7fff_ffff, limit: 1 << 20 });
}

#[test]
fn fcgi_131_lengths_are_never_added() {
    let none = PairLimits { max_name_bytes: u32::MAX, max_value_bytes: u32::MAX, max_pairs: 9 };
    assert_eq!(Pair::decode(&[0xff; 64], &none), Ok(None));
    assert_eq!(Params::decode(Bytes::from_static(&[0xff; 64]), &none), Err(PairError::Cut { at: 0 }));
}

#[test]
fn fcgi_42_number_of_pairs_is_bounded() {
    let limits = PairLimits { max_pairs: 3, ..WIDE };
    assert_eq!(Params::decode(Bytes::from_static(&[0; 6]), &limits).unwrap().len(), 3);
    assert_eq!(Params::decode(Bytes::from_static(&[0; 8]), &limits), Err(PairError::TooMany { limit: 3 }));
}

#[test]
fn fcgi_43_last_of_repeated_names_wins() {
    let params = Params::decode(Bytes::from_static(b"\x01\x01Ax\x01\x01Ay"), &WIDE).unwrap();
    assert_eq!(params.get(b"A"), Some(&b"y"[..]));
    assert_eq!(params.len(), 2);
}

#[test]
fn fcgi_27_list_that_ends_within_a_pair_is_refused() {
    let whole = b"\x0b\x02SERVER_PORT80";
    for cut in 1..whole.len() {
        let error = Params::decode(Bytes::from_static(&whole[..cut]), &WIDE).unwrap_err();
        assert_eq!(error, PairError::Cut { at: 0 }, "cut at {cut}");
    }
}

/// All four forms of the lengths.
const FORMS: [&[u8]; 4] = [
    b"\x04\x05NAMEvalue",
    b"\x80\0\0\x04\x05NAMEvalue",
    b"\x04\x80\0\0\x05NAMEvalue",
    b"\x80\0\0\x04\x80\0\0\x05NAMEvalue",
];

#[test]
fn fcgi_27_a_pair_is_none_before_its_last_byte() {
    for whole in FORMS {
        for length in 0..whole.len() {
            assert_eq!(Pair::decode(&whole[..length], &WIDE), Ok(None), "{length} of {whole:?}");
        }
        let more = [whole, b"\x01"].concat();
        let (pair, taken) = Pair::decode(&more, &WIDE).unwrap().unwrap();
        assert_eq!((pair.name(), pair.value(), taken), (&b"NAME"[..], &b"value"[..], whole.len()));
    }
}

#[test]
fn fcgi_27_42_a_list_is_scanned_alike_in_two_pieces_and_byte_by_byte() {
    let limits = PairLimits { max_name_bytes: 4, max_value_bytes: 5, max_pairs: 4 };
    let long_name = [&FORMS.concat()[..FORMS[0].len()], b"\x05\0NAMES"].concat();
    let long_value = b"\x80\0\0\x01\x80\0\0\x06Nvalues".to_vec();
    for list in [FORMS.concat(), [FORMS[0], FORMS[0]].concat().repeat(3), long_name, long_value] {
        let whole = Params::decode(Bytes::copy_from_slice(&list), &limits);
        let scan = |ends: &mut dyn Iterator<Item = usize>| {
            let mut scan = PairScan::default();
            for end in ends {
                scan.advance(&list[..end], &limits)?;
            }
            scan.finish(Bytes::copy_from_slice(&list))
        };
        assert_eq!(scan(&mut (0..=list.len())), whole, "byte by byte");
        for cut in 0..=list.len() {
            assert_eq!(scan(&mut [cut, list.len()].into_iter()), whole, "cut at {cut}");
        }
    }
}

#[test]
fn fcgi_60_repeated_names_are_answered_once() {
    let own = Capabilities { max_connections: 7, max_requests: 8, multiplexes: true };
    let query = PeerValues::query(&[ValueName::MaxConns; 1000]);
    let answer = PeerValues::decode(own.answer(&query).unwrap().into()).unwrap();
    assert_eq!(answer, PeerValues { max_connections: Some(7), ..PeerValues::default() });
}

#[test]
fn fcgi_55_all_names_are_answered_and_unknown_ones_are_not() {
    let own = Capabilities { max_connections: 7, max_requests: 8, multiplexes: true };
    let answer = PeerValues::decode(own.answer(&PeerValues::query(&ValueName::ALL)).unwrap().into()).unwrap();
    let expected = PeerValues { max_connections: Some(7), max_requests: Some(8), multiplexes: Some(true) };
    assert_eq!(answer, expected);
    assert_eq!(own.answer(b"\x01\0X").unwrap(), b"");
}

#[test]
fn fcgi_59_unreadable_values_are_left_out() {
    let answer = PeerValues::decode(Bytes::from_static(b"\x0e\x02FCGI_MAX_CONNS+1\x0d\0FCGI_MAX_REQS")).unwrap();
    assert_eq!(answer, PeerValues::default());
}

proptest! {
    #[test]
    fn headers_survive_the_way_there_and_back(kind: u8, id: u16, content_length: u16, padding_length: u8) {
        let header = RecordHeader { kind: RecordType(kind), id, content_length, padding_length };
        prop_assert_eq!(RecordHeader::decode(&header.encode()), Ok(Some(header)));
    }

    #[test]
    fn bodies_survive_the_way_there_and_back(role: u16, keep_connection: bool, app_status: u32, status: u8) {
        let begin = BeginRequest { role: Role(role), keep_connection };
        prop_assert_eq!(BeginRequest::decode(&begin.encode()), Ok(begin));
        let end = EndRequest { app_status, protocol_status: ProtocolStatus(status) };
        prop_assert_eq!(EndRequest::decode(&end.encode()), Ok(end));
        let unknown = UnknownType(RecordType(status));
        prop_assert_eq!(UnknownType::decode(&unknown.encode()), Ok(unknown));
    }

    #[test]
    fn fcgi_27_pairs_survive_however_they_arrive(
        pairs in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..200),
                                            proptest::collection::vec(any::<u8>(), 0..200)), 0..8),
        step in 1_usize..50,
    ) {
        let mut wire = Vec::new();
        for (name, value) in &pairs {
            let pair = Pair::new(name, value).unwrap();
            let before = wire.len();
            pair.encode(&mut wire);
            prop_assert_eq!(wire.len() - before, pair.encoded_length());
        }
        let mut scan = PairScan::default();
        for end in (0..wire.len()).step_by(step) {
            scan.advance(&wire[..end], &WIDE).unwrap();
        }
        scan.advance(&wire, &WIDE).unwrap();
        let params = scan.finish(wire.into()).unwrap();
        let got: Vec<_> = params.iter().map(|pair| (pair.name().to_vec(), pair.value().to_vec())).collect();
        prop_assert_eq!(params.len(), pairs.len());
        prop_assert_eq!(got, pairs);
    }

    #[test]
    fn no_bytes_make_the_pair_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(params) = Params::decode(bytes.into(), &WIDE) {
            prop_assert_eq!(params.iter().count(), params.len());
        }
    }
}
