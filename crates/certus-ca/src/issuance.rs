//! The irreversible steps: prepare → record intent → sign → compare → complete.
//!
//! What a crash between any two lines leaves behind is told in `docs/issuance.md`.

use certus_acme::{AccountStatus, AuthorizationStatus, Problem, ProblemKind};
use certus_pki::{
    AuthorizedNames, Certificate, Issuer, PrepareError, Prepared, PublicKey, SerialNumber, TbsCertificate, TbsError,
    Timestamp, Validity, ValidityError,
};

use crate::audit::{Action, AuditEvent};
use crate::ca::{Ca, own_event};
use crate::caa::{self, CaaStop};
use crate::error::with_causes;
use crate::id::{AccountId, CertificateId, OrderId};
use crate::issuers::ProfileRule;
use crate::job::LeasedJob;
use crate::limits;
use crate::policy::{self, identifiers};
use crate::ports::{OrderAndAuthorizations, StoreError, Stored, ValidationError, Version};
use crate::state::{Account, Authorization, Intent, IssuedCertificate, Order, OrderState};

/// What came of an issuing job.
pub(crate) enum Outcome {
    /// The certificate is there.
    Issued {
        /// Its serial.
        serial: SerialNumber,
    },
    /// The order has failed.
    Failed {
        /// Why, for the log.
        why: String,
    },
    /// The order no longer waits for a certificate.
    Unwanted,
}

/// Why the job is not done: a failure of our own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the clock says {now}, but the store was written to at {newest}: nothing is signed until the clock is set")]
    Clock { now: Timestamp, newest: Timestamp },
    #[error("CAA could not be asked: {0}")]
    Validation(ValidationError),
}

/// Issues the certificate of an order that was finalized.
pub(crate) async fn issue(ca: &Ca, job: &LeasedJob, id: OrderId) -> Result<Outcome, JobError> {
    let mut why = String::new();
    for _ in 0..limits::MAX_SIGNING_TRIES {
        let Some(waiting) = waiting(ca, id).await? else { return Ok(Outcome::Unwanted) };
        match attempt(ca, job, waiting).await? {
            Attempt::Ended(outcome) => return Ok(outcome),
            Attempt::Again { because } => why = because,
        }
        tracing::warn!(order.id = %id, request.id = %job.job.request, error = %why, "issuing is tried again");
    }
    let Some(Waiting { order, version, .. }) = waiting(ca, id).await? else { return Ok(Outcome::Unwanted) };
    let problem = Problem::new(ProblemKind::ServerInternal, "the certificate could not be signed; make a new order");
    fail(ca, job, version, order, problem, &why).await
}

/// An order that waits for its certificate.
struct Waiting {
    order: Order,
    authorizations: Vec<Authorization>,
    version: Version,
}

/// The order as it is now, if it still waits.
async fn waiting(ca: &Ca, id: OrderId) -> Result<Option<Waiting>, StoreError> {
    let Some(Stored { value: OrderAndAuthorizations { order, authorizations }, version }) =
        ca.inner().store.order(id).await?
    else {
        return Ok(None);
    };
    let waits = matches!(order.state, OrderState::Processing { .. });
    Ok(waits.then_some(Waiting { order, authorizations, version }))
}

/// What came of trying once.
enum Attempt {
    /// The order has ended, well or not.
    Ended(Outcome),
    /// Nothing was issued, and another try may succeed.
    Again { because: String },
}

