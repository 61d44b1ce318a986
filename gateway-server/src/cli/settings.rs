//! Everything that the command can be told, and its defaults.
//!
//! Holds the values. Does not hold the tables of keys that fill them (`keys`), or where they are read from (`args`, `config`).

use std::collections::BTreeMap;

use gateway_fastcgi::net::{Address, Owner};

use super::access::Access;
use super::listen::{Certificate, Listen};
use super::mistake::Place;
use super::target::Target;
use crate::h1;
use crate::mount::Prefix;
use crate::serve::{self, Model};

/// What `gateway serve` does.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    /// Where to listen; nothing means the default address.
    pub(super) listen: Vec<Listen>,
    /// What addresses with TLS show.
    pub(super) certificate: Certificate,
    pub(super) socket_mode: Option<u32>,
    pub(super) socket_owner: Option<Owner>,
    pub(super) model: Model,
    pub(super) threads: Option<usize>,
    pub(super) max_blocking_calls: Option<usize>,
    pub(super) max_children: Option<usize>,
    pub(super) log: Log,
    pub(super) access: Access,
    pub(super) server: serve::Config,
    pub(super) limits: h1::Limits,
    pub(super) mounts: Vec<Mount>,
    /// Where single values were given, by their field: `admin`, `access.file`.
    pub(super) given: BTreeMap<String, Place>,
    /// Where the admin listener answers.
    pub(super) admin: Option<Address>,
    /// Whether other machines may ask it.
    pub(super) admin_open: bool,
    /// Whom the server becomes once its sockets are bound.
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
}

impl Settings {
    /// Where a value was given, by its field.
    pub(super) fn place(&self, field: &str) -> Place {
        self.given.get(field).cloned().unwrap_or_else(|| Place::Flag(field.to_owned()))
    }

    /// Hands a value that was read to a setter of the listener's settings; `None` if it is not allowed.
    pub(super) fn set_server<T>(&mut self, value: Option<T>, set: fn(serve::Config, T) -> serve::Config) -> Option<()> {
        self.server = set(std::mem::take(&mut self.server), value?);
        Some(())
    }

    /// [`Settings::set_server`] for what one peer may send.
    pub(super) fn set_limit<T>(&mut self, value: Option<T>, set: fn(h1::Limits, T) -> h1::Limits) -> Option<()> {
        self.limits = set(std::mem::take(&mut self.limits), value?);
        Some(())
    }
}

/// One mount, and where its two parts were given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mount {
    pub(super) prefix: Prefix,
    pub(super) prefix_place: Place,
    pub(super) target: Target,
    pub(super) target_place: Place,
}

/// What is written to standard error, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) format: Format,
    pub(super) level: String,
    /// Whether each request is a line; `None` if nobody has said so.
    pub(super) access: Option<bool>,
}

impl Default for Log {
    fn default() -> Self {
        Log { format: Format::Human, level: "info".to_owned(), access: None }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}
