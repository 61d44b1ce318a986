use super::*;
use proptest::prelude::*;

/// Bytes that a request is likely made of, so that random inputs get somewhere.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        Just(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
        Just(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n".to_vec()),
        Just(b"GET / HTTP/1.0\r\n".to_vec()),
        Just(b"5\r\nhello\r\n".to_vec()),
        Just(b"0\r\n\r\n".to_vec()),
        Just(b"0\r\nX: y\r\n\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b";a=b".to_vec()),
        Just(b"X: y\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn cutting_the_input_never_changes_the_events(
        fragments in prop::collection::vec(fragment(), 0..8),
        mut cuts in prop::collection::vec(0_usize..400, 0..6),
        end: bool,
    ) {
        let input = fragments.concat();
        let whole = run(&Limits::default(), [&*input], end);
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(input.len()));
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut start = 0;
        for cut in cuts {
            pieces.push(&input[start..cut]);
            start = cut;
        }
        pieces.push(&input[start..]);
        prop_assert_eq!(&run(&Limits::default(), pieces, end), &whole);
        prop_assert_eq!(&run(&Limits::default(), input.chunks(1), end), &whole);
    }

    #[test]
    fn a_chunked_body_comes_back_as_it_was(
        body in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..6),
        upper: bool,
    ) {
        let mut input = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in &body {
            let size = if upper { format!("{:X}\r\n", chunk.len()) } else { format!("{:x}\r\n", chunk.len()) };
            input.extend_from_slice(size.as_bytes());
            input.extend_from_slice(chunk);
            input.extend_from_slice(b"\r\n");
        }
        input.extend_from_slice(b"0\r\n\r\n");
        let seen = run(&Limits::default(), input.chunks(3), false);
        let whole = body.concat();
        prop_assert_eq!(seen.last(), Some(&Seen::End));
        if whole.is_empty() {
            prop_assert_eq!(seen.len(), 2);
        } else {
            prop_assert_eq!(&seen[1], &Seen::Body(whole));
        }
    }
}
