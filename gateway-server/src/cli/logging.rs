//! What is written to standard error: one line for each event, for people or as JSON.
//!
//! Holds the subscriber, the form of the access log for people, and the way of error streams into the log. Does not hold
//! what is logged: the listener, the gateways and the programs say that. Query strings and header values are logged nowhere.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use gateway_spec::{Environ, ErrorSink, ErrorStream};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::registry::LookupSpan;

use super::settings::{Format, Log};
use crate::marks;

/// The target under which the listener tells of each request, at level debug.
const ACCESS: &str = "gateway_server::access";

/// Installs the log for the whole process; a second call does nothing.
pub(super) fn install(log: &Log) {
    let access = if log.access.unwrap_or(true) { format!(",{ACCESS}=debug") } else { format!(",{ACCESS}=off") };
    let filter = EnvFilter::builder().parse_lossy(log.level.clone() + &access);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // What cannot be written there cannot be complained of there either, and whoever tried would panic.
    let builder = builder.log_internal_errors(false);
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    // Where a line comes from is of interest to those who look closely.
    let usual = format::Format::default().with_target(log.level.contains("debug") || log.level.contains("trace"));
    match log.format {
        Format::Human => marks::subscribe(builder.with_ansi(is_terminal).event_format(Human { usual }).finish()),
        Format::Json => {
            marks::subscribe(builder.json().flatten_event(true).with_span_list(false).with_ansi(false).finish());
        }
    }
}

/// The error streams of requests: each line becomes an event.
///
/// As it came it could pass for a line of ours, and would not be JSON where that is asked for (CGI-158, PEP-31).
pub(super) fn error_stream() -> ErrorStream {
    ErrorStream::new(Arc::new(ToLog { path: None }))
}

/// The error stream of one request, whose lines have its path, never its query (CGI-178, CGI-187).
pub(super) fn error_stream_of(environ: &Environ) -> ErrorStream {
    let path = [environ.script_name(), environ.path_info()].map(|part| part.as_bytes().escape_ascii().to_string());
    ErrorStream::new(Arc::new(ToLog { path: Some(path.concat()) }))
}

struct ToLog {
    path: Option<String>,
}

impl ErrorSink for ToLog {
    fn write(&self, text: &str) {
        for line in text.lines().filter(|line| !line.is_empty()) {
            tracing::warn!(target: "gateway_server::errors", path = self.path.as_deref(), text = line, "written to the error stream");
        }
    }
}

/// The usual form, and a short one for requests.
struct Human {
    usual: format::Format,
}

impl<S, N> FormatEvent<S, N> for Human
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if event.metadata().target() != ACCESS {
            return self.usual.format_event(context, writer, event);
        }
        let mut request = Request::default();
        event.record(&mut request);
        SystemTime.format_time(&mut writer)?;
        writeln!(writer, " {request}")
    }
}

/// What the listener says of a request.
#[derive(Debug, Default)]
struct Request {
    peer: String,
    method: String,
    path: String,
    status: Option<u64>,
    bytes: u64,
    micros: u64,
    outcome: String,
    request_id: String,
}

impl Visit for Request {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "peer" => self.peer = format!("{value:?}"),
            "outcome" => self.outcome = format!("{value:?}"),
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "method" => self.method = printable(value),
            "path" => self.path = printable(value),
            "request_id" => self.request_id = printable(value),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "status" => self.status = Some(value),
            "bytes" => self.bytes = value,
            "micros" => self.micros = value,
            _ => {}
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{} {}\" ", self.peer, self.method, self.path)?;
        match self.status {
            Some(status) => write!(f, "{status}")?,
            None => f.write_char('-')?,
        }
        write!(f, " {} bytes in {:.1} ms", self.bytes, self.micros as f64 / 1000.0)?;
        if self.outcome != "Complete" {
            write!(f, " ({})", self.outcome)?;
        }
        if self.request_id.is_empty() { Ok(()) } else { write!(f, " request_id={}", self.request_id) }
    }
}

/// A client's text in a line of ours: no control character leaves it, nor a quotation mark that would end it.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => printable.extend(['\\', character]),
            ' '..='~' => printable.push(character),
            other => printable.extend(other.escape_debug()),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_line_whatever_its_path_holds() {
        let request = Request {
            peer: "127.0.0.1:5".into(),
            method: "GET".into(),
            path: printable("/it's\u{1b}[31m\n\"x\""),
            status: Some(200),
            bytes: 13,
            micros: 1234,
            outcome: "Complete".into(),
            request_id: "7b".into(),
        };
        let wanted = r#"127.0.0.1:5 "GET /it's\u{1b}[31m\n\"x\"" 200 13 bytes in 1.2 ms request_id=7b"#;
        assert_eq!(request.to_string(), wanted);
    }

    #[test]
    fn a_request_without_an_answer_says_why() {
        let request = Request { outcome: "Gone".into(), ..Request::default() };
        assert_eq!(request.to_string(), r#" " " - 0 bytes in 0.0 ms (Gone)"#);
    }
}
