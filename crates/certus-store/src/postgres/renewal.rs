//! Rules that move times to renew, and what else decides them: statements, their values, and rows.
//!
//! Who orders a replacement, or keeps that there is one, has locked the certificate that is replaced (see
//! [`super::batch`]), so that of two orders on two nodes the second one sees the first.

use certus_ca::ports::StoreError;
use certus_ca::state::{Renewable, RenewalRule};
use tokio_postgres::Row;

use super::connection::Value;
use super::fault::column;
use super::sql_order::audited;
use crate::rows::{NameRow, RenewableRow, RuleRow};

macro_rules! rule {
    ($from:literal) => {
        concat!(
            "SELECT key, id, issuers, profiles, keys, names, accounts, window_start, window_end, explanation, author, made,
        ends, ended FROM renewal_rules ",
            $from
        )
    };
}

/// Whether the row of `certificates` is replaced, or an order that is not invalid at that time is to replace it.
macro_rules! replaced {
    ($now:literal) => {
        concat!(
            "(certificates.replaced_by IS NOT NULL OR EXISTS (SELECT FROM orders WHERE orders.replaces = certificates.key
            AND orders.failed IS NULL AND (orders.finalized IS NOT NULL OR (orders.closed IS NULL AND orders.expires > ",
            $now,
            "))))"
        )
    };
}
pub(super) use replaced;

crate::sql! {
    CREATE = concat!("WITH made AS (
            INSERT INTO renewal_rules (id, issuers, profiles, keys, names, accounts, window_start, window_end, explanation,
                author, made, ends)
            VALUES ($6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING RETURNING key),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'conflict' END AS outcome)", audited!());

    END = concat!("WITH made AS (
            UPDATE renewal_rules SET ended = $7 WHERE id = $6 AND ended IS NULL RETURNING key),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'conflict' END AS outcome)", audited!());

    RULE = rule!("WHERE id = $1");
    LIST = rule!("WHERE key > $1 ORDER BY key LIMIT $2");
    ACTIVE = rule!("WHERE ended IS NULL AND ends > $1 ORDER BY ends, key");
    // Serials are unique with each issuer.
    RENEWABLES = "SELECT certificates.id, accounts.id, issuers.id, serial, spki_sha256, profile, not_before, not_after,
        issued, revoked,
        ARRAY (SELECT type FROM certificate_names WHERE certificate = certificates.key ORDER BY position),
        ARRAY (SELECT value FROM certificate_names WHERE certificate = certificates.key ORDER BY position)
        FROM certificates JOIN issuers ON issuers.key = certificates.issuer
        LEFT JOIN accounts ON accounts.key = certificates.account
        WHERE certificates.issuer IN (SELECT key FROM issuers) AND serial = $1";
    NAMED = "SELECT EXISTS (SELECT FROM orders WHERE replaces = (SELECT key FROM certificates WHERE id = $1))";
    REPLACED = concat!("SELECT EXISTS (SELECT FROM certificates WHERE id = $1 AND ", replaced!("$2"), ")");
}

pub(super) fn values(rule: &RenewalRule) -> Result<Vec<Value>, StoreError> {
    let row = RuleRow::of(rule)?;
    Ok(vec![
        Box::new(row.id),
        Box::new(row.issuers),
        Box::new(row.profiles),
        Box::new(row.keys),
        Box::new(row.names),
        Box::new(row.accounts),
        Box::new(row.window_start),
        Box::new(row.window_end),
        Box::new(row.explanation),
        Box::new(row.author),
        Box::new(row.made),
        Box::new(row.ends),
    ])
}

/// A row of [`RULE`], [`LIST`] or [`ACTIVE`].
pub(super) fn rule(row: &Row) -> Result<RenewalRule, StoreError> {
    RuleRow {
        id: column(row, 1)?,
        issuers: column(row, 2)?,
        profiles: column(row, 3)?,
        keys: column(row, 4)?,
        names: column(row, 5)?,
        accounts: column(row, 6)?,
        window_start: column(row, 7)?,
        window_end: column(row, 8)?,
        explanation: column(row, 9)?,
        author: column(row, 10)?,
        made: column(row, 11)?,
        ends: column(row, 12)?,
        ended: column(row, 13)?,
    }
    .into_state()
}

/// A row of [`RENEWABLES`].
pub(super) fn renewable(row: &Row) -> Result<Renewable, StoreError> {
    let (kinds, values): (Vec<String>, Vec<String>) = (column(row, 10)?, column(row, 11)?);
    let names: Vec<NameRow> = kinds.into_iter().zip(values).map(|(kind, value)| NameRow { kind, value }).collect();
    RenewableRow {
        id: column(row, 0)?,
        account: column(row, 1)?,
        issuer: column(row, 2)?,
        serial: column(row, 3)?,
        spki_sha256: column(row, 4)?,
        profile: column(row, 5)?,
        not_before: column(row, 6)?,
        not_after: column(row, 7)?,
        issued: column(row, 8)?,
        revoked: column(row, 9)?,
    }
    .into_state(&names)
}
