//! Why an upstream's answer did not come.

use std::io;
use std::time::Duration;

use gateway_spec::{AppError, GatewayError, StatusCode};

/// Why an upstream's answer did not come, or did not come to its end. The messages are for the log, never for the client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The request cannot be written as an HTTP/1.1 request.
    #[error("the request cannot be passed on: {what}")]
    Request {
        /// What part of it.
        what: &'static str,
    },
    /// Max-Forwards is no number (HTTP-182).
    #[error("Max-Forwards is no number")]
    MaxForwards,
    /// The request has been here before (HTTP-183).
    #[error("the request has passed this mount before: {upstream} leads back to this server")]
    Loop {
        /// The upstream.
        upstream: String,
    },
    /// As many requests as may wait are waiting.
    #[error("{limit} requests wait for {upstream} already (max_queue)")]
    QueueFull {
        /// The upstream.
        upstream: String,
        /// The limit.
        limit: usize,
    },
    /// No place became free in time.
    #[error("no connection to {upstream} became free within {limit:?} (queue_timeout)")]
    QueueTimeout {
        /// The upstream.
        upstream: String,
        /// The limit.
        limit: Duration,
    },
    /// The upstream could not be reached.
    #[error("no connection to {upstream}: {source}{}", advice(.source))]
    Connect {
        /// The upstream.
        upstream: String,
        /// What the system says.
        source: io::Error,
    },
    /// The upstream could not be reached in time.
    #[error("no connection to {upstream} within {limit:?} (connect_timeout)")]
    ConnectTimeout {
        /// The upstream.
        upstream: String,
        /// The limit.
        limit: Duration,
    },
    /// The upstream closed the connection, or broke HTTP/1.1.
    #[error("{upstream} gave no valid answer: {reason}")]
    Answer {
        /// The upstream.
        upstream: String,
        /// What was wrong with it.
        reason: String,
    },
    /// The answer was cut short (HTTP-159).
    #[error("{upstream} broke its answer off: {reason}")]
    Truncated {
        /// The upstream.
        upstream: String,
        /// What was wrong with it.
        reason: String,
    },
    /// No head of an answer in time.
    #[error("no answer of {upstream} within {limit:?} (header_timeout)")]
    HeadTimeout {
        /// The upstream.
        upstream: String,
        /// The limit.
        limit: Duration,
    },
    /// The upstream fell silent within its answer.
    #[error("nothing more of the answer of {upstream} within {limit:?} (read_timeout)")]
    ReadTimeout {
        /// The upstream.
        upstream: String,
        /// The limit.
        limit: Duration,
    },
    /// The answer took too long.
    #[error("the answer of {upstream} was not complete within {limit:?} (timeout)")]
    TotalTimeout {
        /// The upstream.
        upstream: String,
        /// The limit.
        limit: Duration,
    },
}

/// What the operator can do about it.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "; is the server started, and does it listen there?",
        io::ErrorKind::NotFound => "; the server makes this socket when it starts",
        io::ErrorKind::PermissionDenied => "; the gateway's user may not use this socket",
        _ => "",
    }
}

impl ProxyError {
    /// The status that the client gets, if nothing was sent to it yet.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Request { .. } | Self::MaxForwards => StatusCode::BAD_REQUEST,
            Self::Loop { .. } => StatusCode::LOOP_DETECTED,
            Self::QueueFull { .. } | Self::QueueTimeout { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Connect { .. } | Self::Answer { .. } | Self::Truncated { .. } => StatusCode::BAD_GATEWAY,
            Self::ConnectTimeout { .. }
            | Self::HeadTimeout { .. }
            | Self::ReadTimeout { .. }
            | Self::TotalTimeout { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

/// The form in which a listener understands it.
impl From<ProxyError> for GatewayError {
    fn from(error: ProxyError) -> Self {
        /// When a queue that was full is likely not to be.
        const RETRY_AFTER_SECONDS: u32 = 1;
        let answer = GatewayError::new(error.status(), error.to_string());
        let answer = match error.status() {
            StatusCode::SERVICE_UNAVAILABLE => answer.field("retry-after", RETRY_AFTER_SECONDS),
            _ => answer,
        };
        answer.caused_by(error)
    }
}

/// What an error says, and what it was caused by: hyper keeps the cause apart.
pub(super) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// [`ProxyError`] as an application's error.
pub(super) fn failed(error: ProxyError) -> AppError {
    GatewayError::from(error).into()
}
