//! The one writer of this process: takes what has queued, plays it in one transaction, then answers.
//!
//! Tries again what is known not to have taken effect: on another connection when this one is lost or its host takes no
//! writes any more, on the same one when another node was in the way, and one by one when a statement failed. What was
//! on its way to COMMIT when the connection broke is [`StoreError::Unavailable`], since nobody knows.

use std::sync::Arc;
use std::time::Duration;

use certus_ca::ports::StoreError;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::batch::{self, Failure, Outcomes};
use super::connection::Connection;
use super::fault::{self, Kind};
use super::hosts::Hosts;
use crate::operation::{Envelope, MAX_BATCH};

/// How often a batch is tried: each try is a fresh connection, or comes after the one that was in the way.
const TRIES: usize = 4;
/// How long a batch may take. The server gives up a statement sooner; past this the server itself is not answering.
const PATIENCE: Duration = Duration::from_secs(90);

/// Writes until the store is dropped.
pub(super) async fn run(hosts: Arc<Hosts>, connection: Connection, mut receiver: Receiver<Envelope>) {
    let mut writer = Writer { hosts, connection: Some(connection) };
    while let Some(first) = receiver.recv().await {
        let mut batch = vec![first];
        while batch.len() < MAX_BATCH
            && let Ok(next) = receiver.try_recv()
        {
            batch.push(next);
        }
        writer.commit(batch).await;
    }
}

#[derive(Debug)]
struct Writer {
    hosts: Arc<Hosts>,
    /// `None` after it broke; the next batch finds another.
    connection: Option<Connection>,
}

/// What became of a batch.
enum Played {
    /// Each has its outcome.
    Answered(Outcomes),
    /// None took effect; a statement failed for a reason of its own.
    StatementFailed(tokio_postgres::Error),
    /// All get the same answer.
    Failed(StoreError),
}

impl Writer {
    async fn commit(&mut self, batch: Vec<Envelope>) {
        let envelopes: Vec<&Envelope> = batch.iter().collect();
        match self.play(&envelopes).await {
            Played::Answered(outcomes) => answer(batch, outcomes),
            Played::Failed(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, writes = batch.len(), "nothing was written");
                let detail = error.to_string();
                for envelope in batch {
                    envelope.answer(Err(StoreError::Unavailable { detail: detail.clone(), source: None }));
                }
            }
            Played::StatementFailed(error) if batch.len() > 1 => {
                tracing::debug!(error = &error as &dyn std::error::Error, "a batch is played one by one");
                for envelope in batch {
                    self.commit_alone(envelope).await;
                }
            }
            Played::StatementFailed(error) => {
                let outcomes = vec![Err(fault::refused(error))];
                answer(batch, outcomes);
            }
        }
    }

    async fn commit_alone(&mut self, envelope: Envelope) {
        match self.play(&[&envelope]).await {
            Played::Answered(outcomes) => answer(vec![envelope], outcomes),
            Played::Failed(error) => envelope.answer(Err(error)),
            Played::StatementFailed(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a write failed");
                envelope.answer(Err(fault::refused(error)));
            }
        }
    }

    async fn play(&mut self, batch: &[&Envelope]) -> Played {
        let mut failure = None;
        for _ in 0..TRIES {
            let connection = match self.connection.take().filter(|connection| !connection.client.is_closed()) {
                Some(connection) => connection,
                None => match self.hosts.connect().await {
                    Ok(connection) => connection,
                    Err(error) => return Played::Failed(fault::unreachable(error)),
                },
            };
            let error = match timeout(PATIENCE, batch::play(&connection, batch)).await {
                Ok(Ok(outcomes)) => {
                    self.connection = Some(connection);
                    return Played::Answered(outcomes);
                }
                Ok(Err(Failure::Before(error))) => error,
                Ok(Err(Failure::AtCommit(error))) if fault::was_refused(&error) => error,
                Ok(Err(Failure::AtCommit(error))) => {
                    let detail = "the connection ended during COMMIT, so whether it took effect is not known";
                    return Played::Failed(StoreError::unavailable(detail, error));
                }
                Err(elapsed) => {
                    return Played::Failed(StoreError::unavailable("PostgreSQL does not answer", elapsed));
                }
            };
            match fault::kind(&error) {
                Kind::Retry => self.connection = Some(connection),
                Kind::Reconnect => drop(connection),
                Kind::Statement => {
                    self.connection = Some(connection);
                    return Played::StatementFailed(error);
                }
            }
            tracing::debug!(error = &error as &dyn std::error::Error, "a batch is tried again");
            failure = Some(error);
        }
        match failure {
            Some(error) => Played::Failed(fault::unavailable(error)),
            None => Played::Failed(super::call::no_answer()),
        }
    }
}

fn answer(batch: Vec<Envelope>, outcomes: Outcomes) {
    for (envelope, outcome) in batch.into_iter().zip(outcomes) {
        envelope.answer(outcome);
    }
}
