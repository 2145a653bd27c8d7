//! Private keys held in memory.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaSignatureEncoding,
};
use const_oid::db::{rfc5912, rfc8410};
use der::asn1::UintRef;
use der::{Decode, Sequence};
use pkcs8::PrivateKeyInfoRef;
use zeroize::Zeroizing;

use super::{CryptoError, KeyAlgorithm, SignatureAlgorithm, SignatureEncoding};
use crate::key::{EcCurve, PublicKey, PublicKeyKind};

/// A private key and its public key.
///
/// Signs in this process; keys that live elsewhere (an HSM, another machine) are reached through
/// [`crate::Signer`].
#[derive(Clone)]
pub struct KeyPair {
    algorithm: KeyAlgorithm,
    private: Private,
    public: PublicKey,
    pkcs8: Zeroizing<Vec<u8>>,
}

#[derive(Clone)]
enum Private {
    Ec(EcCurve, EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl KeyPair {
    /// Makes a new random key pair. RSA takes up to some hundred milliseconds.
    ///
    /// # Errors
    ///
    /// [`CryptoError::Generate`] if the library fails.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, CryptoError> {
        let failed = CryptoError::Generate(algorithm);
        let private = match algorithm {
            KeyAlgorithm::EcP256 => {
                EcdsaKeyPair::generate(signing(EcCurve::P256)).map(|key| Private::Ec(EcCurve::P256, key))
            }
            KeyAlgorithm::EcP384 => {
                EcdsaKeyPair::generate(signing(EcCurve::P384)).map(|key| Private::Ec(EcCurve::P384, key))
            }
            KeyAlgorithm::EcP521 => {
                EcdsaKeyPair::generate(signing(EcCurve::P521)).map(|key| Private::Ec(EcCurve::P521, key))
            }
            KeyAlgorithm::Rsa2048 => RsaKeyPair::generate(KeySize::Rsa2048).map(Private::Rsa),
            KeyAlgorithm::Rsa3072 => RsaKeyPair::generate(KeySize::Rsa3072).map(Private::Rsa),
            KeyAlgorithm::Rsa4096 => RsaKeyPair::generate(KeySize::Rsa4096).map(Private::Rsa),
            KeyAlgorithm::Ed25519 => Ed25519KeyPair::generate().map(Private::Ed25519),
        };
        Self::new(private.or(Err(failed))?)
    }

    /// Reads a private key: unencrypted PKCS#8 DER (RFC 5208, RFC 5958), as OpenSSL writes it.
    ///
    /// # Errors
    ///
    /// [`CryptoError::Key`] if it is not such a key, its parts do not fit together, or it is of a kind outside
    /// [`KeyAlgorithm`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, CryptoError> {
        let unusable = |why: &str| CryptoError::Key(why.to_owned());
        let info = PrivateKeyInfoRef::try_from(der).or(Err(unusable("it is not a PKCS#8 private key")))?;
        let private = match info.algorithm.oid {
            rfc5912::ID_EC_PUBLIC_KEY => {
                let curve = match info.algorithm.parameters_oid() {
                    Ok(rfc5912::SECP_256_R_1) => EcCurve::P256,
                    Ok(rfc5912::SECP_384_R_1) => EcCurve::P384,
                    Ok(rfc5912::SECP_521_R_1) => EcCurve::P521,
                    Ok(_) | Err(_) => return Err(unusable("its curve is none of P-256, P-384 and P-521")),
                };
                EcdsaKeyPair::from_pkcs8(signing(curve), der).map(|key| Private::Ec(curve, key))
            }
            rfc5912::RSA_ENCRYPTION => RsaKeyPair::from_pkcs8(der).map(Private::Rsa),
            rfc8410::ID_ED_25519 => Ed25519KeyPair::from_pkcs8(der).map(Private::Ed25519),
            other => return Err(unusable(&format!("its algorithm {other} is not supported"))),
        };
        Self::new(private.map_err(|rejected| CryptoError::Key(format!("it was rejected ({rejected})")))?)
    }

