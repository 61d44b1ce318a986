//! A file of TOML: its text as a table, and its values as the texts that flags would have.
//!
//! Holds what all files of the command have in common. Does not hold which keys they have (`config`, `workers`). A file is walked and not
//! deserialised, because deserialising ends at the first mistake.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::mistake::{Mistake, Source};
use super::rules::{Problem, quoted};

pub(super) type Key<'t> = Spanned<DeString<'t>>;
pub(super) type Node<'t> = Spanned<DeValue<'t>>;

/// The table that a text is, or everything that is wrong with its syntax.
pub(super) fn table<'t>(source: &Source<'t>) -> Result<Spanned<DeTable<'t>>, Vec<Mistake>> {
    let (table, errors) = DeTable::parse_recoverable(source.text);
    if errors.is_empty() {
        return Ok(table);
    }
    let syntax = |error: &toml::de::Error| Mistake {
        place: source.place(error.span().map_or(0, |span| span.start), ""),
        problem: Problem::Syntax { message: error.message().replace('\n', ", ") },
    };
    Err(errors.iter().map(syntax).collect())
}

/// Where relative paths in a file start.
pub(super) fn folder(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}

/// A value as the text that a flag would have.
pub(super) fn scalar(node: &Node<'_>) -> Option<String> {
    match node.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(yes) => Some(yes.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// A value of the wrong kind.
pub(super) fn kind(node: &Node<'_>, allowed: impl Into<String>) -> Problem {
    let given = match node.get_ref() {
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
        _ => return Problem::Value { given: quoted(&scalar(node).unwrap_or_default()), allowed: allowed.into() },
    };
    Problem::Value { given: given.to_owned(), allowed: allowed.into() }
}
