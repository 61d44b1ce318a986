//! The client's machine against a worker that sends anything: the same meaning however it is cut; with one request at a time,
//! and with several on one connection.
#![no_main]

use gateway_fastcgi::connection::{ClientConnection, ClientEvent};
use gateway_fastcgi::protocol::{BeginRequest, Role};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

/// Requests at a time, and how many are sent in all as those before them end.
const AT_ONCE: u16 = 3;
const IN_ALL: usize = 8;

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let (several, step) = (first & 0x80 != 0, usize::from(first & 0x7f) + 1);
    assert_eq!(run(several, bytes, bytes.len().max(1)), run(several, bytes, step));
});

/// Output and error output by id, and everything else in its order.
#[derive(Debug, Default, PartialEq)]
struct Told {
    out: BTreeMap<u16, Vec<u8>>,
    err: BTreeMap<u16, Vec<u8>>,
    other: Vec<String>,
    failed: bool,
}

fn run(several: bool, bytes: &[u8], step: usize) -> Told {
    let mut client = if several { ClientConnection::multiplexing(AT_ONCE) } else { ClientConnection::new() };
    let mut told = Told::default();
    let mut left = IN_ALL;
    ask(&mut client, &mut left);
    for piece in bytes.chunks(step) {
        client.receive(piece);
        loop {
            match client.next_event() {
                Ok(Some(ClientEvent::Stdout { id, data })) => {
                    told.out.entry(id.get()).or_default().extend_from_slice(&data)
                }
                Ok(Some(ClientEvent::Stderr { id, data })) => {
                    told.err.entry(id.get()).or_default().extend_from_slice(&data)
                }
                Ok(Some(event)) => {
                    told.other.push(format!("{event:?}"));
                    if matches!(event, ClientEvent::End { .. }) {
                        ask(&mut client, &mut left);
                    }
                }
                Ok(None) => break,
                Err(_) => {
                    told.failed = true;
                    return told;
                }
            }
        }
        assert!(client.retained_bytes() <= 2 * 65_536, "retains {}", client.retained_bytes());
    }
    told
}

/// Sends as many requests as there may be; one of them is given up.
fn ask(client: &mut ClientConnection, left: &mut usize) {
    let begin = BeginRequest { role: Role::RESPONDER, keep_connection: true };
    while *left > 0 && client.has_room() {
        let Ok(id) = client.send_request(begin, [(&b"A"[..], &b"B"[..])]) else { return };
        *left -= 1;
        client.end_stdin(id).expect("an open stream");
        if *left == 5 {
            client.send_abort(id).expect("an open request");
        }
    }
}
