//! Orders, authorizations, challenges and their evidence.

use certus_ca::id::{AccountId, AuthorizationId, ChallengeId, OrderId};
use certus_ca::ports::{OrderAndAuthorizations, StoreError, Stored, Version};
use certus_ca::state::{Authorization, Challenge, ChallengeState, Evidence, Order, OrderState, Perspective};
use certus_pki::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::accounts::key_of;
use super::failed;
use crate::rows::{self, ChallengeRow, OrderFacts};

pub(super) fn open(connection: &Connection, order: &Order, authorizations: &[Authorization]) -> Result<(), StoreError> {
    let account = key_of(connection, order.account)?;
    connection
        .prepare_cached(
            "INSERT INTO acme_order (id, account, profile, created, expires, version) VALUES (?1, ?2, ?3, ?4, ?5, 1)",
        )
        .and_then(|mut statement| {
            let (created, expires) = (order.created.unix_millis(), order.expires.unix_millis());
            statement.execute(params![order.id.as_bytes(), account, order.profile, created, expires])
        })
        .map_err(failed)?;
    let order_key = connection.last_insert_rowid();
    for (place, authorization) in authorizations.iter().enumerate() {
        let key = insert_authorization(connection, account, authorization)?;
        connection
            .prepare_cached("INSERT INTO order_authorization (acme_order, place, authorization) VALUES (?1, ?2, ?3)")
            .and_then(|mut statement| statement.execute(params![order_key, place, key]))
            .map_err(failed)?;
    }
    Ok(())
}

fn insert_authorization(
    connection: &Connection,
    account: i64,
    authorization: &Authorization,
) -> Result<i64, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO authorization (id, account, identifier_type, identifier_value, created, expires, version) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                authorization.id.as_bytes(),
                account,
                authorization.identifier.kind(),
                authorization.identifier.value(),
                authorization.created.unix_millis(),
                authorization.expires.unix_millis(),
            ])
        })
        .map_err(failed)?;
    let key = connection.last_insert_rowid();
    for (place, challenge) in authorization.challenges.iter().enumerate() {
        connection
            .prepare_cached(
                "INSERT INTO challenge (id, authorization, place, method, token) VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .and_then(|mut statement| {
                let (method, token) = (challenge.method.name(), challenge.token.as_str());
                statement.execute(params![challenge.id.as_bytes(), key, place, method, token])
            })
            .map_err(failed)?;
    }
    Ok(key)
}

pub(super) fn order(
    connection: &Connection,
    id: OrderId,
) -> Result<Option<Stored<OrderAndAuthorizations>>, StoreError> {
    type Row = (i64, Vec<u8>, String, i64, i64, OrderFacts, u64);
    let found: Option<Row> = connection
        .prepare_cached(
            "SELECT o.key, a.id, o.profile, o.created, o.expires, o.processing_since, o.spki, o.issued, c.id, o.failed, \
             o.problem, o.version FROM acme_order o JOIN account a ON a.key = o.account \
             LEFT JOIN certificate c ON c.key = o.certificate WHERE o.id = ?1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([id.as_bytes()], |r| {
                    let facts = OrderFacts {
                        processing_since: r.get(5)?,
                        spki: r.get(6)?,
                        issued: r.get(7)?,
                        certificate: r.get(8)?,
                        failed: r.get(9)?,
                        problem: r.get(10)?,
                    };
                    Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, facts, r.get(11)?))
                })
                .optional()
        })
        .map_err(failed)?;
    let Some((key, account, profile, created, expires, facts, version)) = found else { return Ok(None) };
    let keys: Vec<i64> = connection
        .prepare_cached("SELECT authorization FROM order_authorization WHERE acme_order = ?1 ORDER BY place")
        .and_then(|mut statement| statement.query_map([key], |r| r.get(0))?.collect())
        .map_err(failed)?;
    let mut authorizations = Vec::with_capacity(keys.len());
    for key in keys {
        let gone = || rows::inconsistent("order_authorization", "authorization", key);
        authorizations.push(authorization_by_key(connection, key)?.ok_or_else(gone)?.value);
    }
    let order = Order {
        id,
        account: AccountId::from_bytes(rows::bytes("account", "id", &account)?),
        profile,
        identifiers: authorizations.iter().map(|one| one.identifier.clone()).collect(),
        authorizations: authorizations.iter().map(|one| one.id).collect(),
        created: rows::time(created),
        expires: rows::time(expires),
        state: facts.restore(id)?,
    };
    Ok(Some(Stored { value: OrderAndAuthorizations { order, authorizations }, version: Version(version) }))
}

