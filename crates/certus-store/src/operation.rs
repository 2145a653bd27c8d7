//! What a write is before it is played: data, so that a backend can commit many in one transaction.
//!
//! Deliberately absent: SQL, and any decision. An [`Operation`] says what the authority did; whether it still may is
//! for the row's version, the job's fencing number and the unique columns to say, in the same transaction.

use std::time::Duration;

use certus_ca::audit::{Action, AuditEvent};
use certus_ca::id::{BindingKeyId, ChallengeId, ProcessId, RenewalRuleId};
use certus_ca::job::{Job, Lease, LeasedJob};
use certus_ca::ports::{Process, StoreError, StoredCrl, Version};
use certus_ca::rate_limits::{Charges, LimitName};
use certus_ca::state::{
    Account, Authorization, BindingKey, Challenge, ChallengeState, Intent, IssuedCertificate, KnownCertificate, Order,
    RenewalRule, Revocation,
};
use certus_pki::Timestamp;
use tokio::sync::{mpsc, oneshot};

/// How many writes may wait: at the rate of one disk that is a second of work, and whoever comes later waits too.
const QUEUE: usize = 4096;
/// How many writes one transaction takes: measured, a batch of this size takes 2 to 3 ms and larger ones gain little.
pub(crate) const MAX_BATCH: usize = 256;
/// How long an intent of the authority's own certificate may be without an outcome before it is retired; its signature
/// takes milliseconds, and another process may be at it.
pub(crate) const OWN_INTENT_PATIENCE: Duration = Duration::from_secs(3600);

/// One write, named for what the authority did.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    CreateAccount {
        account: Account,
    },
    CreateBindingKey {
        key: BindingKey,
    },
    RevokeBindingKey {
        id: BindingKeyId,
        at: Timestamp,
    },
    UpdateAccount {
        read: Version,
        account: Account,
    },
    OpenOrder {
        order: Order,
        authorizations: Vec<Authorization>,
    },
    OpenAuthorization {
        authorization: Authorization,
    },
    DeactivateAuthorization {
        read: Version,
        authorization: Authorization,
    },
    BeginValidation {
        read: Version,
        authorization: Authorization,
        challenge: ChallengeId,
        job: Job,
        process: ProcessId,
    },
    SettleAuthorization {
        lease: Lease,
        read: Version,
        authorization: Authorization,
    },
    RetryValidation {
        lease: Lease,
        read: Version,
        authorization: Authorization,
        challenge: ChallengeId,
        wait: Duration,
    },
    HurryValidation {
        challenge: ChallengeId,
    },
    BeginIssuance {
        read: Version,
        order: Order,
        job: Job,
        process: ProcessId,
    },
    RecordIntent {
        lease: Lease,
        intent: Intent,
    },
    CompleteIssuance {
        lease: Lease,
        read: Version,
        order: Order,
        certificate: IssuedCertificate,
    },
    FailIssuance {
        lease: Lease,
        read: Version,
        order: Order,
    },
    RecordOwnIntent {
        intent: Intent,
    },
    CompleteOwn {
        certificate: IssuedCertificate,
    },
    LoadCertificates {
        certificates: Vec<IssuedCertificate>,
    },
    Revoke {
        certificate: KnownCertificate,
        revocation: Revocation,
        block_key: bool,
    },
    BlockKey {
        spki_sha256: [u8; 32],
        at: Timestamp,
    },
    CreateRenewalRule {
        rule: RenewalRule,
    },
    EndRenewalRule {
        id: RenewalRuleId,
        at: Timestamp,
    },
    RegisterProcess {
        process: Process,
    },
    Heartbeat {
        process: ProcessId,
    },
    RetireProcess {
        process: ProcessId,
    },
    LeaseJobs {
        process: ProcessId,
        limit: u32,
        /// When, for the entries in the audit that each leased job gets.
        at: Timestamp,
    },
    ReleaseJob {
        lease: Lease,
        wait: Duration,
    },
    DropJob {
        lease: Lease,
    },
    WriteSetting {
        name: String,
        value: String,
    },
    RegisterIssuer {
        id: String,
        chain_pem: String,
        at: Timestamp,
    },
    PublishCrl {
        crl: StoredCrl,
    },
    Reap {
        before: Timestamp,
        limit: u32,
        at: Timestamp,
    },
    ClearLimit {
        limit: LimitName,
        subject: String,
    },
    SweepLimits {
        keys: Vec<i64>,
        before: Timestamp,
    },
    /// Changes nothing, by statements that only a store that takes writes accepts.
    Probe,
}

