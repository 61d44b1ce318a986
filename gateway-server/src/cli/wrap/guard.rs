//! What stands between the worker and the programs: how many requests there may be, and where their error output goes.
//!
//! Does not run programs (the CGI host does), and is asynchronous as they are: a request costs no thread.

use std::sync::Arc;

use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, BodyStream, Bytes, Environ, GatewayError, InputStream, StatusCode,
};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::logging::error_stream_of;
use super::Stderr;

/// An application behind a bounded number of places.
pub(super) struct Guard<A> {
    app: A,
    stderr: Stderr,
    places: Arc<Semaphore>,
    most: usize,
}

impl<A: AsyncApplication> Guard<A> {
    /// At most `most` requests at once are passed on, those that wait for a program's place too; more are answered with 503.
    pub(super) fn new(app: A, stderr: Stderr, most: usize) -> Self {
        Guard { app, stderr, places: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))), most }
    }
}

impl<A: AsyncApplication> AsyncApplication for Guard<A> {
    async fn call(&self, mut environ: Environ, input: InputStream) -> Result<AsyncResponse, AppError> {
        /// Programs are short, so a place is free again soon.
        const SECONDS: u32 = 1;
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let reason = format!("{} requests run or wait already", self.most);
            let refusal = GatewayError::new(StatusCode::SERVICE_UNAVAILABLE, reason);
            return Err(refusal.field("retry-after", SECONDS).into());
        };
        if let Stderr::Log = self.stderr {
            environ.errors = error_stream_of(&environ);
        }
        let AsyncResponse { status, headers, body } = self.app.call(environ, input).await?;
        Ok(AsyncResponse::new(status, headers, BodyStream::new(Placed { body, _place: place })))
    }
}

/// A body that keeps its place until it is dropped.
struct Placed {
    body: BodyStream,
    _place: OwnedSemaphorePermit,
}

impl Stream for Placed {
    type Item = Result<Bytes, AppError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use gateway_spec::headers;

    use super::*;

    struct Never;

    impl AsyncApplication for Never {
        async fn call(&self, _: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
            let body = InputStream::new(Pending, None).into_body();
            Ok(AsyncResponse::new(StatusCode::OK, headers![], body))
        }
    }

    struct Pending;

    impl Stream for Pending {
        type Item = std::io::Result<Bytes>;

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_place_is_taken_until_the_answer_is_dropped_and_one_more_is_told_to_come_back() {
        let guard = Guard::new(Never, Stderr::Log, 1);
        let ask = || guard.call(Environ::example("GET", "/"), InputStream::empty());
        let first = ask().await.unwrap();
        let refusal = ask().await.unwrap_err();
        let refusal: &GatewayError = refusal.downcast_ref().unwrap();
        assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(first);
        ask().await.unwrap();
    }
}
