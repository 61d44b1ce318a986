//! A chunked body: the same bytes, end and refusal however it is cut.
#![no_main]

use bytes::BytesMut;
use gateway_server::h1::{ChunkedDecoder, Decoded, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((step, bytes)) = input.split_first() else { return };
    assert_eq!(run(bytes, bytes.len().max(1)), run(bytes, usize::from(*step) + 1));
});

#[derive(Debug, PartialEq)]
enum Outcome {
    Open,
    Ended { used: usize },
    Refused,
}

fn run(bytes: &[u8], step: usize) -> (Vec<u8>, Outcome) {
    let mut decoder = ChunkedDecoder::new(&Limits::default());
    let (mut input, mut body, mut given) = (BytesMut::new(), Vec::new(), 0);
    for piece in bytes.chunks(step) {
        input.extend_from_slice(piece);
        given += piece.len();
        loop {
            match decoder.decode(&mut input) {
                Ok(Decoded::NeedMore) => break,
                Ok(Decoded::Data(data)) => body.extend_from_slice(&data),
                Ok(Decoded::End) => return (body, Outcome::Ended { used: given - input.len() }),
                Err(_) => return (body, Outcome::Refused),
            }
        }
        assert!(input.is_empty(), "framing is not kept");
    }
    (body, Outcome::Open)
}
