//! The keys of the configuration and of each kind of target: one table each.
//!
//! Holds the tables, all but those of FastCGI, PHP and static files in files of their own, and the readers of values that only targets have.
//! Does not hold the values (`settings`, `options`).

mod access;
mod cgi;
mod files;
mod limits;
mod log;
mod pool;
mod proxy;
mod timeouts;
mod top;

pub(super) use access::ACCESS;
pub(super) use cgi::CGI;
pub(super) use limits::LIMITS;
pub(super) use log::LOG;
pub(super) use pool::POOL;
pub(super) use proxy::PROXY;
pub(super) use timeouts::TIMEOUTS;
pub(super) use top::TOP;

use gateway_fastcgi::client::ParamSet;

use super::options::{FastCgiOptions, GuardOptions, PhpOptions, StaticOptions};
use super::rules::{Rule, add, put, set};
use super::value::{self, BYTES, COUNT, COUNT_OR_NONE, DURATION, PATH, SWITCH};
use crate::mount::{Links, RequestPath};

const NAME_AND_TEXT: &str = "a name of A-Z, 0-9 and _ that is not one of the request's own, with a text without NUL";

/// Keys of every kind of target.
pub(super) const GUARD: &[Rule<GuardOptions>] = &[
    Rule::new(
        "authorizer",
        "unix:PATH, tcp:HOST:PORT or HOST:PORT",
        "FastCGI workers that are asked before the target answers (role Authorizer): with status 200 their Variable- \
         fields become variables of the request, with any other their answer is the client's; nobody is asked by default",
        |o, _, v| put(&mut o.authorizer, v.parse().ok()),
    ),
    Rule::new(
        "authorizer_timeout",
        DURATION,
        "how long the authorizer may take, then 504; 10s by default",
        |o, _, v| put(&mut o.authorizer_timeout, value::duration(v)),
    ),
];

pub(super) const FASTCGI: &[Rule<FastCgiOptions>] = &[
    Rule::new("timeout", DURATION, "how long a request may take in all; no limit by default", |o, _, v| {
        put(&mut o.timeout, value::duration(v))
    }),
    Rule::new("connect_timeout", DURATION, "how long connecting may take; 3s by default", |o, _, v| {
        put(&mut o.connect_timeout, value::duration(v))
    }),
    Rule::new(
        "header_timeout",
        DURATION,
        "how long a worker may take for its header block; 60s by default",
        |o, _, v| put(&mut o.header_timeout, value::duration(v)),
    ),
    Rule::new(
        "read_timeout",
        DURATION,
        "how long a worker may be silent inside its answer; 60s by default",
        |o, _, v| put(&mut o.read_timeout, value::duration(v)),
    ),
    Rule::new("queue_timeout", DURATION, "how long a request waits for a connection; 10s by default", |o, _, v| {
        put(&mut o.queue_timeout, value::duration(v))
    }),
    Rule::new(
        "idle_timeout",
        DURATION,
        "how long a connection is kept without a request; 30s by default",
        |o, _, v| put(&mut o.idle_timeout, value::duration(v)),
    ),
    Rule::new("max_connections", COUNT, "connections at once to each upstream; 32 by default", |o, _, v| {
        put(&mut o.max_connections, value::count(v))
    }),
    Rule::new(
        "max_connection_age",
        DURATION,
        "after how long a connection is not kept any more; 10min by default",
        |o, _, v| put(&mut o.max_connection_age, value::duration(v)),
    ),
    Rule::new(
        "max_tries",
        COUNT,
        "how often a request that may be repeated is sent in all; 4 by default",
        |o, _, v| put(&mut o.max_tries, value::small_count(v)),
    ),
    Rule::new(
        "max_failures",
        COUNT,
        "failures in a row that take an upstream out; 3 by default; one to connect is enough",
        |o, _, v| put(&mut o.max_failures, value::small_count(v)),
    ),
    Rule::new(
        "max_backoff",
        DURATION,
        "longest time between two trials of an upstream that is out; 30s by default, from 1s on",
        |o, _, v| put(&mut o.max_backoff, value::duration(v)),
    ),
    Rule::new(
        "max_kept",
        COUNT_OR_NONE,
        "connections kept between requests; 4 by default, or as many as the worker says it takes (FCGI_MAX_CONNS), must be \
         less than pm.max_children of php-fpm; to spawned workers all by default; 0 for workers that close them all the same",
        |o, _, v| put(&mut o.max_kept, value::count_or_none(v)),
    ),
    Rule::new(
        "multiplex",
        SWITCH,
        "whether requests share a connection where the worker says that it can (FCGI_MPXS_CONNS); false by default, because \
         an answer that its client takes slowly is then held in memory or given up",
        |o, _, v| put(&mut o.multiplex, value::switch(v)),
    ),
    Rule::new(
        "max_multiplexed",
        "a number from 2 to 65535",
        "requests at once on a shared connection; 16 by default, fewer if the worker says so (FCGI_MAX_REQS)",
        |o, _, v| put(&mut o.max_multiplexed, requests_together(v)),
    ),
    Rule::new(
        "max_window",
        "a number of bytes, such as 64KiB or 4MiB; at least 64KiB",
        "how much of an answer on a shared connection is held for a slow client; 1MiB by default; past it the answer breaks",
        |o, _, v| put(&mut o.max_window, window(v)),
    ),
    Rule::new("max_queue", COUNT, "requests that wait for a connection; 1024 by default", |o, _, v| {
        put(&mut o.max_queue, value::count(v))
    }),
    Rule::new(
        "max_spool",
        BYTES,
        "longest request body without a length, which is kept first; 1GiB by default",
        |o, _, v| put(&mut o.max_spool, value::bytes(v)),
    ),
    Rule::new(
        "root",
        PATH,
        "folder of scripts: the path names one, as php-fpm needs it; by default workers find them",
        |o, _, v| put(&mut o.root, value::path(v)),
    ),
    Rule::new("index", "the name of a file", "script of a folder, with root; index.php by default", |o, _, v| {
        put(&mut o.index, file_name(v))
    }),
    Rule::new(
        "split",
        "the end of a name, such as .php",
        "what names of scripts end in, with root: there the path is split, and the rest is PATH_INFO; .php by default; \
         repeats",
        |o, _, v| add(&mut o.suffixes, file_name(v)),
    ),
    Rule::new(
        "worker_root",
        PATH,
        "where the workers see root, as in a container; by default where it is here, links followed",
        |o, _, v| put(&mut o.worker_root, value::path(v)),
    ),
    Rule::new("script", PATH, "one script that answers every path", |o, _, v| put(&mut o.script, value::path(v))),
    files::sendfile(&files::OF_PROGRAMS),
    files::accel(&files::OF_PROGRAMS),
    Rule::new("authorization", SWITCH, "whether workers see the Authorization field; false by default", |o, _, v| {
        set(&mut o.authorization, value::switch(v))
    }),
    Rule::new(
        "params",
        "cgi, nginx or apache",
        "after whose habits the variables are chosen; cgi by default, which is RFC 3875",
        |o, _, v| set(&mut o.set, param_set(v)),
    ),
    Rule::new("param.", NAME_AND_TEXT, "a variable of every request", |o, n, v| {
        add(&mut o.params, request_variable(n, v))
    }),
];

