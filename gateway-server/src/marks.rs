//! When what happened to each request: kept in memory for whoever sets GATEWAY_MARKS, and written to a file at the end.
//!
//! Holds the names, the memory and the file. Does not hold the moments: they are `tracing` events of the target
//! `gateway::marks` where the gateways serve, and calls of [`Marks::keep`] around the application of a `main!` program.
//! Where the variable is not set, nobody listens to these events, and each costs a look at a number.
//!
//! | mark | set when |
//! | --- | --- |
//! | `main` | the process begins to run |
//! | `accepted`, `received`, `parsed` | a connection is accepted; the first bytes of a request are read; its head is parsed |
//! | `dispatched` | the environ is made and a place found: the application or mount is called next |
//! | `answered`, `written` | the head of the answer is known; all there is to send is with the system |
//! | `spawning`, `spawned`, `output`, `closed`, `reaped` | a CGI program is started, has started, its first output, the end of it, of the program |
//! | `connecting`, `connected`, `sent`, `output`, `ended` | a FastCGI worker is connected to, if no connection was kept; asked; answers; has answered |
//! | `called`, `finished` | the application is called; its body has given its last piece |
//! | `saving`, `saved` | this file is written; by a CGI program on its way to answer, which takes the longer for it |

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::time::{ClockId, clock_gettime};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Dispatch, Event, Metadata, Subscriber, span};

/// Names the folder that the file is written to.
const VARIABLE: &str = "GATEWAY_MARKS";

/// The target of the events.
const TARGET: &str = "gateway::marks";

/// Every name there is.
pub(crate) const NAMES: [&str; 20] = [
    "main",
    "accepted",
    "received",
    "parsed",
    "dispatched",
    "answered",
    "written",
    "spawning",
    "spawned",
    "output",
    "closed",
    "reaped",
    "connecting",
    "connected",
    "sent",
    "ended",
    "called",
    "finished",
    "saving",
    "saved",
];

/// So many are kept: some thousand requests. What comes later is counted.
const MAX_MARKS: usize = 1 << 16;

/// The marks of this process.
static MARKS: OnceLock<Marks> = OnceLock::new();

/// Moments by name, in the order they came.
#[derive(Debug)]
pub(crate) struct Marks {
    folder: PathBuf,
    max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    moments: Vec<(u64, &'static str)>,
    dropped: u64,
}

/// Begins to keep marks, if GATEWAY_MARKS is set; the first is `main`.
pub(crate) fn begin() -> Option<&'static Marks> {
    let folder = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty())?;
    let began = now();
    let marks = MARKS.get_or_init(|| Marks::new(folder, MAX_MARKS));
    marks.keep_at(began, "main");
    Some(marks)
}

/// Makes `log` the subscriber of this process. Events of the gateways that are marks go to the marks, if they are kept.
///
/// Does nothing if there is a subscriber already.
pub(crate) fn subscribe(log: impl Subscriber + Send + Sync) {
    // The error says that another is there, which is then the one that was wanted.
    let _ = match MARKS.get() {
        None => set_global_default(log),
        Some(marks) => set_global_default(Marking { marks, log }).inspect_err(|_| {
            note("the marks of the gateways are not kept: the program has a tracing subscriber of its own");
        }),
    };
}

/// CLOCK_MONOTONIC, which all processes of a machine share, in nanoseconds.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or_default())
}

impl Marks {
    pub(crate) fn new(folder: OsString, max: usize) -> Self {
        let kept = Kept { moments: Vec::with_capacity(max), dropped: 0 };
        Marks { folder: folder.into(), max, kept: Mutex::new(kept) }
    }

    /// Keeps this moment.
    pub(crate) fn keep(&self, name: &'static str) {
        self.keep_at(now(), name);
    }

    fn keep_at(&self, at: u64, name: &'static str) {
        let mut kept = self.kept();
        if kept.moments.len() < self.max {
            kept.moments.push((at, name));
        } else {
            kept.dropped += 1;
        }
    }

    /// Writes what was kept since the last time, if anything was; trouble is told on standard error, for the answers were given all the same.
    pub(crate) fn save(&self) {
        if self.kept().moments.is_empty() {
            return;
        }
        let path = self.folder.join(format!("{}.marks", std::process::id()));
        if let Err(error) = self.write(&path) {
            note(&format!("cannot write {}: {error}", path.display()));
        }
        let dropped = self.kept().dropped;
        if dropped > 0 {
            note(&format!("{} has the first {} marks and lacks {dropped} more", path.display(), self.max));
        }
    }

    /// Appends: the system may give the number of a CGI program that has ended to a later one.
    fn write(&self, path: &Path) -> io::Result<()> {
        let saving = now();
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        let mut text = String::new();
        for (at, name) in self.kept().moments.drain(..).chain([(saving, "saving")]) {
            let _ = writeln!(text, "{at} {name}");
        }
        file.write_all(text.as_bytes())?;
        file.write_all(format!("{} saved\n", now()).as_bytes())
    }

