//! One request through its application: where it runs, and how its events reach the client.
//!
//! Holds the choice between the worker at hand, a thread that may block, and "try later"; and the loop that pulls events
//! and writes them, which is the same on both kinds of thread. Does not hold what comes before and after a request.
//!
//! On the usual way, a synchronous application whose body is here, nothing is spawned, no thread is changed, and the
//! response is written by one system call.

use super::asynchronous::{ask, converse};
use super::carrier::Carrier;
use super::handler::Handler;
use super::input::WireInput;
use super::patience::Patience;
use super::refusal::Refusal;
use super::request::{Arrival, Call, WholeBody};
use super::upgrade::Upgrade;
use super::upload::{Arriving, answer_upload};
use super::wire::{Put, Received, Wire};
use bytes::Bytes;
use futures_core::Stream;
use gateway_fastcgi::calls::Seat;
use gateway_fastcgi::net::{Peer, Timer, after};
use gateway_spec::{
    Admission, Application, AsyncExchange, Environ, Event, Exchange, Failure, FilePart, Input, InputSource,
    InputStream, Permit, ResponseHead,
};
use std::io;
use std::sync::Arc;
use tokio::time::sleep;

/// How a request came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The response is complete, though perhaps not yet written.
    Complete,
    /// The response is broken off; the client must be able to see that.
    Aborted,
    /// The client has gone, or takes nothing any longer.
    Gone,
    /// The connection spoke another protocol since, and is done.
    Switched,
    /// Nothing was sent: answer this instead.
    Refused(Refusal),
}

/// What is left to do of a request that could not be answered at once.
#[allow(clippy::large_enum_variant, reason = "it is made once and taken apart at once")]
pub(super) enum Rest<'a> {
    /// All of it.
    Call(Call<'a>),
    /// The application has returned, and something has to be waited for.
    Exchange(Exchange, Permit, Pause),
    /// An asynchronous application is called, and has to be driven.
    Asked(AsyncExchange<'a>, Option<Upgrade>),
}

/// Answers on the usual way, where nothing has to be waited for: the application is synchronous, there is no body, a place
/// is free and the socket takes the response.
///
/// No future stands on this way, because each would move the environ once more.
#[allow(clippy::result_large_err, reason = "a box would cost an allocation, and the usual way returns no error")]
pub(super) fn answer_at_once<'a>(wire: &Arc<Wire>, call: Call<'a>) -> Result<Outcome, Rest<'a>> {
    let app = match (call.handler, &call.body) {
        (Handler::Sync(app), Arrival::Empty) => app,
        (Handler::Async(app), Arrival::Empty) if matches!(wire.try_flush(), Ok(true)) => {
            let exchange = ask(wire, &**app, call.environ, InputStream::empty(), call.upgrade.as_ref());
            return Err(Rest::Asked(exchange, call.upgrade));
        }
        _ => return Err(Rest::Call(call)),
    };
    let Some(permit) = wire.shared.calls.try_inline() else { return Err(Rest::Call(call)) };
    let mut exchange = start(wire, &**app, call.environ);
    match drive(&mut exchange, &**wire) {
        Drive::Over(outcome) => Ok(outcome),
        Drive::Pause(pause) => Err(Rest::Exchange(exchange, permit, pause)),
    }
}

/// Answers what is left of a request.
pub(super) async fn answer(wire: &Arc<Wire>, rest: Rest<'_>, timer: &mut Timer) -> Outcome {
    let call = match rest {
        Rest::Call(call) => call,
        Rest::Exchange(exchange, permit, pause) => return go_on(wire, exchange, permit, pause, timer).await,
        Rest::Asked(exchange, upgrade) => return converse(wire, exchange, upgrade, timer).await,
    };
    let Call { handler, environ, mut body, request, waits_for_continue, upgrade } = call;
    let mut begun = Bytes::new();
    if let Arrival::Arriving { length } = body {
        if let (Handler::Sync(_), Some(length), false) = (handler, length, waits_for_continue)
            && let Err(outcome) = preread(wire, length, timer).await
        {
            return outcome;
        }
        match wire.lock().take_whole_body() {
            Ok(WholeBody::Whole(bytes)) => body = Arrival::Whole(bytes),
            Ok(WholeBody::Begun(bytes)) => begun = bytes,
            Err(refusal) => return Outcome::Refused(refusal),
        }
    }
    if let (Handler::Sync(app), Arrival::Arriving { length }) = (handler, &body) {
        let body = Arriving { length: *length, begun };
        // In a box, so that connections without uploads have no room for this.
        return Box::pin(answer_upload(wire, app, environ, body, request, timer)).await;
    }
    let arriving = || WireInput::new(Arc::clone(wire), request, begun, Seat::default());
    run(wire, handler, environ, body, arriving, upgrade, timer).await
}

