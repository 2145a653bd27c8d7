//! What is to be signed: `TBSCertificate` of RFC 5280 section 4.1.2, built from typed parts alone.
//!
//! There is no way to hand bytes or extensions in: a certificate has what its profile and this file say, names that
//! carry a proof, and a key.

use std::collections::BTreeSet;

use x509_cert::ext::pkix::KeyUsages;

use crate::asn1;
use crate::extensions;
use crate::issuer::Issuer;
use crate::key::{PublicKey, PublicKeyKind};
use crate::name::SubjectName;
use crate::profile::Profile;
use crate::proof::SubjectNames;
use crate::serial::SerialNumber;
use crate::time::Timestamp;
use crate::validity::{Validity, ValidityError};

/// Where a certificate says that its issuer and its revocation are published. Both are plain HTTP (BR 7.1.2.7.7 and
/// 7.1.2.11.2): whoever checks a certificate has no TLS connection to trust yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publications {
    /// The issuer's certificate in DER.
    pub ca_issuers_url: String,
    /// The CRL that this certificate would be on.
    pub crl_url: String,
}

/// Why there is nothing to be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TbsError {
    /// A URL that is not plain HTTP.
    #[error("{0:?} is not a plain http URL")]
    Url(String),
    /// clientAuth of an issuer that may not give it.
    #[error("the profile {profile:?} has clientAuth, which the certificate of {issuer:?} does not permit")]
    ClientAuth {
        /// The profile's name.
        profile: String,
        /// Whose certificate.
        issuer: String,
    },
    /// The dates cannot be had.
    #[error(transparent)]
    Validity(#[from] ValidityError),
    /// The DER could not be written: a time before 1970 or after 9999, or a URL with characters of no URL.
    #[error("the certificate cannot be encoded")]
    Encoding(#[source] der::Error),
}

/// A certificate before it is linted and signed.
#[derive(Debug, Clone)]
pub struct TbsCertificate {
    pub(crate) der: Vec<u8>,
    pub(crate) profile: Profile,
    pub(crate) names: SubjectNames,
    pub(crate) public_key: PublicKey,
    pub(crate) serial: SerialNumber,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

impl TbsCertificate {
    /// Builds a server certificate with the dates of its profile; see [`TbsCertificate::within`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn new(
        profile: &Profile,
        names: impl Into<SubjectNames>,
        key: &PublicKey,
        serial: SerialNumber,
        issuer: &Issuer,
        publications: &Publications,
        now: Timestamp,
    ) -> Result<Self, TbsError> {
        Self::within(&Validity::default(), profile, names, key, serial, issuer, publications, now)
    }

    /// Builds a server certificate, with the dates of [`Validity::within`]. The same arguments always give the same bytes.
    ///
    /// # Errors
    ///
    /// [`TbsError`] for URLs that are not plain HTTP, for a purpose that the issuer does not permit, and for
    /// dates that cannot be had.
    pub fn within(
        validity: &Validity,
        profile: &Profile,
        names: impl Into<SubjectNames>,
        key: &PublicKey,
        serial: SerialNumber,
        issuer: &Issuer,
        publications: &Publications,
        now: Timestamp,
    ) -> Result<Self, TbsError> {
        for url in [&publications.ca_issuers_url, &publications.crl_url] {
            if !extensions::is_publication_url(url) {
                return Err(TbsError::Url(url.clone()));
            }
        }
        if profile.client_auth
            && let Some(issuer) = issuer.without_client_auth()
        {
            return Err(TbsError::ClientAuth { profile: profile.name.clone(), issuer });
        }
        let (not_before, not_after) = validity.within(profile, issuer.certificate(), now)?;
        let names = names.into();
        let mut tbs = Self {
            der: Vec::new(),
            profile: profile.clone(),
            names,
            public_key: key.clone(),
            serial,
            not_before,
            not_after,
        };
        tbs.der = tbs.encode(issuer, publications).map_err(TbsError::Encoding)?;
        Ok(tbs)
    }

    /// The names, in the order in which they stand in the certificate.
    #[must_use]
    pub fn names(&self) -> &BTreeSet<SubjectName> {
        self.names.names()
    }

    fn encode(&self, issuer: &Issuer, publications: &Publications) -> Result<Vec<u8>, der::Error> {
        let usages = match self.public_key.kind() {
            PublicKeyKind::Rsa { .. } => KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment,
            PublicKeyKind::Ec(_) | PublicKeyKind::Ed25519 => KeyUsages::DigitalSignature.into(),
        };
        let mut list = vec![
            extensions::key_usage(usages)?,
            extensions::extended_key_usage(self.profile.client_auth)?,
            extensions::subject_key_identifier(&self.public_key.key_identifier())?,
            extensions::authority_key_identifier(issuer.key_identifier())?,
            extensions::ca_issuers(&publications.ca_issuers_url)?,
            extensions::subject_alt_name(self.names.in_order())?,
        ];
        if !self.profile.policies.is_empty() {
            list.push(extensions::policies(&self.profile.policies)?);
        }
        list.push(extensions::crl_distribution_point(&publications.crl_url)?);
        Fields {
            serial: &self.serial,
            algorithm: issuer.signature_algorithm().identifier_der(),
            issuer: issuer.certificate().subject_der(),
            not_before: self.not_before,
            not_after: self.not_after,
            subject: EMPTY_NAME,
            public_key: &self.public_key,
            extensions: &list,
        }
        .encode()
    }
}

/// A name without parts: an empty SEQUENCE.
const EMPTY_NAME: &[u8] = &[0x30, 0x00];

/// The fields of a version 3 `TBSCertificate`, ready to be encoded.
pub(crate) struct Fields<'a> {
    pub(crate) serial: &'a SerialNumber,
    /// The DER of the `AlgorithmIdentifier`.
    pub(crate) algorithm: &'a [u8],
    /// The DER of the name.
    pub(crate) issuer: &'a [u8],
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// The DER of the name.
    pub(crate) subject: &'a [u8],
    pub(crate) public_key: &'a PublicKey,
    /// The DER of each extension.
    pub(crate) extensions: &'a [Vec<u8>],
}

impl Fields<'_> {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, der::Error> {
        /// `[0] EXPLICIT INTEGER 2`: version 3.
        const VERSION_3: &[u8] = &[0xa0, 0x03, 0x02, 0x01, 0x02];
        let extensions: Vec<&[u8]> = self.extensions.iter().map(Vec::as_slice).collect();
        asn1::sequence(&[
            VERSION_3,
            &asn1::serial(self.serial)?,
            self.algorithm,
            self.issuer,
            &asn1::sequence(&[&asn1::time(self.not_before)?, &asn1::time(self.not_after)?])?,
            self.subject,
            self.public_key.spki_der(),
            &asn1::explicit(3, &[&asn1::sequence(&extensions)?])?,
        ])
    }
}
