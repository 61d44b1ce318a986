//! How long a worker is waited for.
//!
//! Holds the clock of one request, which runs only while the worker is the one that is waited for. Does not know why.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::{ClientError, Config};

/// What wakes who waits for a worker.
pub(super) type Timer = Pin<Box<Sleep>>;

/// The time limits of one request.
pub(super) struct Patience {
    silence: Timer,
    /// Since when the worker is waited for.
    since: Option<Instant>,
    total: Option<Pin<Box<Sleep>>>,
    total_limit: Duration,
    part: Part,
    head_limit: Duration,
    read_limit: Duration,
}

enum Part {
    Head,
    Body,
}

impl Patience {
    /// `total` is the end of all time for this request, if there is one.
    pub(super) fn new(config: &Config, total: Option<Instant>) -> Self {
        Self::with_timer(Box::pin(sleep(config.head_timeout)), config, total)
    }

    /// With the timer of an earlier request on the connection. It stays set for that, which is too early and so does no harm:
    /// to set one anew for each request costs more.
    pub(super) fn with_timer(silence: Timer, config: &Config, total: Option<Instant>) -> Self {
        Self {
            silence,
            since: None,
            total: total.map(|deadline| Box::pin(sleep_until(deadline))),
            total_limit: config.total_timeout.unwrap_or_default(),
            part: Part::Head,
            head_limit: config.head_timeout,
            read_limit: config.read_timeout,
        }
    }

    /// The head has come.
    pub(super) fn head_is_there(&mut self) {
        self.part = Part::Body;
        self.rest();
    }

    /// Something moved, or somebody else is waited for: the clock starts from zero next time.
    pub(super) fn rest(&mut self) {
        self.since = None;
    }

    /// The worker is waited for: is it too long by now?
    pub(super) fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<ClientError> {
        let limit = match self.part {
            Part::Head => self.head_limit,
            Part::Body => self.read_limit,
        };
        let since = *self.since.get_or_insert_with(Instant::now);
        // A limit beyond the end of time is none.
        let deadline = since.checked_add(limit).unwrap_or_else(|| since + Duration::from_secs(365 * 24 * 3600));
        if self.silence.deadline() > deadline {
            self.silence.as_mut().reset(deadline);
        }
        while self.silence.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(match self.part {
                    Part::Head => ClientError::HeadTimeout { limit },
                    Part::Body => ClientError::ReadTimeout { limit },
                });
            }
            self.silence.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// The timer, for the next request on the connection.
    pub(super) fn into_timer(self) -> Timer {
        self.silence
    }

    /// Has the whole request taken too long?
    pub(super) fn poll_total(&mut self, cx: &mut Context<'_>) -> Poll<ClientError> {
        match &mut self.total {
            Some(total) => total.as_mut().poll(cx).map(|()| ClientError::TotalTimeout { limit: self.total_limit }),
            None => Poll::Pending,
        }
    }
}
