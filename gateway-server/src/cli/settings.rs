//! Everything that the command can be told, and its defaults.
//!
//! Holds the values and the tables of keys that fill them. Does not hold where they are read from (`args`, `config`).

use gateway_fastcgi::net::{Address, Owner};

use super::access::Access;
use super::listen::{Certificate, Listen};
use super::mistake::Place;
use super::rules::{Rule, put, set};
use super::target::Target;
use super::value::{self, BYTES, COUNT, COUNT_OR_NONE, DURATION, MODE, SWITCH};
use crate::h1;
use crate::launch::MAX_THREADS;
use crate::mount::Prefix;
use crate::serve::{self, ForwardedFields, Model};

/// What `gateway serve` does.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    /// Where to listen; nothing means the default address.
    pub(super) listen: Vec<Listen>,
    /// What addresses with TLS show.
    pub(super) certificate: Certificate,
    pub(super) socket_mode: Option<u32>,
    pub(super) socket_owner: Option<Owner>,
    pub(super) model: Model,
    pub(super) threads: Option<usize>,
    pub(super) max_blocking_calls: Option<usize>,
    pub(super) max_children: Option<usize>,
    pub(super) log: Log,
    pub(super) access: Access,
    pub(super) server: serve::Config,
    pub(super) limits: h1::Limits,
    pub(super) mounts: Vec<Mount>,
    /// Where the admin listener answers.
    pub(super) admin: Option<Address>,
    /// Whether other machines may ask it.
    pub(super) admin_open: bool,
    /// Whom the server becomes once its sockets are bound.
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
}

/// One mount, and where its two parts were given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mount {
    pub(super) prefix: Prefix,
    pub(super) prefix_place: Place,
    pub(super) target: Target,
    pub(super) target_place: Place,
}

/// What is written to standard error, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) format: Format,
    pub(super) level: String,
    /// Whether each request is a line; `None` if nobody has said so.
    pub(super) access: Option<bool>,
}

