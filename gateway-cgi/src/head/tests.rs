//! The header block, both ways; every decoder case runs whole, cut in two at each offset, and byte by byte.

use gateway_spec::headers;
use http::StatusCode;
use proptest::prelude::*;

use super::*;

/// What a decoded block says, in a form that compares.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: u16,
    kind: ResponseKind,
    fields: Vec<(String, Vec<u8>)>,
    content_length: Option<u64>,
    body: Vec<u8>,
}

fn receive_shared(decoder: &mut Decoder, piece: &[u8]) -> Result<Decoded, HeadError> {
    decoder.receive_shared(&bytes::Bytes::copy_from_slice(piece))
}

fn decode_pieces<'a>(
    mut decoder: Decoder,
    receive: fn(&mut Decoder, &[u8]) -> Result<Decoded, HeadError>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Seen, HeadError> {
    let mut seen: Option<Seen> = None;
    for piece in pieces {
        if let Some(seen) = &mut seen {
            seen.body.extend_from_slice(piece);
            continue;
        }
        if let Decoded::Head { head, consumed } = receive(&mut decoder, piece)? {
            let fields = head.headers.iter();
            seen = Some(Seen {
                status: head.status.as_u16(),
                kind: head.kind,
                fields: fields.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
                content_length: head.content_length,
                body: piece[consumed..].to_vec(),
            });
        }
    }
    seen.ok_or_else(|| decoder.end_of_output())
}

/// Decodes, and insists that every way to cut the input says the same, also where values are parts of it.
#[track_caller]
fn decode_by(decoder: impl Fn() -> Decoder, input: &[u8]) -> Result<Seen, HeadError> {
    let whole = decode_pieces(decoder(), Decoder::receive, [input]);
    assert_eq!(decode_pieces(decoder(), receive_shared, [input]), whole, "shared");
    for cut in 0..=input.len() {
        let (first, second) = input.split_at(cut);
        assert_eq!(decode_pieces(decoder(), Decoder::receive, [first, second]), whole, "cut at {cut}");
        assert_eq!(decode_pieces(decoder(), receive_shared, [first, second]), whole, "shared, cut at {cut}");
    }
    assert_eq!(decode_pieces(decoder(), Decoder::receive, input.chunks(1)), whole, "byte by byte");
    whole
}

#[track_caller]
fn decode_with(limits: Limits, input: &[u8]) -> Result<Seen, HeadError> {
    decode_by(|| Decoder::with_limits(limits), input)
}

#[track_caller]
fn decode(input: &[u8]) -> Result<Seen, HeadError> {
    decode_with(Limits::default(), input)
}

#[track_caller]
fn decode_nph(input: &[u8]) -> Result<Seen, HeadError> {
    decode_by(|| Decoder::new().form(Form::NonParsed), input)
}

#[track_caller]
fn check_kind(input: &[u8], status: u16, kind: ResponseKind) {
    let seen = decode(input).unwrap();
    assert_eq!((seen.status, seen.kind), (status, kind), "{}", input.escape_ascii());
}

#[track_caller]
fn check_refused(input: &[u8], is_expected: impl Fn(&HeadError) -> bool) {
    match decode(input) {
        Err(error) => {
            assert!(is_expected(&error), "{}: {error:?}", input.escape_ascii());
            assert_eq!(error.status(), StatusCode::BAD_GATEWAY);
            assert!(error.clause().starts_with("RFC "));
        }
        Ok(seen) => panic!("{} was taken: {seen:?}", input.escape_ascii()),
    }
}

fn local(target: &str) -> ResponseKind {
    ResponseKind::LocalRedirect { target: target.to_owned() }
}

#[test]
fn cgi_154_status_comes_first_and_repeats_stay_apart() {
    let mut out = Vec::new();
    let headers = headers!["x-b" => "1", "set-cookie" => "a=1", "content-type" => "text/plain", "set-cookie" => "b=2"];
    encode(StatusCode::NOT_FOUND, &headers, &mut out);
    let expected =
        "Status: 404 Not Found\r\nx-b: 1\r\nset-cookie: a=1\r\ncontent-type: text/plain\r\nset-cookie: b=2\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn cgi_127_a_status_without_a_known_reason_still_has_one() {
    let mut out = Vec::new();
    encode(StatusCode::from_u16(299).unwrap(), &headers![], &mut out);
    assert_eq!(out, b"Status: 299 Unknown\r\n\r\n");
}

