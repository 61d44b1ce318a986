//! Headers of both versions, good and bad, whole and cut.

use super::*;

fn client(bytes: &[u8]) -> (String, String) {
    match decode(bytes) {
        Ok(Decoded::Header(Header::Client(ends))) => (ends.source.to_string(), ends.destination.to_string()),
        other => panic!("{other:?}"),
    }
}

fn binary_header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, rest].concat()
}

const FOUR: [u8; 12] = [192, 0, 2, 7, 192, 0, 2, 1, 0x13, 0x88, 0x01, 0xbb];

fn headers() -> Vec<Vec<u8>> {
    let six = [[0x20; 16], [0x30; 16]].concat();
    vec![
        b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n".to_vec(),
        b"PROXY TCP6 2001:db8::7 ::1 65535 0\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN ffff:f...f:ffff whatever 1 2 3\r\n".to_vec(),
        binary_header(0x21, 0x11, &FOUR),
        binary_header(0x21, 0x11, &[&FOUR[..], b"\x04\x00\x03abc"].concat()),
        binary_header(0x21, 0x21, &[&six[..], &[0, 1, 0, 2]].concat()),
        binary_header(0x20, 0x00, b""),
        binary_header(0x20, 0x77, b"xyz"),
        binary_header(0x21, 0x31, &[b'/'; 216]),
    ]
}

#[test]
fn clients_are_named_in_both_versions() {
    let expected = ("192.0.2.7:5000".to_owned(), "192.0.2.1:443".to_owned());
    assert_eq!(client(b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n"), expected);
    assert_eq!(client(&binary_header(0x21, 0x11, &FOUR)), expected);
    let (source, _) = client(b"PROXY TCP6 2001:db8::7 ::1 65535 0\r\n");
    assert_eq!(source, "[2001:db8::7]:65535");
}

#[test]
fn extensions_are_passed_over() {
    let with = binary_header(0x21, 0x11, &[&FOUR[..], &[0x20, 0, 5, 1, 0, 0, 0, 0]].concat());
    assert_eq!(client(&with).0, "192.0.2.7:5000");
}

#[test]
fn a_proxy_that_speaks_for_itself_names_nobody() {
    for header in [
        &b"PROXY UNKNOWN\r\n"[..],
        &binary_header(0x20, 0x11, &FOUR),
        &binary_header(0x20, 0x00, b""),
        &binary_header(0x21, 0x00, b""),
        &binary_header(0x21, 0x31, &[b'/'; 216]),
    ] {
        assert_eq!(decode(header), Ok(Decoded::Header(Header::Nobody)));
    }
}

/// Whoever reads as many bytes as are asked for reads the whole header and not one byte of what follows.
#[test]
fn a_header_is_read_to_its_end_and_no_further() {
    for header in headers() {
        let mut have = 0;
        let mut turns = 0;
        loop {
            match decode(&header[..have]).unwrap() {
                Decoded::Header(_) => break,
                Decoded::NeedMore(missing) => have += missing,
            }
            turns += 1;
            assert!(have <= header.len() && turns <= MAX_LINE_BYTES, "{header:?}");
        }
        assert_eq!(have, header.len());
    }
}

#[test]
fn every_beginning_of_a_header_asks_for_more() {
    for header in headers() {
        for cut in 0..header.len() {
            assert!(matches!(decode(&header[..cut]), Ok(Decoded::NeedMore(1..))), "{header:?} at {cut}");
        }
    }
}

#[test]
fn what_is_no_header_is_refused_at_the_first_byte_that_shows_it() {
    for (bytes, error) in [
        (&b"G"[..], HeaderError::Signature),
        (b"PROXX", HeaderError::Signature),
        (b"proxy ", HeaderError::Signature),
        (b"\x16\x03\x01", HeaderError::Signature),
        (b"\r\n\r\nG", HeaderError::Signature),
        (b"\r\n\r\n\0\r\nQUIT\r", HeaderError::Signature),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", HeaderError::Line),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", HeaderError::Line),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", HeaderError::Line),
        (b"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", HeaderError::Line),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", HeaderError::Line),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", HeaderError::Line),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", HeaderError::Line),
        (b"PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n", HeaderError::Line),
        (b"PROXY TCP4 ::1 ::1 1 2\r\n", HeaderError::Line),
        (b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", HeaderError::Line),
        (b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", HeaderError::Line),
        (b"PROXY UNKNOWN\n\r\n", HeaderError::Line),
        (&binary_header(0x11, 0x11, &FOUR), HeaderError::Command { byte: 0x11 }),
        (&binary_header(0x22, 0x11, &FOUR), HeaderError::Command { byte: 0x22 }),
        (&binary_header(0x21, 0x12, &FOUR), HeaderError::Family { byte: 0x12 }),
        (&binary_header(0x21, 0x41, &FOUR), HeaderError::Family { byte: 0x41 }),
        (&binary_header(0x21, 0x11, &FOUR[..11]), HeaderError::TooShort { length: 11 }),
        (&binary_header(0x21, 0x21, &[0; 35]), HeaderError::TooShort { length: 35 }),
        (&binary_header(0x21, 0x11, &[0; 5000]), HeaderError::TooLong { limit: MAX_HEADER_BYTES }),
    ] {
        assert_eq!(decode(bytes), Err(error), "{:?}", String::from_utf8_lossy(bytes));
    }
    let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 93]].concat();
    assert_eq!(decode(&long), Err(HeaderError::LineTooLong { limit: MAX_LINE_BYTES }));
}
