//! Passphrases and passwords.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::unix::{self, Private};

/// A text that nobody else may see: printed as `<secret>`, wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Reads the one line of a file; a line feed at its end is not part of it.
    ///
    /// # Errors
    ///
    /// [`SecretError`] if it cannot be read, others than its owner can read it, or it is not one line of text.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let bytes = match unix::read_private(path).map_err(|source| SecretError::Read { path: path.into(), source })? {
            Private::Bytes(bytes) => bytes,
            Private::Exposed { mode } => return Err(SecretError::Exposed { path: path.into(), mode }),
            Private::TooLong => return Err(SecretError::NotOneLine(path.into())),
        };
        let not_one_line = || SecretError::NotOneLine(path.into());
        let text = std::str::from_utf8(&bytes).map_err(|_error| not_one_line())?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() || text.contains(['\n', '\r', '\0']) {
            return Err(not_one_line());
        }
        Ok(Self::new(text.to_owned()))
    }

    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// Why a file gives no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("the secret in {path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        #[source]
        source: io::Error,
    },
    /// Others than its owner can read it.
    #[error("{path} can be read by others (mode {mode:04o}); run: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is empty, longer than a secret, or more than a line.
    #[error("{0} should be one line of text: the secret")]
    NotOneLine(PathBuf),
}
