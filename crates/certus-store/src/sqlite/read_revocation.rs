//! Reading certificates by digest and serial, what lists must have, and blocked keys.

use certus_acme::Identifier;
use certus_ca::id::AccountId;
use certus_ca::ports::{CertificateKey, CurrentCrl, ShardState};
use certus_ca::state::KnownCertificate;
use certus_pki::{RevokedEntry, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::read_certificate::{COLUMNS, names, row};
use crate::rows::{self, Place, millis};

crate::sql! {
    BY_DIGEST = concat!(COLUMNS!(), " WHERE certificates.sha256 = ?1");
    // Serials are unique with each issuer.
    BY_SERIAL = concat!(COLUMNS!(), " WHERE certificates.issuer IN (SELECT key FROM issuers) AND serial = ?1");
    HELD = "SELECT 1 FROM authorizations JOIN accounts ON accounts.key = authorizations.account
        WHERE accounts.id = ?1 AND type = ?2 AND value = ?3 AND authorizations.deactivated IS NULL
        AND settled IS NOT NULL AND authorizations.expires > ?4
        AND EXISTS (SELECT 1 FROM challenges WHERE authorization_key = authorizations.key AND validated IS NOT NULL)";
    BLOCKED = "SELECT 1 FROM blocked_keys WHERE spki_sha256 = ?1";
    REVOKED = "SELECT serial, revoked, reason FROM certificates
        WHERE issuer = (SELECT key FROM issuers WHERE id = ?1) AND shard = ?2 AND revoked IS NOT NULL AND not_after >= ?3
        UNION ALL SELECT serial, retired, NULL FROM intents
        WHERE issuer = (SELECT key FROM issuers WHERE id = ?1) AND shard = ?2 AND retired IS NOT NULL AND not_after >= ?3
        ORDER BY 2, 1";
    SHARD = "SELECT revocations FROM shards WHERE issuer = (SELECT key FROM issuers WHERE id = ?1) AND shard = ?2";
    CURRENT = "SELECT number, this_update, revocations FROM crls
        WHERE issuer = (SELECT key FROM issuers WHERE id = ?1) AND shard = ?2";
}

pub(super) fn find(connection: &Connection, by: &CertificateKey) -> Result<Vec<KnownCertificate>, Fault> {
    let (sql, value) = match by {
        CertificateKey::Digest(digest) => (BY_DIGEST, digest.as_slice()),
        CertificateKey::Serial(serial) => (BY_SERIAL, serial.as_bytes()),
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query(params![value])?;
    let mut certificates = Vec::new();
    while let Some(one) = found.next()? {
        let (row, revoked, reason) = (row(one)?, one.get(13)?, one.get(14)?);
        let names = names(connection, row.key)?;
        let revocation = rows::revocation(&row.id, revoked, reason)?;
        certificates.push(KnownCertificate { certificate: row.into_state(&names)?, revocation });
    }
    Ok(certificates)
}

pub(super) fn holds(
    connection: &Connection,
    account: AccountId,
    identifiers: &[Identifier],
    now: Timestamp,
) -> Result<bool, Fault> {
    let mut statement = connection.prepare_cached(HELD)?;
    for identifier in identifiers {
        if !statement.exists(params![account.as_bytes(), identifier.kind(), identifier.value(), millis(now)])? {
            return Ok(false);
        }
    }
    Ok(!identifiers.is_empty())
}

pub(super) fn blocked(connection: &Connection, spki_sha256: &[u8; 32]) -> Result<bool, Fault> {
    Ok(connection.prepare_cached(BLOCKED)?.exists(params![spki_sha256])?)
}

pub(super) fn revoked(
    connection: &Connection,
    issuer: &str,
    shard: u32,
    ends_from: Timestamp,
) -> Result<Vec<RevokedEntry>, Fault> {
    let mut statement = connection.prepare_cached(REVOKED)?;
    let mut found = statement.query(params![issuer, shard, millis(ends_from)])?;
    let mut entries = Vec::new();
    while let Some(row) = found.next()? {
        let serial: Vec<u8> = row.get(0)?;
        entries.push(rows::revoked_entry(&serial, row.get(1)?, row.get(2)?)?);
    }
    Ok(entries)
}

pub(super) fn shard_state(connection: &Connection, issuer: &str, shard: u32) -> Result<ShardState, Fault> {
    let place = Place::new("shards", issuer.as_bytes());
    let count: Option<i64> =
        connection.prepare_cached(SHARD)?.query_row(params![issuer, shard], |row| row.get(0)).optional()?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get::<_, i64>(2)?));
    let current = connection.prepare_cached(CURRENT)?.query_row(params![issuer, shard], read).optional()?;
    let current = match current {
        None => None,
        Some((number, this_update, revocations)) => Some(CurrentCrl {
            number: place.number("number", number)?,
            this_update: Timestamp::from_unix_millis(this_update),
            revocations: place.number("revocations", revocations)?,
        }),
    };
    Ok(ShardState { revocations: place.number("revocations", count.unwrap_or(0))?, current })
}
