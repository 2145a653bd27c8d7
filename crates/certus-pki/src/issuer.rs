//! Authorities that issue: a chain of certificates and the signer of its first key.
//!
//! The last part of the walk to a certificate: [`Issuer::prepare`] checks and lints what is to be signed and gives a
//! [`Prepared`], the only thing that [`Issuer::sign`] takes. Between the two a caller records what it is about to do.

use std::collections::BTreeSet;
use std::sync::Arc;

use const_oid::ObjectIdentifier;

use crate::certificate::{Certificate, KeyUsage};
use crate::chain::CertificateChain;
use crate::crl::{CertificateList, CrlScope, RevokedEntry, create_crl};
use crate::crypto::{SignatureAlgorithm, sha256};
use crate::key::PublicKey;
use crate::lint::{self, Findings};
use crate::name::SubjectName;
use crate::oid;
use crate::serial::SerialNumber;
use crate::signer::{IssueError, Signer, sign_object};
use crate::tbs::TbsCertificate;
use crate::time::Timestamp;

/// Why a chain and a signer are no issuing authority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// The signer's key is another one than the certificate's.
    #[error("the key does not belong to the certificate of {0:?}; name the one that it was issued for")]
    Key(String),
    /// basicConstraints does not say that this is a CA.
    #[error("the certificate of {0:?} is not that of an authority (basicConstraints)")]
    NotAnAuthority(String),
    /// keyUsage forbids signing certificates or CRLs.
    #[error("the certificate of {subject:?} does not permit {usage}")]
    KeyUsage {
        /// Whose certificate.
        subject: String,
        /// What it does not permit.
        usage: &'static str,
    },
    /// extKeyUsage leaves no server certificates.
    #[error("the certificate of {0:?} is not for server certificates (extended key usage)")]
    ExtendedKeyUsage(String),
    /// The chain is not in order: a certificate's issuer is not the subject of the next.
    #[error("the certificate after that of {0:?} in the chain is not its issuer's")]
    Order(String),
    /// A signature in the chain does not verify.
    #[error("the certificate of {0:?} is not signed by the next in the chain")]
    Signature(String),
    /// A path length constraint is exceeded by the chain itself.
    #[error("the path length constraint of {0:?} is exceeded by the chain")]
    PathLength(String),
    /// A critical extension that clients need not know: those that do not refuse everything beneath it.
    #[error(
        "the certificate of {subject:?} has the critical extension {extension}, which no TLS client knows; have it made anew without"
    )]
    CriticalExtension {
        /// Whose certificate.
        subject: String,
        /// Which extension.
        extension: ObjectIdentifier,
    },
    /// The issuing certificate has no subjectKeyIdentifier (RFC 5280 section 4.2.1.2).
    #[error(
        "the certificate of {0:?} has no subject key identifier, without which strict clients refuse what it issues; have \
         it made anew with one"
    )]
    NoKeyIdentifier(String),
    /// An alternate chain leads to another authority, or is one that is offered already.
    #[error(
        "the alternate chain that begins with {subject:?} must begin with a certificate of the issuer's own name, key and \
         subject key identifier ({key_identifier}), and be another than those that are offered"
    )]
    Alternate {
        /// Whose certificate it begins with.
        subject: String,
        /// The key identifier it must have, in hex.
        key_identifier: String,
    },
    /// A certificate of an authority has an empty subject.
    #[error("a certificate of the chain has no subject")]
    NoSubject,
}

/// Why a certificate may not be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// A certificate of the chain is not valid at this time.
    #[error("the certificate of {subject:?} is valid from {not_before} to {not_after}, not now")]
    IssuerValidity {
        /// Whose certificate.
        subject: String,
        /// Its first second.
        not_before: Timestamp,
        /// Its last second.
        not_after: Timestamp,
    },
    /// The chain is not one that may issue (any more).
    #[error("the chain may not issue")]
    Issuer(#[source] IssuerError),
    /// The name constraints of the chain leave this name out.
    #[error("the issuing authority may not certify {0}")]
    NameConstraints(SubjectName),
    /// The linter found errors.
    #[error("the certificate breaks rules: {0}")]
    Lint(Findings),
}

