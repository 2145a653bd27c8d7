//! A signer that writes down everything it signs, synced, before it signs.
//!
//! A line a signature: SHA-256 of the to-be-signed bytes in hex, then the serial number in hex if they are a
//! certificate's. What the file and the store say must agree after any crash: nothing was ever signed that has no intent.

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
        let serial = serial_of(message).map(|serial| format!(" {}", HEXLOWER.encode(serial))).unwrap_or_default();
        let line = format!("{}{serial}\n", HEXLOWER.encode(&sha256(message)));
        {
            let mut record = self.record.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let written = record.write_all(line.as_bytes()).and_then(|()| record.sync_data());
            written.map_err(|error| SignError::Unavailable(error.to_string()))?;
        }
        self.inner.sign(algorithm, message).await
    }
}

/// The serial number of a to-be-signed certificate of version 3: `SEQUENCE { [0] { INTEGER 2 }, INTEGER serial, … }`. A
/// CRL has an INTEGER where the `[0]` is.
fn serial_of(tbs: &[u8]) -> Option<&[u8]> {
    let header = match tbs.get(1)? {
        0x81 => 3,
        0x82 => 4,
        _ => 2,
    };
    let rest = tbs.get(header..)?.strip_prefix(&[0xa0, 0x03, 0x02, 0x01, 0x02, 0x02])?;
    let (length, rest) = rest.split_first()?;
    let octets = rest.get(..usize::from(*length))?;
    let start = octets.iter().position(|octet| *octet != 0)?;
    octets.get(start..)
}
