//! Statements that write accounts, orders and authorizations.
//!
//! All writing statements have the audit entry as their first five values, write it when their outcome is `done`, and
//! answer with that outcome. See [`super::call`] for the outcomes.

use super::renewal::replaced;

/// Writes the audit entry of a statement whose outcome is in `verdict`, and answers with it.
macro_rules! audited {
    () => {
        ", audited AS (
            INSERT INTO audit (at, actor, action, object, request)
            SELECT $1::bigint, $2::text, $3::text, $4::text, $5::bytea FROM verdict
            WHERE outcome = 'done' AND $1::bigint IS NOT NULL)
        SELECT outcome FROM verdict"
    };
}
pub(super) use audited;

crate::sql! {
    CREATE_ACCOUNT = concat!("WITH made AS (
            INSERT INTO accounts (id, version, thumbprint, jwk, contact, created, deactivated, terms, limits)
            VALUES ($6, 1, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING RETURNING key),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'conflict' END AS outcome)", audited!());

    UPDATE_ACCOUNT = concat!("WITH made AS (
            UPDATE accounts SET version = version + 1, thumbprint = $8, jwk = $9, contact = $10, deactivated = $11,
                terms = $12, limits = $13, by_operator = $14
            WHERE id = $6 AND version = $7 RETURNING key),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'conflict' END AS outcome)", audited!());

    OPEN_ORDER = concat!("WITH owner AS (SELECT key FROM accounts WHERE id = $7),
        predecessor AS (SELECT key, ", replaced!("$9::bigint"), " AS replaced FROM certificates WHERE id = $26::bytea),
        made AS (
            INSERT INTO orders (id, version, account, profile, created, expires, not_before, not_after, replaces,
                replaces_id, replaces_due)
            SELECT $6, 1, owner.key, $8, $9::bigint, $10, $23, $24, predecessor.key, $27::text, $29::boolean
            FROM owner LEFT JOIN predecessor ON TRUE WHERE predecessor.replaced IS NOT TRUE
            ON CONFLICT DO NOTHING RETURNING key),
        verdict AS (SELECT CASE
            WHEN NOT EXISTS (SELECT FROM owner) THEN 'unknown'
            WHEN NOT EXISTS (SELECT FROM made) THEN 'conflict' ELSE 'done' END AS outcome),
        authorized AS (
            INSERT INTO authorizations (id, version, account, type, value, created, expires, reuse, retries, vouched, settled)
            SELECT fresh.id, 1, owner.key, fresh.type, fresh.value, fresh.created, fresh.expires, fresh.reuse,
                fresh.retries, fresh.settled IS NOT NULL, fresh.settled
            FROM made, owner, unnest($11::bytea[], $12::text[], $13::text[], $14::bigint[], $15::bigint[], $25::bigint[],
                $28::bigint[], $30::bigint[])
                WITH ORDINALITY AS fresh (id, type, value, created, expires, reuse, retries, settled, n)
            ORDER BY fresh.n RETURNING key, id),
        offered AS (
            INSERT INTO challenges (id, authorization_key, method, token)
            SELECT fresh.id, authorized.key, fresh.method, fresh.token
            FROM unnest($16::bytea[], $17::bytea[], $18::text[], $19::text[])
                WITH ORDINALITY AS fresh (id, authorization_id, method, token, n)
            JOIN authorized ON authorized.id = fresh.authorization_id ORDER BY fresh.n),
        named AS (
            INSERT INTO order_identifiers (order_key, position, type, value, authorization_key)
            SELECT made.key, fresh.n - 1, fresh.type, fresh.value, coalesce(authorized.key, known.key)
            FROM made, unnest($20::text[], $21::text[], $22::bytea[])
                WITH ORDINALITY AS fresh (type, value, authorization_id, n)
            LEFT JOIN authorized ON authorized.id = fresh.authorization_id
            LEFT JOIN authorizations AS known ON known.id = fresh.authorization_id)", audited!());

    OPEN_AUTHORIZATION = concat!("WITH owner AS (SELECT key FROM accounts WHERE id = $7),
        made AS (
            INSERT INTO authorizations (id, version, account, type, value, created, expires, reuse, retries, vouched, settled)
            SELECT $6, 1, key, $8, $9, $10, $11, $12::bigint, $16::bigint, $17::bigint IS NOT NULL, $17::bigint FROM owner
            ON CONFLICT DO NOTHING RETURNING key),
        offered AS (
            INSERT INTO challenges (id, authorization_key, method, token)
            SELECT fresh.id, made.key, fresh.method, fresh.token
            FROM made, unnest($13::bytea[], $14::text[], $15::text[]) WITH ORDINALITY AS fresh (id, method, token, n)
            ORDER BY fresh.n),
        verdict AS (SELECT CASE
            WHEN NOT EXISTS (SELECT FROM owner) THEN 'unknown'
            WHEN NOT EXISTS (SELECT FROM made) THEN 'conflict' ELSE 'done' END AS outcome)", audited!());

    DEACTIVATE = concat!("WITH made AS (
            UPDATE authorizations SET version = version + 1, deactivated = $8
            WHERE id = $6 AND version = $7 RETURNING key),
        closed AS (
            UPDATE orders SET closed = $8 WHERE closed IS NULL AND $8 IS NOT NULL AND key IN (
                SELECT order_key FROM order_identifiers JOIN made ON made.key = authorization_key)),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'conflict' END AS outcome)", audited!());

    BEGIN_VALIDATION = concat!("WITH holder AS (SELECT key FROM processes WHERE id = $12),
        subject AS (
            SELECT authorizations.key, challenges.key AS challenge FROM authorizations
            JOIN challenges ON challenges.authorization_key = authorizations.key
            WHERE authorizations.id = $6 AND authorizations.version = $7
            AND challenges.id = $8 AND challenges.begun IS NULL),
        verdict AS (SELECT CASE
            WHEN NOT EXISTS (SELECT FROM holder) THEN 'unknown'
            WHEN NOT EXISTS (SELECT FROM subject) THEN 'conflict' ELSE 'done' END AS outcome),
        written AS (
            UPDATE authorizations SET version = version + 1 FROM subject, verdict
            WHERE authorizations.key = subject.key AND outcome = 'done'),
        begun AS (
            UPDATE challenges SET begun = $9 FROM subject, verdict
            WHERE challenges.key = subject.challenge AND outcome = 'done'),
        job AS (
            INSERT INTO jobs (id, challenge, request, created, due, fence, process)
            SELECT $10, subject.challenge, $11, now.at, now.at, 1, holder.key FROM subject, holder, verdict,
                (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at) AS now
            WHERE outcome = 'done')", audited!());

    SETTLE = concat!("WITH lease AS (
            SELECT key, challenge FROM jobs WHERE id = $6 AND fence = $7 AND challenge IS NOT NULL),
        subject AS (
            SELECT authorizations.key, authorizations.type, authorizations.value, challenges.key AS challenge
            FROM authorizations JOIN challenges ON challenges.authorization_key = authorizations.key
            JOIN lease ON lease.challenge = challenges.key
            WHERE authorizations.id = $8 AND authorizations.version = $9 AND challenges.id = $12
            AND challenges.validated IS NULL AND challenges.failed IS NULL),
        verdict AS (SELECT CASE
            WHEN NOT EXISTS (SELECT FROM lease) THEN 'lease'
            WHEN NOT EXISTS (SELECT FROM subject) THEN 'conflict' ELSE 'done' END AS outcome),
        written AS (
            UPDATE authorizations SET version = version + 1, expires = $10, settled = $11 FROM subject, verdict
            WHERE authorizations.key = subject.key AND outcome = 'done'),
        proof AS (
            INSERT INTO evidence (type, value, method, validated, caa)
            SELECT subject.type, subject.value, $13, $14::bigint, $25 FROM subject, verdict
            WHERE outcome = 'done' AND $14::bigint IS NOT NULL RETURNING key),
        seen AS (
            INSERT INTO perspectives (evidence, position, hop, name, url, resolver, resolved, address, port)
            SELECT proof.key, p.position, p.hop, p.name, p.url, p.resolver, p.resolved, p.address, p.port
            FROM proof, unnest($17::bigint[], $18::bigint[], $19::text[], $20::text[], $21::text[], $22::text[],
                $23::text[], $24::bigint[]) AS p (position, hop, name, url, resolver, resolved, address, port)),
        known AS (
            UPDATE challenges SET validated = $14, evidence = (SELECT key FROM proof), failed = $15, problem = $16, failures = NULL,
                retry = NULL
            FROM subject, verdict WHERE challenges.key = subject.challenge AND outcome = 'done'),
        closed AS (
            UPDATE orders SET closed = $15 FROM verdict
            WHERE outcome = 'done' AND $15 IS NOT NULL AND closed IS NULL AND key IN (
                SELECT order_key FROM order_identifiers JOIN subject ON subject.key = authorization_key)),
        ended AS (DELETE FROM jobs USING lease, verdict WHERE jobs.key = lease.key AND outcome = 'done')", audited!());

    RETRY = concat!("WITH lease AS (
            SELECT key, challenge FROM jobs WHERE id = $6 AND fence = $7 AND challenge IS NOT NULL AND process IS NOT NULL),
        subject AS (
            SELECT authorizations.key, challenges.key AS challenge
            FROM authorizations JOIN challenges ON challenges.authorization_key = authorizations.key
            JOIN lease ON lease.challenge = challenges.key
            WHERE authorizations.id = $8 AND authorizations.version = $9 AND challenges.id = $10
            AND challenges.validated IS NULL AND challenges.failed IS NULL),
        verdict AS (SELECT CASE
            WHEN NOT EXISTS (SELECT FROM lease) THEN 'lease'
            WHEN NOT EXISTS (SELECT FROM subject) THEN 'conflict' ELSE 'done' END AS outcome),
        written AS (
            UPDATE authorizations SET version = version + 1 FROM subject, verdict
            WHERE authorizations.key = subject.key AND outcome = 'done'),
        known AS (
            UPDATE challenges SET failures = $11, retry = $12, problem = $13 FROM subject, verdict
            WHERE challenges.key = subject.challenge AND outcome = 'done'),
        waits AS (
            UPDATE jobs SET process = NULL, due = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $14::bigint
            FROM lease, verdict WHERE jobs.key = lease.key AND outcome = 'done')", audited!());
}
