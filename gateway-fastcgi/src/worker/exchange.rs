//! One application call: its events become records, its body comes from the connection, its diagnostics go to STDERR.
//!
//! Holds the two loops over [`Exchange`], one for a task and one for a thread, and what the application holds of the connection.
//! Does not hold any rule of PEP 3333 (the driver does), or a record (the machine does).

use super::link::{Caller, Link, LinkError, Meanwhile, State};
use crate::calls::Calls;
use crate::connection::WorkerEvent;
use crate::protocol::RequestId;
use bytes::{Buf, Bytes};
use gateway_cgi::head;
use gateway_spec::{
    Admission, Application, Disconnected, Environ, ErrorSink, Event, Exchange, Failure, Framing, InputSource, Permit,
    PushSink,
};
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// What a request has of its connection. All of it ends with the request.
pub(super) struct RequestIo {
    pub(super) link: Arc<Link>,
    pub(super) id: RequestId,
    pub(super) generation: u64,
    /// The gateway stops sending the body once it has got output.
    pub(super) half_duplex: bool,
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
enum Next {
    /// Pull again first: what follows can share the write.
    Pull,
    /// Send, then pull (PEP-100).
    Send,
    /// Send, and give the application a moment.
    Pause,
    Over(Ended),
}

/// A pause for an application that has nothing yet: short for the client, long for a processor.
const PAUSE: Duration = Duration::from_millis(1);

/// Sends in a row before other tasks get their turn.
const TURN: u32 = 32;

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
    let mut exchange = Exchange::call_with(app, environ, Some(Arc::clone(io) as Arc<dyn PushSink>));
    let mut permit = Some(permit);
    let mut sends = 0_u32;
    let ended = loop {
        let next = match io.put(exchange.next()) {
            Ok(Next::Pull) => continue,
            Ok(Next::Over(ended)) => break ended,
            Err(Disconnected) => break Ended::Unwanted,
            Ok(next @ (Next::Send | Next::Pause)) => next,
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
            if io.wait(&next).await.is_err() {
                break Ended::Unwanted;
            }
            permit = match calls.admit() {
                Admission::Inline(permit) => Some(permit),
                Admission::Overflow(permit) => return elsewhere(exchange, io, Some(permit)).await,
                Admission::Full => return elsewhere(exchange, io, None).await,
            };
        }
        if io.link.look_at_peer(Caller::Task).is_err() {
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
        let over = drive_blocking(exchange, &io);
        drop(permit);
        over
    });
    running.await.map_err(|error| LinkError::Io(error.into()))
}

async fn elsewhere(exchange: Exchange, io: &Arc<RequestIo>, permit: Option<Permit>) -> Result<Over, LinkError> {
    let io = Arc::clone(io);
    let running = tokio::task::spawn_blocking(move || {
        let over = drive_blocking(exchange, &io);
        drop(permit);
        over
    });
    running.await.map_err(|error| LinkError::Io(error.into()))
}

fn drive_blocking(mut exchange: Exchange, io: &RequestIo) -> Over {
    let ended = loop {
        let next = match io.put(exchange.next()) {
            Ok(Next::Pull) => continue,
            Ok(Next::Over(ended)) => break ended,
            Err(Disconnected) => break Ended::Unwanted,
            Ok(next) => next,
        };
        let sent = io.send_blocking().and_then(|()| match next {
            Next::Pause => {
                // Ends early when the gateway says something.
                let _ = io.link.stream().block_until(crate::net::Readiness::Read, PAUSE);
                io.link.look_at_peer(Caller::Thread)
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

impl RequestIo {
    /// Turns an event into records of the output.
    fn put(&self, event: Event) -> Result<Next, Disconnected> {
        let mut state = self.link.lock_for(self.generation)?;
        let State { machine, head, left, .. } = &mut *state;
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
            Event::Chunk(chunk) => {
                *left = left.map(|left| left.saturating_sub(chunk.len() as u64));
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

    /// Sends what is there; where the gateway would stop sending the body then, the rest of that is received first.
    fn send_blocking(&self) -> Result<(), LinkError> {
        if self.half_duplex && self.link.expects_input() {
            let _taking = self.link.taking_input.lock().unwrap_or_else(PoisonError::into_inner);
            self.receive_rest()?;
        }
        self.link.flush_blocking()
    }

    fn receive_rest(&self) -> Result<(), LinkError> {
        while self.link.expects_input() {
            match self.link.next_event_blocking(self.generation, Meanwhile::Held)? {
                Some(WorkerEvent::Stdin { data, .. }) => self.link.spool(self.generation, data)?,
                Some(WorkerEvent::Abort(_)) | None => return Err(LinkError::Gone),
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// What was received before the application asked for it; empty when that was all.
    fn spooled(&self, max: usize) -> io::Result<Bytes> {
        let mut state = self.link.lock_for(self.generation)?;
        state.spool.as_mut().map_or(Ok(Bytes::new()), |spool| spool.take(max))
    }

    async fn wait(&self, next: &Next) -> Result<(), LinkError> {
        self.link.flush().await?;
        match next {
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
        let Ok(mut state) = self.link.lock_for(self.generation) else { return };
        // After the end of the request nothing may be sent (FCGI-122), and there is nobody to tell.
        let _ = state.machine.send_stderr(self.id, Bytes::copy_from_slice(text.as_bytes()));
        let unsent = state.machine.output().remaining();
        drop(state);
        if unsent > MAX_UNSENT_ERRORS {
            self.flush();
        }
    }

    fn flush(&self) {
        if self.link.lock_for(self.generation).is_ok() {
            let _ = self.link.flush_blocking();
        }
    }
}

/// The rest of a body that was still arriving when the application was called; it reads the connection itself.
pub(super) struct BodySource {
    io: Arc<RequestIo>,
    rest: Bytes,
}

impl BodySource {
    pub(super) fn new(io: Arc<RequestIo>) -> Self {
        Self { io, rest: Bytes::new() }
    }
}

impl InputSource for BodySource {
    fn read_chunk(&mut self, max: usize) -> io::Result<Bytes> {
        let link = Arc::clone(&self.io.link);
        let _taking = link.taking_input.lock().unwrap_or_else(PoisonError::into_inner);
        if self.rest.is_empty() {
            self.rest = self.io.spooled(max)?;
        }
        while self.rest.is_empty() && link.expects_input() {
            match self.io.link.next_event_blocking(self.io.generation, Meanwhile::Sent) {
                Ok(Some(WorkerEvent::Stdin { data, .. })) => self.rest = data,
                Ok(Some(WorkerEvent::StdinEnd(_))) => return Ok(Bytes::new()),
                Ok(Some(WorkerEvent::Abort(_)) | None) => return Err(Disconnected.into()),
                Ok(Some(_)) => {}
                Err(error) => {
                    tracing::debug!(request = %self.io.id, %error, "request body cut");
                    return Err(Disconnected.into());
                }
            }
        }
        Ok(self.rest.split_to(self.rest.len().min(max)))
    }
}

impl Drop for BodySource {
    fn drop(&mut self) {
        self.io.link.let_go_of_input(self.io.generation);
    }
}
