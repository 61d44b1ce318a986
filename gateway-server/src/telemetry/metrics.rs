//! What is counted: requests by mount, method and status, how long they took, bytes, connections, and what the server refused by itself.
//!
//! Holds the counters. Threads count in parts of their own, which are added up when somebody asks, so counting is an addition to memory that no other
//! processor wants. Does not hold who asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::openmetrics::{Kind, Page};
use super::shard::{SHARDS, this_shard};

/// Counters of a server; clones are the same.
///
/// # Examples
/// ```
/// use gateway_server::telemetry::{Metrics, Telemetry};
///
/// let metrics = Metrics::new(["", "/app"]);
/// let telemetry = Telemetry::new().metrics(metrics.clone());
/// assert!(metrics.openmetrics().ends_with("# EOF\n"));
/// # drop(telemetry);
/// ```
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    /// Prefixes of mounts; behind them stands everything that reached none.
    mounts: Vec<String>,
    /// For each thread's part, the counters of each mount, then those of the server.
    shards: [Vec<AtomicU64>; SHARDS],
}

/// The methods that are told apart; a client can send any other, and must not make counters.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];

/// `none`: the client went before there was an answer.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

/// Upper ends of the classes of durations, in microseconds: from an answer out of memory to what people give up on.
const BOUNDS: [(u64, &str); 12] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (1_000_000, "1.0"),
    (2_500_000, "2.5"),
    (10_000_000, "10.0"),
    (60_000_000, "60.0"),
];

const REQUESTS: usize = METHODS.len() * CLASSES.len();
const DURATIONS: usize = REQUESTS;
const DURATION_SUM: usize = DURATIONS + BOUNDS.len() + 1;
const BODY_BYTES: usize = DURATION_SUM + 1;
const IN_PROGRESS: usize = BODY_BYTES + 1;
const OF_MOUNT: usize = IN_PROGRESS + 1;

/// Counters of the server, behind those of all mounts.
#[derive(Debug, Clone, Copy)]
enum Own {
    Accepted,
    Closed,
    Shed(Shed),
    Refused(Reason),
}

/// What a connection waited for that was closed because all places were taken; or its peer had its share of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shed {
    Request,
    Head,
    Peer,
}

const SHED: [(Shed, &str); 3] =
    [(Shed::Request, "waited_for_request"), (Shed::Head, "waited_for_head"), (Shed::Peer, "peer_had_its_share")];

/// Why the server answered by itself, or did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Malformed,
    TooLarge,
    Slow,
    Busy,
    NotFound,
    Other,
}

const REASONS: [(Reason, &str); 6] = [
    (Reason::Malformed, "malformed"),
    (Reason::TooLarge, "too_large"),
    (Reason::Slow, "slow"),
    (Reason::Busy, "busy"),
    (Reason::NotFound, "not_found"),
    (Reason::Other, "other"),
];

const OF_SERVER: usize = 2 + SHED.len() + REASONS.len();

impl Own {
    fn number(self) -> usize {
        match self {
            Self::Accepted => 0,
            Self::Closed => 1,
            Self::Shed(shed) => 2 + shed as usize,
            Self::Refused(reason) => 2 + SHED.len() + reason as usize,
        }
    }
}

/// A request that is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    mount: usize,
    method: usize,
}

impl Metrics {
    /// For mounts at these prefixes; the one at the root has an empty prefix.
    #[must_use]
    pub fn new(mounts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mounts: Vec<String> = mounts.into_iter().map(Into::into).collect();
        let length = (mounts.len() + 1) * OF_MOUNT + OF_SERVER;
        let shards = std::array::from_fn(|_| (0..length).map(|_| AtomicU64::new(0)).collect());
        Self(Arc::new(Counters { mounts, shards }))
    }

    /// A request has begun; `prefix` is that of the mount it goes to, if it goes to one.
    pub(super) fn begin(&self, prefix: Option<&[u8]>, method: &[u8]) -> Counted {
        let known = |prefix: &[u8]| self.0.mounts.iter().position(|mount| mount.as_bytes() == prefix);
        let mount = prefix.and_then(known).unwrap_or(self.0.mounts.len());
        let method = METHODS.iter().position(|known| known.as_bytes() == method).unwrap_or(METHODS.len() - 1);
        self.add(mount * OF_MOUNT + IN_PROGRESS, 1);
        Counted { mount, method }
    }

