//! Revoking and blocking for the operator.

use anyhow::{Context, bail};
use certus_ca::Ca;
use certus_ca::ports::CertificateKey;
use certus_pki::{RevocationReason, SerialNumber};
use data_encoding::HEXLOWER_PERMISSIVE;

use super::words::{WHERE_ACCOUNTS_ARE, account_id, told};
use crate::status::{Blocked, Revoked, RevokedAccount};

/// Revokes the one certificate that is meant.
pub(super) async fn revoke(
    ca: &Ca,
    user: u32,
    sha256: Option<String>,
    serial: Option<String>,
    reason: Option<u8>,
) -> anyhow::Result<Revoked> {
    let key = match (sha256, serial) {
        (Some(sha256), None) => CertificateKey::Digest(digest(&sha256)?),
        (None, Some(serial)) => CertificateKey::Serial(self::serial(&serial)?),
        (Some(_), Some(_)) | (None, None) => bail!("a certificate is named by its digest or its serial"),
    };
    let reason = match reason {
        Some(code) => Some(RevocationReason::from_code(code).context("there is no such reason")?),
        None => None,
    };
    let mut found = ca.store().find_certificates(&key).await?;
    let Some(known) = found.pop() else {
        bail!("no such certificate was issued here; certus ca certificates lists those that were");
    };
    if !found.is_empty() {
        bail!("several issuers have used this serial; name the certificate with --certificate FILE");
    }
    ca.revoke_as_operator(user, &known, reason).await?;
    let certificate = known.certificate;
    let again = ca.store().find_certificates(&CertificateKey::Digest(certificate.sha256)).await?;
    let kept = again.into_iter().find(|one| one.certificate.id == certificate.id).and_then(|one| one.revocation);
    let kept = kept.context("the certificate is not revoked")?;
    Ok(Revoked {
        id: certificate.id.to_string(),
        issuer: certificate.issuer,
        serial: certificate.serial.to_string(),
        names: certificate.names.iter().map(ToString::to_string).collect(),
        revoked: kept.at.rfc3339(),
        reason: kept.reason.map(RevocationReason::code),
        key_blocked: ca.store().key_blocked(&certificate.spki_sha256).await?,
    })
}

/// Blocks a key.
pub(super) async fn block(ca: &Ca, user: u32, spki_sha256: &str) -> anyhow::Result<Blocked> {
    let spki_sha256 = digest(spki_sha256)?;
    ca.block_key(user, &spki_sha256).await?;
    Ok(Blocked { spki_sha256: crate::plan::hex(&spki_sha256) })
}

/// Revokes an account.
pub(super) async fn revoke_account(ca: &Ca, user: u32, account: &str) -> anyhow::Result<RevokedAccount> {
    let id = account_id(account)?;
    let over = ca.revoke_account(user, id).await.map_err(|error| told(error, WHERE_ACCOUNTS_ARE))?;
    let since = over.deactivated.context("the account is not revoked")?;
    Ok(RevokedAccount { account: id.to_string(), status: over.status().to_string(), since: since.rfc3339() })
}

fn octets(text: &str) -> anyhow::Result<Vec<u8>> {
    // As OpenSSL prints them, too.
    HEXLOWER_PERMISSIVE.decode(text.replace(':', "").as_bytes()).with_context(|| format!("{text:?} is not hexadecimal"))
}

fn digest(text: &str) -> anyhow::Result<[u8; 32]> {
    octets(text)?.try_into().ok().with_context(|| format!("{text:?} is no SHA-256, which has 64 hexadecimal digits"))
}

fn serial(text: &str) -> anyhow::Result<SerialNumber> {
    SerialNumber::from_bytes(&octets(text)?).with_context(|| format!("{text:?} is no serial"))
}
