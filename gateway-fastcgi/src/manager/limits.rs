//! How long and how much a worker may: limits that end it softly, and one that kills it.
//!
//! Holds the values and the arithmetic of jitter. Does not hold what is done about them (`pool`).

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Limits of one worker. By default there are none.
///
/// All but one are soft: the worker finishes its requests and is replaced, and the replacement runs before it is asked to. Only
/// [`Limits::request_timeout`] kills.
///
/// # Examples
/// ```
/// use gateway_fastcgi::manager::Limits;
/// use std::time::Duration;
///
/// let limits = Limits::default().max_requests(1000).max_memory_bytes(256 << 20).slow_after(Duration::from_secs(5));
/// # let _ = limits;
/// ```
#[derive(Debug, Clone, Default)]
pub struct Limits {
    pub(super) max_requests: Option<u64>,
    pub(super) max_requests_jitter: u64,
    pub(super) lifetime: Option<Duration>,
    pub(super) max_memory_bytes: Option<u64>,
    pub(super) request_timeout: Option<Duration>,
    pub(super) slow_after: Option<Duration>,
}

impl Limits {
    /// Requests of one worker. Default no limit. A worker that is not ours is told by PHP_FCGI_MAX_REQUESTS, which php-cgi obeys;
    /// of others nobody knows how many they have served. At least 1.
    #[must_use]
    pub fn max_requests(mut self, requests: u64) -> Self {
        self.max_requests = Some(requests.max(1));
        self
    }

    /// Up to so many requests more, a different number for each worker, so that not all are replaced at the same time. Default
    /// 0.
    #[must_use]
    pub fn max_requests_jitter(mut self, requests: u64) -> Self {
        self.max_requests_jitter = requests;
        self
    }

    /// How long a worker is used; up to a tenth more, so that not all are replaced at the same time. Default no limit.
    #[must_use]
    pub fn lifetime(mut self, longest: Duration) -> Self {
        self.lifetime = Some(longest);
        self
    }

    /// Resident memory of a worker and its children. Default no limit. It is looked at once in an
    /// [interval](super::Config::interval): what must never be exceeded is a resource limit's
    /// ([`Confinement`](gateway_cgi::host::Confinement)).
    #[must_use]
    pub fn max_memory_bytes(mut self, bytes: u64) -> Self {
        self.max_memory_bytes = Some(bytes);
        self
    }

    /// How long a request may take; the worker that exceeds it is killed and replaced, and other requests in it are lost. Default
    /// no limit. In a worker that is not ours it is the time since it has accepted the connection.
    #[must_use]
    pub fn request_timeout(mut self, longest: Duration) -> Self {
        self.request_timeout = Some(longest);
        self
    }

    /// Requests that take at least this long are told of in the log, and counted. Default none.
    #[must_use]
    pub fn slow_after(mut self, time: Duration) -> Self {
        self.slow_after = Some(time);
        self
    }

    /// The limits of one worker, with its own jitter.
    pub(super) fn of_one(&self) -> Limits {
        let chance = RandomState::new().hash_one(0_u8);
        let requests = |most: u64| most + chance.checked_rem(self.max_requests_jitter.saturating_add(1)).unwrap_or(0);
        let time = |longest: Duration| longest + longest / 1000 * u32::try_from(chance % 100).unwrap_or(0);
        Limits { max_requests: self.max_requests.map(requests), lifetime: self.lifetime.map(time), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_never_less_than_the_limit_and_at_most_what_was_asked_for() {
        let limits = Limits::default().max_requests(100).max_requests_jitter(5).lifetime(Duration::from_secs(100));
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let one = limits.of_one();
            seen.insert(one.max_requests.unwrap());
            let lifetime = one.lifetime.unwrap();
            assert!(lifetime >= Duration::from_secs(100) && lifetime <= Duration::from_secs(110), "{lifetime:?}");
        }
        assert!(seen.len() > 1 && *seen.first().unwrap() >= 100 && *seen.last().unwrap() <= 105, "{seen:?}");
    }
}
