//! Reading certificates and intents.

use certus_ca::id::CertificateId;
use certus_ca::ports::{CertificateEntry, IntentOutcome, Page};
use certus_ca::state::IssuedCertificate;
use certus_pki::SerialNumber;
use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::page::{asked, page};
use crate::rows::{self, CertificateRow, NameRow};
use crate::suffix::Suffix;

/// The columns that [`row`] reads, and behind them those of the revocation.
macro_rules! COLUMNS {
    () => {
        "SELECT certificates.key, certificates.id, accounts.id, issuers.id, serial, sha256, spki_sha256, profile,
        shard, not_before, not_after, issued, der, revoked, reason
        FROM certificates JOIN issuers ON issuers.key = certificates.issuer
        LEFT JOIN accounts ON accounts.key = certificates.account"
    };
}
pub(super) use COLUMNS;

crate::sql! {
    CERTIFICATE = concat!(COLUMNS!(), " WHERE certificates.id = ?1");
    NAMES = "SELECT type, value FROM certificate_names WHERE certificate = ?1 ORDER BY position";
    LIST = "SELECT certificates.key, certificates.id, issuers.id, serial, profile, not_after, revoked
        FROM certificates JOIN issuers ON issuers.key = certificates.issuer
        WHERE certificates.key > ?1 ORDER BY certificates.key LIMIT ?2";
    /// Certificates with a name that is the suffix or lies beneath it: a prefix of the reversed form.
    LIST_WITHIN = "SELECT certificates.key, certificates.id, issuers.id, serial, profile, not_after, revoked
        FROM certificates JOIN issuers ON issuers.key = certificates.issuer
        WHERE certificates.key IN (SELECT certificate FROM certificate_names
            WHERE certificate > ?1 AND (reversed = ?3 OR (reversed >= ?4 AND reversed < ?5))
            GROUP BY certificate ORDER BY certificate LIMIT ?2)
        ORDER BY certificates.key";
    OUTCOME = "SELECT intents.issued, intents.retired FROM intents JOIN issuers ON issuers.key = intents.issuer
        WHERE issuers.id = ?1 AND intents.serial = ?2";
}

pub(super) fn certificate(connection: &Connection, id: CertificateId) -> Result<Option<IssuedCertificate>, Fault> {
    let mut statement = connection.prepare_cached(CERTIFICATE)?;
    let found = statement.query_row(params![id.as_bytes()], row).optional()?;
    let Some(row) = found else { return Ok(None) };
    let names = names(connection, row.key)?;
    Ok(Some(row.into_state(&names)?))
}

/// The columns of a certificate.
pub(super) fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<CertificateRow> {
    Ok(CertificateRow {
        key: row.get(0)?,
        id: row.get(1)?,
        account: row.get(2)?,
        issuer: row.get(3)?,
        serial: row.get(4)?,
        sha256: row.get(5)?,
        spki_sha256: row.get(6)?,
        profile: row.get(7)?,
        shard: row.get(8)?,
        not_before: row.get(9)?,
        not_after: row.get(10)?,
        issued: row.get(11)?,
        der: row.get(12)?,
    })
}

pub(super) fn names(connection: &Connection, certificate: i64) -> Result<Vec<NameRow>, Fault> {
    let mut statement = connection.prepare_cached(NAMES)?;
    let rows =
        statement.query_map(params![certificate], |row| Ok(NameRow { kind: row.get(0)?, value: row.get(1)? }))?;
    Ok(rows.collect::<rusqlite::Result<Vec<NameRow>>>()?)
}

pub(super) fn list(
    connection: &Connection,
    suffix: Option<&str>,
    after: Option<i64>,
    limit: u32,
) -> Result<Page<CertificateEntry>, Fault> {
    let after = after.unwrap_or(0);
    let wanted = asked(limit);
    let mut entries = Vec::new();
    let mut take = |row: &rusqlite::Row<'_>| -> Result<(), Fault> {
        let id: Vec<u8> = row.get(1)?;
        let serial: Vec<u8> = row.get(3)?;
        let entry = rows::entry(&id, row.get(2)?, &serial, row.get(4)?, row.get(5)?, row.get(6)?)?;
        entries.push((row.get::<_, i64>(0)?, entry));
        Ok(())
    };
    match suffix {
        None => {
            let mut statement = connection.prepare_cached(LIST)?;
            let mut found = statement.query(params![after, wanted])?;
            while let Some(row) = found.next()? {
                take(row)?;
            }
        }
        Some(suffix) => {
            let Suffix { exact, from, to } = Suffix::of(suffix);
            let mut statement = connection.prepare_cached(LIST_WITHIN)?;
            let mut found = statement.query(params![after, wanted, exact, from, to])?;
            while let Some(row) = found.next()? {
                take(row)?;
            }
        }
    }
    page(entries, limit, |(key, mut entry)| {
        entry.names = names(connection, key)?.into_iter().map(|name| name.value).collect();
        Ok(entry)
    })
}

pub(super) fn outcome(
    connection: &Connection,
    issuer: &str,
    serial: &SerialNumber,
) -> Result<Option<IntentOutcome>, Fault> {
    let mut statement = connection.prepare_cached(OUTCOME)?;
    let values = params![issuer, serial.as_bytes()];
    let found = statement.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((issued, retired)) = found else { return Ok(None) };
    Ok(Some(rows::outcome(serial.as_bytes(), issued, retired)?))
}
