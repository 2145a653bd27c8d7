//! One batch: rows locked in the order of their keys, operations sent one after the other, one commit.

use certus_ca::ports::StoreError;
use tokio_postgres::Row;

use super::call;
use super::connection::{Call, Connection};
use super::limit::{self, Buckets};
use super::order::{self, Rows};
use crate::operation::{Envelope, Reply};

crate::sql! {
    BEGIN = "BEGIN";
    ROLLBACK = "ROLLBACK";
    COMMIT = "COMMIT";
    // Each is one statement over all rows of its table that the batch will write, in the order of their keys, and the
    // tables come in a fixed order: so two batches can wait for each other, but never both ways. `NO KEY UPDATE` leaves
    // the foreign keys of other batches alone.
    // Issuing writes neither accounts nor authorizations, but what it rests on must not be given up until it is committed.
    LOCK_BINDING_KEYS = "SELECT key FROM binding_keys WHERE id = ANY ($1::bytea[]) OR key IN (
            SELECT binding_key FROM accounts JOIN orders ON orders.account = accounts.key
            WHERE orders.id = ANY ($2::bytea[]) AND binding_key IS NOT NULL)
        ORDER BY key FOR NO KEY UPDATE";
    LOCK_ACCOUNTS = "SELECT key FROM accounts WHERE id = ANY ($1::bytea[])
            OR key IN (SELECT account FROM orders WHERE id = ANY ($2::bytea[]))
        ORDER BY key FOR NO KEY UPDATE";
    LOCK_ORDERS = "SELECT key FROM orders WHERE id = ANY ($1::bytea[]) OR key IN (
            SELECT order_key FROM order_identifiers
            JOIN authorizations ON authorizations.key = authorization_key WHERE authorizations.id = ANY ($2::bytea[]))
        ORDER BY key FOR NO KEY UPDATE";
    LOCK_AUTHORIZATIONS = "SELECT key FROM authorizations WHERE id = ANY ($1::bytea[]) OR key IN (
            SELECT authorization_key FROM order_identifiers
            JOIN orders ON orders.key = order_key WHERE orders.id = ANY ($2::bytea[]))
        ORDER BY key FOR NO KEY UPDATE";
    LOCK_CERTIFICATES = "SELECT key FROM certificates WHERE id = ANY ($1::bytea[]) ORDER BY key FOR NO KEY UPDATE";
    LOCK_JOBS = "SELECT key FROM jobs WHERE id = ANY ($1::bytea[]) ORDER BY key FOR UPDATE";
}

/// Why a batch as a whole did not commit.
#[derive(Debug)]
pub(super) enum Failure {
    /// Before COMMIT was sent: nothing took effect.
    Before(tokio_postgres::Error),
    /// Afterwards: nobody knows.
    AtCommit(tokio_postgres::Error),
}

/// What came of each operation, in the order of the batch.
pub(super) type Outcomes = Vec<Result<Reply, StoreError>>;