#[test]
fn cgi_120_a_field_called_status_cannot_contradict_the_status() {
    let mut out = Vec::new();
    encode(StatusCode::OK, &headers!["Status" => "500 Oops"], &mut out);
    assert_eq!(out, b"Status: 200 OK\r\n\r\n");
}

#[test]
fn cgi_105_a_document_is_200_by_default() {
    let seen = decode(b"Content-Type: text/html\n\n<p>").unwrap();
    assert_eq!((seen.status, seen.kind), (200, ResponseKind::Document));
    assert_eq!(seen.fields, [("content-type".to_owned(), b"text/html".to_vec())]);
    assert_eq!(seen.body, b"<p>");
}

#[test]
fn cgi_103_each_block_is_one_of_the_four_types() {
    use ResponseKind::{ClientRedirect, ClientRedirectWithDocument, Document};
    check_kind(b"Content-Type: a/b\n\n", 200, Document);
    check_kind(b"Status: 204\n\n", 204, Document);
    check_kind(b"Status: 201 Created\nLocation: /new\nContent-Type: a/b\n\n", 201, Document);
    check_kind(b"Location: /path?q=1\n\n", 302, local("/path?q=1"));
    check_kind(b"Location: http://example.org/x#frag\n\n", 302, ClientRedirect);
    check_kind(b"X-CGI-Note: 1\nLocation: https://example.org\n\n", 302, ClientRedirect);
    check_kind(b"Location: http://example.org/\nContent-Type: a/b\n\n", 302, ClientRedirectWithDocument);
    for code in [301, 302, 303, 307, 308] {
        let block = format!("Status: {code} Go\nLocation: http://example.org/\nContent-Type: a/b\n\n");
        check_kind(block.as_bytes(), code, ClientRedirectWithDocument);
        check_kind(format!("Location: /there\nStatus: {code}\n\n").as_bytes(), code, ClientRedirect);
    }
}

#[test]
fn cgi_107_a_local_path_with_another_field_goes_to_the_client() {
    check_kind(b"Location: /path\nSet-Cookie: a=1\n\n", 302, ResponseKind::ClientRedirect);
    check_kind(b"Location: /path\nContent-Type: a/b\n\n", 302, ResponseKind::ClientRedirectWithDocument);
    check_kind(b"Location: /path#part\n\n", 302, ResponseKind::ClientRedirect);
}

#[test]
fn cgi_114_two_slashes_are_never_an_authority() {
    check_kind(b"Location: //host/x\n\n", 302, local("//host/x"));
    check_refused(b"Location: //host/x\nX-A: 1\n\n", |error| matches!(error, HeadError::Location { .. }));
}

#[test]
fn cgi_126_a_location_is_a_path_or_an_absolute_uri() {
    for value in ["foo", "foo/bar", "?q", "1http://x", ":x", "http:", "/a b", "/caf\u{e9}", "ht tp://x", "a_b:c"] {
        check_refused(format!("Location: {value}\n\n").as_bytes(), |error| matches!(error, HeadError::Location { .. }));
    }
    check_kind(b"Status: 302\nLocation: foo\n\n", 302, ResponseKind::ClientRedirect);
}

#[test]
fn cgi_120_one_cgi_field_is_needed_and_none_comes_twice() {
    check_refused(b"\n", |error| *error == HeadError::NoCgiField);
    check_refused(b"X-A: 1\n\nbody", |error| *error == HeadError::NoCgiField);
    for field in ["Status: 200", "Content-Type: a/b", "Location: /x", "Content-Length: 3"] {
        let block = format!("{field}\n{}\n\n", field.to_lowercase());
        let name = field.split_once(':').unwrap().0;
        check_refused(
            block.as_bytes(),
            |error| matches!(error, HeadError::Duplicate { field, line: 2 } if *field == name),
        );
    }
}

