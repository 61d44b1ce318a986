//! When an HTTP/2 connection is idle, silent, or has been closing for too long.
//!
//! Holds the clock of one connection. Does not hold what is done about it.

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
    /// A ping is on its way.
    Asked {
        until: Instant,
    },
    /// GOAWAY is out; `until` counts once no stream is left.
    Closing {
        until: Option<Instant>,
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
            // The first request has the time of a head.
            state: State::Idle { until: after(config.header_timeout) },
        }
    }

    /// GOAWAY has been sent.
    pub(super) fn closing(&mut self) {
        self.state = State::Closing { until: None };
    }

    /// Takes note of whether streams are there.
    pub(super) fn look(&mut self, is_empty: bool) {
        self.state = match (self.state, is_empty) {
            (State::Idle { .. }, false) => State::Busy { ping_at: after(self.patience) },
            (State::Busy { .. } | State::Asked { .. }, true) => State::Idle { until: after(self.keep_alive) },
            (State::Closing { until: None }, true) => State::Closing { until: Some(after(self.linger)) },
            (State::Closing { .. }, false) => State::Closing { until: None },
            (same, _) => same,
        };
    }

    /// Waits for what is due next. Nothing is lost if it is dropped.
    pub(super) async fn due(&mut self) -> Due {
        match self.state {
            State::Idle { until } => {
                sleep_until(until).await;
                Due::Idle
            }
            State::Busy { ping_at } => {
                sleep_until(ping_at).await;
                let sent = self.pings.as_mut().is_some_and(|pings| pings.send_ping(Ping::opaque()).is_ok());
                self.state = match sent {
                    true => State::Asked { until: after(self.patience) },
                    false => State::Busy { ping_at: after(self.patience) },
                };
                Due::Pinged
            }
            State::Asked { until } => {
                let answered = poll_fn(|cx| match &mut self.pings {
                    Some(pings) => pings.poll_pong(cx).map(|answer| answer.is_ok()),
                    None => Poll::Pending,
                });
                match tokio::time::timeout_at(until, answered).await {
                    Ok(true) => {
                        self.state = State::Busy { ping_at: after(self.patience) };
                        Due::Pinged
                    }
                    Ok(false) | Err(_) => Due::Silent,
                }
            }
            State::Closing { until: Some(until) } => {
                sleep_until(until).await;
                Due::Closed
            }
            State::Closing { until: None } => std::future::pending().await,
        }
    }
}
