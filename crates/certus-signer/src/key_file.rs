//! Private keys in files: PKCS#8 in PEM (RFC 7468 sections 10 and 11), encrypted when there is a passphrase.
//!
//! How they are encrypted is for `certus_pki::crypto` to say; OpenSSL reads them as well.

use std::io;
use std::path::{Path, PathBuf};

use certus_pki::crypto::{decrypt_pkcs8, encrypt_pkcs8};
use certus_pki::{CryptoError, KeyPair};
use pkcs8::SecretDocument;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::unix::{self, Private};

/// The PEM labels of RFC 7468.
const PLAIN: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// Writes a private key to a new file of mode 0600; durable when this returns.
///
/// # Errors
///
/// [`KeyFileError::Write`] if the file exists already (it is left alone) or cannot be written, and
/// [`KeyFileError::Encrypt`] if the key cannot be encrypted.
pub fn write_key(path: &Path, key: &KeyPair, passphrase: Option<&Secret>) -> Result<(), KeyFileError> {
    let pkcs8 = key.to_pkcs8();
    let pem = match passphrase {
        None => Zeroizing::new(certus_pki::pem::encode(PLAIN, &pkcs8)),
        Some(passphrase) => {
            let encrypted = encrypt_pkcs8(&pkcs8, passphrase.reveal()).map_err(KeyFileError::Encrypt)?;
            Zeroizing::new(certus_pki::pem::encode(ENCRYPTED, &encrypted))
        }
    };
    unix::write_private(path, pem.as_bytes()).map_err(|source| KeyFileError::Write { path: path.into(), source })
}

/// Reads a private key, decrypting it if need be. Takes some hundred milliseconds then.
///
/// # Errors
///
/// [`KeyFileError`] if the file cannot be read, others than its owner can, it is not PKCS#8 in PEM, or the passphrase
/// is missing or wrong.
pub fn read_key(path: &Path, passphrase: Option<&Secret>) -> Result<KeyPair, KeyFileError> {
    let pem = match unix::read_private(path).map_err(|source| KeyFileError::Read { path: path.into(), source })? {
        Private::Bytes(bytes) => bytes,
        Private::Exposed { mode } => return Err(KeyFileError::Exposed { path: path.into(), mode }),
        Private::TooLong => return Err(KeyFileError::Pem(path.into())),
    };
    let not_pem = || KeyFileError::Pem(path.into());
    let pem = std::str::from_utf8(&pem).map_err(|_error| not_pem())?;
    let (label, document) = SecretDocument::from_pem(pem).map_err(|_error| not_pem())?;
    let unusable = |source| KeyFileError::Key { path: path.into(), source };
    match label {
        PLAIN => KeyPair::from_pkcs8(document.as_bytes()).map_err(unusable),
        ENCRYPTED => {
            let passphrase = passphrase.ok_or_else(|| KeyFileError::NoPassphrase(path.into()))?;
            let decrypted = decrypt_pkcs8(document.as_bytes(), passphrase.reveal());
            let wrong = |error| {
                if error == CryptoError::Passphrase { KeyFileError::Passphrase(path.into()) } else { unusable(error) }
            };
            let pkcs8 = decrypted.map_err(wrong)?;
            KeyPair::from_pkcs8(&pkcs8).map_err(unusable)
        }
        other => Err(KeyFileError::Label { path: path.into(), label: other.to_owned() }),
    }
}

/// Why a key file was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("the key in {path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        #[source]
        source: io::Error,
    },
    /// It cannot be written.
    #[error("the key cannot be written to {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        #[source]
        source: io::Error,
    },
    /// Others than its owner have access.
    #[error("the key in {path} can be read by others (mode {mode:04o}); run: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not one PEM block.
    #[error("{0} is not a private key in PEM (PKCS#8)")]
    Pem(PathBuf),
    /// It is another kind of PEM.
    #[error(
        "{path} is {label:?}; a key is \"PRIVATE KEY\" or \"ENCRYPTED PRIVATE KEY\" here (openssl pkcs8 -topk8 converts it)"
    )]
    Label {
        /// The file.
        path: PathBuf,
        /// Its label.
        label: String,
    },
    /// It is encrypted and there is no passphrase.
    #[error("the key in {0} is encrypted; name its passphrase_file or credential")]
    NoPassphrase(PathBuf),
    /// The passphrase does not open it, or it is encrypted in a way that is not supported.
    #[error("the passphrase does not open the key in {0}")]
    Passphrase(PathBuf),
    /// The key cannot be used.
    #[error("the key in {path} cannot be used")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: CryptoError,
    },
    /// The key cannot be encrypted.
    #[error("the key cannot be encrypted")]
    Encrypt(#[source] CryptoError),
}
