//! Jobs.

use certus_ca::id::{AuthorizationId, ChallengeId, JobId, OrderId, RequestId};
use certus_ca::job::{Job, Lease, LeasedJob, Task};
use certus_ca::ports::StoreError;

use super::Place;

/// The present lease of a row of `jobs`.
pub(crate) fn lease(id: &[u8], fence: i64) -> Result<Lease, StoreError> {
    let place = Place::new("jobs", id);
    Ok(Lease { job: JobId::from_bytes(place.octets("id", id)?), fence: place.number("fence", fence)? })
}

/// A row of `jobs`, with the public ids of what it is about.
#[derive(Debug)]
pub(crate) struct JobRow {
    pub(crate) id: Vec<u8>,
    pub(crate) request: Vec<u8>,
    pub(crate) fence: i64,
    pub(crate) authorization: Option<Vec<u8>>,
    pub(crate) challenge: Option<Vec<u8>>,
    pub(crate) order: Option<Vec<u8>>,
}

impl JobRow {
    /// The job and its present lease.
    pub(crate) fn into_state(self) -> Result<LeasedJob, StoreError> {
        let place = Place::new("jobs", &self.id);
        let task = match (&self.authorization, &self.challenge, &self.order) {
            (Some(authorization), Some(challenge), None) => Task::Validate {
                authorization: AuthorizationId::from_bytes(place.octets("challenge", authorization)?),
                challenge: ChallengeId::from_bytes(place.octets("challenge", challenge)?),
            },
            (None, None, Some(order)) => Task::Issue { order: OrderId::from_bytes(place.octets("order_key", order)?) },
            (None | Some(_), None | Some(_), None | Some(_)) => return Err(place.inconsistent("challenge")),
        };
        let lease = lease(&self.id, self.fence)?;
        let request = RequestId::from_bytes(place.octets("request", &self.request)?);
        Ok(LeasedJob { job: Job { id: lease.job, task, request }, lease })
    }
}
