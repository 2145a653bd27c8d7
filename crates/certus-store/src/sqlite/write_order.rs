//! Writing orders and authorizations.

use std::collections::HashMap;
use std::time::Duration;

use certus_ca::id::{AuthorizationId, ChallengeId, ProcessId};
use certus_ca::job::{Job, Lease};
use certus_ca::ports::{StoreError, Version};
use certus_ca::state::{Authorization, Evidence, Order};
use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::{renewal, write_account, write_job};
use crate::operation::{Reply, settled_challenge};
use crate::rows::{
    ChallengeFacts, Place, caa_column, millis, resolved_column, reuse_column, settled_column, version_column,
};

crate::sql! {
    OPEN_ORDER = "INSERT INTO orders (id, version, account, profile, created, expires, not_before, not_after, replaces,
            replaces_id, replaces_due)
        VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT key FROM certificates WHERE id = ?8), ?9, ?10)";
    OPEN_AUTHORIZATION = "INSERT INTO authorizations (id, version, account, type, value, created, expires, reuse, retries,
            vouched, settled) VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    OFFER_CHALLENGE = "INSERT INTO challenges (id, authorization_key, method, token) VALUES (?1, ?2, ?3, ?4)";
    NAME = "INSERT INTO order_identifiers (order_key, position, type, value, authorization_key)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    AUTHORIZATION_KEY = "SELECT key FROM authorizations WHERE id = ?1";
    DEACTIVATE = "UPDATE authorizations SET version = version + 1, deactivated = ?3
        WHERE id = ?1 AND version = ?2 RETURNING key";
    BEGIN = "UPDATE authorizations SET version = version + 1 WHERE id = ?1 AND version = ?2 RETURNING key";
    BEGIN_CHALLENGE = "UPDATE challenges SET begun = ?3 WHERE id = ?1 AND authorization_key = ?2 AND begun IS NULL
        RETURNING key";
    SETTLE = "UPDATE authorizations SET version = version + 1, expires = ?3, settled = ?4
        WHERE id = ?1 AND version = ?2 RETURNING key";
    CHALLENGE_MET = "UPDATE challenges SET validated = ?4, evidence = ?5, failures = NULL, retry = NULL, problem = NULL
        WHERE id = ?1 AND authorization_key = ?2 AND key = ?3 AND validated IS NULL AND failed IS NULL";
    CHALLENGE_FAILED = "UPDATE challenges SET failed = ?4, problem = ?5, failures = NULL, retry = NULL
        WHERE id = ?1 AND authorization_key = ?2 AND key = ?3 AND validated IS NULL AND failed IS NULL";
    CHALLENGE_WAITS = "UPDATE challenges SET failures = ?4, retry = ?5, problem = ?6
        WHERE id = ?1 AND authorization_key = ?2 AND key = ?3 AND validated IS NULL AND failed IS NULL";
    EVIDENCE = "INSERT INTO evidence (type, value, method, validated, caa) VALUES (?1, ?2, ?3, ?4, ?5)";
    PERSPECTIVE = "INSERT INTO perspectives (evidence, position, hop, name, url, resolver, resolved, address, port)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    CLOSE_ORDERS = "UPDATE orders SET closed = ?2 WHERE closed IS NULL
        AND key IN (SELECT order_key FROM order_identifiers WHERE authorization_key = ?1)";
}

