//! From the head of a stream to a call: the rules of HTTP/1.1 for targets, hosts and fields, in the words of HTTP/2 (RFC 9113 §8.3).
//!
//! Holds what a head must be. What no head may be at all has been refused by the crate: pseudo-fields that are missing or in the wrong
//! place, names in upper case, fields about a connection (§8.2.2), a Content-Length that is no number or not the body's.

use super::Link;
use crate::environ::{Asked, environ_builder};
use crate::h1::{RequestError, TargetForm, is_authority, parse_target};
use crate::serve::handler::Handler;
use crate::serve::record::RefusedLine;
use crate::serve::refusal::Refusal;
use crate::serve::request::{find, finish};
use gateway_spec::Environ;
use http::request::Parts;
use http::{HeaderValue, Method, header};

/// What SERVER_PROTOCOL says: the form of RFC 3875 §4.1.16, as nginx, Apache and lighttpd write it. The protocol has no minor version.
const PROTOCOL: &str = "HTTP/2.0";

/// A request on its way to its application.
pub(super) struct Call<'a> {
    pub(super) handler: &'a Handler,
    pub(super) environ: Environ,
    /// The declared length of the body.
    pub(super) length: Option<u64>,
    pub(super) waits_for_continue: bool,
}

/// Why there is none, and what is told of it.
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) line: Option<RefusedLine>,
}

/// Checks a head and builds its environ.
pub(super) fn call<'a>(link: &'a Link, head: &Parts) -> Result<Call<'a>, Refused> {
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let mut asked = Asked {
        method: head.method.as_str().as_bytes(),
        target: target.as_bytes(),
        form: TargetForm::Origin,
        path: b"",
        query: None,
        host: b"",
        protocol: PROTOCOL,
        head_bytes: head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum(),
        fields: head.headers.len(),
    };
    let body = checked(link, head, &mut asked).map_err(Refusal::from);
    let called = body.and_then(|body| built(link, head, &asked, body));
    called.map_err(|refusal| {
        let is_told = link.shared.config.telemetry.is_some();
        Refused { refusal, line: is_told.then(|| RefusedLine::of(&asked)) }
    })
}

/// What the fields say about the body.
#[derive(Clone, Copy)]
struct Body {
    length: Option<u64>,
    waits_for_continue: bool,
}

fn checked<'h>(link: &Link, head: &'h Parts, asked: &mut Asked<'h>) -> Result<Body, RequestError> {
    let limits = &link.shared.config.limits;
    if asked.method.len() > limits.max_method_bytes {
        return Err(RequestError::MethodTooLong { limit: limits.max_method_bytes });
    }
    // HTTP-33
    if head.method == Method::CONNECT {
        return Err(RequestError::Connect);
    }
    if asked.target.len() > limits.max_target_bytes {
        return Err(RequestError::TargetTooLong { limit: limits.max_target_bytes });
    }
    if asked.fields > limits.max_fields {
        return Err(RequestError::TooManyFields { limit: limits.max_fields });
    }
    let scheme = link.facts.scheme();
    // HTTP-49
    if head.uri.scheme_str().is_some_and(|asked| !asked.eq_ignore_ascii_case(scheme.as_str())) {
        return Err(RequestError::Scheme);
    }
    let parts = parse_target(asked.method, asked.target, &scheme)?;
    asked.form = parts.form;
    asked.path = asked.target.get(parts.path).unwrap_or_default();
    asked.query = parts.query.and_then(|query| asked.target.get(query));
    asked.host = host(head)?;
    // §8.2.1: what HTTP/1.1 strips was never there.
    if head.headers.values().any(|value| value.as_bytes().trim_ascii() != value.as_bytes()) {
        return Err(RequestError::FieldValue);
    }
    body(link, head)
}

/// The authority, or Host where a client has only that; both must say the same (§8.3.1, HTTP-46).
fn host(head: &Parts) -> Result<&[u8], RequestError> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let field = hosts.next().map(HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Err(RequestError::HostRepeated);
    }
    let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
    match (authority, field) {
        (None, None) => Err(RequestError::HostMissing),
        (Some(one), Some(other)) if !one.eq_ignore_ascii_case(other) => Err(RequestError::Host),
        (Some(host), _) | (None, Some(host)) if is_authority(host) => Ok(host),
        _ => Err(RequestError::Host),
    }
}

fn body(link: &Link, head: &Parts) -> Result<Body, RequestError> {
    let mut lengths = head.headers.get_all(header::CONTENT_LENGTH).iter();
    let length = lengths.next().map(|value| value.to_str().ok().and_then(|digits| digits.parse().ok()));
    let length = length.map(|length| length.ok_or(RequestError::Length)).transpose()?;
    if lengths.next().is_some() {
        return Err(RequestError::LengthRepeated);
    }
    if let (Some(length), Some(limit)) = (length, link.shared.config.limits.max_body_bytes)
        && length > limit
    {
        return Err(RequestError::BodyTooLong { limit });
    }
    let mut waits_for_continue = false;
    for value in head.headers.get_all(header::EXPECT) {
        if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") {
            return Err(RequestError::Expectation);
        }
        waits_for_continue = true;
    }
    Ok(Body { length, waits_for_continue })
}

fn built<'a>(link: &'a Link, head: &Parts, asked: &Asked<'_>, body: Body) -> Result<Call<'a>, Refusal> {
    let mut decoded = Vec::new();
    let (handler, path) = find(&link.shared, &link.facts, asked, &mut decoded)?;
    let mut builder = environ_builder(asked, &link.facts, &path);
    builder.add_header(b"host", asked.host);
    // HTTP-63, and §8.2.3 for cookies: what comes in several fields is joined by the builder.
    for (name, value) in head.headers.iter().filter(|(name, _)| *name != header::HOST) {
        builder.add_header(name.as_str().as_bytes(), value.as_bytes());
    }
    let environ = finish(builder, &link.shared, link.peer)?;
    let Body { length, waits_for_continue } = body;
    Ok(Call { handler, environ, length, waits_for_continue })
}
