//! The options of each kind of target: one table of keys each.
//!
//! Holds the tables and the values they fill; what is not set stays with the default of whoever is configured. Does not
//! hold what a value does: that is said where it is used, and in the help text.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::rules::{Problem, Rule, apply};
use super::value::{self, BYTES, COUNT, DURATION, PATH, SWITCH, TEXT};
use crate::mount::Links;

/// `app:…` has no options.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct AppOptions;

/// Options of `cgi:…`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct CgiOptions {
    pub(super) timeout: Option<Duration>,
    pub(super) header_timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) queue_timeout: Option<Duration>,
    pub(super) max_children: Option<usize>,
    pub(super) max_spool: Option<u64>,
    pub(super) root: Option<PathBuf>,
    pub(super) authorization: bool,
    pub(super) arguments: Vec<String>,
    pub(super) inherit: Vec<String>,
    pub(super) env: Vec<(String, String)>,
}

/// Options of `fastcgi:unix:…` and `fastcgi:tcp:…`, and of the connections to spawned workers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct FastCgiOptions {
    pub(super) timeout: Option<Duration>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) header_timeout: Option<Duration>,
    pub(super) read_timeout: Option<Duration>,
    pub(super) queue_timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) max_connections: Option<usize>,
    pub(super) max_kept: Option<usize>,
    pub(super) max_queue: Option<usize>,
    pub(super) max_spool: Option<u64>,
    pub(super) root: Option<PathBuf>,
    pub(super) index: Option<String>,
    pub(super) suffixes: Vec<String>,
    pub(super) script: Option<PathBuf>,
    pub(super) authorization: bool,
    pub(super) params: Vec<(String, String)>,
}

/// Options of `fastcgi:spawn:…`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SpawnOptions {
    pub(super) client: FastCgiOptions,
    pub(super) workers: Option<usize>,
    pub(super) stop_timeout: Option<Duration>,
    pub(super) directory: Option<PathBuf>,
    pub(super) inherit: Vec<String>,
    pub(super) env: Vec<(String, String)>,
}

/// Options of `static:…`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct StaticOptions {
    pub(super) index: Option<bool>,
    pub(super) links: Links,
}

const NAME_AND_TEXT: &str = "a name of A-Z, 0-9 and _ that is not one of the request's own, with a text without NUL";

const APP: &[Rule<AppOptions>] = &[];

const CGI: &[Rule<CgiOptions>] = &[
    Rule { key: "timeout", allowed: DURATION, set: |o, _, v| put(&mut o.timeout, value::duration(v)) },
    Rule { key: "header_timeout", allowed: DURATION, set: |o, _, v| put(&mut o.header_timeout, value::duration(v)) },
    Rule { key: "idle_timeout", allowed: DURATION, set: |o, _, v| put(&mut o.idle_timeout, value::duration(v)) },
    Rule { key: "queue_timeout", allowed: DURATION, set: |o, _, v| put(&mut o.queue_timeout, value::duration(v)) },
    Rule { key: "max_children", allowed: COUNT, set: |o, _, v| put(&mut o.max_children, value::count(v)) },
    Rule { key: "max_spool", allowed: BYTES, set: |o, _, v| put(&mut o.max_spool, value::bytes(v)) },
    Rule { key: "root", allowed: PATH, set: |o, _, v| put(&mut o.root, value::path(v)) },
    Rule { key: "authorization", allowed: SWITCH, set: |o, _, v| set(&mut o.authorization, value::switch(v)) },
    Rule { key: "argument", allowed: TEXT, set: |o, _, v| add(&mut o.arguments, value::text(v)) },
    Rule { key: "inherit", allowed: "the name of a variable", set: |o, _, v| add(&mut o.inherit, name(v)) },
    Rule { key: "env.", allowed: NAME_AND_TEXT, set: |o, n, v| add(&mut o.env, request_variable(n, v)) },
];

