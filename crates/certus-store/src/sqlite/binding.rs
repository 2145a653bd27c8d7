//! Keys of external account binding: writing and reading them.

use certus_ca::id::BindingKeyId;
use certus_ca::ports::{Page, StoreError};
use certus_ca::state::{AccountBinding, BindingEntry, BindingKey};
use certus_pki::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::fault::Fault;
use super::page::{asked, page};
use crate::operation::Reply;
use crate::rows::{BindingRow, millis, number_column, scope_columns};

macro_rules! entry {
    ($from:literal) => {
        concat!(
            "SELECT key, id, sealing_key, secret, names, suffixes, profiles, quota, expires, single_use, created, revoked,
        vouches, (SELECT count(*) FROM accounts WHERE binding_key = binding_keys.key),
        (SELECT count(*) FROM accounts JOIN certificates ON certificates.account = accounts.key
            WHERE accounts.binding_key = binding_keys.key)
        FROM binding_keys ",
            $from
        )
    };
}

crate::sql! {
    CREATE = "INSERT INTO binding_keys (id, sealing_key, secret, names, suffixes, profiles, quota, expires, single_use,
        created, vouches) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    REVOKE = "UPDATE binding_keys SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL";
    OPEN = "SELECT key FROM binding_keys WHERE id = ?1 AND revoked IS NULL AND (expires IS NULL OR expires > ?2)
        AND (NOT single_use OR NOT EXISTS (SELECT 1 FROM accounts WHERE accounts.binding_key = binding_keys.key))";
    /// A revoked key, or one whose certificates are all issued or on their way for other orders.
    SPENT = "SELECT 1 FROM orders JOIN accounts ON accounts.key = orders.account
        JOIN binding_keys ON binding_keys.key = accounts.binding_key
        WHERE orders.key = ?1 AND (binding_keys.revoked IS NOT NULL OR (binding_keys.quota IS NOT NULL
            AND binding_keys.quota <= (SELECT count(*) FROM accounts AS bound
                JOIN certificates ON certificates.account = bound.key WHERE bound.binding_key = binding_keys.key)
            + (SELECT count(*) FROM intents JOIN orders AS others ON others.key = intents.order_key
                JOIN accounts AS bound ON bound.key = others.account
                WHERE intents.issued IS NULL AND intents.retired IS NULL
                AND bound.binding_key = binding_keys.key AND others.key <> orders.key)))";
    ENTRY = entry!("WHERE id = ?1");
    LIST = entry!("WHERE key > ?1 ORDER BY key LIMIT ?2");
}

pub(super) fn create(connection: &Connection, key: &BindingKey) -> Result<Reply, Fault> {
    let [names, suffixes, profiles] = scope_columns(&key.scope)?;
    connection.prepare_cached(CREATE)?.execute(params![
        key.id.as_bytes(),
        key.secret.key,
        key.secret.octets,
        names,
        suffixes,
        profiles,
        key.scope.quota.map(number_column),
        key.scope.expires.map(millis),
        key.scope.single_use,
        millis(key.created),
        key.scope.vouches,
    ])?;
    Ok(Reply::Done)
}

pub(super) fn revoke(connection: &Connection, id: BindingKeyId, at: Timestamp) -> Result<Reply, Fault> {
    match connection.prepare_cached(REVOKE)?.execute(params![id.as_bytes(), millis(at)])? {
        1 => Ok(Reply::Done),
        _ => Err(StoreError::Conflict.into()),
    }
}

/// The row of a key that binds an account that is made at that time. `Conflict` when it binds none.
pub(super) fn open_key(connection: &Connection, binding: &AccountBinding, at: Timestamp) -> Result<i64, Fault> {
    let mut statement = connection.prepare_cached(OPEN)?;
    let key = statement.query_row(params![binding.key.as_bytes(), millis(at)], |row| row.get(0)).optional()?;
    key.ok_or_else(|| StoreError::Conflict.into())
}

/// Whether the key that an order's account is bound to is for no further certificate.
pub(super) fn is_spent(connection: &Connection, order_key: i64) -> Result<bool, Fault> {
    Ok(connection.prepare_cached(SPENT)?.exists([order_key])?)
}

pub(super) fn entry(connection: &Connection, id: BindingKeyId) -> Result<Option<BindingEntry>, Fault> {
    let mut statement = connection.prepare_cached(ENTRY)?;
    let found = statement.query_row(params![id.as_bytes()], row).optional()?;
    Ok(found.map(|(_, row)| row.into_state()).transpose()?)
}

pub(super) fn list(connection: &Connection, after: Option<i64>, limit: u32) -> Result<Page<BindingEntry>, Fault> {
    let mut statement = connection.prepare_cached(LIST)?;
    let found = statement.query_map(params![after.unwrap_or(0), asked(limit)], row)?;
    let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(page(found, limit, |(_, row)| row.into_state())?)
}

fn row(row: &Row<'_>) -> rusqlite::Result<(i64, BindingRow)> {
    let found = BindingRow {
        id: row.get(1)?,
        sealing_key: row.get(2)?,
        secret: row.get(3)?,
        names: row.get(4)?,
        suffixes: row.get(5)?,
        profiles: row.get(6)?,
        quota: row.get(7)?,
        expires: row.get(8)?,
        single_use: row.get(9)?,
        created: row.get(10)?,
        revoked: row.get(11)?,
        vouches: row.get(12)?,
        accounts: row.get(13)?,
        certificates: row.get(14)?,
    };
    Ok((row.get(0)?, found))
}
