use super::*;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn exact(length: u64) -> ResponseHead {
    ResponseHead { status: StatusCode::OK, headers: Headers::new(), framing: Framing::Exact(length) }
}

fn connection(input: &[u8]) -> Connection {
    let mut connection = Connection::new(Limits::default());
    connection.receive(input);
    assert!(matches!(connection.next_event(), Ok(Event::Request(_))));
    connection
}

fn answer(connection: &mut Connection, head: &ResponseHead) -> String {
    let mut out = Vec::new();
    connection.send_head(head, AfterResponse::KeepOpen, STAMP, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn http_13_nothing_happens_before_the_head_is_complete() {
    for at in 0..GET.len() {
        assert_eq!(run(&Limits::default(), [&GET[..at]], false), [], "{at}");
    }
}

#[test]
fn http_114_nothing_follows_an_error() {
    check_refused(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", RequestError::HostMissing);
}

#[test]
fn http_168_pipelined_requests_come_one_after_the_other() {
    check_requests(&GET.repeat(3), 3);
    let mut connection = Connection::new(Limits::default());
    connection.receive(&GET.repeat(2));
    assert!(matches!(connection.next_event(), Ok(Event::Request(_))));
    for _ in 0..3 {
        assert!(
            matches!(connection.next_event(), Ok(Event::EndOfRequest)),
            "the second waits for the first's response"
        );
    }
    assert_eq!(connection.start_next_cycle(), NextCycle::Close, "no response was sent");
}

#[test]
fn http_169_nothing_is_read_after_close() {
    let mut connection =
        connection(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(answer(&mut connection, &exact(0)).contains("\r\nconnection: close\r\n"));
    connection.send_end(&mut Vec::new()).unwrap();
    assert_eq!(connection.start_next_cycle(), NextCycle::Close);
}

#[test]
fn http_171_a_server_that_wants_to_close_says_so() {
    let mut connection = connection(GET);
    let mut out = Vec::new();
    connection.send_head(&exact(0), AfterResponse::Close, STAMP, &mut out).unwrap();
    assert!(out.windows(19).any(|w| w == b"connection: close\r\n"));
    connection.send_end(&mut out).unwrap();
    assert_eq!(connection.start_next_cycle(), NextCycle::Close);
}

#[test]
fn http_167_an_unread_body_must_be_drained() {
    let mut connection = connection(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
    assert!(!answer(&mut connection, &exact(0)).contains("connection"));
    connection.send_end(&mut Vec::new()).unwrap();
    assert_eq!(connection.start_next_cycle(), NextCycle::Drain);
    assert!(matches!(connection.next_event(), Ok(Event::Data(data)) if data == "he"));
    connection.receive(b"llo");
    assert!(matches!(connection.next_event(), Ok(Event::Data(data)) if data == "llo"));
    assert!(matches!(connection.next_event(), Ok(Event::EndOfRequest)));
    assert_eq!(connection.start_next_cycle(), NextCycle::Ready);
}

#[test]
fn http_120_and_124_continue_is_sent_once_and_before_the_head() {
    let mut connection = connection(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let mut out = Vec::new();
    assert!(connection.send_continue(&mut out));
    assert!(!connection.send_continue(&mut out));
    assert_eq!(out, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert!(!answer(&mut connection, &exact(0)).contains("close"));
}

#[test]
fn http_123_no_continue_once_the_body_arrives() {
    let mut connection =
        connection(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nh");
    assert!(!connection.send_continue(&mut Vec::new()));
}

#[test]
fn http_125_a_response_instead_of_continue_closes() {
    let mut connection = connection(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert!(answer(&mut connection, &exact(0)).contains("connection: close"));
    assert!(!connection.send_continue(&mut Vec::new()), "never after the head");
}

#[test]
fn http_148_an_old_client_gets_a_body_until_close() {
    let mut connection = connection(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let head = answer(&mut connection, &ResponseHead { framing: Framing::Unknown, ..exact(0) });
    assert!(!head.contains("transfer-encoding") && head.contains("connection: close"), "{head}");
    let mut out = Vec::new();
    assert_eq!(connection.send_data(5, &mut out), Ok(&b""[..]));
    connection.send_end(&mut out).unwrap();
    assert!(out.is_empty());
    assert_eq!(connection.start_next_cycle(), NextCycle::Close);
}

#[test]
fn http_10_and_166_an_old_client_may_keep_the_connection() {
    let mut connection = connection(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let head = answer(&mut connection, &exact(0));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("connection: keep-alive\r\n"), "{head}");
    connection.send_end(&mut Vec::new()).unwrap();
    assert_eq!(connection.start_next_cycle(), NextCycle::Ready);
}

#[test]
fn http_150_short_and_long_bodies_are_not_passed_off_as_whole() {
    let mut short = connection(GET);
    answer(&mut short, &exact(5));
    short.send_data(3, &mut Vec::new()).unwrap();
    assert_eq!(short.send_end(&mut Vec::new()), Err(SendError::TooShort { missing: 2 }));
    assert_eq!(short.start_next_cycle(), NextCycle::Close);

    let mut long = connection(GET);
    answer(&mut long, &exact(5));
    assert_eq!(long.send_data(6, &mut Vec::new()), Err(SendError::TooLong));
    assert_eq!(long.start_next_cycle(), NextCycle::Close);
}

#[test]
fn http_159_an_aborted_response_has_no_end() {
    let mut connection = connection(GET);
    answer(&mut connection, &ResponseHead { framing: Framing::Unknown, ..exact(0) });
    connection.send_abort();
    assert_eq!(connection.send_end(&mut Vec::new()), Err(SendError::OutOfOrder));
    assert_eq!(connection.start_next_cycle(), NextCycle::Close);
}

#[test]
fn a_response_has_one_head_and_one_end() {
    let mut connection = connection(GET);
    let mut out = Vec::new();
    assert_eq!(connection.send_data(1, &mut out), Err(SendError::OutOfOrder));
    let mut connection = self::connection(GET);
    answer(&mut connection, &exact(0));
    assert_eq!(connection.send_head(&exact(0), AfterResponse::KeepOpen, STAMP, &mut out), Err(SendError::OutOfOrder));
    assert!(out.is_empty());
}

#[test]
fn a_request_that_cannot_be_read_is_answered_and_closed() {
    let mut connection = Connection::new(Limits::default());
    connection.receive(b"BAD\r\n");
    assert!(connection.next_event().is_err());
    assert!(answer(&mut connection, &exact(0)).contains("connection: close"));
}

#[test]
fn http_173_the_end_of_input_does_not_end_the_request() {
    let mut connection = Connection::new(Limits::default());
    connection.receive(GET);
    connection.receive_end();
    assert!(matches!(connection.next_event(), Ok(Event::Request(_))));
    answer(&mut connection, &exact(0));
    connection.send_end(&mut Vec::new()).unwrap();
    assert!(matches!(connection.next_event(), Ok(Event::EndOfRequest)));
    assert_eq!(connection.start_next_cycle(), NextCycle::Ready);
    assert!(matches!(connection.next_event(), Ok(Event::Closed)));
}

#[test]
fn the_end_of_input_within_a_head_is_an_error() {
    let seen = run(&Limits::default(), [&b"GET / HT"[..]], true);
    assert_eq!(seen, [Seen::Refused(RequestError::HeadIncomplete)]);
    assert_eq!(run(&Limits::default(), [], true), [Seen::Closed]);
    assert_eq!(run(&Limits::default(), [&b"\r\n"[..]], true), [Seen::Closed]);
}

#[test]
fn the_machine_knows_when_the_body_is_here() {
    let mut here = connection(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    assert!(here.body_is_buffered());
    assert!(matches!(here.next_event(), Ok(Event::Data(data)) if data == "hi"));
    let coming = connection(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh");
    assert!(!coming.body_is_buffered());
    assert_eq!(coming.body_left(), Some(2));
    assert!(connection(GET).body_is_buffered());
}

#[test]
fn what_is_shared_waits_its_turn_and_is_not_copied() {
    let mut connection = connection(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n");
    let first = Bytes::from_static(b"one");
    connection.receive_shared(first.clone());
    assert_eq!((connection.buffered(), connection.body_arrived()), (3, 3));
    connection.receive_shared(Bytes::from_static(b"two"));
    connection.receive(b"meGET");
    assert!(matches!(connection.next_event(), Ok(Event::Data(data)) if data.as_ptr() == first.as_ptr()));
    assert!(matches!(connection.next_event(), Ok(Event::Data(data)) if data == "twome"));
    assert!(matches!(connection.next_event(), Ok(Event::EndOfRequest)));
    assert_eq!(connection.buffered(), 3);
}
