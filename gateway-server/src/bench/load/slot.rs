//! A connection of a thread, and what keeps it from being used.

use std::time::Duration;

use super::connection::Connection;
use super::{Mark, clock};

/// A connection, which rests after failures.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) connection: Connection,
    /// After a failure it is left alone until then.
    pub(super) rests_until: Option<Mark>,
    /// Failures since the last answer.
    pub(super) failures: u32,
}

/// The first rest after a failure; each further one is twice as long, up to [`MAX_REST`]. A server that fails
/// everything then costs no more than a few hundred connections a second.
const FIRST_REST: Duration = Duration::from_millis(1);

/// Short enough to see a server that comes back.
const MAX_REST: Duration = Duration::from_millis(128);

impl Slot {
    /// Leaves it alone for a while after a failure; returns until when.
    pub(super) fn rest(&mut self, now: Mark) -> Mark {
        let rest = FIRST_REST.saturating_mul(1 << self.failures.min(16)).min(MAX_REST);
        let until = clock::after(now, rest);
        self.failures += 1;
        self.rests_until = Some(until);
        until
    }
}