pub(super) fn authorization(
    connection: &Connection,
    id: AuthorizationId,
) -> Result<Option<Stored<Authorization>>, StoreError> {
    match key_by(connection, "SELECT key FROM authorization WHERE id = ?1", id.as_bytes())? {
        Some(key) => authorization_by_key(connection, key),
        None => Ok(None),
    }
}

pub(super) fn authorization_of(
    connection: &Connection,
    id: ChallengeId,
) -> Result<Option<Stored<Authorization>>, StoreError> {
    match key_by(connection, "SELECT authorization FROM challenge WHERE id = ?1", id.as_bytes())? {
        Some(key) => authorization_by_key(connection, key),
        None => Ok(None),
    }
}

fn key_by(connection: &Connection, sql: &str, id: &[u8]) -> Result<Option<i64>, StoreError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row([id], |r| r.get(0)).optional())
        .map_err(failed)
}

fn authorization_by_key(connection: &Connection, key: i64) -> Result<Option<Stored<Authorization>>, StoreError> {
    type Row = (Vec<u8>, Vec<u8>, String, String, i64, i64, Option<i64>, u64);
    let found: Option<Row> = connection
        .prepare_cached(
            "SELECT z.id, a.id, z.identifier_type, z.identifier_value, z.created, z.expires, z.deactivated, z.version \
             FROM authorization z JOIN account a ON a.key = z.account WHERE z.key = ?1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([key], |r| {
                    Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?, r.get(6)?, r.get(7)?))
                })
                .optional()
        })
        .map_err(failed)?;
    let Some((id, account, kind, value, created, expires, deactivated, version)) = found else { return Ok(None) };
    let value = Authorization {
        id: rows::authorization_id(&id)?,
        account: AccountId::from_bytes(rows::bytes("account", "id", &account)?),
        identifier: rows::identifier(kind, value)?,
        created: rows::time(created),
        expires: rows::time(expires),
        deactivated: deactivated.map(rows::time),
        challenges: challenges(connection, key)?,
    };
    Ok(Some(Stored { value, version: Version(version) }))
}

fn challenges(connection: &Connection, authorization: i64) -> Result<Vec<Challenge>, StoreError> {
    let found: Vec<(ChallengeRow, Option<i64>)> = connection
        .prepare_cached(
            "SELECT id, method, token, processing_since, validated, failed, problem, evidence FROM challenge \
             WHERE authorization = ?1 ORDER BY place",
        )
        .and_then(|mut statement| {
            statement
                .query_map([authorization], |r| {
                    let row = ChallengeRow {
                        id: r.get(0)?,
                        method: r.get(1)?,
                        token: r.get(2)?,
                        processing_since: r.get(3)?,
                        validated: r.get(4)?,
                        failed: r.get(5)?,
                        problem: r.get(6)?,
                    };
                    Ok((row, r.get(7)?))
                })?
                .collect()
        })
        .map_err(failed)?;
    let mut challenges = Vec::with_capacity(found.len());
    for (row, evidence) in found {
        let evidence = match evidence {
            Some(key) => perspectives(connection, key)?,
            None => Evidence::default(),
        };
        challenges.push(row.restore(evidence)?);
    }
    Ok(challenges)
}

