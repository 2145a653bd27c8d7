//! Doing what has been promised: jobs, their turn, and answers held for their outcome.
//!
//! A job is in the store before anything is done for it, already leased to this process, and runs here at once. What
//! this process drops — by a crash, or a failure of our own — is leased again, by itself or by another.

pub(crate) mod issuance;
pub(crate) mod validation;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use certus_pki::DnsName;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::task::TaskTracker;

use crate::ca::Ca;
use crate::error::CaError;
use crate::job::{Job, Lease, LeasedJob, Task};
use crate::limits;
use crate::ports::StoreError;

/// The running work of one process.
#[derive(Debug)]
pub(crate) struct Work {
    tasks: TaskTracker,
    validating: Arc<Semaphore>,
    issuing: Arc<Semaphore>,
    held: Arc<Semaphore>,
    targets: Arc<Targets>,
    /// Leases that the store may think this process is using, although it is not. Nothing awaits under the lock.
    doubtful: Mutex<Vec<Lease>>,
}

/// How many validations run or wait, in all and by name. Guards nothing that awaits.
#[derive(Debug, Default)]
struct Targets(Mutex<HashMap<DnsName, usize>>);

/// A validation's place in the queue; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    targets: Arc<Targets>,
    target: DnsName,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut targets = self.targets.0.lock();
        if let Some(count) = targets.get_mut(&self.target) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                targets.remove(&self.target);
            }
        }
    }
}

impl Work {
    pub(crate) fn new() -> Self {
        Self {
            tasks: TaskTracker::new(),
            validating: Arc::new(Semaphore::new(limits::MAX_PARALLEL_VALIDATIONS)),
            issuing: Arc::new(Semaphore::new(limits::MAX_PARALLEL_ISSUANCES)),
            held: Arc::new(Semaphore::new(limits::MAX_HELD)),
            targets: Arc::default(),
            doubtful: Mutex::default(),
        }
    }

    /// Takes note of what came of keeping a new job: when that is not known, the job may be in the store, leased to this
    /// process, with nobody at work on it. [`take_up`] frees it then.
    ///
    /// # Errors
    ///
    /// What the store said.
    pub(crate) fn begun(&self, job: &Job, outcome: Result<Lease, StoreError>) -> Result<Lease, StoreError> {
        outcome.inspect_err(|error| self.doubt(Lease::first(job.id), error))
    }

    fn doubt(&self, lease: Lease, error: &StoreError) {
        match error {
            StoreError::Unavailable { .. } => {}
            // The store has said what it did.
            StoreError::Conflict
            | StoreError::LeaseLost
            | StoreError::Inconsistent { .. }
            | StoreError::NewerSchema { .. } => return,
        }
        let mut doubtful = self.doubtful.lock();
        if doubtful.len() < limits::MAX_DOUBTFUL {
            doubtful.push(lease);
        }
    }

    /// A place in the queue of validations.
    ///
    /// # Errors
    ///
    /// [`CaError::Busy`] when the queue or the name's share of it is full.
    pub(crate) fn admit(&self, target: &DnsName) -> Result<Slot, CaError> {
        let mut targets = self.targets.0.lock();
        if targets.values().sum::<usize>() >= limits::MAX_QUEUED_VALIDATIONS {
            return Err(CaError::Busy("too many validations are waiting; try again later"));
        }
        let count = targets.entry(target.clone()).or_default();
        if *count >= limits::MAX_VALIDATIONS_PER_TARGET {
            return Err(CaError::Busy("too many validations of this name are under way; try again later"));
        }
        *count += 1;
        Ok(Slot { targets: Arc::clone(&self.targets), target: target.clone() })
    }

    /// Waits for an outcome, [`limits::HOLD`] at most and not at all when too many wait already. Says whether it is there.
    pub(crate) async fn hold(&self, done: oneshot::Receiver<()>) -> bool {
        let Ok(_place) = self.held.try_acquire() else { return false };
        matches!(tokio::time::timeout(limits::HOLD, done).await, Ok(Ok(())))
    }