    /// The private key as unencrypted PKCS#8 DER (RFC 5208).
    #[must_use]
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        self.pkcs8.clone()
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Which kind of key this is.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The algorithm this key signs certificates and CRLs with (BR 7.1.3.2).
    #[must_use]
    pub fn default_signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm.signature_algorithm()
    }

    /// Signs `message` (which is hashed here).
    ///
    /// A curve signs with its own hash only: P-256 with SHA-256, P-384 with SHA-384, P-521 with SHA-512 (BR 7.1.3.2.2).
    ///
    /// # Errors
    ///
    /// [`CryptoError::Mismatch`] if the algorithm does not fit the key, [`CryptoError::Sign`] if the library fails.
    pub fn sign(
        &self,
        algorithm: SignatureAlgorithm,
        encoding: SignatureEncoding,
        message: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let mismatch = CryptoError::Mismatch { key: self.algorithm, algorithm };
        match (&self.private, algorithm) {
            (
                Private::Ec(curve, key),
                SignatureAlgorithm::EcdsaSha256 | SignatureAlgorithm::EcdsaSha384 | SignatureAlgorithm::EcdsaSha512,
            ) => {
                if algorithm != self.default_signature_algorithm() {
                    return Err(mismatch);
                }
                let der = key.sign(&SystemRandom::new(), message).or(Err(CryptoError::Sign))?;
                match encoding {
                    SignatureEncoding::Der => Ok(der.as_ref().to_vec()),
                    SignatureEncoding::Fixed => fixed(*curve, der.as_ref()).ok_or(CryptoError::Sign),
                }
            }
            (Private::Rsa(key), SignatureAlgorithm::RsaPkcs1Sha256) => rsa(key, &signature::RSA_PKCS1_SHA256, message),
            (Private::Rsa(key), SignatureAlgorithm::RsaPkcs1Sha384) => rsa(key, &signature::RSA_PKCS1_SHA384, message),
            (Private::Rsa(key), SignatureAlgorithm::RsaPkcs1Sha512) => rsa(key, &signature::RSA_PKCS1_SHA512, message),
            (Private::Ed25519(key), SignatureAlgorithm::Ed25519) => {
                Ok(key.try_sign(message).or(Err(CryptoError::Sign))?.as_ref().to_vec())
            }
            (Private::Ec(..) | Private::Rsa(_) | Private::Ed25519(_), _) => Err(mismatch),
        }
    }

    fn new(private: Private) -> Result<Self, CryptoError> {
        let failed = |what: &str| CryptoError::Key(what.to_owned());
        let (spki, pkcs8) = match &private {
            Private::Ec(_, key) => {
                let spki: Result<PublicKeyX509Der<'_>, _> = key.public_key().as_der();
                (spki, key.to_pkcs8v1().map(|document| document.as_ref().to_vec()))
            }
            Private::Rsa(key) => {
                let pkcs8: Result<Pkcs8V1Der<'_>, _> = key.as_der();
                (key.public_key().as_der(), pkcs8.map(|der| der.as_ref().to_vec()))
            }
            Private::Ed25519(key) => {
                (key.public_key().as_der(), key.to_pkcs8v1().map(|document| document.as_ref().to_vec()))
            }
        };
        let spki = spki.or(Err(failed("its public half cannot be encoded")))?;
        let pkcs8 = Zeroizing::new(pkcs8.or(Err(failed("it cannot be encoded")))?);
        let public = PublicKey::from_spki_der(spki.as_ref()).map_err(|error| failed(&error.to_string()))?;
        let algorithm = match public.kind() {
            PublicKeyKind::Ec(EcCurve::P256) => KeyAlgorithm::EcP256,
            PublicKeyKind::Ec(EcCurve::P384) => KeyAlgorithm::EcP384,
            PublicKeyKind::Ec(EcCurve::P521) => KeyAlgorithm::EcP521,
            PublicKeyKind::Rsa { bits: 2048 } => KeyAlgorithm::Rsa2048,
            PublicKeyKind::Rsa { bits: 3072 } => KeyAlgorithm::Rsa3072,
            PublicKeyKind::Rsa { bits: 4096 } => KeyAlgorithm::Rsa4096,
            PublicKeyKind::Rsa { bits } => {
                return Err(failed(&format!("an RSA key has 2048, 3072 or 4096 bits here, not {bits}")));
            }
            PublicKeyKind::Ed25519 => KeyAlgorithm::Ed25519,
        };
        Ok(Self { algorithm, private, public, pkcs8 })
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({}, <secret>)", self.algorithm)
    }
}

fn signing(curve: EcCurve) -> &'static EcdsaSigningAlgorithm {
    match curve {
        EcCurve::P256 => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
        EcCurve::P384 => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
        EcCurve::P521 => &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
    }
}

fn rsa(key: &RsaKeyPair, scheme: &'static RsaSignatureEncoding, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let scheme: &'static dyn RsaEncoding = scheme;
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(scheme, &SystemRandom::new(), message, &mut signature).or(Err(CryptoError::Sign))?;
    Ok(signature)
}

/// `ECDSA-Sig-Value` of RFC 5480 appendix A.
#[derive(Sequence)]
struct EcdsaSigValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// The JOSE form of a DER signature: each half filled up with zeros in front to the length of the field.
fn fixed(curve: EcCurve, der: &[u8]) -> Option<Vec<u8>> {
    let halves = EcdsaSigValue::from_der(der).ok()?;
    let mut joined = Vec::with_capacity(2 * curve.field_len());
    for half in [halves.r.as_bytes(), halves.s.as_bytes()] {
        let fill = curve.field_len().checked_sub(half.len())?;
        joined.resize(joined.len() + fill, 0);
        joined.extend_from_slice(half);
    }
    Some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_key_signs_verifies_and_survives_storage() {
        for algorithm in KeyAlgorithm::ALL {
            let made = KeyPair::generate(algorithm).unwrap();
            assert_eq!(made.algorithm(), algorithm);
            let key = KeyPair::from_pkcs8(&made.to_pkcs8()).unwrap();
            assert_eq!(key.public_key(), made.public_key());
            for encoding in [SignatureEncoding::Der, SignatureEncoding::Fixed] {
                let with = key.default_signature_algorithm();
                let signature = key.sign(with, encoding, b"message").unwrap();
                assert!(made.public_key().verify(with, encoding, b"message", &signature).is_ok(), "{algorithm}");
                assert!(made.public_key().verify(with, encoding, b"massage", &signature).is_err(), "{algorithm}");
            }
        }
    }

    #[test]
    fn fixed_signatures_keep_their_length_however_small_the_halves_are() {
        let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
        for number in 0_u32..600 {
            let message = number.to_be_bytes();
            let signature = key.sign(SignatureAlgorithm::EcdsaSha256, SignatureEncoding::Fixed, &message).unwrap();
            assert_eq!(signature.len(), 64);
        }
    }

    #[test]
    fn an_algorithm_that_does_not_fit_the_key_is_refused() {
        let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
        for algorithm in SignatureAlgorithm::ALL {
            let signed = key.sign(algorithm, SignatureEncoding::Der, b"message");
            assert_eq!(signed.is_ok(), algorithm == SignatureAlgorithm::EcdsaSha256, "{algorithm}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let key = KeyPair::generate(KeyAlgorithm::Ed25519).unwrap();
        assert_eq!(format!("{key:?}"), "KeyPair(ed25519, <secret>)");
    }
}
