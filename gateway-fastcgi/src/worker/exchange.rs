//! One application call: its events become records, its diagnostics go to STDERR.
//!
//! Holds the two loops over [`Exchange`], one for a task and one for a thread, and what a request has of its connection. Does not
//! hold the request body (`body`), any rule of PEP 3333 (the driver does), or a record (the machine does).

use super::environ::First;
use super::link::{Caller, Link, LinkError, Live};
use crate::calls::Calls;
use crate::protocol::RequestId;
use bytes::{Buf, Bytes};
use gateway_cgi::head;
use gateway_spec::{
    Admission, Application, Disconnected, Environ, ErrorSink, Event, Exchange, Failure, Framing, Permit, PushSink,
};
use std::sync::Arc;
use std::time::Duration;

/// What a request has of its connection. All of it ends with the request.
pub(super) struct RequestIo {
    pub(super) link: Arc<Link>,
    pub(super) id: RequestId,
    pub(super) serial: u64,
    /// What of the body has to be received before anything is sent.
    pub(super) first: First,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The response is complete and END_REQUEST is in the output.
    Complete,
    /// The response was broken off after it had begun.
    BrokenOff,
    /// Nobody wants the response any more.
    Unwanted,
}

/// An exchange that is over, and what there is to log about it.
pub(super) struct Over {
    pub(super) ended: Ended,
    pub(super) failure: Option<Failure>,
}

/// What to do after an event was put into the output.
pub(super) enum Next {
    /// Pull again first: what follows can share the write.
    Pull,
    /// Send, then pull (PEP-100).
    Send,
    /// Send, then put out more of the same chunk.
    Rest,
    /// Send, and give the application a moment.
    Pause,
    Over(Ended),
}

/// A pause for an application that has nothing yet: short for the client, long for a processor.
const PAUSE: Duration = Duration::from_millis(1);

/// Sends in a row before other tasks get their turn.
const TURN: u32 = 32;

/// So much of a chunk is sent before the neighbours on the connection get their turn.
const TURN_BYTES: usize = 64 * 1024;

/// Error output that is kept back until something else is sent.
const MAX_UNSENT_ERRORS: usize = 16 * 1024;

/// Calls the application on the runtime's own thread and sends what it gives.
///
/// A gateway that is slow to take the output costs no place in the house while it is waited for. If the house is full afterwards,
/// the exchange goes on where it may block.
pub(super) async fn run_inline(
    app: &Arc<dyn Application>,
    environ: Environ,
    io: &Arc<RequestIo>,
    calls: &Calls,
    permit: Permit,
) -> Result<Over, LinkError> {
    io.link.set_calling(true);
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
        self.0.set_calling(false);
    }
}

impl RequestIo {
    /// Does the gateway still want the answer?
    pub(super) fn is_wanted(&self) -> bool {
        self.link.lock_for(self.serial).is_ok()
    }

    /// The next thing to do: what waits of a long chunk goes first.
    fn next(&self, exchange: &mut Exchange, last: Option<&Next>) -> Result<Next, Disconnected> {
        match last {
            Some(Next::Rest) => self.put_rest(),
            _ => {
                let event = exchange.next();
                // Filters are never called on a task, so this thread may wait.
                if self.first == First::All && matches!(event, Event::Head(_)) {
                    self.link.receive_first_blocking(self.serial, self.first).map_err(|_| Disconnected)?;
                }
                self.put(event)
            }
        }
    }

    /// Puts out more of a chunk that was too long to be sent at once.
    pub(super) fn put_rest(&self) -> Result<Next, Disconnected> {
        let mut held = self.link.lock_for(self.serial)?;
        let (machine, live) = held.parts()?;
        let piece = live.rest.split_to(live.rest.len().min(TURN_BYTES));
        machine.send_stdout(self.id, piece).map_err(|_| Disconnected)?;
        Ok(match live.left {
            _ if !live.rest.is_empty() => Next::Rest,
            Some(0) => Next::Pull,
            _ => Next::Send,
        })
    }

    /// Turns an event into records of the output.
    pub(super) fn put(&self, event: Event) -> Result<Next, Disconnected> {
        let mut held = self.link.lock_for(self.serial)?;
        let has_neighbours = held.has_neighbours();
        let (machine, live) = held.parts()?;
        let Live { head, left, rest, .. } = live;
        let gone = |_| Disconnected;
        match event {
            Event::Head(response) => {
                head.clear();
                head::encode(response.status, &response.headers, head);
                *left = match response.framing {
                    Framing::Exact(length) => Some(length),
                    Framing::None | Framing::Unknown => None,
                };
                Ok(Next::Pull)
            }
            Event::Chunk(mut chunk) => {
                *left = left.map(|left| left.saturating_sub(chunk.len() as u64));
                if has_neighbours && chunk.len() > TURN_BYTES {
                    *rest = chunk.split_off(TURN_BYTES);
                    machine.send_stdout_parts(self.id, head, chunk).map_err(gone)?;
                    head.clear();
                    return Ok(Next::Rest);
                }
                machine.send_stdout_parts(self.id, head, chunk).map_err(gone)?;
                head.clear();
                // The end comes without more of the application, so it shares the write.
                Ok(if *left == Some(0) { Next::Pull } else { Next::Send })
            }
            Event::Nothing => Ok(Next::Pause),
            Event::End => {
                machine.send_stdout_parts(self.id, head, Bytes::new()).map_err(gone)?;
                head.clear();
                machine.send_end(self.id, 0).map_err(gone)?;
                Ok(Next::Over(Ended::Complete))
            }
            Event::Abort => Ok(Next::Over(Ended::BrokenOff)),
        }
    }

    /// Sends what is there; where the rest of the body has to come first, that is received before.
    fn send_blocking(&self) -> Result<(), LinkError> {
        if self.first != First::Nothing {
            self.link.receive_first_blocking(self.serial, self.first)?;
        }
        self.link.flush_blocking()
    }

    async fn wait(&self, next: &Next) -> Result<(), LinkError> {
        self.link.flush().await?;
        match next {
            Next::Pause if self.link.is_pumped() => tokio::time::sleep(PAUSE).await,
            // Early when the gateway says something.
            Next::Pause => {
                let _ = tokio::time::timeout(PAUSE, self.link.stream().readable()).await;
            }
            _ => tokio::task::yield_now().await,
        }
        Ok(())
    }
}

/// The imperative `write`: sent before it returns (PEP-121), the caller's thread waits for the gateway.
impl PushSink for RequestIo {
    fn push(&self, event: Event) -> Result<(), Disconnected> {
        // The head waits for the chunk that follows it at once.
        let is_head = matches!(event, Event::Head(_));
        self.put(event)?;
        if is_head { Ok(()) } else { self.send_blocking().map_err(|_| Disconnected) }
    }
}

/// Diagnostics go to the gateway's log (FCGI-83).
impl ErrorSink for RequestIo {
    fn write(&self, text: &str) {
        let Ok(mut held) = self.link.lock_for(self.serial) else { return };
        let Ok((machine, _)) = held.parts() else { return };
        // After the end of the request nothing may be sent (FCGI-122), and there is nobody to tell.
        let _ = machine.send_stderr(self.id, Bytes::copy_from_slice(text.as_bytes()));
        let unsent = machine.output().remaining();
        drop(held);
        if unsent > MAX_UNSENT_ERRORS {
            self.flush();
        }
    }

    fn flush(&self) {
        if self.link.lock_for(self.serial).is_ok() {
            let _ = self.link.flush_blocking();
        }
    }
}
