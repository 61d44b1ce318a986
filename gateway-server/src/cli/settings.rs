//! Everything that the command can be told, and its defaults.
//!
//! Holds the values and the tables of keys that fill them. Does not hold where they are read from (`args`, `config`).

use gateway_fastcgi::net::Address;

use super::mistake::Place;
use super::options::{put, set};
use super::rules::Rule;
use super::target::Target;
use super::value::{self, BYTES, COUNT, DURATION, SWITCH};
use crate::h1;
use crate::mount::Prefix;
use crate::serve;

/// What `gateway serve` does.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    /// Where to listen; nothing means the default address.
    pub(super) listen: Vec<Listen>,
    pub(super) threads: Option<usize>,
    pub(super) log: Log,
    pub(super) server: serve::Config,
    pub(super) limits: h1::Limits,
    pub(super) mounts: Vec<Mount>,
}

/// One address, and where it was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listen {
    pub(super) address: Address,
    pub(super) place: Place,
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
    pub(super) access: bool,
}

impl Default for Log {
    fn default() -> Self {
        Log { format: Format::Human, level: "info".to_owned(), access: true }
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

/// Keys at the top of the configuration file; tables have their own.
pub(super) const TOP: &[Rule<Settings>] =
    &[Rule { key: "threads", allowed: COUNT, set: |s, _, v| put(&mut s.threads, value::count(v)) }];

pub(super) const LOG: &[Rule<Settings>] = &[
    Rule { key: "format", allowed: "human or json", set: |s, _, v| set(&mut s.log.format, format(v)) },
    Rule { key: "level", allowed: LEVEL, set: |s, _, v| set(&mut s.log.level, level(v)) },
    Rule { key: "access", allowed: SWITCH, set: |s, _, v| set(&mut s.log.access, value::switch(v)) },
];

pub(super) const LIMITS: &[Rule<Settings>] = &[
    Rule { key: "max_head_bytes", allowed: BYTES, set: |s, _, v| limit(s, value::size(v), h1::Limits::max_head_bytes) },
    Rule { key: "max_fields", allowed: COUNT, set: |s, _, v| limit(s, value::count(v), h1::Limits::max_fields) },
    Rule {
        key: "max_target_bytes",
        allowed: BYTES,
        set: |s, _, v| limit(s, value::size(v), h1::Limits::max_target_bytes),
    },
    Rule {
        key: "max_body_bytes",
        allowed: BYTES,
        set: |s, _, v| limit(s, value::bytes(v).map(Some), h1::Limits::max_body_bytes),
    },
    Rule {
        key: "max_trailer_bytes",
        allowed: BYTES,
        set: |s, _, v| limit(s, value::size(v), h1::Limits::max_trailer_bytes),
    },
    Rule {
        key: "max_connections",
        allowed: COUNT,
        set: |s, _, v| server(s, value::count(v), serve::Config::max_connections),
    },
    Rule {
        key: "max_requests_per_connection",
        allowed: COUNT,
        set: |s, _, v| server(s, value::count(v).map(|n| n as u64), serve::Config::max_requests_per_connection),
    },
    Rule {
        key: "max_blocking_calls",
        allowed: COUNT,
        set: |s, _, v| server(s, value::count(v), serve::Config::max_blocking_calls),
    },
    Rule {
        key: "preread_bytes",
        allowed: BYTES,
        set: |s, _, v| server(s, value::size(v), serve::Config::preread_bytes),
    },
    Rule { key: "drain_bytes", allowed: BYTES, set: |s, _, v| server(s, value::size(v), serve::Config::drain_bytes) },
];

pub(super) const TIMEOUTS: &[Rule<Settings>] = &[
    Rule {
        key: "header",
        allowed: DURATION,
        set: |s, _, v| server(s, value::duration(v), serve::Config::header_timeout),
    },
    Rule {
        key: "keep_alive",
        allowed: DURATION,
        set: |s, _, v| server(s, value::duration(v), serve::Config::keep_alive_timeout),
    },
    Rule { key: "body", allowed: DURATION, set: |s, _, v| server(s, value::duration(v), serve::Config::body_timeout) },
    Rule {
        key: "write",
        allowed: DURATION,
        set: |s, _, v| server(s, value::duration(v), serve::Config::write_timeout),
    },
    Rule {
        key: "linger",
        allowed: DURATION,
        set: |s, _, v| server(s, value::duration(v), serve::Config::linger_timeout),
    },
    Rule { key: "stop", allowed: DURATION, set: |s, _, v| server(s, value::duration(v), serve::Config::stop_timeout) },
];

fn server<T>(settings: &mut Settings, value: Option<T>, set: fn(serve::Config, T) -> serve::Config) -> Option<()> {
    settings.server = set(std::mem::take(&mut settings.server), value?);
    Some(())
}

fn limit<T>(settings: &mut Settings, value: Option<T>, set: fn(h1::Limits, T) -> h1::Limits) -> Option<()> {
    settings.limits = set(std::mem::take(&mut settings.limits), value?);
    Some(())
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
