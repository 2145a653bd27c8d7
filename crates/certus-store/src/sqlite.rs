//! The embedded store: one SQLite file, one writer thread, readers beside it.
//!
//! The file is in WAL mode with `synchronous=FULL`, so that an answered write survives a power cut. One process uses it
//! at a time; [`lock`] sees to that. Where to go: [`writer`] groups writes into commits, `write_*` play them, [`readers`]
//! and `read_*` answer questions.

mod binding;
mod fault;
mod limit;
mod lock;
mod open;
mod page;
mod play;
mod read_authority;
mod read_certificate;
mod read_order;
mod read_revocation;
mod readers;
mod recent;
mod renewal;
mod write_account;
mod write_authority;
mod write_issuance;
mod write_job;
mod write_order;
mod write_reap;
mod write_revocation;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use certus_ca::ports::StoreError;

use crate::database::Database;
use crate::operation::Queue;

/// Where the embedded store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteConfig {
    /// The file; made, readable by its owner alone, when it is not there. Its directory must exist.
    pub path: PathBuf,
    /// How large the file may become, in bytes; `None` leaves that to the disk. Beyond it writes are
    /// [`StoreError::Unavailable`], and reads go on.
    pub max_bytes: Option<u64>,
}

impl SqliteConfig {
    /// The store in that file, as large as the disk allows.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), max_bytes: None }
    }
}

/// Opens the store, migrating it first.
pub(crate) async fn connect(config: &SqliteConfig) -> Result<Database, StoreError> {
    open::create_file(&config.path)?;
    let lock = lock::take(&config.path).await?;
    let mut connection = open::writer(config)?;
    open::migrate(&mut connection)?;
    let recent = Arc::new(recent::RecentAccounts::default());
    let readers = Arc::new(readers::Readers::new(config.path.clone(), Arc::clone(&recent)));
    let (queue, receiver) = Queue::new();
    writer::start(config.clone(), lock, connection, recent, receiver)?;
    Ok(Database::new(queue, Box::new(readers::SharedReaders(readers))))
}

/// The schema of the file; 0 when there is none.
pub(crate) fn schema(config: &SqliteConfig) -> Result<u32, StoreError> {
    if !config
        .path
        .try_exists()
        .map_err(|error| StoreError::unavailable("the SQLite file cannot be looked at", error))?
    {
        return Ok(0);
    }
    open::schema(&open::reader(&config.path).map_err(fault::unavailable)?)
}

/// Every statement this backend prepares.
pub(crate) fn statements() -> Vec<&'static str> {
    [
        binding::ALL,
        limit::ALL,
        open::ALL,
        play::ALL,
        read_authority::ALL,
        read_certificate::ALL,
        read_order::ALL,
        read_revocation::ALL,
        readers::ALL,
        renewal::ALL,
        write_account::ALL,
        write_authority::ALL,
        write_issuance::ALL,
        write_job::ALL,
        write_order::ALL,
        write_reap::ALL,
        write_revocation::ALL,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_fits_the_migrated_schema() -> Result<(), Box<dyn std::error::Error>> {
        let mut connection = rusqlite::Connection::open_in_memory()?;
        open::migrate(&mut connection)?;
        for statement in statements() {
            connection.prepare(statement).map_err(|error| format!("{error} in {statement}"))?;
        }
        Ok(())
    }
}