const FASTCGI: &[Rule<FastCgiOptions>] = &[
    Rule { key: "timeout", allowed: DURATION, set: |o, _, v| put(&mut o.timeout, value::duration(v)) },
    Rule { key: "connect_timeout", allowed: DURATION, set: |o, _, v| put(&mut o.connect_timeout, value::duration(v)) },
    Rule { key: "header_timeout", allowed: DURATION, set: |o, _, v| put(&mut o.header_timeout, value::duration(v)) },
    Rule { key: "read_timeout", allowed: DURATION, set: |o, _, v| put(&mut o.read_timeout, value::duration(v)) },
    Rule { key: "queue_timeout", allowed: DURATION, set: |o, _, v| put(&mut o.queue_timeout, value::duration(v)) },
    Rule { key: "idle_timeout", allowed: DURATION, set: |o, _, v| put(&mut o.idle_timeout, value::duration(v)) },
    Rule { key: "max_connections", allowed: COUNT, set: |o, _, v| put(&mut o.max_connections, value::count(v)) },
    Rule { key: "max_kept", allowed: COUNT, set: |o, _, v| put(&mut o.max_kept, value::count(v)) },
    Rule { key: "max_queue", allowed: COUNT, set: |o, _, v| put(&mut o.max_queue, value::count(v)) },
    Rule { key: "max_spool", allowed: BYTES, set: |o, _, v| put(&mut o.max_spool, value::bytes(v)) },
    Rule { key: "root", allowed: PATH, set: |o, _, v| put(&mut o.root, value::path(v)) },
    Rule { key: "index", allowed: "the name of a file", set: |o, _, v| put(&mut o.index, file_name(v)) },
    Rule {
        key: "suffix",
        allowed: "the end of a name, such as .php",
        set: |o, _, v| add(&mut o.suffixes, file_name(v)),
    },
    Rule { key: "script", allowed: PATH, set: |o, _, v| put(&mut o.script, value::path(v)) },
    Rule { key: "authorization", allowed: SWITCH, set: |o, _, v| set(&mut o.authorization, value::switch(v)) },
    Rule { key: "param.", allowed: NAME_AND_TEXT, set: |o, n, v| add(&mut o.params, request_variable(n, v)) },
];

const SPAWN: &[Rule<SpawnOptions>] = &[
    Rule { key: "workers", allowed: COUNT, set: |o, _, v| put(&mut o.workers, value::count(v)) },
    Rule { key: "stop_timeout", allowed: DURATION, set: |o, _, v| put(&mut o.stop_timeout, value::duration(v)) },
    Rule { key: "directory", allowed: PATH, set: |o, _, v| put(&mut o.directory, value::path(v)) },
    Rule { key: "inherit", allowed: "the name of a variable", set: |o, _, v| add(&mut o.inherit, name(v)) },
    Rule { key: "env.", allowed: NAME_AND_TEXT, set: |o, n, v| add(&mut o.env, process_variable(n, v)) },
];

const STATIC: &[Rule<StaticOptions>] = &[
    Rule { key: "index", allowed: SWITCH, set: |o, _, v| put(&mut o.index, value::switch(v)) },
    Rule { key: "links", allowed: "inside or anywhere", set: |o, _, v| set(&mut o.links, links(v)) },
];

impl AppOptions {
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), Problem> {
        apply(APP, self, key, value)
    }
}

impl CgiOptions {
    pub(super) fn set(&mut self, key: &str, value: &str, base: &Path) -> Result<(), Problem> {
        apply(CGI, self, key, value)?;
        resolve(&mut self.root, base);
        Ok(())
    }
}

impl FastCgiOptions {
    pub(super) fn set(&mut self, key: &str, value: &str, base: &Path) -> Result<(), Problem> {
        apply(FASTCGI, self, key, value)?;
        resolve(&mut self.root, base);
        resolve(&mut self.script, base);
        Ok(())
    }
}

impl SpawnOptions {
    pub(super) fn set(&mut self, key: &str, value: &str, base: &Path) -> Result<(), Problem> {
        match apply(SPAWN, self, key, value) {
            Err(Problem::Unknown { allowed: own }) => {
                self.client.set(key, value, base).map_err(|problem| match problem {
                    Problem::Unknown { allowed } => Problem::Unknown { allowed: [own, allowed].concat() },
                    other => other,
                })
            }
            done => done.map(|()| resolve(&mut self.directory, base)),
        }
    }
}

impl StaticOptions {
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), Problem> {
        apply(STATIC, self, key, value)
    }
}

/// Puts a value that was read in its place.
pub(super) fn put<T>(place: &mut Option<T>, value: Option<T>) -> Option<()> {
    *place = Some(value?);
    Some(())
}

/// [`put`] for a value that has a default of its own.
pub(super) fn set<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

fn add<T>(list: &mut Vec<T>, value: Option<T>) -> Option<()> {
    list.push(value?);
    Some(())
}

fn resolve(path: &mut Option<PathBuf>, base: &Path) {
    *path = path.take().map(|path| base.join(path));
}

fn links(text: &str) -> Option<Links> {
    match text {
        "inside" => Some(Links::Inside),
        "anywhere" => Some(Links::Anywhere),
        _ => None,
    }
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
