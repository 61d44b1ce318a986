//! One call of a synchronous application.
//!
//! Holds the two loops over [`Exchange`], one for a task and one for a thread. Does not hold the output that they make (`output`)
//! or the request body (`body`).

use super::link::{Caller, Link, LinkError};
use super::output::{Ended, Next, PAUSE, RequestIo};
use crate::calls::{Calls, Seat};
use gateway_spec::{Admission, Application, Disconnected, Environ, Exchange, Failure, Permit, PushSink};
use std::sync::Arc;

/// An exchange that is over, and what there is to log about it.
pub(super) struct Over {
    pub(super) ended: Ended,
    pub(super) failure: Option<Failure>,
}

/// Sends in a row before other tasks get their turn.
const TURN: u32 = 32;

/// Calls the application on the runtime's own thread and sends what it gives.
///
/// A gateway that is slow to take the output costs no place in the house while it is waited for. If the house is full afterwards,
/// the exchange goes on where it may block. A call that may have to wait for its input has a place where it may block, by its permit, and
/// a seat here until it does.
pub(super) async fn run_inline(
    app: &Arc<dyn Application>,
    environ: Environ,
    io: &Arc<RequestIo>,
    calls: &Calls,
    permit: Permit,
    mut seat: Seat,
) -> Result<Over, LinkError> {
    io.link.call_begins(seat.is_kept());
    let _calling = Calling(&io.link);
    let mut exchange = Exchange::call_with(app, environ, Some(Arc::clone(io) as Arc<dyn PushSink>));
    let mut permit = Some(permit);
    let mut sends = 0_u32;
    let mut last = None;
    let ended = loop {
        let next = match io.next(&mut exchange, last.as_ref()) {
            Ok(Next::Pull) => {
                last = None;
                continue;
            }
            Ok(Next::Over(ended)) => break ended,
            Err(Disconnected) => break Ended::Unwanted,
            Ok(next) => last.insert(next),
        };
        sends = sends.wrapping_add(1);
        let waits = match io.link.try_flush(Caller::Task) {
            Ok(sent_all) => !sent_all || matches!(next, Next::Pause) || sends.is_multiple_of(TURN),
            Err(_) => break Ended::Unwanted,
        };
        if waits {
            seat.leave();
            if let Some(permit) = permit.take() {
                drop(permit);
            }
            if io.wait(next).await.is_err() {
                break Ended::Unwanted;
            }
            permit = match calls.admit() {
                Admission::Inline(permit) => Some(permit),
                Admission::Overflow(permit) => return elsewhere(exchange, last, io, Some(permit)).await,
                Admission::Full => return elsewhere(exchange, last, io, None).await,
            };
        }
        if io.link.look_at_peer(io.serial, Caller::Task).is_err() {
            break Ended::Unwanted;
        }
    };
    let over = over(exchange, ended);
    seat.leave();
    if let Some(permit) = permit {
        drop(permit);
    }
    Ok(over)
}

/// Calls the application on a thread that may block, where it may also read the connection.
pub(super) async fn run_blocking(
    app: &Arc<dyn Application>,
    environ: Environ,
    io: &Arc<RequestIo>,
    permit: Permit,
) -> Result<Over, LinkError> {
    let (app, io) = (Arc::clone(app), Arc::clone(io));
    let running = tokio::task::spawn_blocking(move || {
        let exchange = Exchange::call_with(&app, environ, Some(Arc::clone(&io) as Arc<dyn PushSink>));
        let over = drive_blocking(exchange, None, &io);
        drop(permit);
        over
    });
    running.await.map_err(|error| LinkError::Io(error.into()))
}

/// Goes on where it may block, behind what was done last.
async fn elsewhere(
    exchange: Exchange,
    last: Option<Next>,
    io: &Arc<RequestIo>,
    permit: Option<Permit>,
) -> Result<Over, LinkError> {
    let io = Arc::clone(io);
    let running = tokio::task::spawn_blocking(move || {
        let over = drive_blocking(exchange, last, &io);
        drop(permit);
        over
    });
    running.await.map_err(|error| LinkError::Io(error.into()))
}

fn drive_blocking(mut exchange: Exchange, mut last: Option<Next>, io: &RequestIo) -> Over {
    let ended = loop {
        let next = match io.next(&mut exchange, last.as_ref()) {
            Ok(Next::Pull) => {
                last = None;
                continue;
            }
            Ok(Next::Over(ended)) => break ended,
            Err(Disconnected) => break Ended::Unwanted,
            Ok(next) => last.insert(next),
        };
        let sent = io.send_blocking().and_then(|()| match next {
            Next::Pause => {
                io.link.pause_blocking(PAUSE);
                io.link.look_at_peer(io.serial, Caller::Thread)
            }
            _ => Ok(()),
        });
        if sent.is_err() {
            break Ended::Unwanted;
        }
    };
    over(exchange, ended)
}

/// Closes the body before anybody is told that the request is over.
fn over(mut exchange: Exchange, ended: Ended) -> Over {
    exchange.close();
    Over { ended, failure: exchange.take_failure() }
}

/// While it lives, the application may be running on a thread of the runtime.
struct Calling<'a>(&'a Link);

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        self.0.call_ends();
    }
}
