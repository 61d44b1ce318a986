//! The limits of a CGI host, each with a default and the reason for it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use super::body::UnknownLength;
use super::confine::Confinement;
use super::finding::Finding;
use super::places::SharedPlaces;
use crate::head::Limits;
use crate::spool;
use crate::variables::MetaVariables;

/// How a [`Cgi`](super::Cgi) treats its programs.
///
/// # Examples
/// ```
/// use gateway_cgi::host::Config;
/// use std::time::Duration;
///
/// let config = Config::new().total_timeout(Duration::from_secs(30)).max_children(4);
/// assert_ne!(format!("{config:?}"), format!("{:?}", Config::new()));
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    pub(super) total_timeout: Duration,
    pub(super) head_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) queue_timeout: Duration,
    pub(super) kill_grace: Duration,
    pub(super) linger: Duration,
    pub(super) max_children: usize,
    pub(super) max_children_per_program: Option<usize>,
    pub(super) shared_places: Option<SharedPlaces>,
    pub(super) head_limits: Limits,
    pub(super) max_unwanted_bytes: u64,
    pub(super) max_stderr_line_bytes: usize,
    pub(super) max_stderr_bytes: usize,
    pub(super) unknown_length: UnknownLength,
    pub(super) spool: spool::Config,
    pub(super) failed_exit: FailedExit,
    pub(super) inherited: BTreeSet<OsString>,
    pub(super) arguments: Vec<OsString>,
    pub(super) variables: MetaVariables,
    pub(super) confinement: Confinement,
    /// See `finding`.
    pub(super) finding: Finding,
}

/// What a program's failure means, if its body has no declared length and so its end could be a cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FailedExit {
    /// The response is broken off, so that nobody takes it for a whole one.
    #[default]
    Abort,
    /// An exit code other than 0 is logged and the response ends as usual: for scripts that do not care for their exit
    /// code. Death by a signal still breaks the response off.
    Log,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            total_timeout: Duration::from_secs(3600),
            head_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            queue_timeout: Duration::from_secs(10),
            kill_grace: Duration::from_secs(5),
            linger: Duration::from_secs(1),
            max_children: 32,
            max_children_per_program: None,
            shared_places: None,
            head_limits: Limits::default(),
            max_unwanted_bytes: 64 * 1024 * 1024,
            max_stderr_line_bytes: 8 * 1024,
            max_stderr_bytes: 256 * 1024,
            unknown_length: UnknownLength::default(),
            spool: spool::Config::default(),
            failed_exit: FailedExit::default(),
            inherited: ["PATH", "TZ"].into_iter().map(OsString::from).collect(),
            arguments: Vec::new(),
            variables: MetaVariables::default(),
            confinement: Confinement::default(),
            finding: Finding::default(),
        }
    }
}

impl Config {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a program may run in all. Default one hour: a long download to a slow client is no mistake, a program
    /// from yesterday is.
    #[must_use]
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.total_timeout = limit;
        self
    }

    /// How long the header block may take, counted from the start, or from the last byte of the request body that the
    /// program took. Default 60 s, as in nginx and httpd.
    #[must_use]
    pub fn head_timeout(mut self, limit: Duration) -> Self {
        self.head_timeout = limit;
        self
    }

    /// How long a program may be silent inside the body while nobody keeps it waiting. Default 60 s, as in nginx and
    /// httpd.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// How long a request may wait for a place. Default 10 s: later the client has given up.
    #[must_use]
    pub fn queue_timeout(mut self, limit: Duration) -> Self {
        self.queue_timeout = limit;
        self
    }

    /// How long after SIGTERM a program and its children get SIGKILL. Default 5 s: enough to remove a temporary file.
    #[must_use]
    pub fn kill_grace(mut self, grace: Duration) -> Self {
        self.kill_grace = grace;
        self
    }

    /// How much silence after the program's end completes the output while a child of it still holds the pipe. Default
    /// 1 s: what the program itself wrote is in the pipe by then.
    #[must_use]
    pub fn linger(mut self, silence: Duration) -> Self {
        self.linger = silence;
        self
    }

    /// How many programs run at once (CGI-183), at least 1. Default 32: each is a process with memory of its own.
    #[must_use]
    pub fn max_children(mut self, children: usize) -> Self {
        self.max_children = children.max(1);
        self
    }

    /// How many processes of one program run at once (CGI-183), at least 1. Default no limit of its own: for a directory in
    /// which one program is slow and must not take the places of all others.
    #[must_use]
    pub fn max_children_per_program(mut self, children: usize) -> Self {
        self.max_children_per_program = Some(children);
        self
    }

    /// Places that this host shares with others, beside its own [`Config::max_children`] (CGI-183). Default none.
    #[must_use]
    pub fn shared_places(mut self, places: SharedPlaces) -> Self {
        self.shared_places = Some(places);
        self
    }

    /// How much header block is taken. Default [`Limits::default`].
    #[must_use]
    pub fn head_limits(mut self, limits: Limits) -> Self {
        self.head_limits = limits;
        self
    }

    /// How much output is read and dropped after the client has all it will get: the body of an answer to HEAD, or what
    /// exceeds the declared length (CGI-132). Then the program is ended. Default 64 MiB: more than a page, less than an
    /// endless stream.
    #[must_use]
    pub fn max_unwanted_bytes(mut self, bytes: u64) -> Self {
        self.max_unwanted_bytes = bytes;
        self
    }

    /// How much of one line of standard error is logged. Default 8 KiB: a stack trace's line fits.
    #[must_use]
    pub fn max_stderr_line_bytes(mut self, bytes: usize) -> Self {
        self.max_stderr_line_bytes = bytes.max(1);
        self
    }

    /// How much of standard error is logged for one request; the rest is read and dropped. Default 256 KiB.
    #[must_use]
    pub fn max_stderr_bytes(mut self, bytes: usize) -> Self {
        self.max_stderr_bytes = bytes;
        self
    }

    /// What becomes of a request body whose length nobody knows before its end (CGI-65). Default [`UnknownLength::Spool`].
    #[must_use]
    pub fn unknown_length(mut self, policy: UnknownLength) -> Self {
        self.unknown_length = policy;
        self
    }

    /// How such a body is kept, if it is. Default [`spool::Config::default`].
    #[must_use]
    pub fn spool(mut self, config: spool::Config) -> Self {
        self.spool = config;
        self
    }

    /// What it means that a program fails inside a body of unknown length. Default [`FailedExit::Abort`].
    #[must_use]
    pub fn failed_exit(mut self, meaning: FailedExit) -> Self {
        self.failed_exit = meaning;
        self
    }

    /// Hands a variable of the gateway's own environment on to programs. Default PATH and TZ alone: whatever else is
    /// there may be a secret (CGI-176).
    #[must_use]
    pub fn inherit(mut self, name: impl Into<OsString>) -> Self {
        self.inherited.insert(name.into());
        self
    }

    /// Appends an argument to the command line of every program. Default none. Arguments never come from the request:
    /// a query that reaches a command line has become an option before (CGI-84).
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The variables of the gateway's configuration. Default [`MetaVariables::new`]; SCRIPT_FILENAME is always the
    /// program's own path.
    #[must_use]
    pub fn variables(mut self, variables: MetaVariables) -> Self {
        self.variables = variables;
        self
    }
}
