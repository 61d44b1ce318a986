//! The written list: where a gateway's answer differs from the direct call, and why that is right or cannot be helped.
//!
//! A deviation that is not here fails its case. An entry that is not seen fails it too, unless it depends on timing: so
//! the list says what is true today.

use super::{Cell, Deviation};

/// One allowed difference.
struct Allowed {
    gateways: &'static [&'static str],
    cases: &'static [&'static str],
    /// What it is about ([`Deviation::what`]), and how [`Deviation::found`] begins; empty when that does not matter.
    covers: &'static [(&'static str, &'static str)],
    seen: Seen,
    reason: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Always,
    /// Depends on timing or on how much fits a buffer.
    Sometimes,
}

/// What a case's deviations mean for the table.
pub fn judge(gateway: &str, case: &str, deviations: &[Deviation]) -> Cell {
    let allowed: Vec<&Allowed> =
        ALLOWED.iter().filter(|a| a.gateways.contains(&gateway) && a.cases.contains(&case)).collect();
    let covers =
        |a: &Allowed, d: &Deviation| a.covers.iter().any(|(what, found)| *what == d.what && d.found.starts_with(found));
    let mut failed: Vec<String> = deviations
        .iter()
        .filter(|d| !allowed.iter().any(|a| covers(a, d)))
        .map(|d| format!("{}: {}", d.what, d.found))
        .collect();
    for entry in allowed.iter().filter(|a| a.seen == Always) {
        if !deviations.iter().any(|d| covers(entry, d)) {
            failed.push(format!("the listed difference was not seen: {}", entry.reason));
        }
    }
    let mut reasons: Vec<String> = allowed.iter().map(|a| a.reason.to_owned()).collect();
    reasons.dedup();
    match (failed.is_empty(), reasons.is_empty()) {
        (false, _) => Cell::Failed(failed),
        (true, true) => Cell::Same,
        (true, false) => Cell::Differs(reasons),
    }
}

use Seen::{Always, Sometimes};

const CGI: &[&str] = &["cgi host", "apache mod_cgid", "lighttpd mod_cgi", "nginx fcgiwrap", "nginx cgi-wrap"];
const LIGHTTPD: &[&str] = &["lighttpd mod_cgi", "lighttpd spawned", "lighttpd connected"];
const COUNTING: &[&str] = &[
    "apache mod_cgid",
    "apache mod_proxy_fcgi",
    "apache mod_fcgid",
    "lighttpd mod_cgi",
    "lighttpd spawned",
    "lighttpd connected",
    "haproxy",
    "haproxy mpxs",
    "caddy",
];
const HAPROXY: &[&str] = &["haproxy", "haproxy mpxs"];

