//! How workers are started, restarted and stopped.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Variables of our own environment that workers get as well: where programs and time zones are, and how text is
/// written. Nothing that could be a secret (CGI-176).
const INHERITED: [&str; 6] = ["PATH", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR"];

/// How workers are started, restarted and stopped.
///
/// # Examples
/// ```
/// use gateway_fastcgi::manager::Config;
/// use std::time::Duration;
///
/// let config = Config::default().variable("RUST_LOG", "info").stop_timeout(Duration::from_secs(5));
/// # let _ = config;
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    variables: BTreeMap<OsString, OsString>,
    inherited: Vec<OsString>,
    working_directory: Option<PathBuf>,
    socket_directory: PathBuf,
    program_name: Option<OsString>,
    pub(super) min_restart_delay: Duration,
    pub(super) max_restart_delay: Duration,
    pub(super) stable_after: Duration,
    pub(super) stop_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            variables: BTreeMap::new(),
            inherited: INHERITED.map(OsString::from).to_vec(),
            working_directory: None,
            socket_directory: std::env::temp_dir(),
            program_name: None,
            min_restart_delay: Duration::from_millis(100),
            max_restart_delay: Duration::from_secs(30),
            stable_after: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(10),
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

    /// Hands on one more variable of this process. By default `PATH`, `TZ`, `LANG`, `LC_ALL`, `LC_CTYPE` and `TMPDIR` are
    /// handed on: what workers need to find programs and to write text, and no secret (CGI-176).
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

    /// The delay before a worker that did not live long is started again; it doubles each time. Default 100 ms: not
    /// noticed once, and not a storm when repeated.
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

    /// A worker that lived this long is replaced without delay. Default 10 s: longer than most programs need to fail
    /// at their start.
    #[must_use]
    pub fn stable_after(mut self, lifetime: Duration) -> Self {
        self.stable_after = lifetime;
        self
    }

    /// How long workers have to end after SIGTERM before they are killed. Default 10 s, as service managers give.
    #[must_use]
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }

    pub(super) fn socket_directory_path(&self) -> &Path {
        &self.socket_directory
    }

    /// The command that starts `program`; its standard input is still to be set.
    pub(super) fn command(&self, program: &Path, args: &[OsString]) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(program);
        command.args(args).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let last = program.file_name().unwrap_or(program.as_os_str());
        command.arg0(self.program_name.as_deref().unwrap_or(last));
        command.env_clear().envs(self.environment());
        if let Some(directory) = &self.working_directory {
            command.current_dir(directory);
        }
        command
    }

    fn environment(&self) -> impl Iterator<Item = (&OsStr, OsString)> {
        let inherited = self.inherited.iter().filter_map(|name| Some((name.as_os_str(), std::env::var_os(name)?)));
        inherited.chain(self.variables.iter().map(|(name, value)| (name.as_os_str(), value.clone())))
    }
}
