//! The keys of `http://…` targets.

use super::super::options::ProxyOptions;
use super::super::rules::{Rule, put};
use super::super::value::{self, BYTES, COUNT, COUNT_OR_NONE, DURATION, SWITCH};
use super::files;
use crate::mount::{Paths, ProxyHost};

pub(in super::super) const PROXY: &[Rule<ProxyOptions>] = &[
    Rule::new(
        "prefix",
        "keep or strip",
        "whether the upstream is asked for the path with the prefix of the mount or without it; kept by default if the URL of the \
         target has no path, else that path takes its place; what is stripped is told in X-Forwarded-Prefix",
        |o, _, v| put(&mut o.paths, paths(v)),
    ),
    Rule::new(
        "host",
        "keep, upstream or a host with or without a port",
        "what the Host field says: what the client said, the host of the target's URL, or always the same; keep by default",
        |o, _, v| put(&mut o.host, host(v)),
    ),
    Rule::new(
        "upgrade",
        SWITCH,
        "whether connections may become tunnels, which WebSocket needs; true by default",
        |o, _, v| put(&mut o.upgrade, value::switch(v)),
    ),
    Rule::new("timeout", DURATION, "how long a request may take in all; no limit by default", |o, _, v| {
        put(&mut o.timeout, value::duration(v))
    }),
    Rule::new("connect_timeout", DURATION, "how long connecting may take; 3s by default", |o, _, v| {
        put(&mut o.connect_timeout, value::duration(v))
    }),
    Rule::new(
        "header_timeout",
        DURATION,
        "how long the upstream may take for the head of its answer once it has the request; 60s by default",
        |o, _, v| put(&mut o.header_timeout, value::duration(v)),
    ),
    Rule::new(
        "read_timeout",
        DURATION,
        "how long the upstream may be silent inside its answer; 60s by default",
        |o, _, v| put(&mut o.read_timeout, value::duration(v)),
    ),
    Rule::new("queue_timeout", DURATION, "how long a request waits for a connection; 10s by default", |o, _, v| {
        put(&mut o.queue_timeout, value::duration(v))
    }),
    Rule::new(
        "idle_timeout",
        DURATION,
        "how long a connection is kept without a request; 1500ms by default, less than any usual upstream keeps it",
        |o, _, v| put(&mut o.idle_timeout, value::duration(v)),
    ),
    Rule::new(
        "tunnel_timeout",
        DURATION,
        "how long a tunnel may be silent in both directions; 1h by default",
        |o, _, v| put(&mut o.tunnel_timeout, value::duration(v)),
    ),
    Rule::new("max_connections", COUNT, "requests and tunnels at once; 1024 by default", |o, _, v| {
        put(&mut o.max_connections, value::count(v))
    }),
    Rule::new("max_kept", COUNT_OR_NONE, "connections kept between requests; 64 by default", |o, _, v| {
        put(&mut o.max_kept, value::count_or_none(v))
    }),
    Rule::new("max_queue", COUNT_OR_NONE, "requests that wait for a connection; 1024 by default", |o, _, v| {
        put(&mut o.max_queue, value::count_or_none(v))
    }),
    Rule::new("max_head_bytes", BYTES, "longest head of an answer, at least 8KiB; 64KiB by default", |o, _, v| {
        put(&mut o.max_head_bytes, value::size(v).filter(|bytes| *bytes >= 8 << 10))
    }),
    Rule::new("max_fields", COUNT, "fields in the head of an answer; 128 by default", |o, _, v| {
        put(&mut o.max_fields, value::count(v))
    }),
    files::sendfile(&files::OF_UPSTREAMS),
    files::accel(&files::OF_UPSTREAMS),
];

fn paths(text: &str) -> Option<Paths> {
    match text {
        "keep" => Some(Paths::Keep),
        "strip" => Some(Paths::Strip),
        _ => None,
    }
}

fn host(text: &str) -> Option<ProxyHost> {
    match text {
        "keep" => Some(ProxyHost::Keep),
        "upstream" => Some(ProxyHost::Upstream),
        name => {
            let is_host = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
            is_host.then(|| ProxyHost::Fixed(name.to_owned()))
        }
    }
}
