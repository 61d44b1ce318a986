//! Our machine, seen as a reader of a whole stream.

use super::{End, Reading, Request};
use gateway_server::h1::{AfterResponse, Connection, Event, Limits, NextCycle, Stamp};
use gateway_spec::{Framing, Headers, ResponseHead, StatusCode};

/// Reads a whole stream, given in pieces.
pub fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Reading {
    // The models know no limit of a body.
    let mut connection = Connection::new(Limits::default().max_body_bytes(None));
    let (mut requests, mut body) = (Vec::new(), Vec::new());
    for piece in pieces {
        connection.receive(piece);
        if let Some(end) = take_events(&mut connection, &mut requests, &mut body) {
            return Reading { requests, end };
        }
    }
    connection.receive_end();
    let end = take_events(&mut connection, &mut requests, &mut body).expect("an end of input ends it");
    Reading { requests, end }
}

fn take_events(connection: &mut Connection, requests: &mut Vec<Request>, body: &mut Vec<u8>) -> Option<End> {
    loop {
        match connection.next_event() {
            Ok(Event::NeedMore) => return None,
            Ok(Event::Closed) => return Some(End::Clean),
            Err(_) => return Some(End::Refused),
            Ok(Event::Request(head)) => requests.push(Request {
                method: head.method().as_bytes().to_vec(),
                target: head.target().to_vec(),
                fields: head.fields().map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
                body: None,
            }),
            Ok(Event::Data(data)) => body.extend_from_slice(&data),
            Ok(Event::EndOfRequest) => {
                requests.last_mut().expect("a request that ends has begun").body = Some(std::mem::take(body));
                if !answer(connection) {
                    return Some(End::Asked);
                }
            }
        }
    }
}

fn answer(connection: &mut Connection) -> bool {
    let head = ResponseHead { status: StatusCode::NO_CONTENT, headers: Headers::new(), framing: Framing::None };
    let stamp = Stamp { date: b"Sun, 06 Nov 1994 08:49:37 GMT", server: None };
    let mut out = Vec::new();
    connection.send_head(&head, AfterResponse::KeepOpen, stamp, &mut out).expect("a first head");
    connection.send_end(&mut out).expect("an open response");
    connection.start_next_cycle() == NextCycle::Ready
}
