//! The connections of a pool without a request, and those that wait for a worker to accept them.
//!
//! Holds the lists, and when an idle connection is closed. Does not hold who gets one (`pool`).

use std::sync::Weak;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Pool;
use super::lease::Connection;

/// Connections without a request, the latest used last.
#[derive(Default)]
pub(super) struct IdleConnections {
    pub(super) list: Vec<Idle>,
    /// When requests on new connections began that nobody has answered: perhaps no worker has accepted them.
    pub(super) waiting: Vec<(u64, Instant)>,
    /// How many have ever been in `waiting`.
    pub(super) tickets: u64,
    /// The last of them that was answered.
    pub(super) answered: u64,
    pub(super) is_watched: bool,
    pub(super) is_closed: bool,
}

pub(super) struct Idle {
    pub(super) connection: Box<Connection>,
    pub(super) until: Instant,
}

impl IdleConnections {
    /// Whether a request has waited so long for its first byte that a kept connection may be what it waits for: a worker
    /// that serves one connection at a time, such as php-cgi, accepts no other before that one is closed (FCGI-118).
    pub(super) fn is_in_the_way(&self, now: Instant) -> bool {
        self.waiting.iter().any(|(_, since)| now.duration_since(*since) >= GIVE_WAY)
    }
}

/// How long a request on a new connection waits before kept connections give way to it: longer than most answers take, and
/// hardly to be felt.
const GIVE_WAY: Duration = Duration::from_millis(50);

/// Closes connections when their time is up, until there is none.
pub(super) async fn close_idle(pool: Weak<Pool>) {
    loop {
        let next = {
            let Some(pool) = pool.upgrade() else { return };
            let now = Instant::now();
            let mut idle = pool.idle();
            if idle.is_in_the_way(now) {
                idle.list.clear();
            }
            idle.list.retain(|idle| idle.until > now);
            match idle.list.iter().map(|idle| idle.until).min() {
                Some(next) => next.min(now + GIVE_WAY),
                None => {
                    idle.is_watched = false;
                    return;
                }
            }
        };
        sleep_until(next).await;
    }
}
