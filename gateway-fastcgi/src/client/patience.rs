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
    total: Option<Timer>,
    part: Part,
}

enum Part {
    Head,
    Body,
}

/// Who has to move before more can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitsFor {
    Worker,
    Input,
}

impl Patience {
    /// `total` is the end of all time for this request, if there is one.
    pub(super) fn new(config: &Config, total: Option<Instant>) -> Self {
        Self::with_timer(Box::pin(sleep(config.head_timeout)), total)
    }

    /// With the timer of an earlier request on the connection. It stays set for that, which is too early and so does no harm:
    /// to set one anew for each request costs more.
    pub(super) fn with_timer(silence: Timer, total: Option<Instant>) -> Self {
        Self { silence, since: None, total: total.map(|deadline| Box::pin(sleep_until(deadline))), part: Part::Head }
    }

    /// The worker is waited for from this moment on, which the caller has just seen.
    pub(super) fn begin_at(&mut self, now: Instant) {
        self.since = Some(now);
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

    /// If the worker is waited for: is it too long by now?
    pub(super) fn poll_silence(
        &mut self,
        waits_for: WaitsFor,
        config: &Config,
        cx: &mut Context<'_>,
    ) -> Poll<ClientError> {
        if waits_for == WaitsFor::Input {
            self.rest();
            return Poll::Pending;
        }
        let limit = match self.part {
            Part::Head => config.head_timeout,
            Part::Body => config.read_timeout,
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
    pub(super) fn poll_total(&mut self, config: &Config, cx: &mut Context<'_>) -> Poll<ClientError> {
        match &mut self.total {
            Some(total) => {
                let limit = config.total_timeout.unwrap_or_default();
                total.as_mut().poll(cx).map(|()| ClientError::TotalTimeout { limit })
            }
            None => Poll::Pending,
        }
    }
}