/// Plays a batch in one transaction. An operation that is refused says so in its outcome and writes nothing.
pub(super) async fn play(connection: &Connection, batch: &[&Envelope]) -> Result<Outcomes, Failure> {
    // Callers that wait at the same time have no say in who comes first.
    let mut order: Vec<(usize, &Envelope)> = batch.iter().copied().enumerate().collect();
    order.sort_by_cached_key(|(_, envelope)| order::rank(&envelope.transaction.operation));
    let mut outcomes: Vec<Option<Result<Reply, StoreError>>> = batch.iter().map(|_| None).collect();
    let mut calls = vec![Call { sql: BEGIN, values: Vec::new() }];
    calls.extend(locks(batch));
    let known = buckets(connection, batch, &mut calls).await?;
    let before = calls.len();
    let mut asked = Vec::with_capacity(batch.len());
    let mut limited = Vec::new();
    let mut supposed = known.clone();
    for (index, envelope) in order {
        let transaction = &envelope.transaction;
        match supposed.spend(&transaction.charges).map(|()| call::call(transaction)) {
            Ok(Ok(call)) => {
                calls.push(call);
                asked.push((index, transaction));
            }
            Ok(Err(refused)) => set(&mut outcomes, index, Err(refused)),
            Err(excesses) => limited.push((index, transaction, excesses)),
        }
    }
    let answers = send(connection, &calls).await?;
    let mut spent = known.clone();
    for ((index, transaction), rows) in asked.into_iter().zip(answers.into_iter().skip(before)) {
        let outcome = call::reply(&transaction.operation, &rows);
        // What took effect was let through when as much or more was spent.
        if outcome.as_ref().is_ok_and(Reply::changed) && spent.spend(&transaction.charges).is_err() {
            tracing::debug!("a limit was left as it was");
        }
        set(&mut outcomes, index, outcome);
    }
    for (index, transaction, excesses) in limited {
        // What stood in its way may have been refused itself.
        let alone = spent.clone().spend(&transaction.charges).is_ok();
        set(&mut outcomes, index, Err(if alone { StoreError::Conflict } else { StoreError::Limited(excesses) }));
    }
    if let Some(keep) = spent.keep(&known) {
        send(connection, &[keep]).await?;
    }
    // COMMIT POINT: past this line every operation of the batch that was not refused is durable.
    connection.client.batch_execute(COMMIT).await.map_err(Failure::AtCommit)?;
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(call::no_answer()))).collect())
}

/// Where the buckets stand that limits of the batch are about; `calls`, which are to come first, are sent with the question.
/// Without such limits nothing is sent.
async fn buckets(connection: &Connection, batch: &[&Envelope], calls: &mut Vec<Call>) -> Result<Buckets, Failure> {
    let ask = limit::ask(batch);
    if ask.is_empty() {
        return Ok(Buckets::default());
    }
    calls.extend(ask);
    let answers = send(connection, calls).await?;
    calls.clear();
    let read = Buckets::read(answers.last().map(Vec::as_slice).unwrap_or_default());
    read.map_err(Failure::Before)
}

/// Sends calls of a transaction that is open or begins with them; it is over when one fails.
async fn send(connection: &Connection, calls: &[Call]) -> Result<Vec<Vec<Row>>, Failure> {
    match connection.pipeline(calls).await {
        Ok(answers) => Ok(answers),
        Err(error) => {
            // A server that is there still has the transaction open, failed; one that is not has none.
            if let Err(error) = connection.client.batch_execute(ROLLBACK).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "the transaction could not be rolled back");
            }
            Err(Failure::Before(error))
        }
    }
}

fn set(outcomes: &mut [Option<Result<Reply, StoreError>>], index: usize, outcome: Result<Reply, StoreError>) {
    if let Some(place) = outcomes.get_mut(index) {
        *place = Some(outcome);
    }
}

fn locks(batch: &[&Envelope]) -> Vec<Call> {
    let mut rows = Rows::default();
    for envelope in batch {
        rows.add(&envelope.transaction.operation);
    }
    let Rows { binding_keys, accounts, orders, authorizations, issued, certificates, jobs } = rows;
    let mut calls = Vec::new();
    if !binding_keys.is_empty() || !issued.is_empty() {
        calls.push(Call { sql: LOCK_BINDING_KEYS, values: vec![Box::new(binding_keys), Box::new(issued.clone())] });
    }
    if !accounts.is_empty() || !issued.is_empty() {
        calls.push(Call { sql: LOCK_ACCOUNTS, values: vec![Box::new(accounts), Box::new(issued.clone())] });
    }
    if !orders.is_empty() || !authorizations.is_empty() {
        calls.push(Call { sql: LOCK_ORDERS, values: vec![Box::new(orders), Box::new(authorizations.clone())] });
    }
    if !authorizations.is_empty() || !issued.is_empty() {
        calls.push(Call { sql: LOCK_AUTHORIZATIONS, values: vec![Box::new(authorizations), Box::new(issued)] });
    }
    if !certificates.is_empty() {
        calls.push(Call { sql: LOCK_CERTIFICATES, values: vec![Box::new(certificates)] });
    }
    if !jobs.is_empty() {
        calls.push(Call { sql: LOCK_JOBS, values: vec![Box::new(jobs)] });
    }
    calls
}
