//! FastCGI: records and pairs both ways, and the two connection machines on whole requests of a kept connection.
//!
//! The bytes that one machine reads were written by the other.

use std::hint::black_box;
use std::io::IoSlice;

use bytes::{Buf, Bytes};
use gateway_fastcgi::connection::{ClientConnection, ClientEvent, Limits, Outgoing, WorkerConnection, WorkerEvent};
use gateway_fastcgi::protocol::{BeginRequest, Capabilities, Pair, PairLimits, Params, RecordHeader, RecordType, Role};

use super::samples::{PARAMS, PROGRAM_HEAD};
use super::{Case, checked};

const BODY: usize = 64 << 10;
const BEGIN: BeginRequest = BeginRequest { role: Role::RESPONDER, keep_connection: true };
const PAIR_LIMITS: PairLimits = PairLimits { max_name_bytes: 1024, max_value_bytes: 65_536, max_pairs: 1000 };

/// The subject's cases.
pub const CASES: &[Case] = &[
    Case::new("fastcgi/record-decode", record_decode),
    Case::new("fastcgi/record-encode", record_encode),
    Case::new("fastcgi/pairs-decode", pairs_decode),
    Case::new("fastcgi/pairs-encode", pairs_encode),
    Case::new("fastcgi/pairs-read", pairs_read),
    Case::new("fastcgi/worker-get", || worker(0)),
    Case::moving("fastcgi/worker-upload-64k", BODY, || worker(BODY)),
    Case::new("fastcgi/client-get", || client(13)),
    Case::moving("fastcgi/client-download-64k", BODY, || client(BODY)),
];

fn record_decode() -> Box<dyn FnMut()> {
    let wire = RecordHeader::new(RecordType::STDIN, 1, 4093).aligned().encode();
    let body = move || RecordHeader::decode(black_box(&wire));
    checked(body, |header| {
        let header = header.unwrap().unwrap();
        assert_eq!((header.kind, header.content_length, header.padding_length), (RecordType::STDIN, 4093, 3));
    })
}

fn record_encode() -> Box<dyn FnMut()> {
    let body = || RecordHeader::new(RecordType::STDOUT, 1, black_box(4093)).aligned().encode();
    checked(body, |wire| assert_eq!(wire, [1, 6, 0, 1, 0x0f, 0xfd, 3, 0]))
}

fn pairs_on_the_wire() -> Bytes {
    let mut wire = Vec::new();
    for (name, value) in PARAMS {
        Pair::new(name.as_bytes(), value.as_bytes()).unwrap().encode(&mut wire);
    }
    wire.into()
}

fn pairs_decode() -> Box<dyn FnMut()> {
    let wire = pairs_on_the_wire();
    let body = move || {
        let params = Params::decode(black_box(&wire).clone(), &PAIR_LIMITS).unwrap();
        (params.len(), params.iter().map(|pair| pair.value().len()).sum::<usize>())
    };
    let bytes = PARAMS.iter().map(|(_, value)| value.len()).sum::<usize>();
    checked(body, move |seen| assert_eq!(seen, (PARAMS.len(), bytes)))
}

fn pairs_encode() -> Box<dyn FnMut()> {
    let mut out = Vec::new();
    let body = move || {
        out.clear();
        for (name, value) in black_box(&PARAMS) {
            Pair::new(name.as_bytes(), value.as_bytes()).unwrap().encode(&mut out);
        }
        out.len()
    };
    let bytes = pairs_on_the_wire().len();
    checked(body, move |written| assert_eq!(written, bytes))
}

fn pairs_read() -> Box<dyn FnMut()> {
    let params = Params::decode(pairs_on_the_wire(), &PAIR_LIMITS).unwrap();
    let body = move || black_box(&params).get(black_box(b"REQUEST_METHOD")).map(<[u8]>::len);
    checked(body, |found| assert_eq!(found, Some(3)))
}

/// The worker's end: takes a request with so much body, answers it.
fn worker(body_bytes: usize) -> Box<dyn FnMut()> {
    let mut gateway = ClientConnection::new();
    ask(&mut gateway, body_bytes);
    let wire = take(gateway.output());
    let mut worker = WorkerConnection::new(Limits::default(), Capabilities::one_at_a_time(8));
    let body = move || {
        worker.receive(black_box(&wire));
        let (mut pairs, mut received) = (0, 0);
        let id = loop {
            match worker.next_event() {
                Ok(Some(WorkerEvent::Request(request))) => pairs = request.params.len(),
                Ok(Some(WorkerEvent::Stdin { data, .. })) => received += data.len(),
                Ok(Some(WorkerEvent::StdinEnd(id))) => break id,
                other => panic!("no request but {other:?}"),
            }
        };
        worker.send_stdout_parts(id, PROGRAM_HEAD, Bytes::from_static(b"Hello, World!")).unwrap();
        worker.send_end(id, 0).unwrap();
        (pairs, received, write_out(worker.output()) > PROGRAM_HEAD.len(), worker.is_idle())
    };
    checked(body, move |seen| assert_eq!(seen, (PARAMS.len(), body_bytes, true, true)))
}

/// The gateway's end: asks, and takes an answer with so much content.
fn client(content_bytes: usize) -> Box<dyn FnMut()> {
    let mut gateway = ClientConnection::new();
    ask(&mut gateway, 0);
    let mut worker = WorkerConnection::new(Limits::default(), Capabilities::one_at_a_time(8));
    worker.receive(&take(gateway.output()));
    let Ok(Some(WorkerEvent::Request(request))) = worker.next_event() else { panic!("no request") };
    worker.send_stdout_parts(request.id, PROGRAM_HEAD, vec![b'x'; content_bytes].into()).unwrap();
    worker.send_end(request.id, 0).unwrap();
    let wire = take(worker.output());

    let mut client = ClientConnection::new();
    let body = move || {
        ask(&mut client, 0);
        let sent = write_out(client.output());
        client.receive(black_box(&wire));
        let mut received = 0;
        loop {
            match client.next_event() {
                Ok(Some(ClientEvent::Stdout { data, .. })) => received += data.len(),
                Ok(Some(ClientEvent::End { end, .. })) => return (sent > 1000, received, end.app_status),
                Ok(Some(_)) => {}
                other => panic!("no answer but {other:?}"),
            }
        }
    };
    checked(body, move |seen| assert_eq!(seen, (true, PROGRAM_HEAD.len() + content_bytes, 0)))
}

fn ask(gateway: &mut ClientConnection, body_bytes: usize) {
    let pairs = PARAMS.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let id = gateway.send_request(BEGIN, pairs).unwrap();
    if body_bytes > 0 {
        gateway.send_stdin(id, vec![b'x'; body_bytes].into()).unwrap();
    }
    gateway.end_stdin(id).unwrap();
}

/// All that a machine has to send, in one piece.
fn take(output: &mut Outgoing) -> Bytes {
    output.copy_to_bytes(output.remaining())
}

/// Takes what a machine has to send as a vectored write does, and throws it away.
fn write_out(output: &mut Outgoing) -> usize {
    let mut written = 0;
    while output.has_remaining() {
        let mut slices = [IoSlice::new(&[]); 16];
        let count = output.chunks_vectored(&mut slices);
        let bytes = slices.iter().take(count).map(|slice| slice.len()).sum();
        black_box(&slices);
        output.advance(bytes);
        written += bytes;
    }
    written
}
