//! The keys of `cgi:…`, and the readers of values that only they have.

use gateway_cgi::host::{Nph, Resource, UnknownLength};

use super::{NAME_AND_TEXT, file_name, files, links, name, request_variable};
use crate::cli::options::CgiOptions;
use crate::cli::rules::{Rule, add, put, set};
use crate::cli::value::{self, BYTES, COUNT, DURATION, PATH, SWITCH, TEXT};
use crate::cli::words;

pub(in crate::cli) const CGI: &[Rule<CgiOptions>] = &[
    Rule::new("timeout", DURATION, "how long a program may run in all; one hour by default", |o, _, v| {
        put(&mut o.timeout, value::duration(v))
    }),
    Rule::new(
        "header_timeout",
        DURATION,
        "how long a program may take for its header block; 60s by default",
        |o, _, v| put(&mut o.header_timeout, value::duration(v)),
    ),
    Rule::new(
        "idle_timeout",
        DURATION,
        "how long a program may be silent inside its answer; 60s by default",
        |o, _, v| put(&mut o.idle_timeout, value::duration(v)),
    ),
    Rule::new("queue_timeout", DURATION, "how long a request waits for a place; 10s by default", |o, _, v| {
        put(&mut o.queue_timeout, value::duration(v))
    }),
    Rule::new("max_children", COUNT, "programs at once; 32 by default", |o, _, v| {
        put(&mut o.max_children, value::count(v))
    }),
    Rule::new(
        "max_children_per_program",
        COUNT,
        "processes of one program at once; no limit of its own by default",
        |o, _, v| put(&mut o.max_children_per_program, value::count(v)),
    ),
    Rule::new(
        "unknown_length",
        "spool, refuse or stream",
        "what becomes of a request body without a length that is longer than preread_bytes: spool keeps it first and tells the true length, refuse is 411, \
         stream gives it to the program without CONTENT_LENGTH, which is outside RFC 3875; spool by default",
        |o, _, v| set(&mut o.unknown_length, unknown_length(v)),
    ),
    Rule::new(
        "max_spool",
        BYTES,
        "longest request body without a length, which is kept first; 1GiB by default",
        |o, _, v| put(&mut o.max_spool, value::bytes(v)),
    ),
    Rule::new(
        "index",
        "the name of a file",
        "program that answers for its folder; index.cgi by default; repeats, the first that is there counts",
        |o, _, v| add(&mut o.index, file_name(v)),
    ),
    Rule::new(
        "interpreter.",
        "an extension, such as py, with the absolute path of a program, perhaps with arguments before the script's path",
        "what runs files with this extension, which need not be executable then; none by default",
        |o, n, v| add(&mut o.interpreters, interpreter(n, v)),
    ),
    Rule::new(
        "links",
        "inside or anywhere",
        "where symbolic links may lead: inside the folder or anywhere; inside by default",
        |o, _, v| set(&mut o.links, links(v)),
    ),
    Rule::new(
        "nph",
        "never, named or always",
        "which programs write a complete HTTP response: none, those whose name starts with nph-, or all; never by default",
        |o, _, v| set(&mut o.nph, nph(v)),
    ),
    files::sendfile(&files::OF_PROGRAMS),
    files::accel(&files::OF_PROGRAMS),
    Rule::new("root", PATH, "document root, for DOCUMENT_ROOT and PATH_TRANSLATED; none by default", |o, _, v| {
        put(&mut o.root, value::path(v))
    }),
    Rule::new(
        "server_name",
        "a host name or an address, without a port",
        "SERVER_NAME, whatever the client calls the server; what the Host field says by default",
        |o, _, v| put(&mut o.server_name, host(v)),
    ),
    Rule::new(
        "server_port",
        "a number from 1 to 65535",
        "SERVER_PORT; the listener's by default, behind a UNIX socket the one in the Host field or 80",
        |o, _, v| put(&mut o.server_port, port(v)),
    ),
    Rule::new("authorization", SWITCH, "whether programs see the Authorization field; false by default", |o, _, v| {
        set(&mut o.authorization, value::switch(v))
    }),
    Rule::new("argument", TEXT, "one more argument for every program; repeats", |o, _, v| {
        add(&mut o.arguments, value::text(v))
    }),
    Rule::new(
        "inherit",
        "the name of a variable",
        "one more variable of the gateway for every program, beside PATH and TZ; repeats",
        |o, _, v| add(&mut o.inherit, name(v)),
    ),
    Rule::new(
        "user",
        "the name or number of a user who is not root",
        "as whom programs run, with the groups of that user; the gateway has to be root, or that user; the gateway's own by default",
        |o, _, v| put(&mut o.user, filled(v)),
    ),
    Rule::new("group", "the name or number of a group", "the only group of programs, with user", |o, _, v| {
        put(&mut o.group, filled(v))
    }),
    Rule::new("directory", PATH, "where programs start; the folder of each by default", |o, _, v| {
        put(&mut o.directory, value::path(v))
    }),
    Rule::new(
        "umask",
        "an octal number up to 777",
        "permissions that new files do not get; the gateway's own by default",
        |o, _, v| put(&mut o.umask, umask(v)),
    ),
    Rule::new(
        "max_cpu",
        DURATION,
        "processor time of a process, in whole seconds; no limit of its own by default",
        |o, _, v| add(&mut o.resources, whole_seconds(v).map(|seconds| (Resource::CpuSeconds, seconds))),
    ),
    Rule::new("max_memory", BYTES, "address space of a process; no limit of its own by default", |o, _, v| {
        add(&mut o.resources, value::bytes(v).map(|bytes| (Resource::MemoryBytes, bytes)))
    }),
    Rule::new(
        "max_processes",
        COUNT,
        "processes of the programs' user, all of them together; no limit of its own by default",
        |o, _, v| add(&mut o.resources, value::count(v).map(|count| (Resource::Processes, count as u64))),
    ),
    Rule::new("max_files", COUNT, "open files of a process; no limit of its own by default", |o, _, v| {
        add(&mut o.resources, value::count(v).map(|count| (Resource::Files, count as u64)))
    }),
    Rule::new("max_file_bytes", BYTES, "longest file that is written; no limit of its own by default", |o, _, v| {
        add(&mut o.resources, value::bytes(v).map(|bytes| (Resource::FileBytes, bytes)))
    }),
    Rule::new(
        "no_new_privileges",
        SWITCH,
        "whether set-user-ID programs give no rights; false by default, since sudo and many mailers are such",
        |o, _, v| set(&mut o.no_new_privileges, value::switch(v)),
    ),
    Rule::new(
        "read_only",
        SWITCH,
        "whether programs can write nowhere but below writable (Landlock, Linux 6.2); false by default",
        |o, _, v| set(&mut o.read_only, value::switch(v)),
    ),
    Rule::new(
        "writable",
        PATH,
        "with read_only, a folder or file that programs may write; none by default; repeats",
        |o, _, v| add(&mut o.writable, value::path(v)),
    ),
    Rule::new("env.", NAME_AND_TEXT, "a variable for every program", |o, n, v| add(&mut o.env, request_variable(n, v))),
];

