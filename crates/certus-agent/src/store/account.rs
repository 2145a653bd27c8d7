//! Accounts: a key for each authority, and where the account is there.

use std::fs;
use std::path::PathBuf;

use certus_pki::{KeyAlgorithm, KeyPair, sha256};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::files::{make_directory, remove, replace};
use super::{Store, StoreError, io, key};
use crate::link::Link;

/// An account as it is kept.
#[derive(Debug)]
pub struct StoredAccount {
    /// Its key.
    pub key: KeyPair,
    /// Where it is, once the authority has said so.
    pub url: Option<Link>,
}

#[derive(Serialize, Deserialize)]
struct File {
    /// The authority's directory.
    directory: String,
    url: Option<String>,
}

impl Store {
    /// The account at the authority with that directory; its key is made and kept before anybody is asked.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it cannot be read or kept.
    pub fn account(&self, directory: &Link) -> Result<StoredAccount, StoreError> {
        let folder = self.account_folder(directory);
        let path = folder.join("key.pem");
        let key = match key::read(&path)? {
            Some(key) => key,
            None => {
                let key = KeyPair::generate(KeyAlgorithm::EcP256)?;
                make_directory(&folder)?;
                // Where the account of another key was is of no use.
                remove(&folder.join("account.json"))?;
                replace(&path, 0o600, key::text(&key).as_bytes())?;
                key
            }
        };
        Ok(StoredAccount { key, url: self.account_url(directory)? })
    }

    /// Keeps where the account is at its authority; `None` when the authority does not know it any more.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when that cannot be kept.
    pub fn keep_account_url(&self, directory: &Link, url: Option<&Link>) -> Result<(), StoreError> {
        let file = File { directory: directory.to_string(), url: url.map(ToString::to_string) };
        // Two texts.
        let json = serde_json::to_vec_pretty(&file).unwrap_or_default();
        replace(&self.account_folder(directory).join("account.json"), 0o600, &json)
    }

    fn account_url(&self, directory: &Link) -> Result<Option<Link>, StoreError> {
        let path = self.account_folder(directory).join("account.json");
        let damaged = |why: String| StoreError::Damaged { path: path.clone(), why };
        match fs::read(&path) {
            Ok(json) => {
                let file: File = serde_json::from_slice(&json).map_err(|error| damaged(error.to_string()))?;
                if file.directory != directory.as_str() {
                    return Err(damaged(format!("it is of {:?}, not of {directory}", file.directory)));
                }
                let url = file.url.map(|url| Link::parse(&url)).transpose();
                url.map_err(|error| damaged(error.to_string()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io(&path)(error)),
        }
    }

    /// Named by the host, for people, and by the whole URL, of which a host may have several.
    fn account_folder(&self, directory: &Link) -> PathBuf {
        let digest = HEXLOWER.encode(&sha256(directory.as_str().as_bytes()));
        let digest: String = digest.chars().take(12).collect();
        let host: String = directory.host().chars().filter(|c| !matches!(c, '[' | ']')).collect();
        self.root.join("accounts").join(format!("{host}-{digest}"))
    }
}
