//! Reading what belongs to the authority itself.

use certus_ca::id::{ProcessId, RequestId};
use certus_ca::job::Lease;
use certus_ca::ports::{AuditEntry, Page, StoredCrl};
use certus_pki::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::page::{asked, page};
use super::write_job::now;
use crate::rows::{self, Place};

crate::sql! {
    FREE_JOBS = concat!("SELECT 1 FROM jobs WHERE process IS NULL AND due <= ", now!(), " LIMIT 1");
    LEASES = "SELECT jobs.id, jobs.fence FROM jobs JOIN processes ON processes.key = jobs.process
        WHERE processes.id = ?1";
    SETTING = "SELECT value FROM settings WHERE name = ?1";
    ISSUERS = "SELECT id, chain FROM issuers ORDER BY key";
    CRL = "SELECT crls.number, crls.this_update, crls.next_update, crls.der, crls.revocations FROM crls
        JOIN issuers ON issuers.key = crls.issuer WHERE issuers.id = ?1 AND crls.shard = ?2";
    SHARDS = "SELECT shard FROM shards JOIN issuers ON issuers.key = shards.issuer WHERE issuers.id = ?1 ORDER BY shard";
    NEWEST = "SELECT max(at) FROM audit";
    AUDIT = "SELECT key, at, actor, action, object, request FROM audit WHERE key > ?1 ORDER BY key LIMIT ?2";
}

pub(super) fn has_free_jobs(connection: &Connection) -> Result<bool, Fault> {
    Ok(connection.prepare_cached(FREE_JOBS)?.exists([])?)
}

pub(super) fn leases(connection: &Connection, process: ProcessId) -> Result<Vec<Lease>, Fault> {
    let mut statement = connection.prepare_cached(LEASES)?;
    let mut found = statement.query(params![process.as_bytes()])?;
    let mut leases = Vec::new();
    while let Some(row) = found.next()? {
        leases.push(rows::lease(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?, row.get(1)?)?);
    }
    Ok(leases)
}

pub(super) fn setting(connection: &Connection, name: &str) -> Result<Option<String>, Fault> {
    Ok(connection.prepare_cached(SETTING)?.query_row(params![name], |row| row.get(0)).optional()?)
}

pub(super) fn issuers(connection: &Connection) -> Result<Vec<(String, String)>, Fault> {
    let mut statement = connection.prepare_cached(ISSUERS)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<Vec<(String, String)>>>()?)
}

pub(super) fn crl(connection: &Connection, issuer: &str, shard: u32) -> Result<Option<StoredCrl>, Fault> {
    let mut statement = connection.prepare_cached(CRL)?;
    let found = statement
        .query_row(params![issuer, shard], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, Vec<u8>>(3)?,
                row.get::<_, i64>(4)?,
            ))
        })
        .optional()?;
    let Some((number, this_update, next_update, der, revocations)) = found else { return Ok(None) };
    Ok(Some(StoredCrl {
        issuer: issuer.to_owned(),
        shard,
        number: Place::new("crls", issuer.as_bytes()).number("number", number)?,
        revocations: Place::new("crls", issuer.as_bytes()).number("revocations", revocations)?,
        this_update: Timestamp::from_unix_millis(this_update),
        next_update: Timestamp::from_unix_millis(next_update),
        der,
    }))
}

pub(super) fn shards(connection: &Connection, issuer: &str) -> Result<Vec<u32>, Fault> {
    let mut statement = connection.prepare_cached(SHARDS)?;
    let rows = statement.query_map(params![issuer], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<Vec<u32>>>()?)
}

pub(super) fn newest_time(connection: &Connection) -> Result<Option<Timestamp>, Fault> {
    let newest: Option<i64> = connection.prepare_cached(NEWEST)?.query_row([], |row| row.get(0))?;
    Ok(newest.map(Timestamp::from_unix_millis))
}

pub(super) fn audit(connection: &Connection, after: Option<i64>, limit: u32) -> Result<Page<AuditEntry>, Fault> {
    let mut statement = connection.prepare_cached(AUDIT)?;
    let mut found = statement.query(params![after.unwrap_or(0), asked(limit)])?;
    let mut entries = Vec::new();
    while let Some(row) = found.next()? {
        let key: i64 = row.get(0)?;
        let request = match row.get::<_, Option<Vec<u8>>>(5)? {
            Some(id) => {
                let place_key = key.to_string();
                let octets = Place::new("audit", place_key.as_bytes()).octets("request", &id)?;
                Some(RequestId::from_bytes(octets).to_string())
            }
            None => None,
        };
        let at = Timestamp::from_unix_millis(row.get(1)?);
        let (actor, action, object) = (row.get(2)?, row.get(3)?, row.get(4)?);
        entries.push((key, AuditEntry { key, at, actor, action, object, request }));
    }
    page(entries, limit, |(_, entry)| Ok(entry))
}
