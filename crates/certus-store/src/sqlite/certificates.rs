//! Intents and certificates.

use certus_ca::id::{AccountId, CertificateId, OrderId};
use certus_ca::ports::{CertificateEntry, IntentOutcome, Page, StoreError};
use certus_ca::state::{Intent, IssuedCertificate};
use certus_pki::{DnsName, SerialNumber, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::accounts::key_of;
use super::failed;
use crate::rows::{self, bytes, inconsistent};

fn issuer_key(connection: &Connection, id: &str) -> Result<i64, StoreError> {
    connection
        .prepare_cached("SELECT key FROM issuer WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([id], |r| r.get(0)).optional())
        .map_err(failed)?
        .ok_or_else(|| inconsistent("issuer", "id", id))
}

/// Spends a serial.
pub(super) fn record_intent(connection: &Connection, intent: &Intent) -> Result<(), StoreError> {
    let issuer = issuer_key(connection, &intent.issuer)?;
    connection
        .prepare_cached(
            "INSERT INTO intent (issuer, serial, order_id, tbs_sha256, shard, not_after, recorded) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                issuer,
                intent.serial.as_bytes(),
                intent.order.map(|order| *order.as_bytes()),
                intent.tbs_sha256,
                intent.shard,
                intent.not_after.unix_millis(),
                intent.recorded.unix_millis(),
            ])
        })
        .map_err(failed)?;
    Ok(())
}

/// Retires whatever intents of an order have no outcome.
pub(super) fn retire_intents(connection: &Connection, order: OrderId, at: Timestamp) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE intent SET retired = ?2 WHERE order_id = ?1 AND issued IS NULL AND retired IS NULL")
        .and_then(|mut statement| statement.execute(params![order.as_bytes(), at.unix_millis()]))
        .map_err(failed)?;
    Ok(())
}

/// Marks the intent of a certificate as issued. `LeaseLost` when it was retired in between.
pub(super) fn settle_intent(connection: &Connection, certificate: &IssuedCertificate) -> Result<(), StoreError> {
    let issuer = issuer_key(connection, &certificate.issuer)?;
    let settled = connection
        .prepare_cached(
            "UPDATE intent SET issued = ?3 WHERE issuer = ?1 AND serial = ?2 AND issued IS NULL AND retired IS NULL",
        )
        .and_then(|mut statement| {
            let (serial, issued) = (certificate.serial.as_bytes(), certificate.issued.unix_millis());
            statement.execute(params![issuer, serial, issued])
        })
        .map_err(failed)?;
    if settled == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
}

pub(super) fn intent_outcome(
    connection: &Connection,
    issuer: &str,
    serial: &SerialNumber,
) -> Result<Option<IntentOutcome>, StoreError> {
    let found: Option<(Option<i64>, Option<i64>)> = connection
        .prepare_cached(
            "SELECT issued, retired FROM intent WHERE issuer = (SELECT key FROM issuer WHERE id = ?1) AND serial = ?2",
        )
        .and_then(|mut statement| {
            statement.query_row(params![issuer, serial.as_bytes()], |r| Ok((r.get(0)?, r.get(1)?))).optional()
        })
        .map_err(failed)?;
    match found {
        None => Ok(None),
        Some((None, None)) => Ok(Some(IntentOutcome::Unknown)),
        Some((Some(_), None)) => Ok(Some(IntentOutcome::Issued)),
        Some((None, Some(at))) => Ok(Some(IntentOutcome::Retired { at: rows::time(at) })),
        Some((Some(_), Some(_))) => Err(inconsistent("intent", "retired", serial)),
    }
}

/// Keeps a certificate and its names.
pub(super) fn insert(connection: &Connection, certificate: &IssuedCertificate) -> Result<i64, StoreError> {
    let issuer = issuer_key(connection, &certificate.issuer)?;
    let account = certificate.account.map(|id| key_of(connection, id)).transpose()?;
    connection
        .prepare_cached(
            "INSERT INTO certificate (id, issuer, serial, der, sha256, spki_sha256, account, profile, shard, \
             not_before, not_after, issued) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                certificate.id.as_bytes(),
                issuer,
                certificate.serial.as_bytes(),
                certificate.der,
                certificate.sha256,
                certificate.spki_sha256,
                account,
                certificate.profile,
                certificate.shard,
                certificate.not_before.unix_millis(),
                certificate.not_after.unix_millis(),
                certificate.issued.unix_millis(),
            ])
        })
        .map_err(failed)?;
    let key = connection.last_insert_rowid();
    for name in &certificate.names {
        let (kind, value, reversed) = rows::name_row(name);
        connection
            .prepare_cached("INSERT INTO certificate_name (certificate, type, value, reversed) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut statement| statement.execute(params![key, kind, value, reversed]))
            .map_err(failed)?;
    }
    Ok(key)
}

/// Ties the evidence of an order's authorizations to its certificate, for as long as that is kept.
pub(super) fn keep_evidence(connection: &Connection, certificate: i64, order: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO certificate_evidence (certificate, evidence) SELECT ?1, c.evidence FROM order_authorization oa \
             JOIN challenge c ON c.authorization = oa.authorization WHERE oa.acme_order = ?2 AND c.evidence IS NOT NULL",
        )
        .and_then(|mut statement| statement.execute([certificate, order]))
        .map_err(failed)?;
    Ok(())
}

