//! One request through its application.
//!
//! The application is called on the connection's thread, and so is everything it gives afterwards. An asynchronous one, such as
//! a mount of CGI programs, is waited for here too; only its sockets and pipes are the business of the small runtime beside the
//! threads. Its request body is received first, since nobody would read it while the thread waits for the answer.

use super::input::LineInput;
use super::line::{Line, Sent};
use crate::serve::drive::{Outcome, log_failure};
use crate::serve::handler::Handler;
use crate::serve::patience::Patience;
use crate::serve::refusal::Refusal;
use crate::serve::request::{Arrival, Call};
use gateway_cgi::spool::{self, Spool, SpoolError};
use gateway_spec::{
    Application, AsyncExchange, DynAsyncApplication, Environ, Event, Exchange, Failure, Input, InputStream, PushSink,
};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Answers a request.
pub(super) fn answer(line: &Arc<Line>, call: Call<'_>) -> Outcome {
    let Call { handler, mut environ, body, request, .. } = call;
    environ.multithread = line.pool.is_concurrent();
    let input = LineInput::new(Arc::clone(line), request);
    line.note_called();
    match (handler, body) {
        (Handler::Sync(app), Arrival::Arriving { length }) => {
            environ.input = Input::new(input, length);
            synchronous(line, &**app, environ)
        }
        (Handler::Sync(app), Arrival::Whole(bytes)) => {
            environ.input = bytes.into();
            synchronous(line, &**app, environ)
        }
        (Handler::Sync(app), Arrival::Empty) => synchronous(line, &**app, environ),
        (Handler::Async(app), Arrival::Empty) => asynchronous(line, &**app, environ, InputStream::empty()),
        (Handler::Async(app), Arrival::Whole(bytes)) => asynchronous(line, &**app, environ, bytes.into()),
        (Handler::Async(app), Arrival::Arriving { length }) => {
            asynchronous(line, &**app, environ, InputStream::new(input, length))
        }
    }
}

fn synchronous(line: &Arc<Line>, app: &dyn Application, environ: Environ) -> Outcome {
    let push = Arc::clone(line) as Arc<dyn PushSink>;
    let mut exchange = Exchange::call_with(app, environ, Some(push));
    let mut patience = Patience::default();
    let outcome = loop {
        let sent = match exchange.take_file() {
            Some(part) => line.send_file(part),
            None => {
                let event = exchange.next();
                let failure = if is_failing(&event) { exchange.take_failure() } else { None };
                if let Some(refusal) = failure.and_then(|failure| spoilt(line, &failure)) {
                    exchange.close();
                    return Outcome::Refused(refusal);
                }
                line.send(event)
            }
        };
        match after(line, &sent) {
            Next::Event => patience = Patience::default(),
            Next::Wait => std::thread::sleep(patience.next()),
            Next::Over(outcome) => break outcome,
        }
    };
    // PEP-104: the body is closed whatever became of it.
    exchange.close();
    if let Some(failure) = exchange.take_failure().filter(|_| outcome != Outcome::Gone) {
        log_failure(line.peer, &failure);
    }
    outcome
}

/// How often a client that waits for an asynchronous answer is looked at.
const PEER_LOOK: Duration = Duration::from_secs(1);

fn asynchronous(line: &Arc<Line>, app: &dyn DynAsyncApplication, environ: Environ, input: InputStream) -> Outcome {
    let runtime = &line.pool.shared.runtime;
    // Also for what is dropped here.
    let _within = runtime.enter();
    let head_request = environ.request_method() == "HEAD";
    let called = async move {
        // The long ones in a file.
        let body = Spool::receive(input, &spool::Config::default()).await.map_err(SpoolError::into_app_error)?;
        app.call_boxed(environ, body.stream()).await
    };
    let mut exchange = AsyncExchange::from_future(Box::pin(called), head_request);
    loop {
        let sent = match exchange.take_file() {
            Some(part) => line.send_file(part),
            None => {
                let event = loop {
                    match runtime.block_on(async { tokio::time::timeout(PEER_LOOK, exchange.next()).await }) {
                        Ok(event) => break event,
                        Err(_) if line.is_peer_gone() => return Outcome::Gone,
                        Err(_) => {}
                    }
                };
                if let Some(failure) = exchange.take_failure()
                    && let Some(refusal) = spoilt(line, &failure)
                    && matches!(event, Event::Head(_))
                {
                    return Outcome::Refused(refusal);
                }
                line.send(event)
            }
        };
        match after(line, &sent) {
            // An asynchronous application that has nothing is not ready yet; it is not asked in between.
            Next::Event | Next::Wait => {}
            Next::Over(outcome) => return outcome,
        }
    }
}

/// What to do after something was sent.
enum Next {
    Event,
    Wait,
    Over(Outcome),
}

fn after(line: &Line, sent: &io::Result<Sent>) -> Next {
    match sent {
        Ok(Sent::More) => Next::Event,
        Ok(Sent::Nothing) if line.is_peer_gone() => Next::Over(Outcome::Gone),
        Ok(Sent::Nothing) => Next::Wait,
        Ok(Sent::End) => Next::Over(Outcome::Complete),
        Ok(Sent::Abort) => Next::Over(Outcome::Aborted),
        Err(_) => Next::Over(Outcome::Gone),
    }
}

fn is_failing(event: &Event) -> bool {
    matches!(event, Event::Head(head) if head.status.is_server_error())
}

/// Logs a failure. HTTP-98, HTTP-86: perhaps the request itself was at fault, and the application only stumbled over it.
fn spoilt(line: &Line, failure: &Failure) -> Option<Refusal> {
    log_failure(line.peer, failure);
    line.lock().trouble
}
