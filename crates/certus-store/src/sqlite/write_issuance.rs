//! Writing what issuing leaves behind: intents, certificates, and orders on their way.

use std::collections::{BTreeSet, HashMap};

use certus_ca::id::{OrderId, ProcessId};
use certus_ca::job::{Job, Lease};
use certus_ca::ports::{StoreError, Version};
use certus_ca::state::{Intent, IssuedCertificate, Order};
use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::{binding, read_revocation, renewal, write_account, write_authority, write_job};
use crate::operation::{OWN_INTENT_PATIENCE, Reply};
use crate::rows::{OrderFacts, caa_list_column, column_of, millis, version_column};

crate::sql! {
    FINALIZE = "UPDATE orders SET version = version + 1, finalized = ?3, public_key = ?4
        WHERE id = ?1 AND version = ?2 AND finalized IS NULL RETURNING key";
    ISSUE = "UPDATE orders SET version = version + 1, issued = ?3, certificate = ?4, closed = coalesce(closed, ?3)
        WHERE id = ?1 AND version = ?2 AND finalized IS NOT NULL AND issued IS NULL AND failed IS NULL";
    FAIL = "UPDATE orders SET version = version + 1, failed = ?3, problem = ?4, closed = coalesce(closed, ?3)
        WHERE id = ?1 AND version = ?2 AND finalized IS NOT NULL AND issued IS NULL AND failed IS NULL";
    LEASED_ORDER = "SELECT jobs.order_key FROM jobs JOIN orders ON orders.key = jobs.order_key
        WHERE jobs.id = ?1 AND jobs.fence = ?2 AND orders.id = ?3";
    GIVEN_UP = "SELECT 1 FROM orders JOIN accounts ON accounts.key = orders.account
        WHERE orders.key = ?1 AND (accounts.deactivated IS NOT NULL OR EXISTS (
            SELECT 1 FROM order_identifiers JOIN authorizations ON authorizations.key = authorization_key
            WHERE order_key = orders.key AND authorizations.deactivated IS NOT NULL))";
    RETIRE = "UPDATE intents SET retired = ?2 WHERE order_key = ?1 AND issued IS NULL AND retired IS NULL";
    RETIRE_OWN = "UPDATE intents SET retired = ?2
        WHERE order_key IS NULL AND issued IS NULL AND retired IS NULL AND recorded < ?1";
    SERIAL_OF_CERTIFICATE = "SELECT 1 FROM certificates WHERE issuer = ?1 AND serial = ?2";
    SERIAL_OF_INTENT = "SELECT 1 FROM intents WHERE issuer = ?1 AND serial = ?2";
    INTENT = "INSERT INTO intents (issuer, serial, tbs_sha256, order_key, shard, not_after, recorded, caa)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    INTENT_ISSUED = "UPDATE intents SET issued = ?4
        WHERE issuer = ?1 AND serial = ?2 AND order_key IS ?3 AND issued IS NULL AND retired IS NULL";
    CERTIFICATE = "INSERT INTO certificates (id, account, issuer, serial, sha256, spki_sha256, profile, shard,
        not_before, not_after, issued, der) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    CERTIFICATE_NAME = "INSERT INTO certificate_names (certificate, position, type, value, reversed)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    CERTIFICATE_EVIDENCE = "INSERT OR IGNORE INTO certificate_evidence (certificate, evidence)
        SELECT ?1, challenges.evidence FROM order_identifiers
        JOIN challenges ON challenges.authorization_key = order_identifiers.authorization_key
        WHERE order_identifiers.order_key = ?2 AND challenges.evidence IS NOT NULL";
}

pub(super) fn begin(
    connection: &Connection,
    read: Version,
    order: &Order,
    job: &Job,
    process: ProcessId,
) -> Result<Reply, Fault> {
    let (finalized, public_key) = OrderFacts::of(&order.state)?.finalized.ok_or(StoreError::Conflict)?;
    let mut statement = connection.prepare_cached(FINALIZE)?;
    let values = params![order.id.as_bytes(), version_column(read), finalized, public_key];
    let key: Option<i64> = statement.query_row(values, |row| row.get(0)).optional()?;
    write_job::start(connection, job, process, key.ok_or(StoreError::Conflict)?)
}

pub(super) fn record_intent(connection: &Connection, lease: Lease, intent: &Intent) -> Result<Reply, Fault> {
    let order = intent.order.ok_or(StoreError::Conflict)?;
    let order_key = leased_order(connection, lease, order)?;
    if connection.prepare_cached(GIVEN_UP)?.exists([order_key])? || binding::is_spent(connection, order_key)? {
        return Err(StoreError::Conflict.into());
    }
    connection.prepare_cached(RETIRE)?.execute(params![order_key, millis(intent.recorded)])?;
    spend(connection, intent, Some(order_key))
}

pub(super) fn record_own_intent(connection: &Connection, intent: &Intent) -> Result<Reply, Fault> {
    let values = params![millis(intent.recorded - OWN_INTENT_PATIENCE), millis(intent.recorded)];
    connection.prepare_cached(RETIRE_OWN)?.execute(values)?;
    spend(connection, intent, None)
}

