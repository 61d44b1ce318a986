//! The PROXY header: no panic; read as a server reads it, by what it says it needs, it ends where decoding it whole says it ends.
#![no_main]

use gateway_server::proxy_protocol::{Decoded, MAX_HEADER_BYTES, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = decode(input);
    let mut have = 0;
    let header = loop {
        match decode(&input[..have]) {
            Ok(Decoded::NeedMore(missing)) => {
                assert!(missing > 0 && have + missing <= MAX_HEADER_BYTES);
                have += missing;
                if have > input.len() {
                    return;
                }
            }
            Ok(Decoded::Header(header)) => break header,
            Err(_) => return,
        }
    };
    // No beginning of it is a header, or an error.
    for cut in 0..have {
        assert!(matches!(decode(&input[..cut]), Ok(Decoded::NeedMore(_))));
    }
    assert_eq!(decode(&input[..have]), Ok(Decoded::Header(header)));
});
