//! Durable work: what has been promised and not been done yet.
//!
//! A job is leased to one process at a time. The lease carries a fencing number that grows with every lease, and
//! whatever a job writes names it: a process that stalled and woke up cannot write over its successor.

use std::time::Duration;

use crate::id::{AuthorizationId, ChallengeId, JobId, OrderId, RequestId};

/// How long a lease holds without being renewed: long enough for the longest validation (10 s) and a stalled disk,
/// short enough that an order of a dead process is taken up within a client's patience.
pub const LEASE: Duration = Duration::from_secs(30);

/// A piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What is to be done.
    pub task: Task,
    /// The request that asked for it.
    pub request: RequestId,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Validate a challenge.
    Validate {
        /// The authorization it belongs to.
        authorization: AuthorizationId,
        /// The challenge.
        challenge: ChallengeId,
    },
    /// Issue an order's certificate.
    Issue {
        /// The order.
        order: OrderId,
    },
}

/// The right to do a job, good while no later lease of it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// The fencing number: the how-manieth lease of this job it is.
    pub fence: u64,
}

impl Lease {
    /// The lease that a job is kept with.
    #[must_use]
    pub const fn first(job: JobId) -> Self {
        Self { job, fence: 1 }
    }
}

/// A job together with the right to do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedJob {
    /// The job.
    pub job: Job,
    /// The right.
    pub lease: Lease,
}
