//! Bringing the schema up to date. Processes that start at once take turns.

use certus_ca::ports::StoreError;

use super::connection::Connection;
use super::fault::{column, unavailable};
use crate::migration;

/// Who holds this may migrate: a number of our own among PostgreSQL's advisory locks ("certus").
const LOCK: &str = "SELECT pg_advisory_xact_lock(109320713008499)";
const HAS_HISTORY: &str = "SELECT to_regclass('migrations') IS NOT NULL";
const HISTORY: &str = "CREATE TABLE IF NOT EXISTS migrations (
    version BIGINT PRIMARY KEY, name TEXT NOT NULL, program TEXT NOT NULL, applied BIGINT NOT NULL)";

crate::sql! {
    /// Which migration was the last.
    SCHEMA = "SELECT version, program FROM migrations ORDER BY version DESC LIMIT 1";
    APPLIED = "INSERT INTO migrations (version, name, program, applied)
        VALUES ($1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)";
}

/// The newest migration that was applied; 0 for an empty database. Refuses a newer schema than is known here.
pub(super) async fn schema(client: &impl tokio_postgres::GenericClient) -> Result<u32, StoreError> {
    let known: bool = column(&client.query_one(HAS_HISTORY, &[]).await.map_err(unavailable)?, 0)?;
    if !known {
        return Ok(0);
    }
    let Some(newest) = client.query_opt(SCHEMA, &[]).await.map_err(unavailable)? else { return Ok(0) };
    migration::known(column(&newest, 0)?, column(&newest, 1)?)
}

/// Applies what is missing, each migration in a transaction of its own.
pub(super) async fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    loop {
        let transaction = connection.client.transaction().await.map_err(unavailable)?;
        transaction.batch_execute(LOCK).await.map_err(unavailable)?;
        let found = schema(&transaction).await?;
        let Some(next) = migration::next(migration::POSTGRES, found) else { return Ok(()) };
        transaction.batch_execute(HISTORY).await.map_err(unavailable)?;
        transaction.batch_execute(next.sql).await.map_err(unavailable)?;
        let version = i64::from(next.version);
        transaction.execute(APPLIED, &[&version, &next.name, &migration::PROGRAM]).await.map_err(unavailable)?;
        transaction.commit().await.map_err(unavailable)?;
        tracing::info!(schema = next.version, name = next.name, "the store was migrated");
    }
}
