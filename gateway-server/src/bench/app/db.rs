//! The measured application's database: a file that is made before and only read while it is measured.
//!
//! Holds one connection for each thread. A CGI program opens the file for every request: that is part of what is
//! compared.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::Path;

use gateway_spec::AppError;
use rusqlite::{Connection, OpenFlags, params};

/// Names the file, in the environment of the measured application.
pub(crate) const DATABASE: &str = "GATEWAY_BENCH_DATABASE";

/// Rows in the table, and how many of them a page shows.
const ROWS: i64 = 10_000;
const SHOWN: i64 = 20;

thread_local! {
    static OPEN: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// Makes the file.
pub(crate) fn make(path: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "CREATE TABLE entry (id INTEGER PRIMARY KEY, author TEXT NOT NULL, text TEXT NOT NULL);
         CREATE INDEX by_author ON entry (author, id);",
    )?;
    {
        let mut insert = transaction.prepare("INSERT INTO entry (author, text) VALUES (?1, ?2)")?;
        for row in 0..ROWS {
            insert.execute(params![author(row), format!("What entry {row} has to say, in about sixty characters.")])?;
        }
    }
    transaction.commit()
}

fn author(row: i64) -> String {
    format!("author {}", row % 100)
}

/// The newest entries of one author, as a page.
pub(super) fn page() -> Result<String, AppError> {
    OPEN.with_borrow_mut(|open| {
        let connection = match open.take() {
            Some(connection) => connection,
            None => connect()?,
        };
        let page = render(&connection)?;
        *open = Some(connection);
        Ok(page)
    })
}

fn connect() -> Result<Connection, AppError> {
    let path = std::env::var_os(DATABASE).ok_or_else(|| format!("{DATABASE} names no file"))?;
    Ok(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
}

fn render(connection: &Connection) -> Result<String, AppError> {
    let sql = "SELECT id, text FROM entry WHERE author = ?1 ORDER BY id DESC LIMIT ?2";
    let mut query = connection.prepare_cached(sql)?;
    let mut rows = query.query(params![author(42), SHOWN])?;
    let mut page = String::from("<!doctype html><title>Entries</title><ol>");
    while let Some(row) = rows.next()? {
        let (id, text): (i64, String) = (row.get(0)?, row.get(1)?);
        let _ = write!(page, "<li value=\"{id}\">{text}</li>");
    }
    page.push_str("</ol>\n");
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_twenty_entries_of_one_author() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entries.sqlite3");
        make(&path).unwrap();
        let page = render(&Connection::open(&path).unwrap()).unwrap();
        assert_eq!(page.matches("<li ").count(), 20);
        // 9,942 is the last row of this author; its id is one more.
        assert!(page.contains("<li value=\"9943\">What entry 9942 has"), "{page}");
    }
}
