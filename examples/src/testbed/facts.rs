//! Answers that tell something, about the request or about this process.

use std::fmt::Write as _;
use std::time::Duration;

use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, Value, headers};
use serde_json::{Map, Value as Json, json};

use super::text;

/// `/environ`: `{"variables": {…}, "typed": {…}}`.
pub(super) fn environ(environ: &Environ, start_response: &StartResponse) -> Result<Body, AppError> {
    let variables: Map<String, Json> =
        environ.iter().map(|(name, value)| (escaped(name), Json::String(escaped(value)))).collect();
    let typed = json!({
        "request_method": escaped(environ.request_method()),
        "script_name": escaped(environ.script_name()),
        "path_info": escaped(environ.path_info()),
        "query_string": escaped(environ.query_string()),
        "content_type": environ.content_type().map(escaped),
        "content_length": environ.content_length(),
        "server_name": escaped(environ.server_name()),
        "server_port": environ.server_port(),
        "server_protocol": escaped(environ.server_protocol()),
        "remote_addr": environ.remote_addr().map(escaped),
        "request_url": environ.request_url(),
        "url_scheme": environ.url_scheme.as_str(),
        "input_length": environ.input.length(),
        "multithread": environ.multithread,
        "multiprocess": environ.multiprocess,
        "run_once": environ.run_once,
        "file_wrapper": environ.file_wrapper.is_some(),
    });
    start_response(StatusCode::OK, headers!["content-type" => "application/json"])?;
    Ok(json!({ "variables": variables, "typed": typed }).to_string().into())
}

/// Text as it is, each byte that is no part of UTF-8 as `\xHH`, and so a backslash as two.
pub(super) fn escaped(value: Value<'_>) -> String {
    let mut text = String::with_capacity(value.len());
    for piece in value.utf8_chunks() {
        text.push_str(&piece.valid().replace('\\', r"\\"));
        for byte in piece.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// `/sleep/MS`: blocks, as an application that waits for its database does. At most a minute.
pub(super) fn sleep(milliseconds: u64, start_response: &StartResponse) -> Result<Body, AppError> {
    if milliseconds > 60_000 {
        return text(StatusCode::BAD_REQUEST, "at most 60000 milliseconds\n", start_response);
    }
    std::thread::sleep(Duration::from_millis(milliseconds));
    text(StatusCode::OK, format!("slept {milliseconds} ms\n"), start_response)
}

/// `/status/CODE`, with a body where that status has one.
pub(super) fn status(code: u64, start_response: &StartResponse) -> Result<Body, AppError> {
    let status = u16::try_from(code).ok().filter(|code| (200..=599).contains(code));
    let Some(status) = status.and_then(|code| StatusCode::from_u16(code).ok()) else {
        return text(StatusCode::BAD_REQUEST, "a status is a number from 200 to 599\n", start_response);
    };
    match status {
        // RFC 9110 §15.3.5, §15.3.6, §15.4.5: no content, so nothing to describe either.
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => {
            start_response(status, headers![])?;
            Ok(Body::empty())
        }
        _ => text(status, format!("status {code}\n"), start_response),
    }
}

/// `/cookies`: two fields of one name, which nobody on the way may join (RFC 6265 §3).
pub(super) fn cookies(start_response: &StartResponse) -> Result<Body, AppError> {
    let headers = headers![
        "content-type" => "text/plain",
        "set-cookie" => "first=1; Path=/",
        "set-cookie" => "second=2; Path=/; Expires=Wed, 01 Jan 2098 00:00:00 GMT",
    ];
    start_response(StatusCode::OK, headers)?;
    Ok("two cookies\n".into())
}

/// `/closed`
pub(super) fn closed(count: u64, start_response: &StartResponse) -> Result<Body, AppError> {
    text(StatusCode::OK, count.to_string(), start_response)
}

/// `/stderr`: one line, or N bytes of lines, as an application does that has run wild.
pub(super) fn stderr(environ: &Environ, bytes: Option<u64>, start_response: &StartResponse) -> Result<Body, AppError> {
    const LINE: &str = "testbed: a line for the error stream\n";
    match bytes {
        None => environ.errors.write(LINE),
        Some(bytes) => (0..bytes.div_ceil(LINE.len() as u64)).for_each(|_| environ.errors.write(LINE)),
    }
    environ.errors.flush();
    text(StatusCode::OK, "a line was written to the error stream\n", start_response)
}
