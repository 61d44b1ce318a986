//! A synchronous application in the asynchronous form.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;

use super::{AsyncApplication, AsyncResponse, BodyStream, InputStream};
use crate::{AppError, Application, Environ, ErrorStream, Event, Exchange, GatewayError, Input, InputError};

/// A synchronous application that is called where it stands, once its request body has arrived.
///
/// It needs no runtime and no threads, so it fits wherever futures are polled; an application that blocks, blocks the
/// thread that polls it. Gateways have better ways; this one is for putting a synchronous application among
/// asynchronous ones.
///
/// # Examples
/// ```
/// use gateway_spec::{AppError, Body, Environ, InlineApplication, StartResponse, StatusCode, headers};
/// fn hello(_: Environ, start_response: StartResponse) -> Result<Body, AppError> {
///     start_response(StatusCode::OK, headers![])?;
///     Ok("hi".into())
/// }
/// let app = InlineApplication::new(hello).max_input_bytes(1024);
/// # let _: &dyn gateway_spec::DynAsyncApplication = &app;
/// ```
#[derive(Debug)]
pub struct InlineApplication<A> {
    app: A,
    max_input_bytes: usize,
}

impl<A: Application> InlineApplication<A> {
    /// Wraps `app`.
    pub fn new(app: A) -> Self {
        InlineApplication { app, max_input_bytes: 1024 * 1024 }
    }

    /// The longest request body that is held in memory, in bytes; a longer one is answered with 413. Default 1 MiB:
    /// enough for forms, and small beside what else a request costs.
    #[must_use]
    pub fn max_input_bytes(mut self, bytes: usize) -> Self {
        self.max_input_bytes = bytes;
        self
    }
}

impl<A: Application> AsyncApplication for InlineApplication<A> {
    async fn call(&self, mut environ: Environ, mut input: InputStream) -> Result<AsyncResponse, AppError> {
        environ.input = match input.read_all(self.max_input_bytes).await {
            Ok(body) => Input::from(body),
            Err(error) => return Err(too_long(error)),
        };
        let errors = environ.errors.clone();
        let mut exchange = Exchange::call(&self.app, environ);
        loop {
            match exchange.next() {
                // An error page: the driver around this one makes its own, and reports why.
                Event::Head(_) if exchange.has_failed() => return Err(broken_off(&mut exchange)),
                Event::Head(head) => {
                    return Ok(AsyncResponse::new(
                        head.status,
                        head.headers,
                        BodyStream::new(Rest { exchange, errors }),
                    ));
                }
                Event::Nothing => {}
                Event::Chunk(_) | Event::End | Event::Abort => return Err(broken_off(&mut exchange)),
            }
        }
    }
}

/// What follows the head.
struct Rest {
    exchange: Exchange,
    errors: ErrorStream,
}

impl Stream for Rest {
    type Item = Result<Bytes, AppError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match self.exchange.next() {
            Event::Chunk(chunk) => Some(Ok(chunk)),
            Event::Nothing => Some(Ok(Bytes::new())),
            Event::End => None,
            Event::Head(_) | Event::Abort => Some(Err(broken_off(&mut self.exchange))),
        })
    }
}

impl Drop for Rest {
    /// What went wrong without breaking the answer off has no other way to whoever runs this.
    fn drop(&mut self) {
        self.exchange.close();
        if let Some(failure) = self.exchange.take_failure() {
            self.errors.write(&format!("{failure}\n"));
        }
    }
}

fn broken_off(exchange: &mut Exchange) -> AppError {
    exchange.take_failure().map_or_else(|| "the exchange was broken off".into(), AppError::from)
}

fn too_long(error: std::io::Error) -> AppError {
    let long = error.get_ref().and_then(|cause| cause.downcast_ref::<InputError>());
    match long {
        Some(InputError::TooLong { .. }) => {
            GatewayError::new(StatusCode::PAYLOAD_TOO_LARGE, "request body too long").caused_by(error).into()
        }
        _ => error.into(),
    }
}
