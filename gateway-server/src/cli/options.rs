//! The options of each kind of target, as values.
//!
//! What is not set stays with the default of whoever is configured. Does not hold the keys (`keys`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway_cgi::host::{Nph, Resource, UnknownLength};
use gateway_fastcgi::client::ParamSet;
use gateway_fastcgi::net::Address;

use super::keys::{CGI, FASTCGI, GUARD, PHP, POOL, PROXY, STATIC};
use super::rules::{Problem, apply};
use super::target::resolved;
use super::workers::PoolOptions;
use crate::mount::{Links, Paths, Prefix, ProxyHost};

/// Options of every kind of target, and all that `app:…` has: who is asked before it answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct GuardOptions {
    pub(super) authorizer: Option<Address>,
    pub(super) authorizer_timeout: Option<Duration>,
}

/// Options of `cgi:…`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct CgiOptions {
    pub(super) guard: GuardOptions,
    pub(super) timeout: Option<Duration>,
    pub(super) header_timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) queue_timeout: Option<Duration>,
    pub(super) max_children: Option<usize>,
    pub(super) max_children_per_program: Option<usize>,
    pub(super) unknown_length: UnknownLength,
    pub(super) max_spool: Option<u64>,
    pub(super) index: Vec<String>,
    pub(super) interpreters: Vec<(String, Vec<String>)>,
    pub(super) links: Links,
    pub(super) nph: Nph,
    pub(super) files: FileOptions,
    pub(super) root: Option<PathBuf>,
    pub(super) server_name: Option<String>,
    pub(super) server_port: Option<String>,
    pub(super) authorization: bool,
    pub(super) arguments: Vec<String>,
    pub(super) inherit: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
    pub(super) directory: Option<PathBuf>,
    pub(super) umask: Option<u32>,
    pub(super) resources: Vec<(Resource, u64)>,
    pub(super) no_new_privileges: bool,
    pub(super) read_only: bool,
    pub(super) writable: Vec<PathBuf>,
}

/// Options of `fastcgi:unix:…` and `fastcgi:tcp:…`, and of the connections to spawned workers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct FastCgiOptions {
    pub(super) guard: GuardOptions,
    pub(super) timeout: Option<Duration>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) header_timeout: Option<Duration>,
    pub(super) read_timeout: Option<Duration>,
    pub(super) queue_timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) max_connections: Option<usize>,
    pub(super) max_kept: Option<usize>,
    pub(super) multiplex: Option<bool>,
    pub(super) max_multiplexed: Option<u16>,
    pub(super) max_window: Option<usize>,
    pub(super) max_connection_age: Option<Duration>,
    pub(super) max_queue: Option<usize>,
    pub(super) max_tries: Option<u32>,
    pub(super) max_failures: Option<u32>,
    pub(super) max_backoff: Option<Duration>,
    pub(super) max_spool: Option<u64>,
    pub(super) root: Option<PathBuf>,
    pub(super) index: Option<String>,
    pub(super) suffixes: Vec<String>,
    pub(super) worker_root: Option<PathBuf>,
    pub(super) script: Option<PathBuf>,
    pub(super) files: FileOptions,
    pub(super) authorization: bool,
    pub(super) set: ParamSet,
    pub(super) params: Vec<(String, String)>,
}

/// Options of `fastcgi:spawn:…`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SpawnOptions {
    pub(super) client: FastCgiOptions,
    /// In a box: there are many.
    pub(super) pool: Box<PoolOptions>,
}

/// Options of `php:…`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct PhpOptions {
    /// Of these, `script` is not allowed, and `root` must be there.
    pub(super) client: FastCgiOptions,
    pub(super) fallback: Option<String>,
    pub(super) denied: Vec<String>,
    pub(super) without_scripts: Vec<String>,
    pub(super) links: Links,
}

