//! `start_response` and the `write` it returns, as the application sees them (PEP 3333 "The start_response() Callable").
//!
//! Holds the two handles and their errors. Does not hold the rules: those are the driver's.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, StatusCode};

use crate::{AppError, Disconnected, HeaderError, Headers};

/// The callable that starts a response: status and headers are stored, and sent with the first non-empty chunk.
///
/// Call it like a function. It is owned and `Send`, so an application may keep it and call it in the first iteration of
/// its body (PEP-77), and middleware may put its own in its place ([`StartResponse::new`], [`StartResponse::map`]).
///
/// # Errors
/// [`StartError`]: called twice, a field that is not the application's to send, or a pair that is no field.
///
/// # Examples
/// An error found late replaces what was stored, if nothing was sent yet:
/// ```
/// use gateway_spec::{AppError, Body, Environ, Event, Exchange, StartResponse, StatusCode, headers};
///
/// fn report(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
///     start_response(StatusCode::OK, headers!["content-type" => "text/csv"])?;
///     match "12x".parse::<u32>() {
///         Ok(number) => Ok(number.to_string().into()),
///         Err(error) => {
///             let status = StatusCode::INTERNAL_SERVER_ERROR;
///             start_response.with_error(status, headers!["content-type" => "text/plain"], error)?;
///             Ok("no report today\n".into())
///         }
///     }
/// }
/// let mut exchange = Exchange::call(&report, Environ::example("GET", "/"));
/// assert!(matches!(exchange.next(), Event::Head(head) if head.status == 500));
/// ```
///
/// Source: PEP 3333 "The start_response() Callable"; requirements PEP-60 to PEP-89.
pub struct StartResponse {
    starter: Arc<dyn Start>,
    /// What a plain call calls. `Deref` to a closure is how a value of our own can be called on stable Rust.
    plain: Box<dyn Fn(StatusCode, Headers) -> Result<Write, StartError> + Send + Sync>,
    original: bool,
}

/// What stands behind a [`StartResponse`]: the driver, or middleware.
pub(crate) trait Start: Send + Sync {
    fn start(
        self: Arc<Self>,
        status: StatusCode,
        headers: Headers,
        error: Option<AppError>,
    ) -> Result<Write, StartError>;
}

impl<F> Start for F
where
    F: Fn(StatusCode, Headers, Option<AppError>) -> Result<Write, StartError> + Send + Sync,
{
    fn start(
        self: Arc<Self>,
        status: StatusCode,
        headers: Headers,
        error: Option<AppError>,
    ) -> Result<Write, StartError> {
        self(status, headers, error)
    }
}

impl StartResponse {
    /// Middleware's own: `f` gets status, headers and, on a restart, the error.
    ///
    /// # Examples
    /// ```
    /// use gateway_spec::{AppError, Application, Body, Environ, StartResponse};
    /// fn count_fields(app: impl Application) -> impl Application {
    ///     move |environ: Environ, start_response: StartResponse| {
    ///         let errors = environ.errors.clone();
    ///         app.call(environ, StartResponse::new(move |status, headers, error| {
    ///             errors.write(&format!("{status} with {} fields\n", headers.len()));
    ///             match error {
    ///                 Some(error) => start_response.with_error(status, headers, error),
    ///                 None => start_response(status, headers),
    ///             }
    ///         }))
    ///     }
    /// }
    /// ```
    pub fn new(
        f: impl Fn(StatusCode, Headers, Option<AppError>) -> Result<Write, StartError> + Send + Sync + 'static,
    ) -> Self {
        StartResponse { original: false, ..StartResponse::from_driver(Arc::new(f)) }
    }

    /// One that lets `f` change status and headers on their way to this one.
    #[must_use]
    pub fn map(self, f: impl Fn(StatusCode, Headers) -> (StatusCode, Headers) + Send + Sync + 'static) -> Self {
        StartResponse::new(move |status, headers, error| {
            let (status, headers) = f(status, headers);
            self.start(status, headers, error)
        })
    }

    /// Starts the response, or replaces what was stored, because of `error` (the form with `exc_info`).
    ///
    /// # Errors
    /// [`StartError::HeadersSent`] with the very `error`, if the head has gone out already (PEP-83, PEP-84). Let it
    /// propagate (PEP-85).
    #[must_use = "an error must reach the gateway (PEP-85)"]
    pub fn with_error(
        &self,
        status: StatusCode,
        headers: Headers,
        error: impl Into<AppError>,
    ) -> Result<Write, StartError> {
        self.start(status, headers, Some(error.into()))
    }

