//! Our HTTP/1.1 machine against two other readers: a strict model of it, and httparse with the framing of RFC 9112 §6.3.
#![no_main]

#[path = "../models/mod.rs"]
mod models;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((step, stream)) = input.split_first() else { return };
    models::compare(stream, stream.chunks(usize::from(*step) + 1));
});
