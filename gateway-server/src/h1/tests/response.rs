use super::*;
use gateway_spec::headers;

/// The head that goes out for a GET on HTTP/1.1.
fn encoded(status: u16, headers: Headers, framing: Framing) -> String {
    let mut connection = Connection::new(Limits::default());
    connection.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(matches!(connection.next_event(), Ok(Event::Request(_))));
    let head = ResponseHead { status: StatusCode::from_u16(status).unwrap(), headers, framing };
    let mut out = Vec::new();
    connection.send_head(&head, AfterResponse::KeepOpen, STAMP, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    strictly_read(&text);
    text
}

/// Status and fields of a head, read as RFC 9112 has it and in no other way.
#[track_caller]
fn strictly_read(head: &str) -> (u16, Vec<(&str, &str)>) {
    let lines = head.strip_suffix("\r\n\r\n").unwrap_or_else(|| panic!("no end: {head:?}"));
    let mut lines = lines.split("\r\n");
    let status_line = lines.next().unwrap();
    let (code, reason) = status_line.strip_prefix("HTTP/1.1 ").unwrap().split_at(3);
    assert!(code.bytes().all(|byte| byte.is_ascii_digit()), "{status_line:?}");
    let reason = reason.strip_prefix(' ').unwrap_or_else(|| panic!("no space behind the code: {status_line:?}"));
    assert!(is_text(reason), "{status_line:?}");
    let fields = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no field: {line:?}"));
        assert!(!name.is_empty() && name.bytes().all(is_tchar), "{line:?}");
        assert!(is_text(value) && value == value.trim_matches([' ', '\t']), "{line:?}");
        (name, value)
    });
    (code.parse().unwrap(), fields.collect())
}

fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Neither controls, which bare line ends are, nor anything that is no ASCII: the fields of these tests have none.
fn is_text(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

#[test]
fn http_8_heads_that_we_write_can_be_read() {
    for status in 200..600 {
        for framing in [Framing::None, Framing::Exact(7), Framing::Unknown] {
            let own = [("x-empty", ""), ("x-tab", "a\tb"), ("vary", "a, b"), ("x-name!#$%&'*+-.^_`|~", "y")];
            let mut headers = Headers::new();
            for (name, value) in own {
                headers.append(name, value);
            }
            let head = encoded(status, headers, framing);
            let (code, fields) = strictly_read(&head);
            assert_eq!(code, status);
            assert!(own.iter().all(|field| fields.contains(field)), "{head}");
            assert_eq!(fields.iter().filter(|(name, _)| *name == "date").count(), 1, "{head}");
        }
    }
}

#[test]
fn http_140_the_space_after_the_code_is_always_there() {
    assert!(encoded(299, headers![], Framing::Exact(0)).starts_with("HTTP/1.1 299 \r\n"));
    assert!(encoded(404, headers![], Framing::Exact(0)).starts_with("HTTP/1.1 404 Not Found\r\n"));
}

#[test]
fn http_64_order_and_repeats_are_kept() {
    let head = encoded(200, headers!["set-cookie" => "a=1", "x" => "y", "set-cookie" => "b=2"], Framing::Exact(0));
    assert!(head.contains("set-cookie: a=1\r\nx: y\r\nset-cookie: b=2\r\n"), "{head}");
}

#[test]
fn http_145_no_length_in_204() {
    let head = encoded(204, headers!["content-length" => "5", "transfer-encoding" => "chunked"], Framing::None);
    assert!(!head.contains("content-length") && !head.contains("transfer-encoding"), "{head}");
}

#[test]
fn http_144_304_and_head_tell_the_length_of_get() {
    assert!(encoded(304, headers!["content-length" => "5"], Framing::None).contains("content-length: 5\r\n"));
    assert!(encoded(200, headers!["content-length" => "5"], Framing::None).contains("content-length: 5\r\n"));
    assert!(!encoded(200, headers![], Framing::None).contains("content-length"));
}

#[test]
fn http_146_205_says_that_it_is_empty() {
    assert!(encoded(205, headers![], Framing::None).contains("content-length: 0\r\n"));
}

#[test]
fn http_147_there_is_one_framing() {
    let fields = || headers!["content-length" => "7", "transfer-encoding" => "gzip", "connection" => "x"];
    let chunked = encoded(200, fields(), Framing::Unknown);
    assert!(chunked.contains("transfer-encoding: chunked\r\n") && !chunked.contains("content-length"), "{chunked}");
    let exact = encoded(200, fields(), Framing::Exact(10));
    assert!(exact.contains("content-length: 10\r\n") && !exact.contains("transfer-encoding"), "{exact}");
    assert_eq!(exact.matches("content-length").count(), 1);
    assert!(!exact.contains("connection"));
}

#[test]
fn http_149_every_length_is_written_in_full() {
    for length in [0, 9, 10, 12345, u64::MAX] {
        assert!(encoded(200, headers![], Framing::Exact(length)).contains(&format!("content-length: {length}\r\n")));
    }
}

#[test]
fn http_151_the_date_is_there_once() {
    let head = encoded(200, headers![], Framing::Exact(0));
    assert!(head.contains("date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), "{head}");
    let own = encoded(200, headers!["Date" => "x", "Server" => "y"], Framing::Exact(0));
    assert_eq!((own.matches("date: x").count(), own.matches("date:").count()), (1, 1), "{own}");
}

#[test]
fn http_8_chunks_that_we_write_can_be_read() {
    let mut connection = Connection::new(Limits::default());
    connection.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(matches!(connection.next_event(), Ok(Event::Request(_))));
    let head = ResponseHead { status: StatusCode::OK, headers: headers![], framing: Framing::Unknown };
    connection.send_head(&head, AfterResponse::KeepOpen, STAMP, &mut Vec::new()).unwrap();
    let (mut out, mut body) = (Vec::new(), Vec::new());
    for length in [1, 9, 10, 15, 16, 17, 255, 256, 4096, 70000] {
        let data = vec![b'x'; length];
        let behind = connection.send_data(length, &mut out).unwrap();
        out.extend_from_slice(&data);
        out.extend_from_slice(behind);
        body.extend_from_slice(&data);
    }
    connection.send_end(&mut out).unwrap();
    assert!(out.starts_with(b"1\r\nx\r\n9\r\nxxxxxxxxx\r\na\r\n"));
    let (mut decoder, mut input, mut decoded) =
        (ChunkedDecoder::new(&Limits::default()), bytes::BytesMut::from(&*out), vec![]);
    while let Decoded::Data(data) = decoder.decode(&mut input).unwrap() {
        decoded.extend_from_slice(&data);
    }
    assert!(decoded == body && input.is_empty());
}
