//! The only place with SQL. No decision: it stores what it is handed, or says `Conflict`.
//!
//! [`connect`] opens a backend by its [`StoreUrl`]. The schema is told in `docs/schema.md`.

mod rows;
mod sqlite;
mod url;

use std::sync::Arc;

use certus_ca::ports::{Store, StoreError};

pub use url::{StoreUrl, StoreUrlError};

/// Opens a store and brings its schema up to date.
///
/// # Errors
///
/// [`StoreError::Unavailable`] when it cannot be reached, [`StoreError::NewerSchema`] when a newer version wrote it.
pub async fn connect(url: &StoreUrl) -> Result<Arc<dyn Store>, StoreError> {
    match url {
        StoreUrl::Sqlite { path } => Ok(Arc::new(sqlite::Sqlite::open(path)?)),
    }
}
