//! The events of a synchronous application, pulled and written.
//!
//! Holds the loop, which is the same on every thread, where it stops, and what is logged of a failure. Does not hold on which thread it
//! runs (`answer`), or how the response is carried (`carrier`).

use super::carrier::Carrier;
use super::refusal::Refusal;
use super::wire::Put;
use gateway_fastcgi::net::Peer;
use gateway_spec::{Application, Environ, Event, Exchange, Failure, FilePart, PushSink, ResponseHead};
use std::io;
use std::sync::Arc;

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

/// Calls the application.
pub(super) fn start<C: Carrier, A: Application + ?Sized>(wire: &Arc<C>, app: &A, environ: Environ) -> Exchange {
    tracing::trace!(target: "gateway::marks", mark = "dispatched");
    wire.note_called();
    Exchange::call_with(app, environ, Some(Arc::clone(wire) as Arc<dyn PushSink>))
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
pub(super) fn gone(exchange: &mut Exchange) -> Outcome {
    exchange.close();
    Outcome::Gone
}

/// What the client's request brought upon itself, such as a file that is not there, is no trouble of ours.
pub(super) fn log_failure(peer: Peer, failure: &Failure) {
    if failure.status().is_client_error() {
        tracing::debug!(%peer, error = %failure, "application refused");
    } else {
        match failure {
            // Its own words would begin with the same ones.
            Failure::Application(error) => tracing::warn!(%peer, %error, "application failed"),
            failure => tracing::warn!(%peer, error = %failure, "application failed"),
        }
    }
}