const ALLOWED: &[Allowed] = &[
    Allowed {
        gateways: CGI,
        cases: &["closed", "closed_broken"],
        covers: &[("own process", "")],
        seen: Always,
        reason: "Each request has a process of its own, which counts only itself and answers before it closes.",
    },
    Allowed {
        gateways: &[
            "http listener",
            "http iterative",
            "http threads",
            "http event-loop",
            "cgi host",
            "fastcgi spawned",
            "fastcgi unix",
            "fastcgi tcp",
            "nginx unix",
            "nginx tcp",
            "apache mod_proxy_fcgi",
            "apache mod_fcgid",
            "lighttpd mod_cgi",
            "lighttpd spawned",
            "lighttpd connected",
            "nginx fcgiwrap",
            "nginx cgi-wrap",
            "haproxy",
            "haproxy mpxs",
            "caddy",
            "php-fpm",
            "php-cgi",
            "libfcgi C",
            "Perl FCGI",
            "Ruby fcgi",
            "Go fcgi",
        ],
        cases: &["echo_chunked"],
        covers: &[("field content-length", "1000 instead of none")],
        seen: Sometimes,
        reason: "A chunked body that has arrived whole before the application is called has a known length there.",
    },
    Allowed {
        gateways: &[
            "cgi host",
            "fastcgi spawned",
            "fastcgi unix",
            "fastcgi tcp",
            "nginx cgi-wrap",
            "php-fpm",
            "php-cgi",
            "libfcgi C",
            "Perl FCGI",
            "Ruby fcgi",
        ],
        cases: &["environ_authorization"],
        covers: &[("HTTP_AUTHORIZATION", "missing")],
        seen: Always,
        reason: "Credentials are not handed to a program unless the mount says `authorization=on` (RFC 3875 §4.1.18).",
    },
    Allowed {
        gateways: &["apache mod_cgid", "apache mod_proxy_fcgi", "apache mod_fcgid"],
        cases: &["environ_authorization"],
        covers: &[("HTTP_AUTHORIZATION", "missing")],
        seen: Always,
        reason: "httpd hands credentials to a program only with `CGIPassAuth On` (RFC 3875 §4.1.18).",
    },
    Allowed {
        gateways: &[
            "apache mod_cgid",
            "apache mod_fcgid",
            "lighttpd mod_cgi",
            "lighttpd spawned",
            "lighttpd connected",
        ],
        cases: &["environ_slashes_kept"],
        covers: &[("PATH_INFO", "/environ/x/")],
        seen: Always,
        reason: "The server makes one slash of several before it looks for the program; REQUEST_URI has them all.",
    },
    Allowed {
        gateways: LIGHTTPD,
        cases: &["environ_not_utf8"],
        covers: &[("answer", "400 instead of 200")],
        seen: Always,
        reason: "lighttpd refuses paths that are no UTF-8 (`url-invalid-utf8-reject`).",
    },
    Allowed {
        gateways: &["lighttpd mod_cgi", "lighttpd spawned", "lighttpd connected", "caddy"],
        cases: &["environ_underscore"],
        covers: &[("HTTP_X_UNDER", "shadow")],
        seen: Always,
        reason: "lighttpd before 1.4.83 and Caddy pass a field `X_Under` as they pass `X-Under`; behind them the two cannot be told apart.",
    },
    Allowed {
        gateways: &["nginx unix", "nginx tcp", "nginx fcgiwrap", "nginx cgi-wrap"],
        cases: &["environ_joined"],
        covers: &[("HTTP_X_TWICE", "two")],
        seen: Always,
        reason: "nginx before 1.23 sends one parameter for each line of a repeated field; the last one is seen.",
    },
    Allowed {
        gateways: COUNTING,
        cases: &["lazy", "write", "restart", "fail_after", "panic_after"],
        covers: &[("field content-length", "")],
        seen: Sometimes,
        reason: "A short body of unknown length that is there at once may get a Content-Length from the server in front.",
    },
    Allowed {
        gateways: &["apache mod_cgid", "lighttpd mod_cgi", "nginx fcgiwrap"],
        cases: &["fail_after", "panic_after"],
        covers: &[("end", "a clean end instead of a cut")],
        seen: Always,
        reason: "A CGI program can only end; these servers take any end for a whole answer if no Content-Length says more.",
    },
    Allowed {
        gateways: &["apache mod_cgid"],
        cases: &["length_long"],
        covers: &[("field content-length", "13 instead of 100"), ("end", "a clean end instead of a cut")],
        seen: Sometimes,
        reason: "httpd counts a short answer that is there at once itself, whatever Content-Length the program gave.",
    },
    Allowed {
        gateways: &["lighttpd spawned", "lighttpd connected"],
        cases: &["fail_after", "panic_after"],
        covers: &[("end", "a clean end instead of a cut")],
        seen: Sometimes,
        reason: "lighttpd takes a lost connection for the end of the answer when it has not yet sent the head.",
    },
    Allowed {
        gateways: &["apache mod_fcgid"],
        cases: &["fail_after", "panic_after", "length_long"],
        covers: &[
            ("status", "500 instead of 200"),
            ("end", "a clean end instead of a cut"),
            ("field content-length", ""),
            ("field content-type", "text/html"),
        ],
        seen: Always,
        reason: "mod_fcgid holds the first 64 KiB back; what breaks off before becomes its own 500 page.",
    },
    Allowed {
        gateways: &["apache mod_fcgid"],
        cases: &["closed_broken"],
        covers: &[("new process", "")],
        seen: Always,
        reason: "mod_fcgid replaces a worker that broke an answer off, and the count begins anew.",
    },
    Allowed {
        gateways: &["apache mod_cgid", "apache mod_fcgid", "nginx fcgiwrap"],
        cases: &["echo_8_mib"],
        covers: &[
            ("answer", ""),
            ("end", ""),
            ("body", ""),
            ("status", "50"),
            ("field content-length", ""),
            ("field content-type", ""),
        ],
        seen: Always,
        reason: "The server reads nothing of the answer before it has sent the whole request body; a program that answers \
                 while it reads more than the pipes hold waits for it in vain, until the server's timeout.",
    },
    Allowed {
        gateways: &["http2"],
        cases: &["environ_required"],
        covers: &[("SERVER_PROTOCOL", "HTTP/2.0")],
        seen: Always,
        reason: "The protocol of the request is HTTP/2.",
    },
    Allowed {
        gateways: &["apache mod_cgid"],
        cases: &["upload_chunked", "echo_chunked"],
        covers: &[("body", ""), ("field content-length", "")],
        seen: Always,
        reason: "mod_cgid gives no CONTENT_LENGTH for a chunked body, and a program must not read what it was not promised \
                 (RFC 3875 §4.2): it sees no body.",
    },
    Allowed {
        gateways: HAPROXY,
        cases: &["upload_chunked"],
        covers: &[
            ("status", "400 instead of 200"),
            ("body", ""),
            ("field cache-control", "no-cache"),
            ("field content-length", ""),
            ("field content-type", "text/html"),
        ],
        seen: Always,
        reason: "HAProxy hands on no body without a length: what was sent in chunks and has not come whole is answered with 400.",
    },
    Allowed {
        gateways: HAPROXY,
        cases: &["status_304"],
        covers: &[("field content-length", "0 instead of none")],
        seen: Always,
        reason: "HAProxy puts `Content-Length: 0` on an answer that has ended without a byte, a 304 too.",
    },
    Allowed {
        gateways: HAPROXY,
        cases: &["environ_joined"],
        covers: &[("HTTP_X_TWICE", "two")],
        seen: Always,
        reason: "HAProxy sends one parameter for each line of a repeated field; the last one is seen.",
    },
    Allowed {
        gateways: &["caddy"],
        cases: &["echo_put", "echo_empty", "echo_crlf_crlf", "echo_8_mib", "echo_chunked"],
        covers: &[("field content-type", "application/x-www-form-urlencoded")],
        seen: Always,
        reason: "Caddy calls a body without a Content-Type `application/x-www-form-urlencoded`.",
    },
    Allowed {
        gateways: &["caddy"],
        cases: &["fail_after", "panic_after"],
        covers: &[("end", "a clean end instead of a cut")],
        seen: Always,
        reason: "Caddy takes a lost connection for the end of an answer without a length.",
    },
    Allowed {
        gateways: &["Go fcgi"],
        cases: &["status_204"],
        covers: &[("field content-type", "text/plain; charset=utf-8 instead of none")],
        seen: Always,
        reason: "Go gives every answer a Content-Type, but for 304.",
    },
];
