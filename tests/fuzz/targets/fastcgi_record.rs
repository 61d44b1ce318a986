//! A record header, and the bodies of fixed size: what decodes encodes to the same meaning, and nothing panics.
#![no_main]

use gateway_fastcgi::protocol::{BeginRequest, EndRequest, RecordHeader, UnknownType};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(Some(header)) = RecordHeader::decode(input) {
        assert_eq!(RecordHeader::decode(&header.encode()), Ok(Some(header)));
    }
    if let Ok(begin) = BeginRequest::decode(input) {
        assert_eq!(BeginRequest::decode(&begin.encode()), Ok(begin));
    }
    if let Ok(end) = EndRequest::decode(input) {
        assert_eq!(EndRequest::decode(&end.encode()), Ok(end));
    }
    if let Ok(unknown) = UnknownType::decode(input) {
        assert_eq!(UnknownType::decode(&unknown.encode()), Ok(unknown));
    }
});
