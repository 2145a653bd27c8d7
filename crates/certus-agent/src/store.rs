//! What a host keeps: accounts with their keys, and certificates with theirs, in a folder of its own.
//!
//! ```text
//! lock                                who works here, one at a time
//! accounts/HOST-DIGEST/key.pem        an account's key, and
//! accounts/HOST-DIGEST/account.json   what authority it is of, and where it is there
//! archive/NAME/3/…                    each certificate that was obtained, with its key, numbered
//! live/NAME -> ../archive/NAME/3      the one to be used: privkey.pem, cert.pem, chain.pem, fullchain.pem
//! ```
//!
//! A certificate and its key are one folder, written whole and synced, and `live/NAME` is switched to it in one step: whatever
//! dies in between, it names files that belong together. The key is on the disk before the certificate is asked for. What
//! was written and not switched to is a folder that nothing names; the next number leaves it behind.
//!
//! Deliberately absent: when to renew, and whom to tell.

mod account;
mod certificate;
mod files;
mod key;
mod lock;
mod name;

use std::path::{Path, PathBuf};

pub use self::account::StoredAccount;
pub use self::certificate::{Live, Place};
use self::files::make_directory;
use self::lock::Lock;
pub use self::name::{CertificateName, NameError};

/// Why something is not kept, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// Others could change what is in a folder.
    #[error("{} {fault}: keys are not kept there; say another folder, or mend its owner and mode (chmod go-w)", path.display())]
    Unsafe {
        /// Which folder.
        path: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// No key could be made.
    #[error("a key could not be made")]
    Key(#[from] certus_pki::CryptoError),
    /// A file is not what was written there.
    #[error("{}: {why}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// A store, held by this process alone until it is dropped.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    _lock: Lock,
}

impl Store {
    /// Opens the store in that folder, which is made for its owner alone when it is not there. Waits while another process
    /// holds it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the folder cannot be made or written to.
    pub async fn open(root: &Path) -> Result<Self, StoreError> {
        make_directory(root)?;
        let lock = Lock::take(&root.join("lock")).await?;
        for folder in ["accounts", "archive", "live"] {
            make_directory(&root.join(folder))?;
        }
        Ok(Self { root: root.to_owned(), _lock: lock })
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, source }
}
