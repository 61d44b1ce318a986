//! Keys of how much there may be of anything.

use crate::cli::rules::{Rule, put};
use crate::cli::settings::Settings;
use crate::cli::value::{self, BYTES, COUNT, COUNT_OR_NONE, SWITCH};
use crate::{h1, serve};

const FIELDS: &str = "a number from 1 to 256";
const _: () = assert!(h1::MAX_FIELDS == 256);

/// In less no request of a browser or a proxy has room, and every answer would be 431.
const LEAST_HEAD_BYTES: usize = 256;
const HEAD_BYTES: &str = "a number of bytes from 256 on, such as 65536 or 64KiB";

/// Keys of `[limits]`.
pub(in crate::cli) const LIMITS: &[Rule<Settings>] = &[
    Rule::new("max_head_bytes", HEAD_BYTES, "longest request head; 64KiB by default", |s, _, v| {
        s.set_limit(value::size(v).filter(|bytes| *bytes >= LEAST_HEAD_BYTES), h1::Limits::max_head_bytes)
    }),
    Rule::new("max_fields", FIELDS, "fields in a request head; 100 by default", |s, _, v| {
        s.set_limit(value::count(v).filter(|fields| *fields <= h1::MAX_FIELDS), h1::Limits::max_fields)
    }),
    Rule::new("max_target_bytes", BYTES, "longest request target; 8KiB by default", |s, _, v| {
        s.set_limit(value::size(v), h1::Limits::max_target_bytes)
    }),
    Rule::new("max_method_bytes", BYTES, "longest method; 32 by default", |s, _, v| {
        s.set_limit(value::size(v), h1::Limits::max_method_bytes)
    }),
    Rule::new("max_body_bytes", BYTES, "longest request body; 1GiB by default, 0 for any", |s, _, v| {
        s.set_limit(value::bytes_or_any(v), h1::Limits::max_body_bytes)
    }),
    Rule::new(
        "length_required",
        SWITCH,
        "whether bodies without a length, the chunked ones, are refused with 411; false by default",
        |s, _, v| s.set_limit(value::switch(v), h1::Limits::length_required),
    ),
    Rule::new(
        "max_chunk_extension_bytes",
        BYTES,
        "chunk extensions of one body together; 16KiB by default",
        |s, _, v| s.set_limit(value::size(v), h1::Limits::max_chunk_extension_bytes),
    ),
    Rule::new("max_trailer_bytes", BYTES, "longest trailer of a chunked body; 8KiB by default", |s, _, v| {
        s.set_limit(value::size(v), h1::Limits::max_trailer_bytes)
    }),
    Rule::new(
        "min_body_bytes_per_second",
        COUNT_OR_NONE,
        "how fast a request body must come while it is waited for, or 0; 240 by default",
        |s, _, v| s.set_server(value::count_or_none(v).map(|n| n as u64), serve::Config::min_body_bytes_per_second),
    ),
    Rule::new(
        "min_write_bytes_per_second",
        COUNT_OR_NONE,
        "how fast a client must take its answer while it is waited for, or 0; 240 by default",
        |s, _, v| s.set_server(value::count_or_none(v).map(|n| n as u64), serve::Config::min_write_bytes_per_second),
    ),
    Rule::new("max_connections", COUNT, "open connections; 10000 by default", |s, _, v| {
        s.set_server(value::count(v), serve::Config::max_connections)
    }),
    Rule::new(
        "max_connections_per_peer",
        COUNT_OR_NONE,
        "open connections of one peer, which is an IPv4 address or the first 64 bits of one of IPv6, or 0; 1000 by default",
        |s, _, v| s.set_server(value::count_or_none(v), serve::Config::max_connections_per_peer),
    ),
    Rule::new(
        "uncounted_peers",
        "addresses, networks such as 10.0.0.0/8 (up to /32, or /128 for IPv6), or unix, with commas between them",
        "peers that may have any number of connections, beside trusted_proxies; those on this machine by default: 127.0.0.0/8, ::1, unix",
        |s, _, v| s.set_server(v.parse().ok(), serve::Config::uncounted_peers),
    ),
    Rule::new("max_requests_per_connection", COUNT, "requests on one connection; 1000000 by default", |s, _, v| {
        s.set_server(value::count(v).map(|n| n as u64), serve::Config::max_requests_per_connection)
    }),
    Rule::new(
        "max_pipelined",
        COUNT,
        "requests that are answered in a row on one connection before others have their turn; 64 by default",
        |s, _, v| s.set_server(value::small_count(v), serve::Config::max_pipelined),
    ),
    Rule::new("max_streams", COUNT, "streams at once on a connection of HTTP/2; 100 by default", |s, _, v| {
        s.set_server(value::small_count(v), serve::Config::max_streams)
    }),
    Rule::new(
        "stream_window",
        BYTES,
        "how much of a body a client of HTTP/2 may send before it is read; 256KiB by default",
        |s, _, v| s.set_server(value::bytes(v).and_then(|bytes| bytes.try_into().ok()), serve::Config::stream_window),
    ),
    Rule::new(
        "max_blocking_calls",
        COUNT,
        "calls that may wait on a thread of their own; 256 by default",
        |s, _, v| put(&mut s.max_blocking_calls, value::count(v)),
    ),
    Rule::new(
        "max_children",
        COUNT,
        "CGI programs at once in all mounts together; no limit beside each mount's by default",
        |s, _, v| put(&mut s.max_children, value::count(v)),
    ),
    Rule::new(
        "preread_bytes",
        BYTES,
        "bodies up to this size are read before the application is called; 64KiB by default",
        |s, _, v| s.set_server(value::size(v), serve::Config::preread_bytes),
    ),
    Rule::new(
        "drain_bytes",
        BYTES,
        "how much of an unread body is read away to keep the connection; 256KiB by default",
        |s, _, v| s.set_server(value::size(v), serve::Config::drain_bytes),
    ),
];
