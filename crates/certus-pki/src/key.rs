//! Public keys: `SubjectPublicKeyInfo` of RFC 5280 section 4.1.2.7, read strictly.
//!
//! Only the encodings of BR 7.1.3.1 and RFC 8410 are taken, so two equal keys always have equal bytes. Whether a key is
//! good enough for a subscriber or an account is another question: [`crate::key_rules`].

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use der::asn1::{AnyRef, BitStringRef, UintRef};
use der::{Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::crypto::{self, SignatureAlgorithm, SignatureEncoding, sha256};

/// The NIST curves of BR 6.1.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EcCurve {
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
    /// secp521r1.
    P521,
}

impl EcCurve {
    /// Octets of one coordinate.
    #[must_use]
    pub const fn field_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::P256 => rfc5912::SECP_256_R_1,
            Self::P384 => rfc5912::SECP_384_R_1,
            Self::P521 => rfc5912::SECP_521_R_1,
        }
    }
}

impl fmt::Display for EcCurve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        })
    }
}

/// What kind of key a [`PublicKey`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PublicKeyKind {
    /// ECDSA on a named curve.
    Ec(EcCurve),
    /// RSA.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
    /// Ed25519.
    Ed25519,
}

impl PublicKeyKind {
    /// The algorithm an authority with such a key signs with (BR 7.1.3.2): each curve has its hash, RSA has SHA-256.
    #[must_use]
    pub const fn signature_algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::Ec(EcCurve::P256) => SignatureAlgorithm::EcdsaSha256,
            Self::Ec(EcCurve::P384) => SignatureAlgorithm::EcdsaSha384,
            Self::Ec(EcCurve::P521) => SignatureAlgorithm::EcdsaSha512,
            Self::Rsa { .. } => SignatureAlgorithm::RsaPkcs1Sha256,
            Self::Ed25519 => SignatureAlgorithm::Ed25519,
        }
    }
}

impl fmt::Display for PublicKeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ec(curve) => write!(f, "EC {curve}"),
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
            Self::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

/// Why bytes or numbers are not a public key that Certus reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the DER of a `SubjectPublicKeyInfo`, or not in its canonical encoding.
    #[error("the public key is not in canonical DER encoding")]
    Encoding,
    /// The algorithm is none of EC, RSA and Ed25519 (DSA, Ed448, RSASSA-PSS, …).
    #[error("public keys of algorithm {0} are not supported")]
    Algorithm(ObjectIdentifier),
    /// An EC key that is on no named curve Certus knows, or has its curve written out.
    #[error("the curve of the EC public key is none of P-256, P-384 and P-521")]
    Curve,
    /// An EC point that is compressed or of the wrong length.
    #[error("the EC public key must be an uncompressed point of the curve's length")]
    PointEncoding,
    /// The point is not on its curve.
    #[error("the EC public key is not a point of its curve")]
    PointNotOnCurve,
    /// The algorithm parameters are not what BR 7.1.3.1 and RFC 8410 ask for (RSA: NULL, Ed25519: none).
    #[error("the parameters of the public key algorithm are wrong")]
    Parameters,
    /// An RSA modulus outside 2048 to 8192 bits.
    #[error("the RSA modulus has {0} bits; give it 2048 to 4096")]
    RsaModulusLength(usize),
    /// An RSA modulus that is even.
    #[error("the RSA modulus is even")]
    RsaModulusEven,
    /// An RSA exponent that is even, below 3, or above 33 bits.
    #[error("the RSA public exponent must be odd, at least 3 and at most 33 bits long")]
    RsaExponent,
    /// The numbers fit together in no key the cryptographic library accepts.
    #[error("the public key is not usable")]
    Unusable,
}

/// The signature does not hold, or its algorithm does not fit the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// A public key in its canonical encoding. Cheap to clone.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    kind: PublicKeyKind,
    spki: Box<[u8]>,
    /// Where the contents of `subjectPublicKey` begin within `spki`; they reach to its end.
    bits_start: usize,
}

/// `RSAPublicKey` of RFC 8017 appendix A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

/// Longest exponent the cryptographic library takes.
const MAX_EXPONENT_BITS: usize = 33;

