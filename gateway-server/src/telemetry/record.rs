//! One request, as what is told of it: from when it was parsed until its answer is over.
//!
//! Holds what must be kept of a request while its environ is with the application. Does not hold what becomes of it.

use std::time::{Duration, Instant, SystemTime};

use gateway_spec::{Environ, Hops, Notes};

use super::metrics::{Counted, Metrics};
use super::{IdsOf, RequestId, Telemetry};

/// A text of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    RemoteAddr,
    RemoteUser,
    Method,
    Target,
    Path,
    Protocol,
    Scheme,
    Host,
    Referer,
    UserAgent,
    Mount,
}

const TEXTS: [Text; 11] = [
    Text::RemoteAddr,
    Text::RemoteUser,
    Text::Method,
    Text::Target,
    Text::Path,
    Text::Protocol,
    Text::Scheme,
    Text::Host,
    Text::Referer,
    Text::UserAgent,
    Text::Mount,
];

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The answer is complete.
    Complete,
    /// The answer was broken off, and the client can see that.
    Aborted,
    /// The client has gone.
    Gone,
    /// The server answered by itself.
    Refused,
}

impl Ending {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Aborted => "aborted",
            Self::Gone => "gone",
            Self::Refused => "refused",
        }
    }
}

/// What is known at the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// `None` if the client got no head.
    pub(crate) status: Option<u16>,
    pub(crate) body_bytes: u64,
    pub(crate) ending: Ending,
    /// When the application was called, if it was.
    pub(crate) called: Option<Instant>,
    /// Now.
    pub(crate) at: Instant,
}

/// [`Ended`], and what gateways behind us have noted.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) ended: Ended,
    pub(super) notes: Notes,
}

impl std::ops::Deref for Known {
    type Target = Ended;

    fn deref(&self) -> &Ended {
        &self.ended
    }
}

/// A request that has begun.
#[derive(Debug)]
pub(crate) struct Record<'t> {
    telemetry: &'t Telemetry,
    in_progress: Option<InProgress<'t>>,
    began: Instant,
    began_at: SystemTime,
    id: Option<RequestId>,
    /// Those texts that somebody will ask for, one behind the other.
    bytes: Vec<u8>,
    /// Where each of [`TEXTS`] ends.
    ends: [usize; TEXTS.len()],
    is_routed: bool,
    hops: Option<Hops>,
}

/// A request that is counted as one in progress, until this is dropped.
#[derive(Debug)]
struct InProgress<'t> {
    metrics: &'t Metrics,
    counted: Counted,
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.metrics.leave(self.counted);
    }
}

/// A request line of which nothing was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a [u8],
    pub(crate) protocol: &'a str,
}

impl<'t> Record<'t> {
    /// A request on its way to its application. Gives it its id.
    pub(super) fn of(telemetry: &'t Telemetry, environ: &mut Environ, ids: IdsOf) -> Self {
        let id = telemetry.mark(environ, ids);
        let mut record = Self::new(telemetry, id);
        let (prefix, method) = (environ.script_name(), environ.request_method());
        record.count(Some(prefix.as_bytes()), method.as_bytes());
        record.is_routed = true;
        if telemetry.access_log.as_ref().is_some_and(|log| log.format().wants_hops()) {
            let hops = Hops::new();
            environ.extensions.insert(hops.clone());
            record.hops = Some(hops);
        }
        record.note(|text, bytes| {
            let name = match text {
                Text::RemoteAddr => "REMOTE_ADDR",
                Text::RemoteUser => "REMOTE_USER",
                Text::Method => "REQUEST_METHOD",
                Text::Target => "REQUEST_URI",
                Text::Protocol => "SERVER_PROTOCOL",
                Text::Host => "HTTP_HOST",
                Text::Referer => "HTTP_REFERER",
                Text::UserAgent => "HTTP_USER_AGENT",
                Text::Mount => "SCRIPT_NAME",
                Text::Scheme => return bytes.extend_from_slice(environ.url_scheme.as_str().as_bytes()),
                Text::Path => {
                    bytes.extend_from_slice(environ.script_name().as_bytes());
                    return bytes.extend_from_slice(environ.path_info().as_bytes());
                }
            };
            bytes.extend_from_slice(environ.get(name).unwrap_or_default().as_bytes());
        });
        record
    }

