//! One connection, with the statements that were prepared on it.

use std::collections::HashMap;

use futures_util::future::{MaybeDone, maybe_done};
use parking_lot::Mutex;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

/// A value on its way to the server.
pub(super) type Value = Box<dyn ToSql + Sync + Send>;

/// A statement with its values.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Value>,
}

/// A connection.
pub(super) struct Connection {
    pub(super) client: Client,
    /// Guards the map alone; nothing awaits under it.
    prepared: Mutex<HashMap<&'static str, Statement>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("closed", &self.client.is_closed()).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(client: Client) -> Self {
        Self { client, prepared: Mutex::new(HashMap::new()) }
    }

    /// The statement, prepared on this connection once.
    pub(super) async fn statement(&self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
        let known = self.prepared.lock().get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.prepared.lock().insert(sql, statement.clone());
        Ok(statement)
    }

    /// Asks one question.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.statement(sql).await?;
        self.client.query(&statement, values).await
    }

    /// Sends every call without waiting for the answers in between, then takes them in; the first error is returned
    /// once all answers are there, so that nothing of these calls is under way any more.
    pub(super) async fn pipeline(&self, calls: &[Call]) -> Result<Vec<Vec<Row>>, tokio_postgres::Error> {
        let mut statements = Vec::with_capacity(calls.len());
        for call in calls {
            statements.push(self.statement(call.sql).await?);
        }
        let mut answers = Vec::with_capacity(calls.len());
        for (call, statement) in calls.iter().zip(&statements) {
            let values: Vec<&(dyn ToSql + Sync)> =
                call.values.iter().map(|value| -> &(dyn ToSql + Sync) { &**value }).collect();
            let client = &self.client;
            let mut answer = Box::pin(maybe_done(async move { client.query(statement, &values).await }));
            // A request is written when it is first asked for; asking in order keeps them in order.
            futures_util::future::poll_immediate(answer.as_mut()).await;
            answers.push(answer);
        }
        let mut rows = Vec::with_capacity(calls.len());
        let mut failure = None;
        for mut answer in answers {
            if !matches!(*answer, MaybeDone::Done(_)) {
                answer.as_mut().await;
            }
            match answer.as_mut().take_output() {
                Some(Ok(answer)) => rows.push(answer),
                Some(Err(error)) => failure = failure.or(Some(error)),
                None => {}
            }
        }
        failure.map_or(Ok(rows), Err)
    }
}
