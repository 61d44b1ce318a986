//! Both sides of `start_response` and `write`: what the application asks, and what the server answers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use super::rules;
use super::violation::Reporter;
use crate::exchange::is_hop_by_hop;
use crate::{AppError, Headers, StartError, StartResponse, Write, WriteError};

/// What is known about one exchange.
pub(super) struct Watch {
    server: StartResponse,
    head_request: bool,
    pub(super) reporter: Arc<Reporter>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    called: bool,
    /// The last start was refused.
    refused: bool,
    /// The server gave an error back: the application has to give up.
    told_to_stop: bool,
    head: Option<Head>,
    returned: bool,
    written: u64,
    /// Data was handed to the server, so the head may have gone out.
    sent: bool,
}

/// What the body is measured by.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) declared: Option<u64>,
    pub(super) has_type: bool,
}

impl Head {
    /// Statuses whose body data the server drops (HTTP-142, HTTP-146).
    pub(super) fn is_bodiless(self) -> bool {
        matches!(self.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
    }
}

impl Watch {
    pub(super) fn new(server: StartResponse, head_request: bool, reporter: Arc<Reporter>) -> Self {
        Watch { server, head_request, reporter, state: Mutex::default() }
    }

    /// The `start_response` that the application gets.
    pub(super) fn start_response(watch: &Arc<Self>) -> StartResponse {
        let watch = Arc::clone(watch);
        StartResponse::new(move |status, headers, error| {
            let write = watch.start(status, headers, error)?;
            let watch = Arc::clone(&watch);
            Ok(Write::new(move |data| watch.write(&write, data)))
        })
    }

    /// Takes note that the call is over; `ok` says that it gave a body.
    pub(super) fn returned(&self, ok: bool) {
        let told_to_stop = {
            let mut state = self.lock();
            state.returned = true;
            state.told_to_stop
        };
        if ok && told_to_stop {
            self.reporter.report(rules::STOP_WHEN_TOLD, "a body was returned");
        }
    }

    pub(super) fn outcome(&self) -> Result<(), AppError> {
        self.reporter.outcome()
    }

    /// The head that was accepted last.
    pub(super) fn head(&self) -> Option<Head> {
        self.lock().head
    }

    pub(super) fn told_to_stop(&self) -> bool {
        self.lock().told_to_stop
    }

    pub(super) fn written(&self) -> u64 {
        self.lock().written
    }

    pub(super) fn is_head_request(&self) -> bool {
        self.head_request
    }

    /// Takes note that body data goes to the server.
    pub(super) fn sends(&self) {
        self.lock().sent = true;
    }

    fn start(&self, status: StatusCode, headers: Headers, error: Option<AppError>) -> Result<Write, StartError> {
        let again = self.check_repetition(error.is_some());
        check_status(status, &headers, &self.reporter);
        let connection = check_fields(&headers, &self.reporter);
        let head = Head {
            status,
            declared: headers.get("content-length").and_then(parse_length),
            has_type: headers.contains("content-type"),
        };
        let passed = error.as_deref().map(address);
        let result = match error {
            Some(error) => self.server.with_error(status, headers, error),
            None => (self.server)(status, headers),
        };
        self.check_answer(&result, again, connection, passed);
        self.note(&result, head);
        result
    }

    /// Remembers what the start came to.
    fn note(&self, result: &Result<Write, StartError>, head: Head) {
        let mut state = self.lock();
        match result {
            // Only middleware that held everything back can accept a start after data; what it keeps is its affair.
            Ok(_) => state.head = Some(if state.sent { Head { declared: None, ..head } } else { head }),
            Err(StartError::HeadersSent(_)) => state.told_to_stop = true,
            // It changes nothing about the first one.
            Err(StartError::AlreadyStarted) => return,
            // A refused start voids the one before it.
            Err(_) => state.head = None,
        }
        state.refused = result.is_err();
    }

    /// Whether this is a start that the server has to refuse.
    fn check_repetition(&self, with_error: bool) -> bool {
        let (called, refused, told_to_stop) = {
            let mut state = self.lock();
            let before = (state.called, state.refused, state.told_to_stop);
            state.called = true;
            before
        };
        if told_to_stop {
            self.reporter.report(rules::STOP_WHEN_TOLD, "start_response was called again");
        } else if called && !with_error {
            let rule = if refused { rules::REFUSED_IS_STARTED } else { rules::ONE_START };
            self.reporter.report(rule, "start_response was called again without an error");
        }
        called && !with_error
    }

    fn check_answer(
        &self,
        result: &Result<Write, StartError>,
        again: bool,
        connection: Option<HeaderName>,
        passed: Option<usize>,
    ) {
        match result {
            Ok(_) if again => self.reporter.report(rules::SECOND_START_REFUSED, "it was accepted"),
            Ok(_) => {
                if let Some(name) = connection {
                    self.reporter.report(rules::BAD_FIELDS_REFUSED, format!("field \"{name}\" was accepted"));
                }
            }
            Err(StartError::HeadersSent(error)) => {
                if !self.lock().sent {
                    self.reporter.report(rules::RESTART_ALLOWED, "it was refused before any data was given");
                }
                if passed != Some(address(error.as_ref())) {
                    self.reporter.report(rules::SAME_ERROR, format!("another error came back: {error}"));
                }
            }
            Err(_) => {}
        }
    }

