//! The certificate by which a server answers a tls-alpn-01 challenge (RFC 8737 section 3; RFC 8738 section 6 for
//! addresses): judged here, octet by octet.
//!
//! Deliberately absent: the TLS in which it is shown, and making one.

use der::Decode;
use x509_cert::ext::pkix::name::GeneralNames;

use crate::asn1::{self, AltName};
use crate::certificate::{Certificate, CertificateError};
use crate::crypto::constant_time_eq;
use crate::name::SubjectName;
use crate::oid;

/// `id-pe-acmeIdentifier` (RFC 8737 section 6.1) as the DER of its value: an OCTET STRING of 32 octets.
const DIGEST_HEADER: [u8; 2] = [0x04, 0x20];

/// Why a certificate does not answer a challenge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeCertificateError {
    /// It cannot be read, or has an extension twice.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// It is signed by another key than its own.
    #[error("the certificate is not self-signed")]
    NotSelfSigned,
    /// It has no subjectAltName, or one that cannot be read.
    #[error("the certificate has no readable subjectAltName")]
    NoNames,
    /// It has other names, or more than the one.
    #[error("the certificate is for {0}; it must be for the one identifier and nothing else")]
    Names(String),
    /// The extension with the digest is absent.
    #[error("the certificate has no acmeIdentifier extension")]
    NoDigest,
    /// The extension is not critical.
    #[error("the acmeIdentifier extension of the certificate is not critical")]
    NotCritical,
    /// The extension's value is no OCTET STRING of 32 octets.
    #[error("the acmeIdentifier extension of the certificate is not an OCTET STRING of 32 octets")]
    DigestForm,
    /// The digest is that of something else.
    #[error("the certificate has the digest of another key authorization")]
    Digest,
}

/// Reads a certificate and checks that it answers the challenge for `name` whose key authorization has this SHA-256
/// digest. Whether it is valid now is not asked (RFC 8737 does not).
///
/// Returns the certificate, whose key the handshake must be signed with.
///
/// # Errors
///
/// [`ChallengeCertificateError`] says what is wrong with it.
pub fn check(der: &[u8], name: &SubjectName, digest: &[u8; 32]) -> Result<Certificate, ChallengeCertificateError> {
    let certificate = Certificate::parse(der)?;
    if certificate.verify_signed_by(certificate.public_key()).is_err() {
        return Err(ChallengeCertificateError::NotSelfSigned);
    }
    let (_, names) = certificate.extension(oid::SUBJECT_ALT_NAME).ok_or(ChallengeCertificateError::NoNames)?;
    let names = GeneralNames::from_der(names).map_err(|_error| ChallengeCertificateError::NoNames)?;
    let is_the_one = |found: AltName<'_>| matches!(found, AltName::Name(found) if found == *name);
    match names.as_slice() {
        [one] if is_the_one(asn1::alt_name(one)) => {}
        other => return Err(ChallengeCertificateError::Names(shown(other.iter().map(asn1::alt_name)))),
    }
    let (critical, value) = certificate.extension(oid::ACME_IDENTIFIER).ok_or(ChallengeCertificateError::NoDigest)?;
    if !critical {
        return Err(ChallengeCertificateError::NotCritical);
    }
    match value.split_at_checked(DIGEST_HEADER.len()) {
        Some((header, found)) if header == DIGEST_HEADER && found.len() == digest.len() => {
            if !constant_time_eq(found, digest) {
                return Err(ChallengeCertificateError::Digest);
            }
        }
        Some(_) | None => return Err(ChallengeCertificateError::DigestForm),
    }
    Ok(certificate)
}

/// The first names, for people. What is no host name or address is not repeated.
fn shown<'a>(names: impl ExactSizeIterator<Item = AltName<'a>>) -> String {
    const MAX_SHOWN: usize = 3;
    let count = names.len();
    let said = names.take(MAX_SHOWN).map(|name| match name {
        AltName::Name(name) => name.to_string(),
        AltName::NotADnsName(..) => "a name that is no host name".to_owned(),
        AltName::NotAnAddress => "an address of a wrong length".to_owned(),
        AltName::Kind(kind) => format!("a {kind}"),
    });
    let said = said.collect::<Vec<_>>().join(", ");
    match count {
        0 => "nothing".to_owned(),
        1..=MAX_SHOWN => said,
        _ => format!("{said} and {} more", count - MAX_SHOWN),
    }
}
