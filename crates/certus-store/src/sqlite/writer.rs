//! The one writer: takes what has queued, commits it with one sync, then answers.
//!
//! Each operation stands under its own savepoint, so that one that is refused takes nothing with it. No caller is
//! answered before COMMIT returned; when COMMIT fails nobody knows what is on the disk, and every caller is told
//! [`StoreError::Unavailable`].

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver as StdReceiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use certus_ca::ports::StoreError;
use rusqlite::Connection;
use tokio::sync::mpsc::Receiver;

use super::fault::{Fault, unavailable};
use super::lock::Lock;
use super::{SqliteConfig, open, play};
use crate::operation::{Envelope, MAX_BATCH, Reply};

/// Writes after which the log is worth copying into the file: about a thousand pages.
const WRITES_PER_CHECKPOINT: usize = 128;

#[derive(Debug)]
struct Writer {
    config: SqliteConfig,
    /// Held until the last commit.
    _lock: Lock,
    /// `None` after a failure that the connection did not survive; opened again at the next batch.
    connection: Option<Connection>,
    checkpointer: SyncSender<()>,
    since_checkpoint: usize,
}

/// Starts the writer and the checkpointer on threads of their own. Both end when the store is dropped.
pub(super) fn start(
    config: SqliteConfig,
    lock: Lock,
    connection: Connection,
    receiver: Receiver<Envelope>,
) -> Result<(), StoreError> {
    let spawned = |error: io::Error| StoreError::unavailable("a thread of the store could not be started", error);
    let (checkpointer, nudges) = sync_channel(1);
    let path = config.path.clone();
    thread::Builder::new().name("store-checkpoint".into()).spawn(move || checkpoint(path, nudges)).map_err(spawned)?;
    let writer = Writer { config, _lock: lock, connection: Some(connection), checkpointer, since_checkpoint: 0 };
    thread::Builder::new().name("store-writer".into()).spawn(move || writer.run(receiver)).map_err(spawned)?;
    Ok(())
}

impl Writer {
    fn run(mut self, mut receiver: Receiver<Envelope>) {
        while let Some(first) = receiver.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < MAX_BATCH
                && let Ok(next) = receiver.try_recv()
            {
                batch.push(next);
            }
            self.commit(batch);
        }
    }

    fn commit(&mut self, batch: Vec<Envelope>) {
        let size = batch.len();
        let outcomes = match self.play_all(&batch) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, writes = size, "the store did not commit");
                self.connection = None;
                let detail = error.to_string();
                batch.iter().map(|_| Err(StoreError::Unavailable { detail: detail.clone(), source: None })).collect()
            }
        };
        for (envelope, outcome) in batch.into_iter().zip(outcomes) {
            envelope.answer(outcome);
        }
        self.since_checkpoint += size;
        if self.since_checkpoint >= WRITES_PER_CHECKPOINT {
            self.since_checkpoint = 0;
            match self.checkpointer.try_send(()) {
                Ok(()) | Err(TrySendError::Full(())) => {}
                // SQLite's own checkpoints go on.
                Err(TrySendError::Disconnected(())) => tracing::trace!("the checkpointer has ended"),
            }
        }
    }

    /// Plays every operation and commits. An error is one of the whole batch, none of which took effect for certain.
    fn play_all(&mut self, batch: &[Envelope]) -> Result<Vec<Result<Reply, StoreError>>, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => open::writer(&self.config)?,
        };
        let connection = &*self.connection.insert(connection);
        run(connection, play::BEGIN)?;
        if let [alone] = batch {
            return Ok(vec![play_alone(connection, alone)?]);
        }
        let mut outcomes = Vec::with_capacity(batch.len());
        for envelope in batch {
            outcomes.push(play_one(connection, envelope)?);
        }
        // COMMIT POINT: past this line every operation of the batch that was not refused is durable.
        run(connection, play::COMMIT)?;
        Ok(outcomes)
    }
}

/// Plays the only operation of a batch, which needs no savepoint: what is refused takes the transaction with it.
fn play_alone(connection: &Connection, envelope: &Envelope) -> Result<Result<Reply, StoreError>, StoreError> {
    match play::play(connection, &envelope.transaction) {
        Ok(reply) => {
            // COMMIT POINT: past this line the operation is durable.
            run(connection, play::COMMIT)?;
            Ok(Ok(reply))
        }
        Err(Fault::Broken(error)) if connection.is_autocommit() => Err(unavailable(error)),
        Err(fault) => {
            run(connection, play::ROLLBACK)?;
            Ok(Err(refused(fault)))
        }
    }
}

/// Plays one operation under its savepoint. The outer error ends the batch, the inner one is the caller's own.
fn play_one(connection: &Connection, envelope: &Envelope) -> Result<Result<Reply, StoreError>, StoreError> {
    run(connection, play::SAVEPOINT)?;
    match play::play(connection, &envelope.transaction) {
        Ok(reply) => {
            run(connection, play::RELEASE)?;
            Ok(Ok(reply))
        }
        // SQLite rolls the whole transaction back itself when it runs out of disk or memory.
        Err(Fault::Broken(error)) if connection.is_autocommit() => Err(unavailable(error)),
        Err(fault) => {
            run(connection, play::ROLLBACK_TO)?;
            run(connection, play::RELEASE)?;
            Ok(Err(refused(fault)))
        }
    }
}

fn refused(fault: Fault) -> StoreError {
    if let Fault::Broken(error) = &fault {
        tracing::error!(error = error as &dyn std::error::Error, "a write failed");
    }
    fault.into()
}

fn run(connection: &Connection, statement: &str) -> Result<(), StoreError> {
    connection.prepare_cached(statement).and_then(|mut prepared| prepared.execute([])).map(drop).map_err(unavailable)
}

/// Copies the log into the file whenever the writer says that it is worth it; the writer goes on meanwhile.
fn checkpoint(path: PathBuf, nudges: StdReceiver<()>) {
    let mut connection = None;
    while nudges.recv().is_ok() {
        let outcome = match connection.take() {
            Some(connection) => Ok(connection),
            None => open::checkpointer(&path),
        }
        .and_then(|open: Connection| {
            open.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
            Ok(open)
        });
        match outcome {
            Ok(open) => connection = Some(open),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "the log could not be checkpointed"),
        }
    }
}
