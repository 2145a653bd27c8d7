//! Certificates with their keys: written whole, then switched to in one step.

use std::fs;
use std::path::{Path, PathBuf};

use certus_pki::{CertificateChain, KeyPair, pem};

use super::files::{make_directory, remove, sync_directory, write_new};
use super::name::CertificateName;
use super::{Store, StoreError, io};
use crate::unix::symlink;

/// Where the certificate that is to be used is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The folder, by the name that stays the same.
    pub folder: PathBuf,
    /// How many have been kept under this name, this one included.
    pub number: u64,
}

impl Live {
    /// The private key (PKCS#8, PEM).
    #[must_use]
    pub fn privkey(&self) -> PathBuf {
        self.folder.join("privkey.pem")
    }

    /// The certificate and what leads to its root.
    #[must_use]
    pub fn fullchain(&self) -> PathBuf {
        self.folder.join("fullchain.pem")
    }
}

impl Store {
    /// Keeps a certificate and its key, and makes them those that are used under this name. All that was there before is
    /// used until the moment when all of this is.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it cannot be kept; what was used before still is, then.
    pub fn keep(&self, name: &CertificateName, chain: &CertificateChain, key: &KeyPair) -> Result<Live, StoreError> {
        let archive = self.root.join("archive").join(name.as_str());
        make_directory(&archive)?;
        let number = numbers(&archive)?.into_iter().max().unwrap_or(0) + 1;
        let folder = archive.join(number.to_string());
        make_directory(&folder)?;
        let certificates = chain.certificates();
        let leaf = certificates.first().map(certus_pki::Certificate::pem).unwrap_or_default();
        let rest: String = certificates.iter().skip(1).map(certus_pki::Certificate::pem).collect();
        write_new(&folder.join("privkey.pem"), 0o600, pem::encode("PRIVATE KEY", &key.to_pkcs8()).as_bytes())?;
        write_new(&folder.join("cert.pem"), 0o644, leaf.as_bytes())?;
        write_new(&folder.join("chain.pem"), 0o644, rest.as_bytes())?;
        write_new(&folder.join("fullchain.pem"), 0o644, chain.to_pem().as_bytes())?;
        sync_directory(&folder)?;
        sync_directory(&archive)?;
        sync_directory(&self.root.join("archive"))?;
        self.switch(name, number)?;
        Ok(Live { folder: self.root.join("live").join(name.as_str()), number })
    }

    fn switch(&self, name: &CertificateName, number: u64) -> Result<(), StoreError> {
        let live = self.root.join("live");
        let (link, fresh) = (live.join(name.as_str()), live.join(format!(".{name}.new")));
        remove(&fresh)?;
        let target = Path::new("..").join("archive").join(name.as_str()).join(number.to_string());
        symlink(target, &fresh).map_err(io(&fresh))?;
        // COMMIT POINT: before this line the one before is used, past it this one is.
        fs::rename(&fresh, &link).map_err(io(&link))?;
        sync_directory(&live)
    }
}

/// The numbers there are, used or left behind.
fn numbers(archive: &Path) -> Result<Vec<u64>, StoreError> {
    let entries = fs::read_dir(archive).map_err(io(archive))?;
    let mut numbers = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io(archive))?;
        numbers.extend(entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
    }
    Ok(numbers)
}