/// An issuing authority.
#[derive(Debug, Clone)]
pub struct Issuer {
    id: String,
    chain: CertificateChain,
    alternates: Vec<CertificateChain>,
    certificate: Certificate,
    key_identifier: Vec<u8>,
    signer: Arc<dyn Signer>,
}

impl Issuer {
    /// Takes a chain, the issuing certificate first, and the signer of its key.
    ///
    /// # Errors
    ///
    /// [`IssuerError`] unless the signer has the key of the first certificate; every certificate is an authority's, with
    /// keyCertSign (and cRLSign for the first), for server certificates if it is restricted at all; each is signed by
    /// the next; and no path length constraint is exceeded.
    pub fn new(chain: CertificateChain, signer: Arc<dyn Signer>) -> Result<Self, IssuerError> {
        let certificate = chain.certificates().first().ok_or(IssuerError::NoSubject)?.clone();
        if signer.public_key() != certificate.public_key() {
            return Err(IssuerError::Key(certificate.subject_text()));
        }
        check_authorities(&chain)?;
        check_signatures(&chain)?;
        let digest = certificate.sha256();
        let id = data_encoding::HEXLOWER.encode(digest.get(..ID_OCTETS).unwrap_or(&digest));
        let key_identifier = match certificate.subject_key_identifier() {
            Some(identifier) => identifier.to_vec(),
            None => return Err(IssuerError::NoKeyIdentifier(certificate.subject_text())),
        };
        Ok(Self { id, chain, alternates: Vec::new(), certificate, key_identifier, signer })
    }

    /// The same issuer with further chains for its certificates, to other roots (RFC 8555 section 7.4.2): each begins with
    /// a certificate of the issuing name and key.
    ///
    /// # Errors
    ///
    /// [`IssuerError`] unless each is as sound as the chain of [`Issuer::new`], verifies what this issuer signs, and is
    /// named once.
    pub fn with_alternates(mut self, alternates: Vec<CertificateChain>) -> Result<Self, IssuerError> {
        for alternate in alternates {
            let first = alternate.certificates().first().ok_or(IssuerError::NoSubject)?;
            let certifies_us = first.subject_der() == self.certificate.subject_der()
                && first.public_key() == self.certificate.public_key()
                && first.subject_key_identifier() == Some(self.key_identifier());
            let offered = std::iter::once(&self.chain).chain(&self.alternates);
            // As clients get them: a root at the end makes no other chain.
            let known = offered.map(CertificateChain::below_root).any(|chain| chain == alternate.below_root());
            if !certifies_us || known {
                return Err(IssuerError::Alternate {
                    subject: first.subject_text(),
                    key_identifier: data_encoding::HEXUPPER.encode(self.key_identifier()),
                });
            }
            check_authorities(&alternate)?;
            check_signatures(&alternate)?;
            self.alternates.push(alternate);
        }
        Ok(self)
    }

    /// The issuer's name in URLs and the store: the first 10 octets of the SHA-256 of its certificate, in lower-case hex.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The issuing certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The issuing certificate and those above it.
    #[must_use]
    pub fn chain(&self) -> &CertificateChain {
        &self.chain
    }

    /// Further chains for the same certificates, in the order in which they were given.
    #[must_use]
    pub fn alternates(&self) -> &[CertificateChain] {
        &self.alternates
    }

    /// Those by which a certificate of these names verifies now, each with its place among all, from 1.
    pub fn alternates_for(
        &self,
        names: &BTreeSet<SubjectName>,
        now: Timestamp,
    ) -> impl Iterator<Item = (usize, &CertificateChain)> {
        let valid = move |one: &Certificate| one.not_before() <= now && now.whole_seconds() <= one.not_after();
        let usable = move |(_, chain): &(usize, &CertificateChain)| {
            chain.certificates().iter().all(valid) && names.iter().all(|name| permits(chain, name))
        };
        (1..).zip(&self.alternates).filter(usable)
    }

