//! Jobs, leases and processes. The store's clock is SQLite's.

use std::time::Duration;

use certus_ca::id::{AuthorizationId, ChallengeId, JobId, OrderId, ProcessId, RequestId};
use certus_ca::job::{Job, LEASE, Lease, LeasedJob, Task};
use certus_ca::ports::{Process, StoreError};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::failed;
use crate::rows::{bytes, inconsistent};

/// The present in milliseconds, by the store's clock.
const NOW: &str = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn process_key(connection: &Connection, process: ProcessId) -> Result<i64, StoreError> {
    connection
        .prepare_cached("SELECT key FROM process WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([process.as_bytes()], |r| r.get(0)).optional())
        .map_err(failed)?
        .ok_or_else(|| inconsistent("process", "id", process))
}

/// Keeps a job that is leased at once.
pub(super) fn insert(connection: &Connection, job: &Job, process: ProcessId) -> Result<Lease, StoreError> {
    let process = process_key(connection, process)?;
    let (kind, authorization, challenge, order) = match &job.task {
        Task::Validate { authorization, challenge } => {
            ("validate", Some(authorization.as_bytes()), Some(challenge.as_bytes()), None)
        }
        Task::Issue { order } => ("issue", None, None, Some(order.as_bytes())),
    };
    let sql = format!(
        "INSERT INTO job (id, kind, authorization_id, challenge_id, order_id, request, fence, process, lease_until, \
         not_before) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, {NOW} + ?8, {NOW})"
    );
    connection
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            let (id, request) = (job.id.as_bytes(), job.request.as_bytes());
            statement.execute(params![id, kind, authorization, challenge, order, request, process, millis(LEASE)])
        })
        .map_err(failed)?;
    Ok(Lease { job: job.id, fence: 1 })
}

/// Ends a job, if the lease is still the newest.
pub(super) fn end(connection: &Connection, lease: Lease) -> Result<(), StoreError> {
    let ended = connection
        .prepare_cached("DELETE FROM job WHERE id = ?1 AND fence = ?2")
        .and_then(|mut statement| statement.execute(params![lease.job.as_bytes(), lease.fence]))
        .map_err(failed)?;
    if ended == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
}

/// Whether the lease is still the newest.
pub(super) fn check(connection: &Connection, lease: Lease) -> Result<(), StoreError> {
    let held: Option<i64> = connection
        .prepare_cached("SELECT 1 FROM job WHERE id = ?1 AND fence = ?2")
        .and_then(|mut statement| {
            statement.query_row(params![lease.job.as_bytes(), lease.fence], |r| r.get(0)).optional()
        })
        .map_err(failed)?;
    held.map(drop).ok_or(StoreError::LeaseLost)
}

/// Puts a job back: nobody holds it, and it is due after `wait`. The fencing number stays, so that a later lease is above.
pub(super) fn release(connection: &Connection, lease: Lease, wait: Duration) -> Result<(), StoreError> {
    let sql =
        format!("UPDATE job SET process = NULL, lease_until = 0, not_before = {NOW} + ?3 WHERE id = ?1 AND fence = ?2");
    let released = connection
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.execute(params![lease.job.as_bytes(), lease.fence, millis(wait)]))
        .map_err(failed)?;
    if released == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
}

/// Whether anything is due: asked on a reader, so that an idle process writes nothing.
pub(super) fn any_due(connection: &Connection) -> Result<bool, StoreError> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM job WHERE not_before <= {NOW} AND lease_until <= {NOW})");
    connection.prepare_cached(&sql).and_then(|mut statement| statement.query_row([], |r| r.get(0))).map_err(failed)
}

pub(super) fn lease(connection: &Connection, process: ProcessId, limit: u32) -> Result<Vec<LeasedJob>, StoreError> {
    let process = process_key(connection, process)?;
    let sql = format!(
        "UPDATE job SET fence = fence + 1, process = ?1, lease_until = {NOW} + ?3 WHERE key IN (SELECT key FROM job \
         WHERE not_before <= {NOW} AND lease_until <= {NOW} ORDER BY not_before LIMIT ?2) \
         RETURNING id, kind, authorization_id, challenge_id, order_id, request, fence"
    );
    type Row = (Vec<u8>, String, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>, u64);
    let found: Vec<Row> = connection
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement
                .query_map(params![process, limit, millis(LEASE)], |r| {
                    Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?, r.get(6)?))
                })?
                .collect()
        })
        .map_err(failed)?;
    found.into_iter().map(restore).collect()
}

#[expect(clippy::type_complexity, reason = "the columns of one row")]
fn restore(
    (id, kind, authorization, challenge, order, request, fence): (
        Vec<u8>,
        String,
        Option<Vec<u8>>,
        Option<Vec<u8>>,
        Option<Vec<u8>>,
        Vec<u8>,
        u64,
    ),
) -> Result<LeasedJob, StoreError> {
    let id = JobId::from_bytes(bytes("job", "id", &id)?);
    let task = match (kind.as_str(), authorization, challenge, order) {
        ("validate", Some(authorization), Some(challenge), None) => Task::Validate {
            authorization: AuthorizationId::from_bytes(bytes("job", "authorization_id", &authorization)?),
            challenge: ChallengeId::from_bytes(bytes("job", "challenge_id", &challenge)?),
        },
        ("issue", None, None, Some(order)) => {
            Task::Issue { order: OrderId::from_bytes(bytes("job", "order_id", &order)?) }
        }
        _ => return Err(inconsistent("job", "kind", id)),
    };
    let request = RequestId::from_bytes(bytes("job", "request", &request)?);
    Ok(LeasedJob { job: Job { id, task, request }, lease: Lease { job: id, fence } })
}

/// Makes a process known and frees every job: a file has one process at a time, so all others are dead.
pub(super) fn register(connection: &Connection, process: &Process) -> Result<(), StoreError> {
    let sql =
        format!("INSERT INTO process (id, host, pid, version, started, seen) VALUES (?1, ?2, ?3, ?4, {NOW}, {NOW})");
    connection
        .prepare_cached(&sql)
        .and_then(|mut statement| {
            statement.execute(params![process.id.as_bytes(), process.host, process.pid, process.version])
        })
        .map_err(failed)?;
    connection
        .prepare_cached("UPDATE job SET process = NULL, lease_until = 0")
        .and_then(|mut statement| statement.execute([]))
        .map_err(failed)?;
    Ok(())
}

pub(super) fn heartbeat(connection: &Connection, process: ProcessId) -> Result<(), StoreError> {
    let key = process_key(connection, process)?;
    connection
        .prepare_cached(&format!("UPDATE process SET seen = {NOW} WHERE key = ?1"))
        .and_then(|mut statement| statement.execute([key]))
        .map_err(failed)?;
    connection
        .prepare_cached(&format!("UPDATE job SET lease_until = {NOW} + ?2 WHERE process = ?1"))
        .and_then(|mut statement| statement.execute(params![key, millis(LEASE)]))
        .map_err(failed)?;
    Ok(())
}

pub(super) fn retire(connection: &Connection, process: ProcessId) -> Result<(), StoreError> {
    let key = process_key(connection, process)?;
    connection
        .prepare_cached(&format!("UPDATE process SET ended = {NOW} WHERE key = ?1"))
        .and_then(|mut statement| statement.execute([key]))
        .map_err(failed)?;
    connection
        .prepare_cached("UPDATE job SET process = NULL, lease_until = 0 WHERE process = ?1")
        .and_then(|mut statement| statement.execute([key]))
        .map_err(failed)?;
    Ok(())
}