pub(super) fn open(connection: &Connection, order: &Order, authorizations: &[Authorization]) -> Result<Reply, Fault> {
    let account = write_account::key_of(connection, &order.account)?;
    if let Some(replaces) = &order.replaces
        && renewal::is_replaced(connection, replaces.certificate, order.created)?
    {
        return Err(StoreError::Conflict.into());
    }
    connection.prepare_cached(OPEN_ORDER)?.execute(params![
        order.id.as_bytes(),
        account,
        order.profile,
        millis(order.created),
        millis(order.expires),
        order.validity.not_before.map(millis),
        order.validity.not_after.map(millis),
        order.replaces.as_ref().map(|replaces| replaces.certificate.as_bytes()),
        order.replaces.as_ref().map(|replaces| replaces.named.to_string()),
        order.replaces.as_ref().map(|replaces| replaces.due),
    ])?;
    let order_key = connection.last_insert_rowid();
    let mut keys: HashMap<AuthorizationId, i64> = HashMap::with_capacity(authorizations.len());
    for authorization in authorizations {
        keys.insert(authorization.id, open_authorization(connection, account, authorization)?);
    }
    for (position, (identifier, id)) in (0_i64..).zip(order.identifiers.iter().zip(&order.authorizations)) {
        let key = match keys.get(id) {
            Some(key) => *key,
            None => authorization_key(connection, *id)?,
        };
        connection.prepare_cached(NAME)?.execute(params![
            order_key,
            position,
            identifier.kind(),
            identifier.value(),
            key
        ])?;
    }
    Ok(Reply::Done)
}

/// One that no order was made for.
pub(super) fn open_ahead(connection: &Connection, authorization: &Authorization) -> Result<Reply, Fault> {
    let account = write_account::key_of(connection, &authorization.account)?;
    open_authorization(connection, account, authorization)?;
    Ok(Reply::Done)
}

fn open_authorization(connection: &Connection, account: i64, authorization: &Authorization) -> Result<i64, Fault> {
    connection.prepare_cached(OPEN_AUTHORIZATION)?.execute(params![
        authorization.id.as_bytes(),
        account,
        authorization.identifier.kind(),
        authorization.identifier.value(),
        millis(authorization.created),
        millis(authorization.expires),
        reuse_column(authorization),
        authorization.retries,
        authorization.vouched,
        settled_column(authorization),
    ])?;
    let key = connection.last_insert_rowid();
    for challenge in &authorization.challenges {
        connection.prepare_cached(OFFER_CHALLENGE)?.execute(params![
            challenge.id.as_bytes(),
            key,
            challenge.method.name(),
            challenge.token.as_str(),
        ])?;
    }
    Ok(key)
}

fn authorization_key(connection: &Connection, id: AuthorizationId) -> Result<i64, Fault> {
    let mut statement = connection.prepare_cached(AUTHORIZATION_KEY)?;
    let key = statement.query_row(params![id.as_bytes()], |row| row.get(0)).optional()?;
    key.ok_or_else(|| Place::new("authorizations", id.as_bytes()).inconsistent("id").into())
}

pub(super) fn deactivate(
    connection: &Connection,
    read: Version,
    authorization: &Authorization,
) -> Result<Reply, Fault> {
    let at = authorization.deactivated.map(millis);
    let mut statement = connection.prepare_cached(DEACTIVATE)?;
    let values = params![authorization.id.as_bytes(), version_column(read), at];
    let key: Option<i64> = statement.query_row(values, |row| row.get(0)).optional()?;
    let key = key.ok_or(StoreError::Conflict)?;
    if at.is_some() {
        connection.prepare_cached(CLOSE_ORDERS)?.execute(params![key, at])?;
    }
    Ok(Reply::Done)
}

pub(super) fn begin_validation(
    connection: &Connection,
    read: Version,
    authorization: &Authorization,
    challenge: ChallengeId,
    job: &Job,
    process: ProcessId,
) -> Result<Reply, Fault> {
    let mut statement = connection.prepare_cached(BEGIN)?;
    let values = params![authorization.id.as_bytes(), version_column(read)];
    let key: Option<i64> = statement.query_row(values, |row| row.get(0)).optional()?;
    let key = key.ok_or(StoreError::Conflict)?;
    let state = authorization.challenge(challenge).ok_or(StoreError::Conflict)?;
    let begun = ChallengeFacts::of(&state.state)?.begun.ok_or(StoreError::Conflict)?;
    let mut statement = connection.prepare_cached(BEGIN_CHALLENGE)?;
    let values = params![challenge.as_bytes(), key, begun];
    let challenge: Option<i64> = statement.query_row(values, |row| row.get(0)).optional()?;
    write_job::start(connection, job, process, challenge.ok_or(StoreError::Conflict)?)
}

