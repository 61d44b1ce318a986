//! A response head as a CGI program writes it (RFC 3875 §6.3).
//!
//! Holds the encoder only. What a gateway adds for its client (Date, framing) is not a program's business.

use gateway_spec::Headers;
use http::StatusCode;

/// Appends the header block of a response to `out`: the status, the fields, and the blank line before the body.
///
/// `Status` comes first (CGI-154), then the fields in their order, repeats kept apart, so that two `Set-Cookie` stay
/// two lines (CGI-134). Lines end in CRLF. A field called `status` is left out: the status is given by its own
/// argument, and a second one would make the block invalid (CGI-120). The variables of a FastCGI Authorizer keep upper
/// case, as in `Variable-REMOTE_USER`: gateways take the name as it is written, and names of variables have a case
/// (FastCGI 1.0 §6.3, FCGI-97).
///
/// # Examples
/// ```
/// use gateway_cgi::head::encode;
/// use gateway_spec::headers;
/// use http::StatusCode;
///
/// let mut block = Vec::new();
/// encode(StatusCode::OK, &headers!["content-type" => "text/plain"], &mut block);
/// assert_eq!(block, b"Status: 200 OK\r\ncontent-type: text/plain\r\n\r\n");
/// ```
///
/// Source: RFC 3875 §6.2.1, §6.3.3.
pub fn encode(status: StatusCode, headers: &Headers, out: &mut Vec<u8>) {
    // Enough for usual fields, so that a new buffer grows once.
    out.reserve(64 * (1 + headers.len()));
    out.extend_from_slice(b"Status: ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    // The reason may be empty by RFC 3875 §6.3.3, but a gateway that trims the value and copies it into a status line
    // would then lose the space that RFC 9112 §4 requires. A word keeps both texts satisfied.
    out.extend_from_slice(status.canonical_reason().unwrap_or("Unknown").as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in headers {
        match name.as_str() {
            "status" => continue,
            name => match name.strip_prefix("variable-") {
                Some(variable) => {
                    out.extend_from_slice(b"Variable-");
                    out.extend(variable.bytes().map(|byte| byte.to_ascii_uppercase()));
                }
                None => out.extend_from_slice(name.as_bytes()),
            },
        }
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}
