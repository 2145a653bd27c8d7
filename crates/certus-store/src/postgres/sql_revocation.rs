//! Statements that write revocations and blocked keys, and those that read them.

use super::sql_order::audited;
use super::sql_read::certificate;

crate::sql! {
    REVOKE = concat!("WITH made AS (
            UPDATE certificates SET revoked = $9, reason = $10::bigint
            WHERE id = $6 AND revoked IS NOT DISTINCT FROM $7::bigint AND reason IS NOT DISTINCT FROM $8::bigint
            RETURNING issuer, shard),
        counted AS (
            UPDATE shards SET revocations = revocations + 1 FROM made
            WHERE shards.issuer = made.issuer AND shards.shard = made.shard),
        blocked AS (
            INSERT INTO blocked_keys (spki_sha256, blocked) SELECT $11::bytea, $9 FROM made WHERE $11::bytea IS NOT NULL
            ON CONFLICT DO NOTHING),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'conflict' END AS outcome)", audited!());
    BLOCK = concat!("WITH made AS (
            INSERT INTO blocked_keys (spki_sha256, blocked) VALUES ($6, $7) ON CONFLICT DO NOTHING RETURNING blocked),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM made) THEN 'done' ELSE 'nothing' END AS outcome)", audited!());
    BY_DIGEST = concat!(certificate!(), " WHERE certificates.sha256 = $1");
    // Serials are unique with each issuer.
    BY_SERIAL = concat!(certificate!(), " WHERE certificates.issuer IN (SELECT key FROM issuers) AND serial = $1");
    HELD = "SELECT NOT EXISTS (SELECT FROM unnest($2::text[], $3::text[]) AS wanted (type, value)
        WHERE NOT EXISTS (SELECT FROM authorizations JOIN accounts ON accounts.key = authorizations.account
            WHERE accounts.id = $1 AND authorizations.type = wanted.type AND authorizations.value = wanted.value
            AND authorizations.deactivated IS NULL AND settled IS NOT NULL AND authorizations.expires > $4
            AND EXISTS (SELECT FROM challenges
                WHERE authorization_key = authorizations.key AND validated IS NOT NULL)))";
    BLOCKED = "SELECT EXISTS (SELECT FROM blocked_keys WHERE spki_sha256 = $1)";
    REVOKED = "SELECT serial, revoked, reason FROM certificates
        WHERE issuer = (SELECT key FROM issuers WHERE id = $1) AND shard = $2 AND revoked IS NOT NULL AND not_after >= $3
        UNION ALL SELECT serial, retired, NULL FROM intents
        WHERE issuer = (SELECT key FROM issuers WHERE id = $1) AND shard = $2 AND retired IS NOT NULL AND not_after >= $3
        ORDER BY 2, 1";
    SHARD_STATE = "SELECT
        (SELECT revocations FROM shards WHERE issuer = signer.key AND shard = $2), current.number, current.this_update,
        current.revocations
        FROM (SELECT (SELECT key FROM issuers WHERE id = $1) AS key) AS signer
        LEFT JOIN crls AS current ON current.issuer = signer.key AND current.shard = $2";
}
