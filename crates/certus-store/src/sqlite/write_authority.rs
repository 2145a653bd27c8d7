//! Writing what belongs to the authority itself: settings, issuers, lists.

use certus_ca::ports::{StoreError, StoredCrl};
use certus_pki::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use crate::operation::Reply;
use crate::rows::{Place, millis, number_column};

crate::sql! {
    SETTING = "INSERT INTO settings (name, value) VALUES (?1, ?2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    ISSUER = "INSERT INTO issuers (id, chain, registered) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING";
    ISSUER_KEY = "SELECT key FROM issuers WHERE id = ?1";
    SHARD = "INSERT INTO shards (issuer, shard) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    CRL = "INSERT INTO crls (issuer, shard, number, this_update, next_update, der, revocations)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (issuer, shard) DO UPDATE SET number = excluded.number, this_update = excluded.this_update,
        next_update = excluded.next_update, der = excluded.der, revocations = excluded.revocations
        WHERE excluded.number > crls.number";
    PROBE = "INSERT INTO settings (name, value) VALUES ('', '')";
    UNPROBE = "DELETE FROM settings WHERE name = ''";
}

pub(super) fn setting(connection: &Connection, name: &str, value: &str) -> Result<Reply, Fault> {
    connection.prepare_cached(SETTING)?.execute(params![name, value])?;
    Ok(Reply::Done)
}

pub(super) fn issuer(connection: &Connection, id: &str, chain_pem: &str, at: Timestamp) -> Result<Reply, Fault> {
    match connection.prepare_cached(ISSUER)?.execute(params![id, chain_pem, millis(at)])? {
        0 => Ok(Reply::Nothing),
        _ => Ok(Reply::Done),
    }
}

/// The row of an issuer that must be known.
pub(super) fn issuer_key(connection: &Connection, id: &str) -> Result<i64, Fault> {
    let key = connection.prepare_cached(ISSUER_KEY)?.query_row(params![id], |row| row.get(0)).optional()?;
    key.ok_or_else(|| Place::new("issuers", id.as_bytes()).inconsistent("id").into())
}

/// The issuer has something in that shard.
pub(super) fn shard(connection: &Connection, issuer: i64, shard: u32) -> Result<(), Fault> {
    connection.prepare_cached(SHARD)?.execute(params![issuer, shard])?;
    Ok(())
}

pub(super) fn crl(connection: &Connection, crl: &StoredCrl) -> Result<Reply, Fault> {
    let issuer = issuer_key(connection, &crl.issuer)?;
    let changed = connection.prepare_cached(CRL)?.execute(params![
        issuer,
        crl.shard,
        number_column(crl.number),
        millis(crl.this_update),
        millis(crl.next_update),
        crl.der,
        number_column(crl.revocations),
    ])?;
    if changed == 0 {
        return Err(StoreError::Conflict.into());
    }
    shard(connection, issuer, crl.shard)?;
    Ok(Reply::Done)
}

pub(super) fn probe(connection: &Connection) -> Result<Reply, Fault> {
    // Pages are written, so that a full disk is noticed, and nothing is changed.
    connection.prepare_cached(PROBE)?.execute([])?;
    connection.prepare_cached(UNPROBE)?.execute([])?;
    Ok(Reply::Done)
}
