//! Malformed HTTP requests to our listener: each gets the answer its requirement names, the connection ends, and the
//! server answers the next client (RFC 9112, RFC 9110).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use gateway_tests::client::{Connection, Request, send};
use gateway_tests::process::Running;
use gateway_tests::servers::ours;

/// What is sent, and the statuses that may answer it. After each the connection must be closed (HTTP-114).
#[rustfmt::skip]
const REFUSED: &[(&str, &[u8], &[u16])] = &[
    ("http_3_bare_cr_in_value", b"GET /hello HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", &[400]),
    ("http_3_bare_cr_in_target", b"GET /a\rb HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("http_6_blank_before_first_field", b"GET /hello HTTP/1.1\r\n Host: h\r\n\r\n", &[400]),
    ("http_7_tls_client_hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", &[400]),
    ("http_9_lower_case_version", b"GET /hello http/1.1\r\nHost: h\r\n\r\n", &[400, 505]),
    ("http_9_version_with_two_digits", b"GET /hello HTTP/1.10\r\nHost: h\r\n\r\n", &[400, 505]),
    ("http_12_major_version_2", b"GET /hello HTTP/2.0\r\nHost: h\r\n\r\n", &[400, 505]),
    ("http_20_two_spaces", b"GET  /hello HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("http_20_tab_for_space", b"GET\t/hello HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("http_20_no_version", b"GET /hello\r\nHost: h\r\n\r\n", &[400, 505]),
    ("http_31_asterisk_with_get", b"GET * HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("http_31_authority_with_get", b"GET h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", &[400]),
    ("http_33_connect", b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", &[400, 405, 501]),
    ("http_37_fragment", b"GET /hello#x HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("http_38_nul_in_target", b"GET /he\0llo HTTP/1.1\r\nHost: h\r\n\r\n", &[400]),
    ("http_45_no_host", b"GET /hello HTTP/1.1\r\n\r\n", &[400]),
    ("http_46_two_hosts", b"GET /hello HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", &[400]),
    ("http_46_host_with_blank", b"GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", &[400]),
    ("http_46_host_with_userinfo", b"GET /hello HTTP/1.1\r\nHost: u@h\r\n\r\n", &[400]),
    ("http_55_blank_before_colon", b"GET /hello HTTP/1.1\r\nHost: h\r\nX : a\r\n\r\n", &[400]),
    ("http_56_empty_name", b"GET /hello HTTP/1.1\r\nHost: h\r\n: a\r\n\r\n", &[400]),
    ("http_56_name_is_no_token", b"GET /hello HTTP/1.1\r\nHost: h\r\na(b: c\r\n\r\n", &[400]),
    ("http_58_nul_in_value", b"GET /hello HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", &[400]),
    ("http_60_folded_field", b"GET /hello HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", &[400]),
    ("http_69_no_colon", b"GET /hello HTTP/1.1\r\nHost: h\r\nFoo\r\n\r\n", &[400]),
    ("http_77_length_and_coding", b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[400]),
    ("http_79_last_coding_not_chunked", b"POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", &[400, 501]),
    ("http_80_unknown_coding", b"POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", &[501]),
    ("http_81_coding_in_http_1_0", b"POST /upload HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[400]),
    ("http_82_chunked_twice", b"POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", &[400]),
    ("http_83_chunked_with_parameter", b"POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", &[400, 501]),
    ("http_84_lengths_differ", b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", &[400]),
    ("http_84_length_with_plus", b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nabcde", &[400]),
    ("http_84_length_negative", b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", &[400]),
    ("http_84_length_hexadecimal", b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\nabcde", &[400]),
    ("http_84_length_empty", b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n", &[400]),
    ("http_85_length_overflows", b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551616\r\n\r\n", &[400, 413]),
    ("http_107_obfuscated_coding", b"POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", &[400, 501]),
    ("http_126_unknown_expectation", b"POST /upload HTTP/1.1\r\nHost: h\r\nExpect: wonders\r\nContent-Length: 1\r\n\r\n", &[417]),
];

/// Chunked bodies that break RFC 9112 §7.1. The application may have begun: a 400, or an answer that is broken off.
#[rustfmt::skip]
const BROKEN_CHUNKS: &[(&str, &[u8])] = &[
    ("http_85_chunk_size_overflows", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("http_90_no_crlf_behind_data", b"5\r\nhelloX\n0\r\n\r\n"),
    ("http_91_chunk_size_with_sign", b"+5\r\nhello\r\n0\r\n\r\n"),
    ("http_91_chunk_size_with_0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
    ("http_91_chunk_size_with_blank_before", b" 5\r\nhello\r\n0\r\n\r\n"),
    ("http_91_chunk_size_empty", b"\r\nhello\r\n0\r\n\r\n"),
    ("http_91_lf_only", b"5\nhello\n0\n\n"),
    ("http_94_lf_in_extension", b"5;\nx\r\nhello\r\n0\r\n\r\n"),
];

#[test]
fn malformed_heads_get_their_status_and_an_end() {
    let mut server = ours::testbed_http();
    let mut wrong = Vec::new();
    for (name, bytes, statuses) in REFUSED {
        let mut connection = Connection::open(server.address).unwrap();
        connection.send_raw(bytes).unwrap();
        // A second request behind the bad one must never be answered.
        let _ = connection.send_raw(b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
        match connection.receive("GET") {
            Ok(response) if statuses.contains(&response.status) && connection.is_at_end() => {}
            Ok(response) => wrong.push(format!("{name}: {} instead of {statuses:?}, or not closed", response.status)),
            Err(broken) => wrong.push(format!("{name}: {broken}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    check_alive(&mut server);
}

#[test]
fn malformed_chunks_never_look_like_a_whole_body() {
    let mut server = ours::testbed_http();
    let mut wrong = Vec::new();
    for (name, chunks) in BROKEN_CHUNKS {
        let mut connection = Connection::open(server.address).unwrap();
        connection.send_raw(b"POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        let _ = connection.send_raw(chunks);
        let _ = connection.send_raw(b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
        match connection.receive("POST") {
            // The application learns of it as an error of its input; its own answer to that is a 500.
            Ok(response) if matches!(response.status, 400 | 500) && connection.is_at_end() => {}
            Ok(response) if !response.content.complete => {}
            Ok(response) => wrong.push(format!("{name}: {} {:?}, or not closed", response.status, response.text())),
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    check_alive(&mut server);
}

#[test]
fn http_22_long_targets_get_414() {
    let mut server = ours::testbed_http();
    let request = Request::get(&format!("/{}", "a".repeat(20_000)));
    assert_eq!(send(server.address, &request).map(|r| r.status).map_err(|e| e.to_string()), Ok(414));
    check_alive(&mut server);
}

#[test]
fn http_23_targets_of_8000_bytes_are_served() {
    let server = ours::testbed_http();
    let request = Request::get(&format!("/hello?{}", "a".repeat(7980)));
    assert_eq!(send(server.address, &request).map(|r| r.status).map_err(|e| e.to_string()), Ok(200));
}

#[test]
fn http_65_large_heads_get_431() {
    let mut server = ours::testbed_http();
    let one_large = Request::get("/hello").field("X-Large", &"a".repeat(200_000));
    let many = (0..2000).fold(Request::get("/hello"), |r, i| r.field(&format!("X-{i}"), "a"));
    for request in [one_large, many] {
        assert_eq!(send(server.address, &request).map(|r| r.status).map_err(|e| e.to_string()), Ok(431));
    }
    check_alive(&mut server);
}

#[test]
fn http_86_an_upload_cut_short_is_no_whole_upload() {
    let mut server = ours::testbed_http();
    let mut connection = Connection::open(server.address).unwrap();
    connection.send_raw(b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nonly this").unwrap();
    connection.finish_sending().unwrap();
    if let Ok(response) = connection.receive("POST") {
        assert!(response.status >= 400, "{} {}", response.status, response.text());
    }
    check_alive(&mut server);
}

#[test]
fn http_109_an_unread_body_is_never_the_next_request() {
    let server = ours::testbed_http();
    let mut connection = Connection::open(server.address).unwrap();
    // `/hello` reads no body; its bytes look like a request.
    let inner = "GET /status/418 HTTP/1.1\r\nHost: h\r\n\r\n";
    let outer = format!("POST /hello HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
    connection.send_raw(outer.as_bytes()).unwrap();
    assert_eq!(connection.receive("POST").unwrap().status, 200);
    let _ = connection.send_raw(b"GET /status/404 HTTP/1.1\r\nHost: h\r\n\r\n");
    if let Ok(next) = connection.receive("GET") {
        assert_eq!(next.status, 404);
    }
}

#[test]
fn http_121_continue_is_sent_before_the_body_comes() {
    let server = ours::testbed_http();
    let mut connection = Connection::open(server.address).unwrap();
    connection
        .send_raw(b"POST /upload HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        .unwrap();
    connection.receive_continue().unwrap();
    connection.send_raw(b"hello").unwrap();
    assert_eq!(connection.receive("POST").unwrap().text(), "5");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = ours::testbed_http();
    let mut connection = Connection::open(server.address).unwrap();
    let codes = [200u16, 404, 418, 503, 201];
    let all: String = codes.iter().map(|c| format!("GET /status/{c} HTTP/1.1\r\nHost: h\r\n\r\n")).collect();
    connection.send_raw(all.as_bytes()).unwrap();
    for code in codes {
        assert_eq!(connection.receive("GET").unwrap().status, code);
    }
}

/// The server must be the same process, answering, without a panic in its log.
#[track_caller]
fn check_alive(server: &mut Running) {
    assert_eq!(send(server.address, &Request::get("/hello")).unwrap().text(), "Hello, World!");
    assert!(!server.front().has_ended());
    assert!(!server.logs().contains("panicked"), "{}", server.logs());
}
