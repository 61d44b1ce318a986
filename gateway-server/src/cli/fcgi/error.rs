//! Why there was no answer, in words that say what to do, and the exit code of each end.
//!
//! Holds the codes; most are curl's for the like, so that scripts can be moved.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use gateway_cgi::head::HeadError;
use gateway_fastcgi::connection::SendError;
use gateway_fastcgi::net::{Address, connect_advice};
use gateway_fastcgi::protocol::{ProtocolError, ProtocolStatus, Role};

/// How it ended, as an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Outcome {
    /// The worker answered, whatever it said.
    Answered = 0,
    /// A file could not be read, or the answer not be written.
    Local = 1,
    /// The command line makes no sense.
    Mistake = 2,
    /// Nobody could be reached.
    Unreachable = 7,
    /// What came was no FastCGI, or no answer of CGI.
    Protocol = 8,
    /// The worker refused the request: it was not run.
    Refused = 9,
    /// The connection ended before the answer did.
    Closed = 18,
    /// With --fail: a status from 400 on, or an appStatus other than 0.
    Failed = 22,
    /// It took too long.
    TimedOut = 28,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        ExitCode::from(outcome as u8)
    }
}

/// Why there was no answer, or no whole one.
#[derive(Debug, thiserror::Error)]
pub(super) enum FcgiError {
    #[error("no runtime: {0}")]
    Runtime(#[source] io::Error),
    #[error("{}: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the request body cannot be read: {0}")]
    Body(#[source] io::Error),
    #[error("the answer cannot be written: {0}")]
    Output(#[source] io::Error),
    #[error("the request cannot be sent: {0}")]
    Request(#[source] SendError),
    #[error("no connection to {address}: {source}{}", connect_advice(.address, .source))]
    Connect { address: Address, source: io::Error },
    #[error("no connection to {address} within {limit:?}; --connect-timeout allows more")]
    ConnectTimeout { address: Address, limit: Duration },
    #[error("an HTTP server listens there, not a FastCGI worker: it said {start}; ask it with an HTTP client")]
    Http { start: String },
    #[error("who listens there speaks no FastCGI: it said {start}, and the first byte of a record is 1 ({clause})")]
    NotFastCgi { start: String, clause: &'static str },
    #[error("the worker broke the protocol in the record at byte {at} of its answer: {error}{} ({})", cause(.error), .error.clause())]
    Protocol { error: ProtocolError, at: u64 },
    #[error("the worker's header block is invalid: {0}")]
    Head(#[source] HeadError),
    #[error("the worker did not run the request: {status} (FastCGI 1.0 §5.5){}", refusal(*.status, *.role))]
    Refused { status: ProtocolStatus, role: Role },
    #[error("the worker closed the connection before {awaited}, after {received} bytes{}", ended(*.at, *.received))]
    Closed { awaited: &'static str, received: u64, at: Option<u64> },
    #[error("the connection broke before {awaited}, after {received} bytes: {source}{}", broken(*.received))]
    Broken { awaited: &'static str, received: u64, source: io::Error },
    #[error("no {awaited} within {limit:?}: {received} bytes came{}; --timeout allows more", silent(*.unsent, *.received))]
    TimedOut { awaited: &'static str, limit: Duration, received: u64, unsent: bool },
}

impl FcgiError {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Runtime(_) | Self::File { .. } | Self::Body(_) | Self::Output(_) => Outcome::Local,
            Self::Request(_) => Outcome::Mistake,
            Self::Connect { .. } => Outcome::Unreachable,
            Self::Http { .. } | Self::NotFastCgi { .. } | Self::Protocol { .. } | Self::Head(_) => Outcome::Protocol,
            Self::Refused { .. } => Outcome::Refused,
            Self::Closed { .. } | Self::Broken { .. } => Outcome::Closed,
            Self::ConnectTimeout { .. } | Self::TimedOut { .. } => Outcome::TimedOut,
        }
    }

    /// Whoever reads standard output has enough of it, and knows.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == ErrorKind::BrokenPipe)
    }
}

fn cause(error: &ProtocolError) -> String {
    std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default()
}

fn refusal(status: ProtocolStatus, role: Role) -> String {
    match status {
        ProtocolStatus::OVERLOADED => "; it has no room: try again later, or let it serve more at once".to_owned(),
        ProtocolStatus::UNKNOWN_ROLE => format!("; it does not serve the role {role}"),
        ProtocolStatus::CANT_MPX_CONN => "; it sees another request on this connection".to_owned(),
        _ => String::new(),
    }
}

fn ended(cut_at: Option<u64>, received: u64) -> String {
    match (cut_at, received) {
        (Some(at), _) => format!(", within the record at byte {at} (FastCGI 1.0 §3.5); it may have crashed"),
        (None, 0) => SILENT_END.to_owned(),
        (None, _) => "; it may have crashed: see its log".to_owned(),
    }
}

/// Everything that ends a connection on which nothing was said.
const SILENT_END: &str = "; it may have crashed, been stopped or be finishing, or refuse this client \
                          (FCGI_WEB_SERVER_ADDRS, listen.allowed_clients): see its log";

fn broken(received: u64) -> &'static str {
    if received == 0 { SILENT_END } else { "" }
}

/// A socket that a manager or systemd holds takes connections whether a worker runs or not.
fn silent(unsent: bool, received: u64) -> &'static str {
    match (unsent, received) {
        (true, 0) => ", and it has not taken the whole request; is a worker running behind this socket, and free?",
        (true, _) => ", and it has not taken the whole request",
        (false, 0) => "; is a worker running behind this socket, and free?",
        (false, _) => "",
    }
}