#[test]
fn cgi_121_names_are_tokens_without_space_before_the_colon() {
    for name in ["Status ", "Sta tus", "", "X(y)", "X\u{0}", "caf\u{e9}", "X\t", "X\r"] {
        check_refused(format!("{name}: 1\n\n").as_bytes(), |error| matches!(error, HeadError::Name { line: 1, .. }));
    }
    check_kind(b"cOnTeNt-tYpE:text/plain\n\n", 200, ResponseKind::Document);
    check_kind(b"Content-Type:\t  text/plain \t\n\n", 200, ResponseKind::Document);
}

#[test]
fn cgi_122_http_62_continuation_lines_are_refused() {
    for fold in [" more", "\tmore", " ", "\t"] {
        let block = format!("Content-Type: a/b\n{fold}\n\n");
        check_refused(block.as_bytes(), |error| *error == HeadError::Folded { line: 2 });
    }
    check_refused(b" Content-Type: a/b\n\n", |error| *error == HeadError::Folded { line: 1 });
}

#[test]
fn cgi_123_an_empty_cgi_field_was_not_sent() {
    let seen = decode(b"Status:\nLocation: \nContent-Type: a/b\nContent-Type:\n\n").unwrap();
    assert_eq!((seen.status, seen.kind, seen.fields.len()), (200, ResponseKind::Document, 1));
    check_refused(b"Location:\n\n", |error| *error == HeadError::NoCgiField);
}

#[test]
fn cgi_127_status_is_three_digits_and_a_reason_after_a_space() {
    for (value, code) in [("404", 404), ("404 ", 404), ("404 Not Found", 404), ("599 \u{fc}ber", 599), ("200  x", 200)]
    {
        check_kind(format!("Status: {value}\n\n").as_bytes(), code, ResponseKind::Document);
    }
    for value in ["40", "4x4", "4040", "404Not", "404\tX", "OK", "-40", "+40", "\u{664}04"] {
        check_refused(format!("Status: {value}\n\n").as_bytes(), |error| matches!(error, HeadError::Status { .. }));
    }
}

#[test]
fn cgi_182_status_is_a_final_response() {
    for code in [0, 99, 100, 101, 103, 199, 600, 999] {
        check_refused(format!("Status: {code:03} X\n\n").as_bytes(), |error| *error == HeadError::StatusRange { code });
    }
}

#[test]
fn cgi_143_lf_crlf_and_a_mixture_end_lines() {
    let expected = decode(b"Status: 200 OK\nContent-Type: a/b\n\n\nbody\r\n").unwrap();
    assert_eq!(expected.body, b"\nbody\r\n");
    for block in [
        "Status: 200 OK\r\nContent-Type: a/b\r\n\r\n\nbody\r\n",
        "Status: 200 OK\nContent-Type: a/b\r\n\n\nbody\r\n",
        "Status: 200 OK\r\nContent-Type: a/b\n\r\n\nbody\r\n",
    ] {
        assert_eq!(decode(block.as_bytes()).unwrap(), expected);
    }
}

#[test]
fn cgi_181_control_bytes_in_values_are_refused() {
    for byte in (0..0x20_u8).chain([0x7f]).filter(|byte| !b"\t\n".contains(byte)) {
        let block = [b"Content-Type: a/b\nX: a", &[byte][..], b"B\n\n"].concat();
        check_refused(&block, |error| *error == HeadError::Value { line: 2, byte });
    }
    check_refused(b"Content-Type: a/b\r\r\n\n", |error| matches!(error, HeadError::Value { byte: b'\r', .. }));
}

#[test]
fn cgi_55_bytes_above_ascii_are_kept() {
    let seen = decode(b"Content-Type: a/b\nX-Name: caf\xe9 \xff\n\n").unwrap();
    assert_eq!(seen.fields[1].1, b"caf\xe9 \xff");
}

