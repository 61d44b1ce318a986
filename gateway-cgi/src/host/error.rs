//! What can keep a CGI host from answering, and the status that each case is answered with.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use gateway_spec::{AppError, GatewayError};
use http::StatusCode;

use super::beyond::METHODS;
use super::places::Crowd;
use super::process::Exit;
use super::spawn::{SpawnError, Step};
use crate::head::HeadError;
use crate::redirect::RedirectError;
use crate::spool::SpoolError;

/// Why a program gave no answer, or not the whole of one.
///
/// [`Cgi`](super::Cgi) returns it inside a [`GatewayError`] with the status below; it is the source of that error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// No program belongs to the path; 404.
    #[error("no program belongs to the path")]
    NotFound,
    /// The path is a directory's whose program answers with the closing slash only; 308 to there.
    #[error("the path is a directory's and has no slash at its end")]
    NoSlash,
    /// What the path names is no executable file; 403.
    #[error("the file is not executable")]
    Forbidden,
    /// The program that the request names is outside the roots (CGI-184); 403.
    #[error("the program {} is below none of the roots", .program.display())]
    Outside {
        /// Where it is.
        program: PathBuf,
    },
    /// The request names no program; 500, because the server in front should have.
    #[error("the request has neither SCRIPT_FILENAME nor DOCUMENT_ROOT: set one of them in the server that sends it")]
    Unnamed,
    /// The request names a directory for the program that is none; 500.
    #[error("FCGI_CHDIR names no directory")]
    Directory,
    /// TRACE and CONNECT are the server's, and never reach a program (CGI-75); 405.
    #[error("the method is none for programs")]
    Method,
    /// All places were taken for as long as a request may wait (CGI-183); 503.
    #[error("no place of {crowd} became free within {waited:?}")]
    Busy {
        /// Whose places.
        crowd: Crowd,
        /// See [`Config::queue_timeout`](super::Config::queue_timeout).
        waited: Duration,
    },
    /// The request body did not arrive whole; 400.
    #[error("the request body did not arrive: {0}")]
    Body(#[source] io::Error),
    /// The request body has no length, and [`UnknownLength::Refuse`](super::UnknownLength::Refuse) was chosen (CGI-65); 411.
    #[error("the request body has no length")]
    LengthRequired,
    /// A body of unknown length could not be kept (CGI-65); 413 if it is too long, 400 if it did not arrive, else 500.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The environment is larger than the system hands to a program (CGI-180); 431.
    #[error("the request's variables are too long for a program")]
    TooManyVariables,
    /// The program could not be started; 503 when the system lacks something for now, else 500.
    #[error("the program could not be started: {doing}: {source}{advice}", advice = spawn_advice(doing, source))]
    Spawn {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The program was not run, because it would not have been confined as configured (CGI-158); 500.
    #[error("the program was not run: {doing} failed: {source}")]
    Confinement {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The output is no header block (CGI-2); 502.
    #[error("the header block is invalid: {0}")]
    Head(#[from] HeadError),
    /// The output ended before the header block did (CGI-100, CGI-104); 502.
    #[error("{error}: {exit}")]
    NoHead {
        /// What was missing.
        error: HeadError,
        /// How the program ended.
        exit: Exit,
    },
    /// The header block did not come in time (CGI-102); 504.
    #[error("no header block within {limit:?}")]
    HeadTimeout {
        /// See [`Config::head_timeout`](super::Config::head_timeout).
        limit: Duration,
    },
    /// The program was silent for too long inside the body (CGI-102); 504.
    #[error("no output for {limit:?}")]
    IdleTimeout {
        /// See [`Config::idle_timeout`](super::Config::idle_timeout).
        limit: Duration,
    },
    /// The program ran for too long (CGI-102); 504.
    #[error("not finished within {limit:?}")]
    TotalTimeout {
        /// See [`Config::total_timeout`](super::Config::total_timeout).
        limit: Duration,
    },
    /// Reading the program's output, or waiting for its end, failed; 502.
    #[error("the program's output could not be read: {0}")]
    Output(#[source] io::Error),
    /// The body is shorter than the program declared; 502.
    #[error("the program wrote {sent} of the {declared} bytes it declared: {exit}")]
    Short {
        /// Content-Length.
        declared: u64,
        /// How many came.
        sent: u64,
        /// How the program ended.
        exit: Exit,
    },
    /// The program ended as if it had failed, inside a body of unknown length: it cannot be told from a whole one; 502.
    #[error("the program failed inside a body of unknown length: {exit}")]
    Failed {
        /// How the program ended.
        exit: Exit,
    },
    /// The program went on writing what nobody wants; the answer is not touched by it.
    #[error("more than {limit} bytes after the end of the answer")]
    Unwanted {
        /// See [`Config::max_unwanted_bytes`](super::Config::max_unwanted_bytes).
        limit: u64,
    },
    /// A local redirect, and nothing to send it to, or too many in a row (CGI-108, CGI-112); 502 and 500.
    #[error("a local redirect to \"{target}\" cannot be followed: {why}")]
    Redirect {
        /// Where to.
        target: String,
        /// What is in the way.
        why: RedirectError,
    },
    /// Nobody wants the answer any more; nobody sees a status either.
    #[error("the client has gone")]
    ClientGone,
    /// The task that looks after the program has ended early: the runtime is being shut down; 503.
    #[error("the gateway is shutting down")]
    ShuttingDown,
}

impl HostError {
    /// The status for the client, if nothing was sent yet.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NoSlash => StatusCode::PERMANENT_REDIRECT,
            Self::Forbidden | Self::Outside { .. } => StatusCode::FORBIDDEN,
            Self::Unnamed | Self::Directory => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Busy { .. } | Self::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            Self::LengthRequired => StatusCode::LENGTH_REQUIRED,
            Self::Spool(SpoolError::TooLong { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(_) | Self::Spool(SpoolError::Input(_)) | Self::ClientGone => StatusCode::BAD_REQUEST,
            Self::Spool(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TooManyVariables => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Spawn { source, .. } if is_shortage(source) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Spawn { .. } | Self::Confinement { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            Self::HeadTimeout { .. } | Self::IdleTimeout { .. } | Self::TotalTimeout { .. } => {
                StatusCode::GATEWAY_TIMEOUT
            }
            Self::Redirect { why, .. } => why.status(),
            Self::Head(_)
            | Self::NoHead { .. }
            | Self::Output(_)
            | Self::Short { .. }
            | Self::Failed { .. }
            | Self::Unwanted { .. } => StatusCode::BAD_GATEWAY,
        }
    }

    /// The error as the driver understands it.
    ///
    /// `script` is the SCRIPT_NAME of the request, for whoever reads the log.
    pub(super) fn into_app_error(self, script: &str) -> AppError {
        let mut error = GatewayError::new(self.status(), format!("cgi: {script}: {self}"));
        if let Some(delay) = self.retry_after() {
            error = error.field("retry-after", delay.as_secs());
        }
        if let Self::Method = self {
            error = error.field("allow", METHODS);
        }
        error.caused_by(self).into()
    }

    /// When it is worth to ask again, in whole seconds: for Retry-After (RFC 9110 §10.2.3) beside 503. A house that was full
    /// for a while is likely to be so for as long again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        const SOON: Duration = Duration::from_secs(1);
        match self {
            Self::Busy { waited, .. } => Some(Duration::from_secs(waited.as_secs()).clamp(SOON, 60 * SOON)),
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(SOON),
            _ => None,
        }
    }

    /// What a failed start means. The file was there and executable a moment ago.
    pub(super) fn spawn(error: SpawnError) -> Self {
        use rustix::io::Errno;
        let SpawnError { step, source } = error;
        let doing = step.name();
        match Errno::from_io_error(&source) {
            _ if step.is_confinement() => Self::Confinement { doing, source },
            Some(Errno::TOOBIG) => Self::TooManyVariables,
            Some(Errno::ACCESS) if step == Step::Exec => Self::Forbidden,
            _ => Self::Spawn { doing, source },
        }
    }
}

/// What else may be wrong: the file is there, so what is missing is what the file asks for.
fn spawn_advice(doing: &str, error: &io::Error) -> &'static str {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        _ if doing != Step::Exec.name() => "",
        Some(Errno::NOENT) => {
            "; its first line (#!) may name an interpreter that is not there, or the one for its extension is not"
        }
        Some(Errno::NOEXEC) => {
            "; it is no program of this system, or a script without a first line that names its interpreter (#!)"
        }
        _ => "",
    }
}

/// Whether the system may have what it lacks again soon.
fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgi_183_every_503_says_when_to_come_again_and_nothing_else_does() {
        let busy = |waited| HostError::Busy { crowd: Crowd::Host, waited };
        let shortage = HostError::Spawn { doing: "clone", source: rustix::io::Errno::AGAIN.into() };
        let broken = HostError::Spawn { doing: "clone", source: rustix::io::Errno::INVAL.into() };
        for (error, status, wanted) in [
            (busy(Duration::from_millis(100)), 503, Some("1")),
            (busy(Duration::from_millis(10_900)), 503, Some("10")),
            (busy(Duration::MAX), 503, Some("60")),
            (HostError::ShuttingDown, 503, Some("1")),
            (shortage, 503, Some("1")),
            (broken, 500, None),
            (HostError::NotFound, 404, None),
            (HostError::LengthRequired, 411, None),
        ] {
            let error = error.into_app_error("/x").downcast::<GatewayError>().unwrap();
            assert_eq!(error.status().as_u16(), status, "{error}");
            let delay = error.fields().get("retry-after").map(|value| value.to_str().unwrap());
            assert_eq!(delay, wanted, "{error}");
        }
    }
}