pub(super) const PHP: &[Rule<PhpOptions>] = &[
    Rule::new(
        "fallback",
        "a path below root, such as /index.php",
        "what answers where nothing is: the front controller; none by default, which is 404",
        |o, _, v| put(&mut o.fallback, path_below(v)),
    ),
    Rule::new(
        "deny",
        "a path below root, such as /data",
        "a file or folder that is not for the world; none by default; repeats",
        |o, _, v| add(&mut o.denied, path_below(v)),
    ),
    Rule::new(
        "no_scripts",
        "a path below root, such as /uploads",
        "a folder in which nothing is run, because visitors may put files there; none by default; repeats",
        |o, _, v| add(&mut o.without_scripts, path_below(v)),
    ),
    Rule::new(
        "links",
        "inside or anywhere",
        "where symbolic links may lead: inside the folder or anywhere; inside by default",
        |o, _, v| set(&mut o.links, links(v)),
    ),
];

pub(super) const STATIC: &[Rule<StaticOptions>] = &[
    Rule::new("index", SWITCH, "whether index.html answers for its folder; true by default", |o, _, v| {
        put(&mut o.index, value::switch(v))
    }),
    Rule::new(
        "links",
        "inside or anywhere",
        "where symbolic links may lead: inside the folder or anywhere; inside by default",
        |o, _, v| set(&mut o.links, links(v)),
    ),
    Rule::new(
        "precompressed",
        SWITCH,
        "whether x.css.br, x.css.gz or x.css.zst is sent for x.css to clients that take it; false by default",
        |o, _, v| set(&mut o.precompressed, value::switch(v)),
    ),
];

fn requests_together(text: &str) -> Option<u16> {
    value::count(text)?.try_into().ok().filter(|requests| *requests >= 2)
}

/// Room for a record, or else no answer of one could be held.
fn window(text: &str) -> Option<usize> {
    value::size(text).filter(|bytes| *bytes >= 64 * 1024)
}

fn links(text: &str) -> Option<Links> {
    match text {
        "inside" => Some(Links::Inside),
        "anywhere" => Some(Links::Anywhere),
        _ => None,
    }
}

fn param_set(text: &str) -> Option<ParamSet> {
    match text {
        "cgi" => Some(ParamSet::Cgi),
        "nginx" => Some(ParamSet::Nginx),
        "apache" => Some(ParamSet::Apache),
        _ => None,
    }
}

/// A path as requests have it, decoded: absolute, and not the root itself.
fn path_below(text: &str) -> Option<String> {
    let path = value::text(text)?;
    let is_named = !path.trim_matches('/').is_empty() && RequestPath::from_decoded(path.as_bytes()).is_ok();
    is_named.then_some(path)
}

/// One segment of a path: neither a way out nor a way down.
fn file_name(text: &str) -> Option<String> {
    value::text(text).filter(|name| !name.contains('/') && !matches!(name.as_str(), "" | "." | ".."))
}

/// A name that any program can read.
fn name(text: &str) -> Option<String> {
    let first = text.bytes().next()?;
    let is_name = (first.is_ascii_alphabetic() || first == b'_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then(|| text.to_owned())
}

fn process_variable(variable: &str, text: &str) -> Option<(String, String)> {
    Some((name(variable)?, value::text(text)?))
}

/// A variable of every request. What describes the request itself is not the operator's to set (CGI-10, CGI-11).
fn request_variable(variable: &str, text: &str) -> Option<(String, String)> {
    const OF_THE_REQUEST: [&str; 8] = [
        "GATEWAY_INTERFACE",
        "REQUEST_METHOD",
        "SCRIPT_NAME",
        "PATH_INFO",
        "QUERY_STRING",
        "SERVER_PROTOCOL",
        "CONTENT_TYPE",
        "CONTENT_LENGTH",
    ];
    let upper = !variable.bytes().any(|byte| byte.is_ascii_lowercase());
    let free = !OF_THE_REQUEST.contains(&variable) && !variable.starts_with("HTTP_");
    (upper && free).then(|| process_variable(variable, text)).flatten()
}
