//! Statements that write jobs and processes. The clock of leases is the server's, so that nodes need not agree.
//!
//! What frees or leases jobs passes over rows that another transaction holds, so that it never waits for one.

/// The server's clock, in milliseconds.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}
pub(super) use now;

use super::sql_order::audited;

crate::sql! {
    REGISTER = concat!("WITH made AS (
            INSERT INTO processes (id, host, pid, program, started, seen)
            VALUES ($6, $7, $8, $9, ", now!(), ", ", now!(), ") ON CONFLICT DO NOTHING RETURNING key),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'conflict' END AS outcome)", audited!());

    /// That a process lives, and no more, has no entry in the audit.
    HEARTBEAT = concat!("WITH seen AS (UPDATE processes SET seen = ", now!(), " WHERE id = $6 RETURNING key),
        silent AS (
            SELECT jobs.key FROM jobs JOIN processes ON processes.key = jobs.process
            WHERE processes.seen < ", now!(), " - $7::bigint AND processes.id <> $6
            FOR UPDATE OF jobs SKIP LOCKED),
        freed AS (UPDATE jobs SET process = NULL FROM silent WHERE jobs.key = silent.key RETURNING jobs.key),
        verdict AS (SELECT CASE
            WHEN NOT EXISTS (SELECT FROM seen) THEN 'unknown'
            WHEN NOT EXISTS (SELECT FROM freed) THEN 'nothing' ELSE 'done' END AS outcome)", audited!());

    RETIRE = concat!("WITH ended AS (
            UPDATE processes SET retired = coalesce(retired, ", now!(), ") WHERE id = $6 RETURNING key),
        held AS (SELECT jobs.key FROM jobs JOIN ended ON ended.key = jobs.process FOR UPDATE OF jobs SKIP LOCKED),
        freed AS (UPDATE jobs SET process = NULL FROM held WHERE jobs.key = held.key),
        verdict AS (SELECT 'done' AS outcome)", audited!());

    LEASE_JOBS = concat!("WITH holder AS (SELECT key FROM processes WHERE id = $1),
        free AS (
            SELECT key FROM jobs WHERE process IS NULL AND due <= ", now!(), "
            ORDER BY due, key LIMIT $2 FOR UPDATE SKIP LOCKED),
        leased AS (
            UPDATE jobs SET process = holder.key, fence = fence + 1 FROM free, holder WHERE jobs.key = free.key
            RETURNING jobs.key, jobs.due, jobs.id, jobs.request, jobs.fence, jobs.challenge, jobs.order_key),
        told AS (
            INSERT INTO audit (at, actor, action, object, request)
            SELECT $3::bigint, $4::text, $5::text, rtrim(translate(encode(id, 'base64'), '+/', '-_'), '='), request
            FROM leased ORDER BY due, key)
        SELECT leased.id, leased.request, leased.fence, authorizations.id, challenges.id, orders.id FROM leased
        LEFT JOIN challenges ON challenges.key = leased.challenge
        LEFT JOIN authorizations ON authorizations.key = challenges.authorization_key
        LEFT JOIN orders ON orders.key = leased.order_key ORDER BY leased.due, leased.key");

    RELEASE = concat!("WITH made AS (
            UPDATE jobs SET process = NULL, due = ", now!(), " + $8::bigint
            WHERE id = $6 AND fence = $7 AND process IS NOT NULL RETURNING key),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'lease' END AS outcome)", audited!());

    HURRY = concat!("WITH made AS (
            UPDATE jobs SET due = ", now!(), " WHERE process IS NULL AND due > ", now!(), "
            AND challenge = (SELECT key FROM challenges WHERE id = $6) RETURNING key),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'nothing' END AS outcome)", audited!());

    DROP = concat!("WITH made AS (DELETE FROM jobs WHERE id = $6 AND fence = $7 RETURNING key),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'lease' END AS outcome)", audited!());
}
