//! The head of a request on its way out: target and fields (RFC 9112 §3.2, RFC 9110 §7.6).
//!
//! Holds what is passed on, what is left out and what is added, from an environ. Does not hold connections.

use gateway_spec::Environ;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

use super::body::RequestBody;
use super::config::{Paths, ProxyConfig, ProxyHost};
use super::error::ProxyError;
use super::forwarded;
use super::upstream::Upstream;
use crate::environ::decode_path;
use crate::mount::encode_path;
use crate::serve::TrustedPeer;

/// Makes the request for the upstream. `via` is what stands in its Via field, `max_forwards` in the field of that name.
///
/// Hop-by-hop fields are not in an environ (HTTP-175), and what the client names in Connection was left out of it.
pub(super) fn request(
    environ: &Environ,
    body: RequestBody,
    config: &ProxyConfig,
    upstream: &Upstream,
    via: &[u8],
    max_forwards: Option<u32>,
) -> Result<Request<RequestBody>, ProxyError> {
    let bad = |what| move || ProxyError::Request { what };
    let keeps_prefix = match config.paths {
        Paths::ByUrl => upstream.base().is_none(),
        Paths::Keep => true,
        Paths::Strip => false,
    };
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(&environ.request_method()).map_err(|_| bad("method")())?;
    *request.uri_mut() = target(environ, keeps_prefix, upstream.base().unwrap_or_default())?;
    let length = http_body::Body::size_hint(request.body()).exact();

    let fields = request.headers_mut();
    fields.insert(header::HOST, host(environ, config, upstream).ok_or_else(bad("Host"))?);
    let is_trusted = environ.extensions.get::<TrustedPeer>().is_some();
    for (name, value) in environ.request_headers() {
        match name.as_str() {
            // Decided below, or by whoever frames the message.
            "host" | "via" | "content-length" | "expect" => continue,
            "max-forwards" if max_forwards.is_some() => continue,
            "content-type" if value.is_empty() => continue,
            name if forwarded::is_about_client(name) && !is_trusted => continue,
            _ => {}
        }
        let name = HeaderName::try_from(name).map_err(|_| bad("field name")())?;
        fields.append(name, HeaderValue::from_bytes(&value).map_err(|_| bad("field value")())?);
    }
    if let Some(length) = length.filter(|_| environ.content_length().is_some()) {
        fields.insert(header::CONTENT_LENGTH, length.into());
    }
    fields.insert(header::VIA, HeaderValue::from_bytes(via).map_err(|_| bad("Via")())?);
    if expects_continue(environ) {
        fields.insert(header::EXPECT, HeaderValue::from_static("100-continue"));
    }
    if let Some(left) = max_forwards {
        fields.insert(header::MAX_FORWARDS, left.into());
    }
    let script_name = environ.script_name();
    forwarded::add(fields, environ, (!keeps_prefix).then_some(script_name.as_bytes()));
    Ok(request)
}

/// Whether the client waits to be told to go on; the listener lets no other expectation through (HTTP-126).
pub(super) fn expects_continue(environ: &Environ) -> bool {
    environ.header("expect").is_some() && environ.server_protocol() == "HTTP/1.1"
}

/// What can be sent once more if the first time was in vain: all but the body, which is empty.
pub(super) fn copy_of_head(request: &Request<RequestBody>) -> (Method, Uri, HeaderMap) {
    (request.method().clone(), request.uri().clone(), request.headers().clone())
}

fn host(environ: &Environ, config: &ProxyConfig, upstream: &Upstream) -> Option<HeaderValue> {
    let asked_for = || match environ.header("host").filter(|host| !host.is_empty()) {
        Some(host) => HeaderValue::from_bytes(&host).ok(),
        // HTTP/1.0 need not say it; the upstream is asked in HTTP/1.1, which must.
        None => HeaderValue::from_bytes(&environ.server_name()).ok(),
    };
    match &config.host {
        ProxyHost::Keep => asked_for(),
        ProxyHost::Upstream => HeaderValue::from_str(upstream.authority()).ok(),
        ProxyHost::Fixed(host) => HeaderValue::from_str(host).ok(),
    }
}