async fn attempt(ca: &Ca, job: &LeasedJob, waiting: Waiting) -> Result<Attempt, JobError> {
    let inner = ca.inner();
    let Waiting { order, authorizations, version } = waiting;
    let account = inner.store.account(order.account).await?.map(|stored| stored.value);
    if let Some(why) = no_longer(&order, &authorizations, account.as_ref(), ca.now()) {
        let detail = format!("{why} before its certificate was issued; make a new order");
        let problem = Problem::new(ProblemKind::Unauthorized, detail);
        return fail(ca, job, version, order, problem, why).await.map(Attempt::Ended);
    }
    if let Some(account) = &account
        && let Some(problem) =
            policy::binding::refusal(ca.key_of(account).await?.as_ref(), &order.identifiers, Some(&order.profile))
    {
        let why = problem.detail.clone();
        return fail(ca, job, version, order, problem, &why).await.map(Attempt::Ended);
    }
    let Some((names, key)) = order.authorized_names(&authorizations) else {
        let problem = Problem::new(ProblemKind::Unauthorized, "the order's authorizations are not its own; order anew");
        return fail(ca, job, version, order, problem, "the proof does not hold").await.map(Attempt::Ended);
    };
    let Some(rule) = ca.issuers().profiles.get(&order.profile) else {
        let why = format!("the profile {:?} is no longer configured", order.profile);
        let problem = Problem::new(ProblemKind::ServerInternal, "the order's profile is no longer offered; order anew");
        return fail(ca, job, version, order, problem, &why).await.map(Attempt::Ended);
    };
    if inner.store.key_blocked(&key.spki_sha256()).await? {
        let problem =
            Problem::new(ProblemKind::BadCsr, "the key of this order is known to be compromised; make another");
        return fail(ca, job, version, order, problem, "its key was blocked").await.map(Attempt::Ended);
    }
    // What may be certified is a setting, which may have changed since the order was taken.
    let refused =
        order.identifiers.iter().find_map(|one| identifiers::admit(one, rule, |one| ca.admits(rule, one)).err());
    if let Some((kind, why)) = refused {
        return fail(ca, job, version, order, Problem::new(kind, why.clone()), &why).await.map(Attempt::Ended);
    }
    let cleared = match ca.clear_caa(rule, &order, &authorizations).await {
        Ok(cleared) => cleared,
        Err(CaaStop::Refused(problem)) => {
            let why = problem.detail.clone();
            return fail(ca, job, version, order, problem, &why).await.map(Attempt::Ended);
        }
        Err(CaaStop::Ours(error)) => return Err(JobError::Validation(error)),
    };
    let now = ca.now();
    inner.clock_guard.check(now).map_err(|newest| JobError::Clock { now, newest })?;
    let serial = SerialNumber::random();
    let shard = shard_of(&serial, ca.issuers().shards);
    let prepared = match prepare(ca, rule, &order.validity, names, &key, serial, shard, now) {
        Ok(prepared) => prepared,
        // The order waited so long that its dates can no longer be had.
        Err(RuleError::Build(TbsError::Validity(
            error @ (ValidityError::NotBefore { .. } | ValidityError::NotAfter { .. }),
        ))) => {
            let problem = Problem::new(ProblemKind::Malformed, format!("{error}; order anew"));
            return fail(ca, job, version, order, problem, &error.to_string()).await.map(Attempt::Ended);
        }
        Err(error) => {
            let detail = "the certificate would break the authority's rules; its operator finds more in the log";
            let problem = Problem::new(ProblemKind::ServerInternal, detail);
            return fail(ca, job, version, order, problem, &error.to_string()).await.map(Attempt::Ended);
        }
    };
    let issuer = rule.issuer_for(&key);
    let intent = Intent { caa: cleared.into_anew(), ..intent(Some(order.id), issuer.id(), shard, &prepared, now) };
    let audit = event(now, Action::IntentRecorded, intent.serial.to_string(), job);
    match inner.store.record_intent(job.lease, &intent, audit).await {
        Ok(()) => {}
        // The serial was used before, or a proof was given up or the key blocked since it was read: the next try sees which.
        Err(error @ StoreError::Conflict) => return Ok(Attempt::Again { because: error.to_string() }),
        Err(error) => return Err(error.into()),
    }
    // COMMIT POINT: past this line the serial is spent, whatever happens.
    match issuer.sign(prepared).await {
        Ok(certificate) => complete(ca, job, version, order, issuer, shard, &certificate).await.map(Attempt::Ended),
        // Whether it was signed is not known; the next intent retires this one.
        Err(error) => Ok(Attempt::Again { because: with_causes(&error) }),
    }
}

/// Why an order that was rightly finalized may no longer be issued: a job can wait for long, and proofs age meanwhile.
fn no_longer(
    order: &Order,
    authorizations: &[Authorization],
    account: Option<&Account>,
    now: Timestamp,
) -> Option<&'static str> {
    if now >= order.expires {
        return Some("the order expired");
    }
    // With it its authorizations are, too.
    if account.is_none_or(|account| account.status() != AccountStatus::Valid) {
        return Some("the account of this order was deactivated");
    }
    if authorizations.iter().any(|authorization| authorization.deactivated.is_some()) {
        return Some("an authorization of this order was deactivated");
    }
    if authorizations.iter().any(|authorization| authorization.status(now) != AuthorizationStatus::Valid) {
        return Some("an authorization of this order expired");
    }
    None
}

