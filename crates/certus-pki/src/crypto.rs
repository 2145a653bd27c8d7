//! All cryptography of Certus: the one module that speaks to the cryptographic library.
//!
//! Hashes, random bytes, comparison in constant time, signatures ([`KeyPair`], and [`crate::PublicKey::verify`] on top
//! of this module), message authentication codes ([`MacKey`]), the sealing of secrets at rest ([`SealingKey`]) and what a passphrase protects. It knows no certificate and no key policy: which
//! keys are acceptable is said in [`crate::key_rules`], the encodings of public keys live in [`crate::key`].

mod algorithm;
mod key_pair;
mod mac;
mod passphrase;
mod sealing;
mod verify;

pub use algorithm::{KeyAlgorithm, SignatureAlgorithm, SignatureEncoding, UnknownKeyAlgorithm};
pub use key_pair::KeyPair;
pub use mac::{MacHash, MacKey};
pub use passphrase::{decrypt_pkcs8, encrypt_pkcs8};
pub use sealing::SealingKey;
pub(crate) use verify::{is_usable, verify};

use aws_lc_rs::{constant_time, digest, rand};

/// Why a cryptographic operation could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The library failed to make a key pair.
    #[error("a key pair of type {0} could not be generated")]
    Generate(KeyAlgorithm),
    /// A private key (PKCS#8 DER) was not understood, or is of a kind that is not supported.
    #[error("the private key cannot be used: {0}")]
    Key(String),
    /// The signature algorithm does not fit the key.
    #[error("a key of type {key} cannot sign with {algorithm}")]
    Mismatch {
        /// The type of the key.
        key: KeyAlgorithm,
        /// The algorithm that was asked for.
        algorithm: SignatureAlgorithm,
    },
    /// The library failed to sign.
    #[error("the signature could not be made")]
    Sign,
    /// What should be encrypted is no private key.
    #[error("the private key cannot be encrypted: it is not PKCS#8")]
    Encrypt,
    /// The passphrase does not open a private key, or it is encrypted in a way that is not supported.
    #[error("the passphrase does not open the private key")]
    Passphrase,
    /// A sealed value was altered, cut, sealed under another key, or bound to other associated data.
    #[error("the sealed value cannot be opened: it was altered, or sealed under another key")]
    Unseal,
}

/// `N` random bytes from the operating system's generator.
///
/// # Panics
///
/// If the operating system gives no randomness. Nothing a CA does is safe then, so there is no error to handle.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    #[expect(clippy::expect_used, reason = "without randomness no key, nonce or serial number may be made")]
    rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// The SHA-256 digest of `data` (FIPS 180-4).
#[must_use]
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut bytes = [0_u8; 32];
    for (to, from) in bytes.iter_mut().zip(digest::digest(&digest::SHA256, data).as_ref()) {
        *to = *from;
    }
    bytes
}

/// Whether two byte strings are equal, in a time that depends on their lengths alone.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_gives_the_digest_of_fips_180() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(data_encoding::HEXLOWER.encode(&sha256(b"abc")), expected);
    }

    #[test]
    fn random_bytes_differ_from_call_to_call() {
        assert_ne!(random_bytes::<16>(), random_bytes::<16>());
    }

    #[test]
    fn comparison_sees_a_changed_byte_and_a_changed_length() {
        assert!(constant_time_eq(b"secret", b"secret"));
        assert!(!constant_time_eq(b"secret", b"secreT"));
        assert!(!constant_time_eq(b"secret", b"secre"));
    }
}