/// The target in origin-form. The path goes out as it came, escapes and all, wherever REQUEST_URI is still about it; a
/// redirection inside the gateway changes SCRIPT_NAME and PATH_INFO alone, which then are encoded anew.
fn target(environ: &Environ, keeps_prefix: bool, base: &str) -> Result<Uri, ProxyError> {
    let asked = environ.get("REQUEST_URI").unwrap_or_default();
    let raw = path_of(asked.as_bytes());
    let script_name = environ.script_name();
    let path_info = environ.path_info();
    let mut decoded = Vec::new();
    let is_of_this_path =
        decode_path(raw, &mut decoded).is_some() && decoded == [script_name.as_bytes(), path_info.as_bytes()].concat();

    let mut target = base.as_bytes().to_vec();
    match (is_of_this_path, keeps_prefix) {
        (true, true) => target.extend_from_slice(raw),
        (true, false) => target.extend_from_slice(behind(raw, script_name.len())),
        (false, true) => target.extend(encode_path(&[script_name.as_bytes(), path_info.as_bytes()].concat()).bytes()),
        (false, false) => target.extend(encode_path(&path_info).bytes()),
    }
    if target.is_empty() {
        target.push(b'/');
    }
    let query = environ.query_string();
    // An empty query is not the same as none, but only the target as it came knows.
    if !query.is_empty() || (is_of_this_path && asked.last() == Some(&b'?')) {
        target.push(b'?');
        target.extend_from_slice(&query);
    }
    let target = PathAndQuery::try_from(target).map_err(|_| ProxyError::Request { what: "target" })?;
    Ok(Uri::from(target))
}

/// The path in a request target, without its query (RFC 9112 §3.2.1, §3.2.2).
fn path_of(target: &[u8]) -> &[u8] {
    let end = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    let target = target.get(..end).unwrap_or_default();
    if target.first() == Some(&b'/') {
        return target;
    }
    let authority = target.windows(3).position(|window| window == b"://").and_then(|at| target.get(at + 3..));
    let slash = authority.and_then(|authority| authority.iter().position(|byte| *byte == b'/'));
    slash.and_then(|at| authority.unwrap_or_default().get(at..)).unwrap_or_default()
}

/// What stands behind the first `decoded` bytes of a path, where an escape counts as one.
fn behind(raw: &[u8], decoded: usize) -> &[u8] {
    let mut rest = raw;
    for _ in 0..decoded {
        let length = if rest.first() == Some(&b'%') { 3 } else { 1 };
        rest = rest.get(length..).unwrap_or_default();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, split: (&str, &str), keeps_prefix: bool, base: &str, wanted: &str) {
        let mut environ = Environ::example("GET", "/");
        environ.set("REQUEST_URI", uri).unwrap();
        environ.set("SCRIPT_NAME", split.0).unwrap();
        environ.set("PATH_INFO", split.1).unwrap();
        environ.set("QUERY_STRING", uri.split_once('?').map_or("", |(_, query)| query)).unwrap();
        assert_eq!(target(&environ, keeps_prefix, base).unwrap().to_string(), wanted, "{uri}");
    }

    #[test]
    fn the_path_goes_out_as_it_came() {
        check("/a%2Cb/%7Ec?q=%20&r", ("", "/a,b/~c"), true, "", "/a%2Cb/%7Ec?q=%20&r");
        check("/app/x", ("/app", "/x"), true, "", "/app/x");
        check("/app/x", ("/app", "/x"), true, "/v2", "/v2/app/x");
        check("http://h:1/app/x?y", ("/app", "/x"), true, "", "/app/x?y");
        check("http://h:1", ("", "/"), true, "", "/");
        check("/x?", ("", "/x"), true, "", "/x?");
        check("//x//", ("", "//x//"), true, "", "//x//");
    }

    #[test]
    fn a_prefix_is_taken_off_however_it_was_written() {
        check("/app/x?y", ("/app", "/x"), false, "", "/x?y");
        check("/%61pp/%78", ("/app", "/x"), false, "", "/%78");
        check("/app", ("/app", ""), false, "", "/");
        check("/app?y", ("/app", ""), false, "/base", "/base?y");
        check("/app/", ("/app", "/"), false, "/base", "/base/");
    }

    #[test]
    fn cgi_108_a_path_that_was_redirected_inside_the_gateway_is_encoded_anew() {
        check("/old", ("/app", "/new place"), true, "", "/app/new%20place");
        check("/old", ("/app", "/new place"), false, "", "/new%20place");
    }
}
