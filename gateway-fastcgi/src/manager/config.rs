//! How workers are started, restarted and stopped.
//!
//! Holds the choices with their defaults and reasons. Does not hold what becomes of them at a start (`program`), or what one worker
//! may ([`Limits`]).

mod program;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway_cgi::host::Confinement;
use rustix::process::Signal;

use super::Limits;

/// Variables of our own environment that workers get as well: where programs and time zones are, how text is written, and
/// whom they may serve: without the list they would serve everybody (FCGI-5). Nothing that could be a secret (CGI-176).
const INHERITED: [&str; 7] = ["PATH", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "FCGI_WEB_SERVER_ADDRS"];

/// How workers are started, restarted and stopped.
///
/// # Examples
/// ```
/// use gateway_fastcgi::manager::{Config, Limits};
/// use std::time::Duration;
///
/// let config = Config::default()
///     .variable("RUST_LOG", "info")
///     .limits(Limits::default().max_requests(10_000))
///     .stop_timeout(Duration::from_secs(5));
/// # let _ = config;
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    variables: BTreeMap<OsString, OsString>,
    inherited: Vec<OsString>,
    working_directory: Option<PathBuf>,
    socket_directory: PathBuf,
    program_name: Option<OsString>,
    confinement: Confinement,
    pub(super) control: bool,
    pub(super) limits: Limits,
    pub(super) finish_signal: FinishSignal,
    pub(super) min_restart_delay: Duration,
    pub(super) max_restart_delay: Duration,
    pub(super) stable_after: Duration,
    pub(super) start_timeout: Duration,
    pub(super) finish_timeout: Duration,
    pub(super) stop_timeout: Duration,
    pub(super) interval: Duration,
    pub(super) max_spawn_rate: usize,
    pub(super) emergency: Option<(usize, Duration)>,
}

/// Which signal asks a worker that is not ours to finish.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishSignal {
    /// SIGTERM: php-cgi finishes its request, and most others do or have nothing to finish.
    #[default]
    Term,
    /// SIGUSR1.
    Usr1,
    /// SIGQUIT.
    Quit,
    /// SIGINT.
    Int,
}

impl FinishSignal {
    pub(super) fn signal(self) -> Signal {
        match self {
            FinishSignal::Term => Signal::TERM,
            FinishSignal::Usr1 => Signal::USR1,
            FinishSignal::Quit => Signal::QUIT,
            FinishSignal::Int => Signal::INT,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            variables: BTreeMap::new(),
            inherited: INHERITED.map(OsString::from).to_vec(),
            working_directory: None,
            socket_directory: std::env::temp_dir(),
            program_name: None,
            confinement: Confinement::new(),
            control: true,
            limits: Limits::default(),
            finish_signal: FinishSignal::Term,
            min_restart_delay: Duration::from_millis(100),
            max_restart_delay: Duration::from_secs(30),
            stable_after: Duration::from_secs(1),
            start_timeout: Duration::from_secs(60),
            finish_timeout: Duration::from_secs(60),
            stop_timeout: Duration::from_secs(10),
            interval: Duration::from_secs(1),
            max_spawn_rate: 32,
            emergency: None,
        }
    }
}

impl Config {
    /// Sets a variable of the workers' environment. By default there are none but the inherited ones.
    #[must_use]
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Hands on one more variable of this process. By default `PATH`, `TZ`, `LANG`, `LC_ALL`, `LC_CTYPE`, `TMPDIR` and
    /// `FCGI_WEB_SERVER_ADDRS` are handed on: what workers need to find programs, to write text and to know whom they may
    /// serve (FCGI-5), and no secret (CGI-176).
    #[must_use]
    pub fn inherit(mut self, name: impl Into<OsString>) -> Self {
        self.inherited.push(name.into());
        self
    }

