//! Synchronous applications whose body is still arriving.
//!
//! Such a call may have to wait for its client, so it takes a place on a thread that may block. But to change threads costs more than to
//! read, and most clients are fast enough: so the call begins on the worker at hand, where there is room, and gives its place there to
//! others when it has to wait, or has read a lot. Holds that choice. Does not hold reading (`input`).

use super::answer::{Work, blocking, go_on};
use super::drive::{Drive, Outcome, drive, start};
use super::input::WireInput;
use super::refusal::Refusal;
use super::wire::Wire;
use bytes::Bytes;
use gateway_fastcgi::net::Timer;
use gateway_spec::{Admission, Application, Environ, Input};
use std::sync::Arc;

/// What an application is to read: `begun`, and what arrives.
pub(super) struct Arriving {
    pub(super) length: Option<u64>,
    pub(super) begun: Bytes,
}

/// Answers a request of which a part of the body is still to come.
pub(super) async fn answer_upload(
    wire: &Arc<Wire>,
    app: &Arc<dyn Application>,
    mut environ: Environ,
    body: Arriving,
    request: u64,
    timer: &mut Timer,
) -> Outcome {
    let calls = &wire.shared.calls;
    let (Admission::Inline(permit) | Admission::Overflow(permit)) = calls.admit_blocking() else {
        return Outcome::Refused(Refusal::Busy);
    };
    let mut seat = calls.seat();
    let input = WireInput::new(Arc::clone(wire), request, body.begun, seat.clone());
    environ.input = Input::new(input, body.length);
    if !seat.is_kept() {
        return blocking(wire, Work::Call(Arc::clone(app), environ), permit, timer).await;
    }
    let mut exchange = start(wire, &**app, environ);
    let driven = drive(&mut exchange, &**wire);
    seat.leave();
    match driven {
        Drive::Over(outcome) => {
            // What cannot be sent is found out by whoever waits for it. This took long, so others have a turn.
            let _ = wire.try_flush();
            seat.give_way().await;
            outcome
        }
        Drive::Pause(pause) => go_on(wire, exchange, permit, pause, timer).await,
    }
}
