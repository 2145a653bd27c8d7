//! Verification of signatures: which scheme goes with which kind of key.

use aws_lc_rs::signature::{self, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm};

use super::{SignatureAlgorithm, SignatureEncoding};
use crate::key::{EcCurve, PublicKeyKind};

/// Whether `bits` (the contents of `subjectPublicKey`) are a key of this kind that the library can use: for EC, a point
/// on the curve.
pub(crate) fn is_usable(kind: PublicKeyKind, bits: &[u8]) -> bool {
    let scheme: &'static dyn VerificationAlgorithm = match kind {
        PublicKeyKind::Ec(EcCurve::P256) => &signature::ECDSA_P256_SHA256_ASN1,
        PublicKeyKind::Ec(EcCurve::P384) => &signature::ECDSA_P384_SHA384_ASN1,
        PublicKeyKind::Ec(EcCurve::P521) => &signature::ECDSA_P521_SHA512_ASN1,
        PublicKeyKind::Rsa { .. } => &signature::RSA_PKCS1_2048_8192_SHA256,
        PublicKeyKind::Ed25519 => &signature::ED25519,
    };
    ParsedPublicKey::new(scheme, bits).is_ok()
}

/// Whether `signature` over `message` was made with the key whose `subjectPublicKey` is `bits`.
///
/// False as well where the algorithm does not fit the kind of key.
pub(crate) fn verify(
    kind: PublicKeyKind,
    bits: &[u8],
    algorithm: SignatureAlgorithm,
    encoding: SignatureEncoding,
    message: &[u8],
    signature: &[u8],
) -> bool {
    scheme(kind, algorithm, encoding)
        .is_some_and(|scheme| UnparsedPublicKey::new(scheme, bits).verify(message, signature).is_ok())
}

/// The library's name for a combination. Certificates and requests combine any curve with any SHA-2 hash (OpenSSL signs
/// requests of P-384 keys with SHA-256); JOSE fixes one hash for each curve (RFC 7518 section 3.4).
fn scheme(
    kind: PublicKeyKind,
    algorithm: SignatureAlgorithm,
    encoding: SignatureEncoding,
) -> Option<&'static dyn VerificationAlgorithm> {
    use {EcCurve as Curve, PublicKeyKind as Kind, SignatureAlgorithm as Algorithm, SignatureEncoding as Encoding};
    match (kind, algorithm, encoding) {
        (Kind::Ec(Curve::P256), Algorithm::EcdsaSha256, Encoding::Fixed) => Some(&signature::ECDSA_P256_SHA256_FIXED),
        (Kind::Ec(Curve::P384), Algorithm::EcdsaSha384, Encoding::Fixed) => Some(&signature::ECDSA_P384_SHA384_FIXED),
        (Kind::Ec(Curve::P521), Algorithm::EcdsaSha512, Encoding::Fixed) => Some(&signature::ECDSA_P521_SHA512_FIXED),
        (Kind::Ec(Curve::P256), Algorithm::EcdsaSha256, Encoding::Der) => Some(&signature::ECDSA_P256_SHA256_ASN1),
        (Kind::Ec(Curve::P256), Algorithm::EcdsaSha384, Encoding::Der) => Some(&signature::ECDSA_P256_SHA384_ASN1),
        (Kind::Ec(Curve::P256), Algorithm::EcdsaSha512, Encoding::Der) => Some(&signature::ECDSA_P256_SHA512_ASN1),
        (Kind::Ec(Curve::P384), Algorithm::EcdsaSha256, Encoding::Der) => Some(&signature::ECDSA_P384_SHA256_ASN1),
        (Kind::Ec(Curve::P384), Algorithm::EcdsaSha384, Encoding::Der) => Some(&signature::ECDSA_P384_SHA384_ASN1),
        (Kind::Ec(Curve::P384), Algorithm::EcdsaSha512, Encoding::Der) => Some(&signature::ECDSA_P384_SHA512_ASN1),
        (Kind::Ec(Curve::P521), Algorithm::EcdsaSha256, Encoding::Der) => Some(&signature::ECDSA_P521_SHA256_ASN1),
        (Kind::Ec(Curve::P521), Algorithm::EcdsaSha384, Encoding::Der) => Some(&signature::ECDSA_P521_SHA384_ASN1),
        (Kind::Ec(Curve::P521), Algorithm::EcdsaSha512, Encoding::Der) => Some(&signature::ECDSA_P521_SHA512_ASN1),
        (Kind::Rsa { .. }, Algorithm::RsaPkcs1Sha256, _) => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        (Kind::Rsa { .. }, Algorithm::RsaPkcs1Sha384, _) => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        (Kind::Rsa { .. }, Algorithm::RsaPkcs1Sha512, _) => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        (Kind::Ed25519, Algorithm::Ed25519, _) => Some(&signature::ED25519),
        (Kind::Ec(_) | Kind::Rsa { .. } | Kind::Ed25519, _, _) => None,
    }
}
