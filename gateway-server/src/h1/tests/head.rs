use super::*;

fn with_line(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: a\r\n\r\n").into_bytes()
}

fn with_field(field: &[u8]) -> Vec<u8> {
    [b"GET / HTTP/1.1\r\nHost: a\r\n", field, b"\r\n\r\n"].concat()
}

#[track_caller]
fn check_line(line: &str, error: RequestError) {
    check_refused(&with_line(line), error);
}

#[test]
fn http_1_59_obs_text_in_values_is_kept() {
    let seen = seen(&with_field(b"X: caf\xe9"));
    let Some(Seen::Request { fields, .. }) = seen.first() else { panic!("{seen:?}") };
    assert_eq!(fields[1], (b"X".to_vec(), b"caf\xe9".to_vec()));
}

#[test]
fn http_2_lone_line_feeds_are_refused_everywhere() {
    for input in [
        &b"GET / HTTP/1.1\nHost: a\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n",
        b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        check_refused(input, RequestError::LineEnd);
    }
}

#[test]
fn http_3_bare_carriage_returns_are_refused() {
    check_refused(b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", RequestError::FieldValue);
    check_refused(b"GET / HTTP/1.1\rHost: a\r\n\r\n", RequestError::LineEnd);
    check_refused(b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", RequestError::RequestLine);
    check_refused(b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", RequestError::LineEnd);
}

#[test]
fn http_5_a_few_empty_lines_before_the_request_line_pass() {
    check_requests(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2);
    check_refused(b"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n", RequestError::EmptyLines { limit: 4 });
}

#[test]
fn http_6_white_space_before_the_first_field_is_refused() {
    check_refused(b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", RequestError::FieldName);
}

#[test]
fn http_7_what_is_not_http_is_refused_at_once() {
    check_refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", RequestError::RequestLine);
    check_refused(b"\x00", RequestError::RequestLine);
    check_refused(b"GET\x01/ HTTP/1.1\r\n", RequestError::RequestLine);
}

#[test]
fn http_9_versions_of_another_form_are_refused() {
    for line in
        ["GET / http/1.1", "GET / HTTP/1.10", "GET / HTTP/11", "GET / HTTP/1,1", "GET / HTTP/", "GET / XTTP/1.1"]
    {
        let seen = seen(&with_line(line));
        let [Seen::Refused(error)] = &*seen else { panic!("{line}: {seen:?}") };
        assert_eq!(error.status(), StatusCode::BAD_REQUEST, "{line}");
    }
}

#[test]
fn http_11_and_12_other_versions_are_505() {
    for line in ["GET / HTTP/2.0", "GET / HTTP/1.2", "GET / HTTP/0.9", "PRI * HTTP/2.0"] {
        check_line(line, RequestError::Version);
    }
    assert_eq!(RequestError::Version.status().as_u16(), 505);
}

#[test]
fn http_20_the_request_line_has_single_spaces() {
    for line in ["GET  / HTTP/1.1", "GET\t/ HTTP/1.1", " GET / HTTP/1.1", "GET / ", "GET /", "GET", "/ HTTP/1.1"] {
        let seen = seen(&with_line(line));
        let [Seen::Refused(error)] = &*seen else { panic!("{line}: {seen:?}") };
        assert_eq!(error.status(), StatusCode::BAD_REQUEST, "{line}: {error}");
    }
    for line in ["GET /  HTTP/1.1", "GET / HTTP/1.1 "] {
        let seen = seen(&with_line(line));
        assert!(
            matches!(&*seen, [Seen::Refused(error)] if error.status() == StatusCode::BAD_REQUEST),
            "{line}: {seen:?}"
        );
    }
}

#[test]
fn http_21_a_long_method_is_501() {
    let error = RequestError::MethodTooLong { limit: 32 };
    check_refused(&with_line(&format!("{} / HTTP/1.1", "M".repeat(33))), error);
    check_refused(&with_line(&format!("{} / HTTP/1.1", "M".repeat(1000))), error);
    assert_eq!(error.status(), StatusCode::NOT_IMPLEMENTED);
    check_requests(&with_line(&format!("{} / HTTP/1.1", "M".repeat(32))), 1);
    // It need not end to be too long.
    let seen = run(&Limits::default(), ["M".repeat(9000).as_bytes()], false);
    assert_eq!(seen, [Seen::Refused(error)]);
}

#[test]
fn http_22_a_long_target_is_414() {
    let limits = Limits::default().max_target_bytes(20);
    let error = RequestError::TargetTooLong { limit: 20 };
    let line = |length: usize| with_line(&format!("GET /{} HTTP/1.1", "x".repeat(length - 1)));
    assert_eq!(seen_with(&limits, &line(21), false), [Seen::Refused(error)]);
    assert_eq!(seen_with(&limits, &line(20), false).len(), 2);
    assert_eq!(seen_with(&limits, &line(500), false), [Seen::Refused(error)]);
    assert_eq!(error.status(), StatusCode::URI_TOO_LONG);
}

#[test]
fn http_23_targets_of_8000_bytes_are_taken() {
    let input = with_line(&format!("GET /{} HTTP/1.1", "x".repeat(7999)));
    assert_eq!(run(&Limits::default(), [&*input], false).len(), 2);
}

#[test]
fn http_24_and_37_bad_bytes_in_a_target_are_refused() {
    for target in ["/a\"b", "/a#b", "/a<b", "/a?b>c", "/a\\b", "a", "?a", "", "/a?b#c"] {
        let seen = seen(&with_line(&format!("GET {target} HTTP/1.1")));
        let [Seen::Refused(error)] = &*seen else { panic!("{target}: {seen:?}") };
        assert_eq!(error.status(), StatusCode::BAD_REQUEST, "{target}");
    }
    check_refused(b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", RequestError::Target);
    check_refused(b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", RequestError::RequestLine);
}

#[test]
fn http_25_methods_keep_their_case() {
    let seen = seen(&with_line("get / HTTP/1.1"));
    assert!(matches!(seen.first(), Some(Seen::Request { method, .. }) if method == "get"));
}

#[test]
fn http_29_and_30_the_host_of_an_absolute_target_counts() {
    let mut connection = Connection::new(Limits::default());
    connection.receive(b"GET http://Right:81/p?q HTTP/1.1\r\nHost: wrong\r\n\r\n");
    let Ok(Event::Request(head)) = connection.next_event() else { panic!() };
    assert_eq!(head.form(), TargetForm::Absolute);
    assert_eq!((head.host(), head.path(), head.query()), (&b"Right:81"[..], &b"/p"[..], Some(&b"q"[..])));
    assert_eq!(head.target(), b"http://Right:81/p?q");
}

#[test]
fn http_29_an_absolute_target_may_lack_a_path() {
    for (target, query) in [("http://h", None), ("http://h?q", Some(&b"q"[..])), ("HTTP://h", None)] {
        let mut connection = Connection::new(Limits::default());
        connection.receive(&with_line(&format!("GET {target} HTTP/1.1")));
        let Ok(Event::Request(head)) = connection.next_event() else { panic!("{target}") };
        assert_eq!((head.host(), head.path(), head.query()), (&b"h"[..], &b""[..], query), "{target}");
    }
}

#[test]
fn http_31_to_33_target_forms_belong_to_their_methods() {
    for line in ["GET * HTTP/1.1", "GET host:80 HTTP/1.1", "CONNECT / HTTP/1.1", "CONNECT h: HTTP/1.1"] {
        check_line(line, RequestError::Target);
    }
    check_line("CONNECT h:443 HTTP/1.1", RequestError::Connect);
    check_requests(&with_line("OPTIONS * HTTP/1.1"), 1);
}

#[test]
fn http_39_and_49_other_origins_are_refused() {
    for target in ["http:///p", "http://u@h/", "http://h:99999/", "://h/", "1http://h/"] {
        check_line(&format!("GET {target} HTTP/1.1"), RequestError::Target);
    }
    check_line("GET https://h/ HTTP/1.1", RequestError::Scheme);
    check_line("GET ftp://h/ HTTP/1.1", RequestError::Scheme);
    assert_eq!(RequestError::Scheme.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[test]
fn http_45_http_1_1_needs_a_host() {
    check_refused(b"GET / HTTP/1.1\r\nX: a\r\n\r\n", RequestError::HostMissing);
    check_refused(b"GET http://h/ HTTP/1.1\r\n\r\n", RequestError::HostMissing);
    assert_eq!(seen(b"GET / HTTP/1.0\r\n\r\n").len(), 3);
}

#[test]
fn http_46_repeated_and_malformed_hosts_are_refused() {
    check_refused(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", RequestError::HostRepeated);
    check_refused(b"GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", RequestError::HostRepeated);
    for host in ["a b", "a:b:c", "a/", "u@h", "a:99999", "a:-1", "[::1", "::1", "[zz]", "a,b\\", "a?b", ":80", "a%00"] {
        check_refused(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(), RequestError::Host);
    }
}

#[test]
fn http_47_and_48_good_hosts_are_taken() {
    for host in ["", "a", "A.example", "a:80", "a:", "[::1]", "[::1]:8080", "127.0.0.1:1", "xn--caf-dma.example"] {
        check_requests(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(), 1);
    }
}

#[test]
fn http_55_56_69_field_names_are_tokens_right_before_the_colon() {
    let fields: [&[u8]; 9] =
        [b"X : a", b"X\t: a", b": a", b"a(b: x", b"X\x80: a", b"X\0: a", b"Foo", b"X y: a", b"\x0bX: a"];
    for field in fields {
        check_refused(&with_field(field), RequestError::FieldName);
    }
    check_requests(&with_field(b"!#$%&'*+-.^_`|~9aZ: x"), 1);
}

#[test]
fn http_57_white_space_around_a_value_is_stripped() {
    for field in [&b"X:\t a \t"[..], b"X:a", b"X: a", b"X:  a\t"] {
        let seen = seen(&with_field(field));
        let Some(Seen::Request { fields, .. }) = seen.first() else { panic!("{seen:?}") };
        assert_eq!(fields[1].1, b"a", "{}", field.escape_ascii());
    }
    for field in [&b"X:"[..], b"X: ", b"X: \t "] {
        let seen = seen(&with_field(field));
        let Some(Seen::Request { fields, .. }) = seen.first() else { panic!("{seen:?}") };
        assert_eq!(fields[1].1, b"", "{}", field.escape_ascii());
    }
}

#[test]
fn http_58_control_characters_in_values_are_refused() {
    for byte in (0_u8..32).filter(|b| !b"\t\n\r".contains(b)).chain([127]) {
        check_refused(&with_field(&[b'X', b':', b'a', byte, b'b']), RequestError::FieldValue);
    }
}

#[test]
fn http_60_folded_lines_are_refused() {
    for field in [&b"X: a\r\n b"[..], b"X: a\r\n\tb", b"Transfer-Encoding:\r\n chunked"] {
        let seen = seen(&with_field(field));
        assert!(matches!(&*seen, [Seen::Refused(error)] if error.status() == StatusCode::BAD_REQUEST), "{seen:?}");
    }
}

#[test]
fn http_65_large_heads_are_431() {
    let limits = Limits::default().max_head_bytes(100).max_fields(3);
    let long = RequestError::HeadTooLong { limit: 100 };
    let huge = with_field(format!("X: {}", "y".repeat(200)).as_bytes());
    assert_eq!(seen_with(&limits, &huge, false), [Seen::Refused(long)]);
    let many = with_field(b"A: 1\r\nB: 2\r\nC: 3");
    assert_eq!(seen_with(&limits, &many, false), [Seen::Refused(RequestError::TooManyFields { limit: 3 })]);
    assert_eq!(long.status().as_u16(), 431);
    let exact = with_field(format!("X: {}", "y".repeat(100 - 32)).as_bytes());
    assert_eq!(exact.len(), 100);
    assert_eq!(seen_with(&limits, &exact, false).len(), 2);
}

#[test]
fn http_112_and_126_expectations_are_read_exactly() {
    let post = |rest: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{rest}\r\n\r\n").into_bytes();
    for expect in ["foo", "100-continue, x", "100-continue;q=1", "\"100-continue\"", "100 continue", ""] {
        check_refused(&post(&format!("Content-Length: 1\r\nExpect: {expect}")), RequestError::Expectation);
    }
    assert_eq!(RequestError::Expectation.status(), StatusCode::EXPECTATION_FAILED);
    for (rest, expected) in [
        ("Content-Length: 1\r\nExpect: 100-Continue", true),
        ("Transfer-Encoding: chunked\r\nExpect: 100-continue", true),
        ("Content-Length: 0\r\nExpect: 100-continue", false),
        ("Expect: 100-continue", false),
        ("Content-Length: 1", false),
    ] {
        let mut connection = Connection::new(Limits::default());
        connection.receive(&post(rest));
        let Ok(Event::Request(head)) = connection.next_event() else { panic!("{rest}") };
        assert_eq!(head.expects_continue(), expected, "{rest}");
    }
}

#[test]
fn http_122_127_http_1_0_has_no_expectations() {
    let mut connection = Connection::new(Limits::default());
    connection.receive(b"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
    let Ok(Event::Request(head)) = connection.next_event() else { panic!() };
    assert!(!head.expects_continue());
}

#[test]
fn http_67_166_177_persistence_matrix() {
    for (version, values, persistent) in [
        (Version::Http11, &[][..], true),
        (Version::Http11, &["close"][..], false),
        (Version::Http11, &["Close"][..], false),
        (Version::Http11, &["keep-alive"][..], true),
        (Version::Http11, &["keep-alive, close"][..], false),
        (Version::Http11, &["x", "close"][..], false),
        (Version::Http11, &[", ,, close ,,"][..], false),
        (Version::Http11, &["closed"][..], true),
        (Version::Http10, &[][..], false),
        (Version::Http10, &["keep-alive"][..], true),
        (Version::Http10, &["Keep-Alive"][..], true),
        (Version::Http10, &["keep-alive", "close"][..], false),
    ] {
        assert_eq!(is_persistent(version, values.iter().map(|v| v.as_bytes())), persistent, "{version:?} {values:?}");
    }
}

#[test]
fn http_175_fields_named_in_connection_are_known() {
    let mut connection = Connection::new(Limits::default());
    connection
        .receive(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Foo\r\nX-Foo: 1\r\nConnection: close, X-BAR\r\n\r\n");
    let Ok(Event::Request(head)) = connection.next_event() else { panic!() };
    assert!(head.is_connection_option(b"x-foo") && head.is_connection_option(b"x-bar"));
    assert!(!head.is_connection_option(b"host"));
}