    fn write(&self, server: &Write, data: Bytes) -> Result<(), WriteError> {
        let (returned, told_to_stop, first) = {
            let state = self.lock();
            (state.returned, state.told_to_stop, state.written == 0)
        };
        let len = data.len() as u64;
        if returned {
            self.reporter.report(rules::WRITE_AFTER_RETURN, format!("{len} bytes were written"));
        } else if told_to_stop {
            self.reporter.report(rules::STOP_WHEN_TOLD, format!("{len} bytes were written"));
        } else if first {
            self.reporter.report(rules::WRITE_IS_LEGACY, format!("{len} bytes were written"));
        }
        let result = server.write(data);
        match result {
            Ok(()) => {
                let mut state = self.lock();
                state.written += len;
                state.sent |= len > 0;
            }
            Err(WriteError::TooLong { declared }) => {
                self.reporter.report(rules::LENGTH, format!("write would go past the {declared} bytes declared"));
            }
            Err(_) => {}
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where an error lives: enough to tell the very one from another.
fn address(error: &(dyn std::error::Error + Send + Sync + 'static)) -> usize {
    std::ptr::from_ref(error).cast::<()>().addr()
}

fn check_status(status: StatusCode, headers: &Headers, reporter: &Reporter) {
    if !(200..=599).contains(&status.as_u16()) {
        reporter.report(rules::STATUS, format!("status {}", status.as_u16()));
    }
    if status == StatusCode::NO_CONTENT {
        if headers.contains("content-length") {
            reporter.report(rules::NO_LENGTH, "status 204 with a Content-Length");
        }
        if headers.contains("content-type") {
            reporter.report(rules::CONTENT_TYPE, "status 204 with a Content-Type");
        }
    }
    if status == StatusCode::NOT_MODIFIED {
        for name in ["content-type", "content-encoding", "content-language", "content-range"] {
            if headers.contains(name) {
                reporter.report(rules::NO_METADATA, format!("status 304 with \"{name}\""));
            }
        }
    }
}

/// Checks each field; the first one about the connection comes back.
fn check_fields(headers: &Headers, reporter: &Reporter) -> Option<HeaderName> {
    use crate::HeaderError;
    match headers.check() {
        Ok(()) => {}
        Err(error @ HeaderError::Name { .. }) => reporter.report(rules::FIELD_NAME, error.to_string()),
        Err(error @ HeaderError::Value { .. }) => reporter.report(rules::FIELD_VALUE, error.to_string()),
    }
    let mut connection = None;
    for (name, value) in headers {
        check_field(name, value, reporter);
        if is_hop_by_hop(name) {
            connection.get_or_insert_with(|| name.clone());
        }
    }
    if headers.get_all("content-length").count() > 1 {
        reporter.report(rules::LENGTH_SYNTAX, "several fields \"content-length\"");
    }
    connection
}

fn check_field(name: &HeaderName, value: &HeaderValue, reporter: &Reporter) {
    if !name.as_str().ends_with(|last: char| last.is_ascii_alphanumeric()) {
        reporter.report(rules::FIELD_NAME, format!("field \"{name}\""));
    }
    if value.as_bytes().contains(&b'\t') {
        reporter.report(rules::FIELD_VALUE, format!("a tab in field \"{name}\""));
    }
    if std::str::from_utf8(value.as_bytes()).is_ok_and(|text| text.chars().any(|c| c > '\u{ff}')) {
        reporter.report(rules::LATIN_1, format!("field \"{name}\" holds UTF-8 text"));
    }
    match name.as_str() {
        "transfer-encoding" => reporter.report(rules::TRANSFER_ENCODING, format!("field \"{name}\"")),
        "status" => reporter.report(rules::STATUS_FIELD, format!("field \"{name}\"")),
        "content-length" if parse_length(value).is_none() => {
            reporter.report(rules::LENGTH_SYNTAX, format!("content-length \"{}\"", value.as_bytes().escape_ascii()));
        }
        "location" if !is_location(value.as_bytes()) => {
            reporter.report(rules::LOCATION, format!("location \"{}\"", value.as_bytes().escape_ascii()));
        }
        _ if is_hop_by_hop(name) => reporter.report(rules::HOP_BY_HOP, format!("field \"{name}\"")),
        _ => {}
    }
}

/// An absolute path, or a scheme, a colon and something after it.
fn is_location(text: &[u8]) -> bool {
    if text.starts_with(b"/") {
        return true;
    }
    let mut parts = text.splitn(2, |byte| *byte == b':');
    let scheme = parts.next().unwrap_or_default();
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
        && parts.next().is_some_and(|rest| !rest.is_empty())
}

fn parse_length(value: &HeaderValue) -> Option<u64> {
    crate::Value::new(value.as_bytes()).parse_number()
}
