//! HTTP/1.1: heads, whole exchanges on a kept connection, the chunked coding both ways.
//!
//! A head is read by a fresh machine, so its buffer is part of the figure; `kept-…` shows a connection in its stride.

use std::hint::black_box;

use bytes::{BufMut, BytesMut};
use gateway_server::h1::{AfterResponse, ChunkedDecoder, Connection, Decoded, Event, Limits, NextCycle, Stamp};
use gateway_spec::{Framing, ResponseHead, StatusCode, headers};

use super::samples::{BROWSER_GET, DATE, FORM_POST, SHORT_GET};
use super::{Case, checked};

/// The subject's cases.
pub const CASES: &[Case] = &[
    Case::new("h1/head-short-get", || head(SHORT_GET, 3)),
    Case::new("h1/head-browser-get", || head(BROWSER_GET, 12)),
    Case::new("h1/head-form-post", || head(FORM_POST, 6)),
    Case::new("h1/kept-short-get", || kept(SHORT_GET, 0)),
    Case::new("h1/kept-browser-get", || kept(BROWSER_GET, 0)),
    Case::new("h1/kept-form-post", || kept(FORM_POST, 43)),
    Case::moving("h1/chunked-decode-16x4096", 16 * 4096, || decode(16, 4096)),
    Case::moving("h1/chunked-decode-64x64", 64 * 64, || decode(64, 64)),
    Case::moving("h1/chunked-encode-16x4096", 16 * 4096, || encode(16, 4096)),
];

fn head(request: &'static [u8], fields: usize) -> Box<dyn FnMut()> {
    let body = move || {
        let mut connection = Connection::new(Limits::default());
        connection.receive(black_box(request));
        match connection.next_event() {
            Ok(Event::Request(head)) => (head.method().len(), head.target().len(), head.fields().count()),
            other => panic!("no request but {other:?}"),
        }
    };
    let mut words = request.split(|byte| *byte == b' ').map(<[u8]>::len);
    let (method, target) = (words.next(), words.next());
    checked(body, move |seen| assert_eq!(seen, (method.unwrap(), target.unwrap(), fields)))
}

/// A request and its answer, again and again on one connection.
fn kept(request: &'static [u8], body_bytes: usize) -> Box<dyn FnMut()> {
    let mut connection = Connection::new(Limits::default());
    let mut out = Vec::new();
    let answer = ResponseHead {
        status: StatusCode::OK,
        headers: headers!["content-type" => "text/plain"],
        framing: Framing::Exact(13),
    };
    let body = move || {
        connection.receive(black_box(request));
        let mut received = 0;
        loop {
            match connection.next_event() {
                Ok(Event::Request(head)) => drop(black_box(head.fields().count())),
                Ok(Event::Data(data)) => received += data.len(),
                Ok(Event::EndOfRequest) => break,
                other => panic!("no request but {other:?}"),
            }
        }
        out.clear();
        connection.send_head(&answer, AfterResponse::KeepOpen, stamp(), &mut out).unwrap();
        connection.send_data(13, &mut out).unwrap();
        out.extend_from_slice(b"Hello, World!");
        connection.send_end(&mut out).unwrap();
        (received, out.len(), connection.start_next_cycle() == NextCycle::Ready)
    };
    checked(body, move |(received, sent, ready)| {
        assert_eq!(received, body_bytes);
        assert!(sent > 100 && ready, "{sent} bytes were answered");
    })
}

/// A chunked body that lies in the buffer whole.
fn decode(chunks: usize, chunk_bytes: usize) -> Box<dyn FnMut()> {
    let mut wire = Vec::new();
    for _ in 0..chunks {
        wire.extend_from_slice(format!("{chunk_bytes:x}\r\n").as_bytes());
        wire.put_bytes(b'x', chunk_bytes);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    let limits = Limits::default();
    let body = move || {
        let mut input = BytesMut::from(wire.as_slice());
        let mut decoder = ChunkedDecoder::new(&limits);
        let mut seen = 0;
        loop {
            match decoder.decode(&mut input) {
                Ok(Decoded::Data(data)) => seen += black_box(data).len(),
                Ok(Decoded::End) => return (seen, input.len()),
                other => panic!("the body is cut: {other:?}"),
            }
        }
    };
    checked(body, move |seen| assert_eq!(seen, (chunks * chunk_bytes, 0)))
}

/// A streamed answer on a kept connection; its data is copied behind the framing as a small chunk is.
fn encode(chunks: usize, chunk_bytes: usize) -> Box<dyn FnMut()> {
    let mut connection = Connection::new(Limits::default());
    let mut out = Vec::new();
    let data = vec![b'x'; chunk_bytes];
    let answer = ResponseHead {
        status: StatusCode::OK,
        headers: headers!["content-type" => "text/plain"],
        framing: Framing::Unknown,
    };
    let body = move || {
        connection.receive(SHORT_GET);
        assert!(matches!(connection.next_event(), Ok(Event::Request(_))));
        assert!(matches!(connection.next_event(), Ok(Event::EndOfRequest)));
        out.clear();
        connection.send_head(&answer, AfterResponse::KeepOpen, stamp(), &mut out).unwrap();
        let head = out.len();
        for _ in 0..chunks {
            let behind = connection.send_data(data.len(), &mut out).unwrap();
            out.extend_from_slice(black_box(&data));
            out.extend_from_slice(behind);
        }
        connection.send_end(&mut out).unwrap();
        assert_eq!(connection.start_next_cycle(), NextCycle::Ready);
        out.len() - head
    };
    let framed = chunks * (format!("{chunk_bytes:x}\r\n").len() + chunk_bytes + 2) + 5;
    checked(body, move |sent| assert_eq!(sent, framed))
}

fn stamp() -> Stamp<'static> {
    Stamp { date: DATE, server: Some(b"gateway") }
}
