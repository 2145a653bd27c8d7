//! The keys under which secrets in the store are sealed: a directory with a file for each key, and which one is current.
//!
//! A sealed value names its key, so that a new key can be made current while old values still open. Changing the key is
//! making one ([`SealingKeys::add`]); resealing what the store holds is for whoever holds the store.
//!
//! A key's file is one line: 64 hexadecimal digits, or, with a passphrase, `scrypt:SALT:SEALED`, where `SALT` is 16 octets
//! and `SEALED` the key, sealed under what scrypt makes of passphrase and salt and bound to the key's id. Keys that sign
//! are PKCS#8, which has no form for a key of this kind.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use certus_pki::{SealingKey, random_bytes};
use zeroize::Zeroizing;

use crate::secret::{Secret, SecretError};
use crate::unix;

/// The file that names the current key.
const CURRENT: &str = "current";
/// What the name of a key's file ends in.
const EXTENSION: &str = "key";
/// What the file of an encrypted key begins with.
const ENCRYPTED: &str = "scrypt:";

/// Every sealing key of an authority.
#[derive(Debug)]
pub struct SealingKeys {
    keys: BTreeMap<String, SealingKey>,
    current: String,
}

impl SealingKeys {
    /// Makes a directory with a first key, encrypted when there is a passphrase.
    ///
    /// # Errors
    ///
    /// [`SealingError::File`] if there is something of that name or it cannot be written.
    pub fn create(directory: &Path, passphrase: Option<&Secret>) -> Result<(), SealingError> {
        unix::create_private_directory(directory).map_err(at(directory))?;
        Self::add(directory, passphrase)?;
        Ok(())
    }

    /// Makes a new key and makes it the current one; returns its id.
    ///
    /// # Errors
    ///
    /// [`SealingError::File`] if it cannot be written; the current key stays what it was then.
    pub fn add(directory: &Path, passphrase: Option<&Secret>) -> Result<String, SealingError> {
        let id = hex(&random_bytes::<4>());
        let path = directory.join(format!("{id}.{EXTENSION}"));
        let key = SealingKey::generate().to_bytes();
        let line = match passphrase {
            None => Zeroizing::new(hex(key.as_slice())),
            Some(passphrase) => {
                let salt: [u8; 16] = random_bytes();
                let under = SealingKey::derive(passphrase.reveal(), &salt)
                    .ok_or_else(|| SealingError::NotAKey(path.clone()))?;
                Zeroizing::new(format!("{ENCRYPTED}{}:{}", hex(&salt), hex(&under.seal(id.as_bytes(), key.as_slice()))))
            }
        };
        let text = Zeroizing::new(format!("{}\n", line.as_str()));
        unix::write_private(&path, text.as_bytes()).map_err(at(&path))?;
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

    /// Reads every key of a directory. Takes some hundred milliseconds for each that is encrypted.
    ///
    /// # Errors
    ///
    /// [`SealingError`] if a file cannot be read, is not a key, its passphrase is missing or wrong, or the current key is
    /// not there.
    pub fn open(directory: &Path, passphrase: Option<&Secret>) -> Result<Self, SealingError> {
        let current_path = directory.join(CURRENT);
        let current = std::fs::read_to_string(&current_path).map_err(at(&current_path))?.trim_end().to_owned();
        let mut keys = BTreeMap::new();
        for entry in std::fs::read_dir(directory).map_err(at(directory))? {
            let path = entry.map_err(at(directory))?.path();
            if path.extension().is_none_or(|extension| extension != EXTENSION) {
                continue;
            }
            let Some(id) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            keys.insert(id.to_owned(), read(&path, id, passphrase)?);
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

fn read(path: &Path, id: &str, passphrase: Option<&Secret>) -> Result<SealingKey, SealingError> {
    let text = Secret::from_file(path)?;
    let not_a_key = || SealingError::NotAKey(path.into());
    let Some(encrypted) = text.reveal().strip_prefix(ENCRYPTED) else {
        let key = Zeroizing::new(octets(text.reveal()).ok_or_else(not_a_key)?);
        return Ok(SealingKey::from_bytes(key.as_slice().try_into().map_err(|_error| not_a_key())?));
    };
    let (salt, sealed) = encrypted.split_once(':').ok_or_else(not_a_key)?;
    let salt = octets(salt).and_then(|salt| salt.try_into().ok()).ok_or_else(not_a_key)?;
    let sealed = octets(sealed).ok_or_else(not_a_key)?;
    let passphrase = passphrase.ok_or_else(|| SealingError::NoPassphrase(path.into()))?;
    let wrong = || SealingError::Passphrase(path.into());
    let under = SealingKey::derive(passphrase.reveal(), &salt).ok_or_else(wrong)?;
    let key = Zeroizing::new(under.open(id.as_bytes(), &sealed).map_err(|_error| wrong())?);
    Ok(SealingKey::from_bytes(key.as_slice().try_into().map_err(|_error| not_a_key())?))
}

fn octets(digits: &str) -> Option<Vec<u8>> {
    data_encoding::HEXLOWER.decode(digits.as_bytes()).ok()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
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
    /// A key's file is neither form of one.
    #[error("{0} is not a sealing key; restore it from a backup")]
    NotAKey(PathBuf),
    /// It is encrypted and there is no passphrase.
    #[error("the sealing key in {0} is encrypted; name passphrase_file or credential in [authority.sealing]")]
    NoPassphrase(PathBuf),
    /// The passphrase does not open it.
    #[error("the passphrase of [authority.sealing] does not open the key in {0}; give the one it was written under")]
    Passphrase(PathBuf),
    /// The current key has no file.
    #[error("the sealing key {id:?}, which {directory}/current names, is not there; restore it from a backup")]
    NoCurrent {
        /// The directory.
        directory: PathBuf,
        /// The key's id.
        id: String,
    },
}
