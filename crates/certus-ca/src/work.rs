//! Doing what has been promised: jobs, their turn, and answers held for their outcome.
//!
//! A job is in the store before anything is done for it, already leased to this process, and runs here at once. What
//! this process drops — by a crash, or a failure of our own — is leased again, by itself or by another.

pub(crate) mod issuance;
mod openings;
mod queue;
mod running;
pub(crate) mod validation;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use certus_acme::Identifier;
use futures_util::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::task::TaskTracker;

use crate::audit::{Action, AuditEvent};
use crate::ca::{Ca, own_event};
use crate::error::CaError;
use crate::id::AccountId;
use crate::job::{Lease, LeasedJob, Task};
use crate::limits;
use crate::ports::{OpenCounts, StoreError};

use openings::{Opening, Openings};
use queue::{Queue, Slot};
use running::{InUse, Running};

/// The running work of one process.
#[derive(Debug)]
pub(crate) struct Work {
    tasks: TaskTracker,
    openings: Openings,
    validating: Queue,
    issuing: Arc<Semaphore>,
    held: Arc<Semaphore>,
    running: Running,
    taking_up: tokio::sync::Mutex<()>,
}

impl Work {
    pub(crate) fn new() -> Self {
        Self {
            tasks: TaskTracker::new(),
            openings: Openings::default(),
            validating: Queue::new(),
            issuing: Arc::new(Semaphore::new(limits::MAX_PARALLEL_ISSUANCES)),
            held: Arc::new(Semaphore::new(limits::MAX_HELD)),
            running: Running::default(),
            taking_up: tokio::sync::Mutex::new(()),
        }
    }

    /// Says that a lease is in use: before a new job is kept, and when a job is taken up.
    pub(crate) fn use_lease(&self, lease: Lease) -> InUse {
        self.running.take(lease)
    }

    /// Announces an order; see [`Openings::announce`].
    pub(crate) fn announce(&self, account: AccountId, authorizations: u64) -> (Opening, OpenCounts) {
        self.openings.announce(account, authorizations)
    }

    /// A place in the queue of validations.
    ///
    /// # Errors
    ///
    /// [`CaError::Busy`] when the queue is full, or the share of it that the account has.
    pub(crate) fn admit(&self, target: &Identifier, account: AccountId) -> Result<Slot, CaError> {
        self.validating.admit(target, account)
    }

    /// Waits for an outcome, [`limits::HOLD`] at most and not at all when too many wait already. Says whether it is there.
    pub(crate) async fn hold(&self, done: oneshot::Receiver<()>) -> bool {
        let Ok(_place) = self.held.try_acquire() else { return false };
        matches!(tokio::time::timeout(limits::HOLD, done).await, Ok(Ok(())))
    }

    /// Runs to its end what must not stop half-way when a client leaves: a job that was kept is a job that is begun.
    pub(crate) async fn to_its_end<T: Send + 'static>(
        &self,
        operation: impl Future<Output = Result<T, CaError>> + Send + 'static,
    ) -> Result<T, CaError> {
        let (sender, outcome) = oneshot::channel();
        self.tasks.spawn(async move {
            if sender.send(operation.await).is_err() {
                tracing::trace!("the client has left");
            }
        });
        outcome.await.unwrap_or_else(|_| Err(CaError::Internal("an operation ended without an outcome".to_owned())))
    }

    async fn turn_to_issue(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.issuing).acquire_owned().await.ok()
    }

    /// Takes no new work.
    pub(crate) fn close(&self) {
        self.tasks.close();
    }

    /// Until running work is done.
    pub(crate) async fn wait(&self) {
        self.tasks.wait().await;
    }
}

/// Runs a job on a task of its own; the receiver hears when it is over, well or not.
fn spawn(
    ca: &Ca,
    job: LeasedJob,
    lease: InUse,
    work: impl Future<Output = ()> + Send + 'static,
) -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    let ca_of_task = ca.clone();
    ca.inner().work.tasks.spawn(async move {
        // A panic is a bug; the job it happened in waits like one that failed for another reason of ours.
        if AssertUnwindSafe(work).catch_unwind().await.is_err() {
            put_back(&ca_of_task, &job, &"it panicked").await;
        }
        drop(lease);
        if sender.send(()).is_err() {
            tracing::trace!("nobody waits for this outcome any more");
        }
    });
    receiver
}

