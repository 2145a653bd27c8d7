//! Writing jobs and the processes that hold them. The clock of leases is SQLite's, which is the machine's.

use std::time::Duration;

use certus_ca::audit::{Action, Actor, AuditEvent};
use certus_ca::id::{ChallengeId, ProcessId};
use certus_ca::job::{Job, LEASE, Lease, Task};
use certus_ca::ports::{Process, StoreError};
use certus_pki::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::play::audit;
use crate::operation::Reply;
use crate::rows::{JobRow, Place, number_column};

/// The store's clock, in milliseconds.
macro_rules! now {
    () => {
        "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    };
}
pub(super) use now;

crate::sql! {
    START = concat!("INSERT INTO jobs (id, challenge, order_key, request, created, due, fence, process)
        VALUES (?1, ?2, ?3, ?4, ", now!(), ", ", now!(), ", 1, ?5)");
    PROCESS_KEY = "SELECT key FROM processes WHERE id = ?1";
    LEASED_CHALLENGE = "SELECT challenge FROM jobs WHERE id = ?1 AND fence = ?2 AND challenge IS NOT NULL";
    FINISH = "DELETE FROM jobs WHERE id = ?1 AND fence = ?2";
    RELEASE = concat!("UPDATE jobs SET process = NULL, due = ", now!(), " + ?3
        WHERE id = ?1 AND fence = ?2 AND process IS NOT NULL");
    HURRY = concat!("UPDATE jobs SET due = ", now!(), " WHERE process IS NULL AND due > ", now!(), "
        AND challenge = (SELECT key FROM challenges WHERE id = ?1)");
    REGISTER = concat!("INSERT INTO processes (id, host, pid, program, started, seen)
        VALUES (?1, ?2, ?3, ?4, ", now!(), ", ", now!(), ")");
    FREE_ALL = "UPDATE jobs SET process = NULL WHERE process IS NOT NULL";
    END_ALL = concat!("UPDATE processes SET retired = ", now!(), " WHERE retired IS NULL");
    SEEN = concat!("UPDATE processes SET seen = ", now!(), " WHERE id = ?1");
    FREE_SILENT = concat!("UPDATE jobs SET process = NULL WHERE process IN
        (SELECT key FROM processes WHERE seen < ", now!(), " - ?1)");
    FREE_OWN = "UPDATE jobs SET process = NULL WHERE process = (SELECT key FROM processes WHERE id = ?1)";
    END = concat!("UPDATE processes SET retired = ", now!(), " WHERE id = ?1 AND retired IS NULL");
    FREE_JOBS = concat!("SELECT jobs.key, jobs.id, jobs.request, jobs.fence + 1, authorizations.id, challenges.id, orders.id
        FROM jobs
        LEFT JOIN challenges ON challenges.key = jobs.challenge
        LEFT JOIN authorizations ON authorizations.key = challenges.authorization_key
        LEFT JOIN orders ON orders.key = jobs.order_key
        WHERE jobs.process IS NULL AND jobs.due <= ", now!(), " ORDER BY jobs.due, jobs.key LIMIT ?1");
    LEASE_JOB = "UPDATE jobs SET process = ?2, fence = fence + 1 WHERE key = ?1";
}

/// A lease's fencing number as it is kept.
pub(super) fn fence_column(lease: Lease) -> i64 {
    number_column(lease.fence)
}

/// Keeps a new job, leased at once; `object` is the row of the challenge or order it is about.
pub(super) fn start(connection: &Connection, job: &Job, process: ProcessId, object: i64) -> Result<Reply, Fault> {
    let process = process_key(connection, process)?;
    let (challenge, order) = match job.task {
        Task::Validate { .. } => (Some(object), None),
        Task::Issue { .. } => (None, Some(object)),
    };
    let values = params![job.id.as_bytes(), challenge, order, job.request.as_bytes(), process];
    connection.prepare_cached(START)?.execute(values)?;
    Ok(Reply::Lease(Lease { job: job.id, fence: 1 }))
}

fn process_key(connection: &Connection, process: ProcessId) -> Result<i64, Fault> {
    let mut statement = connection.prepare_cached(PROCESS_KEY)?;
    let key = statement.query_row(params![process.as_bytes()], |row| row.get(0)).optional()?;
    key.ok_or_else(|| Place::new("processes", process.as_bytes()).inconsistent("id").into())
}

/// The challenge that a job is about, if the lease holds.
pub(super) fn leased_challenge(connection: &Connection, lease: Lease) -> Result<i64, Fault> {
    let mut statement = connection.prepare_cached(LEASED_CHALLENGE)?;
    let values = params![lease.job.as_bytes(), fence_column(lease)];
    let key = statement.query_row(values, |row| row.get(0)).optional()?;
    key.ok_or_else(|| StoreError::LeaseLost.into())
}

/// The job is done, or nobody wants it any more.
pub(super) fn finish(connection: &Connection, lease: Lease) -> Result<Reply, Fault> {
    let values = params![lease.job.as_bytes(), fence_column(lease)];
    match connection.prepare_cached(FINISH)?.execute(values)? {
        0 => Err(StoreError::LeaseLost.into()),
        _ => Ok(Reply::Done),
    }
}

pub(super) fn release(connection: &Connection, lease: Lease, wait: Duration) -> Result<Reply, Fault> {
    let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2);
    let values = params![lease.job.as_bytes(), fence_column(lease), wait];
    match connection.prepare_cached(RELEASE)?.execute(values)? {
        0 => Err(StoreError::LeaseLost.into()),
        _ => Ok(Reply::Done),
    }
}

/// A job that waits is due now.
pub(super) fn hurry(connection: &Connection, challenge: ChallengeId) -> Result<Reply, Fault> {
    match connection.prepare_cached(HURRY)?.execute(params![challenge.as_bytes()])? {
        0 => Ok(Reply::Nothing),
        _ => Ok(Reply::Done),
    }
}

/// One process alone uses this store, so whatever an earlier one held is free.
pub(super) fn register_process(connection: &Connection, process: &Process) -> Result<Reply, Fault> {
    connection.prepare_cached(FREE_ALL)?.execute([])?;
    connection.prepare_cached(END_ALL)?.execute([])?;
    let values = params![process.id.as_bytes(), process.host, process.pid, process.version];
    connection.prepare_cached(REGISTER)?.execute(values)?;
    Ok(Reply::Done)
}

pub(super) fn heartbeat(connection: &Connection, process: ProcessId) -> Result<Reply, Fault> {
    if connection.prepare_cached(SEEN)?.execute(params![process.as_bytes()])? == 0 {
        return Err(Place::new("processes", process.as_bytes()).inconsistent("id").into());
    }
    let silence = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
    let freed = connection.prepare_cached(FREE_SILENT)?.execute(params![silence])?;
    Ok(Reply::Changed(u64::try_from(freed).unwrap_or(u64::MAX)))
}

pub(super) fn retire_process(connection: &Connection, process: ProcessId) -> Result<Reply, Fault> {
    connection.prepare_cached(FREE_OWN)?.execute(params![process.as_bytes()])?;
    connection.prepare_cached(END)?.execute(params![process.as_bytes()])?;
    Ok(Reply::Done)
}

pub(super) fn lease(connection: &Connection, process: ProcessId, limit: u32, at: Timestamp) -> Result<Reply, Fault> {
    let process = process_key(connection, process)?;
    let mut found: Vec<(i64, JobRow)> = Vec::new();
    {
        let mut statement = connection.prepare_cached(FREE_JOBS)?;
        let rows = statement.query_map(params![limit], |row| {
            Ok((
                row.get(0)?,
                JobRow {
                    id: row.get(1)?,
                    request: row.get(2)?,
                    fence: row.get(3)?,
                    authorization: row.get(4)?,
                    challenge: row.get(5)?,
                    order: row.get(6)?,
                },
            ))
        })?;
        for row in rows {
            found.push(row?);
        }
    }
    let mut leased = Vec::with_capacity(found.len());
    for (key, row) in found {
        connection.prepare_cached(LEASE_JOB)?.execute(params![key, process])?;
        let job = row.into_state()?;
        let (object, request) = (job.job.id.to_string(), Some(job.job.request));
        audit(connection, &AuditEvent { at, actor: Actor::Authority, action: Action::JobLeased, object, request })?;
        leased.push(job);
    }
    Ok(Reply::Jobs(leased))
}