/// Runs the application of a request, of whose body is known how much is here; `arriving` makes what reads the rest.
pub(super) async fn run<C: Carrier, I: InputSource + Stream<Item = io::Result<Bytes>> + 'static>(
    wire: &Arc<C>,
    handler: &Handler,
    mut environ: Environ,
    body: Arrival,
    arriving: impl FnOnce() -> I,
    upgrade: Option<Upgrade>,
    timer: &mut Timer,
) -> Outcome {
    match handler {
        Handler::Async(app) => {
            let input = match body {
                Arrival::Empty => InputStream::empty(),
                Arrival::Whole(bytes) => InputStream::from(bytes),
                Arrival::Arriving { length } => InputStream::new(arriving(), length),
            };
            if wire.flush(timer).await.is_err() {
                return Outcome::Gone;
            }
            let exchange = ask(wire, &**app, environ, input, upgrade.as_ref());
            converse(wire, exchange, upgrade, timer).await
        }
        Handler::Sync(app) => match body {
            Arrival::Arriving { length } => {
                environ.input = Input::new(arriving(), length);
                match wire.shared().calls.admit_blocking() {
                    Admission::Full => Outcome::Refused(Refusal::Busy),
                    Admission::Inline(permit) | Admission::Overflow(permit) => {
                        blocking(wire, Work::Call(Arc::clone(app), environ), permit, timer).await
                    }
                }
            }
            Arrival::Empty => inline(wire, app, environ, timer).await,
            Arrival::Whole(bytes) => {
                environ.input = Input::from(bytes);
                inline(wire, app, environ, timer).await
            }
        },
    }
}

/// Reads a short body to its end before the application is called, so that it cannot wait for it.
async fn preread(wire: &Arc<Wire>, length: u64, timer: &mut Timer) -> Result<(), Outcome> {
    if length > wire.shared.config.preread_bytes as u64 {
        return Ok(());
    }
    loop {
        if wire.lock().machine.body_is_buffered() {
            return Ok(());
        }
        // Responses to earlier requests may be what the client waits for.
        if wire.flush(timer).await.is_err() {
            return Err(Outcome::Gone);
        }
        let wait = wire.wait_for_body();
        let received = wire.receive(timer, after(wait.longest)).await;
        wire.end_wait_for_body(&wait);
        match received {
            Received::Bytes => {}
            Received::Timeout => return Err(Outcome::Refused(Refusal::BodyTimeout)),
            Received::End => {
                let incomplete = crate::h1::RequestError::BodyIncomplete;
                return Err(Outcome::Refused(incomplete.into()));
            }
            Received::Stop | Received::Lost => return Err(Outcome::Gone),
        }
    }
}

/// Calls the application here, unless all workers but one sit in application code already.
async fn inline<C: Carrier>(wire: &Arc<C>, app: &Arc<dyn Application>, environ: Environ, timer: &mut Timer) -> Outcome {
    let permit = match wire.shared().calls.admit() {
        Admission::Inline(permit) => permit,
        Admission::Overflow(permit) => {
            return blocking(wire, Work::Call(Arc::clone(app), environ), permit, timer).await;
        }
        Admission::Full => return Outcome::Refused(Refusal::Busy),
    };
    let mut exchange = start(wire, &**app, environ);
    match drive(&mut exchange, &**wire) {
        Drive::Over(outcome) => outcome,
        Drive::Pause(pause) => go_on(wire, exchange, permit, pause, timer).await,
    }
}

/// Goes on with an exchange that has to wait now and then.
pub(super) async fn go_on<C: Carrier>(
    wire: &Arc<C>,
    mut exchange: Exchange,
    mut permit: Permit,
    mut pause: Pause,
    timer: &mut Timer,
) -> Outcome {
    let mut patience = Patience::default();
    loop {
        // While the client or the application keeps us waiting, the place is free for others.
        drop(permit);
        if wire.flush(timer).await.is_err() {
            return gone(&mut exchange);
        }
        match pause {
            Pause::Nothing => sleep(patience.next()).await,
            Pause::Blocked => patience = Patience::default(),
        }
        permit = loop {
            match wire.shared().calls.admit() {
                Admission::Inline(permit) => break permit,
                Admission::Overflow(permit) => {
                    return blocking(wire, Work::Exchange(exchange), permit, timer).await;
                }
                Admission::Full => sleep(Patience::LONGEST).await,
            }
        };
        pause = match drive(&mut exchange, &**wire) {
            Drive::Over(outcome) => return outcome,
            Drive::Pause(pause) => pause,
        };
    }
}

/// What goes to a thread that may block.
pub(super) enum Work {
    Call(Arc<dyn Application>, Environ),
    Exchange(Exchange),
}

