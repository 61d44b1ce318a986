//! The worker's machine: the same bytes give the same answers however they are cut, within the memory limits; with one request
//! at a time, and with several.
#![no_main]

use bytes::{Buf, Bytes};
use gateway_fastcgi::connection::{Limits, WorkerConnection, WorkerEvent};
use gateway_fastcgi::protocol::{Capabilities, Role};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

const MAX_PARAMS: usize = 4096;
const MAX_REQUESTS: usize = 4;
/// The parameters of all requests, one record that is collected whole, and what was received beyond it.
const MAX_RETAINED: usize = MAX_REQUESTS * MAX_PARAMS + 2 * 65_536;

const ROLES: &[Role] = &[Role::RESPONDER, Role::AUTHORIZER, Role::FILTER];

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let (multiplexes, step) = (first & 0x80 != 0, usize::from(first & 0x7f) + 1);
    let whole = run(multiplexes, bytes, bytes.len().max(1), WorkerConnection::receive);
    assert_eq!(whole, run(multiplexes, bytes, step, WorkerConnection::receive));
    let share = |worker: &mut WorkerConnection, piece: &[u8]| worker.receive_shared(Bytes::copy_from_slice(piece));
    assert_eq!(whole, run(multiplexes, bytes, step, share));
});

/// The inputs by id, what was sent, and whether the connection failed.
fn run(
    multiplexes: bool,
    bytes: &[u8],
    step: usize,
    receive: impl Fn(&mut WorkerConnection, &[u8]),
) -> (BTreeMap<u16, Vec<u8>>, Vec<u8>, bool) {
    let limits = Limits::default().max_params_bytes(MAX_PARAMS).max_requests(MAX_REQUESTS);
    let own = Capabilities { max_connections: 8, max_requests: 32, multiplexes };
    let mut worker = WorkerConnection::new(limits, own).with_roles(ROLES);
    let (mut inputs, mut sent, mut failed) = (BTreeMap::new(), Vec::new(), false);
    for piece in bytes.chunks(step) {
        receive(&mut worker, piece);
        loop {
            match worker.next_event() {
                Ok(Some(event)) => react(&mut worker, event, &mut inputs),
                Ok(None) => break,
                Err(_) => {
                    failed = true;
                    break;
                }
            }
            assert!(worker.open_requests() <= if multiplexes { MAX_REQUESTS } else { 1 });
        }
        assert!(worker.retained_bytes() <= MAX_RETAINED, "retains {}", worker.retained_bytes());
        let output = worker.output();
        sent.extend_from_slice(&output.copy_to_bytes(output.remaining()));
        if failed {
            break;
        }
    }
    (inputs, sent, failed)
}

fn react(worker: &mut WorkerConnection, event: WorkerEvent, inputs: &mut BTreeMap<u16, Vec<u8>>) {
    match event {
        WorkerEvent::Request(request) if request.role == Role::AUTHORIZER => {
            let _ = worker.send_stderr(request.id, "who?".into());
            let _ = worker.send_end(request.id, 0);
        }
        WorkerEvent::Stdin { id, data } | WorkerEvent::Data { id, data } => {
            inputs.entry(id.get()).or_default().extend_from_slice(&data);
        }
        WorkerEvent::StdinEnd(id) if worker.is_input_complete(id) => answer(worker, id),
        WorkerEvent::DataEnd(id) => answer(worker, id),
        WorkerEvent::Abort(id) => {
            let _ = worker.send_end(id, 1);
        }
        _ => {}
    }
}

fn answer(worker: &mut WorkerConnection, id: gateway_fastcgi::protocol::RequestId) {
    let _ = worker.send_stdout(id, "Status: 200\n\nx".into());
    let _ = worker.send_end(id, 0);
}
