//! The one writer: takes what has queued, commits it with one sync, then answers.
//!
//! An operation that is refused takes nothing else with it: mostly it has changed nothing yet; when it has, the batch is
//! played again with each operation under a savepoint of its own, which SQLite pays for with a copy of each page. No
//! caller is answered before COMMIT returned; when COMMIT fails nobody knows what is on the disk, and every caller is
//! told [`StoreError::Unavailable`].

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver as StdReceiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use certus_ca::ports::StoreError;
use rusqlite::Connection;
use tokio::sync::mpsc::Receiver;

use super::fault::{Fault, unavailable};
use super::lock::Lock;
use super::recent::RecentAccounts;
use super::{SqliteConfig, open, play};
use crate::operation::{Envelope, MAX_BATCH, Operation, Reply};

/// Writes after which the log is worth copying into the file: about a thousand pages.
const WRITES_PER_CHECKPOINT: usize = 128;

#[derive(Debug)]
struct Writer {
    config: SqliteConfig,
    /// Held until the last commit.
    _lock: Lock,
    /// `None` after a failure that the connection did not survive; opened again at the next batch.
    connection: Option<Connection>,
    recent: Arc<RecentAccounts>,
    checkpointer: SyncSender<()>,
    since_checkpoint: usize,
}

/// Starts the writer and the checkpointer on threads of their own. Both end when the store is dropped.
pub(super) fn start(
    config: SqliteConfig,
    lock: Lock,
    connection: Connection,
    recent: Arc<RecentAccounts>,
    receiver: Receiver<Envelope>,
) -> Result<(), StoreError> {
    let spawned = |error: io::Error| StoreError::unavailable("a thread of the store could not be started", error);
    let (checkpointer, nudges) = sync_channel(1);
    let path = config.path.clone();
    thread::Builder::new().name("store-checkpoint".into()).spawn(move || checkpoint(path, nudges)).map_err(spawned)?;
    let writer =
        Writer { config, _lock: lock, connection: Some(connection), recent, checkpointer, since_checkpoint: 0 };
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
        // After a COMMIT whose outcome nobody knows, too.
        if batch.iter().any(|envelope| changes_accounts(&envelope.transaction.operation)) {
            self.recent.forget();
        }
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
        let outcomes = match play_together(connection, batch)? {
            Some(outcomes) => outcomes,
            None => play_apart(connection, batch)?,
        };
        // COMMIT POINT: past this line every operation of the batch that was not refused is durable.
        run(connection, play::COMMIT)?;
        Ok(outcomes)
    }
}

type Outcomes = Vec<Result<Reply, StoreError>>;

/// Plays a batch in one transaction, which is left open; `None`, and no transaction, when an operation was refused after
/// it had changed something.
fn play_together(connection: &Connection, batch: &[Envelope]) -> Result<Option<Outcomes>, StoreError> {
    run(connection, play::BEGIN)?;
    let mut outcomes = Vec::with_capacity(batch.len());
    for envelope in batch {
        let before = connection.total_changes();
        match play::play(connection, &envelope.transaction) {
            Ok(reply) => outcomes.push(Ok(reply)),
            // SQLite rolls the whole transaction back itself when it runs out of disk or memory.
            Err(Fault::Broken(error)) if connection.is_autocommit() => return Err(unavailable(error)),
            Err(fault) if connection.total_changes() == before => outcomes.push(Err(refused(fault))),
            Err(_) => {
                run(connection, play::ROLLBACK)?;
                return Ok(None);
            }
        }
    }
    Ok(Some(outcomes))
}

/// Plays a batch in one transaction, which is left open, each operation under its savepoint.
fn play_apart(connection: &Connection, batch: &[Envelope]) -> Result<Outcomes, StoreError> {
    run(connection, play::BEGIN)?;
    batch.iter().map(|envelope| play_one(connection, envelope)).collect()
}

/// Plays one operation under its savepoint. The outer error ends the batch, the inner one is the caller's own.
fn play_one(connection: &Connection, envelope: &Envelope) -> Result<Result<Reply, StoreError>, StoreError> {
    run(connection, play::SAVEPOINT)?;
    match play::play(connection, &envelope.transaction) {
        Ok(reply) => {
            run(connection, play::RELEASE)?;
            Ok(Ok(reply))
        }
        Err(Fault::Broken(error)) if connection.is_autocommit() => Err(unavailable(error)),
        Err(fault) => {
            run(connection, play::ROLLBACK_TO)?;
            run(connection, play::RELEASE)?;
            Ok(Err(refused(fault)))
        }
    }
}

/// Written out in full, so that whoever adds an operation has to say whether it changes an account.
fn changes_accounts(operation: &Operation) -> bool {
    match operation {
        Operation::UpdateAccount { .. } => true,
        Operation::CreateAccount { .. }
        | Operation::CreateBindingKey { .. }
        | Operation::RevokeBindingKey { .. }
        | Operation::OpenOrder { .. }
        | Operation::OpenAuthorization { .. }
        | Operation::DeactivateAuthorization { .. }
        | Operation::BeginValidation { .. }
        | Operation::SettleAuthorization { .. }
        | Operation::RetryValidation { .. }
        | Operation::HurryValidation { .. }
        | Operation::BeginIssuance { .. }
        | Operation::RecordIntent { .. }
        | Operation::CompleteIssuance { .. }
        | Operation::FailIssuance { .. }
        | Operation::RecordOwnIntent { .. }
        | Operation::CompleteOwn { .. }
        | Operation::LoadCertificates { .. }
        | Operation::Revoke { .. }
        | Operation::BlockKey { .. }
        | Operation::RegisterProcess { .. }
        | Operation::Heartbeat { .. }
        | Operation::RetireProcess { .. }
        | Operation::LeaseJobs { .. }
        | Operation::ReleaseJob { .. }
        | Operation::DropJob { .. }
        | Operation::WriteSetting { .. }
        | Operation::RegisterIssuer { .. }
        | Operation::PublishCrl { .. }
        | Operation::Reap { .. }
        | Operation::CreateRenewalRule { .. }
        | Operation::EndRenewalRule { .. }
        | Operation::ClearLimit { .. }
        | Operation::SweepLimits { .. }
        | Operation::Probe => false,
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
