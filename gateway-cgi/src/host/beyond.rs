//! What no CGI program can answer, and what is said instead.
//!
//! Holds requests that never reach a program: methods that are the server's, and handshakes that ask for another protocol.
//! Does not hold what a program may refuse by itself.

use gateway_spec::{AsyncResponse, Environ, StatusCode, headers};

use super::HostError;

/// The methods that a program may see; for the Allow field of a 405 (RFC 9110 §15.5.6).
pub(super) const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// TRACE is answered by servers, CONNECT by proxies (CGI-75).
pub(super) fn check_method(environ: &Environ) -> Result<(), HostError> {
    let method = environ.request_method();
    if method == "TRACE" || method == "CONNECT" { Err(HostError::Method) } else { Ok(()) }
}

/// The answer to a WebSocket handshake.
///
/// A server may pass over an Upgrade field and answer as if it was not there (RFC 9110 §7.8); that is what happens to
/// others, such as `h2c`: a program does not see the field (CGI-57). The page behind a handshake is of no use to a client,
/// however, and 426 would name a protocol that is spoken here. So it is told that this cannot be done.
pub(super) fn no_websocket(environ: &Environ) -> Option<AsyncResponse> {
    // RFC 6455 §4.1: a handshake is a GET with a key. Upgrade itself has gone with the fields about the connection.
    if environ.request_method() != "GET" || environ.get("HTTP_SEC_WEBSOCKET_KEY").is_none() {
        return None;
    }
    tracing::warn!(path = %environ.path_info(), "WebSocket handshake refused: a CGI program cannot answer it");
    let text = "501 Not Implemented\nA CGI program answers one request and cannot speak WebSocket.\n";
    Some(AsyncResponse::new(StatusCode::NOT_IMPLEMENTED, headers!["content-type" => "text/plain; charset=utf-8"], text))
}

/// Sends a client from a directory to the same path with the slash, so that relative links are right. The method stays.
pub(super) fn with_slash(environ: &Environ) -> AsyncResponse {
    let mut location = String::new();
    for byte in environ.script_name().iter().chain(environ.path_info().iter()) {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(byte) {
            location.push(char::from(*byte));
        } else {
            location.push_str(&format!("%{byte:02X}"));
        }
    }
    location.push('/');
    let mut location = location.into_bytes();
    if !environ.query_string().is_empty() {
        location.push(b'?');
        location.extend_from_slice(environ.query_string().as_bytes());
    }
    AsyncResponse::new(StatusCode::PERMANENT_REDIRECT, headers!["location" => location], "")
}
