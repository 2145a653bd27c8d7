//! Certificate revocation lists: `CertificateList` of RFC 5280 section 5, made and read.
//!
//! Version 2, whole or of one shard; no delta CRLs, no indirect ones.

use std::fmt;

use const_oid::ObjectIdentifier;
use der::asn1::AnyRef;
use der::{Decode, Encode, Error, Reader, SliceReader, Tag};
use x509_cert::ext::pkix::name::DistributionPointName;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, IssuingDistributionPoint};

use crate::asn1::{self, Extension, Signed, TagIs as _, Time, context, optional};
use crate::certificate::{self, Certificate};
use crate::crypto::{SignatureAlgorithm, SignatureEncoding};
use crate::extensions;
use crate::key::{BadSignature, PublicKey};
use crate::oid;
use crate::serial::SerialNumber;
use crate::signer::{IssueError, Signer, sign_object};
use crate::time::Timestamp;

/// Why a certificate was revoked (RFC 5280 section 5.3.1, BR 7.2.2).
///
/// Absent on purpose: unspecified, which is written by leaving the reason out, and the reasons the Baseline Requirements
/// forbid for subscriber certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevocationReason {
    /// keyCompromise.
    KeyCompromise,
    /// affiliationChanged.
    AffiliationChanged,
    /// superseded.
    Superseded,
    /// cessationOfOperation.
    CessationOfOperation,
    /// privilegeWithdrawn.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// The number of `CRLReason`.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::KeyCompromise => 1,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
        }
    }

    /// The reason with this number of `CRLReason`; `None` for numbers that are not used here.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// One revoked certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedEntry {
    /// Its serial number.
    pub serial: SerialNumber,
    /// When it was revoked.
    pub at: Timestamp,
    /// Why; `None` is unspecified.
    pub reason: Option<RevocationReason>,
}

/// Which certificates a CRL covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrlScope<'a> {
    /// All of the authority: no issuingDistributionPoint.
    Everything,
    /// The subscriber certificates whose cRLDistributionPoints names this URL.
    Shard {
        /// The URL, byte for byte as in the certificates (BR 7.2.2.1).
        url: &'a str,
    },
}

/// Why bytes are not a CRL that Certus reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// Not strict DER, or not the syntax of RFC 5280.
    #[error("the CRL is not well-formed DER")]
    Encoding(#[source] Error),
    /// Not version 2.
    #[error("the CRL is not of version 2")]
    Version,
    /// The two places that name the signature algorithm differ.
    #[error("the signature algorithm inside the CRL is not the one outside")]
    AlgorithmsDiffer,
    /// No nextUpdate.
    #[error("the CRL says no next update")]
    NoNextUpdate,
    /// No cRLNumber, or one above 64 bits.
    #[error("the CRL has no number below 2^64")]
    Number,
    /// An entry whose serial number, reason or form is not valid.
    #[error("an entry of the CRL is malformed")]
    Entry,
    /// An extension that is critical and not known.
    #[error("the CRL has the critical extension {0}, which is not known")]
    CriticalExtension(ObjectIdentifier),
}

/// A CRL. Equal when the bytes are.
#[derive(Clone)]
pub struct CertificateList {
    der: Vec<u8>,
    tbs: Vec<u8>,
    issuer: Vec<u8>,
    number: u64,
    this_update: Timestamp,
    next_update: Timestamp,
    revoked: Vec<RevokedEntry>,
    distribution_point_url: Option<String>,
    authority_key_identifier: Option<Vec<u8>>,
    algorithm: Option<SignatureAlgorithm>,
    signature: Vec<u8>,
}

/// Makes and signs a CRL of the authority that `issuer` certifies.
///
/// # Errors
///
/// [`IssueError`] if nextUpdate is not after thisUpdate, if there is no signature or it does not verify, or if the CRL
/// read back is not the one that was to be signed.
pub async fn create_crl(
    issuer: &Certificate,
    signer: &dyn Signer,
    number: u64,
    this_update: Timestamp,
    next_update: Timestamp,
    revoked: &[RevokedEntry],
    scope: CrlScope<'_>,
) -> Result<CertificateList, IssueError> {
    if next_update.unix_seconds() <= this_update.unix_seconds() {
        return Err(IssueError::Period);
    }
    let tbs = encode(issuer, number, this_update, next_update, revoked, scope).map_err(IssueError::Encoding)?;
    let der = sign_object(signer, issuer.public_key(), &tbs).await?;
    let list = CertificateList::parse(&der).map_err(IssueError::Crl)?;
    if list.tbs != tbs {
        return Err(IssueError::Differs);
    }
    Ok(list)
}

