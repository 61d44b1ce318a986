//! One call of an asynchronous application.
//!
//! Holds the loop over [`AsyncExchange`]. The application is dropped where the gateway does not want its answer any more, which
//! is how it is cancelled; work that it has started elsewhere is told by a [`Cancellation`].

use super::body::BodyPieces;
use super::environ::{Described, First};
use super::output::{Ended, Next, RequestIo};
use gateway_spec::{
    AsyncExchange, Cancellation, Disconnected, DynAsyncApplication, ErrorStream, Event, Failure, InputStream,
};
use std::sync::Arc;
use std::time::Duration;

/// Calls the application and sends what it gives. A failure is told before the client sees it.
pub(super) async fn run_asynchronous(
    app: &dyn DynAsyncApplication,
    described: Described,
    io: &Arc<RequestIo>,
    longest_silence: Duration,
    failed: impl Fn(&Failure),
) -> Ended {
    let Described { mut environ, content_length, .. } = described;
    environ.errors = ErrorStream::new(Arc::clone(io) as Arc<_>);
    let cancellation = Cancellation::new();
    environ.extensions.insert(cancellation.clone());
    let _cancel = CancelOnDrop(cancellation);
    let input = InputStream::new(BodyPieces::new(Arc::clone(io), longest_silence), content_length);
    let mut exchange = AsyncExchange::call(app, environ, input);
    let mut rest = false;
    loop {
        let next = if std::mem::take(&mut rest) {
            io.put_rest()
        } else {
            tokio::select! {
                biased;
                // What was written to the error stream, and the gateway's word that it does not want more.
                errors = io.link.errors(io.serial) => errors.map(|()| Next::Send),
                event = exchange.next() => {
                    if let Some(failure) = exchange.take_failure() {
                        failed(&failure);
                    }
                    match receive_rest(io, &event).await {
                        Ok(()) => io.put(event),
                        Err(gone) => Err(gone),
                    }
                }
            }
        };
        match next {
            Ok(Next::Pull) => continue,
            Ok(Next::Over(ended)) => break ended,
            Ok(next) => rest = matches!(next, Next::Rest),
            Err(Disconnected) => break Ended::Unwanted,
        }
        if io.link.flush().await.is_err() {
            break Ended::Unwanted;
        }
    }
}

/// Where the gateway would stop sending the body once it gets output, the rest of it is received before there is any.
async fn receive_rest(io: &RequestIo, event: &Event) -> Result<(), Disconnected> {
    let is_output = !matches!(event, Event::Head(_) | Event::Nothing);
    if io.first != First::Nothing && is_output {
        io.link.receive_rest(io.serial).await?;
    }
    Ok(())
}

/// Whatever the end, work that still goes on for this request is for nothing.
struct CancelOnDrop(Cancellation);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
