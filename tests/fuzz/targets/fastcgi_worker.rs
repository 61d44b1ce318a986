//! The worker's machine: the same bytes give the same answers however they are cut, within the memory limits.
#![no_main]

use bytes::Buf;
use gateway_fastcgi::connection::{Limits, WorkerConnection, WorkerEvent};
use gateway_fastcgi::protocol::Capabilities;
use libfuzzer_sys::fuzz_target;

const MAX_PARAMS: usize = 4096;
/// One record that is collected whole, and what was received beyond it.
const MAX_RETAINED: usize = MAX_PARAMS + 2 * 65_536;

fuzz_target!(|input: &[u8]| {
    let Some((step, bytes)) = input.split_first() else { return };
    assert_eq!(run(bytes, bytes.len().max(1)), run(bytes, usize::from(*step) + 1));
});

/// What a caller saw and sent, and whether the connection failed.
fn run(bytes: &[u8], step: usize) -> (Vec<u8>, Vec<u8>, bool) {
    let limits = Limits::default().max_params_bytes(MAX_PARAMS);
    let mut worker = WorkerConnection::new(limits, Capabilities::one_at_a_time(8));
    let (mut stdin, mut sent, mut failed) = (Vec::new(), Vec::new(), false);
    for piece in bytes.chunks(step) {
        worker.receive(piece);
        loop {
            match worker.next_event() {
                Ok(Some(event)) => react(&mut worker, event, &mut stdin),
                Ok(None) => break,
                Err(_) => {
                    failed = true;
                    break;
                }
            }
        }
        assert!(worker.retained_bytes() <= MAX_RETAINED, "retains {}", worker.retained_bytes());
        let output = worker.output();
        sent.extend_from_slice(&output.copy_to_bytes(output.remaining()));
        if failed {
            break;
        }
    }
    (stdin, sent, failed)
}

fn react(worker: &mut WorkerConnection, event: WorkerEvent, stdin: &mut Vec<u8>) {
    match event {
        WorkerEvent::Stdin { data, .. } => stdin.extend_from_slice(&data),
        WorkerEvent::StdinEnd(id) => {
            let _ = worker.send_stdout(id, "Status: 200\n\nx".into());
            let _ = worker.send_end(id, 0);
        }
        WorkerEvent::Abort(id) => {
            let _ = worker.send_end(id, 1);
        }
        _ => {}
    }
}
