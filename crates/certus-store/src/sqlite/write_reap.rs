//! Removing orders and authorizations whose time is long over. Certificates and their evidence stay.

use certus_pki::Timestamp;
use rusqlite::{Connection, params};

use super::fault::Fault;
use crate::operation::Reply;
use crate::rows::millis;

crate::sql! {
    ORDERS = "SELECT key FROM orders WHERE expires < ?1
        AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.order_key = orders.key) ORDER BY expires LIMIT ?2";
    RETIRE = "UPDATE intents SET retired = ?2 WHERE order_key = ?1 AND issued IS NULL AND retired IS NULL";
    ORDER = "DELETE FROM orders WHERE key = ?1";
    AUTHORIZATIONS = "SELECT key FROM authorizations WHERE expires < ?1
        AND NOT EXISTS (SELECT 1 FROM order_identifiers WHERE order_identifiers.authorization_key = authorizations.key)
        AND NOT EXISTS (SELECT 1 FROM jobs JOIN challenges ON challenges.key = jobs.challenge
            WHERE challenges.authorization_key = authorizations.key)
        ORDER BY expires LIMIT ?2";
    EVIDENCE = "SELECT evidence FROM challenges WHERE authorization_key = ?1 AND evidence IS NOT NULL";
    AUTHORIZATION = "DELETE FROM authorizations WHERE key = ?1";
    UNUSED_EVIDENCE = "DELETE FROM evidence WHERE key = ?1
        AND NOT EXISTS (SELECT 1 FROM certificate_evidence WHERE certificate_evidence.evidence = evidence.key)";
}

/// Removes at most `limit` orders and at most `limit` authorizations that no order needs any more.
pub(super) fn reap(connection: &Connection, before: Timestamp, limit: u32, at: Timestamp) -> Result<Reply, Fault> {
    let before = millis(before);
    let orders = keys(connection, ORDERS, params![before, limit])?;
    for order in &orders {
        connection.prepare_cached(RETIRE)?.execute(params![order, millis(at)])?;
        connection.prepare_cached(ORDER)?.execute(params![order])?;
    }
    let authorizations = keys(connection, AUTHORIZATIONS, params![before, limit])?;
    for authorization in &authorizations {
        let evidence = keys(connection, EVIDENCE, params![authorization])?;
        connection.prepare_cached(AUTHORIZATION)?.execute(params![authorization])?;
        for key in evidence {
            connection.prepare_cached(UNUSED_EVIDENCE)?.execute(params![key])?;
        }
    }
    Ok(Reply::Changed(u64::try_from(orders.len() + authorizations.len()).unwrap_or(u64::MAX)))
}

fn keys(connection: &Connection, statement: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<i64>, Fault> {
    let mut statement = connection.prepare_cached(statement)?;
    let rows = statement.query_map(values, |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<Vec<i64>>>()?)
}
