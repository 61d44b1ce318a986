//! From the parameters of a request to an environ (FastCGI 1.0 §6.2, RFC 3875 §4.1).
//!
//! Holds which parameters an application sees and what they are turned into. Does not hold the body.

use super::mount::{Sent, script_filename};
use super::roles::FilterDataError;
use super::{Duplex, WorkerConfig};
use crate::protocol::{Params, Role};
use gateway_cgi::variables::{Credentials, is_for_programs};
use gateway_spec::{Environ, EnvironBuilder, EnvironError, VariableName, VariableSet};

const CONTENT_LENGTH: VariableName = VariableName::new("CONTENT_LENGTH");
const FCGI_ROLE: VariableName = VariableName::new("FCGI_ROLE");
const HTTP_CONNECTION: VariableName = VariableName::new("HTTP_CONNECTION");
const PATH_INFO: VariableName = VariableName::new("PATH_INFO");
const QUERY_STRING: VariableName = VariableName::new("QUERY_STRING");
const SCRIPT_FILENAME: VariableName = VariableName::new("SCRIPT_FILENAME");
const SCRIPT_NAME: VariableName = VariableName::new("SCRIPT_NAME");
const SERVER_NAME: VariableName = VariableName::new("SERVER_NAME");
const SERVER_PORT: VariableName = VariableName::new("SERVER_PORT");
const SERVER_PROTOCOL: VariableName = VariableName::new("SERVER_PROTOCOL");
const SERVER_SOFTWARE: VariableName = VariableName::new("SERVER_SOFTWARE");

/// What does not go into the environ as it came, or is needed besides.
const HANDLED: VariableSet =
    VariableSet::of(&[SCRIPT_NAME, PATH_INFO, CONTENT_LENGTH, HTTP_CONNECTION, SCRIPT_FILENAME, SERVER_SOFTWARE]);

/// Why parameters make no request; the answer is 400.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParamsError {
    /// CONTENT_LENGTH is no decimal number, so nobody knows where the body ends.
    #[error("CONTENT_LENGTH is no decimal number")]
    ContentLength,
    /// A variable is missing or cannot be one.
    #[error(transparent)]
    Environ(#[from] EnvironError),
    /// What is said about a Filter's file makes no sense.
    #[error(transparent)]
    FilterData(#[from] FilterDataError),
}

/// What the parameters say.
pub(super) struct Described {
    /// Without the body and the error stream.
    pub(super) environ: Environ,
    /// `None` if none was declared: the body then ends with STDIN.
    pub(super) content_length: Option<u64>,
    /// What has to be received before anything is sent.
    pub(super) first: First,
    /// The gateway is one that never has more than one request on a connection.
    pub(super) one_at_a_time: bool,
}

/// What of STDIN has to be received before anything is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// None of it.
    Nothing,
    /// All of it, as the gateway stops sending then; unless the application has let go of it.
    Wanted,
    /// All of it, wanted or not.
    All,
}

/// Reads the parameters of a Responder's request.
#[cfg(test)]
pub(super) fn describe(params: &Params, config: &WorkerConfig) -> Result<Described, ParamsError> {
    describe_for(Role::RESPONDER, params, config)
}

