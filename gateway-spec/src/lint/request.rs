//! What the server says about the request (PEP 3333 "environ Variables").

use std::collections::HashSet;

use super::rules;
use super::violation::Reporter;
use crate::{Environ, Scheme, Value};

/// Checks every variable and the facts that come with them.
pub(super) fn check(environ: &Environ, reporter: &Reporter) {
    method(environ, reporter);
    paths(environ, reporter);
    content(environ, reporter);
    server(environ, reporter);
    scheme(environ, reporter);
    names(environ, reporter);
    for name in ["AUTH_TYPE", "REMOTE_USER", "REMOTE_IDENT"] {
        if environ.get(name).is_some_and(|value| value.is_empty()) {
            reporter.report(rules::NOT_INVENTED, format!("{name} is empty"));
        }
    }
}

fn method(environ: &Environ, reporter: &Reporter) {
    let method = environ.request_method();
    if method.is_empty() || !method.iter().copied().all(is_tchar) {
        reporter.report(rules::METHOD, format!("REQUEST_METHOD is {method:?}"));
    }
}

fn paths(environ: &Environ, reporter: &Reporter) {
    let script = environ.script_name();
    if !script.is_empty() && (!script.starts_with(b"/") || script.ends_with(b"/")) {
        reporter.report(rules::SCRIPT_NAME, format!("SCRIPT_NAME is {script:?}"));
    }
    let path = environ.path_info();
    let special = match environ.request_method().as_bytes() {
        b"OPTIONS" => path == "*",
        b"CONNECT" => is_authority(path),
        _ => false,
    };
    if !path.is_empty() && !path.starts_with(b"/") && !special {
        reporter.report(rules::PATH_INFO, format!("PATH_INFO is {path:?}"));
    }
}

fn content(environ: &Environ, reporter: &Reporter) {
    for name in ["HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"] {
        if environ.get(name).is_some() {
            reporter.report(rules::CONTENT_FIELDS, format!("{name} is set"));
        }
    }
    let Some(text) = environ.get("CONTENT_LENGTH").filter(|text| !text.is_empty()) else { return };
    match (text.parse_number(), environ.input.length()) {
        (None, _) => reporter.report(rules::CONTENT_LENGTH, format!("CONTENT_LENGTH is {text:?}")),
        (Some(said), Some(length)) if said != length => {
            reporter.report(rules::CONTENT_LENGTH, format!("CONTENT_LENGTH is {said} and the input's length {length}"));
        }
        _ => {}
    }
}

fn server(environ: &Environ, reporter: &Reporter) {
    if environ.server_name().is_empty() {
        reporter.report(rules::SERVER, "SERVER_NAME is missing or empty");
    }
    if environ.server_port().is_none() {
        let port = environ.get("SERVER_PORT").unwrap_or_default();
        reporter.report(rules::SERVER, format!("SERVER_PORT is {port:?}"));
    }
    let protocol = environ.server_protocol();
    if !is_protocol(protocol) {
        reporter.report(rules::PROTOCOL, format!("SERVER_PROTOCOL is {protocol:?}"));
    }
    if let Some(host) = environ.get("HTTP_HOST").filter(|host| !host.is_empty() && !is_authority(*host)) {
        reporter.report(rules::HOST, format!("HTTP_HOST is {host:?}"));
    }
}

fn scheme(environ: &Environ, reporter: &Reporter) {
    let scheme = environ.url_scheme.as_str().as_bytes();
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    if !is_scheme {
        reporter.report(rules::SCHEME, format!("the scheme is {:?}", environ.url_scheme.as_str()));
    }
    let https = environ.get("HTTPS").unwrap_or_default();
    let on = https.eq_ignore_ascii_case(b"on") || https == "1" || https.eq_ignore_ascii_case(b"yes");
    if on != (environ.url_scheme == Scheme::Https) {
        reporter.report(rules::HTTPS, format!("the scheme is {} and HTTPS is {https:?}", environ.url_scheme));
    }
}

fn names(environ: &Environ, reporter: &Reporter) {
    let mut seen = HashSet::new();
    for (name, _) in environ.iter() {
        if !seen.insert(name.to_ascii_uppercase()) {
            reporter.report(rules::ONE_SPELLING, format!("{name} is there in two spellings"));
        }
        if let Some(field) = name.strip_prefix(b"HTTP_") {
            field_variable(name, field, reporter);
        } else if name.iter().any(u8::is_ascii_lowercase)
            && !name.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(byte))
        {
            reporter.report(rules::OWN_KEYS, format!("variable {name:?}"));
        }
    }
}

fn field_variable(name: Value<'_>, field: &[u8], reporter: &Reporter) {
    match field {
        b"PROXY" => reporter.report(rules::NO_PROXY, "HTTP_PROXY is set"),
        b"TRANSFER_ENCODING" => reporter.report(rules::NO_TRANSFER_ENCODING, "HTTP_TRANSFER_ENCODING is set"),
        _ => {
            let is_mapped = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
            if field.is_empty() || !field.iter().all(is_mapped) {
                reporter.report(rules::FIELD_VARIABLES, format!("variable {name:?}"));
            }
        }
    }
}

/// RFC 9110 §5.6.2.
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `HTTP/1.1`, `HTTP/2`; RFC 3875 §4.1.16 also knows `INCLUDED`, and the name's case does not count (CGI-40).
fn is_protocol(protocol: Value<'_>) -> bool {
    if protocol.eq_ignore_ascii_case(b"INCLUDED") {
        return true;
    }
    let mut halves = protocol.splitn(2, |byte| *byte == b'/');
    let name = halves.next().unwrap_or_default();
    let Some(version) = halves.next() else { return false };
    let mut numbers = version.splitn(2, |byte| *byte == b'.');
    !name.is_empty()
        && name.iter().copied().all(is_tchar)
        && numbers.all(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// `host`, `host:port`, `[v6]:port`; no user (RFC 9110 §7.2).
fn is_authority(text: Value<'_>) -> bool {
    let bytes = text.as_bytes();
    let (host, port) = match bytes.iter().rposition(|byte| *byte == b']') {
        Some(at) => match bytes.split_at_checked(at + 1) {
            Some((host, [])) => (host, &b""[..]),
            Some((host, [b':', port @ ..])) => (host, port),
            _ => return false,
        },
        None => match bytes.iter().position(|byte| *byte == b':') {
            Some(at) => (bytes.get(..at).unwrap_or_default(), bytes.get(at + 1..).unwrap_or_default()),
            None => (bytes, &b""[..]),
        },
    };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte);
    let host_is_valid = match host {
        [b'[', address @ .., b']'] => address.iter().all(|byte| is_name(byte) || *byte == b':') && !address.is_empty(),
        name => !name.is_empty() && name.iter().all(is_name),
    };
    host_is_valid && port.iter().all(u8::is_ascii_digit)
}
