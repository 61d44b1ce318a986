//! What all connections of one server share: settings, the router, the gauge, and the wish to stop.

use super::config::Config;
use super::handler::Router;
use super::peers::Peers;
use super::room::{Guest, Seldom};
use crate::telemetry::Metrics;
use gateway_fastcgi::calls::Calls;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) router: Arc<dyn Router>,
    pub(super) calls: Calls,
    pub(super) runtime: Handle,
    pub(super) stop: Arc<Stop>,
    pub(super) peers: Arc<Peers>,
    pub(super) crowded: Seldom,
    live: Mutex<HashMap<u64, Live>>,
    next_id: AtomicU64,
    /// Rings when the last connection has ended.
    pub(super) all_ended: Notify,
}

struct Live {
    guest: Option<Weak<dyn Guest>>,
    task: Option<AbortHandle>,
}

impl Shared {
    pub(super) fn new(
        config: Config,
        router: Arc<dyn Router>,
        runtime: Handle,
        stop: Arc<Stop>,
    ) -> std::io::Result<Self> {
        let calls = config.calls.clone().unwrap_or_else(|| Calls::of(&runtime, config.max_blocking_calls));
        calls.watch(&runtime)?;
        Ok(Self {
            peers: Peers::of(&config),
            crowded: Seldom::default(),
            config,
            router,
            calls,
            runtime,
            stop,
            live: Mutex::new(HashMap::new()),
            next_id: AtomicU64::new(1),
            all_ended: Notify::new(),
        })
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.wanted.load(Ordering::Relaxed)
    }

    /// Enters a connection in the list of those that a stop must reach.
    pub(super) fn enter(self: &Arc<Self>, guest: Option<Weak<dyn Guest>>) -> Entry {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        if let Some(metrics) = self.metrics() {
            metrics.connection_accepted();
        }
        self.live().insert(id, Live { guest, task: None });
        Entry { shared: Arc::clone(self), id }
    }

    /// Notes the task of a connection, if it has not ended by now.
    pub(super) fn note_task(&self, id: u64, task: AbortHandle) {
        if let Some(live) = self.live().get_mut(&id) {
            live.task = Some(task);
        }
    }

    pub(super) fn metrics(&self) -> Option<&Metrics> {
        self.config.telemetry.as_ref()?.counters()
    }

    pub(super) fn count(&self) -> usize {
        self.live().len()
    }

    /// Wakes the connections that wait for a request, so that they see the stop.
    pub(super) fn wake_idle(&self) {
        for guest in self.guests() {
            guest.wake_idle();
        }
    }

    /// Ends what is still in progress.
    pub(super) fn cut_all(&self) {
        for guest in self.guests() {
            guest.cut();
        }
        let tasks: Vec<AbortHandle> = self.live().values().filter_map(|live| live.task.clone()).collect();
        for task in tasks {
            task.abort();
        }
    }

    pub(super) fn guests(&self) -> Vec<Arc<dyn Guest>> {
        self.live().values().filter_map(|live| live.guest.as_ref()?.upgrade()).collect()
    }

    fn live(&self) -> MutexGuard<'_, HashMap<u64, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place in the list; taken off on drop, however its task ends.
pub(super) struct Entry {
    shared: Arc<Shared>,
    pub(super) id: u64,
}

impl Entry {
    /// Notes what the connection is by now.
    pub(super) fn note_guest(&self, guest: Weak<dyn Guest>) {
        if let Some(live) = self.shared.live().get_mut(&self.id) {
            live.guest = Some(guest);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(metrics) = self.shared.metrics() {
            metrics.connection_closed();
        }
        let mut live = self.shared.live();
        live.remove(&self.id);
        if live.is_empty() {
            self.shared.all_ended.notify_one();
        }
    }
}

/// The wish to stop, as a flag for those who look and a signal for those who wait.
#[derive(Debug)]
pub(super) struct Stop {
    wanted: AtomicBool,
    signal: watch::Sender<bool>,
}

impl Stop {
    pub(super) fn new() -> Self {
        Self { wanted: AtomicBool::new(false), signal: watch::Sender::new(false) }
    }

    pub(super) fn ask(&self) {
        self.wanted.store(true, Ordering::Relaxed);
        self.signal.send_replace(true);
    }

    pub(super) async fn wanted(&self) {
        // The sender lives in `self`: waiting cannot fail.
        let _ = self.signal.subscribe().wait_for(|wanted| *wanted).await;
    }
}
