//! Statements that read. Each answers a whole question at once, so that what it says was true at one moment.

use super::sql_job::now;

/// The columns of an authorization with one of its challenges and one hop of that, as
/// `read_rows` takes them in. With its account it is deactivated, too (RFC 8555 section 7.3.6), and its orders with it.
macro_rules! authorization {
    () => {
        "authorizations.id, authorizations.version, holders.id, authorizations.type, authorizations.value,
        authorizations.created, authorizations.expires, coalesce(authorizations.deactivated, holders.deactivated),
        challenges.id, challenges.method,
        challenges.token, challenges.begun, challenges.validated, challenges.evidence, challenges.failed,
        challenges.problem, perspectives.position, perspectives.name, perspectives.url, perspectives.resolver,
        perspectives.resolved, perspectives.address, perspectives.port, authorizations.reuse,
        authorizations.retries, challenges.failures, challenges.retry,
        (SELECT caa FROM evidence WHERE key = challenges.evidence), authorizations.vouched"
    };
}

macro_rules! certificate_entry {
    () => {
        "SELECT certificates.key, certificates.id, issuers.id, serial, profile, not_after, revoked,
        ARRAY (SELECT value FROM certificate_names WHERE certificate = certificates.key ORDER BY position)
        FROM certificates JOIN issuers ON issuers.key = certificates.issuer"
    };
}

macro_rules! certificate {
    () => {
        "SELECT certificates.key, certificates.id, accounts.id, issuers.id, serial, sha256, spki_sha256, profile,
        shard, not_before, not_after, issued, der,
        ARRAY (SELECT type FROM certificate_names WHERE certificate = certificates.key ORDER BY position),
        ARRAY (SELECT value FROM certificate_names WHERE certificate = certificates.key ORDER BY position),
        revoked, reason
        FROM certificates JOIN issuers ON issuers.key = certificates.issuer
        LEFT JOIN accounts ON accounts.key = certificates.account"
    };
}
pub(super) use certificate;

