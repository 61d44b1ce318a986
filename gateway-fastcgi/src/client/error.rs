//! Why a worker's answer did not come.

use std::io;
use std::time::Duration;

use gateway_cgi::{head::HeadError, redirect::RedirectError, spool::SpoolError};
use gateway_spec::{AppError, GatewayError};
use http::StatusCode;

use super::health::REST;
use crate::connection::SendError;
use crate::net::{Address, connect_advice};
use crate::protocol::{ProtocolError, ProtocolStatus};

/// Why a worker's answer did not come, or did not come to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The path of the request cannot be a script's: it holds CR, LF or NUL, or leads upwards (FCGI-132).
    #[error("the path cannot be a script's")]
    Path,
    /// There is no such script (FCGI-134).
    #[error("there is no such script")]
    NoScript,
    /// As many requests as may wait are waiting.
    #[error("{limit} requests are waiting for a connection already")]
    QueueFull {
        /// The limit.
        limit: usize,
    },
    /// No connection became free in time.
    #[error("no connection became free within {limit:?}")]
    QueueTimeout {
        /// The limit.
        limit: Duration,
    },
    /// The worker could not be reached.
    #[error("no connection to {address}")]
    Connect {
        /// Where it should be.
        address: Address,
        /// What the system says.
        source: io::Error,
    },
    /// The worker could not be reached in time.
    #[error("no connection to {address} within {limit:?}")]
    ConnectTimeout {
        /// Where it should be.
        address: Address,
        /// The limit.
        limit: Duration,
    },
    /// The request has a variable that cannot be sent.
    #[error("the request cannot be sent")]
    Request(#[source] SendError),
    /// The request body could not be kept.
    #[error(transparent)]
    Spool(SpoolError),
    /// The request body did not arrive: the outer client's doing.
    #[error("the request body did not arrive")]
    Input(#[source] io::Error),
    /// The connection broke.
    #[error("the connection broke")]
    Broken(#[source] io::Error),
    /// The worker closed the connection before the end of the request.
    #[error("the worker closed the connection before its answer was complete")]
    Closed,
    /// The worker broke the protocol.
    #[error("the worker broke the protocol")]
    Protocol(#[source] ProtocolError),
    /// The worker did not run the request (FCGI-82).
    #[error("the worker refused the request: {status}")]
    Refused {
        /// Why.
        status: ProtocolStatus,
    },
    /// The worker's header block is invalid.
    #[error("the worker's header block is invalid")]
    Head(#[source] HeadError),
    /// The worker's local redirect cannot be followed.
    #[error("local redirect not followed")]
    Redirect(#[source] RedirectError),
    /// No header block in time.
    #[error("no answer within {limit:?}")]
    HeadTimeout {
        /// The limit.
        limit: Duration,
    },
    /// The worker fell silent within its answer.
    #[error("nothing more of the answer within {limit:?}")]
    ReadTimeout {
        /// The limit.
        limit: Duration,
    },
    /// The client took the answer too slowly for a connection that others use too.
    #[error("the client left {limit} bytes of the answer untaken, on a connection that others use too")]
    WindowFull {
        /// The limit.
        limit: usize,
    },
    /// The request took too long.
    #[error("the answer was not complete within {limit:?}")]
    TotalTimeout {
        /// The limit.
        limit: Duration,
    },
}

impl ClientError {
    /// The status that the outer client gets, if nothing was sent to it yet.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Path => StatusCode::BAD_REQUEST,
            Self::NoScript => StatusCode::NOT_FOUND,
            Self::Spool(SpoolError::TooLong { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Request(SendError::PairTooLong { .. }) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Input(_) | Self::Spool(SpoolError::Input(_)) => StatusCode::BAD_REQUEST,
            // CGI-112.
            Self::Redirect(why) => why.status(),
            Self::Request(_) | Self::Spool(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::QueueFull { .. } | Self::QueueTimeout { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused { .. } if self.is_full() => StatusCode::SERVICE_UNAVAILABLE,
            Self::ConnectTimeout { .. }
            | Self::HeadTimeout { .. }
            | Self::ReadTimeout { .. }
            | Self::TotalTimeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Connect { .. }
            | Self::Broken(_)
            | Self::Closed
            | Self::Protocol(_)
            | Self::Refused { .. }
            | Self::WindowFull { .. }
            | Self::Head(_) => StatusCode::BAD_GATEWAY,
        }
    }

    /// When it is worth to ask again, in whole seconds: for Retry-After (RFC 9110 §10.2.3) beside 503. A queue that did not
    /// move for a while is likely not to for as long again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        const SOON: Duration = Duration::from_secs(1);
        match self {
            Self::QueueTimeout { limit } => Some(Duration::from_secs(limit.as_secs()).clamp(SOON, 60 * SOON)),
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(REST),
            _ => None,
        }
    }

    /// Whether the worker did not run the request because it has too many (FCGI-82).
    pub(super) fn is_full(&self) -> bool {
        let Self::Refused { status } = self else { return false };
        matches!(*status, ProtocolStatus::OVERLOADED | ProtocolStatus::CANT_MPX_CONN)
    }

    /// The error as an application returns it: with its status, or the input's own error untouched.
    pub(super) fn into_app_error(self) -> AppError {
        match self {
            Self::Input(error) => error.into(),
            Self::Spool(error) => error.into_app_error(),
            error => {
                let reason = match (&error, std::error::Error::source(&error)) {
                    (Self::Connect { address, source }, _) => {
                        format!("fastcgi: {error}: {source}{}", connect_advice(address, source))
                    }
                    (_, Some(cause)) => format!("fastcgi: {error}: {cause}"),
                    (_, None) => format!("fastcgi: {error}"),
                };
                let mut answer = GatewayError::new(error.status(), reason);
                if let Some(delay) = error.retry_after() {
                    answer = answer.field("retry-after", delay.as_secs());
                }
                answer.caused_by(error).into()
            }
        }
    }
}
