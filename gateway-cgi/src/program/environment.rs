//! The process environment as an environ (RFC 3875 §4.1, §7.2).
//!
//! Holds which variables of the process are the request's, and the body that CONTENT_LENGTH announces. Does not hold
//! what a complete environ is: its builder checks that.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;

use gateway_spec::{Environ, EnvironError, ErrorStream, Input};

use crate::variables::{Credentials, is_for_programs};

/// A request, and its name for messages.
pub(super) struct Request {
    pub(super) environ: Environ,
    /// Method and path, escaped; without the query, which may hold what no log should (CGI-187).
    pub(super) name: String,
}

/// Why an environment describes no request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EnvironmentError {
    /// CONTENT_LENGTH is no number, so nobody knows where the body ends; the answer is 400.
    #[error("CONTENT_LENGTH is no decimal number: \"{start}\"")]
    ContentLength { start: String },
    /// A variable is missing that RFC 3875 requires: most often nobody is there who would set any.
    #[error(transparent)]
    Environ(#[from] EnvironError),
}

/// What a person reads who starts a CGI program in a shell.
pub(super) const HOW_TO_TRY: &str = "gateway-cgi: this is a CGI program (RFC 3875): a web server starts it, one \
process for each request. To try it by hand:\n  GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET SCRIPT_NAME= PATH_INFO=/ \
QUERY_STRING= SERVER_NAME=localhost SERVER_PORT=80 SERVER_PROTOCOL=HTTP/1.1 ./program\n";

/// Makes the one request of this process out of its environment and standard input.
pub(super) fn request(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    stdin: impl Read + Send + 'static,
    errors: ErrorStream,
) -> Result<Request, EnvironmentError> {
    let mut builder = Environ::builder();
    let mut length = None;
    // CGI-31, CGI-37: a gateway must set these two even if empty; one that did not meant empty.
    builder = builder.variable("SCRIPT_NAME", "").variable("QUERY_STRING", "");
    for (name, value) in environment {
        let (name, value) = (name.into_vec(), value.into_vec());
        if !is_of_a_request(&name) {
            continue;
        }
        if name == b"CONTENT_LENGTH" {
            // NULL is unset (CGI-12); nginx sends an empty string where there is no body, lighttpd sends 0.
            if value.is_empty() {
                continue;
            }
            length = Some(content_length(&value)?);
        }
        builder = builder.variable(&name, &value);
    }
    let input = match length {
        None | Some(0) => Input::empty(),
        Some(length) => Input::reader(stdin, Some(length)),
    };
    let environ = builder
        .url_scheme_from_variables()
        .input(input)
        .errors(errors)
        .run_once(true) // PEP-35
        .multiprocess(true) // PEP-34
        .multithread(false) // PEP-33
        .build()?;
    let path = [environ.script_name().as_bytes(), environ.path_info().as_bytes()].concat();
    let name = format!("{} {}", environ.request_method(), path.escape_ascii());
    Ok(Request { environ, name })
}

/// Whether a variable of the process belongs to the request (PEP-27).
///
/// A process has many others: PATH, HOME, what the operator set for the application. The application reads those from
/// its process; in the environ they would look like the client's, and whoever prints an environ would print secrets.
fn is_of_a_request(name: &[u8]) -> bool {
    /// RFC 3875 §4.1, and what httpd, nginx and lighttpd add (CGI-42).
    const NAMES: [&str; 37] = [
        "AUTH_TYPE",
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "CONTEXT_DOCUMENT_ROOT",
        "CONTEXT_PREFIX",
        "DOCUMENT_ROOT",
        "DOCUMENT_URI",
        "GATEWAY_INTERFACE",
        "HTTPS",
        "ORIG_PATH_INFO",
        "ORIG_SCRIPT_NAME",
        "PATH_INFO",
        "PATH_TRANSLATED",
        "QUERY_STRING",
        "REMOTE_ADDR",
        "REMOTE_HOST",
        "REMOTE_IDENT",
        "REMOTE_PORT",
        "REMOTE_USER",
        "REQUEST_ID",
        "REQUEST_METHOD",
        "REQUEST_SCHEME",
        "REQUEST_TIME",
        "REQUEST_URI",
        "SCRIPT_FILENAME",
        "SCRIPT_NAME",
        "SCRIPT_URI",
        "SCRIPT_URL",
        "SERVER_ADDR",
        "SERVER_ADMIN",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PORT_SECURE",
        "SERVER_PROTOCOL",
        "SERVER_SIGNATURE",
        "SERVER_SOFTWARE",
        "UNIQUE_ID",
    ];
    /// Request fields, TLS facts (PEP-22), what an internal redirect of httpd keeps, and extensions (CGI-11).
    const PREFIXES: [&str; 4] = ["HTTP_", "SSL_", "REDIRECT_", "X_"];
    let named = || NAMES.binary_search_by(|known| known.as_bytes().cmp(name)).is_ok();
    let prefixed = || PREFIXES.iter().any(|prefix| name.starts_with(prefix.as_bytes()));
    // CGI-171: HTTP_PROXY is ignored here too, since not every gateway drops it.
    is_for_programs(name, Credentials::Shown) && (prefixed() || named())
}

fn content_length(value: &[u8]) -> Result<u64, EnvironmentError> {
    let digits = value.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
    let start = || value.iter().take(32).flat_map(|byte| byte.escape_ascii()).map(char::from).collect();
    number.ok_or_else(|| EnvironmentError::ContentLength { start: start() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pep_27_only_variables_of_the_request_are_taken() {
        for name in
            ["REQUEST_METHOD", "HTTPS", "AUTH_TYPE", "UNIQUE_ID", "HTTP_X_Y", "SSL_PROTOCOL", "X_EXT", "REDIRECT_URL"]
        {
            assert!(is_of_a_request(name.as_bytes()), "{name}");
        }
        for name in
            ["PATH", "HOME", "LD_PRELOAD", "DATABASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "path_info", "", "HTTP_X-Y"]
        {
            assert!(!is_of_a_request(name.as_bytes()), "{name}");
        }
    }
}
