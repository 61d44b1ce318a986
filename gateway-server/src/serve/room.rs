//! Who makes room when all places are taken (HTTP-181).
//!
//! Holds the order in which connections that wait for a request are given up, and how the accept loop comes by a place. Does not hold
//! the waits themselves (`wire`, `h2`).

use super::shared::Shared;
use crate::telemetry::Shed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// What a connection waits for while nobody answers anything on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waiting {
    /// The next request, of which nothing is here. To close it costs its client nothing but another connection.
    ForRequest,
    /// The rest of a head, or of what comes before the first one.
    ForHead,
}

/// A connection as those see it who need its place or stop the server.
pub(super) trait Guest: Send + Sync {
    /// What it waits for, and since when, if nobody answers anything on it.
    fn waiting(&self) -> Option<(Waiting, Instant)>;

    /// Ends that wait, if it still goes on.
    fn give_up(&self);

    /// Wakes its task if it waits for a request, to see that the server stops.
    fn wake_idle(&self) {}

    /// Cuts it, whoever works on it.
    fn cut(&self) {}
}

/// A connection before its first request can come: behind a proxy, in a TLS handshake.
pub(super) struct Arriving {
    since: Instant,
    pub(super) given_up: Notify,
}

impl Arriving {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { since: Instant::now(), given_up: Notify::new() })
    }
}

impl Guest for Arriving {
    /// As with a head: who needs long for it is slow or hostile.
    fn waiting(&self) -> Option<(Waiting, Instant)> {
        Some((Waiting::ForHead, self.since))
    }

    fn give_up(&self) {
        self.given_up.notify_one();
    }
}

/// How many are given up at once, at most: a crowd is let in without a look at all connections for each of them.
const MOST_AT_ONCE: usize = 32;

/// How often a full house is looked at again: one that was busy may wait by now.
const LOOK: Duration = Duration::from_millis(100);

/// What a crowd would have told over and over: once a second is enough.
#[derive(Debug, Default)]
pub(super) struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    /// Whether it is time to tell it again.
    pub(super) fn is_due(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_due = last.is_none_or(|last| now.duration_since(last) >= Duration::from_secs(1));
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

/// A place for a connection that has been accepted. Where there is none, those that wait for a request make room.
pub(super) async fn place(places: &Arc<Semaphore>, shared: &Shared) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        return Some(place);
    }
    loop {
        shared.make_room();
        if let Ok(place) = timeout(LOOK, Arc::clone(places).acquire_owned()).await {
            // It is never closed.
            return place.ok();
        }
    }
}

impl Shared {
    /// Gives up some of the connections that wait for a request, or else for the rest of a head: those that have waited longest.
    fn make_room(&self) {
        let mut waiting: Vec<(Waiting, Instant, Arc<dyn Guest>)> = self
            .guests()
            .into_iter()
            .filter_map(|guest| guest.waiting().map(|(waiting, since)| (waiting, since, guest)))
            .collect();
        waiting.sort_unstable_by_key(|(waiting, since, _)| (*waiting, *since));
        let Some((kind, ..)) = waiting.first() else { return };
        let of_this_kind = waiting.iter().take_while(|(waiting, ..)| waiting == kind).count();
        let count = (of_this_kind / 8).clamp(1, MOST_AT_ONCE);
        if self.crowded.is_due() {
            tracing::warn!(
                connections = self.count(),
                "all places are taken, so waiting connections are closed; see max_connections"
            );
        }
        for (kind, _, guest) in waiting.into_iter().take(count) {
            if let Some(metrics) = self.metrics() {
                metrics.connection_shed(if kind == Waiting::ForRequest { Shed::Request } else { Shed::Head });
            }
            guest.give_up();
        }
    }
}
