//! Buckets of rate limits. Those of a batch are locked in one order and read by one statement before its operations are
//! sent, and kept by one statement behind them; whether an operation may be had is judged in between, by
//! [`certus_ca::rate_limits`].
//!
//! An operation that is let through may still be refused by the rows it writes. What it would have cost is spent for
//! nobody; one behind it that was refused for that reason alone is told `Conflict`, and tries again.

use std::collections::HashMap;

use certus_ca::ports::{LimitEntry, StoreError};
use certus_ca::rate_limits::{Charges, Effect, Excess};
use certus_pki::Timestamp;
use tokio_postgres::Row;

use super::connection::{Call, Value};
use super::fault::column;
use super::sql_order::audited;
use crate::operation::{Envelope, Operation};
use crate::rows::{LimitRow, millis};

crate::sql! {
    // What is to be spent at is there from now on, as is what was there; a row that is locked so is not written. Buckets that
    // are only emptied are not made.
    LOCK = "INSERT INTO limits (name, subject, tat)
        SELECT asked.name, asked.subject, 0 FROM unnest($1::text[], $2::text[], $3::boolean[]) AS asked (name, subject, known_only)
        WHERE NOT asked.known_only
        OR EXISTS (SELECT FROM limits WHERE limits.name = asked.name AND limits.subject = asked.subject)
        ORDER BY asked.name, asked.subject
        ON CONFLICT (name, subject) DO UPDATE SET tat = limits.tat WHERE false";
    KNOWN = "SELECT limits.name, limits.subject, limits.tat FROM unnest($1::text[], $2::text[]) AS asked (name, subject)
        JOIN limits ON limits.name = asked.name AND limits.subject = asked.subject";
    KEEP = "UPDATE limits SET tat = fresh.tat FROM unnest($1::text[], $2::text[], $3::bigint[]) AS fresh (name, subject, tat)
        WHERE limits.name = fresh.name AND limits.subject = fresh.subject";

    CLEAR = concat!("WITH gone AS (DELETE FROM limits WHERE name = $6 AND subject = $7 RETURNING tat),
        verdict AS (SELECT CASE WHEN EXISTS (SELECT FROM gone) THEN 'done' ELSE 'nothing' END AS outcome)", audited!());

    /// Whatever another transaction holds is left for the next time, so that this one waits for nobody.
    SWEEP = "WITH empty AS (
            SELECT key FROM limits WHERE key = ANY ($6::bigint[]) AND tat <= $7 FOR UPDATE SKIP LOCKED),
        gone AS (DELETE FROM limits USING empty WHERE limits.key = empty.key RETURNING 1),
        total AS (SELECT count(*) AS count FROM gone),
        audited AS (
            INSERT INTO audit (at, actor, action, object, request)
            SELECT $1::bigint, $2::text, $3::text, $4::text, $5::bytea FROM total WHERE count > 0)
        SELECT count FROM total";

    EMPTY = "SELECT key FROM limits WHERE tat <= $1 LIMIT $2";
    LIST = "SELECT limits.key, limits.name, limits.subject, limits.tat FROM limits
        JOIN unnest($1::text[], $2::bigint[]) AS asked (name, tat) ON asked.name = limits.name
        WHERE limits.tat > asked.tat AND limits.key > $3 ORDER BY limits.key LIMIT $4";
}

type Bucket = (&'static str, String);

/// What locks and reads the buckets of a batch, in this order; nothing when it has none.
pub(super) fn ask(batch: &[&Envelope]) -> Vec<Call> {
    // Each bucket once, with whether it is made.
    let mut asked: HashMap<Bucket, Option<bool>> = HashMap::new();
    for envelope in batch {
        for charge in envelope.transaction.charges.list() {
            let lock = match charge.effect {
                Effect::Look => None,
                Effect::Spend | Effect::Count => Some(false),
                Effect::GiveBack | Effect::Reset => Some(true),
            };
            let known = asked.entry((charge.limit.name(), charge.subject.clone())).or_default();
            *known = match (*known, lock) {
                (None, other) | (other, None) => other,
                (Some(one), Some(other)) => Some(one && other),
            };
        }
        if let Operation::ClearLimit { limit, subject } = &envelope.transaction.operation {
            asked.entry((limit.name(), subject.clone())).or_default().get_or_insert(true);
        }
    }
    if asked.is_empty() {
        return Vec::new();
    }
    let (mut names, mut subjects, mut known_only) = (Vec::new(), Vec::new(), Vec::new());
    for ((name, subject), lock) in &asked {
        if let Some(only) = lock {
            names.push(*name);
            subjects.push(subject.clone());
            known_only.push(*only);
        }
    }
    let mut calls = Vec::new();
    if !names.is_empty() {
        calls.push(Call { sql: LOCK, values: vec![Box::new(names), Box::new(subjects), Box::new(known_only)] });
    }
    let (names, subjects): (Vec<&str>, Vec<String>) = asked.into_keys().unzip();
    calls.push(Call { sql: KNOWN, values: vec![Box::new(names), Box::new(subjects)] });
    calls
}

/// Where the buckets of a batch stand.
#[derive(Debug, Clone, Default)]
pub(super) struct Buckets(HashMap<Bucket, Timestamp>);

impl Buckets {
    /// Out of the answer to [`KNOWN`].
    pub(super) fn read(rows: &[Row]) -> Result<Self, tokio_postgres::Error> {
        let mut buckets = HashMap::with_capacity(rows.len());
        for row in rows {
            let entry = LimitRow { name: row.try_get(0)?, subject: row.try_get(1)?, tat: row.try_get(2)? };
            // Of a name that no version writes nothing was asked.
            if let Ok(entry) = entry.into_state() {
                buckets.insert((entry.limit.name(), entry.subject), entry.tat);
            }
        }
        Ok(Self(buckets))
    }

    /// Judges what an operation costs, and spends it here.
    pub(super) fn spend(&mut self, charges: &Charges) -> Result<(), Vec<Excess>> {
        let bucket = |limit: &'static str, subject: &str| (limit, subject.to_owned());
        let known: Vec<Option<Timestamp>> = charges
            .list()
            .iter()
            .map(|charge| self.0.get(&bucket(charge.limit.name(), &charge.subject)).copied())
            .collect();
        for standing in charges.judge(&known)? {
            self.0.insert(bucket(standing.limit.name(), standing.subject), standing.tat);
        }
        Ok(())
    }

    /// What keeps the buckets that stand elsewhere than `before`; nothing if none does.
    pub(super) fn keep(&self, before: &Self) -> Option<Call> {
        let (mut names, mut subjects, mut tats) = (Vec::new(), Vec::new(), Vec::new());
        for (bucket, tat) in self.0.iter().filter(|(bucket, tat)| before.0.get(*bucket) != Some(*tat)) {
            names.push(bucket.0);
            subjects.push(bucket.1.clone());
            tats.push(millis(*tat));
        }
        let values: Vec<Value> = vec![Box::new(names), Box::new(subjects), Box::new(tats.clone())];
        (!tats.is_empty()).then_some(Call { sql: KEEP, values })
    }
}

/// A row of [`LIST`].
pub(super) fn entry(row: &Row) -> Result<LimitEntry, StoreError> {
    LimitRow { name: column(row, 1)?, subject: column(row, 2)?, tat: column(row, 3)? }.into_state()
}
