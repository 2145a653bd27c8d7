//! The keys under which secrets in the store are sealed: a directory with a file for each key, and which one is current.
//!
//! A sealed value names its key, so that a new key can be made current while old values still open. Changing the key is
//! making one ([`SealingKeys::add`]); resealing what the store holds is for whoever holds the store.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use certus_pki::{SealingKey, random_bytes};

use crate::secret::{Secret, SecretError};
use crate::unix;

/// The file that names the current key.
const CURRENT: &str = "current";
/// What the name of a key's file ends in.
const EXTENSION: &str = "key";

/// Every sealing key of an authority.
#[derive(Debug)]
pub struct SealingKeys {
    keys: BTreeMap<String, SealingKey>,
    current: String,
}

impl SealingKeys {
    /// Makes a directory with a first key.
    ///
    /// # Errors
    ///
    /// [`SealingError::File`] if there is something of that name or it cannot be written.
    pub fn create(directory: &Path) -> Result<(), SealingError> {
        unix::create_private_directory(directory).map_err(at(directory))?;
        Self::add(directory)?;
        Ok(())
    }

    /// Makes a new key and makes it the current one; returns its id.
    ///
    /// # Errors
    ///
    /// [`SealingError::File`] if it cannot be written; the current key stays what it was then.
    pub fn add(directory: &Path) -> Result<String, SealingError> {
        let id = hex(&random_bytes::<4>());
        let key = SealingKey::generate();
        let mut text = Secret::new(hex(key.to_bytes().as_slice()));
        text = Secret::new(format!("{}\n", text.reveal()));
        let path = directory.join(format!("{id}.{EXTENSION}"));
        unix::write_private(&path, text.reveal().as_bytes()).map_err(at(&path))?;
        // The key is durable before anything names it.
        let current = directory.join(CURRENT);
        let next = directory.join(format!("{CURRENT}.{id}"));
        let write = || -> io::Result<()> {
            let mut file = std::fs::File::create_new(&next)?;
            writeln!(file, "{id}")?;
            file.sync_all()?;
            std::fs::rename(&next, &current)?;
            unix::sync_directory(directory)
        };
        write().map_err(at(&current))?;
        Ok(id)
    }

    /// Reads every key of a directory.
    ///
    /// # Errors
    ///
    /// [`SealingError`] if a file cannot be read, is not a key, or the current key is not there.
    pub fn open(directory: &Path) -> Result<Self, SealingError> {
        let current_path = directory.join(CURRENT);
        let current = std::fs::read_to_string(&current_path).map_err(at(&current_path))?.trim_end().to_owned();
        let mut keys = BTreeMap::new();
        for entry in std::fs::read_dir(directory).map_err(at(directory))? {
            let path = entry.map_err(at(directory))?.path();
            if path.extension().is_none_or(|extension| extension != EXTENSION) {
                continue;
            }
            let Some(id) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            keys.insert(id.to_owned(), read(&path)?);
        }
        if !keys.contains_key(&current) {
            return Err(SealingError::NoCurrent { directory: directory.into(), id: current });
        }
        Ok(Self { keys, current })
    }

    /// The key new values are sealed under, and its id.
    #[must_use]
    pub fn current(&self) -> Option<(&str, &SealingKey)> {
        self.keys.get(&self.current).map(|key| (self.current.as_str(), key))
    }

    /// The key with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&SealingKey> {
        self.keys.get(id)
    }
}

fn read(path: &Path) -> Result<SealingKey, SealingError> {
    let text = Secret::from_file(path)?;
    let digits = text.reveal().as_bytes();
    let not_a_key = || SealingError::NotAKey(path.into());
    let mut bytes = zeroize::Zeroizing::new([0_u8; 32]);
    if digits.len() != 2 * bytes.len() {
        return Err(not_a_key());
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_error| not_a_key())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_error| not_a_key())?;
    }
    Ok(SealingKey::from_bytes(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SealingError {
    let path = path.to_owned();
    |source| SealingError::File { path, source }
}

/// Why the sealing keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    /// A file or directory cannot be read or written.
    #[error("the sealing keys cannot be had from {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the file system says.
        #[source]
        source: io::Error,
    },
    /// A key's file cannot be read, or by others too.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A key's file is not 64 hexadecimal digits.
    #[error("{0} is not a sealing key (64 hexadecimal digits)")]
    NotAKey(PathBuf),
    /// The current key has no file.
    #[error("the sealing key {id:?}, which {directory}/current names, is not there; restore it from a backup")]
    NoCurrent {
        /// The directory.
        directory: PathBuf,
        /// The key's id.
        id: String,
    },
}
