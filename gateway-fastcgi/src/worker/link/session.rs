//! What a session does with its connection between two requests.
//!
//! Holds the wait for a request and its end: each look at the connection takes one lock.

use super::{Begun, Caller, Link, LinkError, Read, Reader};
use crate::net::Timer;
use bytes::Buf;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// How a connection stands after a request that its session has served.
#[derive(Debug, Clone, Copy)]
pub(in crate::worker) struct Standing {
    /// A pump reads now.
    pub(in crate::worker) pumped: bool,
    /// The connection serves no further request.
    pub(in crate::worker) closing: bool,
    /// The socket did not take all of the output.
    pub(in crate::worker) unsent: bool,
}

/// What comes to a session that waits for a request.
pub(in crate::worker) enum Next {
    Request(Begun),
    /// The gateway has closed, or no more requests are served.
    Over,
    /// `end` has come while there was none.
    Ended,
    /// There was none for as long as was to be waited.
    Silence,
}

/// What a session finds.
enum Look {
    Request(Begun),
    /// There is output to be sent first.
    Unsent,
    /// Nothing has come. `is_idle`: nor has any of it before.
    Nothing {
        is_idle: bool,
    },
    /// No more requests will be served.
    Closing,
    /// The gateway has closed.
    Over,
}

impl Link {
    /// The next request, or why there is none. Nothing is lost if the future is dropped.
    ///
    /// Waits up to `idle` while there is no request, up to the read timeout within one.
    pub(in crate::worker) async fn next_request(
        &self,
        idle: Duration,
        timer: &mut Timer,
        mut end: Option<Pin<&mut (impl Future<Output = ()> + Send)>>,
    ) -> Result<Next, LinkError> {
        loop {
            let (is_idle, longest) = match self.look()? {
                Look::Request(begun) => return Ok(Next::Request(begun)),
                Look::Over => return Ok(Next::Over),
                Look::Closing => return self.take_broken().map_or(Ok(Next::Over), |error| Err(error.into())),
                Look::Unsent => {
                    self.flush().await?;
                    continue;
                }
                Look::Nothing { is_idle: true } => (true, idle),
                Look::Nothing { is_idle: false } => (false, self.read_timeout),
            };
            // The session is the only one that waits, so the socket's single place for a waker will do.
            let ready = poll_fn(|cx| match (self.stream.poll_read_ready(cx), &mut end) {
                (Poll::Ready(ready), _) => Poll::Ready(Some(ready)),
                (Poll::Pending, Some(end)) if is_idle => end.as_mut().poll(cx).map(|()| None),
                (Poll::Pending, _) => Poll::Pending,
            });
            match timer.within(longest, ready).await {
                Ok(Some(ready)) => ready?,
                Ok(None) => return Ok(Next::Ended),
                Err(_) if is_idle => return Ok(Next::Silence),
                Err(_) => return Err(self.lost(LinkError::Silent(longest))),
            }
        }
    }

    /// Looks what there is to do for a session, reading what is there: all under one lock.
    fn look(&self) -> Result<Look, LinkError> {
        let mut state = self.lock();
        loop {
            if let Some(begun) = state.take_begun() {
                return Ok(Look::Request(begun));
            }
            if state.is_closing() {
                return Ok(Look::Closing);
            }
            if state.machine.output().has_remaining() {
                return Ok(Look::Unsent);
            }
            match self.read_under(&mut state, Caller::Task)? {
                Read::Some => {}
                Read::End => return Ok(state.take_begun().map_or(Look::Over, Look::Request)),
                Read::Nothing => return Ok(Look::Nothing { is_idle: state.is_idle() }),
            }
        }
    }

    /// [`Link::end`] for a session, with what it does and asks next, all under one lock: the output is sent as far as the socket takes
    /// it.
    pub(in crate::worker) fn finish(&self, serial: u64) -> Standing {
        let mut state = self.lock();
        state.end(serial);
        let pumped = state.reader == Reader::Pump;
        // What cannot be sent is found out by whoever waits for it.
        let unsent = pumped || !state.write(&self.stream, Caller::Task).unwrap_or(false);
        let standing = Standing { pumped, closing: state.is_closing(), unsent };
        drop(state);
        if pumped {
            self.changed.notify_one();
        }
        standing
    }
}
