//! How long a client may keep us waiting while it sends a body or takes a response (HTTP-174, HTTP-181).
//!
//! Holds the rule, which is the same both ways: no pause may be too long, and all pauses together no longer than a time of grace and
//! what the bytes that were moved meanwhile earn. Only waiting is counted and only waiting costs something: where nothing has to be
//! waited for, nothing here is called, and the time that an application takes is not its client's.
//!
//! All server models ask for the same, each with its own way of waiting.

use super::config::Config;
use super::transport::reset_at_close;
use gateway_fastcgi::net::Peer;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::time::Instant;

/// What is asked of a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    longest_pause: Duration,
    grace: Duration,
    /// 0 asks for nothing.
    bytes_per_second: u64,
}

impl Rule {
    pub(super) fn of_bodies(config: &Config) -> Self {
        Self {
            longest_pause: config.body_timeout,
            grace: config.rate_grace,
            bytes_per_second: config.min_body_bytes_per_second,
        }
    }

    pub(super) fn of_responses(config: &Config) -> Self {
        Self {
            longest_pause: config.write_timeout,
            grace: config.rate_grace,
            bytes_per_second: config.min_write_bytes_per_second,
        }
    }

    /// How much longer a client may keep us waiting that has done so for `waited` and moved so many bytes.
    fn left(self, waited: Duration, moved: u64) -> Duration {
        let Some(micros) = moved.saturating_mul(1_000_000).checked_div(self.bytes_per_second) else {
            return Duration::MAX;
        };
        self.grace.saturating_add(Duration::from_micros(micros)).saturating_sub(waited)
    }
}

/// The waits for one body, or for one response to be taken.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    waited: Duration,
    /// How much had been moved when the first wait began.
    from: Option<u64>,
}

/// A wait that has begun.
#[derive(Debug)]
pub(super) struct Wait {
    begun: Instant,
    /// How long it may take.
    pub(super) longest: Duration,
}

impl Pace {
    /// For what counts from its first byte on: what a client sends before it is waited for is its merit too, but what a system's
    /// buffer takes of a response is not.
    pub(super) fn from_first_byte() -> Self {
        Self { waited: Duration::ZERO, from: Some(0) }
    }

    /// Begins a wait, when `moved` bytes have been moved in all.
    pub(super) fn begin(&mut self, rule: Rule, moved: u64) -> Wait {
        let longest = rule.longest_pause.min(self.left(rule, moved));
        Wait { begun: Instant::now(), longest }
    }

    /// Ends it, however it came out.
    pub(super) fn end(&mut self, wait: &Wait) {
        self.waited = self.waited.saturating_add(wait.begun.elapsed());
    }

    /// How much longer the client may keep us waiting.
    pub(super) fn left(&mut self, rule: Rule, moved: u64) -> Duration {
        let from = *self.from.get_or_insert(moved);
        rule.left(self.waited, moved.saturating_sub(from))
    }

    /// After a wait for room that was as long as it may be: has the client taken anything all the same, and enough of it?
    ///
    /// The system says that there is room only when a good part of its buffer is free, so whoever asks has tried to write again.
    pub(super) fn is_kept(&mut self, rule: Rule, before: u64, taken: u64) -> bool {
        taken > before && !self.left(rule, taken).is_zero()
    }
}

/// Ends a connection whose client does not take its response at the pace that is asked of it; so much of the body went before.
///
/// It is reset, so that the system does not go on sending what nobody takes.
pub(super) fn too_slow(peer: Peer, sent: u64, socket: &impl AsFd) -> io::Error {
    tracing::warn!(%peer, sent, clause = "RFC 9112 §9.5 (HTTP-174)", "response is taken too slowly");
    reset_at_close(socket);
    io::ErrorKind::TimedOut.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule =
        Rule { longest_pause: Duration::from_secs(30), grace: Duration::from_secs(10), bytes_per_second: 100 };

    #[test]
    fn http_181_waits_are_bounded_by_the_grace_and_by_what_was_moved_meanwhile() {
        for (waited, moved, left) in
            [(0, 0, 10), (4, 0, 6), (10, 0, 0), (11, 0, 0), (11, 150, 0), (11, 200, 1), (5, 10_000, 105)]
        {
            let left = Duration::from_secs(left);
            let waited = Duration::from_secs(waited);
            let left_of = RULE.left(waited, moved);
            assert!(left_of >= left && left_of < left + Duration::from_secs(1), "{waited:?} {moved}: {left_of:?}");
        }
        assert_eq!(RULE.left(Duration::MAX, u64::MAX), Duration::ZERO);
        let none = Rule { bytes_per_second: 0, ..RULE };
        assert_eq!(none.left(Duration::from_secs(1000), 0), Duration::MAX);
    }

    #[test]
    fn http_181_what_a_buffer_took_before_the_first_wait_is_no_merit() {
        let mut pace = Pace::default();
        assert_eq!(pace.left(RULE, 1_000_000), Duration::from_secs(10));
        assert_eq!(pace.left(RULE, 1_000_200), Duration::from_secs(12));
        assert_eq!(Pace::from_first_byte().left(RULE, 200), Duration::from_secs(12));
        assert_eq!(pace.begin(RULE, 2_000_000).longest, Duration::from_secs(30), "no pause is longer all the same");
    }
}
