//! The life of one connection: request after request, then a polite end.
//!
//! Holds what happens between requests, as long as there is one at a time. Does not hold the answer (`request`), or connections
//! with several at a time (`pump`).

use super::Shared;
use super::leave::Leave;
use super::link::{Begun, Link, LinkError, Next};
use super::pump::{LONGEST_STALL, Pumping, STALL, pump};
use super::request::serve;
use crate::net::{Peer, Stream, Timer};
use bytes::BytesMut;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::watch;
use tracing::Instrument;

/// A connection that is being served.
pub(super) struct Session {
    shared: Arc<Shared>,
    link: Arc<Link>,
    peer: Peer,
    end: watch::Receiver<bool>,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, stream: Stream, peer: Peer, end: watch::Receiver<bool>) -> Self {
        let link = Arc::new(Link::new(stream, &shared.config, shared.applications.served()));
        shared.pumping.watch(&link);
        Self { shared, link, peer, end }
    }

    pub(super) async fn run(mut self) {
        let span = tracing::info_span!("fastcgi", peer = %self.peer);
        async move {
            match self.requests().await {
                Ok(()) => self.close().await,
                // Where the output ends before END_REQUEST, the gateway sees that the response is not whole.
                Err(LinkError::BrokenOff) => self.close().await,
                Err(LinkError::Protocol(error)) => {
                    tracing::warn!(%error, clause = error.clause(), "connection refused");
                    self.close().await;
                }
                Err(error) => tracing::debug!(%error, "connection ended"),
            }
        }
        .instrument(span)
        .await;
    }

    async fn requests(&mut self) -> Result<(), LinkError> {
        let config = &self.shared.config;
        let mut idle = config.silent_timeout;
        let mut served = 0;
        let mut leave = Leave::Not;
        let mut timer = Timer::new(idle);
        let mut receiver = self.end.clone();
        let mut end = pin!(async move {
            // Without a worker there is nobody left who would say it.
            let _ = receiver.wait_for(|end| *end).await;
        });
        loop {
            // A gateway that has just connected is about to ask, and may have nowhere else to go when it is refused: a connection
            // is closed for the end of the worker only between two requests (FCGI-10).
            let may_end = (served > 0 && leave == Leave::Not).then_some(end.as_mut());
            let wait = if leave == Leave::Not { idle } else { config.linger };
            let begun = match self.link.next_request(wait, &mut timer, may_end).await? {
                Next::Request(begun) => begun,
                Next::Over => return Ok(()),
                Next::Ended => {
                    leave.begin(&self.link, config.linger);
                    continue;
                }
                Next::Silence if leave == Leave::Not => return Err(self.link.lost(LinkError::Silent(idle))),
                Next::Silence => {
                    leave.end(&self.link);
                    continue;
                }
            };
            if (begun.multiplexed || self.shared.applications.is_asynchronous()) && self.link.become_pump() {
                return pump(&self.shared, &self.link, self.end.clone(), Some(begun), served).await;
            }
            served += 1;
            let serial = begun.serial;
            let alone = self.alone(begun, served).await;
            // What the application has kept of this request has no access to the next.
            let standing = self.link.finish(serial);
            // Meanwhile others may have come, or may have been looked for.
            if standing.pumped
                && let Some(pumping) = self.shared.pumping.of(&self.link)
            {
                if let Err(LinkError::BrokenOff) = alone {
                    self.link.drain();
                }
                return pumping.await.unwrap_or(Err(LinkError::Gone));
            }
            alone?;
            if standing.unsent {
                self.link.flush().await?;
            }
            if standing.closing {
                return Ok(());
            }
            if served >= config.max_connection_requests || *self.end.borrow() {
                leave.begin(&self.link, config.linger);
            }
            idle = config.idle_timeout;
        }
    }

    /// Serves the only request there is. If that takes long, somebody looks whether others come.
    async fn alone(&self, begun: Begun, served: u64) -> Result<(), LinkError> {
        let mut serving = pin!(serve(&self.shared, &self.link, begun));
        let mut stall = STALL;
        loop {
            if self.link.is_known_for_one() {
                return serving.await;
            }
            tokio::select! {
                biased;
                over = &mut serving => return over,
                // A timer is only made where the answer is waited for.
                () = async { tokio::time::sleep(stall).await } => {
                    if Pumping::take_over(&self.shared, &self.link, served) {
                        return serving.await;
                    }
                    stall = (2 * stall).min(LONGEST_STALL);
                }
            }
        }
    }

    /// Closes so that the gateway gets everything that was sent: a reset for its unread input could destroy it (FCGI-120).
    async fn close(&self) {
        let stream = self.link.stream();
        if self.link.flush().await.is_err() || self.link.has_nothing_to_come() || stream.shutdown_write().is_err() {
            return;
        }
        let mut rest = BytesMut::new();
        let wait_for_end = async {
            while stream.read_buf(&mut rest).await.is_ok_and(|length| length > 0) {
                rest.clear();
            }
        };
        let _ = tokio::time::timeout(self.shared.config.linger, wait_for_end).await;
    }
}

impl Drop for Session {
    /// Also when it is cut off: a thread that waits for the gateway wakes up, and the application learns that it is over.
    fn drop(&mut self) {
        // What only this holds is closed with it.
        if Arc::strong_count(&self.link) > 1 {
            self.link.shut();
        }
        self.shared.pumping.forget(&self.link);
    }
}