impl Default for Log {
    fn default() -> Self {
        Log { format: Format::Human, level: "info".to_owned(), access: None }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

pub(super) const LEVEL: &str = "error, warn, info, debug or trace, or directives such as info,gateway_cgi=debug";

const FIELDS: &str = "a number from 1 to 256";
const _: () = assert!(h1::MAX_FIELDS == 256);

/// More than that is a slip of the finger, and would be memory before it is threads.
const THREADS: &str = "a number from 1 to 4096";
const _: () = assert!(MAX_THREADS == 4096);

/// Keys at the top of the configuration file; tables have their own.
pub(super) const TOP: &[Rule<Settings>] = &[
    Rule::new(
        "admin",
        "HOST:PORT or unix:PATH",
        "where health, metrics and what workers do are answered over HTTP, see docs/operation.md; nowhere by default",
        |s, _, v| put(&mut s.admin, v.parse().ok()),
    ),
    Rule::new(
        "admin_open",
        SWITCH,
        "whether admin may be an address that other machines reach: it tells everybody everything; false by default",
        |s, _, v| set(&mut s.admin_open, value::switch(v)),
    ),
    Rule::new(
        "user",
        "a name that the system knows, or a number",
        "whom the server becomes, once its sockets are bound and its keys are read, if root starts it; its groups are those of the system's list unless \
         there is group. Nobody else by default",
        |s, _, v| put(&mut s.user, value::text(v)),
    ),
    Rule::new("group", "a name that the system knows, or a number", "the only group of user", |s, _, v| {
        put(&mut s.group, value::text(v))
    }),
    Rule::new(
        "model",
        "iterative, threads, event-loop or event-loops",
        "how connections are shared out among threads: one after the other, a thread for each, one loop for all, or loops on \
         all cores; event-loops by default",
        |s, _, v| set(&mut s.model, v.parse().ok()),
    ),
    Rule::new(
        "threads",
        THREADS,
        "applications that may run at once on threads of the runtime, which has one more for sockets; four for each core, and 128 at least, by default",
        |s, _, v| put(&mut s.threads, value::count(v).filter(|threads| *threads <= MAX_THREADS)),
    ),
    Rule::new(
        "hosts",
        "names such as example.org, *.example.org or [::1], with commas between them",
        "the hosts that are served; requests for others are answered with 421; all by default",
        |s, _, v| server(s, v.parse().ok(), serve::Config::hosts),
    ),
    Rule::new(
        "trusted_proxies",
        "addresses, networks such as 10.0.0.0/8, or unix for peers on UNIX sockets, with commas between them",
        "proxies in front of this server whose word about the client is taken, for every mount: REMOTE_ADDR and the scheme follow from \
         it; what others say is dropped then; nobody by default, and the fields mean nothing",
        |s, _, v| server(s, v.parse().ok(), serve::Config::trusted_proxies),
    ),
    Rule::new(
        "trusted_fields",
        "x-forwarded or forwarded",
        "which fields those proxies set: X-Forwarded-For and its like, or Forwarded (RFC 7239); the others are dropped; x-forwarded by default",
        |s, _, v| server(s, forwarded_fields(v), serve::Config::trusted_fields),
    ),
    Rule::new("socket_mode", MODE, "permissions of socket files to listen on; 600 by default", |s, _, v| {
        put(&mut s.socket_mode, value::mode(v))
    }),
    Rule::new(
        "socket_owner",
        "USER, USER:GROUP or :GROUP, by names that the system knows or by numbers",
        "who owns socket files to listen on; the user and the group of the process by default",
        |s, _, v| put(&mut s.socket_owner, v.parse().ok()),
    ),
];

pub(super) const LOG: &[Rule<Settings>] = &[
    Rule::new("format", "human or json", "the form of a line on standard error; human by default", |s, _, v| {
        set(&mut s.log.format, format(v))
    }),
    Rule::new("level", LEVEL, "how much is written; info by default", |s, _, v| set(&mut s.log.level, level(v))),
    Rule::new(
        "access",
        SWITCH,
        "whether each request is a line on standard error; true by default, unless there is an access log",
        |s, _, v| put(&mut s.log.access, value::switch(v)),
    ),
];

pub(super) const LIMITS: &[Rule<Settings>] = &[
    Rule::new("max_head_bytes", BYTES, "longest request head; 64KiB by default", |s, _, v| {
        limit(s, value::size(v), h1::Limits::max_head_bytes)
    }),
    Rule::new("max_fields", FIELDS, "fields in a request head; 100 by default", |s, _, v| {
        limit(s, value::count(v).filter(|fields| *fields <= h1::MAX_FIELDS), h1::Limits::max_fields)
    }),
    Rule::new("max_target_bytes", BYTES, "longest request target; 8KiB by default", |s, _, v| {
        limit(s, value::size(v), h1::Limits::max_target_bytes)
    }),
    Rule::new("max_method_bytes", BYTES, "longest method; 32 by default", |s, _, v| {
        limit(s, value::size(v), h1::Limits::max_method_bytes)
    }),
    Rule::new("max_body_bytes", BYTES, "longest request body; no limit by default", |s, _, v| {
        limit(s, value::bytes(v).map(Some), h1::Limits::max_body_bytes)
    }),
    Rule::new(
        "length_required",
        SWITCH,
        "whether bodies without a length, the chunked ones, are refused with 411; false by default",
        |s, _, v| limit(s, value::switch(v), h1::Limits::length_required),
    ),
    Rule::new(
        "max_chunk_extension_bytes",
        BYTES,
        "chunk extensions of one body together; 16KiB by default",
        |s, _, v| limit(s, value::size(v), h1::Limits::max_chunk_extension_bytes),
    ),
    Rule::new("max_trailer_bytes", BYTES, "longest trailer of a chunked body; 8KiB by default", |s, _, v| {
        limit(s, value::size(v), h1::Limits::max_trailer_bytes)
    }),
    Rule::new(
        "min_body_bytes_per_second",
        COUNT_OR_NONE,
        "how fast a request body must come while it is waited for, or 0; 240 by default",
        |s, _, v| server(s, value::count_or_none(v).map(|n| n as u64), serve::Config::min_body_bytes_per_second),
    ),
    Rule::new(
        "min_write_bytes_per_second",
        COUNT_OR_NONE,
        "how fast a client must take its answer while it is waited for, or 0; 240 by default",
        |s, _, v| server(s, value::count_or_none(v).map(|n| n as u64), serve::Config::min_write_bytes_per_second),
    ),
    Rule::new("max_connections", COUNT, "open connections; 10000 by default", |s, _, v| {
        server(s, value::count(v), serve::Config::max_connections)
    }),
    Rule::new(
        "max_connections_per_peer",
        COUNT_OR_NONE,
        "open connections of one peer, which is an IPv4 address or the first 64 bits of one of IPv6, or 0; 1000 by default",
        |s, _, v| server(s, value::count_or_none(v), serve::Config::max_connections_per_peer),
    ),
    Rule::new(
        "uncounted_peers",
        "addresses, networks such as 10.0.0.0/8, or unix, with commas between them",
        "peers that may have any number of connections, beside trusted_proxies; those on this machine by default: 127.0.0.0/8, ::1, unix",
        |s, _, v| server(s, v.parse().ok(), serve::Config::uncounted_peers),
    ),
    Rule::new("max_requests_per_connection", COUNT, "requests on one connection; no limit by default", |s, _, v| {
        server(s, value::count(v).map(|n| n as u64), serve::Config::max_requests_per_connection)
    }),
    Rule::new(
        "max_pipelined",
        COUNT,
        "requests that are answered in a row on one connection before others have their turn; 64 by default",
        |s, _, v| server(s, value::small_count(v), serve::Config::max_pipelined),
    ),
    Rule::new("max_streams", COUNT, "streams at once on a connection of HTTP/2; 100 by default", |s, _, v| {
        server(s, value::small_count(v), serve::Config::max_streams)
    }),
    Rule::new(
        "stream_window",
        BYTES,
        "how much of a body a client of HTTP/2 may send before it is read; 256KiB by default",
        |s, _, v| server(s, value::bytes(v).and_then(|bytes| bytes.try_into().ok()), serve::Config::stream_window),
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
        |s, _, v| server(s, value::size(v), serve::Config::preread_bytes),
    ),
    Rule::new(
        "drain_bytes",
        BYTES,
        "how much of an unread body is read away to keep the connection; 256KiB by default",
        |s, _, v| server(s, value::size(v), serve::Config::drain_bytes),
    ),
];

pub(super) const TIMEOUTS: &[Rule<Settings>] = &[
    Rule::new(
        "handshake",
        DURATION,
        "from the beginning of a connection to where a request may come: PROXY header, TLS handshake, preface of HTTP/2; 10s by default",
        |s, _, v| server(s, value::duration(v), serve::Config::handshake_timeout),
    ),
    Rule::new("header", DURATION, "for a whole request head; 30s by default", |s, _, v| {
        server(s, value::duration(v), serve::Config::header_timeout)
    }),
    Rule::new("keep_alive", DURATION, "for the next request on a connection; 75s by default", |s, _, v| {
        server(s, value::duration(v), serve::Config::keep_alive_timeout)
    }),
    Rule::new("body", DURATION, "for the next piece of a request body; 30s by default", |s, _, v| {
        server(s, value::duration(v), serve::Config::body_timeout)
    }),
    Rule::new("write", DURATION, "for a client to take more of its answer; 30s by default", |s, _, v| {
        server(s, value::duration(v), serve::Config::write_timeout)
    }),
    Rule::new(
        "rate_grace",
        DURATION,
        "how long a client may be waited for in all before limits.min_…_bytes_per_second are asked of it; 10s by default",
        |s, _, v| server(s, value::duration(v), serve::Config::rate_grace),
    ),
    Rule::new(
        "half_close",
        DURATION,
        "for the answer to a client that sends no more, as one does that has gone; 5s by default",
        |s, _, v| server(s, value::duration(v), serve::Config::half_close_timeout),
    ),
    Rule::new(
        "linger",
        DURATION,
        "for the last answer to reach a client that still sends; 2s by default",
        |s, _, v| server(s, value::duration(v), serve::Config::linger_timeout),
    ),
    Rule::new("stop", DURATION, "for requests in progress when the server is stopped; 30s by default", |s, _, v| {
        server(s, value::duration(v), serve::Config::stop_timeout)
    }),
];

fn server<T>(settings: &mut Settings, value: Option<T>, set: fn(serve::Config, T) -> serve::Config) -> Option<()> {
    settings.server = set(std::mem::take(&mut settings.server), value?);
    Some(())
}

fn limit<T>(settings: &mut Settings, value: Option<T>, set: fn(h1::Limits, T) -> h1::Limits) -> Option<()> {
    settings.limits = set(std::mem::take(&mut settings.limits), value?);
    Some(())
}

fn forwarded_fields(text: &str) -> Option<ForwardedFields> {
    match text {
        "x-forwarded" => Some(ForwardedFields::XForwarded),
        "forwarded" => Some(ForwardedFields::Forwarded),
        _ => None,
    }
}

fn format(text: &str) -> Option<Format> {
    match text {
        "human" => Some(Format::Human),
        "json" => Some(Format::Json),
        _ => None,
    }
}

/// A filter of log lines, checked.
pub(super) fn level(text: &str) -> Option<String> {
    let words = ["error", "warn", "info", "debug", "trace", "off"];
    // A lone word is taken for the name of a module by the filter's grammar, so a misspelt level would be silence.
    let is_filter =
        words.contains(&text) || (text.contains('=') && tracing_subscriber::EnvFilter::builder().parse(text).is_ok());
    is_filter.then(|| text.to_owned())
}
