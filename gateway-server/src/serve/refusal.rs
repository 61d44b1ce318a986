//! The answers that the server gives by itself.

use crate::h1::RequestError;
use gateway_spec::{Bytes, Framing, Headers, ResponseHead, headers};
use http::StatusCode;
use std::io;

/// Why the application was not asked, or not waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Request(#[from] RequestError),
    /// HTTP-174
    #[error("request head did not arrive in time")]
    HeadTimeout,
    #[error("request body did not arrive in time")]
    BodyTimeout,
    /// HTTP-38
    #[error("path has a malformed or forbidden escape")]
    Path,
    /// HTTP-36
    #[error("TRACE is not offered")]
    Trace,
    /// HTTP-35: no refusal, but no application's business either.
    #[error("OPTIONS * asks about the server")]
    AboutServer,
    /// HTTP-50
    #[error("host is not one of those served here")]
    Host,
    #[error("no application is mounted there")]
    NotFound,
    #[error("too many calls are waiting")]
    Busy,
    #[error("environ cannot be built")]
    Environ,
}

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Request(error) => error.status(),
            Self::HeadTimeout | Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Path | Self::Environ => StatusCode::BAD_REQUEST,
            Self::Trace => StatusCode::METHOD_NOT_ALLOWED,
            Self::AboutServer => StatusCode::OK,
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn clause(self) -> &'static str {
        match self {
            Self::Request(error) => error.clause(),
            Self::HeadTimeout | Self::BodyTimeout => "RFC 9112 §9.5 (HTTP-174)",
            Self::Path => "RFC 3986 §2.1 (HTTP-38)",
            Self::Trace => "RFC 9110 §9.3.8 (HTTP-36)",
            Self::AboutServer => "RFC 9110 §9.3.7 (HTTP-35)",
            Self::Host => "RFC 9110 §15.5.20 (HTTP-50)",
            Self::NotFound => "RFC 9110 §15.5.5",
            Self::Busy => "RFC 9110 §15.6.4 (HTTP-158)",
            Self::Environ => "RFC 3875 §4.1",
        }
    }

    /// May the connection go on? Not when it is unclear where the next request begins, nor when the house is full.
    pub(super) fn keeps_open(self) -> bool {
        matches!(self, Self::Path | Self::Trace | Self::AboutServer | Self::Host | Self::NotFound | Self::Environ)
    }

    /// Head and body of the answer (HTTP-155); the body is left out for HEAD.
    pub(super) fn answer(self, head_only: bool) -> (ResponseHead, Bytes) {
        let status = self.status();
        let body = match self {
            Self::AboutServer => Bytes::new(),
            _ => Bytes::from(format!("{}\n", status.canonical_reason().unwrap_or_default())),
        };
        let mut fields = if body.is_empty() { Headers::new() } else { headers!["content-type" => "text/plain"] };
        match self {
            // HTTP-28, HTTP-35
            Self::Trace | Self::AboutServer => fields.append("allow", METHODS),
            Self::Busy => fields.append("retry-after", "1"),
            _ => &mut fields,
        };
        if head_only {
            fields.append("content-length", body.len());
            return (ResponseHead { status, headers: fields, framing: Framing::None }, Bytes::new());
        }
        (ResponseHead { status, headers: fields, framing: Framing::Exact(body.len() as u64) }, body)
    }
}

/// As an application meets it that reads the body of such a request.
impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::BodyTimeout => io::ErrorKind::TimedOut,
            Refusal::Request(RequestError::BodyIncomplete) => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, refusal)
    }
}
