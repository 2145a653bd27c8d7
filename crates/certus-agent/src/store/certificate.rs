//! Certificates with their keys: the key first, then what was issued for it, then the switch.

use std::fs;
use std::path::{Path, PathBuf};

use certus_pki::{Certificate, CertificateChain, KeyPair};

use super::files::{make_directory, remove, sync_directory, write_new};
use super::name::CertificateName;
use super::{Store, StoreError, io, key};
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

/// Where a certificate will be: its key is there already.
#[derive(Debug)]
pub struct Place {
    name: CertificateName,
    number: u64,
    folder: PathBuf,
}

impl Store {
    /// Keeps the key of a certificate that is about to be asked for, and sees that it could be switched to: what cannot be
    /// kept is found before an authority has issued anything.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it cannot be kept.
    pub fn prepare(&self, name: &CertificateName, key: &KeyPair) -> Result<Place, StoreError> {
        let link = self.link(name);
        if link.symlink_metadata().is_ok_and(|found| !found.is_symlink()) {
            let why = "it is no link of this program's; move it away".to_owned();
            return Err(StoreError::Damaged { path: link, why });
        }
        let archive = self.root.join("archive").join(name.as_str());
        make_directory(&archive)?;
        let number = numbers(&archive)?.into_iter().max().unwrap_or(0) + 1;
        let folder = archive.join(number.to_string());
        make_directory(&folder)?;
        write_new(&folder.join("privkey.pem"), 0o600, key::text(key).as_bytes())?;
        sync_directory(&folder)?;
        Ok(Place { name: name.clone(), number, folder })
    }

    /// Gives a place up for which nothing was asked.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it cannot be removed; it is in nobody's way then.
    pub fn give_up(&self, place: Place) -> Result<(), StoreError> {
        let Place { folder, .. } = place;
        fs::remove_dir_all(&folder).map_err(io(&folder))
    }

    /// Keeps what was issued for the key of that place, and makes both those that are used under the name. All that was there
    /// before is used until the moment when all of this is.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it cannot be kept; what was used before still is, then.
    pub fn keep(&self, place: Place, chain: &CertificateChain) -> Result<Live, StoreError> {
        let Place { name, number, folder } = place;
        let certificates = chain.certificates();
        let leaf = certificates.first().map(Certificate::pem).unwrap_or_default();
        let rest: String = certificates.iter().skip(1).map(Certificate::pem).collect();
        write_new(&folder.join("cert.pem"), 0o644, leaf.as_bytes())?;
        write_new(&folder.join("chain.pem"), 0o644, rest.as_bytes())?;
        write_new(&folder.join("fullchain.pem"), 0o644, chain.to_pem().as_bytes())?;
        sync_directory(&folder)?;
        self.switch(&name, number)?;
        Ok(Live { folder: self.link(&name), number })
    }

    /// The chain that is used under a name.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is there and cannot be read.
    pub fn live(&self, name: &CertificateName) -> Result<Option<CertificateChain>, StoreError> {
        let path = self.link(name).join("fullchain.pem");
        match fs::read_to_string(&path) {
            Ok(pem) => match CertificateChain::from_pem(&pem) {
                Ok(chain) => Ok(Some(chain)),
                Err(error) => Err(StoreError::Damaged { path, why: error.to_string() }),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io(&path)(error)),
        }
    }

    fn link(&self, name: &CertificateName) -> PathBuf {
        self.root.join("live").join(name.as_str())
    }

    fn switch(&self, name: &CertificateName, number: u64) -> Result<(), StoreError> {
        let live = self.root.join("live");
        // No certificate's name begins with a dot, and nobody else is at work here.
        let (link, fresh) = (live.join(name.as_str()), live.join(".new"));
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
