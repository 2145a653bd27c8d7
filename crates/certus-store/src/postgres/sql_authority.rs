//! Statements that write what belongs to the authority itself, and the one that removes what expired.

use super::sql_order::audited;

crate::sql! {
    SETTING = concat!("WITH made AS (
            INSERT INTO settings (name, value) VALUES ($6, $7) ON CONFLICT (name) DO UPDATE SET value = excluded.value),
        verdict AS (SELECT 'done' AS outcome)", audited!());

    ISSUER = concat!("WITH made AS (
            INSERT INTO issuers (id, chain, registered) VALUES ($6, $7, $8) ON CONFLICT DO NOTHING RETURNING key),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'nothing' END AS outcome)", audited!());

    CRL = concat!("WITH signer AS (SELECT key FROM issuers WHERE id = $6),
        made AS (
            INSERT INTO crls (issuer, shard, number, this_update, next_update, der, revocations)
            SELECT key, $7::bigint, $8, $9, $10, $11, $12 FROM signer
            ON CONFLICT (issuer, shard) DO UPDATE SET number = excluded.number, this_update = excluded.this_update,
                next_update = excluded.next_update, der = excluded.der, revocations = excluded.revocations
                WHERE excluded.number > crls.number
            RETURNING number),
        verdict AS (SELECT CASE
            WHEN NOT EXISTS (SELECT FROM signer) THEN 'unknown'
            WHEN NOT EXISTS (SELECT FROM made) THEN 'conflict' ELSE 'done' END AS outcome),
        sharded AS (
            INSERT INTO shards (issuer, shard) SELECT signer.key, $7 FROM signer, verdict WHERE outcome = 'done'
            ON CONFLICT DO NOTHING)", audited!());

    PROBE = "WITH made AS (DELETE FROM settings WHERE name = '') SELECT 'done' AS outcome";

    /// Orders that expired and are not being worked on, and authorizations that none but those need. Whatever another
    /// transaction holds is left for the next time, so that this one waits for nobody.
    REAP = "WITH doomed AS (
            SELECT key FROM orders WHERE expires < $6::bigint
            AND NOT EXISTS (SELECT FROM jobs WHERE jobs.order_key = orders.key)
            ORDER BY expires LIMIT $7 FOR UPDATE SKIP LOCKED),
        dead AS (
            SELECT key FROM authorizations WHERE expires < $6::bigint
            AND NOT EXISTS (SELECT FROM order_identifiers WHERE authorization_key = authorizations.key
                AND order_key NOT IN (SELECT key FROM doomed))
            AND NOT EXISTS (SELECT FROM jobs JOIN challenges ON challenges.key = jobs.challenge
                WHERE challenges.authorization_key = authorizations.key)
            ORDER BY expires LIMIT $7 FOR UPDATE SKIP LOCKED),
        unused AS (
            SELECT evidence FROM challenges JOIN dead ON dead.key = authorization_key WHERE evidence IS NOT NULL
            AND NOT EXISTS (SELECT FROM certificate_evidence
                WHERE certificate_evidence.evidence = challenges.evidence)),
        retired AS (
            UPDATE intents SET retired = CASE WHEN issued IS NULL THEN coalesce(retired, $8::bigint) END,
                order_key = NULL FROM doomed WHERE order_key = doomed.key),
        unnamed AS (DELETE FROM order_identifiers USING doomed WHERE order_key = doomed.key),
        orders_gone AS (DELETE FROM orders USING doomed WHERE orders.key = doomed.key RETURNING 1),
        unchallenged AS (DELETE FROM challenges USING dead WHERE authorization_key = dead.key),
        gone AS (DELETE FROM authorizations USING dead WHERE authorizations.key = dead.key RETURNING 1),
        unseen AS (DELETE FROM perspectives USING unused WHERE perspectives.evidence = unused.evidence),
        forgotten AS (DELETE FROM evidence USING unused WHERE evidence.key = unused.evidence),
        total AS (SELECT (SELECT count(*) FROM orders_gone) + (SELECT count(*) FROM gone) AS count),
        audited AS (
            INSERT INTO audit (at, actor, action, object, request)
            SELECT $1::bigint, $2::text, $3::text, $4::text, $5::bytea FROM total WHERE count > 0)
        SELECT count FROM total";
}