    fn start(&self, status: StatusCode, headers: Headers, error: Option<AppError>) -> Result<Write, StartError> {
        Arc::clone(&self.starter).start(status, headers, error)
    }

    /// Whether this is the gateway's own and no middleware stands between (PEP-172).
    pub fn is_original(&self) -> bool {
        self.original
    }

    pub(crate) fn from_driver(starter: Arc<dyn Start>) -> Self {
        let called = Arc::clone(&starter);
        let plain = Box::new(move |status, headers| Arc::clone(&called).start(status, headers, None));
        StartResponse { starter, plain, original: true }
    }
}

impl Deref for StartResponse {
    type Target = dyn Fn(StatusCode, Headers) -> Result<Write, StartError> + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.plain
    }
}

impl fmt::Debug for StartResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartResponse").field("original", &self.original).finish_non_exhaustive()
    }
}

/// Why a response could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The response was started before, and no error was given as the reason for starting again (PEP-87, PEP-88).
    #[error("start_response was called a second time without an error")]
    AlreadyStarted,
    /// The head has gone out; this is the very error that was passed (PEP-83, PEP-84).
    #[error("the response head was sent before: {0}")]
    HeadersSent(#[source] AppError),
    /// A field about the connection, which is the gateway's (PEP-68, PEP-69, PEP-97).
    #[error("field \"{0}\" is about the connection and is the gateway's to send")]
    HopByHop(HeaderName),
    /// A field named `Status`, which would be taken for the status of a CGI response (CGI-120).
    #[error("the status is an argument, not a field")]
    StatusField,
    /// A pair that is no header field (PEP-64, PEP-65).
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Content-Length is no number, or two of them disagree (HTTP-84).
    #[error("content-length is not one decimal number")]
    ContentLength,
    /// The status cannot end an exchange: it is not within 200 to 599 (HTTP-141).
    #[error("status {0} cannot be the status of a response")]
    Status(StatusCode),
}

/// The imperative way to send body data, returned by a started [`StartResponse`]. Prefer returning a body (PEP-120).
///
/// # Examples
/// ```
/// use gateway_spec::{AppError, Body, Environ, StartResponse, StatusCode, headers};
/// fn legacy(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
///     let write = start_response(StatusCode::OK, headers!["content-type" => "text/plain"])?;
///     write.write("first, ")?;
///     Ok("second\n".into())
/// }
/// ```
///
/// Source: PEP 3333 "The write() Callable"; requirements PEP-75, PEP-121 to PEP-124.
#[derive(Clone)]
pub struct Write {
    writer: Arc<dyn Writer>,
}

pub(crate) trait Writer: Send + Sync {
    fn write(&self, data: Bytes) -> Result<(), WriteError>;
}

impl<F: Fn(Bytes) -> Result<(), WriteError> + Send + Sync> Writer for F {
    fn write(&self, data: Bytes) -> Result<(), WriteError> {
        self(data)
    }
}

impl Write {
    /// Middleware's own.
    pub fn new(f: impl Fn(Bytes) -> Result<(), WriteError> + Send + Sync + 'static) -> Self {
        Write { writer: Arc::new(f) }
    }

    /// Sends data as if it had been the next piece of the body; the head goes out before the first of it.
    ///
    /// # Errors
    /// [`WriteError`]; nothing of `data` was sent then.
    pub fn write(&self, data: impl Into<Bytes>) -> Result<(), WriteError> {
        self.writer.write(data.into())
    }

    pub(crate) fn from_driver(writer: Arc<dyn Writer>) -> Self {
        Write { writer }
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Write")
    }
}

/// Why data could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// `write` was called after the application had returned its body (PEP-124).
    #[error("write was called after the application returned")]
    AfterReturn,
    /// There is no head to send the data with: a later start was refused, and voided the earlier one.
    #[error("write was called although the response could not be started")]
    NotStarted,
    /// The data would make the body longer than its Content-Length (PEP-91).
    #[error("write would exceed the content-length of {declared} bytes")]
    TooLong {
        /// What the application declared, in bytes.
        declared: u64,
    },
    /// Nobody is there to read it.
    #[error("{0}")]
    Disconnected(#[from] Disconnected),
}
