//! A whole HTTP/1.1 connection, answered as it goes: the same requests and bodies however it is cut, and whether pieces are
//! copied or shared.
#![no_main]

use bytes::Bytes;
use gateway_server::h1::{AfterResponse, Connection, Event, Limits, NextCycle, Stamp};
use gateway_spec::{Framing, Headers, ResponseHead, StatusCode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((step, bytes)) = input.split_first() else { return };
    let whole = run(bytes, bytes.len().max(1), Connection::receive);
    assert_eq!(whole, run(bytes, usize::from(*step) + 1, Connection::receive));
    let share = |connection: &mut Connection, piece: &[u8]| connection.receive_shared(Bytes::copy_from_slice(piece));
    assert_eq!(whole, run(bytes, usize::from(*step) + 1, share));
});

/// What an application would have seen, in words, and its bodies.
fn run(bytes: &[u8], step: usize, receive: impl Fn(&mut Connection, &[u8])) -> (Vec<String>, Vec<u8>) {
    let mut connection = Connection::new(Limits::default());
    let (mut seen, mut bodies) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(step) {
        receive(&mut connection, piece);
        loop {
            match connection.next_event() {
                Ok(Event::NeedMore) => break,
                Ok(Event::Request(head)) => {
                    let target = head.target().escape_ascii();
                    seen.push(format!("{} {target} {:?}", head.method(), head.body()));
                }
                Ok(Event::Data(data)) => bodies.extend_from_slice(&data),
                Ok(Event::EndOfRequest) => {
                    let mut out = Vec::new();
                    seen.push("end".to_owned());
                    answer(&mut connection, &mut out);
                    if connection.start_next_cycle() != NextCycle::Ready {
                        return (seen, bodies);
                    }
                }
                Ok(Event::Closed) => return (seen, bodies),
                Err(error) => {
                    seen.push(error.to_string());
                    return (seen, bodies);
                }
            }
        }
    }
    (seen, bodies)
}

fn answer(connection: &mut Connection, out: &mut Vec<u8>) {
    let head = ResponseHead { status: StatusCode::OK, headers: Headers::new(), framing: Framing::Unknown };
    let stamp = Stamp { date: b"Sun, 06 Nov 1994 08:49:37 GMT", server: None };
    connection.send_head(&head, AfterResponse::KeepOpen, stamp, out).expect("a first head");
    let after = connection.send_data(1, out).expect("an open body");
    out.push(b'x');
    out.extend_from_slice(after);
    connection.send_end(out).expect("an open body");
    assert!(!out.windows(3).any(|three| three == b"\r\n\n"));
}
