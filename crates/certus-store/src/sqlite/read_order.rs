//! Reading orders and authorizations.

use certus_acme::Identifier;
use certus_ca::id::{AccountId, AuthorizationId, ChallengeId, OrderId};
use certus_ca::ports::{OrderAndAuthorizations, OrderPage, StoreError, Stored};
use certus_ca::state::Authorization;
use certus_pki::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::fault::Fault;
use crate::rows::{
    AuthorizationRow, ChallengeRow, IdentifierRow, OrderRow, PerspectiveRow, evidence_keys, millis, order_page,
};

/// The columns that [`push`] reads. With its account an authorization is deactivated, too (RFC 8555 section 7.3.6), and its
/// orders with it.
macro_rules! authorization {
    ($from:literal) => {
        concat!(
            "SELECT authorizations.id, authorizations.version, accounts.id, authorizations.type, authorizations.value,
        authorizations.created, authorizations.expires, coalesce(authorizations.deactivated, accounts.deactivated),
        challenges.id, challenges.method,
        challenges.token, challenges.begun, challenges.validated, challenges.evidence, challenges.failed,
        challenges.problem, authorizations.reuse, authorizations.retries, challenges.failures, challenges.retry,
        (SELECT caa FROM evidence WHERE key = challenges.evidence), authorizations.vouched",
            $from
        )
    };
}