pub(super) fn settle(
    connection: &Connection,
    lease: Lease,
    read: Version,
    authorization: &Authorization,
) -> Result<Reply, Fault> {
    let leased = write_job::leased_challenge(connection, lease)?;
    let challenge = settled_challenge(authorization).ok_or(StoreError::Conflict)?;
    let facts = ChallengeFacts::of(&challenge.state)?;
    let at = facts.validated.as_ref().map(|(at, _)| *at).or(facts.failed.as_ref().map(|(at, _)| *at));
    let mut statement = connection.prepare_cached(SETTLE)?;
    let values = params![authorization.id.as_bytes(), version_column(read), millis(authorization.expires), at];
    let key: Option<i64> = statement.query_row(values, |row| row.get(0)).optional()?;
    let key = key.ok_or(StoreError::Conflict)?;
    let mut changed = 0;
    if let Some((validated, evidence)) = facts.validated {
        let kept = keep_evidence(connection, authorization, challenge.method.name(), validated, evidence)?;
        let values = params![challenge.id.as_bytes(), key, leased, validated, kept];
        changed = connection.prepare_cached(CHALLENGE_MET)?.execute(values)?;
    }
    if let Some((failed, problem)) = facts.failed {
        let values = params![challenge.id.as_bytes(), key, leased, failed, problem];
        changed = connection.prepare_cached(CHALLENGE_FAILED)?.execute(values)?;
        connection.prepare_cached(CLOSE_ORDERS)?.execute(params![key, failed])?;
    }
    if changed == 0 {
        return Err(StoreError::Conflict.into());
    }
    write_job::finish(connection, lease)
}

/// A validation failed and is tried again after `wait`.
pub(super) fn retry(
    connection: &Connection,
    lease: Lease,
    read: Version,
    authorization: &Authorization,
    challenge: ChallengeId,
    wait: Duration,
) -> Result<Reply, Fault> {
    let leased = write_job::leased_challenge(connection, lease)?;
    let mut statement = connection.prepare_cached(BEGIN)?;
    let values = params![authorization.id.as_bytes(), version_column(read)];
    let key: Option<i64> = statement.query_row(values, |row| row.get(0)).optional()?;
    let key = key.ok_or(StoreError::Conflict)?;
    let state = authorization.challenge(challenge).ok_or(StoreError::Conflict)?;
    let (failures, next, problem) = ChallengeFacts::of(&state.state)?.retry.ok_or(StoreError::Conflict)?;
    let values = params![challenge.as_bytes(), key, leased, failures, next, problem];
    if connection.prepare_cached(CHALLENGE_WAITS)?.execute(values)? == 0 {
        return Err(StoreError::Conflict.into());
    }
    write_job::release(connection, lease, wait)
}

fn keep_evidence(
    connection: &Connection,
    authorization: &Authorization,
    method: &str,
    validated: i64,
    evidence: &Evidence,
) -> Result<i64, Fault> {
    let identifier = &authorization.identifier;
    let caa = caa_column(evidence.caa.as_ref())?;
    let values = params![identifier.kind(), identifier.value(), method, validated, caa];
    connection.prepare_cached(EVIDENCE)?.execute(values)?;
    let key = connection.last_insert_rowid();
    for (position, perspective) in (0_i64..).zip(&evidence.perspectives) {
        for (number, hop) in (0_i64..).zip(&perspective.hops) {
            connection.prepare_cached(PERSPECTIVE)?.execute(params![
                key,
                position,
                number,
                perspective.name,
                hop.url,
                hop.resolver,
                resolved_column(hop),
                hop.connected.map(|address| address.ip().to_string()),
                hop.connected.map(|address| address.port()),
            ])?;
        }
    }
    Ok(key)
}
