use super::*;
use bytes::BytesMut;

fn post(body: &[u8]) -> Vec<u8> {
    [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", body].concat()
}

#[track_caller]
fn check_body(body: &[u8], decoded: &[u8]) {
    let next = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    let seen = seen(&[&post(body)[..], next].concat());
    let ends = seen.iter().filter(|seen| **seen == Seen::End).count();
    let bodies: Vec<u8> = seen
        .iter()
        .filter_map(|s| if let Seen::Body(b) = s { Some(&b[..]) } else { None })
        .collect::<Vec<_>>()
        .concat();
    assert_eq!((&*bodies, ends), (decoded, 2), "{}: {seen:?}", body.escape_ascii());
}

#[track_caller]
fn check_bad(body: &[u8], error: RequestError) {
    check_ends_in(&post(body), error);
}

#[test]
fn http_89_and_90_chunked_bodies_are_read() {
    check_body(b"5\r\nhello\r\n0\r\n\r\n", b"hello");
    check_body(b"0\r\n\r\n", b"");
    check_body(b"000\r\n\r\n", b"");
    check_body(b"005\r\nhello\r\n1\r\n!\r\n00\r\n\r\n", b"hello!");
    check_body(b"A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n", b"01234567890123456789a");
    check_body(b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n");
}

#[test]
fn http_90_data_ends_with_crlf() {
    for body in
        [&b"5\r\nhello0\r\n\r\n"[..], b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello\r0\r\n\r\n", b"5\r\nhello!\r\n0\r\n\r\n"]
    {
        check_bad(body, RequestError::ChunkEnd);
    }
}

#[test]
fn http_91_a_size_is_hexadecimal_digits_and_nothing_else() {
    for size in ["0x5", "+5", "-5", "5_0", " 5", "\t5", "", "g", "5 ", "5\t", "5 5", "5.", "\r"] {
        check_bad(format!("{size}\r\nhello\r\n0\r\n\r\n").as_bytes(), RequestError::ChunkSize);
    }
    for body in [&b"5\nhello\r\n0\r\n\r\n"[..], b";a\r\nhello\r\n", b"\r\n5\r\nhello\r\n"] {
        check_bad(body, RequestError::ChunkSize);
    }
    check_bad(b"5\rhello\r\n0\r\n\r\n", RequestError::ChunkEnd);
    check_bad(b"5\r\r\nhello\r\n0\r\n\r\n", RequestError::ChunkEnd);
}

#[test]
fn http_85_sizes_do_not_overflow() {
    for size in ["10000000000000000", "fffffffffffffffff", "ffffffffffffffff", "8000000000000000", "00000000000000005"]
    {
        check_bad(format!("{size}\r\nhello").as_bytes(), RequestError::ChunkSize);
    }
    let mut decoder = ChunkedDecoder::new(&Limits::default());
    let mut input = BytesMut::from("7fffffffffffffff\r\nab");
    assert_eq!(decoder.decode(&mut input), Ok(Decoded::Data("ab".into())));
}

#[test]
fn http_92_extensions_are_ignored() {
    for extension in [";a=b", " ; a=\"q;\\r\"", ";a", ";", "\t;x", ";a=\"\u{e9}\"", ";;"] {
        check_body(format!("5{extension}\r\nhello\r\n0{extension}\r\n\r\n").as_bytes(), b"hello");
    }
}

#[test]
fn http_93_extensions_are_limited_over_the_whole_body() {
    let limits = Limits::default().max_chunk_extension_bytes(10);
    let error = RequestError::ChunkExtensionTooLong { limit: 10 };
    let one = post(b"1;0123456789a\r\nx\r\n0\r\n\r\n");
    assert_eq!(seen_with(&limits, &one, false).last(), Some(&Seen::Refused(error)));
    let several = post(b"1;012345\r\nx\r\n1;012345\r\nx\r\n0\r\n\r\n");
    assert_eq!(seen_with(&limits, &several, false).last(), Some(&Seen::Refused(error)));
    let spaces = post(b"1            ;\r\nx\r\n0\r\n\r\n");
    assert_eq!(seen_with(&limits, &spaces, false).last(), Some(&Seen::Refused(error)));
}

#[test]
fn http_94_no_line_end_hides_in_an_extension() {
    check_bad(b"5;\nhello\r\n0\r\n\r\n", RequestError::ChunkExtension);
    check_bad(b"5;a\nhello\r\n0\r\n\r\n", RequestError::ChunkExtension);
    check_bad(b"5;a\rhello\r\n0\r\n\r\n", RequestError::ChunkEnd);
    check_bad(b"5;a\0\r\nhello\r\n0\r\n\r\n", RequestError::ChunkExtension);
}

#[test]
fn http_95_and_96_trailers_are_checked_and_dropped() {
    check_body(b"1\r\nx\r\n0\r\nX-Sum: 1\r\nHost: evil\r\nContent-Length: 99\r\nEmpty:\r\n\r\n", b"x");
    for trailer in ["X : 1", ": 1", "X", "X\n: 1", " X: 1", "X: a\rb", "X: \x01", "X: a\r\n b"] {
        check_bad(format!("0\r\n{trailer}\r\n\r\n").as_bytes(), RequestError::Trailer);
    }
    check_bad(b"0\r\nX: a\n\r\n", RequestError::Trailer);
    check_bad(b"0\r\n\n", RequestError::Trailer);
    let limits = Limits::default().max_trailer_bytes(10);
    let long = post(b"0\r\nX: 0123456789\r\n\r\n");
    let error = RequestError::TrailerTooLong { limit: 10 };
    assert_eq!(seen_with(&limits, &long, false).last(), Some(&Seen::Refused(error)));
}

#[test]
fn http_111_options_with_a_chunked_body_is_framed() {
    let input = b"OPTIONS / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    check_requests(input, 2);
}

#[test]
fn pieces_of_a_body_are_slices_of_what_arrived() {
    let mut decoder = ChunkedDecoder::new(&Limits::default());
    let mut input = BytesMut::from("5\r\nhello\r\n0\r\n\r\n");
    let data = input[3..8].as_ptr();
    let Ok(Decoded::Data(piece)) = decoder.decode(&mut input) else { panic!() };
    assert_eq!(piece.as_ptr(), data);
}
