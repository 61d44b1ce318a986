//! Where an operator's mistake is, and what it is.
//!
//! Holds the place of a mistake and its one-line form. Does not hold what can be wrong (`rules`) or the search for it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::rules::Problem;

/// One mistake in a flag or in the configuration file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Mistake {
    /// Where it is.
    pub place: Place,
    /// What it is.
    #[source]
    pub problem: Problem,
}

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In a configuration file, displayed as `file:line:column: field`.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
        /// The character in the line, from 1 on.
        column: usize,
        /// The path of the field, `mount.target`; empty if it is about the file.
        field: String,
    },
    /// In a flag, such as `--mount /x=static:/srv`.
    Flag(String),
}

impl Place {
    /// The same place, said of one field inside it.
    pub(super) fn inside(&self, name: &str) -> Place {
        match self {
            Place::File { path, line, column, field } => {
                Place::File { path: path.clone(), line: *line, column: *column, field: join(field, name) }
            }
            Place::Flag(flag) => Place::Flag(format!("{flag}: {name}")),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { path, line, column, field } => {
                write!(f, "{}:{line}:{column}", path.display())?;
                if field.is_empty() { Ok(()) } else { write!(f, ": {field}") }
            }
            Place::Flag(flag) => f.write_str(flag),
        }
    }
}

/// A field's path.
pub(super) fn join(outer: &str, inner: &str) -> String {
    if outer.is_empty() { inner.to_owned() } else { format!("{outer}.{inner}") }
}

/// The text of a file, to tell a place in it by its offset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// The place of a byte, which belongs to `field`.
    pub(super) fn place(&self, offset: usize, field: &str) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place::File {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            field: field.to_owned(),
        }
    }
}