    /// A request that reaches no application; without a line if none could be read.
    pub(super) fn of_refused(telemetry: &'t Telemetry, remote: &str, line: Option<Line<'_>>) -> Self {
        let mut record = Self::new(telemetry, telemetry.request_ids.then(RequestId::new));
        record.count(None, line.map_or(b"", |line| line.method.as_bytes()));
        record.note(|text, bytes| match (text, line) {
            (Text::RemoteAddr, _) => bytes.extend_from_slice(remote.as_bytes()),
            (Text::Method, Some(line)) => bytes.extend_from_slice(line.method.as_bytes()),
            (Text::Target, Some(line)) => bytes.extend_from_slice(line.target),
            (Text::Protocol, Some(line)) => bytes.extend_from_slice(line.protocol.as_bytes()),
            _ => {}
        });
        record
    }

    fn new(telemetry: &'t Telemetry, id: Option<RequestId>) -> Self {
        Self {
            telemetry,
            in_progress: None,
            began: Instant::now(),
            began_at: SystemTime::now(),
            id,
            bytes: Vec::new(),
            ends: [0; TEXTS.len()],
            is_routed: false,
            hops: None,
        }
    }

    fn count(&mut self, prefix: Option<&[u8]>, method: &[u8]) {
        let begin = |metrics: &'t Metrics| InProgress { metrics, counted: metrics.begin(prefix, method) };
        self.in_progress = self.telemetry.metrics.as_ref().map(begin);
    }

    fn note(&mut self, mut each: impl FnMut(Text, &mut Vec<u8>)) {
        let Some(log) = &self.telemetry.access_log else { return };
        self.bytes.reserve(256);
        for (text, end) in TEXTS.into_iter().zip(&mut self.ends) {
            if log.format().wants(text) {
                each(text, &mut self.bytes);
            }
            *end = self.bytes.len();
        }
    }

    /// Tells everybody who wants to know.
    pub(crate) fn end(self, ended: &Ended) {
        if let Some(log) = &self.telemetry.access_log {
            let notes = self.hops.as_ref().map(Hops::notes).unwrap_or_default();
            log.write(&self, &Known { ended: *ended, notes });
        }
        if let Some(InProgress { metrics, counted }) = &self.in_progress {
            metrics.end(*counted, ended.status, ended.body_bytes, self.duration(ended));
        }
    }

    /// The text, empty if there is none or nobody wanted it.
    pub(super) fn text(&self, text: Text) -> &[u8] {
        let at = text as usize;
        let begin = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(at).and_then(|end| self.bytes.get(begin..*end)).unwrap_or_default()
    }

    /// Whether it has an id.
    pub(crate) fn has_id(&self) -> bool {
        self.id.is_some()
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_ref().map(RequestId::as_str)
    }

    pub(super) fn at(&self) -> SystemTime {
        self.began_at
    }

    /// Whether an application was found for it.
    pub(super) fn is_routed(&self) -> bool {
        self.is_routed
    }

    pub(super) fn duration(&self, ended: &Ended) -> Duration {
        ended.at.saturating_duration_since(self.began)
    }

    pub(super) fn queue(&self, ended: &Known) -> Option<Duration> {
        queue_time(self.began, ended.called, &ended.notes)
    }

    pub(super) fn app(&self, ended: &Known) -> Option<Duration> {
        application_time(ended.called, ended.at, &ended.notes)
    }
}

/// Until the application was called, if it was, and what the request waited for behind it.
pub(crate) fn queue_time(began: Instant, called: Option<Instant>, notes: &Notes) -> Option<Duration> {
    called.map(|called| called.saturating_duration_since(began).saturating_add(notes.waited))
}

/// From the call to the end, without the waiting.
pub(crate) fn application_time(called: Option<Instant>, ended: Instant, notes: &Notes) -> Option<Duration> {
    called.map(|called| ended.saturating_duration_since(called).saturating_sub(notes.waited))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_stands_at_its_number() {
        assert!(TEXTS.iter().enumerate().all(|(at, text)| *text as usize == at));
    }
}
