//! Statements that write intents, certificates, and orders on their way to one.

use super::binding::spent;
use super::sql_order::audited;

/// The certificate that is kept, from `$a` on, and its names: in `kept` and `named`.
macro_rules! keep {
    () => {
        ", kept AS (
            INSERT INTO certificates (id, account, issuer, serial, sha256, spki_sha256, profile, shard, not_before,
                not_after, issued, der)
            SELECT $6::bytea, owner.key, signer.key, $9::bytea, $10::bytea, $11::bytea, $12::text, $13::bigint,
                $14::bigint, $15::bigint, $16::bigint, $17::bytea
            FROM signer CROSS JOIN verdict LEFT JOIN owner ON true WHERE outcome = 'done' RETURNING key),
        named AS (
            INSERT INTO certificate_names (certificate, position, type, value, reversed)
            SELECT kept.key, fresh.n - 1, fresh.type, fresh.value, fresh.reversed
            FROM kept, unnest($18::text[], $19::text[], $20::text[])
                WITH ORDINALITY AS fresh (type, value, reversed, n))"
    };
}

crate::sql! {
    BEGIN_ISSUANCE = concat!("WITH holder AS (SELECT key FROM processes WHERE id = $12),
        subject AS (SELECT key FROM orders WHERE id = $6 AND version = $7 AND finalized IS NULL),
        verdict AS (SELECT CASE
            WHEN NOT EXISTS (SELECT FROM holder) THEN 'unknown'
            WHEN NOT EXISTS (SELECT FROM subject) THEN 'conflict' ELSE 'done' END AS outcome),
        written AS (
            UPDATE orders SET version = version + 1, finalized = $8, public_key = $9 FROM subject, verdict
            WHERE orders.key = subject.key AND outcome = 'done'),
        job AS (
            INSERT INTO jobs (id, order_key, request, created, due, fence, process)
            SELECT $10, subject.key, $11, now.at, now.at, 1, holder.key FROM subject, holder, verdict,
                (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at) AS now
            WHERE outcome = 'done')", audited!());

    RECORD_INTENT = concat!("WITH lease AS (
            SELECT jobs.order_key FROM jobs JOIN orders ON orders.key = jobs.order_key
            WHERE jobs.id = $6 AND jobs.fence = $7 AND orders.id = $8),
        signer AS (SELECT key FROM issuers WHERE id = $9),
        given_up AS (
            SELECT FROM lease JOIN orders ON orders.key = lease.order_key JOIN accounts ON accounts.key = orders.account
            WHERE accounts.deactivated IS NOT NULL OR EXISTS (
                SELECT FROM order_identifiers JOIN authorizations ON authorizations.key = authorization_key
                WHERE order_identifiers.order_key = orders.key AND authorizations.deactivated IS NOT NULL)
            UNION ALL ", spent!(), "),
        spent AS (
            INSERT INTO intents (issuer, serial, tbs_sha256, order_key, shard, not_after, recorded, caa)
            SELECT signer.key, $10, $11, lease.order_key, $12::bigint, $13, $14::bigint, $15 FROM lease, signer
            WHERE NOT EXISTS (SELECT FROM given_up)
            AND NOT EXISTS (SELECT FROM certificates WHERE issuer = signer.key AND serial = $10)
            AND NOT EXISTS (SELECT FROM blocked_keys WHERE spki_sha256 = $16)
            ON CONFLICT DO NOTHING RETURNING key),
        verdict AS (SELECT CASE
            WHEN NOT EXISTS (SELECT FROM lease) THEN 'lease'
            WHEN NOT EXISTS (SELECT FROM signer) THEN 'unknown'
            WHEN NOT EXISTS (SELECT FROM spent) THEN 'conflict' ELSE 'done' END AS outcome),
        retired AS (
            UPDATE intents SET retired = $14 FROM lease, verdict WHERE intents.order_key = lease.order_key
            AND issued IS NULL AND intents.retired IS NULL AND outcome = 'done'),
        sharded AS (
            INSERT INTO shards (issuer, shard) SELECT signer.key, $12 FROM signer, verdict WHERE outcome = 'done'
            ON CONFLICT DO NOTHING)", audited!());

    RECORD_OWN_INTENT = concat!("WITH signer AS (SELECT key FROM issuers WHERE id = $6),
        spent AS (
            INSERT INTO intents (issuer, serial, tbs_sha256, shard, not_after, recorded, caa)
            SELECT signer.key, $7, $8, $9::bigint, $10, $11::bigint, $12 FROM signer
            WHERE NOT EXISTS (SELECT FROM certificates WHERE issuer = signer.key AND serial = $7)
            AND NOT EXISTS (SELECT FROM blocked_keys WHERE spki_sha256 = $13)
            ON CONFLICT DO NOTHING RETURNING key),
        verdict AS (SELECT CASE
            WHEN NOT EXISTS (SELECT FROM signer) THEN 'unknown'
            WHEN NOT EXISTS (SELECT FROM spent) THEN 'conflict' ELSE 'done' END AS outcome),
        retired AS (
            UPDATE intents SET retired = $11 FROM verdict WHERE order_key IS NULL
            AND issued IS NULL AND intents.retired IS NULL AND recorded < $14::bigint AND outcome = 'done'),
        sharded AS (
            INSERT INTO shards (issuer, shard) SELECT signer.key, $9 FROM signer, verdict WHERE outcome = 'done'
            ON CONFLICT DO NOTHING)", audited!());

    COMPLETE = concat!("WITH lease AS (
            SELECT jobs.key, jobs.order_key FROM jobs JOIN orders ON orders.key = jobs.order_key
            WHERE jobs.id = $21 AND jobs.fence = $22 AND orders.id = $23),
        signer AS (SELECT key FROM issuers WHERE id = $8),
        owner AS (SELECT key FROM accounts WHERE id = $7::bytea),
        intent AS (
            SELECT intents.key FROM intents JOIN signer ON signer.key = intents.issuer
            JOIN lease ON lease.order_key = intents.order_key
            WHERE intents.serial = $9 AND issued IS NULL AND retired IS NULL),
        subject AS (
            SELECT orders.key, orders.replaces FROM orders JOIN lease ON lease.order_key = orders.key
            WHERE version = $24 AND finalized IS NOT NULL AND issued IS NULL AND failed IS NULL),
        verdict AS (SELECT CASE
            WHEN NOT EXISTS (SELECT FROM lease) THEN 'lease'
            WHEN NOT EXISTS (SELECT FROM signer) THEN 'unknown'
            WHEN $7::bytea IS NOT NULL AND NOT EXISTS (SELECT FROM owner) THEN 'unknown'
            WHEN NOT EXISTS (SELECT FROM intent) OR NOT EXISTS (SELECT FROM subject) THEN 'conflict'
            WHEN EXISTS (SELECT FROM certificates, signer WHERE issuer = signer.key AND serial = $9) THEN 'conflict'
            ELSE 'done' END AS outcome)", keep!(), ",
        written AS (
            UPDATE orders SET version = version + 1, issued = $25, certificate = kept.key,
                closed = coalesce(closed, $25) FROM subject, kept WHERE orders.key = subject.key),
        replaced AS (
            UPDATE certificates SET replaced_by = kept.key FROM subject, kept
            WHERE certificates.key = subject.replaces AND replaced_by IS NULL),
        signed AS (UPDATE intents SET issued = $16 FROM intent, kept WHERE intents.key = intent.key),
        proven AS (
            INSERT INTO certificate_evidence (certificate, evidence)
            SELECT DISTINCT kept.key, challenges.evidence FROM kept, lease
            JOIN order_identifiers ON order_identifiers.order_key = lease.order_key
            JOIN challenges ON challenges.authorization_key = order_identifiers.authorization_key
            WHERE challenges.evidence IS NOT NULL),
        ended AS (DELETE FROM jobs USING lease, verdict WHERE jobs.key = lease.key AND outcome = 'done')", audited!());

    COMPLETE_OWN = concat!("WITH signer AS (SELECT key FROM issuers WHERE id = $8),
        owner AS (SELECT key FROM accounts WHERE id = $7::bytea),
        intent AS (
            SELECT intents.key FROM intents JOIN signer ON signer.key = intents.issuer
            WHERE intents.serial = $9 AND order_key IS NULL AND issued IS NULL AND retired IS NULL),
        verdict AS (SELECT CASE
            WHEN NOT EXISTS (SELECT FROM signer) THEN 'unknown'
            WHEN NOT EXISTS (SELECT FROM intent) THEN 'conflict'
            WHEN EXISTS (SELECT FROM certificates, signer WHERE issuer = signer.key AND serial = $9) THEN 'conflict'
            ELSE 'done' END AS outcome)", keep!(), ",
        signed AS (UPDATE intents SET issued = $16 FROM intent, kept WHERE intents.key = intent.key)", audited!());

    FAIL = concat!("WITH lease AS (
            SELECT jobs.key, jobs.order_key FROM jobs JOIN orders ON orders.key = jobs.order_key
            WHERE jobs.id = $6 AND jobs.fence = $7 AND orders.id = $8),
        subject AS (
            SELECT orders.key FROM orders JOIN lease ON lease.order_key = orders.key
            WHERE version = $9 AND finalized IS NOT NULL AND issued IS NULL AND failed IS NULL),
        verdict AS (SELECT CASE
            WHEN NOT EXISTS (SELECT FROM lease) THEN 'lease'
            WHEN NOT EXISTS (SELECT FROM subject) THEN 'conflict' ELSE 'done' END AS outcome),
        written AS (
            UPDATE orders SET version = version + 1, failed = $10, problem = $11, closed = coalesce(closed, $10)
            FROM subject, verdict WHERE orders.key = subject.key AND outcome = 'done'),
        retired AS (
            UPDATE intents SET retired = $10 FROM lease, verdict WHERE intents.order_key = lease.order_key
            AND issued IS NULL AND intents.retired IS NULL AND outcome = 'done'),
        ended AS (DELETE FROM jobs USING lease, verdict WHERE jobs.key = lease.key AND outcome = 'done')", audited!());

    LOAD = concat!("WITH fresh AS (
            SELECT fresh.*, issuers.key AS signer, accounts.key AS owner
            FROM unnest($6::bytea[], $7::bytea[], $8::text[], $9::bytea[], $10::bytea[], $11::bytea[], $12::text[],
                $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bytea[])
            WITH ORDINALITY AS fresh (id, account, issuer, serial, sha256, spki_sha256, profile, shard, not_before,
                not_after, issued, der, n)
            LEFT JOIN issuers ON issuers.id = fresh.issuer LEFT JOIN accounts ON accounts.id = fresh.account),
        verdict AS (SELECT CASE
            WHEN EXISTS (SELECT FROM fresh WHERE signer IS NULL OR (account IS NOT NULL AND owner IS NULL))
                THEN 'unknown'
            WHEN EXISTS (SELECT FROM fresh JOIN intents ON intents.issuer = fresh.signer
                AND intents.serial = fresh.serial) THEN 'conflict'
            WHEN EXISTS (SELECT FROM fresh JOIN certificates ON certificates.issuer = fresh.signer
                AND certificates.serial = fresh.serial) THEN 'conflict'
            WHEN EXISTS (SELECT FROM fresh GROUP BY signer, serial HAVING count(*) > 1) THEN 'conflict'
            WHEN NOT EXISTS (SELECT FROM fresh) THEN 'nothing'
            ELSE 'done' END AS outcome),
        kept AS (
            INSERT INTO certificates (id, account, issuer, serial, sha256, spki_sha256, profile, shard, not_before,
                not_after, issued, der)
            SELECT id, owner, signer, serial, sha256, spki_sha256, profile, shard, not_before, not_after, issued, der
            FROM fresh, verdict WHERE outcome = 'done' ORDER BY n RETURNING key, id),
        named AS (
            INSERT INTO certificate_names (certificate, position, type, value, reversed)
            SELECT kept.key, name.position, name.type, name.value, name.reversed
            FROM unnest($18::bytea[], $19::bigint[], $20::text[], $21::text[], $22::text[])
                AS name (certificate, position, type, value, reversed)
            JOIN kept ON kept.id = name.certificate),
        sharded AS (
            INSERT INTO shards (issuer, shard) SELECT DISTINCT signer, shard FROM fresh, verdict
            WHERE outcome = 'done' ORDER BY signer, shard ON CONFLICT DO NOTHING)", audited!());
}
