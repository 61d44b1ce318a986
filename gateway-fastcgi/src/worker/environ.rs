//! From the parameters of a request to an environ (FastCGI 1.0 §6.2, RFC 3875 §4.1).
//!
//! Holds which parameters an application sees and what they are turned into. Does not hold the body.

use super::WorkerConfig;
use super::mount::{Sent, script_filename};
use crate::protocol::Params;
use gateway_cgi::variables::{Credentials, is_for_programs};
use gateway_spec::{EnvironBuilder, EnvironError};

/// Why parameters make no request; the answer is 400.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParamsError {
    /// CONTENT_LENGTH is no decimal number, so nobody knows where the body ends.
    #[error("CONTENT_LENGTH is no decimal number")]
    ContentLength,
    /// A variable is missing or cannot be one.
    #[error(transparent)]
    Environ(#[from] EnvironError),
}

/// What the parameters say, without the body and the streams.
pub(super) struct Described {
    pub(super) builder: EnvironBuilder,
    /// `None` if none was declared: the body then ends with STDIN.
    pub(super) content_length: Option<u64>,
}

/// Reads the parameters of a request. Of repeated names the last wins (FCGI-43).
pub(super) fn describe(params: &Params, config: &WorkerConfig) -> Result<Described, ParamsError> {
    let mut sent = Sent::default();
    let mut content_length = None;
    // The names of our own may be added, and each entry grows by `=` and NUL where it had two length bytes.
    let mut builder =
        EnvironBuilder::with_capacity(params.wire_length() + 64, params.len() + 4).variable("QUERY_STRING", "");
    for pair in params.iter() {
        let (name, value) = (pair.name(), pair.value());
        match name {
            b"SCRIPT_NAME" => sent.script_name = value,
            b"PATH_INFO" => sent.path_info = Some(value),
            b"CONTENT_LENGTH" => content_length = length(value)?,
            b"SCRIPT_FILENAME" => {
                sent.script_filename = value;
                builder.set(name, script_filename(value));
            }
            _ => {
                if name == b"SERVER_SOFTWARE" {
                    sent.server_software = value;
                }
                if is_wanted(name) {
                    builder.set(name, value);
                }
            }
        }
    }
    let cut = config.mount.cut(&sent);
    builder.set("SCRIPT_NAME", &cut.script_name).set("PATH_INFO", &cut.path_info);
    if let Some(length) = content_length {
        builder.set("CONTENT_LENGTH", length.to_string());
    }
    let builder =
        builder.url_scheme_from_variables().multithread(true).multiprocess(config.multiprocess).run_once(false);
    Ok(Described { builder, content_length })
}

/// `nginx` sends an empty value where there is no body; that is no declared length (FCGI-113).
fn length(value: &[u8]) -> Result<Option<u64>, ParamsError> {
    if value.is_empty() {
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
