//! Whole answers and wrong ones, cut at every offset and byte by byte.

use super::*;

/// What comes of `pieces`, with `receive` alone.
fn received(reader: &mut Reader, pieces: &[&[u8]]) -> Result<Option<Complete>, Wrong> {
    reader.start();
    let mut last = None;
    for piece in pieces {
        last = reader.receive(piece)?;
    }
    Ok(last)
}

/// What comes of `pieces` where whatever can be skipped is.
fn skipped(reader: &mut Reader, pieces: &[&[u8]]) -> Result<Option<Complete>, Wrong> {
    reader.start();
    let mut last = None;
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let len = usize::try_from(reader.skippable()).unwrap().min(rest.len());
            // As for a socket: what is there of the head and of the framing is looked at in one piece.
            if len > 0 {
                last = reader.skip(len as u64)?;
                rest = &rest[len..];
            } else {
                last = reader.receive(rest)?;
                rest = &[];
            }
        }
    }
    Ok(last)
}

#[track_caller]
fn check(input: &[u8], expected: Result<Option<Complete>, Wrong>) {
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    for receive in [received, skipped] {
        // The same answer again is known by its head.
        let mut known = Reader::default();
        for round in ["first", "second"] {
            assert_eq!(receive(&mut known, &[input]), expected, "whole, {round}");
        }
        for at in 0..=input.len() {
            let (before, after) = input.split_at(at);
            for reader in [&mut Reader::default(), &mut known] {
                let found = receive(reader, &[before, after]);
                assert_eq!(found, expected, "cut at {at}");
            }
        }
        assert_eq!(receive(&mut Reader::default(), &bytes), expected, "byte by byte");
        assert_eq!(receive(&mut known, &bytes), expected, "byte by byte, known");
    }
}

#[track_caller]
fn check_whole(input: &str, body_len: u64, keep: bool) {
    check(input.as_bytes(), Ok(Some(Complete { status: 200, body_len, keep })));
}

#[track_caller]
fn check_wrong(input: &str, wrong: Wrong) {
    let found = received(&mut Reader::default(), &[input.as_bytes()]);
    assert_eq!(found, Err(wrong), "whole");
    let bytes: Vec<&[u8]> = input.as_bytes().chunks(1).collect();
    assert_eq!(received(&mut Reader::default(), &bytes), Err(wrong), "byte by byte");
}

#[test]
fn an_answer_ends_where_its_length_says() {
    check_whole("HTTP/1.1 200 OK\r\nContent-Length: 13\r\nDate: x\r\n\r\nHello, World!", 13, true);
}

#[test]
fn an_answer_may_be_empty() {
    check_whole("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 0, true);
}

#[test]
fn an_answer_in_chunks_ends_after_its_trailers() {
    let body = "5\r\nHello\r\na;x=\"y\"\r\n0123456789\r\n00\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n";
    check_whole(&format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n{body}"), 15, true);
}

#[test]
fn an_answer_may_ask_to_close() {
    check_whole("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: x, Close\r\n\r\n!", 1, false);
}

#[test]
fn an_interim_answer_is_passed_over() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    check_whole(&format!("{early}{early}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 2, true);
}

#[test]
fn the_status_is_told_and_not_judged() {
    let busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
    check(busy, Ok(Some(Complete { status: 503, body_len: 4, keep: true })));
    let none = b"HTTP/1.1 204 No Content\r\n\r\n";
    check(none, Ok(Some(Complete { status: 204, body_len: 0, keep: true })));
}

#[test]
fn an_answer_that_is_not_whole_is_none() {
    for input in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r",
        "HTTP/1.1 200 OK\r\n\r\nthe end will come with the end of the connection",
    ] {
        check(input.as_bytes(), Ok(None));
    }
}

#[test]
fn the_end_of_the_connection_ends_an_answer_that_says_no_length_and_no_other() {
    let mut reader = Reader::default();
    assert_eq!(received(&mut reader, &[b"HTTP/1.1 200 OK\r\n\r\nab", b"c"]), Ok(None));
    assert_eq!(reader.end(), Some(Complete { status: 200, body_len: 3, keep: false }));
    assert_eq!(received(&mut reader, &[b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc"]), Ok(None));
    assert_eq!(reader.end(), None);
    assert_eq!(received(&mut reader, &[b"HTTP/1.1 200 OK\r\nContent-"]), Ok(None));
    assert_eq!(reader.end(), None);
}

#[test]
fn a_changed_head_is_read_anew() {
    let mut reader = Reader::default();
    for (head, body_len) in [("Content-Length: 3", 3), ("Content-Length: 2", 2), ("Content-Length: 3", 3)] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{}", "x".repeat(body_len));
        let complete = received(&mut reader, &[answer.as_bytes()]).unwrap().unwrap();
        assert_eq!(complete.body_len, body_len as u64);
    }
    assert_eq!(received(&mut reader, &[b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"]).unwrap().unwrap().status, 500);
}

#[test]
fn bytes_after_the_end_are_wrong() {
    check_wrong("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", Wrong::Leftover);
    check_wrong("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n", Wrong::Leftover);
    check_wrong("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n0", Wrong::Leftover);
    check_wrong("HTTP/1.1 204 No Content\r\n\r\nx", Wrong::Leftover);
    let mut reader = Reader::default();
    received(&mut reader, &[b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"]).unwrap();
    assert_eq!(reader.skip(2), Err(Wrong::Leftover));
}

#[test]
fn what_is_no_answer_is_wrong() {
    for head in ["HTTP/1.0 200 OK", "HTTP/1.1 20 OK", "SSH-2.0-x", "HTTP/1.1 200 OK\r\nno colon", "HTTP/1.1 101 Up"] {
        check_wrong(&format!("{head}\r\n\r\n"), Wrong::Head);
    }
    check_wrong(&"x".repeat(MAX_HEAD_BYTES), Wrong::HeadTooLong);
}

#[test]
fn a_length_that_is_not_clear_is_wrong() {
    for fields in [
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
        "Content-Length: +1",
        "Content-Length: ",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ] {
        check_wrong(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n"), Wrong::Length);
    }
}

#[test]
fn chunks_that_are_none_are_wrong() {
    for body in
        ["\r\n", "g\r\n", "1\n", "1\r\nab", "1\r\na\rb", "11111111111111111\r\n", "1;x\n", "0\r\n\n", "0\r\nX\n"]
    {
        check_wrong(&format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"), Wrong::Chunk);
    }
}