pub(super) fn certificate(connection: &Connection, id: CertificateId) -> Result<Option<IssuedCertificate>, StoreError> {
    type Row = (i64, String, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Option<Vec<u8>>, String, u32, [i64; 3]);
    let found: Option<Row> = connection
        .prepare_cached(
            "SELECT c.key, i.id, c.serial, c.der, c.sha256, c.spki_sha256, a.id, c.profile, c.shard, c.not_before, \
             c.not_after, c.issued FROM certificate c JOIN issuer i ON i.key = c.issuer \
             LEFT JOIN account a ON a.key = c.account WHERE c.id = ?1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([id.as_bytes()], |r| {
                    let times = [r.get(9)?, r.get(10)?, r.get(11)?];
                    Ok((
                        r.get(0)?,
                        r.get(1)?,
                        r.get(2)?,
                        r.get(3)?,
                        r.get(4)?,
                        r.get(5)?,
                        r.get(6)?,
                        r.get(7)?,
                        r.get(8)?,
                        times,
                    ))
                })
                .optional()
        })
        .map_err(failed)?;
    let Some((key, issuer, serial, der, sha256, spki, account, profile, shard, times)) = found else {
        return Ok(None);
    };
    let account = match account {
        Some(octets) => Some(AccountId::from_bytes(bytes("account", "id", &octets)?)),
        None => None,
    };
    let [not_before, not_after, issued] = times.map(rows::time);
    Ok(Some(IssuedCertificate {
        id,
        account,
        issuer,
        serial: serial_of(&serial)?,
        der,
        sha256: bytes("certificate", "sha256", &sha256)?,
        spki_sha256: bytes("certificate", "spki_sha256", &spki)?,
        names: rows::names(names(connection, key)?)?,
        profile,
        shard,
        not_before,
        not_after,
        issued,
    }))
}

fn serial_of(octets: &[u8]) -> Result<SerialNumber, StoreError> {
    SerialNumber::from_bytes(octets).map_err(|_| inconsistent("certificate", "serial", "a row"))
}

fn names(connection: &Connection, certificate: i64) -> Result<Vec<(String, String)>, StoreError> {
    connection
        .prepare_cached("SELECT type, value FROM certificate_name WHERE certificate = ?1")
        .and_then(|mut statement| statement.query_map([certificate], |r| Ok((r.get(0)?, r.get(1)?)))?.collect())
        .map_err(failed)
}

pub(super) fn page(
    connection: &Connection,
    suffix: Option<&str>,
    after: Option<i64>,
    limit: u32,
) -> Result<Page<CertificateEntry>, StoreError> {
    type Row = (i64, Vec<u8>, String, Vec<u8>, String, i64, Option<i64>);
    const COLUMNS: &str = "SELECT c.key, c.id, i.id, c.serial, c.profile, c.not_after, c.revoked FROM certificate c \
                           JOIN issuer i ON i.key = c.issuer";
    let after = after.unwrap_or(0);
    let read =
        |r: &rusqlite::Row<'_>| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?, r.get(6)?));
    let found: Vec<Row> = match suffix {
        None => connection
            .prepare_cached(&format!("{COLUMNS} WHERE c.key > ?1 ORDER BY c.key LIMIT ?2"))
            .and_then(|mut statement| statement.query_map(params![after, limit], read)?.collect())
            .map_err(failed)?,
        Some(suffix) => {
            // Reversed, a suffix is a prefix: everything from "com.example." up to, not including, "com.example/".
            let Ok(name) = DnsName::parse(suffix) else { return Ok(Page { entries: Vec::new(), next: None }) };
            let exact = name.reversed();
            let (from, to) = (format!("{exact}."), format!("{exact}/"));
            connection
                .prepare_cached(&format!(
                    "{COLUMNS} WHERE c.key IN (SELECT certificate FROM certificate_name WHERE reversed = ?3 UNION \
                     SELECT certificate FROM certificate_name WHERE reversed >= ?4 AND reversed < ?5) AND c.key > ?1 \
                     ORDER BY c.key LIMIT ?2"
                ))
                .and_then(|mut statement| statement.query_map(params![after, limit, exact, from, to], read)?.collect())
                .map_err(failed)?
        }
    };
    let full = u32::try_from(found.len()).is_ok_and(|count| count == limit);
    let next = found.last().map(|row| row.0).filter(|_| full);
    let entries = found
        .into_iter()
        .map(|(key, id, issuer, serial, profile, not_after, revoked)| {
            Ok(CertificateEntry {
                id: CertificateId::from_bytes(bytes("certificate", "id", &id)?),
                issuer,
                serial: serial_of(&serial)?,
                names: names(connection, key)?.into_iter().map(|(_, value)| value).collect(),
                profile,
                not_after: rows::time(not_after),
                revoked: revoked.map(rows::time),
            })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(Page { entries, next })
}
