//! What a worker is doing: the requests under way, for the manager that asks.
//!
//! Holds a slab of requests and the counts of those that have ended. Nothing is allocated for a request, nothing is written
//! anywhere, and without a manager nothing is done at all. Does not hold the way to the manager (`control`).

use crate::control::{MAX_ACTIVE, MAX_METHOD_BYTES, MAX_PATH_BYTES, MAX_SLOW, Report, RequestLine};
use crate::protocol::Params;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The requests of one worker. Clones are the same registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Activity {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Whether anybody will ask.
    watched: AtomicBool,
    slab: Mutex<Slab>,
}

#[derive(Debug, Default)]
struct Slab {
    /// As many as there ever were requests at a time; they are used again.
    places: Vec<Option<Entry>>,
    free: Vec<usize>,
    begun: u64,
    finished: u64,
    slow: u64,
    slow_after: Option<Duration>,
    /// Slow requests that have ended since the last report.
    were_slow: Vec<(Entry, Duration)>,
}

/// A request, in a form that is copied and not allocated.
#[derive(Debug, Clone, Copy)]
struct Entry {
    serial: u64,
    begun: Instant,
    method: Text<MAX_METHOD_BYTES>,
    path: Text<MAX_PATH_BYTES>,
}

/// A request under way; it has ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Where it stands; `None` if nobody asks.
    place: Option<(Arc<Shared>, usize)>,
}

impl Activity {
    /// Somebody will ask: from here on, requests are noted.
    pub(super) fn watch(&self) {
        self.shared.watched.store(true, Ordering::Relaxed);
    }

    /// Notes a request until the guard is dropped.
    pub(crate) fn begin(&self, params: &Params) -> Guard {
        if !self.shared.watched.load(Ordering::Relaxed) {
            return Guard { place: None };
        }
        let mut path = Text::new(params.get(b"SCRIPT_NAME").unwrap_or_default());
        path.push(params.get(b"PATH_INFO").unwrap_or_default());
        let method = Text::new(params.get(b"REQUEST_METHOD").unwrap_or_default());
        let place = self.shared.slab().begin(Instant::now(), method, path);
        Guard { place: Some((Arc::clone(&self.shared), place)) }
    }

    /// What is going on; requests that take longer than `slow_after` are slow from here on.
    pub(super) fn report(&self, finishing: bool, slow_after: Option<Duration>) -> Report {
        self.shared.slab().report(Instant::now(), finishing, slow_after)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some((shared, place)) = self.place.take() {
            shared.slab().end(Instant::now(), place);
        }
    }
}

impl Shared {
    fn slab(&self) -> MutexGuard<'_, Slab> {
        self.slab.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slab {
    fn begin(&mut self, now: Instant, method: Text<MAX_METHOD_BYTES>, path: Text<MAX_PATH_BYTES>) -> usize {
        self.begun += 1;
        let entry = Some(Entry { serial: self.begun, begun: now, method, path });
        match self.free.pop().and_then(|at| Some((at, self.places.get_mut(at)?))) {
            Some((at, place)) => {
                *place = entry;
                at
            }
            None => {
                self.places.push(entry);
                self.places.len() - 1
            }
        }
    }

    fn end(&mut self, now: Instant, at: usize) {
        let Some(entry) = self.places.get_mut(at).and_then(Option::take) else { return };
        self.free.push(at);
        self.finished += 1;
        let took = now.saturating_duration_since(entry.begun);
        if self.slow_after.is_some_and(|limit| took >= limit) {
            self.slow += 1;
            if self.were_slow.len() < MAX_SLOW {
                self.were_slow.push((entry, took));
            }
        }
    }

    fn report(&mut self, now: Instant, finishing: bool, slow_after: Option<Duration>) -> Report {
        self.slow_after = slow_after;
        let mut active: Vec<&Entry> = self.places.iter().flatten().collect();
        active.sort_unstable_by_key(|entry| entry.serial);
        let age = |entry: &Entry| now.saturating_duration_since(entry.begun);
        Report {
            finishing,
            cut_off: false,
            finished: self.finished,
            slow: self.slow,
            active: active.len() as u64,
            requests: active.iter().take(MAX_ACTIVE).map(|entry| entry.line(age(entry))).collect(),
            were_slow: self.were_slow.drain(..).map(|(entry, took)| entry.line(took)).collect(),
        }
    }
}

impl Entry {
    fn line(&self, age: Duration) -> RequestLine {
        let (method, path) = (self.method.as_bytes().to_vec(), self.path.as_bytes().to_vec());
        RequestLine { serial: self.serial, age, method, path }
    }
}

/// A short text in place; what does not fit is cut.
#[derive(Debug, Clone, Copy)]
struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    fn new(text: &[u8]) -> Self {
        let mut new = Self { bytes: [0; N], length: 0 };
        new.push(text);
        new
    }

