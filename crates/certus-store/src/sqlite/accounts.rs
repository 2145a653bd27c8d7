//! Accounts and the audit.

use certus_acme::Thumbprint;
use certus_ca::audit::AuditEvent;
use certus_ca::id::AccountId;
use certus_ca::ports::{OpenCounts, StoreError, Stored, Version};
use certus_ca::state::Account;
use certus_pki::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::failed;
use crate::rows;

const COLUMNS: &str = "SELECT key, id, jwk, created, deactivated, version FROM account WHERE ";

pub(super) fn by_id(connection: &Connection, id: AccountId) -> Result<Option<Stored<Account>>, StoreError> {
    read(connection, &format!("{COLUMNS} id = ?1"), id.as_bytes())
}

pub(super) fn by_thumbprint(connection: &Connection, key: &Thumbprint) -> Result<Option<Stored<Account>>, StoreError> {
    read(connection, &format!("{COLUMNS} thumbprint = ?1"), key.as_bytes())
}

type Row = (i64, Vec<u8>, String, i64, Option<i64>, u64);

fn read(connection: &Connection, sql: &str, name: &[u8]) -> Result<Option<Stored<Account>>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let found: Option<Row> = statement
        .query_row([name], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?)))
        .optional()
        .map_err(failed)?;
    let Some((key, id, jwk, created, deactivated, version)) = found else { return Ok(None) };
    let mut contacts = connection
        .prepare_cached("SELECT url FROM account_contact WHERE account = ?1 ORDER BY place")
        .map_err(failed)?;
    let contact = contacts.query_map([key], |r| r.get(0)).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    let value = Account {
        id: AccountId::from_bytes(rows::bytes("account", "id", &id)?),
        key: rows::jwk(&jwk)?,
        contact,
        created: rows::time(created),
        deactivated: deactivated.map(rows::time),
    };
    Ok(Some(Stored { value, version: Version(version) }))
}

pub(super) fn create(connection: &Connection, account: &Account) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO account (id, thumbprint, jwk, created, deactivated, version) VALUES (?1, ?2, ?3, ?4, ?5, 1)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                account.id.as_bytes(),
                account.key.thumbprint().as_bytes(),
                account.key.canonical_json(),
                account.created.unix_millis(),
                account.deactivated.map(Timestamp::unix_millis),
            ])
        })
        .map_err(failed)?;
    contacts(connection, connection.last_insert_rowid(), account)
}

pub(super) fn update(connection: &Connection, read: Version, account: &Account) -> Result<(), StoreError> {
    let key: Option<i64> = connection
        .prepare_cached(
            "UPDATE account SET deactivated = ?3, version = version + 1 WHERE id = ?1 AND version = ?2 RETURNING key",
        )
        .and_then(|mut statement| {
            let deactivated = account.deactivated.map(Timestamp::unix_millis);
            statement.query_row(params![account.id.as_bytes(), read.0, deactivated], |r| r.get(0)).optional()
        })
        .map_err(failed)?;
    let key = key.ok_or(StoreError::Conflict)?;
    connection
        .prepare_cached("DELETE FROM account_contact WHERE account = ?1")
        .and_then(|mut statement| statement.execute([key]))
        .map_err(failed)?;
    contacts(connection, key, account)
}

fn contacts(connection: &Connection, key: i64, account: &Account) -> Result<(), StoreError> {
    for (place, url) in account.contact.iter().enumerate() {
        connection
            .prepare_cached("INSERT INTO account_contact (account, place, url) VALUES (?1, ?2, ?3)")
            .and_then(|mut statement| statement.execute(params![key, place, url]))
            .map_err(failed)?;
    }
    Ok(())
}

pub(super) fn open_counts(connection: &Connection, id: AccountId, now: Timestamp) -> Result<OpenCounts, StoreError> {
    let count = |sql: &str| -> Result<u64, StoreError> {
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(params![id.as_bytes(), now.unix_millis()], |r| r.get(0)))
            .map_err(failed)
    };
    Ok(OpenCounts {
        orders: count(
            "SELECT count(*) FROM acme_order WHERE account = (SELECT key FROM account WHERE id = ?1) AND expires > ?2 \
             AND issued IS NULL AND failed IS NULL",
        )?,
        authorizations: count(
            "SELECT count(*) FROM authorization WHERE account = (SELECT key FROM account WHERE id = ?1) \
             AND expires > ?2 AND decided IS NULL AND deactivated IS NULL",
        )?,
    })
}

/// The key of an account that must be there.
pub(super) fn key_of(connection: &Connection, id: AccountId) -> Result<i64, StoreError> {
    connection
        .prepare_cached("SELECT key FROM account WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([id.as_bytes()], |r| r.get(0)).optional())
        .map_err(failed)?
        .ok_or_else(|| rows::inconsistent("account", "id", id))
}

/// Writes an entry of the audit, in the transaction of what it tells.
pub(super) fn audit(connection: &Connection, event: &AuditEvent) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO audit (at, actor, action, object, request) VALUES (?1, ?2, ?3, ?4, ?5)")
        .and_then(|mut statement| {
            statement.execute(params![
                event.at.unix_millis(),
                event.actor.to_string(),
                event.action.name(),
                event.object,
                event.request.map(|request| *request.as_bytes()),
            ])
        })
        .map_err(failed)?;
    Ok(())
}