/// Reads the parameters of a request of this role. Of repeated names the last wins (FCGI-43).
///
/// An Authorizer is told neither the path below a program nor a length of a body that it does not get (FCGI-95): what is not sent
/// is not made up for it, so that it cannot decide by a path that is nobody's.
pub(super) fn describe_for(role: Role, params: &Params, config: &WorkerConfig) -> Result<Described, ParamsError> {
    let mut sent = Sent::default();
    let mut content_length = None;
    // The names of our own may be added, and each entry grows by `=` and NUL where it had two length bytes.
    let mut builder = EnvironBuilder::with_capacity(params.wire_length() + 64, params.len() + 4);
    builder.set_known(QUERY_STRING, "");
    for pair in params.iter() {
        let (name, value) = (pair.name(), pair.value());
        let Some(known) = VariableName::everyday(name) else {
            if is_wanted(name) {
                builder.set(name, value);
            }
            continue;
        };
        if !HANDLED.contains(known) {
            builder.set_known(known, value);
            continue;
        }
        match known {
            _ if known == SCRIPT_NAME => sent.script_name = value,
            _ if known == PATH_INFO => sent.path_info = Some(value),
            _ if known == CONTENT_LENGTH => content_length = length(value)?,
            // The one of these names that is about the gateway's own connection.
            _ if known == HTTP_CONNECTION => {}
            _ if known == SCRIPT_FILENAME => {
                sent.script_filename = value;
                builder.set_known(known, script_filename(value));
            }
            _ => {
                sent.server_software = value;
                builder.set_known(known, value);
            }
        }
    }
    let one_at_a_time =
        ["nginx", "Apache", "lighttpd"].iter().any(|name| sent.server_software.starts_with(name.as_bytes()));
    let first = match config.duplex {
        // A Filter finishes STDIN before it writes (§6.4, FCGI-102).
        _ if role == Role::FILTER => First::All,
        Duplex::Guess if sent.server_software.starts_with(b"nginx") => First::Wanted,
        Duplex::Guess | Duplex::Full => First::Nothing,
        Duplex::Half => First::Wanted,
    };
    let has_path = !sent.script_name.is_empty() || sent.path_info.is_some();
    if role != Role::AUTHORIZER || has_path {
        let cut = config.mount.cut(&sent);
        builder.set_known(SCRIPT_NAME, &cut.script_name).set_known(PATH_INFO, &cut.path_info);
    }
    content_length = content_length.filter(|_| role != Role::AUTHORIZER);
    if let Some(length) = content_length {
        builder.set_known(CONTENT_LENGTH, length.to_string());
    }
    fill_gaps(&mut builder, params);
    // As libfcgi and PHP tell it to a program that plays several roles.
    builder.set_known(FCGI_ROLE, role.name().unwrap_or_default());
    let mut environ = builder.url_scheme_from_variables().build()?;
    environ.multithread = true;
    environ.multiprocess = config.multiprocess;
    Ok(Described { environ, content_length, first, one_at_a_time })
}

/// Puts something true in the place of variables that must not be empty and sometimes are.
///
/// nginx without `server_name` sends an empty SERVER_NAME, and behind a UNIX socket an empty SERVER_PORT. RFC 3875 §4.1.14 takes
/// the name from the Host field, which any server would then have used.
fn fill_gaps(builder: &mut EnvironBuilder, params: &Params) {
    let sent = |name: &[u8]| params.get(name).filter(|value| !value.is_empty());
    if !builder.says(SERVER_NAME) {
        let host = sent(b"HTTP_HOST").and_then(host_of).or_else(|| sent(b"SERVER_ADDR"));
        builder.set_known(SERVER_NAME, host.unwrap_or(b"localhost"));
    }
    if !builder.says(SERVER_PORT) {
        let secure = sent(b"HTTPS").is_some_and(|value| value.eq_ignore_ascii_case(b"on"));
        builder.set_known(SERVER_PORT, if secure { "443" } else { "80" });
    }
    if !builder.says(SERVER_PROTOCOL) {
        // CGI-40: the oldest version promises the least.
        builder.set_known(SERVER_PROTOCOL, "HTTP/1.0");
    }
}

/// The host of a Host field without its port, if it looks like one.
fn host_of(field: &[u8]) -> Option<&[u8]> {
    let end = match field.first()? {
        b'[' => field.iter().position(|byte| *byte == b']')? + 1,
        _ => field.iter().position(|byte| *byte == b':').unwrap_or(field.len()),
    };
    let host = field.get(..end)?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~[]:%".contains(byte);
    (!host.is_empty() && host.iter().all(is_plain)).then_some(host)
}

/// `nginx` sends an empty value where there is no body, Caddy -1 where the body came in chunks; both are no declared length
/// (FCGI-113).
fn length(value: &[u8]) -> Result<Option<u64>, ParamsError> {
    if value.is_empty() || value == b"-1" {
        return Ok(None);
    }
    if !value.iter().all(u8::is_ascii_digit) {
        return Err(ParamsError::ContentLength);
    }
    let text = std::str::from_utf8(value).map_err(|_| ParamsError::ContentLength)?;
    text.parse().map(Some).map_err(|_| ParamsError::ContentLength)
}

/// Empty names are dropped (FCGI-44), and the fields that a program must never see: HTTP_PROXY, and those about the gateway's own
/// connection (FCGI-138, CGI-58, CGI-171). Other parameters come from the gateway's configuration and are passed on.
fn is_wanted(name: &[u8]) -> bool {
    !name.is_empty() && (!name.starts_with(b"HTTP_") || is_for_programs(name, Credentials::Shown))
}