    /// The issuing key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.certificate.public_key()
    }

    /// The algorithm certificates and CRLs are signed with.
    #[must_use]
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.public_key().kind().signature_algorithm()
    }

    /// What authorityKeyIdentifier of issued certificates says: the subjectKeyIdentifier of the issuing certificate.
    #[must_use]
    pub fn key_identifier(&self) -> &[u8] {
        &self.key_identifier
    }

    /// The first certificate of the chain that leaves no clients' certificates (clientAuth), if there is one.
    #[must_use]
    pub fn without_client_auth(&self) -> Option<String> {
        let chain = self.chain.certificates().iter();
        chain.filter(|one| !serves(one, oid::CLIENT_AUTH)).map(Certificate::subject_text).next()
    }

    /// Whether the name constraints of the whole chain leave this name (RFC 5280 section 4.2.1.10).
    #[must_use]
    pub fn permits(&self, name: &SubjectName) -> bool {
        permits(&self.chain, name)
    }

    /// Checks that this authority may sign a certificate now, and lints it.
    ///
    /// # Errors
    ///
    /// [`PrepareError`] if a certificate of the chain is not valid at `now` or may not issue, if its name constraints
    /// leave a name out, or if the linter finds an error. Nothing is signed then.
    pub fn prepare(&self, tbs: TbsCertificate, now: Timestamp) -> Result<Prepared, PrepareError> {
        for certificate in self.chain.certificates() {
            if now < certificate.not_before() || now.whole_seconds() > certificate.not_after() {
                return Err(PrepareError::IssuerValidity {
                    subject: certificate.subject_text(),
                    not_before: certificate.not_before(),
                    not_after: certificate.not_after(),
                });
            }
        }
        check_authorities(&self.chain).map_err(PrepareError::Issuer)?;
        if let Some(name) = tbs.names().iter().find(|name| !self.permits(name)) {
            return Err(PrepareError::NameConstraints(name.clone()));
        }
        lint::run(&tbs.der, &lint::Expected::new(&tbs, &self.certificate, &self.key_identifier, now))
            .map_err(PrepareError::Lint)?;
        Ok(Prepared { tbs })
    }

    /// Signs what was prepared, reads the result back and compares.
    ///
    /// # Errors
    ///
    /// [`IssueError`] if there is no signature, or it does not verify, or the certificate read back is not the one that
    /// was prepared. After [`crate::SignError::Unavailable`] it is unknown whether a signature exists: the serial number must not
    /// be used again.
    pub async fn sign(&self, prepared: Prepared) -> Result<Certificate, IssueError> {
        let tbs = &prepared.tbs;
        let der = sign_object(self.signer.as_ref(), self.public_key(), &tbs.der).await?;
        let certificate = Certificate::parse(&der).map_err(IssueError::Certificate)?;
        if certificate.tbs_der() != tbs.der {
            return Err(IssueError::Differs);
        }
        Ok(certificate)
    }

    /// Signs a CRL of this authority.
    ///
    /// With `idp_url` it is the CRL of the subscriber certificates that name this URL as their distribution point
    /// (issuingDistributionPoint, critical); without, it covers every certificate of the authority.
    ///
    /// # Errors
    ///
    /// [`IssueError`] if nextUpdate is not after thisUpdate, or as for certificates.
    pub async fn crl(
        &self,
        number: u64,
        this_update: Timestamp,
        next_update: Timestamp,
        revoked: &[RevokedEntry],
        idp_url: Option<&str>,
    ) -> Result<CertificateList, IssueError> {
        let scope = idp_url.map_or(CrlScope::Everything, |url| CrlScope::Shard { url });
        create_crl(&self.certificate, self.signer.as_ref(), number, this_update, next_update, revoked, scope).await
    }
}

fn permits(chain: &CertificateChain, name: &SubjectName) -> bool {
    let mut constraints = chain.certificates().iter().filter_map(Certificate::name_constraints);
    constraints.all(|constraints| constraints.allow(name))
}

