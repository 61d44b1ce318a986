//! What was measured, as it is written to JSON.
//!
//! Holds data alone: everything raw, and nothing that can be worked out from it but what readers would all work out.
//! Times are in microseconds (`_us`), memory in bytes, CPU in microseconds for each request.

use serde::{Deserialize, Serialize};

use super::model::Model;

/// One run of `gateway bench`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The version of this program.
    pub(crate) version: String,
    /// When it began, in UTC, as RFC 3339 writes it.
    pub(crate) began: String,
    /// How long the whole run took.
    pub(crate) seconds: f64,
    pub(crate) machine: Machine,
    pub(crate) settings: Settings,
    /// In the order they are shown.
    pub(crate) models: Vec<Measured>,
    /// What could not be measured, and why: `apache-cgi: Apache is not installed`.
    pub(crate) left_out: Vec<String>,
    /// Starting and ending a program that does nothing (`/bin/true`), for comparison with the CGI model's exec.
    pub(crate) empty_process_us: Option<f64>,
}

/// Where it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) memory: u64,
    pub(crate) kernel: String,
    /// Who counted the CPU time of processes that had ended: `cgroup v1`, `cgroup v2` or `rusage`.
    pub(crate) accounting: String,
}

/// How it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// `hello`, `guestbook` or the command.
    pub(crate) app: String,
    pub(crate) quick: bool,
    pub(crate) workloads: Vec<String>,
    pub(crate) concurrency: Vec<usize>,
    /// Measured time of each point, all its samples together.
    pub(crate) seconds_per_point: f64,
    /// Threads that made the load, each on a core.
    pub(crate) load_threads: usize,
    /// Cores that ran the models.
    pub(crate) server_cores: usize,
    /// Whether those were other cores than the load's.
    pub(crate) apart: bool,
    /// The constant rate of the open loop.
    pub(crate) rate: Option<f64>,
}

/// One model and all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) model: Model,
    /// From the start of the first process to the first right answer.
    pub(crate) cold_start_us: f64,
    pub(crate) memory: Memory,
    /// Closed loop: each connection asks again when it has its answer.
    pub(crate) closed: Vec<Point>,
    /// Open loop: requests come at a constant rate, whether answers come or not.
    pub(crate) open: Vec<Point>,
    pub(crate) timeline: Option<Timeline>,
}

/// Proportional set size of all processes, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Started, and asked once.
    pub(crate) idle: Parts,
    /// Under load.
    pub(crate) loaded: Parts,
}

/// A quantity by kind of process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parts {
    /// Whoever listens.
    pub(crate) server: f64,
    /// FastCGI workers.
    pub(crate) workers: f64,
    /// CGI programs.
    pub(crate) children: f64,
}

impl Parts {
    pub(crate) fn total(&self) -> f64 {
        self.server + self.workers + self.children
    }
}

/// One workload at one concurrency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    /// `hello`, `db`, `download`, `upload`, `cpu`, or a path.
    pub(crate) workload: String,
    /// Connections.
    pub(crate) concurrency: usize,
    /// In the order they were taken.
    pub(crate) samples: Vec<Sample>,
    /// Answered requests per second: the median of the samples.
    pub(crate) rate: f64,
    /// All samples together.
    pub(crate) requests: u64,
    pub(crate) errors: Errors,
    pub(crate) latency: Latency,
    pub(crate) cpu: Cpu,
    /// What the load generator itself used for each request.
    pub(crate) load_cpu_us: f64,
    /// Open loop: how late the latest of the last requests was sent, since no connection was free. 0 in a closed loop.
    pub(crate) behind_us: f64,
}

/// One short piece of load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    /// CPU time of all processes of the model, in microseconds for each request.
    pub(crate) cpu_us: f64,
}

/// Requests without a right answer, by what went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Errors {
    /// No connection.
    pub(crate) connect: u64,
    /// The connection ended or failed before the whole answer was there.
    pub(crate) broken: u64,
    /// An answer that is not the expected one: another status, another length, no HTTP.
    pub(crate) wrong: u64,
    /// No answer in time.
    pub(crate) timeout: u64,
}

impl Errors {
    pub(crate) fn total(&self) -> u64 {
        self.connect + self.broken + self.wrong + self.timeout
    }

    pub(crate) fn add(&mut self, other: &Errors) {
        self.connect += other.connect;
        self.broken += other.broken;
        self.wrong += other.wrong;
        self.timeout += other.timeout;
    }
}

/// From the request being due to the last byte of its answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) mean_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
    /// The whole distribution: (latency in microseconds, requests that took about that long), rising.
    pub(crate) counts: Vec<(f64, u64)>,
}

/// CPU time for each request, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cpu {
    /// In user mode, by kind of process.
    pub(crate) user: Parts,
    /// In the kernel, on behalf of all of them.
    pub(crate) kernel: f64,
}

impl Cpu {
    pub(crate) fn total(&self) -> f64 {
        self.user.total() + self.kernel
    }
}

/// The stages of one request on a new connection, one at a time; means over many requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timeline {
    /// Requests that were looked at.
    pub(crate) requests: usize,
    /// One after the other; together they are the time that the client waited.
    pub(crate) stages: Vec<(Stage, f64)>,
    /// What goes on after the client has its answer: the exit of a CGI program, until it is reaped.
    pub(crate) afterwards_us: f64,
}

/// A part of a request's way. Which of them a model has depends on the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    /// From the client's connect until the listener has read the first bytes.
    Accept,
    /// The head of the request is parsed.
    Parse,
    /// The environ is made, and a place among those that may run is waited for.
    Queue,
    /// To a FastCGI worker; nothing if a kept connection is used.
    Connect,
    /// `posix_spawn` of a CGI program.
    ForkExec,
    /// From exec to `main`: the kernel maps the program, the dynamic loader its libraries.
    Loader,
    /// From `main`, or from the request having been handed to a worker, to the application's first line.
    ApplicationStart,
    /// The application itself, until its body is at its end.
    Application,
    /// From there until the client has the last byte.
    Write,
    /// The end of a CGI program, until it is reaped, as far as the client waits for it.
    Exit,
    /// A server that does not say what it does.
    Server,
}