fn encode(
    issuer: &Certificate,
    number: u64,
    this_update: Timestamp,
    next_update: Timestamp,
    revoked: &[RevokedEntry],
    scope: CrlScope<'_>,
) -> Result<Vec<u8>, Error> {
    /// `INTEGER 1`: version 2.
    const VERSION_2: &[u8] = &[0x02, 0x01, 0x01];
    let own_identifier = issuer.public_key().key_identifier();
    let key_identifier = issuer.subject_key_identifier().unwrap_or(&own_identifier);
    let distribution_point = match scope {
        CrlScope::Everything => Vec::new(),
        CrlScope::Shard { url } => extensions::issuing_distribution_point(url)?,
    };
    // RFC 5280 section 5.1.2.6: absent, not empty, where nothing is revoked.
    let entries = if revoked.is_empty() {
        Vec::new()
    } else {
        let entries = revoked.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        asn1::sequence(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>())?
    };
    asn1::sequence(&[
        VERSION_2,
        issuer.public_key().kind().signature_algorithm().identifier_der(),
        issuer.subject_der(),
        &asn1::time(this_update)?,
        &asn1::time(next_update)?,
        &entries,
        &asn1::explicit(
            0,
            &[&asn1::sequence(&[
                &extensions::authority_key_identifier(key_identifier)?,
                &extensions::crl_number(number)?,
                &distribution_point,
            ])?],
        )?,
    ])
}

fn entry(entry: &RevokedEntry) -> Result<Vec<u8>, Error> {
    let reason = match entry.reason {
        Some(reason) => {
            let code = AnyRef::new(Tag::Enumerated, &[reason.code()])?.to_der()?;
            let code = AnyRef::from_der(&code)?;
            asn1::sequence(&[&asn1::extension(oid::CRL_REASONS, false, &code)?])?
        }
        None => Vec::new(),
    };
    asn1::sequence(&[&asn1::serial(&entry.serial)?, &asn1::time(entry.at)?, &reason])
}

impl CertificateList {
    /// Reads the DER of a CRL; bytes after it are refused.
    ///
    /// # Errors
    ///
    /// [`CrlError`] says what is wrong with it.
    pub fn parse(der: &[u8]) -> Result<Self, CrlError> {
        let signed = Signed::parse(der).map_err(CrlError::Encoding)?;
        let fields = Fields::parse(signed.message).map_err(CrlError::Encoding)?;
        if fields.version != 1 {
            return Err(CrlError::Version);
        }
        if fields.algorithm != signed.algorithm {
            return Err(CrlError::AlgorithmsDiffer);
        }
        let mut list = Self {
            der: der.to_vec(),
            tbs: signed.message.to_vec(),
            issuer: fields.issuer.to_vec(),
            number: 0,
            this_update: fields.this_update.at,
            next_update: fields.next_update.ok_or(CrlError::NoNextUpdate)?.at,
            revoked: read_entries(fields.revoked)?,
            distribution_point_url: None,
            authority_key_identifier: None,
            algorithm: SignatureAlgorithm::from_identifier_der(signed.algorithm),
            signature: signed.signature.to_vec(),
        };
        let mut number = None;
        for extension in &fields.extensions {
            let value = extension.value.as_bytes();
            match extension.id {
                oid::CRL_NUMBER => number = Some(u64::from_der(value).or(Err(CrlError::Number))?),
                oid::AUTHORITY_KEY_IDENTIFIER => {
                    let identifier = AuthorityKeyIdentifier::from_der(value).map_err(CrlError::Encoding)?;
                    list.authority_key_identifier = identifier.key_identifier.map(|octets| octets.as_bytes().to_vec());
                }
                oid::ISSUING_DISTRIBUTION_POINT => {
                    let point = IssuingDistributionPoint::from_der(value).map_err(CrlError::Encoding)?;
                    if let Some(DistributionPointName::FullName(names)) = &point.distribution_point {
                        list.distribution_point_url = names.iter().find_map(certificate::url);
                    }
                }
                unknown if extension.critical => return Err(CrlError::CriticalExtension(unknown)),
                _ => {}
            }
        }
        list.number = number.ok_or(CrlError::Number)?;
        Ok(list)
    }

    /// The bytes of the CRL.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The issuer's name, DER.
    #[must_use]
    pub fn issuer_der(&self) -> &[u8] {
        &self.issuer
    }