    /// The directory that workers start in. Default our own.
    #[must_use]
    pub fn working_directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.working_directory = Some(path.into());
        self
    }

    /// Where the directory with the socket is made. Default the system's directory for temporary files. The path must be
    /// short: a socket's path has 107 bytes at most.
    #[must_use]
    pub fn socket_directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.socket_directory = path.into();
        self
    }

    /// What the program is told its name is (`argv[0]`). Default the last component of its path, as FastCGI 1.0 §2.1
    /// asks (FCGI-1).
    #[must_use]
    pub fn program_name(mut self, name: impl Into<OsString>) -> Self {
        self.program_name = Some(name.into());
        self
    }

    /// As whom workers run, with which resource limits, which umask (FCGI-8). Default: as this process.
    #[must_use]
    pub fn confinement(mut self, confinement: Confinement) -> Self {
        self.confinement = confinement;
        self
    }

    /// Whether workers get a control channel, as descriptor 3 and in GATEWAY_CONTROL. Default true: those that are not ours take no
    /// notice of it. Without it nothing is known of requests.
    #[must_use]
    pub fn control(mut self, yes: bool) -> Self {
        self.control = yes;
        self
    }

    /// What a worker may. Default no limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How a worker that is not ours is asked to finish. Default SIGTERM (FCGI-10).
    #[must_use]
    pub fn finish_signal(mut self, signal: FinishSignal) -> Self {
        self.finish_signal = signal;
        self
    }

    /// The delay before another worker is started in place of one that never became ready; it doubles each time. Default 100 ms:
    /// not noticed once, and not a storm when repeated.
    #[must_use]
    pub fn min_restart_delay(mut self, delay: Duration) -> Self {
        self.min_restart_delay = delay;
        self
    }

    /// The longest such delay. Default 30 s: soon enough once an operator has mended the cause.
    #[must_use]
    pub fn max_restart_delay(mut self, delay: Duration) -> Self {
        self.max_restart_delay = delay;
        self
    }

    /// A worker that does not answer on the control channel counts as ready when it has lived this long. Default 1 s: most
    /// programs that fail at their start do so before. Ours say when they are ready.
    #[must_use]
    pub fn stable_after(mut self, lifetime: Duration) -> Self {
        self.stable_after = lifetime;
        self
    }

    /// How long a worker may take to become ready, where others of the pool have answered on the control channel; then it is
    /// killed. Default 60 s, as systemd gives most services 90.
    #[must_use]
    pub fn start_timeout(mut self, longest: Duration) -> Self {
        self.start_timeout = longest;
        self
    }

    /// How long a worker that is replaced may take to finish its requests before it is killed. Default 60 s: longer than gateways
    /// wait for an answer.
    #[must_use]
    pub fn finish_timeout(mut self, longest: Duration) -> Self {
        self.finish_timeout = longest;
        self
    }

    /// How long workers have to finish when all are stopped, before they are killed. Default 10 s, as service managers give.
    #[must_use]
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }

    /// How often the workers are looked at: asked what they do, measured, and their number adapted. Default 1 s, as php-fpm. What
    /// happens at once is not waited for: an end, a reload, a request that waits for the first worker. At least 10 ms.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(SHORTEST_INTERVAL);
        self
    }

    /// How many workers are started at once when more are needed. Default 32, as php-fpm (`pm.max_spawn_rate`). At least 1.
    #[must_use]
    pub fn max_spawn_rate(mut self, workers: usize) -> Self {
        self.max_spawn_rate = workers.max(1);
        self
    }

    /// When so many workers that were ready crash within such a time, starting others is held back for the
    /// [longest delay](Config::max_restart_delay), and the log says so as an error. Default never, as php-fpm
    /// (`emergency_restart_threshold`): a worker that has served is replaced at once.
    #[must_use]
    pub fn emergency(mut self, crashes: usize, within: Duration) -> Self {
        self.emergency = (crashes > 0).then_some((crashes, within));
        self
    }

    /// The interval, or less where a limit on time asks for it.
    pub(super) fn time_between_looks(&self) -> Duration {
        let limits = [self.limits.request_timeout, self.limits.slow_after];
        let shortest = limits.into_iter().flatten().map(|limit| limit / 4).chain([self.interval]).min();
        shortest.unwrap_or(self.interval).max(SHORTEST_INTERVAL)
    }

    pub(super) fn socket_directory_path(&self) -> &Path {
        &self.socket_directory
    }
}

/// Looking more often would cost more than it tells.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
