//! A signer that writes the hash of everything it signs to a file, synced, before it signs.
//!
//! What the file and the store say must agree after any crash: nothing was ever signed that has no intent.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use certus_pki::{PublicKey, SignError, SignatureAlgorithm, Signer, sha256};
use data_encoding::HEXLOWER;

/// Signs by another signer and keeps a record.
#[derive(Debug)]
pub struct RecordingSigner {
    inner: Arc<dyn Signer>,
    record: Mutex<File>,
}

impl RecordingSigner {
    /// Records into `file`, after what is there already.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub fn new(inner: Arc<dyn Signer>, file: &Path) -> std::io::Result<Self> {
        let record = OpenOptions::new().create(true).append(true).open(file)?;
        Ok(Self { inner, record: Mutex::new(record) })
    }
}

#[async_trait]
impl Signer for RecordingSigner {
    fn public_key(&self) -> &PublicKey {
        self.inner.public_key()
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let line = format!("{}\n", HEXLOWER.encode(&sha256(message)));
        {
            let mut record = self.record.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let written = record.write_all(line.as_bytes()).and_then(|()| record.sync_data());
            written.map_err(|error| SignError::Unavailable(error.to_string()))?;
        }
        self.inner.sign(algorithm, message).await
    }
}
