//! A signer whose key is a file.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use certus_pki::{KeyAlgorithm, KeyPair, PublicKey, SignError, SignatureAlgorithm, SignatureEncoding, Signer};

use crate::key_file::{KeyFileError, read_key};
use crate::secret::Secret;

/// Signs with a key that was read from a file once and lives in this process.
#[derive(Debug)]
pub struct FileSigner {
    key: Arc<KeyPair>,
}

impl FileSigner {
    /// Reads the key in `path`, decrypting it with `passphrase` if it is encrypted.
    ///
    /// # Errors
    ///
    /// What [`read_key`] says.
    pub fn open(path: &Path, passphrase: Option<&Secret>) -> Result<Self, KeyFileError> {
        Ok(Self { key: Arc::new(read_key(path, passphrase)?) })
    }
}

#[async_trait]
impl Signer for FileSigner {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match self.key.algorithm() {
            // 20 to 60 us: less than handing it to another thread costs.
            KeyAlgorithm::EcP256 | KeyAlgorithm::Ed25519 => sign(&self.key, algorithm, message),
            // Up to some milliseconds: on threads that may block.
            KeyAlgorithm::EcP384
            | KeyAlgorithm::EcP521
            | KeyAlgorithm::Rsa2048
            | KeyAlgorithm::Rsa3072
            | KeyAlgorithm::Rsa4096 => {
                let (key, message) = (Arc::clone(&self.key), message.to_vec());
                match tokio::task::spawn_blocking(move || sign(&key, algorithm, &message)).await {
                    Ok(signature) => signature,
                    Err(error) => Err(SignError::Unavailable(error.to_string())),
                }
            }
        }
    }
}

fn sign(key: &KeyPair, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
    key.sign(algorithm, SignatureEncoding::Der, message).map_err(|error| SignError::Refused(error.to_string()))
}