/// Options of `http://…`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ProxyOptions {
    pub(super) guard: GuardOptions,
    pub(super) paths: Option<Paths>,
    pub(super) host: Option<ProxyHost>,
    pub(super) upgrade: Option<bool>,
    pub(super) timeout: Option<Duration>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) header_timeout: Option<Duration>,
    pub(super) read_timeout: Option<Duration>,
    pub(super) queue_timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) tunnel_timeout: Option<Duration>,
    pub(super) max_connections: Option<usize>,
    pub(super) max_kept: Option<usize>,
    pub(super) max_queue: Option<usize>,
    pub(super) max_head_bytes: Option<usize>,
    pub(super) max_fields: Option<usize>,
    pub(super) files: FileOptions,
}

/// Options of targets whose answers may name files that are sent instead.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct FileOptions {
    pub(super) sendfile: Option<PathBuf>,
    pub(super) accel: Vec<(Prefix, PathBuf)>,
}

/// Of these targets.
pub(super) trait NamesFiles {
    fn files(&mut self) -> &mut FileOptions;
}

/// Options of `static:…`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct StaticOptions {
    pub(super) guard: GuardOptions,
    pub(super) index: Option<bool>,
    pub(super) links: Links,
    pub(super) precompressed: bool,
}

impl GuardOptions {
    pub(super) fn set(&mut self, key: &str, value: &str, base: &Path) -> Result<(), Problem> {
        apply(GUARD, self, key, value)?;
        self.authorizer = self.authorizer.take().map(|address| resolved(address, base));
        Ok(())
    }
}

impl FileOptions {
    fn resolve(&mut self, base: &Path) {
        resolve(&mut self.sendfile, base);
        self.accel.iter_mut().for_each(|(_, path)| *path = base.join(&path));
    }
}

impl NamesFiles for CgiOptions {
    fn files(&mut self) -> &mut FileOptions {
        &mut self.files
    }
}

impl NamesFiles for FastCgiOptions {
    fn files(&mut self) -> &mut FileOptions {
        &mut self.files
    }
}

impl NamesFiles for ProxyOptions {
    fn files(&mut self) -> &mut FileOptions {
        &mut self.files
    }
}

impl CgiOptions {
    pub(super) fn set(&mut self, key: &str, value: &str, base: &Path) -> Result<(), Problem> {
        apply(CGI, self, key, value)?;
        resolve(&mut self.root, base);
        resolve(&mut self.directory, base);
        self.writable.iter_mut().for_each(|path| *path = base.join(&path));
        self.files.resolve(base);
        Ok(())
    }
}

impl FastCgiOptions {
    pub(super) fn set(&mut self, key: &str, value: &str, base: &Path) -> Result<(), Problem> {
        apply(FASTCGI, self, key, value)?;
        resolve(&mut self.root, base);
        resolve(&mut self.script, base);
        self.files.resolve(base);
        Ok(())
    }
}

impl SpawnOptions {
    pub(super) fn set(&mut self, key: &str, value: &str, base: &Path) -> Result<(), Problem> {
        match apply(POOL, &mut *self.pool, key, value) {
            Err(Problem::Unknown { allowed: own }) => {
                self.client.set(key, value, base).map_err(|problem| match problem {
                    Problem::Unknown { allowed } => Problem::Unknown { allowed: [own, allowed].concat() },
                    other => other,
                })
            }
            done => done.map(|()| resolve(&mut self.pool.directory, base)),
        }
    }
}

impl PhpOptions {
    pub(super) fn set(&mut self, key: &str, value: &str, base: &Path) -> Result<(), Problem> {
        match apply(PHP, self, key, value) {
            Err(Problem::Unknown { allowed: own }) => {
                self.client.set(key, value, base).map_err(|problem| match problem {
                    Problem::Unknown { allowed } => Problem::Unknown { allowed: [own, allowed].concat() },
                    other => other,
                })
            }
            done => done,
        }
    }
}

impl ProxyOptions {
    pub(super) fn set(&mut self, key: &str, value: &str, base: &Path) -> Result<(), Problem> {
        apply(PROXY, self, key, value)?;
        self.files.resolve(base);
        Ok(())
    }
}

impl StaticOptions {
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), Problem> {
        apply(STATIC, self, key, value)
    }
}

pub(super) fn resolve(path: &mut Option<PathBuf>, base: &Path) {
    *path = path.take().map(|path| base.join(path));
}
