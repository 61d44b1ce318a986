//! The client's machine against a worker that sends anything: the same meaning however it is cut.
#![no_main]

use gateway_fastcgi::connection::{ClientConnection, ClientEvent};
use gateway_fastcgi::protocol::{BeginRequest, Role};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((step, bytes)) = input.split_first() else { return };
    assert_eq!(run(bytes, bytes.len().max(1)), run(bytes, usize::from(*step) + 1));
});

fn run(bytes: &[u8], step: usize) -> (Vec<u8>, Vec<u8>, Vec<String>, bool) {
    let mut client = ClientConnection::new();
    let begin = BeginRequest { role: Role::RESPONDER, keep_connection: true };
    let id = client.send_request(begin, [(&b"A"[..], &b"B"[..])]).expect("a first request");
    client.end_stdin(id).expect("an open stream");
    let (mut out, mut err, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for piece in bytes.chunks(step) {
        client.receive(piece);
        loop {
            match client.next_event() {
                Ok(Some(ClientEvent::Stdout { data, .. })) => out.extend_from_slice(&data),
                Ok(Some(ClientEvent::Stderr { data, .. })) => err.extend_from_slice(&data),
                Ok(Some(event)) => other.push(format!("{event:?}")),
                Ok(None) => break,
                Err(_) => return (out, err, other, true),
            }
        }
        assert!(client.retained_bytes() <= 2 * 65_536, "retains {}", client.retained_bytes());
    }
    (out, err, other, false)
}
