//! Sealing what is secret in the store, under the keys of the state directory.

use certus_ca::vault::{Sealed, Vault, VaultError};
use zeroize::Zeroizing;

use crate::sealing::SealingKeys;

impl Vault for SealingKeys {
    fn seal(&self, context: &[u8], secret: &[u8]) -> Result<Sealed, VaultError> {
        let (id, key) = self.current().ok_or_else(|| VaultError::NoKey("current".to_owned()))?;
        Ok(Sealed { key: id.to_owned(), octets: key.seal(context, secret) })
    }

    fn open(&self, context: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let key = self.get(&sealed.key).ok_or_else(|| VaultError::NoKey(sealed.key.clone()))?;
        let opened = key.open(context, &sealed.octets);
        opened.map(Zeroizing::new).map_err(|_error| VaultError::Altered(sealed.key.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_after_the_key_was_changed_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("sealing");
        SealingKeys::create(&place, None).unwrap();
        let sealed = SealingKeys::open(&place, None).unwrap().seal(b"row 1", b"a secret").unwrap();
        let newer = SealingKeys::add(&place, None).unwrap();
        let keys = SealingKeys::open(&place, None).unwrap();
        assert_eq!(keys.open(b"row 1", &sealed).unwrap().as_slice(), b"a secret");
        assert_eq!(keys.seal(b"row 1", b"a secret").unwrap().key, newer);
        assert_eq!(keys.open(b"row 2", &sealed), Err(VaultError::Altered(sealed.key.clone())));
        let elsewhere = Sealed { key: "00000000".to_owned(), ..sealed };
        assert_eq!(keys.open(b"row 1", &elsewhere), Err(VaultError::NoKey("00000000".to_owned())));
    }
}