    /// It is not in progress any more, whatever became of it.
    pub(super) fn leave(&self, counted: Counted) {
        // Parts may be less than nothing, their sum is not.
        self.add(counted.mount * OF_MOUNT + IN_PROGRESS, u64::MAX);
    }

    /// It has ended.
    pub(super) fn end(&self, counted: Counted, status: Option<u16>, body_bytes: u64, took: Duration) {
        let class = match status.map(|status| status / 100) {
            Some(class @ 1..=5) => usize::from(class - 1),
            _ => CLASSES.len() - 1,
        };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bound = BOUNDS.iter().position(|(bound, _)| micros <= *bound).unwrap_or(BOUNDS.len());
        let first = counted.mount * OF_MOUNT;
        self.add(first + counted.method * CLASSES.len() + class, 1);
        self.add(first + DURATIONS + bound, 1);
        self.add(first + DURATION_SUM, micros);
        self.add(first + BODY_BYTES, body_bytes);
    }

    pub(crate) fn connection_accepted(&self) {
        self.add_own(Own::Accepted);
    }

    pub(crate) fn connection_closed(&self) {
        self.add_own(Own::Closed);
    }

    pub(crate) fn connection_shed(&self, shed: Shed) {
        self.add_own(Own::Shed(shed));
    }

    pub(crate) fn refused(&self, reason: Reason) {
        self.add_own(Own::Refused(reason));
    }

    fn add_own(&self, own: Own) {
        self.add((self.0.mounts.len() + 1) * OF_MOUNT + own.number(), 1);
    }

