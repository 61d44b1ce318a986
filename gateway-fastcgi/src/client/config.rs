//! How workers are asked: connections, time limits, sizes, and which variables and scripts.

use std::path::PathBuf;
use std::time::Duration;

use gateway_cgi::{head, spool, variables::MetaVariables};

use super::ParamSet;
use super::script::Scripts;

/// How workers are asked.
///
/// # Examples
/// ```
/// use gateway_fastcgi::client::Config;
/// use std::time::Duration;
///
/// let config = Config::default().max_connections(5).head_timeout(Duration::from_secs(30));
/// # let _ = config;
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    pub(super) max_connections: usize,
    pub(super) max_kept: Option<usize>,
    pub(super) multiplex: bool,
    pub(super) max_multiplexed: u16,
    pub(super) max_window_bytes: usize,
    pub(super) max_queue: usize,
    pub(super) max_tries: u32,
    pub(super) max_failures: u32,
    pub(super) max_backoff: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) queue_timeout: Duration,
    pub(super) head_timeout: Duration,
    pub(super) read_timeout: Duration,
    pub(super) total_timeout: Option<Duration>,
    pub(super) idle_timeout: Duration,
    pub(super) max_connection_age: Duration,
    pub(super) head_limits: head::Limits,
    pub(super) max_error_bytes: usize,
    pub(super) spool: spool::Config,
    pub(super) variables: MetaVariables,
    pub(super) params: ParamSet,
    pub(super) script: Scripts,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_connections: 32,
            max_kept: None,
            multiplex: false,
            max_multiplexed: 16,
            max_window_bytes: 1024 * 1024,
            max_queue: 1024,
            max_tries: 4,
            max_failures: 3,
            max_backoff: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(3),
            queue_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(60),
            total_timeout: None,
            idle_timeout: Duration::from_secs(30),
            max_connection_age: Duration::from_secs(600),
            head_limits: head::Limits::default(),
            max_error_bytes: 256 * 1024,
            spool: spool::Config::default(),
            variables: MetaVariables::new(),
            params: ParamSet::default(),
            script: Scripts::default(),
        }
    }
}

impl Config {
    /// Connections at a time to each upstream, at least 1; more requests wait. Default 32: more than most pools of workers have processes,
    /// and each costs little when it waits in the worker's queue.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// How many of the connections are kept for further requests. By default the worker is asked when it matters, with
    /// FCGI_GET_VALUES: one less than its FCGI_MAX_CONNS if that is more than 4; all if it multiplexes or does not know the
    /// question; else 4, and 4 while nothing is known. php-fpm gives each connection a process, also while nothing is asked, so
    /// this must be less than its `pm.max_children`, of which there are 5 by default (FCGI-118).
    #[must_use]
    pub fn max_kept(mut self, connections: usize) -> Self {
        self.max_kept = Some(connections);
        self
    }

    /// Whether several requests share a connection where the worker says that it can do that (FCGI_MPXS_CONNS). Default no:
    /// FastCGI has no flow control between the requests of a connection, so an answer that its client takes slowly can only be
    /// held or given up, and a connection costs less than that.
    #[must_use]
    pub fn multiplex(mut self, multiplex: bool) -> Self {
        self.multiplex = multiplex;
        self
    }

    /// Requests at a time on a shared connection, at least 2; fewer if the worker's FCGI_MAX_REQS says so. Default 16: what one
    /// connection that is lost takes with it, and what its reader keeps up with.
    #[must_use]
    pub fn max_multiplexed(mut self, requests: u16) -> Self {
        self.max_multiplexed = requests.max(2);
        self
    }

    /// How much of an answer is held for a client that takes it slowly, on a shared connection; past it the request is aborted
    /// and its answer broken. At least 64 KiB, which a record needs. Default 1 MiB: longer than most pages, and with
    /// `max_multiplexed` and `max_connections` what bounds the memory.
    #[must_use]
    pub fn max_window_bytes(mut self, bytes: usize) -> Self {
        self.max_window_bytes = bytes.max(64 * 1024);
        self
    }

    /// How many requests wait for a connection before further ones are answered with 503. Default 1024: what can be
    /// served within the queue timeout by workers that take a third of a second.
    #[must_use]
    pub fn max_queue(mut self, requests: usize) -> Self {
        self.max_queue = requests;
        self
    }

    /// How often a request is sent in all, at least once, if it may be repeated (the [module](super) says when). Default 4: of
    /// requests to 8 workers of which one in ten dies under each, one in 10,000 is lost; and one that kills its worker kills 4.
    #[must_use]
    pub fn max_tries(mut self, tries: u32) -> Self {
        self.max_tries = tries.max(1);
        self
    }

