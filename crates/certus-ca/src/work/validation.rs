//! The job that validates a challenge: an attempt, then its outcome is kept; and perhaps another (RFC 8555 section 8.2).

use std::time::Duration;

use certus_acme::{AccountStatus, KeyAuthorization, Problem};
use tokio::sync::oneshot;

use super::queue::Slot;
use super::running::InUse;
use super::{drop_job, put_back, spawn};
use crate::audit::Action;
use crate::ca::{Ca, own_event};
use crate::caa;
use crate::id::{AuthorizationId, ChallengeId};
use crate::job::{LeasedJob, Task};
use crate::limits;
use crate::ports::{StoreError, Stored, ValidationError, ValidationRequest};
use crate::state::{Authorization, ChallengeState, ValidatedControl};

/// Validates in a place of the queue that was had before.
pub(crate) fn start(ca: &Ca, job: LeasedJob, lease: InUse, slot: Slot) -> oneshot::Receiver<()> {
    let (work, leased) = (ca.clone(), job.clone());
    spawn(ca, job, lease, async move { run(&work, leased, slot).await })
}

/// Validates what an earlier lease did not finish, within the same limits; without a place it waits for another turn.
pub(crate) fn resume(ca: &Ca, job: LeasedJob, lease: InUse) -> oneshot::Receiver<()> {
    let (work, leased) = (ca.clone(), job.clone());
    spawn(ca, job, lease, async move {
        match place(&work, &leased).await {
            Ok(Place::Taken(slot)) => run(&work, leased, slot).await,
            Ok(Place::Full) => put_back(&work, &leased, &"there is no place for it in the queue").await,
            Ok(Place::Needless) => drop_job(&work, &leased).await,
            Err(error) => put_back(&work, &leased, &error).await,
        }
    })
}

/// Whether a job that was kept before may run now.
enum Place {
    Taken(Slot),
    /// The queue is full, or the share of it that the account has, in all or for the name.
    Full,
    /// There is nothing to validate.
    Needless,
}

async fn place(ca: &Ca, job: &LeasedJob) -> Result<Place, StoreError> {
    let Task::Validate { authorization, .. } = job.job.task else { return Ok(Place::Needless) };
    let Some(found) = ca.inner().store.authorization(authorization).await? else { return Ok(Place::Needless) };
    let target = found.value.identifier.authorized();
    Ok(ca.inner().work.admit(&target, found.value.account).map_or(Place::Full, Place::Taken))
}

async fn run(ca: &Ca, job: LeasedJob, slot: Slot) {
    let Some(_turn) = slot.turn().await else { return };
    let Task::Validate { authorization, challenge } = job.job.task else { return };
    match validate(ca, &job, authorization, challenge).await {
        Ok(Outcome::Settled { status, identifier, why }) => {
            let why = why.as_deref();
            tracing::info!(
                authorization.id = %authorization, request.id = %job.job.request, identifier, status, why,
                "authorization settled"
            );
        }
        Ok(Outcome::Waits { identifier, why, wait }) => {
            tracing::info!(
                authorization.id = %authorization, request.id = %job.job.request, identifier, why, ?wait,
                "validation failed and is tried again"
            );
        }
        Ok(Outcome::Unwanted) => drop_job(ca, &job).await,
        // Another process has the job.
        Err(JobError::Store(StoreError::LeaseLost)) => {}
        Err(error) => put_back(ca, &job, &error).await,
    }
}

enum Outcome {
    Settled {
        status: &'static str,
        identifier: String,
        /// What was wrong, as the client is told; an operator is asked about it.
        why: Option<String>,
    },
    /// It failed, and is tried again.
    Waits {
        identifier: String,
        why: String,
        wait: Duration,
    },
    Unwanted,
}

/// Why a job is not done: a failure of our own.
#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Validation(ValidationError),
    #[error("others kept writing the authorization")]
    Contended,
    #[error("the authorization's account is gone")]
    NoAccount,
}

