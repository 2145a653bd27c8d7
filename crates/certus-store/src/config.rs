//! Where a store is: the text an operator writes, parsed once.

use std::path::{Path, PathBuf};

use crate::sqlite::SqliteConfig;

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Config {
    /// In a file of this machine.
    Sqlite(SqliteConfig),
}

impl Config {
    /// Reads `sqlite` (the file `default_sqlite`) or `sqlite:PATH`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] says what is wrong with the text, and never repeats a password that stands in it.
    pub fn parse(text: &str, default_sqlite: &Path) -> Result<Self, ConfigError> {
        if text == "sqlite" {
            return Ok(Self::Sqlite(SqliteConfig::at(default_sqlite)));
        }
        if let Some(path) = text.strip_prefix("sqlite:") {
            if path.is_empty() {
                return Err(ConfigError::NoPath);
            }
            return Ok(Self::Sqlite(SqliteConfig::at(PathBuf::from(path))));
        }
        Err(ConfigError::Scheme)
    }
}

/// Why a text says of no store where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Neither kind of store.
    #[error("a store is \"sqlite\", \"sqlite:PATH\" or \"postgres://USER@HOST/DATABASE\"")]
    Scheme,
    /// `sqlite:` alone.
    #[error("\"sqlite:\" is followed by the path of the file")]
    NoPath,
}