/// A certificate that was linted and may be signed. Made by [`Issuer::prepare`] alone.
#[derive(Debug)]
pub struct Prepared {
    tbs: TbsCertificate,
}

impl Prepared {
    /// The serial number it will have.
    #[must_use]
    pub fn serial(&self) -> &SerialNumber {
        &self.tbs.serial
    }

    /// The bytes that will be signed.
    #[must_use]
    pub fn tbs_der(&self) -> &[u8] {
        &self.tbs.der
    }

    /// SHA-256 of [`Prepared::tbs_der`].
    #[must_use]
    pub fn tbs_sha256(&self) -> [u8; 32] {
        sha256(&self.tbs.der)
    }

    /// Its first second.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.tbs.not_before
    }

    /// Its last second.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.tbs.not_after
    }

    /// The names it will carry.
    #[must_use]
    pub fn names(&self) -> &BTreeSet<SubjectName> {
        self.tbs.names()
    }

    /// The key it will certify.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.tbs.public_key
    }
}

/// The extensions of an authority's certificate that may be critical: RFC 5280 section 4.2 has every client process them,
/// and this code does. Constraints on policies are not among them, since our certificates need not assert one.
const PROCESSED: [ObjectIdentifier; 5] =
    [oid::BASIC_CONSTRAINTS, oid::KEY_USAGE, oid::EXT_KEY_USAGE, oid::NAME_CONSTRAINTS, oid::CERTIFICATE_POLICIES];

fn serves(certificate: &Certificate, purpose: ObjectIdentifier) -> bool {
    certificate
        .extended_key_usage()
        .is_none_or(|purposes| purposes.contains(&purpose) || purposes.contains(&oid::ANY_EXTENDED_KEY_USAGE))
}

/// Octets of the certificate's hash in an issuer's id: enough that no two of an operator's issuers meet.
const ID_OCTETS: usize = 10;

/// That every certificate of the chain may do what it is needed for beneath the next one.
fn check_authorities(chain: &CertificateChain) -> Result<(), IssuerError> {
    for (depth, certificate) in chain.certificates().iter().enumerate() {
        let subject = || certificate.subject_text();
        if certificate.subject_der() == [0x30, 0x00] {
            return Err(IssuerError::NoSubject);
        }
        if !certificate.is_ca() {
            return Err(IssuerError::NotAnAuthority(subject()));
        }
        if certificate.key_usage(KeyUsage::KeyCertSign) == Some(false) {
            return Err(IssuerError::KeyUsage { subject: subject(), usage: "the signing of certificates" });
        }
        if depth == 0 && certificate.key_usage(KeyUsage::CrlSign) == Some(false) {
            return Err(IssuerError::KeyUsage { subject: subject(), usage: "the signing of CRLs" });
        }
        let critical = |id: &ObjectIdentifier| certificate.extension(*id).is_some_and(|(critical, _)| critical);
        if let Some(extension) = certificate.extension_ids().find(|id| critical(id) && !PROCESSED.contains(id)) {
            return Err(IssuerError::CriticalExtension { subject: subject(), extension });
        }
        if !serves(certificate, oid::SERVER_AUTH) {
            return Err(IssuerError::ExtendedKeyUsage(subject()));
        }
        // RFC 5280 section 4.2.1.9: how many intermediates may follow; the last certificate of a path is not counted.
        if certificate.path_len().is_some_and(|limit| usize::from(limit) < depth) {
            return Err(IssuerError::PathLength(subject()));
        }
    }
    Ok(())
}

fn check_signatures(chain: &CertificateChain) -> Result<(), IssuerError> {
    for pair in chain.certificates().windows(2) {
        let [certificate, above] = pair else { continue };
        if certificate.issuer_der() != above.subject_der() {
            return Err(IssuerError::Order(certificate.subject_text()));
        }
        if certificate.verify_signed_by(above.public_key()).is_err() {
            return Err(IssuerError::Signature(certificate.subject_text()));
        }
    }
    Ok(())
}