    /// cRLNumber.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When it was made.
    #[must_use]
    pub fn this_update(&self) -> Timestamp {
        self.this_update
    }

    /// When the next one is there at the latest.
    #[must_use]
    pub fn next_update(&self) -> Timestamp {
        self.next_update
    }

    /// The revoked certificates, in their order.
    #[must_use]
    pub fn revoked(&self) -> &[RevokedEntry] {
        &self.revoked
    }

    /// The first URL of issuingDistributionPoint; `None` for a CRL that covers everything.
    #[must_use]
    pub fn distribution_point_url(&self) -> Option<&str> {
        self.distribution_point_url.as_deref()
    }

    /// keyIdentifier of authorityKeyIdentifier.
    #[must_use]
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.authority_key_identifier.as_deref()
    }

    /// Checks that the CRL is signed with the private half of `key`.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it is not, or by an algorithm that Certus does not verify.
    pub fn verify(&self, key: &PublicKey) -> Result<(), BadSignature> {
        let algorithm = self.algorithm.ok_or(BadSignature)?;
        key.verify(algorithm, SignatureEncoding::Der, &self.tbs, &self.signature)
    }
}

/// `TBSCertList` of RFC 5280 section 5.1, its fields as slices of the input.
struct Fields<'a> {
    version: u8,
    algorithm: &'a [u8],
    issuer: &'a [u8],
    this_update: Time,
    next_update: Option<Time>,
    /// The contents of the SEQUENCE OF entries; empty where it is absent.
    revoked: &'a [u8],
    extensions: Vec<Extension<'a>>,
}

impl<'a> Fields<'a> {
    fn parse(der: &'a [u8]) -> Result<Self, Error> {
        let mut reader = SliceReader::new(der)?;
        let fields = reader.sequence(|inner| {
            let version = match Tag::peek(inner)? == Tag::Integer {
                true => u8::decode(inner)?,
                false => 0,
            };
            let algorithm = inner.tlv_bytes()?;
            let issuer = inner.tlv_bytes()?;
            let this_update = Time::decode(inner)?;
            let time_follows = !inner.is_finished() && matches!(Tag::peek(inner)?, Tag::UtcTime | Tag::GeneralizedTime);
            let next_update = if time_follows { Some(Time::decode(inner)?) } else { None };
            let revoked = optional(inner, Tag::Sequence)?.unwrap_or_default();
            let extensions = match optional(inner, context(0))? {
                Some(field) => Vec::<Extension<'a>>::from_der(field)?,
                None => Vec::new(),
            };
            Ok::<_, Error>(Self { version, algorithm, issuer, this_update, next_update, revoked, extensions })
        })?;
        reader.finish()?;
        Ok(fields)
    }
}

fn read_entries(contents: &[u8]) -> Result<Vec<RevokedEntry>, CrlError> {
    let mut reader = SliceReader::new(contents).map_err(CrlError::Encoding)?;
    let mut entries = Vec::new();
    while !reader.is_finished() {
        let (serial, at, extensions) = reader
            .sequence(|inner| {
                let serial = AnyRef::decode(inner)?;
                serial.tag_is(Tag::Integer)?;
                let at = Time::decode(inner)?;
                let extensions = if inner.is_finished() { Vec::new() } else { Vec::<Extension<'_>>::decode(inner)? };
                Ok::<_, Error>((serial.value(), at.at, extensions))
            })
            .map_err(CrlError::Encoding)?;
        let mut reason = None;
        for extension in extensions {
            match extension.id {
                oid::CRL_REASONS => reason = Some(read_reason(extension.value.as_bytes()).ok_or(CrlError::Entry)?),
                unknown if extension.critical => return Err(CrlError::CriticalExtension(unknown)),
                _ => {}
            }
        }
        entries.push(RevokedEntry { serial: certificate::serial(serial).ok_or(CrlError::Entry)?, at, reason });
    }
    Ok(entries)
}

fn read_reason(der: &[u8]) -> Option<RevocationReason> {
    let value = AnyRef::from_der(der).ok()?;
    value.tag_is(Tag::Enumerated).ok()?;
    match value.value() {
        [code] => RevocationReason::from_code(*code),
        _ => None,
    }
}

impl PartialEq for CertificateList {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for CertificateList {}

impl fmt::Debug for CertificateList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateList")
            .field("number", &self.number)
            .field("this_update", &self.this_update)
            .field("next_update", &self.next_update)
            .field("revoked", &self.revoked.len())
            .finish_non_exhaustive()
    }
}
