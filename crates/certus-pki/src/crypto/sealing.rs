//! Secrets at rest: AES-256-GCM under a key of the state directory.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{CryptoError, random_bytes};

/// A key that seals small secrets (AES-256-GCM, NIST SP 800-38D).
///
/// A sealed value is a random 96-bit nonce, the ciphertext and a tag of 16 octets. Random nonces keep one key safe for
/// about 2^32 values: far more than a CA ever seals.
pub struct SealingKey {
    key: LessSafeKey,
    bytes: Zeroizing<[u8; 32]>,
}

impl SealingKey {
    /// Makes a new random key.
    #[must_use]
    pub fn generate() -> Self {
        Self::from_bytes(&Zeroizing::new(random_bytes()))
    }

    /// The key whose 32 octets are `bytes`.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        #[expect(clippy::expect_used, reason = "the key has the one length that AES-256 takes")]
        let key = UnboundKey::new(&AES_256_GCM, bytes).expect("32 octets are an AES-256 key");
        Self { key: LessSafeKey::new(key), bytes: Zeroizing::new(*bytes) }
    }

    /// The 32 octets of the key, to be kept.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.bytes.clone()
    }

    /// Seals `plain`, bound to `aad`: opening asks for the same associated data.
    #[must_use]
    pub fn seal(&self, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = random_bytes();
        let mut text = Zeroizing::new(plain.to_vec());
        #[expect(clippy::expect_used, reason = "AES-GCM fails only above 2^36 octets, which no caller can hold")]
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), text.as_mut_slice())
            .expect("the text is short enough for AES-GCM");
        [&nonce, text.as_slice(), tag.as_ref()].concat()
    }

    /// Opens what [`SealingKey::seal`] made.
    ///
    /// # Errors
    ///
    /// [`CryptoError::Unseal`] if the value was altered or cut, or was sealed under another key or other `aad`.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(CryptoError::Unseal)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).or(Err(CryptoError::Unseal))?;
        let mut text = text.to_vec();
        let plain = self.key.open_in_place(nonce, Aad::from(aad), &mut text).or(Err(CryptoError::Unseal))?;
        let length = plain.len();
        text.truncate(length);
        Ok(text)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(<secret>)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_under_its_key_and_context_only() {
        let key = SealingKey::generate();
        let sealed = key.seal(b"account 1", b"hmac key");
        assert_eq!(SealingKey::from_bytes(&key.to_bytes()).open(b"account 1", &sealed).unwrap(), b"hmac key");
        assert_eq!(key.open(b"account 2", &sealed), Err(CryptoError::Unseal));
        assert_eq!(SealingKey::generate().open(b"account 1", &sealed), Err(CryptoError::Unseal));
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(key.open(b"account 1", &altered), Err(CryptoError::Unseal), "octet {at}");
            assert_eq!(key.open(b"account 1", &sealed[..at]), Err(CryptoError::Unseal), "cut at {at}");
        }
    }

    #[test]
    fn sealing_twice_gives_two_different_values() {
        let key = SealingKey::generate();
        assert_ne!(key.seal(b"", b"x"), key.seal(b"", b"x"));
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", SealingKey::generate()), "SealingKey(<secret>)");
    }
}