    fn add(&self, at: usize, count: u64) {
        if let Some(counter) = self.0.shards.get(this_shard()).and_then(|shard| shard.get(at)) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    fn sum(&self, at: usize) -> u64 {
        let read = |shard: &Vec<AtomicU64>| shard.get(at).map_or(0, |counter| counter.load(Ordering::Relaxed));
        self.0.shards.iter().map(read).fold(0, u64::wrapping_add)
    }

    fn own(&self, own: Own) -> u64 {
        self.sum((self.0.mounts.len() + 1) * OF_MOUNT + own.number())
    }

    /// All figures, as Prometheus and its kin read them (OpenMetrics 1.0).
    #[must_use]
    pub fn openmetrics(&self) -> String {
        let mut page = Page::default();
        self.write(&mut page);
        page.end()
    }

    pub(crate) fn write(&self, page: &mut Page) {
        let mounts = || {
            let name = |prefix: &String| if prefix.is_empty() { "/".to_owned() } else { prefix.clone() };
            self.0
                .mounts
                .iter()
                .map(name)
                .chain(["none".to_owned()])
                .enumerate()
                .map(|(at, name)| (at * OF_MOUNT, name))
        };
        page.family(
            "gateway_requests",
            Kind::Counter,
            "requests that have ended; mount none: no application was asked",
        );
        for (first, mount) in mounts() {
            for (at, (method, class)) in METHODS.iter().flat_map(|m| CLASSES.map(|c| (*m, c))).enumerate() {
                let count = self.sum(first + at);
                if count > 0 {
                    let labels = [("mount", mount.as_str()), ("method", method), ("status", class)];
                    page.sample("gateway_requests_total", &labels, count);
                }
            }
        }
        page.family(
            "gateway_request_duration_seconds",
            Kind::Histogram,
            "from the parsed head to the end of the answer",
        );
        for (first, mount) in mounts() {
            let mut count = 0;
            for (at, bound) in BOUNDS.map(|(_, bound)| bound).into_iter().chain(["+Inf"]).enumerate() {
                count += self.sum(first + DURATIONS + at);
                let labels = [("mount", mount.as_str()), ("le", bound)];
                page.sample("gateway_request_duration_seconds_bucket", &labels, count);
            }
            let labels = [("mount", mount.as_str())];
            page.sample("gateway_request_duration_seconds_count", &labels, count);
            let seconds = self.sum(first + DURATION_SUM) as f64 / 1e6;
            page.sample("gateway_request_duration_seconds_sum", &labels, seconds);
        }
        page.family("gateway_response_body_bytes", Kind::Counter, "bytes of bodies that were answered");
        for (first, mount) in mounts() {
            page.sample("gateway_response_body_bytes_total", &[("mount", &mount)], self.sum(first + BODY_BYTES));
        }
        page.family("gateway_requests_in_progress", Kind::Gauge, "requests that have begun and not ended");
        for (first, mount) in mounts() {
            page.sample("gateway_requests_in_progress", &[("mount", &mount)], self.sum(first + IN_PROGRESS));
        }
        let (accepted, closed) = (self.own(Own::Accepted), self.own(Own::Closed));
        page.family("gateway_connections", Kind::Counter, "connections that were accepted");
        page.sample("gateway_connections_total", &[], accepted);
        page.family("gateway_open_connections", Kind::Gauge, "connections that are open");
        page.sample("gateway_open_connections", &[], accepted.saturating_sub(closed));
        page.family(
            "gateway_connections_shed",
            Kind::Counter,
            "connections closed because all places, or those of their peer, were taken",
        );
        for (shed, name) in SHED {
            page.sample("gateway_connections_shed_total", &[("reason", name)], self.own(Own::Shed(shed)));
        }
        page.family(
            "gateway_refused",
            Kind::Counter,
            "requests that the server refused by itself, or was not sent in time",
        );
        for (reason, name) in REASONS {
            page.sample("gateway_refused_total", &[("reason", name)], self.own(Own::Refused(reason)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a sample.
    fn value(page: &str, sample: &str) -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {sample} in {page}")).parse().unwrap()
    }

    #[test]
    fn what_many_threads_count_is_added_up() {
        let metrics = Metrics::new(["", "/app"]);
        let threads: Vec<_> = (0..20)
            .map(|_| {
                let metrics = metrics.clone();
                std::thread::spawn(move || {
                    for _ in 0..100 {
                        let counted = metrics.begin(Some(b"/app"), b"GET");
                        metrics.end(counted, Some(404), 3, Duration::from_millis(2));
                        metrics.leave(counted);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let page = metrics.openmetrics();
        assert_eq!(value(&page, r#"gateway_requests_total{mount="/app",method="GET",status="4xx"}"#), 2000.0);
        assert_eq!(value(&page, r#"gateway_response_body_bytes_total{mount="/app"}"#), 6000.0);
        assert_eq!(value(&page, r#"gateway_requests_in_progress{mount="/app"}"#), 0.0);
        assert_eq!(value(&page, r#"gateway_request_duration_seconds_bucket{mount="/app",le="0.001"}"#), 0.0);
        assert_eq!(value(&page, r#"gateway_request_duration_seconds_bucket{mount="/app",le="0.0025"}"#), 2000.0);
        assert_eq!(value(&page, r#"gateway_request_duration_seconds_bucket{mount="/app",le="+Inf"}"#), 2000.0);
        assert_eq!(value(&page, r#"gateway_request_duration_seconds_sum{mount="/app"}"#), 4.0);
    }

    #[test]
    fn what_a_client_makes_up_makes_no_counter() {
        let metrics = Metrics::new(["/app"]);
        let before = metrics.openmetrics().lines().count();
        for (prefix, method) in [(Some(&b"/nowhere"[..]), &b"BREW"[..]), (None, b"\xff\xfe"), (Some(b"/app"), b"get")] {
            let counted = metrics.begin(prefix, method);
            metrics.end(counted, None, 0, Duration::MAX);
            metrics.leave(counted);
        }
        let page = metrics.openmetrics();
        assert_eq!(value(&page, r#"gateway_requests_total{mount="none",method="other",status="none"}"#), 2.0);
        assert_eq!(value(&page, r#"gateway_requests_total{mount="/app",method="other",status="none"}"#), 1.0);
        assert_eq!(page.lines().count(), before + 2);
    }

    #[test]
    fn every_reason_has_its_number() {
        assert!(REASONS.iter().enumerate().all(|(at, (reason, _))| *reason as usize == at));
        let metrics = Metrics::new([""]);
        metrics.connection_accepted();
        metrics.refused(Reason::Busy);
        metrics.connection_shed(Shed::Head);
        let page = metrics.openmetrics();
        assert_eq!(value(&page, "gateway_open_connections"), 1.0);
        assert_eq!(value(&page, r#"gateway_connections_shed_total{reason="waited_for_head"}"#), 1.0);
        assert_eq!(value(&page, r#"gateway_refused_total{reason="busy"}"#), 1.0);
        metrics.connection_closed();
        assert_eq!(value(&metrics.openmetrics(), "gateway_open_connections"), 0.0);
    }
}
