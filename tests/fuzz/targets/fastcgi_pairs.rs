//! Name-value pairs: decoding, and scanning in pieces, agree; what decodes encodes to the same pairs.
#![no_main]

use bytes::Bytes;
use gateway_fastcgi::protocol::{PairLimits, PairScan, Params};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((cut, list)) = input.split_first() else { return };
    let limits = PairLimits { max_name_bytes: 1024, max_value_bytes: 4096, max_pairs: 100 };
    let whole = Params::decode(Bytes::copy_from_slice(list), &limits);

    let mut scan = PairScan::default();
    let cut = usize::from(*cut) % (list.len() + 1);
    let in_two = scan
        .advance(&list[..cut], &limits)
        .and_then(|()| scan.advance(list, &limits))
        .and_then(|()| scan.finish(Bytes::copy_from_slice(list)));
    assert_eq!(whole.is_ok(), in_two.is_ok(), "{whole:?} {in_two:?}");

    if let Ok(params) = whole {
        let mut encoded = Vec::new();
        params.iter().for_each(|pair| pair.encode(&mut encoded));
        let again = Params::decode(Bytes::from(encoded), &limits).expect("what was encoded decodes");
        assert!(params.iter().map(|p| (p.name(), p.value())).eq(again.iter().map(|p| (p.name(), p.value()))));
    }
});
