//! Buckets of rate limits: read and kept in the transaction of the write that they are for.
//!
//! Deliberately absent: whether a write may be had; [`certus_ca::rate_limits`] says so, of what was read here.

use certus_ca::ports::{LimitEntry, Page};
use certus_ca::rate_limits::{Charges, LimitName, Standing};
use certus_pki::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::page::{asked, page};
use crate::operation::Reply;
use crate::rows::{LimitRow, millis};

crate::sql! {
    TAT = "SELECT tat FROM limits WHERE name = ?1 AND subject = ?2";
    KEEP = "INSERT INTO limits (name, subject, tat) VALUES (?1, ?2, ?3)
        ON CONFLICT (name, subject) DO UPDATE SET tat = excluded.tat";
    KEEP_KNOWN = "UPDATE limits SET tat = ?3 WHERE name = ?1 AND subject = ?2";
    CLEAR = "DELETE FROM limits WHERE name = ?1 AND subject = ?2";
    EMPTY = "SELECT key FROM limits WHERE tat <= ?1 LIMIT ?2";
    SWEEP = "DELETE FROM limits WHERE key = ?1 AND tat <= ?2";
    LIST = "SELECT limits.key, limits.name, subject, tat FROM limits JOIN json_each(?1) AS asked ON asked.key = limits.name
        WHERE tat > asked.value AND limits.key > ?2 ORDER BY limits.key LIMIT ?3";
}

/// Where each bucket stands, in the order of the charges.
pub(super) fn known(connection: &Connection, charges: &Charges) -> Result<Vec<Option<Timestamp>>, Fault> {
    if charges.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(TAT)?;
    let mut known = Vec::with_capacity(charges.list().len());
    for charge in charges.list() {
        let values = params![charge.limit.name(), charge.subject];
        let tat: Option<i64> = statement.query_row(values, |row| row.get(0)).optional()?;
        known.push(tat.map(Timestamp::from_unix_millis));
    }
    Ok(known)
}

/// Keeps where buckets stand from now on.
pub(super) fn keep(connection: &Connection, buckets: &[Standing<'_>]) -> Result<(), Fault> {
    for Standing { limit, subject, tat, known_only } in buckets {
        let statement = if *known_only { KEEP_KNOWN } else { KEEP };
        connection.prepare_cached(statement)?.execute(params![limit.name(), subject, millis(*tat)])?;
    }
    Ok(())
}

pub(super) fn clear(connection: &Connection, limit: LimitName, subject: &str) -> Result<Reply, Fault> {
    let cleared = connection.prepare_cached(CLEAR)?.execute(params![limit.name(), subject])?;
    Ok(if cleared == 0 { Reply::Nothing } else { Reply::Done })
}

/// Removes those of these rows that are still empty.
pub(super) fn sweep(connection: &Connection, keys: &[i64], before: Timestamp) -> Result<Reply, Fault> {
    let mut statement = connection.prepare_cached(SWEEP)?;
    let mut swept = 0;
    for key in keys {
        swept += statement.execute(params![key, millis(before)])?;
    }
    Ok(Reply::Changed(u64::try_from(swept).unwrap_or(u64::MAX)))
}

/// The rows of buckets that were empty before that time, some of them.
pub(super) fn empty(connection: &Connection, before: Timestamp, limit: u32) -> Result<Vec<i64>, Fault> {
    let mut statement = connection.prepare_cached(EMPTY)?;
    let found = statement.query_map(params![millis(before), limit], |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn list(
    connection: &Connection,
    later_than: &[(LimitName, Timestamp)],
    after: Option<i64>,
    limit: u32,
) -> Result<Page<LimitEntry>, Fault> {
    let wanted: serde_json::Map<String, serde_json::Value> =
        later_than.iter().map(|(limit, tat)| (limit.name().to_owned(), millis(*tat).into())).collect();
    let wanted = serde_json::Value::Object(wanted).to_string();
    let mut statement = connection.prepare_cached(LIST)?;
    let found = statement.query_map(params![wanted, after.unwrap_or(0), asked(limit)], |row| {
        let found = LimitRow { name: row.get(1)?, subject: row.get(2)?, tat: row.get(3)? };
        Ok((row.get::<_, i64>(0)?, found))
    })?;
    let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(page(found, limit, |(_, row)| row.into_state())?)
}
