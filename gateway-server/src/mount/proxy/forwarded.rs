//! Who the client is, for the upstream: Forwarded (RFC 7239) and the X-Forwarded fields that came before it.
//!
//! Holds how they are written, and that those of strangers are not passed on (HTTP-52). Does not hold whom to trust
//! ([`crate::serve`]).

use gateway_spec::Environ;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::mount::encode_path;
use crate::serve::TrustedPeer;

/// What a stranger may not say: an upstream would believe it, because it comes from us.
pub(super) fn is_about_client(name: &str) -> bool {
    name == "forwarded" || name == "x-real-ip" || name.starts_with("x-forwarded-")
}

/// Adds what is known of the client. `prefix` is the part of the path that the upstream does not see.
pub(super) fn add(fields: &mut HeaderMap, environ: &Environ, prefix: Option<&[u8]>) {
    let hops = hops(environ);
    let scheme = environ.url_scheme.as_str();
    let host = environ.header("host").map(|host| host.to_string()).unwrap_or_default();

    append(fields, "x-forwarded-for", unsaid(&hops, fields, "x-forwarded-for").join(", ").as_bytes());
    first(fields, "x-forwarded-proto", scheme.as_bytes());
    first(fields, "x-forwarded-host", host.as_bytes());
    if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
        let name = HeaderName::from_static("x-forwarded-prefix");
        let mut whole = fields.get(&name).map(|came| came.as_bytes().to_vec()).unwrap_or_default();
        whole.extend(encode_path(prefix).bytes());
        set(fields, name, &whole);
    }

    let host = if host.is_empty() { String::new() } else { format!(";host={}", word(&host)) };
    let hops = unsaid(&hops, fields, "forwarded");
    let mut elements: Vec<String> = hops.iter().map(|hop| format!("for={}", node(hop))).collect();
    // What the client asked for is known of the client alone.
    if let (Some(first), false) = (elements.first_mut(), fields.contains_key("forwarded")) {
        first.push_str(&format!("{host};proto={scheme}"));
    }
    append(fields, "forwarded", elements.join(", ").as_bytes());
}

/// The hops that a field does not name yet: all, or the last if a trusted proxy has begun the row.
fn unsaid<'a>(hops: &'a [String], fields: &HeaderMap, name: &str) -> &'a [String] {
    let from = if fields.contains_key(name) { hops.len().saturating_sub(1) } else { 0 };
    hops.get(from..).unwrap_or_default()
}

/// The client, and the proxy between it and us if we trust one.
fn hops(environ: &Environ) -> Vec<String> {
    let client = environ.remote_addr().map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    match environ.extensions.get::<TrustedPeer>() {
        Some(TrustedPeer(peer)) if *peer != client => vec![client, peer.clone()],
        _ => vec![client],
    }
}

/// An address as an element of Forwarded has it (RFC 7239 §6).
fn node(address: &str) -> String {
    if address.contains(':') { format!("\"[{address}]\"") } else { address.to_owned() }
}

/// Puts `value` behind what trusted hops said.
fn append(fields: &mut HeaderMap, name: &'static str, value: &[u8]) {
    let name = HeaderName::from_static(name);
    let mut list = fields.get(&name).map(|came| came.as_bytes().to_vec()).unwrap_or_default();
    if !list.is_empty() {
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(value);
    set(fields, name, &list);
}

/// What the outermost trusted hop said stands; otherwise what we saw.
fn first(fields: &mut HeaderMap, name: &'static str, value: &[u8]) {
    let name = HeaderName::from_static(name);
    if !fields.contains_key(&name) && !value.is_empty() {
        set(fields, name, value);
    }
}

fn set(fields: &mut HeaderMap, name: HeaderName, value: &[u8]) {
    // All of it was a field's value before, or is our own text.
    if let Ok(value) = HeaderValue::from_bytes(value) {
        fields.insert(name, value);
    }
}

/// A token as it is, all else in quotation marks (RFC 7239 §4).
fn word(text: &str) -> String {
    let is_token = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    if is_token { text.to_owned() } else { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) }
}
