//! Certificates, read: `Certificate` of RFC 5280 section 4.1 and what its extensions say.
//!
//! Reading is strict DER, and keeps the bytes. Whether a certificate may be trusted, or conforms to a profile, is not
//! asked here: signatures are checked one at a time ([`Certificate::verify_signed_by`]), chains in [`crate::Issuer`],
//! conformance in [`crate::lint`].

mod meaning;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use const_oid::ObjectIdentifier;
use der::Decode;
use x509_cert::name::Name;

use crate::asn1::{Signed, TbsFields};
use crate::crypto::{SignatureAlgorithm, SignatureEncoding, sha256};
use crate::key::{BadSignature, KeyError, PublicKey};
use crate::name::SubjectName;
use crate::name_constraints::NameConstraints;
use crate::pem::{self, PemError};
use crate::serial::SerialNumber;
use crate::time::Timestamp;

pub use meaning::KeyUsage;
use meaning::Meaning;
pub(crate) use meaning::url;

/// Why bytes are not a certificate that Certus reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not strict DER, or not the syntax of RFC 5280.
    #[error("the certificate is not well-formed DER")]
    Encoding(#[source] der::Error),
    /// Not strict PEM, or not exactly one certificate.
    #[error("the certificate is not in PEM")]
    Pem(#[source] PemError),
    /// More than one certificate where one is asked for.
    #[error("there are {0} certificates in the PEM text, one is expected")]
    Several(usize),
    /// Not version 3.
    #[error("the certificate is not of version 3")]
    Version,
    /// A serial number that is negative, zero or longer than 20 octets.
    #[error("the serial number of the certificate is not a positive number of at most 20 octets")]
    Serial,
    /// The two places that name the signature algorithm differ.
    #[error("the signature algorithm inside the certificate is not the one outside")]
    AlgorithmsDiffer,
    /// An extension occurs twice.
    #[error("the certificate has the extension {0} twice")]
    DuplicateExtension(ObjectIdentifier),
    /// An extension whose value is not what its definition says.
    #[error("the extension {0} of the certificate is malformed")]
    Extension(ObjectIdentifier, #[source] der::Error),
    /// The public key is not one that Certus reads.
    #[error("the public key of the certificate cannot be read")]
    Key(#[source] KeyError),
}

/// A certificate. Cheap to clone; equal when the bytes are.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: Box<[u8]>,
    tbs: Box<[u8]>,
    serial: SerialNumber,
    not_before: Timestamp,
    not_after: Timestamp,
    issuer: Box<[u8]>,
    subject: Box<[u8]>,
    public_key: PublicKey,
    signature_algorithm: Option<SignatureAlgorithm>,
    signature: Box<[u8]>,
    extensions: Vec<RawExtension>,
    meaning: Meaning,
}

struct RawExtension {
    id: ObjectIdentifier,
    critical: bool,
    value: Box<[u8]>,
}

/// The PEM label of certificates (RFC 7468 section 5).
pub(crate) const PEM_LABEL: &str = "CERTIFICATE";

impl Certificate {
    /// Reads the DER of a certificate; bytes after it are refused.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] says what is wrong with it.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let signed = Signed::parse(der).map_err(CertificateError::Encoding)?;
        let fields = TbsFields::parse(signed.message).map_err(CertificateError::Encoding)?;
        if fields.version != 2 {
            return Err(CertificateError::Version);
        }
        if fields.signature != signed.algorithm {
            return Err(CertificateError::AlgorithmsDiffer);
        }
        Name::from_der(fields.issuer).map_err(CertificateError::Encoding)?;
        Name::from_der(fields.subject).map_err(CertificateError::Encoding)?;
        let inner = Inner {
            der: der.into(),
            tbs: signed.message.into(),
            serial: serial(fields.serial).ok_or(CertificateError::Serial)?,
            not_before: fields.not_before.at,
            not_after: fields.not_after.at,
            issuer: fields.issuer.into(),
            subject: fields.subject.into(),
            public_key: PublicKey::from_spki_der(fields.spki).map_err(CertificateError::Key)?,
            signature_algorithm: SignatureAlgorithm::from_identifier_der(signed.algorithm),
            signature: signed.signature.into(),
            meaning: Meaning::read(&fields.extensions)?,
            extensions: fields
                .extensions
                .iter()
                .map(|extension| RawExtension {
                    id: extension.id,
                    critical: extension.critical,
                    value: extension.value.as_bytes().into(),
                })
                .collect(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Reads one certificate in strict PEM (RFC 7468).
    ///
    /// # Errors
    ///
    /// [`CertificateError::Pem`], [`CertificateError::Several`], and what [`Certificate::parse`] says.
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        let blocks = pem::decode(PEM_LABEL, pem).map_err(CertificateError::Pem)?;
        match blocks.as_slice() {
            [der] => Self::parse(der),
            several => Err(CertificateError::Several(several.len())),
        }
    }

    /// The bytes of the certificate.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The certificate in strict PEM (RFC 7468), with a newline at its end.
    #[must_use]
    pub fn pem(&self) -> String {
        pem::encode(PEM_LABEL, self.der())
    }

    /// SHA-256 of [`Certificate::der`].
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        sha256(self.der())
    }

    /// The bytes that are signed: the DER of the `TBSCertificate`.
    #[must_use]
    pub fn tbs_der(&self) -> &[u8] {
        &self.0.tbs
    }

    /// The serial number.
    #[must_use]
    pub fn serial(&self) -> &SerialNumber {
        &self.0.serial
    }

    /// The first second of validity.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.0.not_before
    }

    /// The last second of validity, inclusive.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }

    /// The issuer's name, DER.
    #[must_use]
    pub fn issuer_der(&self) -> &[u8] {
        &self.0.issuer
    }

    /// The subject's name, DER; an empty SEQUENCE where there is none.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        &self.0.subject
    }

    /// The subject's name for people (RFC 4514): `CN=Example Root,O=Example`; empty where there is none.
    #[must_use]
    pub fn subject_text(&self) -> String {
        Name::from_der(self.subject_der()).map(|name| name.to_string()).unwrap_or_default()
    }

    /// The certified key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// The dNSName and iPAddress entries of subjectAltName. Other kinds of names and entries that are no host names are left
    /// out.
    #[must_use]
    pub fn subject_names(&self) -> &BTreeSet<SubjectName> {
        &self.0.meaning.subject_names
    }

    /// Whether basicConstraints says that this is a CA.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.0.meaning.basic_constraints.as_ref().is_some_and(|constraints| constraints.ca)
    }

    /// pathLenConstraint: how many intermediates may follow beneath; `None` for any number.
    #[must_use]
    pub fn path_len(&self) -> Option<u8> {
        self.0.meaning.basic_constraints.as_ref().and_then(|constraints| constraints.path_len_constraint)
    }

    /// Whether keyUsage permits `usage`; `None` where the extension is absent and so nothing is forbidden.
    #[must_use]
    pub fn key_usage(&self, usage: KeyUsage) -> Option<bool> {
        self.0.meaning.key_usage.as_ref().map(|bits| bits.0.contains(usage.syntax()))
    }

    /// The purposes of extKeyUsage; `None` where it is absent.
    #[must_use]
    pub fn extended_key_usage(&self) -> Option<&[ObjectIdentifier]> {
        self.0.meaning.ext_key_usage.as_deref()
    }

    /// The constraints on names beneath this CA; `None` where there are none.
    #[must_use]
    pub fn name_constraints(&self) -> Option<&NameConstraints> {
        self.0.meaning.name_constraints.as_ref()
    }

    /// keyIdentifier of authorityKeyIdentifier.
    #[must_use]
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.0.meaning.authority_key_identifier.as_deref()
    }

    /// subjectKeyIdentifier.
    #[must_use]
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        self.0.meaning.subject_key_identifier.as_deref()
    }

    /// The URLs of cRLDistributionPoints, in their order.
    #[must_use]
    pub fn crl_urls(&self) -> &[String] {
        &self.0.meaning.crl_urls
    }

    /// The caIssuers URLs of authorityInfoAccess, in their order.
    #[must_use]
    pub fn ca_issuers_urls(&self) -> &[String] {
        &self.0.meaning.ca_issuers_urls
    }

    /// An extension: whether it is critical, and its value's bytes; `None` where it is absent.
    #[must_use]
    pub fn extension(&self, id: ObjectIdentifier) -> Option<(bool, &[u8])> {
        let extension = self.0.extensions.iter().find(|extension| extension.id == id)?;
        Some((extension.critical, &extension.value))
    }

    /// The object identifiers of all extensions, in their order.
    pub fn extension_ids(&self) -> impl Iterator<Item = ObjectIdentifier> + '_ {
        self.0.extensions.iter().map(|extension| extension.id)
    }

    /// The algorithm of the signature; `None` if it is none that Certus verifies (SHA-1, RSASSA-PSS, …).
    #[must_use]
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        self.0.signature_algorithm
    }

    /// Checks that the certificate is signed with the private half of `key`.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it is not, or by an algorithm that Certus does not verify.
    pub fn verify_signed_by(&self, key: &PublicKey) -> Result<(), BadSignature> {
        let algorithm = self.0.signature_algorithm.ok_or(BadSignature)?;
        key.verify(algorithm, SignatureEncoding::Der, &self.0.tbs, &self.0.signature)
    }
}

/// The serial number in the contents of an INTEGER: positive, minimal, at most 20 octets with its sign.
pub(crate) fn serial(integer: &[u8]) -> Option<SerialNumber> {
    let negative = integer.first().is_none_or(|first| first & 0x80 != 0);
    let padded = matches!(integer, [0, second, ..] if second & 0x80 == 0);
    if negative || padded || integer.len() > crate::serial::MAX_SERIAL_OCTETS {
        return None;
    }
    SerialNumber::from_bytes(integer).ok()
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("serial", &self.0.serial)
            .field("subject", &self.subject_text())
            .field("names", &self.0.meaning.subject_names)
            .finish_non_exhaustive()
    }
}
