//! The application side of the contract, and the errors that cross it (PEP 3333 "The Application/Framework Side").
//!
//! Holds the trait, its implementations for callables and the error types an application can meet or return. Does not
//! hold what calls it: that is [`Exchange`](crate::Exchange).

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::StatusCode;

use crate::{Body, Environ, Headers, IntoFieldName, IntoFieldValue, StartResponse};

/// An application's own error: boxed, and passed on untouched.
///
/// `?` turns any error, and any string, into one.
pub type AppError = Box<dyn Error + Send + Sync + 'static>;

/// A web application: called once for each request, with the environ and the means to start a response.
///
/// Functions and closures are applications by themselves. Implement the trait for a type that carries state. One value
/// serves many requests, maybe at the same time (`&self`, `Sync`); for a value that cannot, see
/// [`serial`](crate::serial).
///
/// The application calls `start_response` before the first non-empty chunk of its body comes out, and returns the
/// [`Body`].
///
/// # Errors
/// Any error means "I could not answer". The gateway logs it and sends 500 if nothing was sent yet, or makes the
/// truncation visible to the client if something was.
///
/// # Examples
/// ```
/// use gateway_spec::{AppError, Application, Body, Environ, StartResponse, StatusCode, headers};
///
/// struct Greeter { greeting: String }
///
/// impl Application for Greeter {
///     fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
///         start_response(StatusCode::OK, headers!["content-type" => "text/plain; charset=utf-8"])?;
///         Ok(format!("{}, {}!\n", self.greeting, environ.path_info()).into())
///     }
/// }
/// ```
///
/// Source: PEP 3333 "The Application/Framework Side"; requirements PEP-1, PEP-3, PEP-7.
pub trait Application: Send + Sync + 'static {
    /// Answers one request.
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Body, AppError>;
}

impl<F> Application for F
where
    F: Fn(Environ, StartResponse) -> Result<Body, AppError> + Send + Sync + 'static,
{
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        self(environ, start_response)
    }
}

impl Application for Arc<dyn Application> {
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        (**self).call(environ, start_response)
    }
}

impl Application for Box<dyn Application> {
    fn call(&self, environ: Environ, start_response: StartResponse) -> Result<Body, AppError> {
        (**self).call(environ, start_response)
    }
}

/// The peer has gone: nobody reads what is written, or nothing more will come.
///
/// Input reports it as an [`std::io::Error`] that carries this value, `write` as
/// [`WriteError::Disconnected`](crate::WriteError::Disconnected).
///
/// # Examples
/// ```
/// use gateway_spec::Disconnected;
/// let error = std::io::Error::from(Disconnected);
/// assert!(Disconnected::is_cause_of(&error));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer has gone")]
pub struct Disconnected;

impl Disconnected {
    /// Whether `error`, or anything that caused it, is a lost peer.
    pub fn is_cause_of(error: &(dyn Error + 'static)) -> bool {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if error.is::<Disconnected>() {
                return true;
            }
            // An I/O error hides what it was made of: its own source is already one step further.
            cause = match error.downcast_ref::<std::io::Error>() {
                Some(io) => io.get_ref().map(|inner| inner as _),
                None => error.source(),
            };
        }
        false
    }
}

impl From<Disconnected> for std::io::Error {
    fn from(gone: Disconnected) -> Self {
        std::io::Error::new(std::io::ErrorKind::ConnectionAborted, gone)
    }
}

/// An application that is itself a gateway could not get an answer from what stands behind it.
///
/// The CGI host and the FastCGI client return it, so that the client of the outer gateway sees 502, 503 or 504 instead
/// of 500. Any application may use it to choose the status of its failure.
///
/// # Examples
/// ```
/// use gateway_spec::{GatewayError, StatusCode};
/// let error = GatewayError::new(StatusCode::GATEWAY_TIMEOUT, "no response head within 5s");
/// assert_eq!(error.status(), StatusCode::GATEWAY_TIMEOUT);
/// assert_eq!(error.to_string(), "no response head within 5s");
/// let error = GatewayError::new(StatusCode::SERVICE_UNAVAILABLE, "all taken").field("retry-after", 5);
/// assert_eq!(error.fields().get("retry-after").map(|value| value.as_bytes()), Some(&b"5"[..]));
/// ```
///
/// Source: RFC 9110 §15.6; requirement HTTP-158.
#[derive(Debug)]
pub struct GatewayError {
    status: StatusCode,
    reason: String,
    fields: Headers,
    source: Option<AppError>,
}

impl GatewayError {
    /// A failure that is answered with `status`; `reason` is for the log, never for the client.
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        GatewayError { status, reason: reason.into(), fields: Headers::new(), source: None }
    }

    /// Adds a field to the answer, such as Retry-After to 503 (RFC 9110 §10.2.3) or Allow to 405 (§15.5.6). One that no
    /// application may send is left out.
    #[must_use]
    pub fn field(mut self, name: impl IntoFieldName, value: impl IntoFieldValue) -> Self {
        self.fields.append(name, value);
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<AppError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The status the client is answered with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The fields of the answer beside its type and length.
    pub fn fields(&self) -> &Headers {
        &self.fields
    }
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for GatewayError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}
