//! Certificates, and the authority's own (RFC 8555 section 7.4.2).

use std::collections::BTreeSet;
use std::time::Duration;

use certus_pki::{
    Certificate, CertificateChain, IssueError, KeyPair, OwnNames, PermittedKeys, PrepareError, Profile, SerialNumber,
    SubjectName, TbsCertificate, TbsError,
};

use super::{Ca, own_event};
use crate::audit::Action;
use crate::error::CaError;
use crate::id::CertificateId;
use crate::issuance;
use crate::ports::StoreError;
use crate::state::Account;

/// How long the authority's own TLS certificate is valid: replaced every other day without anyone's help, and short so
/// that a stolen key is soon worth nothing.
pub const OWN_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// The name under which own certificates are kept.
pub const OWN_PROFILE: &str = "authority-tls";

impl Ca {
    /// The account's certificate with one of its chains: number 0 is the issuer's own, those from 1 on are its alternates.
    ///
    /// # Errors
    ///
    /// [`CaError::NotFound`] if there is no such certificate, or no chain of that number by which it verifies now; [`CaError::NotYours`].
    pub async fn certificate_chain(
        &self,
        account: &Account,
        id: CertificateId,
        number: usize,
    ) -> Result<Download, CaError> {
        let found = self.inner().store.certificate(id).await?.ok_or(CaError::NotFound("certificate"))?;
        if found.account != Some(account.id) {
            return Err(CaError::NotYours("certificate"));
        }
        let (issuer, kept);
        let chains: Vec<(usize, &CertificateChain)> = match self.issuers().get(&found.issuer) {
            Some(configured) => {
                issuer = configured;
                let usable = issuer.alternates_for(&found.names, self.now());
                std::iter::once((0, issuer.chain())).chain(usable).collect()
            }
            // Issued by an issuer that is no longer configured.
            None => {
                let unknown = || CaError::Internal(format!("the issuer {} is not in the store", found.issuer));
                kept = self.known_chain(&found.issuer).await?.ok_or_else(unknown)?;
                vec![(0, &kept)]
            }
        };
        let (_, chain) = chains.iter().find(|(other, _)| *other == number).ok_or(CaError::NotFound("chain"))?;
        let mut pem = certus_pki::pem::encode("CERTIFICATE", &found.der);
        pem.extend(chain.below_root().iter().map(Certificate::pem));
        let others = chains.iter().map(|(other, _)| *other).filter(|other| *other != number).collect();
        Ok(Download { pem, others })
    }

    /// The chain of an issuer that was ever made known.
    async fn known_chain(&self, id: &str) -> Result<Option<CertificateChain>, CaError> {
        let known = self.inner().store.issuers().await?;
        let Some((_, pem)) = known.into_iter().find(|(known, _)| known == id) else { return Ok(None) };
        CertificateChain::from_pem(&pem).map(Some).map_err(|error| CaError::Internal(error.to_string()))
    }

    /// The certificate of an issuer that was ever made known, in DER.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn issuer_certificate(&self, id: &str) -> Result<Option<Vec<u8>>, CaError> {
        let chain = self.known_chain(id).await?;
        Ok(chain.and_then(|chain| Some(chain.certificates().first()?.der().to_vec())))
    }

    /// A new TLS certificate for the authority itself: the external URL's host, and what a laboratory adds.
    ///
    /// It goes the same way as any other from `prepare` on: linted, intent recorded, signed once, kept. Returns the
    /// chain, leaf first.
    ///
    /// # Errors
    ///
    /// [`OwnCertificateError`].
    pub async fn issue_own(
        &self,
        names: BTreeSet<SubjectName>,
        key: &KeyPair,
    ) -> Result<CertificateChain, OwnCertificateError> {
        let inner = self.inner();
        let now = self.now();
        inner.clock_guard.check(now).map_err(|newest| OwnCertificateError::Clock { now, newest })?;
        // The one place that asserts whose names these are: the caller's, out of the configuration.
        let names = OwnNames::assertion(names).ok_or(OwnCertificateError::NoNames)?;
        let default = &self.issuers().default_profile;
        let rule =
            self.issuers().profiles.get(default).ok_or_else(|| OwnCertificateError::NoProfile(default.clone()))?;
        let issuer = rule.issuer_for(key.public_key());
        // Not a client, and its key is not one that somebody asks for.
        let profile = Profile {
            name: OWN_PROFILE.to_owned(),
            lifetime: OWN_LIFETIME,
            client_auth: false,
            keys: PermittedKeys::default(),
            ..rule.profile.clone()
        };
        let serial = SerialNumber::random();
        let shard = issuance::shard_of(&serial, self.issuers().shards);
        let publications = self.issuers().publications(issuer.id(), shard);
        let tbs = TbsCertificate::new(&profile, names, key.public_key(), serial, issuer, &publications, now)?;
        let prepared = issuer.prepare(tbs, now)?;
        let intent = issuance::intent(None, issuer.id(), shard, &prepared, now);
        let audit = own_event(now, Action::IntentRecorded, intent.serial.to_string());
        inner.store.record_own_intent(&intent, audit).await?;
        // COMMIT POINT: past this line the serial is spent, whatever happens.
        let certificate = issuer.sign(prepared).await?;
        let kept = issuance::issued(None, issuer.id(), &profile.name, shard, &certificate, now);
        let audit = own_event(now, Action::CertificateIssued, kept.id.to_string());
        inner.store.complete_own(&kept, audit).await?;
        let chain = std::iter::once(certificate).chain(issuer.chain().certificates().iter().cloned()).collect();
        CertificateChain::new(chain).ok_or(OwnCertificateError::NoNames)
    }
}

/// A certificate as it is downloaded.
#[derive(Debug)]
pub struct Download {
    /// `application/pem-certificate-chain` (RFC 8555 section 9.1).
    pub pem: String,
    /// The numbers of the certificate's other chains.
    pub others: Vec<usize>,
}

/// Why the authority has no new TLS certificate.
#[derive(Debug, thiserror::Error)]
pub enum OwnCertificateError {
    /// No names were given.
    #[error("the authority's own certificate has no names")]
    NoNames,
    /// The default profile is not configured.
    #[error("the default profile {0:?} is not one of the profiles")]
    NoProfile(String),
    /// The clock is behind.
    #[error("the clock says {now}, but the store was written to at {newest}; set the clock")]
    Clock {
        /// What the clock says.
        now: certus_pki::Timestamp,
        /// The newest time in the store.
        newest: certus_pki::Timestamp,
    },
    /// It could not be built.
    #[error("the authority's own certificate could not be built")]
    Build(#[from] TbsError),
    /// It may not be signed.
    #[error("the authority may not sign its own TLS certificate: {0}")]
    Prepare(#[from] PrepareError),
    /// It was not signed.
    #[error("the authority's own certificate was not signed")]
    Sign(#[from] IssueError),
    /// The store failed.
    #[error("the authority's own certificate could not be recorded")]
    Store(#[from] StoreError),
}
