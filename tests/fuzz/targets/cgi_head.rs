//! The head of a program's answer, in both its forms: the same head or the same refusal however it is cut, and what is
//! accepted can be sent.
#![no_main]

use gateway_cgi::head::{Decoded, Decoder, Form, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((step, bytes)) = input.split_first() else { return };
    for form in [Form::Parsed, Form::NonParsed] {
        let whole = run(form, bytes, bytes.len().max(1));
        assert_eq!(whole, run(form, bytes, usize::from(*step) + 1));
    }
});

/// The head as it would be sent on, and where the body starts; an error in words; or nothing yet.
fn run(form: Form, bytes: &[u8], step: usize) -> Option<Result<(Vec<u8>, usize), String>> {
    let mut decoder = Decoder::new().form(form);
    let mut before = 0;
    for piece in bytes.chunks(step) {
        match decoder.receive(piece) {
            Ok(Decoded::NeedMore) => before += piece.len(),
            Ok(Decoded::Head { head, consumed }) => {
                let mut sent = Vec::new();
                encode(head.status, &head.headers, &mut sent);
                assert!(sent.ends_with(b"\r\n\r\n"));
                return Some(Ok((sent, before + consumed)));
            }
            Err(error) => return Some(Err(error.to_string())),
        }
    }
    None
}
