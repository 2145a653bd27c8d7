//! The job that issues an order's certificate; what it does stands in [`crate::issuance`].

use tokio::sync::oneshot;

use super::running::InUse;
use super::{drop_job, put_back, spawn};
use crate::ca::Ca;
use crate::issuance::{self, Outcome};
use crate::job::{LeasedJob, Task};
use crate::ports::StoreError;

/// Issues on a task of its own.
pub(crate) fn start(ca: &Ca, job: LeasedJob, lease: InUse) -> oneshot::Receiver<()> {
    let (work, leased) = (ca.clone(), job.clone());
    spawn(ca, job, lease, async move { run(&work, leased).await })
}

async fn run(ca: &Ca, job: LeasedJob) {
    let Some(_turn) = ca.inner().work.turn_to_issue().await else { return };
    let Task::Issue { order } = job.job.task else { return };
    match issuance::issue(ca, &job, order).await {
        Ok(Outcome::Issued { serial }) => {
            tracing::info!(order.id = %order, request.id = %job.job.request, %serial, "certificate issued");
        }
        Ok(Outcome::Failed { why }) => {
            tracing::error!(order.id = %order, request.id = %job.job.request, %why, "issuing failed");
        }
        Ok(Outcome::Unwanted) => drop_job(ca, &job).await,
        // Another process has the job.
        Err(issuance::JobError::Store(StoreError::LeaseLost)) => {}
        Err(error) => put_back(ca, &job, &error).await,
    }
}
