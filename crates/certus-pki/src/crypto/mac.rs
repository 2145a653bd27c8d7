//! Message authentication codes: HMAC (RFC 2104) with the SHA-2 hashes.

use std::fmt;

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::random_bytes;

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MacHash {
    /// SHA-256: a tag of 32 octets.
    Sha256,
    /// SHA-384: a tag of 48 octets.
    Sha384,
    /// SHA-512: a tag of 64 octets.
    Sha512,
}

impl MacHash {
    fn algorithm(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

/// A key that two share. Printed as `<secret>`, wiped from memory when dropped.
#[derive(Clone)]
pub struct MacKey(Zeroizing<Vec<u8>>);

impl MacKey {
    /// A new random key of 64 octets: as many as the largest of the hashes gives (RFC 7518 section 3.2 asks for no fewer).
    #[must_use]
    pub fn generate() -> Self {
        let octets = Zeroizing::new(random_bytes::<64>());
        Self::from_bytes(octets.as_slice())
    }

    /// The key of these octets.
    #[must_use]
    pub fn from_bytes(octets: &[u8]) -> Self {
        Self(Zeroizing::new(octets.to_vec()))
    }

    /// The octets, to be sealed, or shown to its owner once.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// The code of `data`.
    #[must_use]
    pub fn sign(&self, hash: MacHash, data: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(hash.algorithm(), &self.0), data).as_ref().to_vec()
    }

    /// Whether `tag` is the whole code of `data`, compared in a time that does not depend on where they differ.
    #[must_use]
    pub fn verify(&self, hash: MacHash, data: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&hmac::Key::new(hash.algorithm(), &self.0), data, tag).is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(<secret>)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 section 4.3.
    #[test]
    fn the_codes_are_those_of_rfc_4231() {
        let key = MacKey::from_bytes(b"Jefe");
        for (hash, expected) in [
            (MacHash::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                MacHash::Sha384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                MacHash::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd\
                 caeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let tag = key.sign(hash, b"what do ya want for nothing?");
            assert_eq!(data_encoding::HEXLOWER.encode(&tag), expected);
            assert!(key.verify(hash, b"what do ya want for nothing?", &tag));
            assert!(!key.verify(hash, b"what do ya want for nothing!", &tag));
            assert!(!key.verify(hash, b"what do ya want for nothing?", &tag[..16]), "a cut code");
            assert!(!key.verify(hash, b"what do ya want for nothing?", b""));
        }
    }

    #[test]
    fn a_key_is_long_enough_and_says_nothing() {
        let key = MacKey::generate();
        assert_eq!(key.reveal().len(), 64);
        assert_ne!(key.reveal(), MacKey::generate().reveal());
        assert_eq!(format!("{key:?}"), "MacKey(<secret>)");
    }
}
