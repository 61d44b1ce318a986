//! When an HTTP/2 connection is idle, silent, or has been closing for too long.
//!
//! Holds the clock of one connection. Does not hold what is done about it.

use super::line::{Cause, Line};
use crate::serve::config::Config;
use gateway_fastcgi::net::after;
use h2::{Ping, PingPong};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A connection without streams is idle; one with streams is asked now and then whether anybody is there.
pub(super) struct Times {
    pings: Option<PingPong>,
    keep_alive: Duration,
    patience: Duration,
    linger: Duration,
    /// GOAWAY is out.
    is_closing: bool,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Idle {
        until: Instant,
    },
    Busy {
        ping_at: Instant,
    },
    /// A ping is on its way; so much had been sent before.
    Asked {
        until: Instant,
        sent: u64,
    },
}

/// What is due.
#[derive(Debug)]
pub(super) enum Due {
    /// A ping was sent, or answered.
    Pinged,
    /// No stream for too long.
    Idle,
    /// A ping was not answered.
    Silent,
    /// After GOAWAY and the last stream, the client has not closed.
    Closed,
}

impl Times {
    pub(super) fn new(pings: Option<PingPong>, config: &Config) -> Self {
        Self {
            pings,
            keep_alive: config.keep_alive_timeout,
            patience: config.write_timeout,
            linger: config.linger_timeout,
            is_closing: false,
            // The first request has the time of a head.
            state: State::Idle { until: after(config.header_timeout) },
        }
    }

    /// GOAWAY has been sent.
    pub(super) fn closing(&mut self) {
        self.is_closing = true;
        if self.is_idle() {
            self.state = State::Idle { until: after(self.linger) };
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle { .. })
    }

    /// Takes note of whether anything is in progress.
    pub(super) fn look(&mut self, is_empty: bool) {
        self.state = match (self.state, is_empty) {
            (State::Idle { .. }, false) => State::Busy { ping_at: after(self.patience) },
            (State::Busy { .. } | State::Asked { .. }, true) => {
                State::Idle { until: after(if self.is_closing { self.linger } else { self.keep_alive }) }
            }
            (same, _) => same,
        };
    }

    /// Waits for what is due next. Nothing is lost if it is dropped.
    pub(super) async fn due(&mut self, line: &Line) -> Due {
        match self.state {
            State::Idle { until } => {
                sleep_until(until).await;
                if self.is_closing { Due::Closed } else { Due::Idle }
            }
            State::Busy { ping_at } => {
                sleep_until(ping_at).await;
                let is_sent = self.pings.as_mut().is_some_and(|pings| pings.send_ping(Ping::opaque()).is_ok());
                self.state = match is_sent {
                    true => self.asked(line),
                    false => State::Busy { ping_at: after(self.patience) },
                };
                Due::Pinged
            }
            State::Asked { until, sent } => {
                let answered = poll_fn(|cx| match &mut self.pings {
                    Some(pings) => pings.poll_pong(cx).map(|answer| answer.is_ok()),
                    None => Poll::Pending,
                });
                match tokio::time::timeout_at(until, answered).await {
                    Ok(true) => {
                        self.state = State::Busy { ping_at: after(self.patience) };
                        Due::Pinged
                    }
                    // It waits behind all that was sent before it. On a slow line it is still on its way; and where nothing goes any
                    // more, that shows there.
                    Err(_) if line.sent.moved() > sent || line.why_nothing_goes() == Cause::Line => {
                        self.state = self.asked(line);
                        Due::Pinged
                    }
                    Ok(false) | Err(_) => Due::Silent,
                }
            }
        }
    }

    fn asked(&self, line: &Line) -> State {
        State::Asked { until: after(self.patience), sent: line.sent.moved() }
    }
}
