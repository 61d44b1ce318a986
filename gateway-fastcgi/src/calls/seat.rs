//! Calls that begin on a worker although they may have to wait.
//!
//! Holds how such a call gives its place there to others.

use super::turn;
use crate::net::{Readiness, Stream};
use gateway_spec::Permit;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The place on a worker of a call that reads what is still arriving: kept until it has waited for its client, or has read a lot.
///
/// Whoever calls keeps a clone, to end it with the call; [`Calls::seat`](super::Calls::seat) makes it. When a call without such a place has
/// to wait, it lets the runtime go on without its thread (`block_in_place`).
#[derive(Debug, Clone, Default)]
pub struct Seat {
    place: Option<Arc<Mutex<Option<Permit>>>>,
    read: u64,
    waited: Duration,
    gives_way: bool,
}

impl Seat {
    /// What is read on a worker, in bytes: at most a millisecond's work, so that other connections do not wait for it.
    const MOST_BYTES: u64 = 2 << 20;

    /// So many such calls run before others have their turn. To serve one connection again and again is quickest, since all of it is in
    /// the cache; but its neighbours wait.
    const CALLS_IN_A_ROW: usize = 4;

    /// How long it may wait on a worker, in all: for a client that is sending just now. To change threads costs more than that.
    const MOST_WAIT: Duration = Duration::from_millis(2);

    /// The `number`th of a runtime.
    pub(super) fn new(permit: Permit, number: usize) -> Self {
        let place = Some(Arc::new(Mutex::new(Some(permit))));
        Self { place, gives_way: number.is_multiple_of(Self::CALLS_IN_A_ROW), ..Self::default() }
    }

    /// Is there a place? Its call may be over meanwhile.
    pub fn is_kept(&self) -> bool {
        self.place.is_some()
    }

    /// Gives the place to others.
    pub fn leave(&mut self) {
        if let Some(place) = self.place.take() {
            drop(place.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }

    /// Notes that so much was read.
    pub fn count(&mut self, bytes: usize) {
        self.read = self.read.saturating_add(bytes as u64);
        if self.read > Self::MOST_BYTES {
            self.leave();
        }
    }

    /// Lets other tasks have their turn, now and then; for when the call is over and its output is sent.
    pub async fn give_way(&self) {
        if self.gives_way {
            turn().await;
        }
    }

    /// Waits a moment until there is something to be read; if nothing comes, or there is no place, gives it to others and says false.
    pub fn wait(&mut self, stream: &Stream) -> bool {
        if !self.is_kept() {
            return false;
        }
        let begun = Instant::now();
        // What is wrong with the connection shows when it is waited for elsewhere.
        let ready = stream.block_until(Readiness::Read, Self::MOST_WAIT.saturating_sub(self.waited)).is_ok();
        self.waited += begun.elapsed();
        if !ready {
            self.leave();
        }
        ready
    }
}