    /// The names that were kept.
    #[cfg(test)]
    pub(crate) fn names(&self) -> Vec<String> {
        self.kept().moments.iter().map(|(_, name)| (*name).to_owned()).collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{VARIABLE}: {text}");
}

/// Keeps the marks, and leaves every other event to the log.
struct Marking<S> {
    marks: &'static Marks,
    log: S,
}

fn is_mark(metadata: &Metadata<'_>) -> bool {
    metadata.target() == TARGET
}

impl<S: Subscriber> Subscriber for Marking<S> {
    /// Asked once for each place in the program: what the log does not want stays as cheap as without marks.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_mark(metadata) { Interest::always() } else { self.log.register_callsite(metadata) }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_mark(metadata) || self.log.enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }

    fn event_enabled(&self, event: &Event<'_>) -> bool {
        is_mark(event.metadata()) || self.log.event_enabled(event)
    }

    fn event(&self, event: &Event<'_>) {
        if !is_mark(event.metadata()) {
            return self.log.event(event);
        }
        let at = now();
        let mut name = Name(None);
        event.record(&mut name);
        if let Name(Some(name)) = name {
            self.marks.keep_at(at, name);
        }
    }

    // All but `current_span`, whose result has no name in `tracing`: tasks that are spawned log without the span around them.
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.log.on_register_dispatch(subscriber);
    }
    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        self.log.new_span(span)
    }
    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        self.log.record(span, values);
    }
    fn record_follows_from(&self, span: &span::Id, follows: &span::Id) {
        self.log.record_follows_from(span, follows);
    }
    fn enter(&self, span: &span::Id) {
        self.log.enter(span);
    }
    fn exit(&self, span: &span::Id) {
        self.log.exit(span);
    }
    fn clone_span(&self, id: &span::Id) -> span::Id {
        self.log.clone_span(id)
    }
    fn try_close(&self, id: span::Id) -> bool {
        self.log.try_close(id)
    }
}

/// The field `mark`, as one of [`NAMES`].
struct Name(Option<&'static str>);

impl Visit for Name {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "mark" {
            self.0 = NAMES.into_iter().find(|name| *name == value);
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn marks(folder: &Path, max: usize) -> &'static Marks {
        Box::leak(Box::new(Marks::new(folder.into(), max)))
    }

    /// The names in the file of this process, in order.
    fn names(folder: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(folder.join(format!("{}.marks", std::process::id()))).unwrap();
        let mark = |line: &str| line.split_once(' ').map(|(at, name)| (at.parse::<u64>().unwrap(), name.to_owned()));
        let marks: Vec<(u64, String)> = text.lines().map(|line| mark(line).unwrap()).collect();
        assert!(marks.is_sorted_by_key(|(at, _)| *at), "{marks:?}");
        marks.into_iter().map(|(_, name)| name).collect()
    }

    /// A log that keeps the targets of events instead of writing lines.
    struct Targets(Arc<Mutex<Vec<String>>>);

    impl Subscriber for Targets {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() <= LevelFilter::WARN
        }
        fn event(&self, event: &Event<'_>) {
            self.0.lock().unwrap().push(event.metadata().target().to_owned());
        }
        fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}
        fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}
        fn enter(&self, _span: &span::Id) {}
        fn exit(&self, _span: &span::Id) {}
    }

    #[test]
    fn marks_are_kept_in_order_and_everything_else_goes_to_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let (marks, log) = (marks(folder.path(), 10), Arc::new(Mutex::new(Vec::new())));
        tracing::subscriber::with_default(Marking { marks, log: Targets(Arc::clone(&log)) }, || {
            tracing::trace!(target: "gateway::marks", mark = "accepted");
            tracing::warn!(target: "elsewhere", "heard");
            tracing::trace!(target: "elsewhere", mark = "parsed", "not wanted by the log");
            assert!(!tracing::enabled!(target: "elsewhere", tracing::Level::DEBUG));
            tracing::trace!(target: "gateway::marks", mark = "written");
        });
        marks.save();
        assert_eq!(names(folder.path()), ["accepted", "written", "saving", "saved"]);
        assert_eq!(*log.lock().unwrap(), ["elsewhere"]);
    }

    #[test]
    fn the_newest_marks_are_dropped_when_the_memory_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let marks = marks(folder.path(), 2);
        for name in ["main", "called", "finished"] {
            marks.keep(name);
        }
        assert_eq!(marks.names(), ["main", "called"]);
        assert_eq!(marks.kept().dropped, 1);
        marks.save();
        assert_eq!(names(folder.path()), ["main", "called", "saving", "saved"]);
    }

    #[test]
    fn a_second_process_of_the_same_number_adds_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let marks = marks(folder.path(), 2);
            marks.keep("main");
            marks.save();
        }
        assert_eq!(names(folder.path()), ["main", "saving", "saved", "main", "saving", "saved"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_no_panic() {
        let marks = marks(Path::new("/nonexistent/folder"), 1);
        marks.keep("main");
        marks.save();
        assert!(marks.write(Path::new("/nonexistent/folder/1.marks")).is_err());
    }
}
