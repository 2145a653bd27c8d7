//! What a passphrase protects: private keys by PBES2 (RFC 8018), which OpenSSL reads as well, and sealing keys by what
//! scrypt (RFC 7914) makes of it.

use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::{CryptoError, SealingKey, random_bytes};

/// scrypt's cost: 2^14 blocks of 1 KiB, five times. 16 MiB is what OpenSSL is willing to use (its limit is 32 MiB), and
/// five times over is what OWASP recommends at that size.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 5;

fn cost() -> Option<scrypt::Params> {
    scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P).ok()
}

/// Encrypts a private key (PKCS#8 DER) under a passphrase: scrypt and AES-256-CBC. Takes some hundred milliseconds.
///
/// # Errors
///
/// [`CryptoError::Encrypt`] if it is no PKCS#8.
pub fn encrypt_pkcs8(pkcs8: &[u8], passphrase: &str) -> Result<Vec<u8>, CryptoError> {
    let encrypt = || {
        let salt: [u8; 16] = random_bytes();
        let parameters = pbes2::Parameters::generate_scrypt_aes256cbc(cost()?, &salt, random_bytes()).ok()?;
        PrivateKeyInfoRef::try_from(pkcs8).ok()?.encrypt_with_params(parameters, passphrase).ok()
    };
    encrypt().map(|document| document.as_bytes().to_vec()).ok_or(CryptoError::Encrypt)
}

/// Decrypts such a key, or one that PBES2 protects in another way. Takes some hundred milliseconds.
///
/// # Errors
///
/// [`CryptoError::Key`] if it is not an encrypted PKCS#8, [`CryptoError::Passphrase`] if the passphrase does not
/// open it or its algorithms are not supported.
pub fn decrypt_pkcs8(encrypted: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(encrypted)
        .map_err(|_error| CryptoError::Key("it is not an encrypted PKCS#8".to_owned()))?;
    let document = encrypted.decrypt(passphrase).map_err(|_error| CryptoError::Passphrase)?;
    Ok(Zeroizing::new(document.as_bytes().to_vec()))
}

impl SealingKey {
    /// The key that a passphrase and a salt stand for, by scrypt (RFC 7914). Takes some hundred milliseconds. `None` never
    /// comes of the parameters here.
    #[must_use]
    pub fn derive(passphrase: &str, salt: &[u8; 16]) -> Option<Self> {
        let mut key = Zeroizing::new([0_u8; 32]);
        scrypt::scrypt(passphrase.as_bytes(), salt, &cost()?, key.as_mut_slice()).ok()?;
        Some(Self::from_bytes(&key))
    }
}