impl Operation {
    /// What else the audit tells of, beside the entry of the write as a whole: the key that a new account is bound to.
    pub(crate) fn second_entry(&self, first: &AuditEvent) -> Option<AuditEvent> {
        let Self::CreateAccount { account } = self else { return None };
        let binding = account.binding.as_ref()?;
        Some(AuditEvent { action: Action::BindingKeyUsed, object: binding.key.to_string(), ..first.clone() })
    }
}

/// What a write gave back.
#[derive(Debug)]
pub(crate) enum Reply {
    /// It took effect.
    Done,
    /// There was nothing to do, so nothing was written, and no audit entry either.
    Nothing,
    /// It took effect, and this is the lease of the job it made.
    Lease(Lease),
    /// These jobs were leased, and the audit says so of each.
    Jobs(Vec<LeasedJob>),
    /// It took effect on this many rows. If there are none, the audit has nothing to tell.
    Changed(u64),
}

impl Reply {
    /// Whether something changed that the audit has yet to tell of.
    pub(crate) fn changed(&self) -> bool {
        match self {
            Self::Done | Self::Lease(_) => true,
            Self::Nothing | Self::Jobs(_) => false,
            Self::Changed(count) => *count > 0,
        }
    }
}

/// One logical transaction: an operation, what it costs, and the audit entry that commits with it.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    pub(crate) operation: Operation,
    pub(crate) charges: Charges,
    pub(crate) audit: Option<AuditEvent>,
}

/// A transaction on its way to the writer, with the way back.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) transaction: Transaction,
    pub(crate) reply: oneshot::Sender<Result<Reply, StoreError>>,
}

impl Envelope {
    /// Tells the caller. One who no longer waits will read the store again.
    pub(crate) fn answer(self, outcome: Result<Reply, StoreError>) {
        if self.reply.send(outcome).is_err() {
            tracing::trace!("the caller of a write has gone");
        }
    }
}

/// The callers' end of the way to the writer.
#[derive(Debug, Clone)]
pub(crate) struct Queue(mpsc::Sender<Envelope>);

impl Queue {
    /// Both ends.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Envelope>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Hands a transaction to the writer and waits until it is durable. A caller that stops waiting does not undo it.
    pub(crate) async fn commit(&self, operation: Operation, audit: Option<AuditEvent>) -> Result<Reply, StoreError> {
        self.commit_charged(operation, Charges::none(), audit).await
    }

    /// The same, of one that limits may stand against.
    pub(crate) async fn commit_charged(
        &self,
        operation: Operation,
        charges: Charges,
        audit: Option<AuditEvent>,
    ) -> Result<Reply, StoreError> {
        let (reply, outcome) = oneshot::channel();
        let envelope = Envelope { transaction: Transaction { operation, charges, audit }, reply };
        if self.0.send(envelope).await.is_err() {
            return Err(stopped());
        }
        outcome.await.unwrap_or_else(|_| Err(stopped()))
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable { detail: "its writer has stopped".to_owned(), source: None }
}

/// The challenge that a settled authorization was settled by: the one whose outcome is known.
pub(crate) fn settled_challenge(authorization: &Authorization) -> Option<&Challenge> {
    authorization.challenges.iter().find(|challenge| match challenge.state {
        ChallengeState::Valid { .. } | ChallengeState::Invalid { .. } => true,
        ChallengeState::Pending | ChallengeState::Processing { .. } => false,
    })
}