#[test]
fn cgi_95_a_status_line_is_refused() {
    check_refused(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\n", |error| *error == HeadError::StatusLine);
    check_refused(b"HTTP/1.0 200: OK\n\n", |error| *error == HeadError::StatusLine);
}

#[test]
fn cgi_104_a_message_before_the_block_is_no_field() {
    check_refused(b"Traceback (most recent call last)\n\n", |error| {
        matches!(error, HeadError::NoColon { line: 1, .. })
    });
}

#[test]
fn cgi_100_no_output_and_cgi_104_half_a_block_are_refused() {
    check_refused(b"", |error| *error == HeadError::Empty);
    check_refused(b"Content-Type: a/b\n", |error| *error == HeadError::Truncated { received: 18 });
    check_refused(b"Content-Type: a/b\r\n\r", |error| *error == HeadError::Truncated { received: 20 });
}

#[test]
fn cgi_130_fields_about_the_connection_do_not_pass() {
    let block = b"Content-Type: a/b\nConnection: close\nKeep-Alive: 1\nProxy-Connection: x\nTE: x\nTrailer: X\nTrailers: X\nUpgrade: h2c\n\n";
    assert_eq!(decode(block).unwrap().fields.len(), 1);
    check_refused(b"Content-Type: a/b\nTransfer-Encoding: chunked\n\n", |error| {
        *error == HeadError::TransferEncoding { line: 2 }
    });
}

#[test]
fn cgi_131_extension_fields_are_not_forwarded() {
    assert_eq!(decode(b"X-CGI-Debug: 1\nContent-Type: a/b\nX-Cgid: 1\n\n").unwrap().fields[1].0, "x-cgid");
}

#[test]
fn cgi_133_the_declared_length_is_a_number() {
    assert_eq!(decode(b"Status: 200\nContent-Length: 12\n\n").unwrap().content_length, Some(12));
    for value in ["", "+1", "-1", "1,1", "0x1", "1 2", "18446744073709551616"] {
        let block = format!("Status: 200\nContent-Length: {value}\n\n");
        check_refused(block.as_bytes(), |error| matches!(error, HeadError::ContentLength { line: 2, .. }));
    }
}

#[test]
fn cgi_134_cookies_stay_apart() {
    let seen = decode(b"Status: 200\nSet-Cookie: a=1\nX: y\nSet-Cookie: b=2\n\n").unwrap();
    assert_eq!(seen.fields.iter().filter(|(name, _)| name == "set-cookie").count(), 2);
}

#[test]
fn cgi_183_bytes_and_fields_are_bounded() {
    let block = b"Status: 200\nX-A: 1\nX-B: 2\n\n";
    let exact = Limits { max_head_bytes: block.len(), max_fields: 3 };
    assert!(decode_with(exact, block).is_ok());
    let shorter = Limits { max_head_bytes: block.len() - 1, ..exact };
    assert_eq!(decode_with(shorter, block), Err(HeadError::TooLong { limit: block.len() - 1 }));
    assert_eq!(decode_with(Limits { max_fields: 2, ..exact }, block), Err(HeadError::TooManyFields { limit: 2 }));
}

#[test]
fn cgi_183_an_endless_line_retains_no_more_than_the_limit() {
    let mut decoder = Decoder::with_limits(Limits { max_head_bytes: 1000, max_fields: 10 });
    let refused = (0..100).find_map(|_| decoder.receive(&[b'x'; 64]).err());
    assert_eq!(refused, Some(HeadError::TooLong { limit: 1000 }));
    assert!(decoder.partial_len() <= 1000);
}

#[test]
fn messages_show_foreign_bytes_escaped_and_cut_short() {
    let error = decode(&[&[0x1b; 500][..], b"\n"].concat()).unwrap_err();
    assert!(error.to_string().len() < 200 && error.to_string().contains("\\x1b"), "{error}");
}

#[test]
fn fcgi_97_the_variables_of_an_authorizer_keep_the_case_of_variables() {
    let mut block = Vec::new();
    encode(StatusCode::OK, &headers!["Variable-REMOTE_USER" => "ada", "variables" => 1, "vary" => "*"], &mut block);
    assert_eq!(block, b"Status: 200 OK\r\nVariable-REMOTE_USER: ada\r\nvariables: 1\r\nvary: *\r\n\r\n");
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_wherever_it_is_cut(
        code in 200_u16..=599,
        fields in prop::collection::vec(("x-[a-z0-9]{1,8}", "[!-~]([ -~]{0,20}[!-~])?"), 0..8),
        body in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut list = headers!["content-type" => "text/plain"];
        for (name, value) in &fields {
            list.append(name.as_str(), value.clone());
        }
        let fields: Vec<_> = fields.into_iter().filter(|(name, _)| !name.starts_with("x-cgi-")).collect();
        let mut block = Vec::new();
        encode(StatusCode::from_u16(code).unwrap(), &list, &mut block);
        block.extend_from_slice(&body);
        let seen = decode(&block).unwrap();
        // CGI-91: with a status line in the place of Status it is a complete response.
        let complete = [b"HTTP/1.1", block.strip_prefix(b"Status:").unwrap()].concat();
        let complete = decode_nph(&complete).unwrap();
        prop_assert_eq!((complete.status, &complete.fields, &complete.body), (code, &seen.fields, &seen.body));
        prop_assert_eq!(seen.status, code);
        prop_assert_eq!(seen.body, body);
        let decoded: Vec<_> = seen.fields.into_iter().skip(1).collect();
        let expected: Vec<_> = fields.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        prop_assert_eq!(decoded, expected);
    }

    #[test]
    fn no_input_panics_and_no_cut_changes_the_answer(input in prop::collection::vec(prop_oneof![
        Just(b'\n'), Just(b'\r'), Just(b':'), Just(b' '), Just(b'S'), any::<u8>()
    ], 0..60)) {
        let _ = decode(&input);
        let _ = decode(&[b"Status: 200\n", &input[..], b"\n\n"].concat());
        let _ = decode_nph(&[b"HTTP/1.1", &input[..], b"\n\n"].concat());
        let _ = decode_nph(&[b"HTTP/1.1 200\n", &input[..], b"\n\n"].concat());
    }
}

#[test]
fn cgi_91_a_complete_response_of_an_nph_program() {
    for start in ["HTTP/1.1 404 Not Found\r\n", "HTTP/1.0 404\n", "HTTP/1.1 404 \n"] {
        let text = "Server: own\nContent-Type: a/b\nContent-Length: 4\nSet-Cookie: a=1\nSet-Cookie: b=2\n\nbody";
        let seen = decode_nph(format!("{start}{text}").as_bytes()).unwrap();
        let names: Vec<&str> = seen.fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((seen.status, seen.content_length, seen.body.as_slice()), (404, Some(4), &b"body"[..]), "{start}");
        assert_eq!(names, ["server", "content-type", "content-length", "set-cookie", "set-cookie"], "{start}");
    }
}

#[test]
fn cgi_93_what_only_cgi_knows_means_nothing_in_a_complete_response() {
    let seen = decode_nph(b"HTTP/1.1 200 OK\nStatus: 404\nLocation: /x\nConnection: keep-alive\n\n").unwrap();
    assert_eq!((seen.status, &seen.kind), (200, &ResponseKind::Document));
    assert_eq!(seen.fields, [("location".to_owned(), b"/x".to_vec())]);
    assert_eq!(decode_nph(b"HTTP/1.1 200 OK\n\n").unwrap().status, 200);
    assert_eq!(decode_nph(b"HTTP/1.1 302 Found\nLocation: /x\n\n").unwrap().kind, ResponseKind::ClientRedirect);
}

#[test]
fn cgi_91_92_186_a_complete_response_is_checked_like_any_other() {
    #[track_caller]
    fn refused(input: &[u8], is_expected: impl Fn(&HeadError) -> bool) {
        let error = decode_nph(input).unwrap_err();
        assert!(is_expected(&error) && error.clause().starts_with("RFC "), "{}: {error:?}", input.escape_ascii());
    }
    for input in ["Content-Type: a/b\n\n", "\nHTTP/1.1 200 OK\n\n", "http/1.1 200 OK\n\n", "x"] {
        refused(input.as_bytes(), |error| *error == HeadError::NoStatusLine);
    }
    for line in ["HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/11 200 OK", "HTTP/1.1  200 OK"] {
        refused(format!("{line}\n\n").as_bytes(), |error| matches!(error, HeadError::Status { line: 1, .. }));
    }
    refused(b"HTTP/1.1 101 Switching Protocols\n\n", |error| *error == HeadError::StatusRange { code: 101 });
    refused(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", |error| {
        *error == HeadError::TransferEncoding { line: 2 }
    });
    refused(b"HTTP/1.1 200 OK\nX: a\x01b\n\n", |error| matches!(error, HeadError::Value { line: 2, byte: 1 }));
    refused(b"HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 2\n\n", |error| {
        matches!(error, HeadError::Duplicate { .. })
    });
    refused(b"", |error| *error == HeadError::Empty);
    refused(b"HTT", |error| *error == HeadError::Truncated { received: 3 });
}
