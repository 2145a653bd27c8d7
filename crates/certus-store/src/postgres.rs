//! The store on a PostgreSQL server, which several processes may share.
//!
//! Writes are batched as on SQLite: [`writer`] takes what has queued, locks the rows it touches in the order of their
//! keys, sends every operation as one statement without waiting in between, and commits once. Each statement checks
//! versions and fencing numbers itself and says in its answer what came of it, so that one that is refused takes nothing
//! with it. Where to go: [`hosts`] finds the server that takes writes, [`batch`] plays a batch, `sql_*` are the
//! statements, [`readers`] asks.

mod batch;
mod binding;
mod call;
mod config;
mod connection;
mod fault;
mod hosts;
mod limit;
mod migrate;
mod order;
mod read_rows;
mod readers;
mod renewal;
mod sql_authority;
mod sql_issuance;
mod sql_job;
mod sql_order;
mod sql_read;
mod sql_revocation;
mod writer;

use std::sync::Arc;

use certus_ca::ports::StoreError;
use tokio_util::task::TaskTracker;

pub use config::PostgresConfig;

use crate::database::Database;
use crate::operation::Queue;

/// Opens the store, migrating it first.
pub(crate) async fn connect(config: &PostgresConfig) -> Result<Database, StoreError> {
    // Tasks end when the store is dropped: the queue closes, and with it the writer and every connection.
    let tasks = TaskTracker::new();
    let hosts = Arc::new(hosts::Hosts::new(config, tasks.clone())?);
    let mut connection = hosts.connect().await.map_err(fault::unreachable)?;
    migrate::migrate(&mut connection).await?;
    let (queue, receiver) = Queue::new();
    tasks.spawn(writer::run(Arc::clone(&hosts), connection, receiver));
    Ok(Database::new(queue, Box::new(readers::Readers::new(hosts))))
}

/// The schema of the database; 0 when there is none.
pub(crate) async fn found_schema(config: &PostgresConfig) -> Result<u32, StoreError> {
    let hosts = hosts::Hosts::new(config, TaskTracker::new())?;
    migrate::schema(&hosts.connect().await.map_err(fault::unreachable)?.client).await
}

/// Every statement this backend prepares.
pub(crate) fn statements() -> Vec<&'static str> {
    [
        binding::ALL,
        batch::ALL,
        limit::ALL,
        migrate::ALL,
        renewal::ALL,
        sql_authority::ALL,
        sql_issuance::ALL,
        sql_job::ALL,
        sql_order::ALL,
        sql_read::ALL,
        sql_revocation::ALL,
    ]
    .concat()
}
