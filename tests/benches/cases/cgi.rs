//! CGI: the header block of a program both ways, and the variables that a program gets.

use std::hint::black_box;

use gateway_cgi::head::{Decoded, Decoder, encode};
use gateway_cgi::variables::MetaVariables;
use gateway_spec::{Headers, StatusCode, headers};

use super::environ::browser_environ;
use super::samples::PROGRAM_HEAD;
use super::{Case, checked};

/// The subject's cases.
pub const CASES: &[Case] = &[
    Case::new("cgi/head-decode", || decode(PROGRAM_HEAD.len())),
    Case::new("cgi/head-decode-in-pieces", || decode(64)),
    Case::new("cgi/head-encode", encode_head),
    Case::new("cgi/variables", variables),
];

/// The block in pieces of `step` bytes.
fn decode(step: usize) -> Box<dyn FnMut()> {
    let body = move || {
        let mut decoder = Decoder::new();
        for piece in black_box(PROGRAM_HEAD).chunks(step) {
            if let Decoded::Head { head, consumed } = decoder.receive(piece).unwrap() {
                return (head.status, head.headers.len(), consumed == piece.len());
            }
        }
        panic!("the block does not end");
    };
    checked(body, |seen| assert_eq!(seen, (StatusCode::OK, 7, true)))
}

fn encode_head() -> Box<dyn FnMut()> {
    let fields: Headers = headers![
        "content-type" => "text/html; charset=utf-8",
        "content-length" => "5120",
        "cache-control" => "no-store",
        "set-cookie" => "session=9b1f6a2e4c7d4e0f8a53b7c2d1e09f46; path=/; HttpOnly",
        "etag" => "\"5f3-61a2b3c4d5e6f\"",
    ];
    // A field has `: ` and CRLF besides.
    let of_fields = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>();
    let expected = "Status: 200 OK\r\n\r\n".len() + of_fields;
    let mut out = Vec::new();
    let body = move || {
        out.clear();
        encode(StatusCode::OK, black_box(&fields), &mut out);
        (out.len(), out.ends_with(b"\"\r\n\r\n"))
    };
    checked(body, move |seen| assert_eq!(seen, (expected, true)))
}

fn variables() -> Box<dyn FnMut()> {
    let configured = MetaVariables::new().document_root("/srv/www").script_filename("/srv/cgi/hello");
    let environ = browser_environ();
    let body = move || {
        let (mut count, mut bytes) = (0, 0);
        configured.for_each(black_box(&environ), Some(43), |name, value| {
            count += 1;
            bytes += name.len() + value.len();
        });
        (count, bytes)
    };
    checked(body, |(count, bytes)| assert!(count > 20 && bytes > 700, "{count} variables, {bytes} bytes"))
}
