//! Both machines: what each record does in each state, and that no cut of the input changes it.

mod client;
mod interleaved;
mod properties;
mod worker;

use super::*;
use crate::protocol::{BeginRequest, Capabilities, EndRequest, ProtocolError, RecordHeader, RecordType, Role};
use bytes::{Buf, Bytes};

const OWN: Capabilities = Capabilities { max_connections: 7, max_requests: 7, multiplexes: false };

/// One record; `padding` bytes of 0xff behind it.
fn record(kind: RecordType, id: u16, content: &[u8], padding: u8) -> Vec<u8> {
    let content_length = u16::try_from(content.len()).unwrap();
    let header = RecordHeader { kind, id, content_length, padding_length: padding };
    [&header.encode(), content, &vec![0xff; usize::from(padding)]].concat()
}

fn begin(id: u16, role: Role, keep_connection: bool) -> Vec<u8> {
    record(RecordType::BEGIN_REQUEST, id, &BeginRequest { role, keep_connection }.encode(), 0)
}

fn end(id: u16, end: EndRequest) -> Vec<u8> {
    record(RecordType::END_REQUEST, id, &end.encode(), 0)
}

fn taken(output: &mut Outgoing) -> Vec<u8> {
    // Through the vectored view, as a socket would take it.
    let mut all = Vec::new();
    while output.has_remaining() {
        let mut slices = [std::io::IoSlice::new(&[]); 3];
        let filled = output.chunks_vectored(&mut slices);
        assert!(filled > 0);
        let written: usize = slices[..filled].iter().map(|slice| slice.len()).sum();
        slices[..filled].iter().for_each(|slice| all.extend_from_slice(slice));
        output.advance(written);
    }
    all
}

/// All records in `bytes`, without their padding.
fn records(mut bytes: &[u8]) -> Vec<(RecordHeader, Vec<u8>)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let header = RecordHeader::decode(bytes).unwrap().unwrap();
        let content = bytes[8..][..usize::from(header.content_length)].to_vec();
        bytes = &bytes[8 + content.len() + usize::from(header.padding_length)..];
        all.push((header, content));
    }
    all
}

/// Events with neighbouring pieces of a stream put together, and how it ended.
type Told<E> = (Vec<E>, Option<ProtocolError>);

fn drive_worker(machine: &mut WorkerConnection, bytes: &[u8], cuts: &[usize]) -> Told<WorkerEvent> {
    drive_worker_by(WorkerConnection::receive, machine, bytes, cuts)
}

/// [`drive_worker`] with bytes that are handed on.
fn drive_worker_shared(machine: &mut WorkerConnection, bytes: &[u8], cuts: &[usize]) -> Told<WorkerEvent> {
    let receive = |machine: &mut WorkerConnection, piece: &[u8]| machine.receive_shared(Bytes::copy_from_slice(piece));
    drive_worker_by(receive, machine, bytes, cuts)
}

fn drive_worker_by(
    receive: impl Fn(&mut WorkerConnection, &[u8]),
    machine: &mut WorkerConnection,
    bytes: &[u8],
    cuts: &[usize],
) -> Told<WorkerEvent> {
    let mut events = Vec::new();
    for piece in pieces(bytes, cuts) {
        receive(machine, piece);
        loop {
            match machine.next_event() {
                Ok(Some(event)) => join_worker(&mut events, event),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
    }
    (events, None)
}

fn join_worker(events: &mut Vec<WorkerEvent>, event: WorkerEvent) {
    match (events.last_mut(), event) {
        (Some(WorkerEvent::Stdin { id, data }), WorkerEvent::Stdin { id: next, data: more }) if *id == next => {
            *data = Bytes::from([&data[..], &more[..]].concat());
        }
        (Some(WorkerEvent::Data { id, data }), WorkerEvent::Data { id: next, data: more }) if *id == next => {
            *data = Bytes::from([&data[..], &more[..]].concat());
        }
        (_, event) => events.push(event),
    }
}

fn drive_client(machine: &mut ClientConnection, bytes: &[u8], cuts: &[usize]) -> Told<ClientEvent> {
    let mut events: Vec<ClientEvent> = Vec::new();
    for piece in pieces(bytes, cuts) {
        machine.receive(piece);
        loop {
            match machine.next_event() {
                Ok(Some(event)) => match (events.last_mut(), event) {
                    (Some(ClientEvent::Stdout { id, data }), ClientEvent::Stdout { id: same, data: more })
                    | (Some(ClientEvent::Stderr { id, data }), ClientEvent::Stderr { id: same, data: more })
                        if *id == same =>
                    {
                        *data = Bytes::from([&data[..], &more[..]].concat());
                    }
                    (_, event) => events.push(event),
                },
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
    }
    (events, None)
}

/// `bytes` cut at these offsets, which ascend.
fn pieces<'a>(bytes: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([bytes.len()]);
    starts.zip(ends).map(|(start, end)| &bytes[start..end])
}

/// Every way to cut `length` bytes that tests go through: not, once anywhere, and everywhere.
fn all_cuts(length: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = (0..=length).map(|at| vec![at]).collect();
    all.push(Vec::new());
    all.push((1..length).collect());
    all
}
