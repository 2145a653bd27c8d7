//! Private keys as they are kept: PKCS#8 in PEM, wiped from memory when done with.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use certus_pki::{KeyPair, pem};
use zeroize::Zeroizing;

use super::{StoreError, io};

/// The label of a private key in PEM (RFC 7468 section 10).
const LABEL: &str = "PRIVATE KEY";

/// The text of a key.
pub(super) fn text(key: &KeyPair) -> Zeroizing<String> {
    Zeroizing::new(pem::encode(LABEL, &key.to_pkcs8()))
}

/// The key in a file; none where there is no file.
pub(super) fn read(path: &Path) -> Result<Option<KeyPair>, StoreError> {
    let damaged = |why: String| StoreError::Damaged { path: path.to_owned(), why };
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(path)(error)),
    };
    let der = pem::decode_one(LABEL, &text).map(Zeroizing::new);
    let der = der.ok_or_else(|| {
        damaged("it is no private key; take it from a backup, or move it away to have another".to_owned())
    })?;
    KeyPair::from_pkcs8(&der).map(Some).map_err(|error| damaged(error.to_string()))
}
