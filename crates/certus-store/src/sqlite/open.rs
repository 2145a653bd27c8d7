//! Opening the file and bringing its schema up to date.

use std::path::Path;
use std::time::Duration;

use certus_ca::ports::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use super::SqliteConfig;
use super::fault::unavailable;
use super::write_job::now;
use crate::rows;
use crate::{migration, unix};

/// How long a statement waits for a lock that another program (a backup, a shell) holds, before it gives up.
const BUSY: Duration = Duration::from_secs(5);
/// Bytes of a page; SQLite's own default, said so that [`SqliteConfig::max_bytes`] can be counted in pages.
const PAGE: u64 = 4096;
/// Pages in the log after which the writer itself copies them into the file. The checkpointer does most of it before.
const AUTOCHECKPOINT_PAGES: u32 = 8000;
/// What is left of the log's file once it was emptied; more than a busy second fills.
const JOURNAL_BYTES: u32 = 64 * 1024 * 1024;
/// Memory the writer may use for pages: what a thousand certificates in one transaction change fits, so that none is
/// written twice.
const WRITER_CACHE_KIB: i64 = 24 * 1024;
/// Statements kept prepared on a connection: all of them, with room.
const STATEMENTS: usize = 160;

crate::sql! {
    HISTORY = "CREATE TABLE IF NOT EXISTS migrations (
        version INTEGER PRIMARY KEY, name TEXT NOT NULL, program TEXT NOT NULL, applied INTEGER NOT NULL) STRICT";
    /// Which migration was the last.
    SCHEMA = "SELECT version, program FROM migrations ORDER BY version DESC LIMIT 1";
    APPLIED = concat!("INSERT INTO migrations (version, name, program, applied) VALUES (?1, ?2, ?3, ", now!(), ")");
    HAS_HISTORY = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'";
}

/// Makes the file when it is not there, for its owner alone.
pub(super) fn create_file(path: &Path) -> Result<(), StoreError> {
    unix::create_private(path)
        .map_err(|error| StoreError::unavailable(format!("the SQLite file {} cannot be made", path.display()), error))
}

/// The writer's connection.
pub(super) fn writer(config: &SqliteConfig) -> Result<Connection, StoreError> {
    let connection = connection(&config.path).map_err(unavailable)?;
    let set = |connection: &Connection| -> rusqlite::Result<()> {
        connection.pragma_update(None, "page_size", rows::number_column(PAGE))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "wal_autocheckpoint", AUTOCHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES)?;
        connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        if let Some(bytes) = config.max_bytes {
            connection.pragma_update(None, "max_page_count", rows::number_column(bytes / PAGE))?;
        }
        Ok(())
    };
    set(&connection).map_err(unavailable)?;
    Ok(connection)
}

/// A reader's connection.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connection(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// The checkpointer's connection.
pub(super) fn checkpointer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connection(path)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

fn connection(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE,
    )?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without this, SQLite plans a prepared statement anew whenever a bound value might change the plan: measured, a sixth
    // of all the time an authority spends.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Savepoints keep what they may have to undo in memory, not in a file of their own.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// The newest migration that was applied; 0 for an empty file. Refuses a newer schema than is known here.
pub(super) fn schema(connection: &Connection) -> Result<u32, StoreError> {
    let read = || -> rusqlite::Result<Option<(i64, String)>> {
        if connection.query_row(HAS_HISTORY, [], |_| Ok(())).optional()?.is_none() {
            return Ok(None);
        }
        connection.query_row(SCHEMA, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    };
    let (newest, program) = read().map_err(unavailable)?.unwrap_or_default();
    migration::known(newest, program)
}

/// Applies what is missing, each migration in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(unavailable)?;
        let found = schema(&transaction)?;
        let Some(next) = migration::next(migration::SQLITE, found) else { return Ok(()) };
        let apply = || -> rusqlite::Result<()> {
            transaction.execute(HISTORY, [])?;
            transaction.execute_batch(next.sql)?;
            transaction.execute(APPLIED, params![next.version, next.name, migration::PROGRAM])?;
            Ok(())
        };
        apply().map_err(unavailable)?;
        transaction.commit().map_err(unavailable)?;
        tracing::info!(schema = next.version, name = next.name, "the store was migrated");
    }
}
