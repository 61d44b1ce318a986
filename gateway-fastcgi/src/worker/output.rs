//! What a request has of its connection: its output, its error output, and whether anybody wants them.
//!
//! Holds how the events of an exchange become records, in turns with the neighbours on the connection. Does not call anything, and
//! does not hold any rule of PEP 3333 (the driver does), or a record (the machine does).

use super::environ::First;
use super::link::{Held, Link, LinkError, Live};
use crate::protocol::RequestId;
use bytes::{Buf, Bytes};
use gateway_cgi::head;
use gateway_spec::{Disconnected, ErrorSink, Event, Exchange, Framing, PushSink};
use std::sync::Arc;
use std::time::Duration;

/// What a request has of its connection. All of it ends with the request.
pub(super) struct RequestIo {
    pub(super) link: Arc<Link>,
    pub(super) id: RequestId,
    pub(super) serial: u64,
    /// What of the body has to be received before anything is sent.
    pub(super) first: First,
    /// Whoever writes to the error stream may not wait.
    pub(super) asynchronous: bool,
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
pub(super) const PAUSE: Duration = Duration::from_millis(1);

/// So much of a chunk is sent before the neighbours on the connection get their turn.
const TURN_BYTES: usize = 64 * 1024;

/// Error output that is kept back until something else is sent.
const MAX_UNSENT_ERRORS: usize = 16 * 1024;

/// Error output of an asynchronous application that waits to be sent; what comes beyond is dropped, since nobody may wait for it.
const MAX_HELD_ERRORS: usize = 256 * 1024;

impl RequestIo {
    /// Does the gateway still want the answer?
    pub(super) fn is_wanted(&self) -> bool {
        self.link.lock_for(self.serial).is_ok()
    }

    /// The next thing to do: what waits of a long chunk goes first.
    pub(super) fn next(&self, exchange: &mut Exchange, last: Option<&Next>) -> Result<Next, Disconnected> {
        match last {
            Some(Next::Rest) => self.put_rest(),
            _ => match exchange.next() {
                head @ Event::Head(_) => {
                    // Filters are never called on a task, so this thread may wait.
                    if self.first == First::All {
                        self.link.receive_first_blocking(self.serial, self.first).map_err(|_| Disconnected)?;
                    }
                    // What follows a head is there already, so both are put out at once.
                    let follows = exchange.next();
                    let mut held = self.link.lock_for(self.serial)?;
                    self.put_under(&mut held, head)?;
                    self.put_under(&mut held, follows)
                }
                event => self.put(event),
            },
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
        self.put_under(&mut self.link.lock_for(self.serial)?, event)
    }

    fn put_under(&self, held: &mut Held<'_>, event: Event) -> Result<Next, Disconnected> {
        let has_neighbours = held.has_neighbours();
        let (machine, live) = held.parts()?;
        live.put_errors(machine);
        let Live { head, left, rest, ended, .. } = live;
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
                *ended = true;
                Ok(Next::Over(Ended::Complete))
            }
            Event::Abort => Ok(Next::Over(Ended::BrokenOff)),
        }
    }

    /// Sends what is there; where the rest of the body has to come first, that is received before.
    pub(super) fn send_blocking(&self) -> Result<(), LinkError> {
        if self.first != First::Nothing {
            self.link.receive_first_blocking(self.serial, self.first)?;
        }
        self.link.flush_blocking()
    }

    pub(super) async fn wait(&self, next: &Next) -> Result<(), LinkError> {
        self.link.flush().await?;
        match next {
            Next::Pause if self.link.is_pumped() => tokio::time::sleep(PAUSE).await,
            // Early when the gateway says something.
            Next::Pause => {
                let _ = tokio::time::timeout(PAUSE, self.link.stream().readable()).await;
            }
            _ => crate::calls::turn().await,
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
        let Ok((machine, live)) = held.parts() else { return };
        if self.asynchronous {
            // Nobody may wait here, so it is the driver that sends; in long records, which nginx needs (it gives up where the
            // head does not come within a buffer of short ones).
            if live.errors.len() < MAX_HELD_ERRORS {
                live.errors.extend_from_slice(text.as_bytes());
            }
            live.wake_driver();
            return;
        }
        // After the end of the request nothing may be sent (FCGI-122), and there is nobody to tell.
        let _ = machine.send_stderr(self.id, Bytes::copy_from_slice(text.as_bytes()));
        let unsent = machine.output().remaining();
        drop(held);
        if unsent > MAX_UNSENT_ERRORS {
            self.flush();
        }
    }

    fn flush(&self) {
        if !self.asynchronous && self.link.lock_for(self.serial).is_ok() {
            let _ = self.link.flush_blocking();
        }
    }
}