    fn push(&mut self, text: &[u8]) {
        let free = self.bytes.iter_mut().skip(self.length);
        self.length += free.zip(text).map(|(place, byte)| *place = *byte).count();
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Pair, PairLimits};

    fn params(pairs: &[(&str, &str)]) -> Params {
        let mut bytes = Vec::new();
        for (name, value) in pairs {
            Pair::new(name.as_bytes(), value.as_bytes()).unwrap().encode(&mut bytes);
        }
        Params::decode(bytes.into(), &PairLimits { max_name_bytes: 9999, max_value_bytes: 9999, max_pairs: 9 }).unwrap()
    }

    fn request() -> Params {
        params(&[("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", "/a"), ("PATH_INFO", "/b"), ("QUERY_STRING", "secret")])
    }

    #[test]
    fn a_request_is_seen_while_its_guard_lives_and_counted_after() {
        let activity = Activity::default();
        activity.watch();
        let (first, second) = (activity.begin(&request()), activity.begin(&request()));
        drop(first);
        let report = activity.report(false, None);
        assert_eq!((report.active, report.finished, report.requests.len()), (1, 1, 1));
        let line = &report.requests[0];
        assert_eq!((line.serial, line.method.as_slice(), line.path.as_slice()), (2, &b"GET"[..], &b"/a/b"[..]));
        drop(second);
        assert_eq!(activity.report(true, None), Report { finishing: true, finished: 2, ..Report::default() });
    }

    #[test]
    fn places_are_used_again() {
        let activity = Activity::default();
        activity.watch();
        for _ in 0..100 {
            drop((activity.begin(&request()), activity.begin(&request())));
        }
        assert_eq!(activity.shared.slab().places.len(), 2);
    }

    #[test]
    fn slow_requests_are_counted_and_told_of_once() {
        let activity = Activity::default();
        activity.watch();
        activity.report(false, Some(Duration::from_nanos(1)));
        for _ in 0..MAX_SLOW + 1 {
            drop(activity.begin(&request()));
        }
        let report = activity.report(false, Some(Duration::from_nanos(1)));
        assert_eq!((report.slow, report.were_slow.len()), (MAX_SLOW as u64 + 1, MAX_SLOW));
        assert_eq!(activity.report(false, None).were_slow, []);
    }

    #[test]
    fn long_texts_are_cut_and_many_requests_only_counted() {
        let activity = Activity::default();
        activity.watch();
        let long = "/".repeat(1000);
        let odd = params(&[("REQUEST_METHOD", &long), ("SCRIPT_NAME", &long), ("PATH_INFO", &long)]);
        let guards: Vec<_> = (0..MAX_ACTIVE + 1).map(|_| activity.begin(&odd)).collect();
        let report = activity.report(false, None);
        assert_eq!((report.active, report.requests.len()), (guards.len() as u64, MAX_ACTIVE));
        assert_eq!(
            (report.requests[0].method.len(), report.requests[0].path.len()),
            (MAX_METHOD_BYTES, MAX_PATH_BYTES)
        );
        assert_eq!(Report::decode(&report.encode()).unwrap().requests.len(), MAX_ACTIVE);
    }

    #[test]
    fn nothing_is_noted_when_nobody_asks() {
        let activity = Activity::default();
        let _guard = activity.begin(&request());
        assert_eq!(activity.report(false, None), Report::default());
    }
}
