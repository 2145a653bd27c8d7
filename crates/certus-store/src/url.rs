//! Where a store is, as a text: `sqlite:PATH`.

use std::path::PathBuf;
use std::str::FromStr;

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file.
    Sqlite {
        /// Its path.
        path: PathBuf,
    },
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite { path: PathBuf::from(path) }),
            Some(_) | None => Err(StoreUrlError),
        }
    }
}

/// A text that names no store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a store is named by sqlite:PATH")]
pub struct StoreUrlError;