impl PublicKey {
    /// Reads the DER of a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] for anything but the canonical encoding of a named-curve EC key with an uncompressed point on P-256,
    /// P-384 or P-521, an RSA key with NULL parameters, or an Ed25519 key.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoRef::from_der(der).or(Err(KeyError::Encoding))?;
        let bits = info.subject_public_key.as_bytes().ok_or(KeyError::Encoding)?;
        let key = match info.algorithm.oid {
            rfc5912::ID_EC_PUBLIC_KEY => {
                let curve = match info.algorithm.parameters_oid() {
                    Ok(rfc5912::SECP_256_R_1) => EcCurve::P256,
                    Ok(rfc5912::SECP_384_R_1) => EcCurve::P384,
                    Ok(rfc5912::SECP_521_R_1) => EcCurve::P521,
                    Ok(_) | Err(_) => return Err(KeyError::Curve),
                };
                let (0x04, point) =
                    bits.split_first().map(|(form, point)| (*form, point)).ok_or(KeyError::PointEncoding)?
                else {
                    return Err(KeyError::PointEncoding);
                };
                let (x, y) = point.split_at_checked(curve.field_len()).ok_or(KeyError::PointEncoding)?;
                Self::ec(curve, x, y)?
            }
            rfc5912::RSA_ENCRYPTION => {
                if info.algorithm.parameters != Some(AnyRef::NULL) {
                    return Err(KeyError::Parameters);
                }
                let numbers = RsaPublicKey::from_der(bits).or(Err(KeyError::Encoding))?;
                Self::rsa(numbers.modulus.as_bytes(), numbers.public_exponent.as_bytes())?
            }
            rfc8410::ID_ED_25519 => {
                if info.algorithm.parameters.is_some() {
                    return Err(KeyError::Parameters);
                }
                Self::ed25519(bits)?
            }
            other => return Err(KeyError::Algorithm(other)),
        };
        // What was read must be what we would have written: equal keys have equal bytes, and certificates get those.
        if key.spki_der() != der {
            return Err(KeyError::Encoding);
        }
        Ok(key)
    }

    /// An EC key from the coordinates of its point, big-endian and exactly as long as the field.
    ///
    /// # Errors
    ///
    /// [`KeyError::PointEncoding`] for a wrong length, [`KeyError::PointNotOnCurve`] for a point off the curve.
    pub fn ec(curve: EcCurve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        if x.len() != curve.field_len() || y.len() != curve.field_len() {
            return Err(KeyError::PointEncoding);
        }
        let point = [&[0x04], x, y].concat();
        let oid = curve.oid();
        Self::assemble(PublicKeyKind::Ec(curve), rfc5912::ID_EC_PUBLIC_KEY, Some(AnyRef::from(&oid)), &point)
    }

    /// An RSA key from its numbers, big-endian without zeros in front.
    ///
    /// # Errors
    ///
    /// [`KeyError::Encoding`] for zeros in front, [`KeyError::RsaModulusLength`], [`KeyError::RsaModulusEven`] and
    /// [`KeyError::RsaExponent`] for numbers out of range, [`KeyError::Unusable`] if the library refuses the key.
    pub fn rsa(n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        let bits = bit_length(n).ok_or(KeyError::Encoding)?;
        let exponent_bits = bit_length(e).ok_or(KeyError::Encoding)?;
        if !(2048..=8192).contains(&bits) {
            return Err(KeyError::RsaModulusLength(bits));
        }
        if !is_odd(n) {
            return Err(KeyError::RsaModulusEven);
        }
        if !is_odd(e) || !(2..=MAX_EXPONENT_BITS).contains(&exponent_bits) {
            return Err(KeyError::RsaExponent);
        }
        let number = |bytes| UintRef::new(bytes).or(Err(KeyError::Encoding));
        let numbers = RsaPublicKey { modulus: number(n)?, public_exponent: number(e)? };
        let numbers = numbers.to_der().or(Err(KeyError::Encoding))?;
        Self::assemble(PublicKeyKind::Rsa { bits }, rfc5912::RSA_ENCRYPTION, Some(AnyRef::NULL), &numbers)
    }

    /// An Ed25519 key from its 32 octets (RFC 8032 section 5.1.2).
    ///
    /// # Errors
    ///
    /// [`KeyError::PointEncoding`] for another length, [`KeyError::Unusable`] if the library refuses the key.
    pub fn ed25519(x: &[u8]) -> Result<Self, KeyError> {
        if x.len() != 32 {
            return Err(KeyError::PointEncoding);
        }
        Self::assemble(PublicKeyKind::Ed25519, rfc8410::ID_ED_25519, None, x)
    }

    fn assemble(
        kind: PublicKeyKind,
        oid: ObjectIdentifier,
        parameters: Option<AnyRef<'_>>,
        bits: &[u8],
    ) -> Result<Self, KeyError> {
        if !crypto::is_usable(kind, bits) {
            return Err(match kind {
                PublicKeyKind::Ec(_) => KeyError::PointNotOnCurve,
                PublicKeyKind::Rsa { .. } | PublicKeyKind::Ed25519 => KeyError::Unusable,
            });
        }
        let info = SubjectPublicKeyInfoRef {
            algorithm: AlgorithmIdentifierRef { oid, parameters },
            subject_public_key: BitStringRef::from_bytes(bits).or(Err(KeyError::Encoding))?,
        };
        let spki = info.to_der().or(Err(KeyError::Encoding))?.into_boxed_slice();
        let bits_start = spki.len().saturating_sub(bits.len());
        Ok(Self(Arc::new(Inner { kind, spki, bits_start })))
    }

    /// The DER of the `SubjectPublicKeyInfo`, byte for byte as it stands in certificates.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.0.spki
    }

    /// SHA-256 of [`PublicKey::spki_der`].
    #[must_use]
    pub fn spki_sha256(&self) -> [u8; 32] {
        sha256(&self.0.spki)
    }

    /// What kind of key this is.
    #[must_use]
    pub fn kind(&self) -> PublicKeyKind {
        self.0.kind
    }

    /// The key identifier of SKI and AKI: the leftmost 160 bits of SHA-256 of the `subjectPublicKey` bits (RFC 7093
    /// section 2, method 1).
    #[must_use]
    pub fn key_identifier(&self) -> [u8; 20] {
        let mut identifier = [0_u8; 20];
        for (to, from) in identifier.iter_mut().zip(sha256(self.bits())) {
            *to = from;
        }
        identifier
    }

    /// Modulus and exponent of an RSA key, big-endian without zeros in front; `None` for other kinds.
    #[must_use]
    pub fn rsa_parts(&self) -> Option<(&[u8], &[u8])> {
        match self.0.kind {
            PublicKeyKind::Rsa { .. } => {
                let numbers = RsaPublicKey::from_der(self.bits()).ok()?;
                Some((numbers.modulus.as_bytes(), numbers.public_exponent.as_bytes()))
            }
            PublicKeyKind::Ec(_) | PublicKeyKind::Ed25519 => None,
        }
    }

    /// Checks that `signature` over `message` was made with the private half of this key.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it was not, or if the algorithm does not fit the kind of key.
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        encoding: SignatureEncoding,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        if crypto::verify(self.0.kind, self.bits(), algorithm, encoding, message, signature) {
            Ok(())
        } else {
            Err(BadSignature)
        }
    }

    /// The contents of `subjectPublicKey`: an EC point, an `RSAPublicKey`, 32 octets of Ed25519.
    fn bits(&self) -> &[u8] {
        self.0.spki.get(self.0.bits_start..).unwrap_or_default()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.spki == other.0.spki
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.spki.hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.0.kind, data_encoding::HEXLOWER.encode(&self.key_identifier()))
    }
}

/// Bits of a big-endian number; `None` if it is empty or has zeros in front.
fn bit_length(number: &[u8]) -> Option<usize> {
    let (first, rest) = number.split_first()?;
    let first_bits = 8_usize.checked_sub(usize::try_from(first.leading_zeros()).ok()?)?;
    (first_bits > 0).then_some(first_bits + 8 * rest.len())
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|last| last & 1 == 1)
}
