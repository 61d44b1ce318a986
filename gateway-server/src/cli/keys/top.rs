//! Keys at the top of the configuration file.

use crate::cli::rules::{Rule, put, set};
use crate::cli::settings::Settings;
use crate::cli::value::{self, MODE, SWITCH};
use crate::launch::MAX_THREADS;
use crate::serve::{self, ForwardedFields};

/// More than that is a slip of the finger, and would be memory before it is threads.
const THREADS: &str = "a number from 1 to 4096";
const _: () = assert!(MAX_THREADS == 4096);

/// Keys at the top of the configuration file; tables have their own.
pub(in crate::cli) const TOP: &[Rule<Settings>] = &[
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
        |s, _, v| s.set_server(v.parse().ok(), serve::Config::hosts),
    ),
    Rule::new(
        "trusted_proxies",
        "addresses, networks such as 10.0.0.0/8 (up to /32, or /128 for IPv6), or unix for peers on UNIX sockets, with commas between them",
        "proxies in front of this server whose word about the client is taken, for every mount: REMOTE_ADDR and the scheme follow from \
         it; what others say is dropped then; nobody by default, and the fields mean nothing",
        |s, _, v| s.set_server(v.parse().ok(), serve::Config::trusted_proxies),
    ),
    Rule::new(
        "trusted_fields",
        "x-forwarded or forwarded",
        "which fields those proxies set: X-Forwarded-For and its like, or Forwarded (RFC 7239); the others are dropped; x-forwarded by default",
        |s, _, v| s.set_server(forwarded_fields(v), serve::Config::trusted_fields),
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

fn forwarded_fields(text: &str) -> Option<ForwardedFields> {
    match text {
        "x-forwarded" => Some(ForwardedFields::XForwarded),
        "forwarded" => Some(ForwardedFields::Forwarded),
        _ => None,
    }
}