crate::sql! {
    ORDER = "SELECT orders.id, orders.version, accounts.id, orders.profile, orders.created, orders.expires,
        orders.finalized, orders.public_key, orders.issued, certificates.id, orders.failed, orders.problem, orders.not_before,
        orders.not_after, orders.key, predecessors.id, orders.replaces_id, orders.replaces_due
        FROM orders JOIN accounts ON accounts.key = orders.account
        LEFT JOIN certificates ON certificates.key = orders.certificate
        LEFT JOIN certificates AS predecessors ON predecessors.key = orders.replaces WHERE orders.id = ?1";
    PLACE_IN_LIST = "SELECT orders.key FROM orders JOIN accounts ON accounts.key = orders.account
        WHERE orders.id = ?1 AND accounts.id = ?2";
    ORDERS_OF_ACCOUNT = "SELECT id FROM orders WHERE account = (SELECT key FROM accounts WHERE id = ?1) AND key > ?2
        AND (closed IS NULL OR issued IS NOT NULL)
        AND (issued IS NOT NULL OR finalized IS NOT NULL OR expires > ?3) ORDER BY key LIMIT ?4";
    AUTHORIZATIONS_OF_ORDER = authorization!(", order_identifiers.type, order_identifiers.value
        FROM order_identifiers
        JOIN authorizations ON authorizations.key = order_identifiers.authorization_key
        JOIN accounts ON accounts.key = authorizations.account
        LEFT JOIN challenges ON challenges.authorization_key = authorizations.key
        WHERE order_identifiers.order_key = ?1 ORDER BY order_identifiers.position, challenges.key");
    AUTHORIZATION = authorization!(" FROM authorizations JOIN accounts ON accounts.key = authorizations.account
        LEFT JOIN challenges ON challenges.authorization_key = authorizations.key
        WHERE authorizations.id = ?1 ORDER BY challenges.key");
    AUTHORIZATION_OF = authorization!(" FROM challenges AS wanted
        JOIN authorizations ON authorizations.key = wanted.authorization_key
        JOIN accounts ON accounts.key = authorizations.account
        JOIN challenges ON challenges.authorization_key = authorizations.key
        WHERE wanted.id = ?1 ORDER BY challenges.key");
    REUSABLE = authorization!(" FROM authorizations JOIN accounts ON accounts.key = authorizations.account
        LEFT JOIN challenges ON challenges.authorization_key = authorizations.key
        WHERE authorizations.key = (
            SELECT wanted.key FROM authorizations AS wanted JOIN accounts AS owner ON owner.key = wanted.account
            WHERE owner.id = ?1 AND wanted.type = ?2 AND wanted.value = ?3 AND wanted.reuse IS NOT NULL
            AND wanted.deactivated IS NULL AND wanted.settled IS NOT NULL AND wanted.expires > ?4
            AND EXISTS (SELECT 1 FROM challenges AS met
                WHERE met.authorization_key = wanted.key AND met.validated IS NOT NULL)
            ORDER BY wanted.key DESC LIMIT 1)
        ORDER BY challenges.key");
    PERSPECTIVES = "SELECT position, name, url, resolver, resolved, address, port FROM perspectives WHERE evidence = ?1
        ORDER BY position, hop";
}

pub(super) fn order(connection: &Connection, id: OrderId) -> Result<Option<Stored<OrderAndAuthorizations>>, Fault> {
    let mut statement = connection.prepare_cached(ORDER)?;
    let found = statement
        .query_row(params![id.as_bytes()], |row| {
            let order = OrderRow {
                id: row.get(0)?,
                version: row.get(1)?,
                account: row.get(2)?,
                profile: row.get(3)?,
                created: row.get(4)?,
                expires: row.get(5)?,
                finalized: row.get(6)?,
                public_key: row.get(7)?,
                issued: row.get(8)?,
                certificate: row.get(9)?,
                failed: row.get(10)?,
                problem: row.get(11)?,
                not_before: row.get(12)?,
                not_after: row.get(13)?,
                replaces: row.get(15)?,
                replaces_id: row.get(16)?,
                replaces_due: row.get(17)?,
            };
            Ok((order, row.get::<_, i64>(14)?))
        })
        .optional()?;
    let Some((order, key)) = found else { return Ok(None) };
    let mut rows: Vec<AuthorizationRow> = Vec::new();
    let mut identifiers = Vec::new();
    let mut statement = connection.prepare_cached(AUTHORIZATIONS_OF_ORDER)?;
    let mut found = statement.query(params![key])?;
    while let Some(row) = found.next()? {
        if push(&mut rows, row)? {
            let authorization = row.get(0)?;
            identifiers.push(IdentifierRow { kind: row.get(22)?, value: row.get(23)?, authorization });
        }
    }
    let perspectives = perspectives(connection, &evidence_keys(&rows))?;
    let Stored { value: order, version } = order.into_state(&identifiers)?;
    let authorizations: Result<Vec<Authorization>, StoreError> =
        rows.into_iter().map(|row| Ok(row.into_state(&perspectives)?.value)).collect();
    Ok(Some(Stored { value: OrderAndAuthorizations { order, authorizations: authorizations? }, version }))
}

pub(super) fn list(
    connection: &Connection,
    account: AccountId,
    after: Option<OrderId>,
    now: Timestamp,
    limit: u32,
) -> Result<Option<OrderPage>, Fault> {
    let place: Option<i64> = match after {
        None => Some(0),
        Some(order) => {
            let mut statement = connection.prepare_cached(PLACE_IN_LIST)?;
            statement.query_row(params![order.as_bytes(), account.as_bytes()], |row| row.get(0)).optional()?
        }
    };
    let Some(place) = place else { return Ok(None) };
    let mut statement = connection.prepare_cached(ORDERS_OF_ACCOUNT)?;
    // One more than asked, so that the last page is known to be the last.
    let values = params![account.as_bytes(), place, millis(now), i64::from(limit) + 1];
    let found = statement.query_map(values, |row| row.get(0))?.collect::<rusqlite::Result<Vec<Vec<u8>>>>()?;
    Ok(Some(order_page(&found, limit)?))
}

pub(super) fn authorization(
    connection: &Connection,
    id: AuthorizationId,
) -> Result<Option<Stored<Authorization>>, Fault> {
    one(connection, AUTHORIZATION, params![id.as_bytes()])
}

pub(super) fn authorization_of(
    connection: &Connection,
    challenge: ChallengeId,
) -> Result<Option<Stored<Authorization>>, Fault> {
    one(connection, AUTHORIZATION_OF, params![challenge.as_bytes()])
}

fn one(
    connection: &Connection,
    statement: &str,
    values: &[&dyn ToSql],
) -> Result<Option<Stored<Authorization>>, Fault> {
    let mut rows = Vec::new();
    let mut statement = connection.prepare_cached(statement)?;
    let mut found = statement.query(values)?;
    while let Some(row) = found.next()? {
        push(&mut rows, row)?;
    }
    let perspectives = perspectives(connection, &evidence_keys(&rows))?;
    Ok(rows.pop().map(|row| row.into_state(&perspectives)).transpose()?)
}

/// Takes in one row of [`authorization!`]: a challenge of the last authorization, or the first of another one. Says
/// whether it was another one.
fn push(rows: &mut Vec<AuthorizationRow>, row: &Row<'_>) -> Result<bool, Fault> {
    let challenge = match row.get::<_, Option<Vec<u8>>>(8)? {
        Some(id) => Some(ChallengeRow {
            id,
            method: row.get(9)?,
            token: row.get(10)?,
            begun: row.get(11)?,
            validated: row.get(12)?,
            evidence: row.get(13)?,
            failed: row.get(14)?,
            problem: row.get(15)?,
            failures: row.get(18)?,
            retry: row.get(19)?,
            caa: row.get(20)?,
        }),
        None => None,
    };
    if let Some(last) = rows.last_mut()
        && row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)? == last.id
    {
        last.challenges.extend(challenge);
        return Ok(false);
    }
    rows.push(AuthorizationRow {
        id: row.get(0)?,
        version: row.get(1)?,
        account: row.get(2)?,
        kind: row.get(3)?,
        value: row.get(4)?,
        created: row.get(5)?,
        expires: row.get(6)?,
        deactivated: row.get(7)?,
        reuse: row.get(16)?,
        retries: row.get(17)?,
        vouched: row.get(21)?,
        challenges: Vec::from_iter(challenge),
    });
    Ok(true)
}

fn perspectives(connection: &Connection, evidence: &[i64]) -> Result<Vec<PerspectiveRow>, Fault> {
    let mut rows = Vec::new();
    for key in evidence {
        let mut statement = connection.prepare_cached(PERSPECTIVES)?;
        let mut found = statement.query(params![key])?;
        while let Some(row) = found.next()? {
            rows.push(PerspectiveRow {
                evidence: *key,
                position: row.get(0)?,
                name: row.get(1)?,
                url: row.get(2)?,
                resolver: row.get(3)?,
                resolved: row.get(4)?,
                address: row.get(5)?,
                port: row.get(6)?,
            });
        }
    }
    Ok(rows)
}

/// The newest of the account for each of these identifiers that was met and may serve later orders.
pub(super) fn reusable(
    connection: &Connection,
    account: AccountId,
    identifiers: &[Identifier],
    now: i64,
) -> Result<Vec<Authorization>, Fault> {
    let mut authorizations = Vec::new();
    for identifier in identifiers {
        let (kind, value) = (identifier.kind(), identifier.value());
        let found = one(connection, REUSABLE, params![account.as_bytes(), kind, value, now])?;
        authorizations.extend(found.map(|stored| stored.value));
    }
    Ok(authorizations)
}
