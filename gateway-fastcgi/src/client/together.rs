//! The shared connections to one upstream.
//!
//! Holds which there are and which one a request gets. Does not hold what happens on them (`shared`).

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::pool::Wanted;
use super::shared::SharedConnection;

/// The shared connections to one upstream.
pub(super) struct Together {
    list: Mutex<Vec<Arc<SharedConnection>>>,
    /// Held while one is opened, so that those who come meanwhile use it as well.
    pub(super) opening: tokio::sync::Mutex<()>,
    /// Requests at a time on each; 1 means that none is shared.
    per_connection: AtomicU16,
}

impl Together {
    pub(super) fn new(per_connection: u16) -> Self {
        Self {
            list: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            per_connection: AtomicU16::new(per_connection),
        }
    }

    /// How many requests share a connection; `None` if each has its own.
    pub(super) fn per_connection(&self) -> Option<u16> {
        Some(self.per_connection.load(Ordering::Relaxed)).filter(|many| *many > 1)
    }

    pub(super) fn set_per_connection(&self, requests: u16) {
        self.per_connection.store(requests, Ordering::Relaxed);
    }

    /// The connection with the fewest requests of those that have room.
    pub(super) fn best(&self, wanted: Wanted) -> Option<Arc<SharedConnection>> {
        let list = self.list();
        let suitable = list.iter().filter(|one| wanted == Wanted::Any || !one.has_served());
        let (_, best) = suitable.filter_map(|one| Some((one.load()?, one))).min_by_key(|(load, _)| *load)?;
        Some(Arc::clone(best))
    }

    pub(super) fn add(&self, connection: &Arc<SharedConnection>) {
        self.list().push(Arc::clone(connection));
    }

    pub(super) fn forget(&self, connection: &Arc<SharedConnection>) {
        self.list().retain(|one| !Arc::ptr_eq(one, connection));
    }

    /// Has each closed after its last request.
    pub(super) fn retire(&self) {
        self.list().drain(..).for_each(|one| one.retire());
    }

    /// How many there are without a request.
    pub(super) fn idle(&self) -> usize {
        self.list().iter().filter(|one| one.load() == Some(0)).count()
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<SharedConnection>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Together {
    fn drop(&mut self) {
        self.retire();
    }
}