fn prepare(
    ca: &Ca,
    rule: &ProfileRule,
    validity: &Validity,
    names: AuthorizedNames,
    key: &PublicKey,
    serial: SerialNumber,
    shard: u32,
    now: Timestamp,
) -> Result<Prepared, RuleError> {
    let issuer: &Issuer = rule.issuer_for(key);
    let publications = ca.issuers().publications(issuer.id(), shard);
    let tbs = TbsCertificate::within(validity, &rule.profile, names, key, serial, issuer, &publications, now)?;
    Ok(issuer.prepare(tbs, now)?)
}

/// Why a certificate may not be signed.
#[derive(Debug, thiserror::Error)]
enum RuleError {
    #[error(transparent)]
    Build(#[from] TbsError),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
}

async fn complete(
    ca: &Ca,
    job: &LeasedJob,
    version: Version,
    order: Order,
    issuer: &Issuer,
    shard: u32,
    certificate: &Certificate,
) -> Result<Outcome, JobError> {
    let now = ca.now();
    let kept = issued(Some(order.account), issuer.id(), &order.profile, shard, certificate, now);
    let audit = event(now, Action::CertificateIssued, kept.id.to_string(), job);
    let order = order.complete(kept.id, now);
    // COMMIT POINT: past this line the client has its certificate; before it, the serial is retired by the next lease.
    ca.inner().store.complete_issuance(job.lease, version, &order, &kept, audit).await?;
    Ok(Outcome::Issued { serial: kept.serial })
}

async fn fail(
    ca: &Ca,
    job: &LeasedJob,
    version: Version,
    order: Order,
    problem: Problem,
    why: &str,
) -> Result<Outcome, JobError> {
    let now = ca.now();
    let audit = if caa::forbade(&problem) {
        let object = caa::audited(&order.id.to_string(), order.account, &problem);
        event(now, Action::CaaForbade, object, job)
    } else {
        event(now, Action::IssuanceFailed, order.id.to_string(), job)
    };
    let order = order.fail(problem, now);
    let charges = ca.charges_given_back(&order, now).await?;
    ca.inner().store.fail_issuance(job.lease, version, &order, &charges, audit).await?;
    Ok(Outcome::Failed { why: why.to_owned() })
}

fn event(at: Timestamp, action: Action, object: String, job: &LeasedJob) -> AuditEvent {
    AuditEvent { request: Some(job.job.request), ..own_event(at, action, object) }
}

/// What is about to be signed.
pub(crate) fn intent(order: Option<OrderId>, issuer: &str, shard: u32, prepared: &Prepared, now: Timestamp) -> Intent {
    Intent {
        order,
        issuer: issuer.to_owned(),
        serial: prepared.serial().clone(),
        tbs_sha256: prepared.tbs_sha256(),
        spki_sha256: prepared.public_key().spki_sha256(),
        shard,
        not_after: prepared.not_after(),
        recorded: now,
        caa: Vec::new(),
    }
}

/// A signed certificate as it is kept.
pub(crate) fn issued(
    account: Option<AccountId>,
    issuer: &str,
    profile: &str,
    shard: u32,
    certificate: &Certificate,
    now: Timestamp,
) -> IssuedCertificate {
    IssuedCertificate {
        id: CertificateId::random(),
        account,
        issuer: issuer.to_owned(),
        serial: certificate.serial().clone(),
        der: certificate.der().to_vec(),
        sha256: certificate.sha256(),
        spki_sha256: certificate.public_key().spki_sha256(),
        names: certificate.subject_names().clone(),
        profile: profile.to_owned(),
        shard,
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
        issued: now,
    }
}

/// The CRL shard of a new certificate: serials are random, so their last octets spread evenly.
pub(crate) fn shard_of(serial: &SerialNumber, shards: u32) -> u32 {
    let tail = serial.as_bytes().last_chunk::<4>().map_or(0, |octets| u32::from_be_bytes(*octets));
    tail % shards.max(1)
}