/// Takes up jobs that nobody holds, one batch after the other: many that are due must not keep what was due after them
/// from being begun, whatever it is.
pub(crate) async fn take_up(ca: &Ca) -> Result<(), StoreError> {
    /// Batches in a row, so that a process that cannot do what it takes does not take it again and again.
    const BATCHES: usize = 16;
    for _ in 0..BATCHES {
        if take_up_batch(ca).await? < BATCH {
            break;
        }
    }
    Ok(())
}

/// Jobs leased at once: what a process can start without making the others wait for a lease it does not use.
const BATCH: usize = 32;

async fn take_up_batch(ca: &Ca) -> Result<usize, StoreError> {
    // One at a time: between its leasing and its use another would take a lease for one that nobody uses.
    let _turn = ca.inner().work.taking_up.lock().await;
    free_unused(ca).await?;
    let inner = ca.inner();
    let jobs = inner.store.lease_jobs(inner.process, u32::try_from(BATCH).unwrap_or(u32::MAX), ca.now()).await?;
    let count = jobs.len();
    for job in jobs {
        let lease = inner.work.use_lease(job.lease);
        match job.job.task {
            Task::Validate { .. } => drop(validation::resume(ca, job, lease)),
            Task::Issue { .. } => drop(issuance::start(ca, job, lease)),
        }
    }
    Ok(count)
}

/// Gives back leases that nobody here uses: of jobs whose keeping, leasing or putting back had an unknown outcome.
async fn free_unused(ca: &Ca) -> Result<(), StoreError> {
    let inner = ca.inner();
    // Whatever is in use was so before the store knew of it; so what is not in use now will not be.
    for lease in inner.store.leases(inner.process).await? {
        if inner.work.running.uses(lease) {
            continue;
        }
        let audit = own_event(ca.now(), Action::JobReleased, lease.job.to_string());
        match inner.store.release_job(lease, Duration::ZERO, audit).await {
            // It was done meanwhile, or is another's.
            Ok(()) | Err(StoreError::LeaseLost) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Puts a job back after a failure of our own.
async fn put_back(ca: &Ca, job: &LeasedJob, why: &(dyn std::fmt::Display + Sync)) {
    // The how-manieth lease it is tells how often it was tried at most: rounds without a place in the queue count, too, so
    // that what waits for long is not leased and put back every other second.
    let doublings = u32::try_from(job.lease.fence.min(6)).unwrap_or(6);
    let wait = limits::RETRY_WAIT.saturating_mul(1 << doublings).min(limits::MAX_RETRY_WAIT);
    tracing::warn!(job.id = %job.job.id, request.id = %job.job.request, error = %why, ?wait, "a job was put back");
    let audit = job_event(ca, job, Action::JobReleased);
    match ca.inner().store.release_job(job.lease, wait, audit).await {
        Ok(()) | Err(StoreError::LeaseLost) => {}
        Err(error) => tracing::warn!(job.id = %job.job.id, %error, "a job could not be put back"),
    }
}

/// An entry for what happens to a job itself.
fn job_event(ca: &Ca, job: &LeasedJob, action: Action) -> AuditEvent {
    AuditEvent { request: Some(job.job.request), ..own_event(ca.now(), action, job.job.id.to_string()) }
}

/// Gives up a job that nobody wants any more.
async fn drop_job(ca: &Ca, job: &LeasedJob) {
    let audit = job_event(ca, job, Action::JobDropped);
    match ca.inner().store.drop_job(job.lease, audit).await {
        Ok(()) | Err(StoreError::LeaseLost) => {}
        Err(error) => tracing::warn!(job.id = %job.job.id, %error, "a job could not be given up"),
    }
}
