//! The head of an HTTP/1.1 request, whole: no panic, and what is accepted has the shape the rest relies on.
#![no_main]

use gateway_server::h1::{BodyFraming, Connection, Event, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut connection = Connection::new(Limits::default());
    connection.receive(input);
    if let Ok(Event::Request(head)) = connection.next_event() {
        assert!(!head.method().is_empty());
        assert!(!head.target().is_empty());
        let lengths = head.fields().filter(|(name, _)| name.eq_ignore_ascii_case(b"content-length")).count();
        let codings = head.fields().filter(|(name, _)| name.eq_ignore_ascii_case(b"transfer-encoding")).count();
        assert!(lengths == 0 || codings == 0, "two framings were accepted");
        if codings > 0 {
            assert_eq!(head.body(), BodyFraming::Chunked);
        }
        for (name, value) in head.fields() {
            assert!(!name.is_empty());
            assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        }
    }
});
