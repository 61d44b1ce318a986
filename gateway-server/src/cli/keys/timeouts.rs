//! Keys of how long anything may take.

use crate::cli::rules::Rule;
use crate::cli::settings::Settings;
use crate::cli::value::{self, DURATION};
use crate::serve;

/// Keys of `[timeouts]`.
pub(in crate::cli) const TIMEOUTS: &[Rule<Settings>] = &[
    Rule::new(
        "handshake",
        DURATION,
        "from the beginning of a connection to where a request may come: PROXY header, TLS handshake, preface of HTTP/2; 10s by default",
        |s, _, v| s.set_server(value::duration(v), serve::Config::handshake_timeout),
    ),
    Rule::new("header", DURATION, "for a whole request head; 30s by default", |s, _, v| {
        s.set_server(value::duration(v), serve::Config::header_timeout)
    }),
    Rule::new("keep_alive", DURATION, "for the next request on a connection; 75s by default", |s, _, v| {
        s.set_server(value::duration(v), serve::Config::keep_alive_timeout)
    }),
    Rule::new("body", DURATION, "for the next piece of a request body; 30s by default", |s, _, v| {
        s.set_server(value::duration(v), serve::Config::body_timeout)
    }),
    Rule::new("write", DURATION, "for a client to take more of its answer; 30s by default", |s, _, v| {
        s.set_server(value::duration(v), serve::Config::write_timeout)
    }),
    Rule::new(
        "rate_grace",
        DURATION,
        "how long a client may be waited for in all before limits.min_…_bytes_per_second are asked of it; 10s by default",
        |s, _, v| s.set_server(value::duration(v), serve::Config::rate_grace),
    ),
    Rule::new(
        "half_close",
        DURATION,
        "for the answer to a client that sends no more, as one does that has gone; 5s by default",
        |s, _, v| s.set_server(value::duration(v), serve::Config::half_close_timeout),
    ),
    Rule::new(
        "linger",
        DURATION,
        "for the last answer to reach a client that still sends; 2s by default",
        |s, _, v| s.set_server(value::duration(v), serve::Config::linger_timeout),
    ),
    Rule::new("stop", DURATION, "for requests in progress when the server is stopped; 30s by default", |s, _, v| {
        s.set_server(value::duration(v), serve::Config::stop_timeout)
    }),
];
