//! The access log and the request ids of `gateway serve`: what can be set, and what becomes of it.
//!
//! Holds the settings and the opening of the log. Does not hold their keys (`keys`), or the log itself ([`crate::telemetry`]).

use std::io;
use std::path::{Path, PathBuf};

use crate::telemetry::{AccessFormat, AccessLog, Telemetry};

/// What is told of requests, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) log: Option<LogTo>,
    pub(super) format: AccessFormat,
    pub(super) request_ids: bool,
}

/// Where the lines of the access log go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LogTo {
    Stdout,
    File(PathBuf),
}

impl Default for Access {
    fn default() -> Self {
        Self { log: None, format: AccessFormat::default(), request_ids: true }
    }
}

/// The access log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("access log {to}: {source}; the folder must be there, and this user must be allowed to write to it")]
pub(super) struct AccessLogError {
    to: String,
    source: io::Error,
}

impl LogTo {
    /// `-` is standard output, everything else a file.
    pub(super) fn read(text: &str) -> Option<Self> {
        match text {
            "-" => Some(Self::Stdout),
            _ => super::value::path(text).map(Self::File),
        }
    }

    /// Makes a relative path start from `base`.
    pub(super) fn resolve(&mut self, base: &Path) {
        if let Self::File(path) = self {
            *path = base.join(&path);
        }
    }

    fn open(&self, format: AccessFormat) -> Result<AccessLog, AccessLogError> {
        let (opened, to) = match self {
            Self::Stdout => (AccessLog::stdout(format), "-".to_owned()),
            Self::File(path) => (AccessLog::file(path, format), path.display().to_string()),
        };
        opened.map_err(|source| AccessLogError { to, source })
    }
}

impl Access {
    /// Opens the log, if there is to be one.
    pub(super) fn open(&self) -> Result<Option<AccessLog>, AccessLogError> {
        self.log.as_ref().map(|to| to.open(self.format.clone())).transpose()
    }

    /// What the server is told to tell.
    pub(super) fn telemetry(&self, log: Option<AccessLog>) -> Telemetry {
        let telemetry = Telemetry::new().request_ids(self.request_ids);
        match log {
            Some(log) => telemetry.access_log(log),
            None => telemetry,
        }
    }
}
