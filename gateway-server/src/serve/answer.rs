//! One request through its application: where it runs, and where it goes on.
//!
//! Holds the choice between the worker at hand, a thread that may block, and "try later". Does not hold the loop that pulls events and
//! writes them, which is the same on both kinds of thread (`drive`), or what comes before and after a request.
//!
//! On the usual way, a synchronous application whose body is here, nothing is spawned, no thread is changed, and the
//! response is written by one system call.

use super::asynchronous::{ask, converse};
use super::carrier::Carrier;
use super::drive::{Drive, Outcome, Pause, drive, gone, start};
use super::handler::Handler;
use super::input::WireInput;
use super::patience::Patience;
use super::refusal::Refusal;
use super::request::{Arrival, Call, WholeBody};
use super::upgrade::Upgrade;
use super::upload::{Arriving, answer_upload};
use super::wire::{Received, Wire};
use bytes::Bytes;
use futures_core::Stream;
use gateway_fastcgi::calls::Seat;
use gateway_fastcgi::net::{Timer, after};
use gateway_spec::{Admission, Application, AsyncExchange, Environ, Exchange, Input, InputSource, InputStream, Permit};
use std::io;
use std::sync::Arc;
use tokio::time::sleep;

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
