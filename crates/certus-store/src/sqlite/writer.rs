//! One thread that writes: it takes whatever has queued, plays each logical transaction under its own savepoint, commits
//! them with one fsync, and answers only then.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use certus_ca::ports::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::failed;

/// Logical transactions that may wait. A writer does tens of thousands a second, so a full queue is a dead disk.
const QUEUE: usize = 4_096;
/// Logical transactions in one commit: 2 to 3 ms of work, so that nobody waits long behind the others.
const BATCH: usize = 256;
/// Commits after which the write-ahead log is folded back into the file.
const CHECKPOINT_EVERY: usize = 64;

/// A logical transaction on its way.
trait Logical: Send {
    /// Plays it; false rolls its savepoint back.
    fn play(&mut self, connection: &Connection) -> bool;
    /// Answers the caller.
    fn answer(self: Box<Self>, committed: Result<(), String>);
}

struct Pending<T, F> {
    transaction: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T, StoreError> + Send> Logical for Pending<T, F> {
    fn play(&mut self, connection: &Connection) -> bool {
        self.outcome = self.transaction.take().map(|transaction| transaction(connection));
        matches!(self.outcome, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, committed: Result<(), String>) {
        let outcome = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            // What was refused was refused whether or not the others were committed.
            (Err(_), Some(Err(error))) => Err(error),
            (Err(detail), _) => Err(StoreError::Unavailable { detail, source: None }),
            (Ok(()), None) => Err(gone()),
        };
        if self.caller.send(outcome).is_err() {
            tracing::trace!("nobody waits for this write any more");
        }
    }
}

/// The way to the writing thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: SyncSender<Box<dyn Logical>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, checkpointer: Connection) -> Result<Self, StoreError> {
        let (queue, jobs) = sync_channel(QUEUE);
        let spawned = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(&connection, &checkpointer, &jobs));
        spawned.map_err(|error| StoreError::unavailable("the writing thread could not be started", error))?;
        Ok(Self { queue })
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        transaction: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (caller, answer) = oneshot::channel();
        match self.queue.try_send(Box::new(Pending { transaction: Some(transaction), outcome: None, caller })) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                return Err(StoreError::Unavailable {
                    detail: "too many writes are waiting for the disk".to_owned(),
                    source: None,
                });
            }
            Err(TrySendError::Disconnected(_)) => return Err(gone()),
        }
        answer.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable { detail: "the writing thread has ended".to_owned(), source: None }
}

fn run(connection: &Connection, checkpointer: &Connection, jobs: &Receiver<Box<dyn Logical>>) {
    let mut commits = 0_usize;
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            let Ok(next) = jobs.try_recv() else { break };
            batch.push(next);
        }
        let committed = play(connection, &mut batch).map_err(|error| {
            tracing::error!(%error, "a commit failed");
            error.to_string()
        });
        for job in batch {
            job.answer(committed.clone());
        }
        commits += 1;
        if commits.is_multiple_of(CHECKPOINT_EVERY)
            && let Err(error) = checkpointer.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        {
            tracing::warn!(%error, "the write-ahead log could not be folded back");
        }
    }
}

fn play(connection: &Connection, batch: &mut [Box<dyn Logical>]) -> Result<(), StoreError> {
    let execute =
        |sql: &str| connection.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map_err(failed);
    execute("BEGIN IMMEDIATE")?;
    let played = (|| {
        for job in batch.iter_mut() {
            execute("SAVEPOINT one")?;
            if !job.play(connection) {
                execute("ROLLBACK TO one")?;
            }
            execute("RELEASE one")?;
        }
        execute("COMMIT")
    })();
    match played {
        Ok(_) => Ok(()),
        Err(error) => {
            // After a failed commit the transaction is open or gone; both are well after this.
            if !connection.is_autocommit() {
                execute("ROLLBACK")?;
            }
            Err(match error {
                StoreError::Conflict => {
                    StoreError::Unavailable { detail: "a constraint failed at commit".to_owned(), source: None }
                }
                other => other,
            })
        }
    }
}
