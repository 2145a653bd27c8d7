//! Keys of external account binding: statements, their values, and rows.
//!
//! Who binds an account to a key, revokes one, or spends a serial for an account that is bound, has locked the key's row
//! before (see [`super::batch`]), so that what is counted here does not change until it is committed.

use certus_ca::ports::StoreError;
use certus_ca::state::{AccountBinding, BindingEntry, BindingKey};
use tokio_postgres::Row;

use super::connection::Value;
use super::fault::column;
use super::sql_order::audited;
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

/// Whether the key that an order's account is bound to is for no further certificate; `lease` has the order.
macro_rules! spent {
    () => {
        "SELECT FROM lease JOIN orders ON orders.key = lease.order_key JOIN accounts ON accounts.key = orders.account
            JOIN binding_keys ON binding_keys.key = accounts.binding_key
            WHERE binding_keys.revoked IS NOT NULL OR (binding_keys.quota IS NOT NULL
                AND binding_keys.quota <= (SELECT count(*) FROM accounts AS bound
                    JOIN certificates ON certificates.account = bound.key WHERE bound.binding_key = binding_keys.key)
                + (SELECT count(*) FROM intents JOIN orders AS others ON others.key = intents.order_key
                    JOIN accounts AS bound ON bound.key = others.account
                    WHERE intents.issued IS NULL AND intents.retired IS NULL
                    AND bound.binding_key = binding_keys.key AND others.key <> orders.key))"
    };
}
pub(super) use spent;

crate::sql! {
    CREATE = concat!("WITH made AS (
            INSERT INTO binding_keys (id, sealing_key, secret, names, suffixes, profiles, quota, expires, single_use,
                created, vouches)
            VALUES ($6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING RETURNING key),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'conflict' END AS outcome)", audited!());

    REVOKE = concat!("WITH made AS (
            UPDATE binding_keys SET revoked = $7 WHERE id = $6 AND revoked IS NULL RETURNING key),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'conflict' END AS outcome)", audited!());

    CREATE_BOUND_ACCOUNT = concat!("WITH open AS (
            SELECT key FROM binding_keys WHERE id = $14 AND revoked IS NULL AND (expires IS NULL OR expires > $10)
            AND (NOT single_use OR NOT EXISTS (SELECT FROM accounts WHERE accounts.binding_key = binding_keys.key))),
        made AS (
            INSERT INTO accounts (id, version, thumbprint, jwk, contact, created, deactivated, terms, limits, binding_key, binding)
            SELECT $6, 1, $7, $8, $9, $10::bigint, $11::bigint, $12, $13, open.key, $15 FROM open
            ON CONFLICT DO NOTHING RETURNING key),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'conflict' END AS outcome),
        used AS (
            INSERT INTO audit (at, actor, action, object, request)
            SELECT $1::bigint, $2::text, $16, $17, $5::bytea FROM verdict
            WHERE outcome = 'done' AND $1::bigint IS NOT NULL)", audited!());

    ENTRY = entry!("WHERE id = $1");
    LIST = entry!("WHERE key > $1 ORDER BY key LIMIT $2");
}

pub(super) fn values(key: &BindingKey) -> Result<Vec<Value>, StoreError> {
    let [names, suffixes, profiles] = scope_columns(&key.scope)?;
    Ok(vec![
        Box::new(key.id.as_bytes().to_vec()),
        Box::new(key.secret.key.clone()),
        Box::new(key.secret.octets.clone()),
        Box::new(names),
        Box::new(suffixes),
        Box::new(profiles),
        Box::new(key.scope.quota.map(number_column)),
        Box::new(key.scope.expires.map(millis)),
        Box::new(key.scope.single_use),
        Box::new(millis(key.created)),
        Box::new(key.scope.vouches),
    ])
}

/// The values of a binding, behind those of the account.
pub(super) fn bound(binding: &AccountBinding) -> Vec<Value> {
    vec![
        Box::new(binding.key.as_bytes().to_vec()),
        Box::new(binding.jws.clone()),
        Box::new(certus_ca::audit::Action::BindingKeyUsed.name()),
        Box::new(binding.key.to_string()),
    ]
}

/// A row of [`ENTRY`] or [`LIST`].
pub(super) fn entry(row: &Row) -> Result<BindingEntry, StoreError> {
    BindingRow {
        id: column(row, 1)?,
        sealing_key: column(row, 2)?,
        secret: column(row, 3)?,
        names: column(row, 4)?,
        suffixes: column(row, 5)?,
        profiles: column(row, 6)?,
        quota: column(row, 7)?,
        expires: column(row, 8)?,
        single_use: column(row, 9)?,
        created: column(row, 10)?,
        revoked: column(row, 11)?,
        vouches: column(row, 12)?,
        accounts: column(row, 13)?,
        certificates: column(row, 14)?,
    }
    .into_state()
}
