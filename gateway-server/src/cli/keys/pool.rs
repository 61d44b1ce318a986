//! The keys of workers that this process starts: `fastcgi:spawn:…` and `gateway workers`.

use gateway_cgi::host::Resource;
use gateway_fastcgi::manager::FinishSignal;

use super::cgi::{filled, umask};
use super::{NAME_AND_TEXT, name, process_variable};
use crate::cli::rules::{Rule, add, put, set};
use crate::cli::value::{self, BYTES, COUNT, DURATION, PATH, SWITCH};
use crate::cli::workers::{ModeName, PoolOptions};

pub(in crate::cli) const POOL: &[Rule<PoolOptions>] = &[
    Rule::new(
        "mode",
        "static, dynamic or ondemand",
        "how many workers there are: always all, some to spare, or as many as are asked for; static by default",
        |o, _, v| put(&mut o.mode, mode(v)),
    ),
    Rule::new(
        "workers",
        COUNT,
        "how many processes, in dynamic and ondemand at most; 2 by default; php-cgi and others that serve one connection at \
         a time also need max_connections of fastcgi:spawn: to be this number",
        |o, _, v| put(&mut o.workers, value::count(v)),
    ),
    Rule::new("start_workers", COUNT, "dynamic: how many at first; between the spares by default", |o, _, v| {
        put(&mut o.start, value::count(v))
    }),
    Rule::new("min_spare", COUNT, "dynamic: how many are idle at least; 1 by default", |o, _, v| {
        put(&mut o.min_spare, value::count(v))
    }),
    Rule::new("max_spare", COUNT, "dynamic: how many are idle at most; half the workers by default", |o, _, v| {
        put(&mut o.max_spare, value::count(v))
    }),
    Rule::new(
        "process_idle_timeout",
        DURATION,
        "ondemand: how long a worker is idle before it ends; 10s by default",
        |o, _, v| put(&mut o.process_idle_timeout, value::duration(v)),
    ),
    Rule::new("max_spawn_rate", COUNT, "workers started at once; 32 by default", |o, _, v| {
        put(&mut o.max_spawn_rate, value::count(v))
    }),
    Rule::new(
        "max_requests",
        COUNT,
        "requests of a worker before it is replaced; no limit by default; php-cgi is told, of other workers that are not \
         ours nobody knows",
        |o, _, v| put(&mut o.max_requests, value::count(v)),
    ),
    Rule::new(
        "max_requests_jitter",
        COUNT,
        "up to so many requests more, another number for each worker; none by default",
        |o, _, v| put(&mut o.max_requests_jitter, value::count(v)),
    ),
    Rule::new(
        "worker_lifetime",
        DURATION,
        "how long a worker is used before it is replaced, and up to a tenth more; no limit by default",
        |o, _, v| put(&mut o.lifetime, value::duration(v)),
    ),
    Rule::new(
        "max_resident",
        BYTES,
        "resident memory of a worker, over which it is replaced once it has finished; no limit by default",
        |o, _, v| put(&mut o.max_resident, value::bytes(v)),
    ),
    Rule::new(
        "request_timeout",
        DURATION,
        "how long a request may take before its worker is killed, and everything in it lost; no limit by default",
        |o, _, v| put(&mut o.request_timeout, value::duration(v)),
    ),
    Rule::new(
        "slow_after",
        DURATION,
        "requests that take longer are told of in the log; none by default",
        |o, _, v| put(&mut o.slow_after, value::duration(v)),
    ),
    Rule::new("look_interval", DURATION, "how often workers are looked at; 1s by default", |o, _, v| {
        put(&mut o.interval, value::duration(v))
    }),
    Rule::new(
        "ready_after",
        DURATION,
        "how long a worker that does not say so must live to count as ready; 1s by default",
        |o, _, v| put(&mut o.ready_after, value::duration(v)),
    ),
    Rule::new(
        "start_timeout",
        DURATION,
        "how long a worker that does say so may take to be ready; 60s by default",
        |o, _, v| put(&mut o.start_timeout, value::duration(v)),
    ),
    Rule::new(
        "finish_timeout",
        DURATION,
        "how long a worker that is replaced may take for its last requests before it is killed; 60s by default",
        |o, _, v| put(&mut o.finish_timeout, value::duration(v)),
    ),
    Rule::new(
        "stop_timeout",
        DURATION,
        "how long workers have to end before they are killed; 10s by default",
        |o, _, v| put(&mut o.stop_timeout, value::duration(v)),
    ),
    Rule::new(
        "finish_signal",
        "TERM, USR1, QUIT or INT",
        "what asks workers to finish that are not ours; TERM by default",
        |o, _, v| put(&mut o.finish_signal, signal(v)),
    ),
    Rule::new(
        "max_restart_delay",
        DURATION,
        "the longest pause before a worker that fails at its start is started again; 30s by default",
        |o, _, v| put(&mut o.max_restart_delay, value::duration(v)),
    ),
    Rule::new(
        "emergency_crashes",
        COUNT,
        "crashes of workers within emergency_interval after which starts are held back for max_restart_delay; never by \
         default",
        |o, _, v| put(&mut o.emergency_crashes, value::count(v)),
    ),
    Rule::new("emergency_interval", DURATION, "for emergency_crashes; 1min by default", |o, _, v| {
        put(&mut o.emergency_interval, value::duration(v))
    }),
    Rule::new("directory", PATH, "where workers are started; the current folder by default", |o, _, v| {
        put(&mut o.directory, value::path(v))
    }),
    Rule::new(
        "user",
        "the name or number of a user who is not root",
        "as whom workers run, with the groups of that user; the gateway has to be root, or that user; the gateway's own by \
         default",
        |o, _, v| put(&mut o.user, filled(v)),
    ),
    Rule::new("group", "the name or number of a group", "the only group of workers, with user", |o, _, v| {
        put(&mut o.group, filled(v))
    }),
    Rule::new(
        "umask",
        "an octal number up to 777",
        "permissions that new files do not get; the gateway's own by default",
        |o, _, v| put(&mut o.umask, umask(v)),
    ),
    Rule::new("max_memory", BYTES, "address space of a process; no limit of its own by default", |o, _, v| {
        add(&mut o.resources, value::bytes(v).map(|bytes| (Resource::MemoryBytes, bytes)))
    }),
    Rule::new(
        "max_processes",
        COUNT,
        "processes of the workers' user, all of them together; no limit of its own by default",
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
        "whether set-user-ID programs give no rights; false by default",
        |o, _, v| set(&mut o.no_new_privileges, value::switch(v)),
    ),
    Rule::new(
        "control",
        SWITCH,
        "whether workers get a control channel as descriptor 3, on which ours say what they do; true by default",
        |o, _, v| put(&mut o.control, value::switch(v)),
    ),
    Rule::new(
        "inherit",
        "the name of a variable",
        "one more variable of the gateway for the workers, beside PATH, TZ, LANG and the like and FCGI_WEB_SERVER_ADDRS; repeats",
        |o, _, v| add(&mut o.inherit, name(v)),
    ),
    Rule::new("env.", NAME_AND_TEXT, "a variable of the workers' environment", |o, n, v| {
        add(&mut o.env, process_variable(n, v))
    }),
];

fn mode(text: &str) -> Option<ModeName> {
    match text {
        "static" => Some(ModeName::Static),
        "dynamic" => Some(ModeName::Dynamic),
        "ondemand" => Some(ModeName::OnDemand),
        _ => None,
    }
}

fn signal(text: &str) -> Option<FinishSignal> {
    match text {
        "TERM" => Some(FinishSignal::Term),
        "USR1" => Some(FinishSignal::Usr1),
        "QUIT" => Some(FinishSignal::Quit),
        "INT" => Some(FinishSignal::Int),
        _ => None,
    }
}