    /// Runs `job` on a task of its own; the receiver hears when it is over, well or not.
    fn spawn(&self, job: impl Future<Output = ()> + Send + 'static) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.tasks.spawn(async move {
            job.await;
            if sender.send(()).is_err() {
                tracing::trace!("nobody waits for this outcome any more");
            }
        });
        receiver
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

    async fn turn_to_validate(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.validating).acquire_owned().await.ok()
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

/// Takes up jobs that nobody holds.
pub(crate) async fn take_up(ca: &Ca) -> Result<usize, StoreError> {
    /// Jobs leased at once: what a process can start without making the others wait for a lease it does not use.
    const BATCH: u32 = 32;
    free_doubtful(ca).await?;
    let inner = ca.inner();
    let jobs = inner.store.lease_jobs(inner.process, BATCH).await?;
    let count = jobs.len();
    for job in jobs {
        match job.job.task {
            Task::Validate { .. } => drop(validation::resume(ca, job)),
            Task::Issue { .. } => drop(issuance::start(ca, job)),
        }
    }
    Ok(count)
}

/// Gives back leases that nobody here uses.
async fn free_doubtful(ca: &Ca) -> Result<(), StoreError> {
    let inner = ca.inner();
    loop {
        let Some(lease) = inner.work.doubtful.lock().pop() else { return Ok(()) };
        match inner.store.release_job(lease, Duration::ZERO).await {
            // It was never kept, or it is done.
            Ok(()) | Err(StoreError::LeaseLost) => {}
            Err(error) => {
                inner.work.doubt(lease, &error);
                return Err(error);
            }
        }
    }
}

/// Puts a job back after a failure of our own.
async fn put_back(ca: &Ca, job: &LeasedJob, why: &(dyn std::fmt::Display + Sync)) {
    // The how-manieth lease it is tells how often it has been tried.
    let doublings = u32::try_from(job.lease.fence.min(6)).unwrap_or(6);
    let wait = limits::RETRY_WAIT.saturating_mul(1 << doublings).min(limits::MAX_RETRY_WAIT);
    tracing::warn!(job.id = %job.job.id, request.id = %job.job.request, error = %why, ?wait, "a job was put back");
    give_back(ca, job, wait).await;
}

async fn give_back(ca: &Ca, job: &LeasedJob, wait: Duration) {
    match ca.inner().store.release_job(job.lease, wait).await {
        Ok(()) | Err(StoreError::LeaseLost) => {}
        Err(error) => {
            tracing::warn!(job.id = %job.job.id, %error, "a job could not be put back");
            ca.inner().work.doubt(job.lease, &error);
        }
    }
}

/// Gives up a job that nobody wants any more.
async fn drop_job(ca: &Ca, job: &LeasedJob) {
    match ca.inner().store.drop_job(job.lease).await {
        Ok(()) | Err(StoreError::LeaseLost) => {}
        Err(error) => {
            tracing::warn!(job.id = %job.job.id, %error, "a job could not be given up");
            ca.inner().work.doubt(job.lease, &error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_cannot_fill_the_queue() -> Result<(), Box<dyn std::error::Error>> {
        let work = Work::new();
        let name = DnsName::parse("a.example")?;
        let slots: Result<Vec<Slot>, CaError> =
            (0..limits::MAX_VALIDATIONS_PER_TARGET).map(|_| work.admit(&name)).collect();
        let mut slots = slots?;
        assert!(matches!(work.admit(&name), Err(CaError::Busy(_))));
        assert!(work.admit(&DnsName::parse("b.example")?).is_ok());
        slots.pop();
        assert!(work.admit(&name).is_ok());
        drop(slots);
        assert!(work.targets.0.lock().is_empty());
        Ok(())
    }

    #[test]
    fn the_queue_has_an_end() -> Result<(), Box<dyn std::error::Error>> {
        let work = Work::new();
        let mut slots = Vec::new();
        for index in 0..limits::MAX_QUEUED_VALIDATIONS {
            slots.push(work.admit(&DnsName::parse(&format!("n{index}.example"))?)?);
        }
        assert!(matches!(work.admit(&DnsName::parse("one-more.example")?), Err(CaError::Busy(_))));
        Ok(())
    }
}
