//! One call of an asynchronous application.
//!
//! Holds the loop over [`AsyncExchange`]. The application is dropped where the gateway does not want its answer any more, which
//! is how it is cancelled; work that it has started elsewhere is told by a [`Cancellation`].

use super::body::BodyPieces;
use super::environ::{Described, ParamsError};
use super::exchange::{Ended, Next, Over, RequestIo};
use gateway_spec::{AsyncExchange, Cancellation, Disconnected, DynAsyncApplication, Environ, ErrorStream, InputStream};
use std::sync::Arc;
use std::time::Duration;

/// Calls the application and sends what it gives.
pub(super) async fn run_asynchronous(
    app: &dyn DynAsyncApplication,
    described: Described,
    io: &Arc<RequestIo>,
    longest_silence: Duration,
) -> Result<Over, ParamsError> {
    let Described { builder, content_length, .. } = described;
    let errors = ErrorStream::new(Arc::clone(io) as Arc<_>);
    let mut environ: Environ = builder.errors(errors).build()?;
    let cancellation = Cancellation::new();
    environ.extensions.insert(cancellation.clone());
    let _cancel = CancelOnDrop(cancellation);
    let input = InputStream::new(BodyPieces::new(Arc::clone(io), longest_silence), content_length);
    let mut exchange = AsyncExchange::call(app, environ, input);
    let mut rest = false;
    let ended = loop {
        let next = if std::mem::take(&mut rest) {
            io.put_rest()
        } else {
            let event = tokio::select! {
                biased;
                () = io.link.unwanted(io.serial) => break Ended::Unwanted,
                event = exchange.next() => event,
            };
            io.put(event)
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
    };
    Ok(Over { ended, failure: exchange.take_failure() })
}

/// Whatever the end, work that still goes on for this request is for nothing.
struct CancelOnDrop(Cancellation);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
