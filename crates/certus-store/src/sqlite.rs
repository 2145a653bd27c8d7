//! The embedded store: one file, one writer that commits what has queued with one fsync, readers of their own.

mod accounts;
mod authority;
mod certificates;
mod jobs;
mod orders;
mod writer;

use std::path::Path;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};

use certus_ca::ports::StoreError;
use writer::Writer;

/// Readers kept open. Reads are short and inline; more than this run at once only under a flood.
const READERS: usize = 8;
/// Statements kept prepared on each connection: all there are.
const STATEMENTS: usize = 96;

mod embedded {
    refinery::embed_migrations!("migrations/sqlite");
}

/// A store in one file.
#[derive(Debug)]
pub(crate) struct Sqlite {
    path: std::path::PathBuf,
    readers: Mutex<Vec<Connection>>,
    writer: Writer,
}

impl Sqlite {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = connect(path)?;
        migrate(&mut connection)?;
        let checkpointer = connect(path)?;
        Ok(Self {
            path: path.to_owned(),
            readers: Mutex::new(Vec::new()),
            writer: Writer::start(connection, checkpointer)?,
        })
    }

    /// Reads on a connection of its own. A read touches a few rows of a memory-mapped file; handing it to another
    /// thread would cost more than the read.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let kept = self.readers.lock().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => connect(&self.path)?,
        };
        let found = query(&connection);
        let mut readers = self.readers.lock();
        if readers.len() < READERS {
            readers.push(connection);
        }
        found
    }

    async fn write<T: Send + 'static>(
        &self,
        transaction: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.write(transaction).await
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(failed)?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
             PRAGMA wal_autocheckpoint = 0; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096;",
        )
        .map_err(failed)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let runner = embedded::migrations::runner();
    let known = runner.get_migrations().iter().map(refinery::Migration::version).max().unwrap_or(0);
    let found: Option<i64> = connection
        .query_row("SELECT count(*) FROM sqlite_master WHERE name = 'refinery_schema_history'", [], |row| row.get(0))
        .and_then(|tables: i64| {
            if tables == 0 {
                return Ok(None);
            }
            connection.query_row("SELECT max(version) FROM refinery_schema_history", [], |row| row.get(0))
        })
        .map_err(failed)?;
    let number = |version: i64| u32::try_from(version).unwrap_or(u32::MAX);
    if let Some(found) = found.filter(|found| *found > i64::from(known)) {
        return Err(StoreError::NewerSchema { found: number(found), known: number(i64::from(known)) });
    }
    runner.run(connection).map_err(|error| StoreError::unavailable("the store could not be migrated", error))?;
    Ok(())
}

/// What SQLite's refusal means to a caller.
fn failed(error: rusqlite::Error) -> StoreError {
    if let rusqlite::Error::SqliteFailure(code, _) = &error
        && code.code == rusqlite::ErrorCode::ConstraintViolation
    {
        return StoreError::Conflict;
    }
    StoreError::unavailable("the database file cannot be read or written", error)
}
