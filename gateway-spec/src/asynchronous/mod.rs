//! The asynchronous form of the contract: what ASGI is to WSGI.
//!
//! Holds the traits and the ways between the two forms. Does not hold a runtime: everything here is polled by whoever
//! runs it. The streams are in `stream`, the driver in `exchange`, a synchronous application as an asynchronous one in
//! `inline`.

mod exchange;
mod inline;
mod stream;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::StatusCode;

use crate::{AppError, Environ, Headers};
pub use exchange::AsyncExchange;
pub use inline::InlineApplication;
pub use stream::{BodyStream, InputStream};

/// A boxed future that can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A web application that waits without blocking its thread.
///
/// It gets the request body as a stream and returns head and body in one value, so there is no `start_response`: a type
/// says what PEP 3333 has to say in words. The `input` of the environ is empty.
///
/// Dropping the future, or the body it returned, is how an application learns that its client has gone.
///
/// # Errors
/// As for [`Application`](crate::Application).
///
/// # Examples
/// ```
/// use gateway_spec::{AppError, AsyncApplication, AsyncResponse, Environ, InputStream, StatusCode, headers};
/// struct Echo;
/// impl AsyncApplication for Echo {
///     async fn call(&self, _: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
///         let body = input.into_body();
///         Ok(AsyncResponse::new(StatusCode::OK, headers!["content-type" => "text/plain"], body))
///     }
/// }
/// ```
pub trait AsyncApplication: Send + Sync + 'static {
    /// Answers one request.
    fn call(
        &self,
        environ: Environ,
        input: InputStream,
    ) -> impl Future<Output = Result<AsyncResponse, AppError>> + Send;

    /// Whether this application sends interim responses (1xx), so that a gateway which can carry them says how, by a value of its
    /// own among the extensions of the environ. By default not: most never do, and the value costs something.
    fn sends_interim(&self) -> bool {
        false
    }
}

/// [`AsyncApplication`] behind a pointer: every one of them is one of these.
pub trait DynAsyncApplication: Send + Sync + 'static {
    /// Answers one request, boxed.
    fn call_boxed(&self, environ: Environ, input: InputStream) -> BoxFuture<'_, Result<AsyncResponse, AppError>>;

    /// As [`AsyncApplication::sends_interim`].
    fn has_interim(&self) -> bool {
        false
    }
}

impl<A: AsyncApplication> DynAsyncApplication for A {
    fn call_boxed(&self, environ: Environ, input: InputStream) -> BoxFuture<'_, Result<AsyncResponse, AppError>> {
        Box::pin(self.call(environ, input))
    }

    fn has_interim(&self) -> bool {
        self.sends_interim()
    }
}

impl AsyncApplication for Arc<dyn DynAsyncApplication> {
    async fn call(&self, environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
        (**self).call_boxed(environ, input).await
    }

    fn sends_interim(&self) -> bool {
        (**self).has_interim()
    }
}

/// What an asynchronous application answers.
#[derive(Debug)]
pub struct AsyncResponse {
    /// 200 to 599; 101 only as a gateway's own means makes it.
    pub status: StatusCode,
    /// The fields, in order, under the same rules as for `start_response`.
    pub headers: Headers,
    /// The body.
    pub body: BodyStream,
}

impl AsyncResponse {
    /// Head and body in one.
    pub fn new(status: StatusCode, headers: Headers, body: impl Into<BodyStream>) -> Self {
        AsyncResponse { status, headers, body: body.into() }
    }
}

#[cfg(test)]
mod tests;
