//! Certificates, their names, and what became of their intents.

use std::collections::BTreeSet;

use certus_ca::id::{AccountId, CertificateId};
use certus_ca::ports::{CertificateEntry, IntentOutcome, StoreError};
use certus_ca::state::{IssuedCertificate, Revocation};
use certus_pki::{RevocationReason, RevokedEntry, SerialNumber, SubjectName, Timestamp};

use super::Place;

/// A row of `certificates`, with the public ids of its account and issuer.
#[derive(Debug)]
pub(crate) struct CertificateRow {
    pub(crate) key: i64,
    pub(crate) id: Vec<u8>,
    pub(crate) account: Option<Vec<u8>>,
    pub(crate) issuer: String,
    pub(crate) serial: Vec<u8>,
    pub(crate) sha256: Vec<u8>,
    pub(crate) spki_sha256: Vec<u8>,
    pub(crate) profile: String,
    pub(crate) shard: i64,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    pub(crate) issued: i64,
    pub(crate) der: Vec<u8>,
}

/// A row of `certificate_names`.
#[derive(Debug)]
pub(crate) struct NameRow {
    pub(crate) kind: String,
    pub(crate) value: String,
}

impl CertificateRow {
    /// The certificate.
    pub(crate) fn into_state(self, names: &[NameRow]) -> Result<IssuedCertificate, StoreError> {
        let place = Place::new("certificates", &self.id);
        let account = match self.account {
            Some(id) => Some(AccountId::from_bytes(place.octets("account", &id)?)),
            None => None,
        };
        let names: Result<BTreeSet<SubjectName>, StoreError> = names.iter().map(|row| row.to_state(&self.id)).collect();
        Ok(IssuedCertificate {
            id: CertificateId::from_bytes(place.octets("id", &self.id)?),
            account,
            issuer: self.issuer,
            serial: serial(&place, &self.serial)?,
            sha256: place.octets("sha256", &self.sha256)?,
            spki_sha256: place.octets("spki_sha256", &self.spki_sha256)?,
            names: names?,
            profile: self.profile,
            shard: place.number("shard", self.shard)?,
            not_before: Timestamp::from_unix_millis(self.not_before),
            not_after: Timestamp::from_unix_millis(self.not_after),
            issued: Timestamp::from_unix_millis(self.issued),
            der: self.der,
        })
    }
}

/// A certificate in a list.
pub(crate) fn entry(
    id: &[u8],
    issuer: String,
    octets: &[u8],
    profile: String,
    not_after: i64,
    revoked: Option<i64>,
) -> Result<CertificateEntry, StoreError> {
    let place = Place::new("certificates", id);
    Ok(CertificateEntry {
        id: CertificateId::from_bytes(place.octets("id", id)?),
        issuer,
        serial: serial(&place, octets)?,
        names: Vec::new(),
        profile,
        not_after: Timestamp::from_unix_millis(not_after),
        revoked: revoked.map(Timestamp::from_unix_millis),
    })
}

pub(super) fn serial(place: &Place<'_>, octets: &[u8]) -> Result<SerialNumber, StoreError> {
    SerialNumber::from_bytes(octets).ok().ok_or_else(|| place.inconsistent("serial"))
}

impl NameRow {
    pub(super) fn to_state(&self, certificate: &[u8]) -> Result<SubjectName, StoreError> {
        let place = Place::new("certificate_names", certificate);
        let name = match self.kind.as_str() {
            "dns" => SubjectName::parse_dns(&self.value).ok(),
            "ip" => self.value.parse().ok().map(SubjectName::Ip),
            _ => None,
        };
        name.ok_or_else(|| place.inconsistent("value"))
    }
}

/// A name as columns: type, value, and for a DNS name its labels in reverse.
pub(crate) fn column_of(name: &SubjectName) -> (&'static str, String, Option<String>) {
    match name {
        SubjectName::Dns(dns) => ("dns", dns.to_string(), Some(dns.reversed())),
        SubjectName::Wildcard(base) => ("dns", name.to_string(), Some(format!("{}.*", base.reversed()))),
        SubjectName::Ip(address) => ("ip", address.to_string(), None),
    }
}

/// What has become of an intent, from its columns.
pub(crate) fn outcome(serial: &[u8], issued: Option<i64>, retired: Option<i64>) -> Result<IntentOutcome, StoreError> {
    match (issued, retired) {
        (None, None) => Ok(IntentOutcome::Unknown),
        (Some(_), None) => Ok(IntentOutcome::Issued),
        (None, Some(at)) => Ok(IntentOutcome::Retired { at: Timestamp::from_unix_millis(at) }),
        (Some(_), Some(_)) => Err(Place::new("intents", serial).inconsistent("retired")),
    }
}

/// A reason as a column; unspecified is none.
pub(crate) fn reason_column(revocation: Revocation) -> Option<i64> {
    revocation.reason.map(|reason| i64::from(reason.code()))
}

fn reason(place: &Place<'_>, code: Option<i64>) -> Result<Option<RevocationReason>, StoreError> {
    let Some(code) = code else { return Ok(None) };
    let known = u8::try_from(code).ok().and_then(RevocationReason::from_code);
    known.map(Some).ok_or_else(|| place.inconsistent("reason"))
}

/// A revocation, from the columns of its certificate.
pub(crate) fn revocation(id: &[u8], at: Option<i64>, code: Option<i64>) -> Result<Option<Revocation>, StoreError> {
    let Some(at) = at else { return Ok(None) };
    let reason = reason(&Place::new("certificates", id), code)?;
    Ok(Some(Revocation { at: Timestamp::from_unix_millis(at), reason }))
}

/// An entry of a list.
pub(crate) fn revoked_entry(octets: &[u8], at: i64, code: Option<i64>) -> Result<RevokedEntry, StoreError> {
    let place = Place::new("certificates", octets);
    let at = Timestamp::from_unix_millis(at).whole_seconds();
    Ok(RevokedEntry { serial: serial(&place, octets)?, at, reason: reason(&place, code)? })
}