fn unknown_length(text: &str) -> Option<UnknownLength> {
    match text {
        "spool" => Some(UnknownLength::Spool),
        "refuse" => Some(UnknownLength::Refuse),
        "stream" => Some(UnknownLength::Stream),
        _ => None,
    }
}

fn nph(text: &str) -> Option<Nph> {
    match text {
        "never" => Some(Nph::Never),
        "named" => Some(Nph::Named),
        "always" => Some(Nph::Always),
        _ => None,
    }
}

/// An extension without its dot, and the words of a command whose first is an absolute path: a name would be looked for
/// in another place than the operator thinks.
fn interpreter(extension: &str, text: &str) -> Option<(String, Vec<String>)> {
    let is_extension = extension.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-+".contains(&byte));
    let words = words::split(&value::text(text)?)?;
    let is_command = words.first().is_some_and(|program| program.starts_with('/'));
    (is_extension && is_command).then(|| (extension.to_owned(), words))
}

/// A host as it may stand in a URL (RFC 3986 §3.2.2), so that programs can make links with it.
fn host(text: &str) -> Option<String> {
    let bytes = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_host = match bytes {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    is_host.then(|| text.to_owned())
}

pub(super) fn filled(text: &str) -> Option<String> {
    value::text(text).filter(|name| !name.is_empty())
}

pub(super) fn umask(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    digits.then(|| u32::from_str_radix(text, 8).ok()).flatten().filter(|mask| *mask <= 0o777)
}

/// The system counts seconds; less than one would be none.
fn whole_seconds(text: &str) -> Option<u64> {
    value::duration(text).map(|time| time.as_secs()).filter(|seconds| *seconds > 0)
}

fn port(text: &str) -> Option<String> {
    let port = value::count(text).filter(|port| u16::try_from(*port).is_ok())?;
    Some(port.to_string())
}
