//! Rules that move times to renew, and what else decides them: writing and reading.

use certus_ca::id::{CertificateId, RenewalRuleId};
use certus_ca::ports::{Page, StoreError};
use certus_ca::state::{Renewable, RenewalRule};
use certus_pki::{SerialNumber, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::fault::Fault;
use super::page::{asked, page};
use super::read_certificate::names;
use crate::operation::Reply;
use crate::rows::{RenewableRow, RuleRow, millis};

macro_rules! rule {
    ($from:literal) => {
        concat!(
            "SELECT key, id, issuers, profiles, keys, names, accounts, window_start, window_end, explanation, author, made,
        ends, ended FROM renewal_rules ",
            $from
        )
    };
}

crate::sql! {
    CREATE = "INSERT INTO renewal_rules (id, issuers, profiles, keys, names, accounts, window_start, window_end,
        explanation, author, made, ends) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    END = "UPDATE renewal_rules SET ended = ?2 WHERE id = ?1 AND ended IS NULL";
    RULE = rule!("WHERE id = ?1");
    LIST = rule!("WHERE key > ?1 ORDER BY key LIMIT ?2");
    ACTIVE = rule!("WHERE ended IS NULL AND ends > ?1 ORDER BY ends, key");
    // Serials are unique with each issuer.
    RENEWABLES = "SELECT certificates.key, certificates.id, accounts.id, issuers.id, serial, spki_sha256, profile,
        not_before, not_after, issued, revoked
        FROM certificates JOIN issuers ON issuers.key = certificates.issuer
        LEFT JOIN accounts ON accounts.key = certificates.account
        WHERE certificates.issuer IN (SELECT key FROM issuers) AND serial = ?1";
    /// Whether the certificate is replaced, or an order that is not invalid is to replace it.
    REPLACED = "SELECT 1 FROM certificates WHERE id = ?1 AND (replaced_by IS NOT NULL OR EXISTS (
        SELECT 1 FROM orders WHERE orders.replaces = certificates.key AND failed IS NULL
        AND (finalized IS NOT NULL OR (closed IS NULL AND expires > ?2))))";
    NAMED = "SELECT 1 FROM orders WHERE replaces = (SELECT key FROM certificates WHERE id = ?1)";
    REPLACE = "UPDATE certificates SET replaced_by = ?2 WHERE id = ?1 AND replaced_by IS NULL";
}

pub(super) fn create(connection: &Connection, rule: &RenewalRule) -> Result<Reply, Fault> {
    let row = RuleRow::of(rule)?;
    connection.prepare_cached(CREATE)?.execute(params![
        row.id,
        row.issuers,
        row.profiles,
        row.keys,
        row.names,
        row.accounts,
        row.window_start,
        row.window_end,
        row.explanation,
        row.author,
        row.made,
        row.ends,
    ])?;
    Ok(Reply::Done)
}

pub(super) fn end(connection: &Connection, id: RenewalRuleId, at: Timestamp) -> Result<Reply, Fault> {
    match connection.prepare_cached(END)?.execute(params![id.as_bytes(), millis(at)])? {
        1 => Ok(Reply::Done),
        _ => Err(StoreError::Conflict.into()),
    }
}

pub(super) fn rule(connection: &Connection, id: RenewalRuleId) -> Result<Option<RenewalRule>, Fault> {
    let mut statement = connection.prepare_cached(RULE)?;
    let found = statement.query_row(params![id.as_bytes()], row).optional()?;
    Ok(found.map(|(_, row)| row.into_state()).transpose()?)
}

pub(super) fn list(connection: &Connection, after: Option<i64>, limit: u32) -> Result<Page<RenewalRule>, Fault> {
    let mut statement = connection.prepare_cached(LIST)?;
    let found = statement.query_map(params![after.unwrap_or(0), asked(limit)], row)?;
    let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(page(found, limit, |(_, row)| row.into_state())?)
}

pub(super) fn active(connection: &Connection, now: Timestamp) -> Result<Vec<RenewalRule>, Fault> {
    let mut statement = connection.prepare_cached(ACTIVE)?;
    let found = statement.query_map(params![millis(now)], row)?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(found.into_iter().map(|(_, row)| row.into_state()).collect::<Result<_, _>>()?)
}

fn row(row: &Row<'_>) -> rusqlite::Result<(i64, RuleRow)> {
    let found = RuleRow {
        id: row.get(1)?,
        issuers: row.get(2)?,
        profiles: row.get(3)?,
        keys: row.get(4)?,
        names: row.get(5)?,
        accounts: row.get(6)?,
        window_start: row.get(7)?,
        window_end: row.get(8)?,
        explanation: row.get(9)?,
        author: row.get(10)?,
        made: row.get(11)?,
        ends: row.get(12)?,
        ended: row.get(13)?,
    };
    Ok((row.get(0)?, found))
}

pub(super) fn renewables(connection: &Connection, serial: &SerialNumber) -> Result<Vec<Renewable>, Fault> {
    let mut statement = connection.prepare_cached(RENEWABLES)?;
    let mut found = statement.query(params![serial.as_bytes()])?;
    let mut certificates = Vec::new();
    while let Some(row) = found.next()? {
        let names = names(connection, row.get(0)?)?;
        let facts = RenewableRow {
            id: row.get(1)?,
            account: row.get(2)?,
            issuer: row.get(3)?,
            serial: row.get(4)?,
            spki_sha256: row.get(5)?,
            profile: row.get(6)?,
            not_before: row.get(7)?,
            not_after: row.get(8)?,
            issued: row.get(9)?,
            revoked: row.get(10)?,
        };
        certificates.push(facts.into_state(&names)?);
    }
    Ok(certificates)
}

pub(super) fn is_replaced(connection: &Connection, certificate: CertificateId, now: Timestamp) -> Result<bool, Fault> {
    Ok(connection.prepare_cached(REPLACED)?.exists(params![certificate.as_bytes(), millis(now)])?)
}

/// Whether any order is to replace it.
pub(super) fn is_named(connection: &Connection, certificate: CertificateId) -> Result<bool, Fault> {
    Ok(connection.prepare_cached(NAMED)?.exists(params![certificate.as_bytes()])?)
}

/// Keeps that a certificate was replaced by the one of that key.
pub(super) fn replace(connection: &Connection, certificate: CertificateId, by: i64) -> Result<(), Fault> {
    connection.prepare_cached(REPLACE)?.execute(params![certificate.as_bytes(), by])?;
    Ok(())
}
