//! Writing accounts.

use certus_ca::ports::{StoreError, Version};
use certus_ca::state::Account;
use rusqlite::{Connection, OptionalExtension, params};

use super::binding;
use super::fault::Fault;
use crate::operation::Reply;
use crate::rows::{Place, limits_column, millis, version_column};

crate::sql! {
    CREATE = "INSERT INTO accounts (id, version, thumbprint, jwk, contact, created, deactivated, terms, binding_key,
        binding, limits) VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    UPDATE = "UPDATE accounts SET version = version + 1, thumbprint = ?3, jwk = ?4, contact = ?5, deactivated = ?6,
        terms = ?7, limits = ?8, by_operator = ?9
        WHERE id = ?1 AND version = ?2";
    KEY = "SELECT key FROM accounts WHERE id = ?1";
}

pub(super) fn create(connection: &Connection, account: &Account) -> Result<Reply, Fault> {
    let binding_key = match &account.binding {
        Some(bound) => Some(binding::open_key(connection, bound, account.created)?),
        None => None,
    };
    connection.prepare_cached(CREATE)?.execute(params![
        account.id.as_bytes(),
        account.key.thumbprint().as_bytes(),
        account.key.canonical_json(),
        contact_column(account)?,
        millis(account.created),
        account.deactivated.map(millis),
        account.terms,
        binding_key,
        account.binding.as_ref().map(|binding| &binding.jws),
        limits_column(account)?,
    ])?;
    Ok(Reply::Done)
}

pub(super) fn update(connection: &Connection, read: Version, account: &Account) -> Result<Reply, Fault> {
    let changed = connection.prepare_cached(UPDATE)?.execute(params![
        account.id.as_bytes(),
        version_column(read),
        account.key.thumbprint().as_bytes(),
        account.key.canonical_json(),
        contact_column(account)?,
        account.deactivated.map(millis),
        account.terms,
        limits_column(account)?,
        account.revoked,
    ])?;
    if changed == 1 { Ok(Reply::Done) } else { Err(StoreError::Conflict.into()) }
}

/// The row of an account that must be there.
pub(super) fn key_of(connection: &Connection, account: &certus_ca::id::AccountId) -> Result<i64, Fault> {
    let key = connection.prepare_cached(KEY)?.query_row(params![account.as_bytes()], |row| row.get(0)).optional()?;
    key.ok_or_else(|| Place::new("accounts", account.as_bytes()).inconsistent("id").into())
}

fn contact_column(account: &Account) -> Result<String, StoreError> {
    serde_json::to_string(&account.contact).map_err(|error| StoreError::unavailable("contacts cannot be kept", error))
}
