//! The entries in their SQLite file.
//!
//! Holds one connection for each thread, so no request waits for another's reading; SQLite itself keeps the writers of
//! all threads and processes apart.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, Result, params};

use super::form::Entry;

/// How many entries a page shows.
const SHOWN: u32 = 100;

/// How many entries are kept: anyone may write here, and the disk must not fill up.
const KEPT: u32 = 10_000;

/// How long to wait for another process that is writing.
const PATIENCE: Duration = Duration::from_secs(5);

/// One entry as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) name: String,
    pub(super) message: String,
    /// Year to minute, UTC.
    pub(super) when: String,
}

/// An open database.
pub(super) struct Store {
    path: PathBuf,
    connection: Connection,
}

thread_local! {
    static OPEN: RefCell<Option<Store>> = const { RefCell::new(None) };
}

/// Runs `work` on this thread's connection, which is opened if it is not yet. After an error it is opened anew.
pub(super) fn with<T>(path: &Path, work: impl FnOnce(&Store) -> Result<T>) -> Result<T> {
    OPEN.with_borrow_mut(|open| {
        let store = match open.take().filter(|store| store.path == path) {
            Some(store) => store,
            None => Store::open(path)?,
        };
        let result = work(&store)?;
        *open = Some(store);
        Ok(result)
    })
}

/// Makes the file what it has to be.
fn prepare(connection: &Connection) -> Result<()> {
    // Readers and a writer do not wait for each other; the file tells later processes.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS entries (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            message TEXT NOT NULL,
            written INTEGER NOT NULL DEFAULT (unixepoch())
        ) STRICT",
    )
}

impl Store {
    fn open(path: &Path) -> Result<Store> {
        let connection = Connection::open(path)?;
        // First of all: the statements below may already meet another process.
        connection.busy_timeout(PATIENCE)?;
        let begun = Instant::now();
        // Who changes the mode of a new file, or finds that another has just written, is told "locked" at once, without patience.
        while let Err(error) = prepare(&connection) {
            let busy = error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
            if !busy || begun.elapsed() > PATIENCE {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(Store { path: path.to_owned(), connection })
    }

    /// Adds an entry; the oldest give way when there are too many.
    pub(super) fn add(&self, entry: &Entry) -> Result<()> {
        let insert = "INSERT INTO entries (name, message) VALUES (?1, ?2)";
        self.connection.prepare_cached(insert)?.execute(params![entry.name, entry.message])?;
        let forget = "DELETE FROM entries WHERE id <= (SELECT max(id) FROM entries) - ?1";
        self.connection.prepare_cached(forget)?.execute([KEPT])?;
        Ok(())
    }

    /// The latest entries, newest first.
    pub(super) fn latest(&self) -> Result<Vec<Written>> {
        let select = "SELECT name, message, strftime('%Y-%m-%d %H:%M', written, 'unixepoch')
            FROM entries ORDER BY id DESC LIMIT ?1";
        let mut select = self.connection.prepare_cached(select)?;
        let rows = select
            .query_map([SHOWN], |row| Ok(Written { name: row.get(0)?, message: row.get(1)?, when: row.get(2)? }))?;
        rows.collect()
    }
}
