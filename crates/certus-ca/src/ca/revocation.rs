//! Revoking certificates (RFC 8555 section 7.6) and blocking keys.

use certus_acme::{Identifier, Jwk, ProblemKind};
use certus_pki::{PublicKey, RevocationReason, Timestamp};

use super::{Ca, retry_conflicts};
use crate::audit::{Action, Actor, AuditEvent};
use crate::error::CaError;
use crate::id::RequestId;
use crate::ports::CertificateKey;
use crate::state::{Account, IssuedCertificate, KnownCertificate, Revocation};

/// The reasons that a subscriber may give (RFC 5280 section 5.3.1, BR 7.2.2): numbers of `CRLReason`. unspecified is
/// written by leaving the reason out; privilegeWithdrawn is the authority's to give.
const SUBSCRIBER_REASONS: [(i64, Option<RevocationReason>); 5] = [
    (0, None),
    (1, Some(RevocationReason::KeyCompromise)),
    (3, Some(RevocationReason::AffiliationChanged)),
    (4, Some(RevocationReason::Superseded)),
    (5, Some(RevocationReason::CessationOfOperation)),
];

/// Who wants a certificate revoked, as the signature of the request shows.
#[derive(Debug, Clone)]
pub enum Revoker {
    /// An account.
    Account(Box<Account>),
    /// Whoever has this key.
    Key(Jwk),
}

/// By what right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    /// The account that it was issued to.
    Owner,
    /// Another account, which controls every name of it.
    Control,
    /// Its key.
    Key,
    /// The authority's operator.
    Operator,
}

impl Ca {
    /// Revokes a certificate for a client. `der` is compared whole with what was issued; `reason` is a number of
    /// `CRLReason`.
    ///
    /// # Errors
    ///
    /// `badRevocationReason`; `malformed` with 404 for a certificate that was not issued here; `unauthorized`;
    /// `alreadyRevoked`.
    pub async fn revoke(
        &self,
        request: RequestId,
        revoker: &Revoker,
        der: &[u8],
        reason: Option<i64>,
    ) -> Result<(), CaError> {
        let reason = subscriber_reason(reason)?;
        retry_conflicts!(self.try_revoke(request, revoker, der, reason).await)
    }

    async fn try_revoke(
        &self,
        request: RequestId,
        revoker: &Revoker,
        der: &[u8],
        reason: Option<RevocationReason>,
    ) -> Result<(), CaError> {
        let digest = certus_pki::crypto::sha256(der);
        let found = self.inner().store.find_certificates(&CertificateKey::Digest(digest)).await?;
        let known = found.into_iter().find(|one| one.certificate.der == der).ok_or_else(not_ours)?;
        let now = self.now();
        let right = self.right_of(revoker, &known, now).await?;
        let reason = match (right, reason) {
            // BR 4.9.1.1: who controls the names knows that they are no longer its subject's, and nothing of its key.
            (Right::Control, None | Some(RevocationReason::CessationOfOperation)) => {
                Some(RevocationReason::CessationOfOperation)
            }
            (Right::Control, Some(_)) => {
                let detail =
                    "an account that this certificate was not issued to may only give cessationOfOperation (5)";
                return Err(CaError::refused(ProblemKind::BadRevocationReason, detail));
            }
            (Right::Owner | Right::Key | Right::Operator, reason) => reason,
        };
        let actor = match revoker {
            Revoker::Account(account) => Actor::Account(account.id),
            Revoker::Key(_) => Actor::KeyHolder,
        };
        self.keep_revocation(&known, right, reason, now, actor, Some(request)).await
    }

    /// Revokes for the operator, who may also give privilegeWithdrawn.
    ///
    /// # Errors
    ///
    /// `alreadyRevoked`, and what the store says.
    pub async fn revoke_as_operator(
        &self,
        uid: u32,
        known: &KnownCertificate,
        reason: Option<RevocationReason>,
    ) -> Result<(), CaError> {
        self.keep_revocation(known, Right::Operator, reason, self.now(), Actor::Operator { uid }, None).await
    }

