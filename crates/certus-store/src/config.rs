//! Where a store is: the text an operator writes, parsed once.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::sqlite::SqliteConfig;

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// In a file of this machine.
    Sqlite(SqliteConfig),
}

impl StoreUrl {
    /// Reads what [`FromStr`] reads, and `sqlite` alone: the file `default_sqlite`.
    ///
    /// # Errors
    ///
    /// [`StoreUrlError`] says what is wrong with the text, and never repeats a password that stands in it.
    pub fn parse(text: &str, default_sqlite: &Path) -> Result<Self, StoreUrlError> {
        if text == "sqlite" { Ok(Self::Sqlite(SqliteConfig::at(default_sqlite))) } else { text.parse() }
    }
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    /// Reads `sqlite:PATH`.
    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            if path.is_empty() {
                return Err(StoreUrlError::NoPath);
            }
            return Ok(Self::Sqlite(SqliteConfig::at(PathBuf::from(path))));
        }
        Err(StoreUrlError::Scheme)
    }
}

/// Why a text says of no store where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    /// Neither kind of store.
    #[error("a store is sqlite:PATH or postgres://USER@HOST/DATABASE")]
    Scheme,
    /// `sqlite:` alone.
    #[error("\"sqlite:\" is followed by the path of the file")]
    NoPath,
}