    /// How many requests in a row must fail before an upstream is out, at least 1; a failure to connect is enough alone. Default
    /// 3: one worker that dies under a request says little about the others behind the same address.
    #[must_use]
    pub fn max_failures(mut self, failures: u32) -> Self {
        self.max_failures = failures.max(1);
        self
    }

    /// The longest time between two trials of an upstream that is out; they begin 1 s apart, and each that fails doubles it.
    /// Default 30 s: soon enough for a host that is back, and seldom enough for one that is gone.
    #[must_use]
    pub fn max_backoff(mut self, backoff: Duration) -> Self {
        self.max_backoff = backoff;
        self
    }

    /// How long connecting may take, then 504. Default 3 s: one lost packet on a network, an age on one machine.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a request waits for a connection, then 503. Default 10 s: few users wait longer.
    #[must_use]
    pub fn queue_timeout(mut self, timeout: Duration) -> Self {
        self.queue_timeout = timeout;
        self
    }

    /// How long a worker may take from the end of the request to the end of its header block, and to take more of the
    /// request, then 504. Default 60 s, as in nginx and httpd.
    #[must_use]
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.head_timeout = timeout;
        self
    }

    /// How long a worker may be silent within its answer; then the answer is broken off. Default 60 s, as in nginx.
    #[must_use]
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self
    }

    /// How long a request may take in all, from the connection on. Default no limit: a long download is no fault.
    #[must_use]
    pub fn total_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.total_timeout = timeout;
        self
    }

    /// How long a connection is kept without a request. Default 30 s: less than workers that have such a limit have.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// A connection older than this is not kept. Default 10 min, so that restarted or added workers get their share.
    #[must_use]
    pub fn max_connection_age(mut self, age: Duration) -> Self {
        self.max_connection_age = age;
        self
    }

    /// How much header block is taken from a worker (CGI-183). Default 64 KiB and 200 fields.
    #[must_use]
    pub fn head_limits(mut self, limits: head::Limits) -> Self {
        self.head_limits = limits;
        self
    }

    /// How much of a request's error output is logged; the rest is read and dropped. Default 256 KiB: room for any trace
    /// of calls, and a bound for a loop.
    #[must_use]
    pub fn max_error_bytes(mut self, bytes: usize) -> Self {
        self.max_error_bytes = bytes;
        self
    }

    /// How bodies of unknown length are kept. Default 64 KiB in memory, 1 GiB at most.
    #[must_use]
    pub fn spool(mut self, config: spool::Config) -> Self {
        self.spool = config;
        self
    }

    /// The variables of the gateway's configuration, and whether workers see credentials. Default none, and they do not.
    #[must_use]
    pub fn variables(mut self, variables: MetaVariables) -> Self {
        self.variables = variables;
        self
    }

    /// After whose habits the variables of a request are chosen. Default [`ParamSet::Cgi`].
    #[must_use]
    pub fn params(mut self, set: ParamSet) -> Self {
        self.params = set;
        self
    }

    /// Finds scripts below this directory: PATH_INFO names one, and what follows becomes its PATH_INFO; it must exist and
    /// be of an allowed suffix, else 404 (FCGI-134). Sets SCRIPT_FILENAME and DOCUMENT_ROOT, which php-fpm needs (FCGI-112).
    /// By default workers find their scripts themselves.
    #[must_use]
    pub fn root(mut self, path: impl Into<PathBuf>) -> Self {
        self.script.root = Some(path.into());
        self
    }

    /// The script of a directory, for a request that ends in `/`. Default `index.php`; for use with [`Config::root`].
    #[must_use]
    pub fn index(mut self, name: impl Into<String>) -> Self {
        self.script.index = name.into();
        self
    }

    /// What the names of scripts end in. Default `.php` alone; for use with [`Config::root`].
    #[must_use]
    pub fn suffixes(mut self, suffixes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.script.suffixes = suffixes.into_iter().map(Into::into).collect();
        self
    }

    /// Where the workers see [`Config::root`], if that is another path than here. Default: the same, with its links followed.
    #[must_use]
    pub fn worker_root(mut self, path: impl Into<PathBuf>) -> Self {
        self.script.worker_root = Some(path.into());
        self
    }

    /// Has one script answer every path (SCRIPT_FILENAME); SCRIPT_NAME and PATH_INFO stay as they are, and
    /// [`Config::root`] says DOCUMENT_ROOT only.
    #[must_use]
    pub fn script(mut self, path: impl Into<PathBuf>) -> Self {
        self.script.one = Some(path.into());
        self
    }
}
