//! The file of `gateway workers`: TOML with the names of the flags.
//!
//! Holds its shape. The values are read by the tables that read those of the flags, so that a mistake is told in the same
//! words, with its line.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::{Plan, set_pool};
use crate::cli::document::{Node, folder, kind, scalar, table};
use crate::cli::keys::POOL;
use crate::cli::mistake::{Mistake, Place, Source, join};
use crate::cli::rules::{Problem, remedy, unknown_beside};
use crate::cli::words;

/// Keys that are not about workers.
const OWN: [&str; 6] = ["command", "listen", "socket_mode", "socket_owner", "status", "log"];

const COMMAND: &str = "a text that is split as by a shell, or a list of texts";

/// Keys that the file of `gateway serve` has at its top, too.
const SHARED: [&str; 6] = ["listen", "socket_mode", "socket_owner", "log", "user", "group"];

/// Whether a file is about workers: it has keys that only such a file has, and no mount. The command may stand on the command
/// line.
pub(super) fn is_about_workers(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let table = DeTable::parse_recoverable(&text).0;
    let is_of_workers = |key: &str| {
        !SHARED.contains(&key) && (key == "env" || OWN.contains(&key) || POOL.iter().any(|rule| rule.key == key))
    };
    let keys = || table.get_ref().keys().map(|key| key.get_ref().as_ref());
    keys().any(is_of_workers) && !keys().any(|key| key == "mount")
}

/// Reads a file. Relative paths in it start from its folder.
pub(super) fn read(path: &Path) -> Result<Plan, Vec<Mistake>> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let place = Place::File { path: path.to_owned(), line: 1, column: 1, field: String::new() };
        vec![Mistake {
            place,
            problem: Problem::Syntax { message: format!("cannot be read: {error}{}", remedy(&error)) },
        }]
    })?;
    let source = Source { path, text: &text };
    let table = table(&source)?;
    let mut reader = Reader { base: folder(path), plan: Plan::default(), mistakes: Vec::new() };
    reader.top(table.get_ref());
    if reader.mistakes.is_empty() {
        return Ok(reader.plan);
    }
    reader.mistakes.sort_by_key(|(at, ..)| *at);
    let mistake = |(at, field, problem): (usize, String, Problem)| Mistake { place: source.place(at, &field), problem };
    Err(reader.mistakes.into_iter().map(mistake).collect())
}

struct Reader {
    base: PathBuf,
    plan: Plan,
    /// Where, which field, what.
    mistakes: Vec<(usize, String, Problem)>,
}

impl Reader {
    fn top(&mut self, table: &DeTable<'_>) {
        for (key, node) in table {
            let name = key.get_ref().as_ref();
            let at = node.span().start;
            match (name, node.get_ref()) {
                ("command", _) => self.command(node),
                ("log", DeValue::Table(log)) => {
                    for (key, node) in log {
                        let name = key.get_ref().as_ref();
                        self.value(&join("log", name), node, |reader, value| {
                            reader.plan.set(name, value, &reader.base)
                        });
                    }
                }
                ("log", _) => self.mistakes.push((at, name.to_owned(), kind(node, "a table: [log]"))),
                ("env", DeValue::Table(variables)) => {
                    for (key, node) in variables {
                        let name = join("env", key.get_ref());
                        self.value(&name, node, |reader, value| {
                            set_pool(&mut reader.plan.pool, &name, value, &reader.base)
                        });
                    }
                }
                (name, DeValue::Array(nodes)) if super::PoolOptions::repeats(name) => {
                    for node in nodes.iter() {
                        self.value(name, node, |reader, value| {
                            set_pool(&mut reader.plan.pool, name, value, &reader.base)
                        });
                    }
                }
                (name, _) if OWN.contains(&name) => {
                    self.value(name, node, |reader, value| reader.plan.set(name, value, &reader.base));
                }
                (name, _) if POOL.iter().any(|rule| rule.key == name) => {
                    self.value(name, node, |reader, value| set_pool(&mut reader.plan.pool, name, value, &reader.base));
                }
                (name, _) => {
                    self.mistakes.push((key.span().start, name.to_owned(), unknown_beside(POOL, &OWN)));
                }
            }
        }
    }

    /// A single value.
    fn value(&mut self, field: &str, node: &Node<'_>, set: impl FnOnce(&mut Self, &str) -> Result<(), Problem>) {
        let done = match scalar(node) {
            Some(value) => set(self, &value),
            None => Err(kind(node, "one value")),
        };
        self.mistakes.extend(done.err().map(|problem| (node.span().start, field.to_owned(), problem)));
    }

    fn command(&mut self, node: &Node<'_>) {
        let split = match node.get_ref() {
            DeValue::String(text) => words::split(text),
            DeValue::Array(nodes) => nodes.iter().map(scalar).collect(),
            _ => None,
        };
        match split.filter(|words| !words.is_empty()) {
            Some(words) => self.plan.command = words,
            None => self.mistakes.push((node.span().start, "command".to_owned(), kind(node, COMMAND))),
        }
    }
}
