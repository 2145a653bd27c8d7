//! What is kept of an issuance: the intent, written before the signature, and the certificate after it.

use std::collections::BTreeSet;

use certus_pki::{RevocationReason, SerialNumber, SubjectName, Timestamp};

use super::caa::CaaFinding;
use crate::id::{AccountId, CertificateId, OrderId};

/// What is about to be signed. Once recorded, its serial is spent, whatever happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The order it is for; `None` for the authority's own TLS certificate.
    pub order: Option<OrderId>,
    /// The issuer's id.
    pub issuer: String,
    /// The serial number.
    pub serial: SerialNumber,
    /// SHA-256 of the to-be-signed certificate in DER.
    pub tbs_sha256: [u8; 32],
    /// SHA-256 of the key that is certified (`SubjectPublicKeyInfo` in DER). Not kept: no intent is recorded
    /// for a key that is blocked by then.
    pub spki_sha256: [u8; 32],
    /// The CRL shard that the certificate names.
    pub shard: u32,
    /// Last moment of its validity.
    pub not_after: Timestamp,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// What CAA said where it was asked again for this certificate; the rest stands in the evidence of its names.
    pub caa: Vec<CaaFinding>,
}

/// A certificate of this authority as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// Its id, the last part of its URL.
    pub id: CertificateId,
    /// The account it was issued to; `None` for the authority's own TLS certificate and for loaded ones.
    pub account: Option<AccountId>,
    /// The issuer's id.
    pub issuer: String,
    /// Its serial number; unique with the issuer.
    pub serial: SerialNumber,
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// SHA-256 of `der`.
    pub sha256: [u8; 32],
    /// SHA-256 of its subjectPublicKeyInfo in DER.
    pub spki_sha256: [u8; 32],
    /// What it names.
    pub names: BTreeSet<SubjectName>,
    /// The profile it was issued by.
    pub profile: String,
    /// The CRL shard it names, fixed for ever.
    pub shard: u32,
    /// First moment of its validity.
    pub not_before: Timestamp,
    /// Last moment of its validity.
    pub not_after: Timestamp,
    /// When it was issued.
    pub issued: Timestamp,
}

/// That a certificate was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// When.
    pub at: Timestamp,
    /// Why; `None` is unspecified.
    pub reason: Option<RevocationReason>,
}

/// A certificate, and whether it was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCertificate {
    /// The certificate.
    pub certificate: IssuedCertificate,
    /// Its revocation.
    pub revocation: Option<Revocation>,
}
