//! How long a worker is waited for.
//!
//! Holds the clock of one request, which runs only while the worker is the one that is waited for. Does not know why.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::{ClientError, Config};

/// The time limits of one request.
pub(super) struct Patience {
    silence: Pin<Box<Sleep>>,
    running: bool,
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
        Self {
            silence: Box::pin(sleep(config.head_timeout)),
            running: false,
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
        self.running = false;
    }

    /// The worker is waited for: is it too long by now?
    pub(super) fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<ClientError> {
        let limit = match self.part {
            Part::Head => self.head_limit,
            Part::Body => self.read_limit,
        };
        if !std::mem::replace(&mut self.running, true) {
            let now = Instant::now();
            // A limit beyond the end of time is none.
            let far = now + Duration::from_secs(365 * 24 * 3600);
            self.silence.as_mut().reset(now.checked_add(limit).unwrap_or(far));
        }
        self.silence.as_mut().poll(cx).map(|()| match self.part {
            Part::Head => ClientError::HeadTimeout { limit },
            Part::Body => ClientError::ReadTimeout { limit },
        })
    }

    /// Has the whole request taken too long?
    pub(super) fn poll_total(&mut self, cx: &mut Context<'_>) -> Poll<ClientError> {
        match &mut self.total {
            Some(total) => total.as_mut().poll(cx).map(|()| ClientError::TotalTimeout { limit: self.total_limit }),
            None => Poll::Pending,
        }
    }
}
