//! What gateways on a request's way say about it to the one that the client talks to: how long it waited, who answered.
//!
//! Holds the notes, as durations: who notes has a clock, this crate has none. Does not hold what is made of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A place for notes about one request; clones are the same place.
///
/// A server that tells its operator where time goes puts one into [`Environ::extensions`](crate::Environ). A gateway that has a request answered
/// elsewhere, by a program or another server, looks for it there, and does without where there is none.
///
/// # Examples
/// ```
/// use gateway_spec::{Environ, Hops};
/// use std::time::Duration;
///
/// let hops = Hops::new();
/// let mut environ = Environ::example("GET", "/");
/// environ.extensions.insert(hops.clone());
///
/// // In the gateway behind:
/// if let Some(hops) = environ.extensions.get::<Hops>() {
///     hops.waited(Duration::from_millis(2));
///     hops.answered("unix:/run/app.sock", Duration::from_millis(30));
/// }
/// let notes = hops.notes();
/// assert_eq!((notes.waited, notes.upstream.as_deref()), (Duration::from_millis(2), Some("unix:/run/app.sock")));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Hops(Arc<Mutex<Notes>>);

/// What was noted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notes {
    /// How long the request waited for a place: a process, a connection. Several waits are added up.
    pub waited: Duration,
    /// Who answered in the end; `None` if nobody was asked.
    pub upstream: Option<String>,
    /// From asking that one to the head of its answer; `None` if none came.
    pub head: Option<Duration>,
}

impl Hops {
    /// Nothing noted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The request waited for a place, once more.
    pub fn waited(&self, time: Duration) {
        let mut notes = self.lock();
        notes.waited = notes.waited.saturating_add(time);
    }

    /// Somebody is asked; the note stays if no answer comes.
    pub fn asked(&self, upstream: impl Into<String>) {
        let mut notes = self.lock();
        (notes.upstream, notes.head) = (Some(upstream.into()), None);
    }

    /// Somebody has answered; `head` is the time from asking to the head of the answer.
    pub fn answered(&self, upstream: impl Into<String>, head: Duration) {
        let mut notes = self.lock();
        (notes.upstream, notes.head) = (Some(upstream.into()), Some(head));
    }

    /// All that was noted so far.
    #[must_use]
    pub fn notes(&self) -> Notes {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_added_up_and_the_last_who_answers_counts() {
        let hops = Hops::new();
        hops.waited(Duration::from_secs(1));
        hops.clone().waited(Duration::from_secs(2));
        hops.answered("first", Duration::from_secs(3));
        hops.asked("second");
        let notes = hops.notes();
        assert_eq!(
            (notes.waited, notes.upstream.as_deref(), notes.head),
            (Duration::from_secs(3), Some("second"), None)
        );
    }
}