async fn validate(ca: &Ca, job: &LeasedJob, id: AuthorizationId, challenge: ChallengeId) -> Result<Outcome, JobError> {
    let store = &ca.inner().store;
    let Some(found) = store.authorization(id).await? else { return Ok(Outcome::Unwanted) };
    let Some(request) = request(ca, &found.value, challenge).await? else { return Ok(Outcome::Unwanted) };
    let seen = match ca.inner().validator.validate(&request).await {
        Ok(control) => {
            let caa = ca.caa_of_validated(request.account, &request.identifier, request.method).await;
            caa.map(|caa| control.with_caa(caa))
        }
        Err(error) => Err(error),
    };
    let outcome = match seen {
        Ok(control) => Ok(control),
        Err(ValidationError::Failed(problem)) => Err(problem),
        Err(error @ ValidationError::Ours { .. }) => return Err(JobError::Validation(error)),
    };
    settle(ca, job, found, challenge, outcome).await
}

/// What to look for; `None` when nobody waits for the outcome any more.
async fn request(
    ca: &Ca,
    authorization: &Authorization,
    challenge: ChallengeId,
) -> Result<Option<ValidationRequest>, JobError> {
    let over = authorization.deactivated.is_some() || ca.now() >= authorization.expires;
    let Some(challenge) = authorization.challenge(challenge).filter(|_| !over) else { return Ok(None) };
    if !matches!(challenge.state, ChallengeState::Processing { .. }) {
        return Ok(None);
    }
    let account = ca.inner().store.account(authorization.account).await?.ok_or(JobError::NoAccount)?;
    if account.value.status() != AccountStatus::Valid {
        return Ok(None);
    }
    let key_authorization = KeyAuthorization::new(&challenge.token, &account.value.key.thumbprint());
    Ok(Some(ValidationRequest {
        account: authorization.account,
        identifier: authorization.identifier.clone(),
        method: challenge.method,
        token: challenge.token.clone(),
        key_authorization: key_authorization.as_str().to_owned(),
    }))
}

async fn settle(
    ca: &Ca,
    job: &LeasedJob,
    mut found: Stored<Authorization>,
    challenge: ChallengeId,
    outcome: Result<ValidatedControl, Problem>,
) -> Result<Outcome, JobError> {
    let store = &ca.inner().store;
    let id = found.value.id;
    for _ in 0..limits::MAX_CONFLICTS {
        let Stored { value, version } = found;
        let now = ca.now();
        let valid_until = now + limits::AUTHORIZATION_LIFETIME;
        let Some(settled) = value.settle(challenge, outcome.clone(), now, valid_until) else {
            return Ok(Outcome::Unwanted);
        };
        let retry = settled.challenge(challenge).and_then(|one| one.state.retry()).cloned();
        let mut audit = match outcome.as_ref().err().filter(|problem| caa::forbade(problem)) {
            Some(problem) => {
                own_event(now, Action::CaaForbade, caa::audited(&id.to_string(), settled.account, problem))
            }
            None if retry.is_some() => own_event(now, Action::ValidationRetried, id.to_string()),
            None => own_event(now, Action::AuthorizationSettled, id.to_string()),
        };
        audit.request = Some(job.job.request);
        let wait = retry.as_ref().map(|retry| retry.next.duration_since(now));
        let kept = match wait {
            Some(wait) => store.retry_validation(job.lease, version, &settled, challenge, wait, audit).await,
            None => {
                let charges = ca.charges_of_outcome(&settled, outcome.is_ok(), now).await?;
                store.settle_authorization(job.lease, version, &settled, &charges, audit).await
            }
        };
        match kept {
            Ok(()) => {
                let (identifier, why) = (settled.identifier.value(), outcome.err().map(|problem| problem.detail));
                return Ok(match wait {
                    Some(wait) => Outcome::Waits { identifier, why: why.unwrap_or_default(), wait },
                    None => Outcome::Settled { status: settled.status(now).name(), identifier, why },
                });
            }
            Err(StoreError::Conflict) => match store.authorization(id).await? {
                Some(newer) => found = newer,
                None => return Ok(Outcome::Unwanted),
            },
            Err(error) => return Err(error.into()),
        }
    }
    Err(JobError::Contended)
}
