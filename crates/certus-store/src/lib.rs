//! Durable state: the one place with SQL.
//!
//! It stores what it is handed, or says [`StoreError::Conflict`]; it decides nothing. [`connect`] gives the store of a
//! [`StoreUrl`] behind the port [`certus_ca::ports::Store`]. A write becomes data, queues for the backend's one writer,
//! and is answered once the transaction it was grouped into has been committed; reads go to connections of their own.
//! Tables and their reasons: `docs/schema.md`.

mod config;
mod database;
mod migration;
mod operation;
mod password;
mod postgres;
mod reads;
mod rows;
mod sql;
mod sqlite;
pub mod statements;
mod suffix;
mod unix;

pub(crate) use sql::sql;
use std::sync::Arc;

use certus_ca::ports::{Store, StoreError};

pub use config::{StoreUrl, StoreUrlError};
pub use migration::KNOWN as KNOWN_SCHEMA;
pub use password::Password;
pub use postgres::PostgresConfig;
pub use sqlite::SqliteConfig;

/// The schema that a store has, without changing or making anything: 0 when there is none yet, otherwise to be compared
/// with [`KNOWN_SCHEMA`].
///
/// # Errors
///
/// [`StoreError::Unavailable`] when it cannot be reached.
pub async fn schema(url: &StoreUrl) -> Result<u32, StoreError> {
    match url {
        StoreUrl::Sqlite(config) => sqlite::schema(config),
        StoreUrl::Postgres(config) => postgres::found_schema(config).await,
    }
}

/// Opens a store and brings its schema up to date. It closes when the last clone of the returned handle is dropped;
/// writes that had queued by then are still committed.
///
/// # Errors
///
/// [`StoreError::Unavailable`] when it cannot be reached, [`StoreError::NewerSchema`] when a newer version wrote it.
pub async fn connect(url: &StoreUrl) -> Result<Arc<dyn Store>, StoreError> {
    match url {
        StoreUrl::Sqlite(config) => Ok(Arc::new(sqlite::connect(config).await?)),
        StoreUrl::Postgres(config) => Ok(Arc::new(postgres::connect(config).await?)),
    }
}
