use super::*;

/// A second request hides behind the first; it must never come out.
#[track_caller]
fn check_smuggled(fields: &[u8], error: RequestError) {
    let hidden: &[u8] = b"\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    check_refused(&[b"POST / HTTP/1.1\r\nHost: a\r\n", fields, hidden].concat(), error);
}

#[test]
fn http_75_99_a_body_exists_iff_it_is_framed() {
    check_requests(b"POST / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2);
    check_requests(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2);
    check_requests(b"OPTIONS / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2);
}

#[test]
fn http_76_77_105_length_with_coding_is_refused() {
    check_smuggled(b"Content-Length: 5\r\nTransfer-Encoding: chunked", RequestError::LengthAndCoding);
    check_smuggled(b"Transfer-Encoding: chunked\r\nContent-Length: 5", RequestError::LengthAndCoding);
    check_smuggled(b"Transfer-Encoding: chunked\r\nContent-Length: x", RequestError::LengthAndCoding);
    check_smuggled(b"Transfer-Encoding: identity\r\nContent-Length: 5", RequestError::LengthAndCoding);
}

#[test]
fn http_79_82_83_and_107_a_coding_is_exactly_chunked() {
    let values: [&[u8]; 17] = [
        b"gzip",
        b"chunked, gzip",
        b"identity",
        b"chunked, chunked",
        b"chunked;q=1",
        b"xchunked",
        b"chunked,",
        b",chunked",
        b"\"chunked\"",
        b"chunked chunked",
        b"chunked, identity",
        b"gzip, chunked, chunked",
        b"chunked, gzip, chunked",
        b"",
        b"chu\xa0nked",
        b"chunked\xa0",
        b"'chunked'",
    ];
    for value in values {
        check_smuggled(&[b"Transfer-Encoding: ", value].concat(), RequestError::Coding);
    }
    check_smuggled(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", RequestError::Coding);
    check_smuggled(b"Transfer-Encoding: chunked\r\ntransfer-encoding: identity", RequestError::Coding);
    check_smuggled(b"Transfer-Encoding: chunked\x0b", RequestError::FieldValue);
    check_smuggled(b"Transfer-Encoding : chunked", RequestError::FieldName);
}

#[test]
fn http_80_other_codings_are_501() {
    check_smuggled(b"Transfer-Encoding: gzip, chunked", RequestError::CodingUnknown);
    check_smuggled(b"Transfer-Encoding: a,b , chunked", RequestError::CodingUnknown);
    assert_eq!(RequestError::CodingUnknown.status(), StatusCode::NOT_IMPLEMENTED);
}

#[test]
fn http_81_codings_in_http_1_0_are_refused() {
    let input = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    check_refused(input, RequestError::CodingInOldVersion);
}

#[test]
fn http_83_and_106_chunked_is_recognised_in_any_case() {
    for name in ["Transfer-Encoding", "transfer-ENCODING", "TRANSFER-ENCODING"] {
        for value in ["chunked", "Chunked", "CHUNKED"] {
            check_requests(format!("POST / HTTP/1.1\r\nHost: a\r\n{name}: {value}\r\n\r\n0\r\n\r\n").as_bytes(), 1);
        }
    }
}

#[test]
fn http_84_85_and_108_a_length_is_one_decimal_number() {
    for length in [
        "5, 5",
        "5, 6",
        "5,5",
        "+5",
        "-1",
        "5 5",
        "0x5",
        "5.0",
        "",
        "\u{665}",
        "5;",
        "1e1",
        "5_0",
        "18446744073709551616",
        "9223372036854775808",
        "1234567890123456789012345678901234567890",
    ] {
        check_smuggled(format!("Content-Length: {length}").as_bytes(), RequestError::Length);
    }
    check_smuggled(b"Content-Length: 5\r\nContent-Length: 5", RequestError::LengthRepeated);
    check_smuggled(b"Content-Length: 5\r\ncontent-length: 6", RequestError::LengthRepeated);
    assert_eq!(
        body_framing(Version::Http11, [(&b"Content-Length"[..], &b"9223372036854775807"[..])]),
        Ok(BodyFraming::Length(u64::MAX >> 1))
    );
    assert_eq!(body_framing(Version::Http11, [(&b"Content-Length"[..], &b"0005"[..])]), Ok(BodyFraming::Length(5)));
}

#[test]
fn http_70_lookalikes_do_not_frame() {
    check_requests(b"GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\nTransfer_Encoding: chunked\r\n\r\n", 1);
}

#[test]
fn http_98_a_length_over_the_limit_is_refused_before_the_body() {
    let limits = Limits::default().max_body_bytes(Some(4));
    let input = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    let error = RequestError::BodyTooLong { limit: 4 };
    assert_eq!(seen_with(&limits, input, false), [Seen::Refused(error)]);
    assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n1\r\ne\r\n0\r\n\r\n";
    assert_eq!(seen_with(&limits, chunked, false).last(), Some(&Seen::Refused(error)));
}

#[test]
fn http_86_and_97_a_cut_body_is_no_end() {
    for input in [
        &b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell"[..],
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n0\r\n",
    ] {
        let seen = seen_with(&Limits::default(), input, true);
        assert_eq!(seen[1..], [Seen::Body(b"hell".to_vec()), Seen::Refused(RequestError::BodyIncomplete)]);
    }
}

#[test]
fn http_88_a_body_without_a_length_is_411_where_one_is_wanted() {
    let limits = Limits::default().length_required(true);
    let chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(seen_with(&limits, chunked, false), [Seen::Refused(RequestError::LengthRequired)]);
    assert_eq!(RequestError::LengthRequired.status(), StatusCode::LENGTH_REQUIRED);
    for other in ["", "Content-Length: 0\r\n"] {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{other}\r\n");
        assert_eq!(seen_with(&limits, request.as_bytes(), false).last(), Some(&Seen::End));
    }
}
