//! Keys of the access log.

use crate::cli::access::LogTo;
use crate::cli::rules::{Rule, put, set};
use crate::cli::settings::Settings;
use crate::cli::value::{self, SWITCH};

const FORMAT: &str = "common, combined, json, json:NAME,NAME… or NAME,NAME… of the fields in docs/operation.md";

/// Keys of `[access]`.
pub(in crate::cli) const ACCESS: &[Rule<Settings>] = &[
    Rule::new(
        "file",
        "a path, or - for standard output",
        "the access log, a line for each request; opened again at SIGHUP. None by default; with one, requests are no lines on standard error",
        |s, _, v| put(&mut s.access.log, LogTo::read(v)),
    ),
    Rule::new("format", FORMAT, "the form of its lines; combined by default", |s, _, v| {
        set(&mut s.access.format, v.parse().ok())
    }),
    Rule::new(
        "request_ids",
        SWITCH,
        "whether each request has an id: in UNIQUE_ID, in HTTP_X_REQUEST_ID and in every line of a log about it; true by default",
        |s, _, v| set(&mut s.access.request_ids, value::switch(v)),
    ),
];