fn perspectives(connection: &Connection, evidence: i64) -> Result<Evidence, StoreError> {
    type Row = (String, String, String, u16, String, u32);
    let found: Vec<Row> = connection
        .prepare_cached(
            "SELECT name, resolver, address, port, url, redirects FROM perspective WHERE evidence = ?1 ORDER BY place",
        )
        .and_then(|mut statement| {
            statement
                .query_map([evidence], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?)))?
                .collect()
        })
        .map_err(failed)?;
    let perspectives = found
        .into_iter()
        .map(|(name, resolver, address, port, url, redirects)| {
            let address = address.parse().map_err(|_| rows::inconsistent("perspective", "address", evidence))?;
            Ok(Perspective { name, resolver, address, port, url, redirects })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(Evidence { perspectives })
}

/// Writes an authorization's facts over those of the version that was read.
pub(super) fn update_authorization(
    connection: &Connection,
    read: Version,
    authorization: &Authorization,
) -> Result<(), StoreError> {
    let decided = authorization.challenges.iter().find_map(|challenge| match &challenge.state {
        ChallengeState::Valid { validated, .. } => Some(validated.unix_millis()),
        ChallengeState::Invalid { at, .. } => Some(at.unix_millis()),
        ChallengeState::Pending | ChallengeState::Processing { .. } => None,
    });
    let key: Option<i64> = connection
        .prepare_cached(
            "UPDATE authorization SET expires = ?3, deactivated = ?4, decided = ?5, version = version + 1 \
             WHERE id = ?1 AND version = ?2 RETURNING key",
        )
        .and_then(|mut statement| {
            let (expires, deactivated) =
                (authorization.expires.unix_millis(), authorization.deactivated.map(Timestamp::unix_millis));
            statement
                .query_row(params![authorization.id.as_bytes(), read.0, expires, deactivated, decided], |r| r.get(0))
                .optional()
        })
        .map_err(failed)?;
    key.ok_or(StoreError::Conflict)?;
    for challenge in &authorization.challenges {
        update_challenge(connection, authorization, challenge)?;
    }
    Ok(())
}

fn update_challenge(
    connection: &Connection,
    authorization: &Authorization,
    challenge: &Challenge,
) -> Result<(), StoreError> {
    let (since, known): (Option<i64>, Option<i64>) = connection
        .prepare_cached("SELECT processing_since, evidence FROM challenge WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([challenge.id.as_bytes()], |r| Ok((r.get(0)?, r.get(1)?))))
        .map_err(failed)?;
    let evidence = match &challenge.state {
        ChallengeState::Valid { validated, evidence } if known.is_none() => {
            Some(insert_evidence(connection, authorization, challenge, *validated, evidence)?)
        }
        ChallengeState::Valid { .. }
        | ChallengeState::Pending
        | ChallengeState::Processing { .. }
        | ChallengeState::Invalid { .. } => known,
    };
    let (since, validated, failed_at, problem) = rows::challenge_facts(&challenge.state, since);
    connection
        .prepare_cached(
            "UPDATE challenge SET processing_since = ?2, validated = ?3, failed = ?4, problem = ?5, evidence = ?6 \
             WHERE id = ?1",
        )
        .and_then(|mut statement| {
            statement.execute(params![challenge.id.as_bytes(), since, validated, failed_at, problem, evidence])
        })
        .map_err(failed)?;
    Ok(())
}

fn insert_evidence(
    connection: &Connection,
    authorization: &Authorization,
    challenge: &Challenge,
    validated: Timestamp,
    evidence: &Evidence,
) -> Result<i64, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO evidence (identifier_type, identifier_value, method, validated) VALUES (?1, ?2, ?3, ?4)",
        )
        .and_then(|mut statement| {
            let identifier = &authorization.identifier;
            let (method, validated) = (challenge.method.name(), validated.unix_millis());
            statement.execute(params![identifier.kind(), identifier.value(), method, validated])
        })
        .map_err(failed)?;
    let key = connection.last_insert_rowid();
    for (place, seen) in evidence.perspectives.iter().enumerate() {
        connection
            .prepare_cached(
                "INSERT INTO perspective (evidence, place, name, resolver, address, port, url, redirects) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )
            .and_then(|mut statement| {
                let address = seen.address.to_string();
                statement.execute(params![
                    key,
                    place,
                    seen.name,
                    seen.resolver,
                    address,
                    seen.port,
                    seen.url,
                    seen.redirects
                ])
            })
            .map_err(failed)?;
    }
    Ok(key)
}

/// Writes an order's state over that of the version that was read.
pub(super) fn update_order(connection: &Connection, read: Version, order: &Order) -> Result<i64, StoreError> {
    let updated = match &order.state {
        OrderState::Open => None,
        OrderState::Processing { since, key } => connection
            .prepare_cached(
                "UPDATE acme_order SET processing_since = ?3, spki = ?4, version = version + 1 \
                 WHERE id = ?1 AND version = ?2 RETURNING key",
            )
            .and_then(|mut statement| {
                let values = params![order.id.as_bytes(), read.0, since.unix_millis(), key.spki_der()];
                statement.query_row(values, |r| r.get(0)).optional()
            })
            .map_err(failed)?,
        OrderState::Issued { certificate, at } => connection
            .prepare_cached(
                "UPDATE acme_order SET issued = ?3, certificate = (SELECT key FROM certificate WHERE id = ?4), \
                 version = version + 1 WHERE id = ?1 AND version = ?2 RETURNING key",
            )
            .and_then(|mut statement| {
                let values = params![order.id.as_bytes(), read.0, at.unix_millis(), certificate.as_bytes()];
                statement.query_row(values, |r| r.get(0)).optional()
            })
            .map_err(failed)?,
        OrderState::Failed { at, problem } => connection
            .prepare_cached(
                "UPDATE acme_order SET failed = ?3, problem = ?4, version = version + 1 \
                 WHERE id = ?1 AND version = ?2 RETURNING key",
            )
            .and_then(|mut statement| {
                let values = params![order.id.as_bytes(), read.0, at.unix_millis(), rows::problem_json(problem)];
                statement.query_row(values, |r| r.get(0)).optional()
            })
            .map_err(failed)?,
    };
    updated.ok_or(StoreError::Conflict)
}

/// Removes orders and authorizations that expired before `before`; whatever a job works on stays.
pub(super) fn reap(connection: &Connection, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let before = before.unix_millis();
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<usize, StoreError> {
        connection.prepare_cached(sql).and_then(|mut statement| statement.execute(values)).map_err(failed)
    };
    let keys: Vec<i64> = connection
        .prepare_cached(
            "SELECT key FROM acme_order o WHERE expires < ?1 AND (processing_since IS NULL OR issued IS NOT NULL OR \
             failed IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM job WHERE order_id = o.id) ORDER BY expires LIMIT ?2",
        )
        .and_then(|mut statement| statement.query_map(params![before, limit], |r| r.get(0))?.collect())
        .map_err(failed)?;
    let mut gone = 0;
    for key in keys {
        run("DELETE FROM order_authorization WHERE acme_order = ?1", &[&key])?;
        gone += run("DELETE FROM acme_order WHERE key = ?1", &[&key])?;
    }
    let keys: Vec<i64> = connection
        .prepare_cached(
            "SELECT key FROM authorization z WHERE expires < ?1 AND NOT EXISTS \
             (SELECT 1 FROM order_authorization WHERE authorization = z.key) AND NOT EXISTS \
             (SELECT 1 FROM job WHERE authorization_id = z.id) ORDER BY expires LIMIT ?2",
        )
        .and_then(|mut statement| statement.query_map(params![before, limit], |r| r.get(0))?.collect())
        .map_err(failed)?;
    for key in keys {
        let evidence: Vec<i64> = connection
            .prepare_cached(
                "SELECT evidence FROM challenge c WHERE authorization = ?1 AND evidence IS NOT NULL AND NOT EXISTS \
                 (SELECT 1 FROM certificate_evidence WHERE evidence = c.evidence)",
            )
            .and_then(|mut statement| statement.query_map([key], |r| r.get(0))?.collect())
            .map_err(failed)?;
        run("DELETE FROM challenge WHERE authorization = ?1", &[&key])?;
        gone += run("DELETE FROM authorization WHERE key = ?1", &[&key])?;
        for evidence in evidence {
            run("DELETE FROM perspective WHERE evidence = ?1", &[&evidence])?;
            run("DELETE FROM evidence WHERE key = ?1", &[&evidence])?;
        }
    }
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}