fn spend(connection: &Connection, intent: &Intent, order: Option<i64>) -> Result<Reply, Fault> {
    let issuer = write_authority::issuer_key(connection, &intent.issuer)?;
    let serial = intent.serial.as_bytes();
    if connection.prepare_cached(SERIAL_OF_CERTIFICATE)?.exists(params![issuer, serial])?
        || read_revocation::blocked(connection, &intent.spki_sha256)?
    {
        return Err(StoreError::Conflict.into());
    }
    connection.prepare_cached(INTENT)?.execute(params![
        issuer,
        serial,
        intent.tbs_sha256,
        order,
        intent.shard,
        millis(intent.not_after),
        millis(intent.recorded),
        caa_list_column(&intent.caa)?,
    ])?;
    write_authority::shard(connection, issuer, intent.shard)?;
    Ok(Reply::Done)
}

pub(super) fn complete(
    connection: &Connection,
    lease: Lease,
    read: Version,
    order: &Order,
    certificate: &IssuedCertificate,
) -> Result<Reply, Fault> {
    let order_key = leased_order(connection, lease, order.id)?;
    let (issued, id) = OrderFacts::of(&order.state)?.issued.ok_or(StoreError::Conflict)?;
    if id != certificate.id {
        return Err(StoreError::Conflict.into());
    }
    let issuer = write_authority::issuer_key(connection, &certificate.issuer)?;
    let key = keep_certificate(connection, issuer, certificate)?;
    keep_outcome(connection, issuer, Some(order_key), certificate)?;
    if let Some(replaces) = &order.replaces {
        renewal::replace(connection, replaces.certificate, key)?;
    }
    let values = params![order.id.as_bytes(), version_column(read), issued, key];
    if connection.prepare_cached(ISSUE)?.execute(values)? == 0 {
        return Err(StoreError::Conflict.into());
    }
    connection.prepare_cached(CERTIFICATE_EVIDENCE)?.execute(params![key, order_key])?;
    write_job::finish(connection, lease)
}

pub(super) fn complete_own(connection: &Connection, certificate: &IssuedCertificate) -> Result<Reply, Fault> {
    let issuer = write_authority::issuer_key(connection, &certificate.issuer)?;
    keep_certificate(connection, issuer, certificate)?;
    keep_outcome(connection, issuer, None, certificate)?;
    Ok(Reply::Done)
}

pub(super) fn fail(connection: &Connection, lease: Lease, read: Version, order: &Order) -> Result<Reply, Fault> {
    let order_key = leased_order(connection, lease, order.id)?;
    let (failed, problem) = OrderFacts::of(&order.state)?.failed.ok_or(StoreError::Conflict)?;
    let values = params![order.id.as_bytes(), version_column(read), failed, problem];
    if connection.prepare_cached(FAIL)?.execute(values)? == 0 {
        return Err(StoreError::Conflict.into());
    }
    connection.prepare_cached(RETIRE)?.execute(params![order_key, failed])?;
    write_job::finish(connection, lease)
}

pub(super) fn load(connection: &Connection, certificates: &[IssuedCertificate]) -> Result<Reply, Fault> {
    let mut issuers: HashMap<&str, i64> = HashMap::new();
    let mut shards: BTreeSet<(i64, u32)> = BTreeSet::new();
    for certificate in certificates {
        let issuer = match issuers.get(certificate.issuer.as_str()) {
            Some(key) => *key,
            None => write_authority::issuer_key(connection, &certificate.issuer)?,
        };
        issuers.insert(&certificate.issuer, issuer);
        if connection.prepare_cached(SERIAL_OF_INTENT)?.exists(params![issuer, certificate.serial.as_bytes()])? {
            return Err(StoreError::Conflict.into());
        }
        keep_certificate(connection, issuer, certificate)?;
        shards.insert((issuer, certificate.shard));
    }
    for (issuer, shard) in shards {
        write_authority::shard(connection, issuer, shard)?;
    }
    Ok(if certificates.is_empty() { Reply::Nothing } else { Reply::Done })
}

/// The order that a job is about, if the lease holds and it is this one.
fn leased_order(connection: &Connection, lease: Lease, order: OrderId) -> Result<i64, Fault> {
    let mut statement = connection.prepare_cached(LEASED_ORDER)?;
    let values = params![lease.job.as_bytes(), write_job::fence_column(lease), order.as_bytes()];
    let key = statement.query_row(values, |row| row.get(0)).optional()?;
    key.ok_or_else(|| StoreError::LeaseLost.into())
}

fn keep_certificate(connection: &Connection, issuer: i64, certificate: &IssuedCertificate) -> Result<i64, Fault> {
    let account = match &certificate.account {
        Some(account) => Some(write_account::key_of(connection, account)?),
        None => None,
    };
    connection.prepare_cached(CERTIFICATE)?.execute(params![
        certificate.id.as_bytes(),
        account,
        issuer,
        certificate.serial.as_bytes(),
        certificate.sha256,
        certificate.spki_sha256,
        certificate.profile,
        certificate.shard,
        millis(certificate.not_before),
        millis(certificate.not_after),
        millis(certificate.issued),
        certificate.der,
    ])?;
    let key = connection.last_insert_rowid();
    for (position, name) in (0_i64..).zip(&certificate.names) {
        let (kind, value, reversed) = column_of(name);
        connection.prepare_cached(CERTIFICATE_NAME)?.execute(params![key, position, kind, value, reversed])?;
    }
    Ok(key)
}

fn keep_outcome(
    connection: &Connection,
    issuer: i64,
    order: Option<i64>,
    certificate: &IssuedCertificate,
) -> Result<(), Fault> {
    let values = params![issuer, certificate.serial.as_bytes(), order, millis(certificate.issued)];
    // No such intent, or one that was retired: what was signed under it is never delivered.
    if connection.prepare_cached(INTENT_ISSUED)?.execute(values)? == 0 {
        return Err(StoreError::Conflict.into());
    }
    Ok(())
}
