//! Keys of what is written to standard error.

use crate::cli::rules::{Rule, put, set};
use crate::cli::settings::{Format, Settings};
use crate::cli::value::{self, SWITCH};

const LEVEL: &str = "error, warn, info, debug or trace, or directives such as info,gateway_cgi=debug";

/// Keys of `[log]`.
pub(in crate::cli) const LOG: &[Rule<Settings>] = &[
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

fn format(text: &str) -> Option<Format> {
    match text {
        "human" => Some(Format::Human),
        "json" => Some(Format::Json),
        _ => None,
    }
}

/// A filter of log lines, checked.
fn level(text: &str) -> Option<String> {
    let words = ["error", "warn", "info", "debug", "trace", "off"];
    // A lone word is taken for the name of a module by the filter's grammar, so a misspelt level would be silence.
    let is_filter =
        words.contains(&text) || (text.contains('=') && tracing_subscriber::EnvFilter::builder().parse(text).is_ok());
    is_filter.then(|| text.to_owned())
}
