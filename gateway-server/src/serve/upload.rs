//! Synchronous applications whose body is still arriving.
//!
//! Such a call may have to wait for its client, so it takes a place on a thread that may block. But to change threads costs more than to
//! read, and most clients are fast enough: so the call begins on the worker at hand, where there is room, and gives its place there to
//! others when it has to wait, or has read a lot. Holds that choice. Does not hold reading (`input`).

use super::answer::{Drive, Outcome, Work, blocking, drive, go_on, start};
use super::input::WireInput;
use super::refusal::Refusal;
use super::wire::Wire;
use bytes::Bytes;
use gateway_fastcgi::net::Timer;
use gateway_spec::{Admission, Application, Environ, Input, Permit};
use std::sync::{Arc, Mutex, PoisonError};

/// The place of a call on a worker, until it waits, has read a lot, or is over.
#[derive(Debug)]
pub(super) struct Seat(Mutex<Option<Permit>>);

impl Seat {
    /// What is read of a body on a worker, in bytes: at most a millisecond's work, so that other connections do not wait for it.
    pub(super) const MOST_BYTES: u64 = 2 << 20;

    /// Gives the place to others.
    pub(super) fn leave(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

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
    let seat = calls.try_inline().map(|permit| Arc::new(Seat(Mutex::new(Some(permit)))));
    let input = WireInput::new(Arc::clone(wire), request, body.begun, seat.clone());
    environ.input = Input::new(input, body.length);
    let Some(seat) = seat else {
        return blocking(wire, Work::Call(Arc::clone(app), environ), permit, timer).await;
    };
    let mut exchange = start(wire, &**app, environ);
    let driven = drive(&mut exchange, &**wire);
    seat.leave();
    match driven {
        Drive::Over(outcome) => outcome,
        Drive::Pause(pause) => go_on(wire, exchange, permit, pause, timer).await,
    }
}