    async fn keep_revocation(
        &self,
        known: &KnownCertificate,
        right: Right,
        reason: Option<RevocationReason>,
        now: Timestamp,
        actor: Actor,
        request: Option<RequestId>,
    ) -> Result<(), CaError> {
        let KnownCertificate { certificate, revocation: before } = known;
        let compromised = reason == Some(RevocationReason::KeyCompromise);
        // An account only claims it; whoever has the key has shown it.
        let block_key = compromised && matches!(right, Right::Key | Right::Operator);
        let at = match before {
            None => now,
            // BR 4.9.1.1: what was revoked otherwise is known as compromised from then on.
            Some(before) if block_key && before.reason != reason => before.at,
            Some(before) => {
                if block_key {
                    self.block_for_good(certificate, now, &actor, request).await?;
                }
                let detail = format!("this certificate was revoked at {}", before.at.rfc3339());
                return Err(CaError::refused(ProblemKind::AlreadyRevoked, detail));
            }
        };
        // Its lists no longer have it (RFC 5280 section 3.3), so that nobody would hear of it.
        if now > certificate.not_after {
            if block_key {
                self.block_for_good(certificate, now, &actor, request).await?;
            }
            let detail =
                format!("this certificate ended at {}; there is nothing to revoke", certificate.not_after.rfc3339());
            return Err(CaError::malformed(detail));
        }
        let object = certificate.id.to_string();
        let audit = AuditEvent { at: now, actor, action: Action::CertificateRevoked, object, request };
        // COMMIT POINT: past this line the certificate is revoked, and its CRL due.
        Ok(self.inner().store.revoke(known, Revocation { at, reason }, block_key, audit).await?)
    }

    /// Blocks the key of a certificate that cannot be revoked (any more): its compromise was shown all the same.
    async fn block_for_good(
        &self,
        certificate: &IssuedCertificate,
        now: Timestamp,
        actor: &Actor,
        request: Option<RequestId>,
    ) -> Result<(), CaError> {
        let object = data_encoding::HEXLOWER.encode(&certificate.spki_sha256);
        let audit = AuditEvent { at: now, actor: *actor, action: Action::KeyBlocked, object, request };
        Ok(self.inner().store.block_key(&certificate.spki_sha256, audit).await?)
    }

    async fn right_of(&self, revoker: &Revoker, known: &KnownCertificate, now: Timestamp) -> Result<Right, CaError> {
        let certificate = &known.certificate;
        match revoker {
            Revoker::Key(key) if key.public_key().spki_sha256() == certificate.spki_sha256 => Ok(Right::Key),
            Revoker::Key(_) => {
                let detail =
                    "the key that signed is not the certificate's; sign with that, or with \"kid\" of an account";
                Err(CaError::refused(ProblemKind::Unauthorized, detail))
            }
            Revoker::Account(account) if certificate.account == Some(account.id) => Ok(Right::Owner),
            Revoker::Account(account) => {
                let identifiers: Vec<Identifier> = certificate.names.iter().map(Identifier::of).collect();
                if self.inner().store.holds(account.id, &identifiers, now).await? {
                    return Ok(Right::Control);
                }
                let detail = "this certificate was issued to another account; get an authorization for each of its \
                              identifiers first, or sign with its key";
                Err(CaError::refused(ProblemKind::Unauthorized, detail))
            }
        }
    }

    /// Blocks a key for ever, for the operator. Nothing happens when it is blocked.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn block_key(&self, uid: u32, spki_sha256: &[u8; 32]) -> Result<(), CaError> {
        let object = data_encoding::HEXLOWER.encode(spki_sha256);
        let actor = Actor::Operator { uid };
        let audit = AuditEvent { at: self.now(), actor, action: Action::KeyBlocked, object, request: None };
        Ok(self.inner().store.block_key(spki_sha256, audit).await?)
    }

    /// Sees that a key was not blocked.
    pub(crate) async fn check_not_blocked(&self, key: &PublicKey, kind: ProblemKind) -> Result<(), CaError> {
        if self.inner().store.key_blocked(&key.spki_sha256()).await? {
            return Err(CaError::refused(kind, "this key is known to be compromised; make another"));
        }
        Ok(())
    }
}

fn subscriber_reason(code: Option<i64>) -> Result<Option<RevocationReason>, CaError> {
    let Some(code) = code else { return Ok(None) };
    let known = SUBSCRIBER_REASONS.iter().find(|(number, _)| *number == code);
    known.map(|(_, reason)| *reason).ok_or_else(|| {
        let detail = format!(
            "the reason {code} is not allowed; leave it out, or give 0 (unspecified), 1 (keyCompromise), 3 \
             (affiliationChanged), 4 (superseded) or 5 (cessationOfOperation)"
        );
        CaError::refused(ProblemKind::BadRevocationReason, detail)
    })
}

fn not_ours() -> CaError {
    let detail =
        "this is no certificate that was issued here; send the certificate alone, not its chain, as it was issued";
    CaError::Refused(certus_acme::Problem::new(ProblemKind::Malformed, detail).with_status(404))
}