pub(super) async fn blocking<C: Carrier>(wire: &Arc<C>, work: Work, permit: Permit, timer: &mut Timer) -> Outcome {
    // Earlier responses do not wait for this one.
    if wire.flush(timer).await.is_err() {
        return Outcome::Gone;
    }
    let wire = Arc::clone(wire);
    let run = move || {
        let _permit = permit;
        let mut exchange = match work {
            Work::Call(app, environ) => start(&wire, &*app, environ),
            Work::Exchange(exchange) => exchange,
        };
        let mut patience = Patience::default();
        loop {
            let pause = match drive(&mut exchange, &*wire) {
                Drive::Over(outcome) => return outcome,
                Drive::Pause(pause) => pause,
            };
            if wire.flush_blocking().is_err() {
                return gone(&mut exchange);
            }
            match pause {
                Pause::Nothing => std::thread::sleep(patience.next()),
                Pause::Blocked => patience = Patience::default(),
            }
        }
    };
    // Panics of applications are caught by the exchange; the thread fails only when the runtime ends.
    tokio::task::spawn_blocking(run).await.unwrap_or(Outcome::Aborted)
}

pub(super) fn start<C: Carrier, A: Application + ?Sized>(wire: &Arc<C>, app: &A, environ: Environ) -> Exchange {
    tracing::trace!(target: "gateway::marks", mark = "dispatched");
    wire.note_called();
    Exchange::call_with(app, environ, Some(Arc::clone(wire) as Arc<dyn gateway_spec::PushSink>))
}

/// Where [`drive`] stopped.
pub(super) enum Drive {
    Over(Outcome),
    Pause(Pause),
}

/// What has to be waited for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pause {
    /// The socket takes no more for now.
    Blocked,
    /// The application has nothing for now.
    Nothing,
}

/// Pulls events and writes them, until something has to be waited for.
pub(super) fn drive(exchange: &mut Exchange, wire: &impl Carrier) -> Drive {
    // What follows a head is there already (`Event::Head`), so both are put in at once.
    let mut head = None;
    loop {
        let put = match wire.sendable(|| exchange.take_file()) {
            Some(part) => send_file(wire, head.take(), part),
            None => match exchange.next() {
                Event::Head(next) => {
                    if let Some(trouble) = trouble(exchange, wire, &next) {
                        exchange.close();
                        return Drive::Over(Outcome::Refused(trouble));
                    }
                    head = Some(next);
                    continue;
                }
                event => wire.send(head.take(), event),
            },
        };
        match put {
            Ok(Put::More) => {}
            Ok(Put::Flush) => return Drive::Pause(Pause::Blocked),
            Ok(Put::Nothing) if wire.is_peer_gone() => return Drive::Over(gone(exchange)),
            Ok(Put::Nothing) => return Drive::Pause(Pause::Nothing),
            Ok(Put::End) => return Drive::Over(over(exchange, wire, Outcome::Complete)),
            Ok(Put::Abort) => return Drive::Over(over(exchange, wire, Outcome::Aborted)),
            Err(_) => return Drive::Over(gone(exchange)),
        }
    }
}

/// [`Carrier::send`] for a part of a file.
pub(super) fn send_file(wire: &impl Carrier, head: Option<ResponseHead>, part: FilePart) -> io::Result<Put> {
    if let Some(head) = head
        && wire.put(Event::Head(head)) == Put::Abort
    {
        return Ok(Put::Abort);
    }
    match wire.put_file(part) {
        Put::Flush if wire.try_flush()? => Ok(Put::More),
        put => Ok(put),
    }
}

/// Logs a failure before it is answered. HTTP-98, HTTP-86: perhaps the request itself was at fault, and the application only
/// stumbled over it; then that is the answer.
fn trouble(exchange: &mut Exchange, wire: &impl Carrier, head: &ResponseHead) -> Option<Refusal> {
    if !head.status.is_server_error() {
        return None;
    }
    log_failure(wire.peer(), &exchange.take_failure()?);
    wire.trouble()
}

fn over(exchange: &mut Exchange, wire: &impl Carrier, outcome: Outcome) -> Outcome {
    exchange.close();
    if let Some(failure) = exchange.take_failure() {
        log_failure(wire.peer(), &failure);
    }
    outcome
}

/// PEP-104: the body is closed when its client has gone, too.
fn gone(exchange: &mut Exchange) -> Outcome {
    exchange.close();
    Outcome::Gone
}

/// What the client's request brought upon itself, such as a file that is not there, is no trouble of ours.
pub(super) fn log_failure(peer: Peer, failure: &Failure) {
    if failure.status().is_client_error() {
        tracing::debug!(%peer, error = %failure, "application refused");
    } else {
        tracing::warn!(%peer, error = %failure, "application failed");
    }
}