crate::sql! {
    ACCOUNT = "SELECT id, version, jwk, contact, created, deactivated, terms,
        (SELECT id FROM binding_keys WHERE key = accounts.binding_key), binding, limits, by_operator
        FROM accounts WHERE id = $1";
    ACCOUNT_BY_KEY = "SELECT id, version, jwk, contact, created, deactivated, terms,
        (SELECT id FROM binding_keys WHERE key = accounts.binding_key), binding, limits, by_operator
        FROM accounts WHERE thumbprint = $1";
    OPEN_COUNTS = "SELECT
        (SELECT count(*) FROM orders WHERE account = owner.key AND closed IS NULL AND expires > $2),
        (SELECT count(*) FROM authorizations WHERE account = owner.key AND settled IS NULL AND deactivated IS NULL
            AND expires > $2),
        EXISTS (SELECT FROM authorizations WHERE account = owner.key AND reuse IS NOT NULL AND settled IS NOT NULL
            AND deactivated IS NULL AND expires > $2)
        FROM accounts AS owner WHERE id = $1";
    REUSABLE = concat!("SELECT ", authorization!(), "
        FROM authorizations JOIN accounts AS holders ON holders.key = authorizations.account
        LEFT JOIN challenges ON challenges.authorization_key = authorizations.key
        LEFT JOIN perspectives ON perspectives.evidence = challenges.evidence
        WHERE authorizations.id = (
            SELECT wanted.id FROM authorizations AS wanted JOIN accounts AS owner ON owner.key = wanted.account
            WHERE owner.id = $1 AND wanted.type = $2 AND wanted.value = $3 AND wanted.reuse IS NOT NULL
            AND wanted.deactivated IS NULL AND wanted.settled IS NOT NULL AND wanted.expires > $4
            AND EXISTS (SELECT FROM challenges AS met
                WHERE met.authorization_key = wanted.key AND met.validated IS NOT NULL)
            ORDER BY wanted.key DESC LIMIT 1)
        ORDER BY challenges.key, perspectives.position, perspectives.hop");
    ORDER = concat!("SELECT ", authorization!(), ", order_identifiers.type, order_identifiers.value,
        order_identifiers.position, orders.id, orders.version, accounts.id, orders.profile, orders.created,
        orders.expires, orders.finalized, orders.public_key, orders.issued, certificates.id, orders.failed,
        orders.problem, orders.not_before, orders.not_after, predecessors.id, orders.replaces_id,
        orders.replaces_due
        FROM orders JOIN accounts ON accounts.key = orders.account
        LEFT JOIN certificates ON certificates.key = orders.certificate
        LEFT JOIN certificates AS predecessors ON predecessors.key = orders.replaces
        LEFT JOIN order_identifiers ON order_identifiers.order_key = orders.key
        LEFT JOIN authorizations ON authorizations.key = order_identifiers.authorization_key
        LEFT JOIN accounts AS holders ON holders.key = authorizations.account
        LEFT JOIN challenges ON challenges.authorization_key = authorizations.key
        LEFT JOIN perspectives ON perspectives.evidence = challenges.evidence
        WHERE orders.id = $1 ORDER BY order_identifiers.position, challenges.key, perspectives.position, perspectives.hop");
    // `place` is where the page begins, NULL when that is no order of the account; a row of it alone when the page is empty.
    // The account is a range, not an equality: in this order only `orders_listed` has the rows. Otherwise the planner may
    // go through everybody's orders by key instead.
    ORDERS_OF_ACCOUNT = "SELECT place.key, listed.id FROM
        (SELECT owner.key AS account, CASE WHEN $2::bytea IS NULL THEN 0 ELSE
                (SELECT key FROM orders WHERE id = $2 AND account = owner.key) END AS key
            FROM (SELECT (SELECT key FROM accounts WHERE id = $1) AS key) AS owner) AS place
        LEFT JOIN LATERAL (SELECT orders.key, orders.id FROM orders
            WHERE (orders.account, orders.key) > (place.account, place.key) AND orders.account <= place.account
            AND (closed IS NULL OR issued IS NOT NULL)
            AND (issued IS NOT NULL OR finalized IS NOT NULL OR expires > $3)
            ORDER BY orders.account, orders.key LIMIT $4) AS listed ON TRUE
        ORDER BY listed.key";
    AUTHORIZATION = concat!("SELECT ", authorization!(), "
        FROM authorizations JOIN accounts AS holders ON holders.key = authorizations.account
        LEFT JOIN challenges ON challenges.authorization_key = authorizations.key
        LEFT JOIN perspectives ON perspectives.evidence = challenges.evidence
        WHERE authorizations.id = $1 ORDER BY challenges.key, perspectives.position, perspectives.hop");
    AUTHORIZATION_OF = concat!("SELECT ", authorization!(), "
        FROM challenges AS wanted JOIN authorizations ON authorizations.key = wanted.authorization_key
        JOIN accounts AS holders ON holders.key = authorizations.account
        JOIN challenges ON challenges.authorization_key = authorizations.key
        LEFT JOIN perspectives ON perspectives.evidence = challenges.evidence
        WHERE wanted.id = $1 ORDER BY challenges.key, perspectives.position, perspectives.hop");
    CERTIFICATE = concat!(certificate!(), " WHERE certificates.id = $1");
    LIST = concat!(certificate_entry!(), " WHERE certificates.key > $1 ORDER BY certificates.key LIMIT $2");
    LIST_WITHIN = concat!(certificate_entry!(), " WHERE certificates.key IN (SELECT certificate FROM certificate_names
            WHERE certificate > $1 AND (reversed = $3 OR (reversed >= $4 AND reversed < $5))
            GROUP BY certificate ORDER BY certificate LIMIT $2)
        ORDER BY certificates.key");
    OUTCOME = "SELECT intents.issued, intents.retired FROM intents JOIN issuers ON issuers.key = intents.issuer
        WHERE issuers.id = $1 AND intents.serial = $2";
    FREE_JOBS = concat!("SELECT EXISTS (SELECT FROM jobs WHERE process IS NULL AND due <= ", now!(), ")");
    LEASES = "SELECT jobs.id, jobs.fence FROM jobs JOIN processes ON processes.key = jobs.process
        WHERE processes.id = $1";
    SETTING = "SELECT value FROM settings WHERE name = $1";
    ISSUERS = "SELECT id, chain FROM issuers ORDER BY key";
    CURRENT_CRL = "SELECT crls.number, crls.this_update, crls.next_update, crls.der, crls.revocations FROM crls
        JOIN issuers ON issuers.key = crls.issuer WHERE issuers.id = $1 AND crls.shard = $2";
    SHARDS = "SELECT shard FROM shards JOIN issuers ON issuers.key = shards.issuer WHERE issuers.id = $1 ORDER BY shard";
    NEWEST = "SELECT max(at) FROM audit";
    AUDIT = "SELECT key, at, actor, action, object, request FROM audit WHERE key > $1 ORDER BY key LIMIT $2";
}
