//! Operations as statements with their values, and answers as what callers are told.
//!
//! A writing statement answers with one row, its outcome: `done`, `nothing` (there was nothing to do), `conflict`,
//! `lease` (it was lost), or `unknown` (a row it leans on, which nothing ever removes, is not there).

use std::time::Duration;

use certus_ca::audit::{Action, Actor, AuditEvent};
use certus_ca::job::{LEASE, Lease};
use certus_ca::ports::{StoreError, StoredCrl};
use certus_ca::state::{Account, Authorization, Intent, IssuedCertificate, KnownCertificate, Order};
use certus_pki::Timestamp;
use tokio_postgres::Row;

use super::connection::{Call, Value};
use super::fault::column;
use super::{binding, limit, renewal, sql_authority, sql_issuance, sql_job, sql_order, sql_revocation};
use crate::operation::{OWN_INTENT_PATIENCE, Operation, Reply, Transaction, settled_challenge};
use crate::rows::{
    ChallengeFacts, JobRow, OrderFacts, Place, caa_column, caa_list_column, column_of, limits_column, millis,
    number_column, reason_column, resolved_column, reuse_column, settled_column, version_column,
};

macro_rules! values {
    ($($value:expr),+ $(,)?) => { vec![$(Box::new($value) as Value),+] };
}

/// The statement of a transaction; refused when what it was handed cannot be an outcome of its kind.
pub(super) fn call(transaction: &Transaction) -> Result<Call, StoreError> {
    let audit = transaction.audit.as_ref();
    let audited = |sql: &'static str, mut more: Vec<Value>| {
        let mut values = audit_values(audit);
        values.append(&mut more);
        Call { sql, values }
    };
    Ok(match &transaction.operation {
        Operation::CreateAccount { account } => {
            let mut more = create_account(account, contact(account)?, limits_column(account)?);
            match &account.binding {
                None => audited(sql_order::CREATE_ACCOUNT, more),
                Some(bound) => {
                    more.append(&mut binding::bound(bound));
                    audited(binding::CREATE_BOUND_ACCOUNT, more)
                }
            }
        }
        Operation::CreateBindingKey { key } => audited(binding::CREATE, binding::values(key)?),
        Operation::RevokeBindingKey { id, at } => {
            audited(binding::REVOKE, values![id.as_bytes().to_vec(), millis(*at)])
        }
        Operation::UpdateAccount { read, account } => {
            let id = account.id.as_bytes().to_vec();
            let deactivated = account.deactivated.map(millis);
            let (thumbprint, jwk) =
                (account.key.thumbprint().as_bytes().to_vec(), account.key.canonical_json().to_owned());
            let terms = account.terms.clone();
            let limits = limits_column(account)?;
            let contact = contact(account)?;
            let more = values![
                id,
                version_column(*read),
                thumbprint,
                jwk,
                contact,
                deactivated,
                terms,
                limits,
                account.revoked
            ];
            audited(sql_order::UPDATE_ACCOUNT, more)
        }
        Operation::OpenOrder { order, authorizations } => {
            audited(sql_order::OPEN_ORDER, open_order(order, authorizations))
        }
        Operation::OpenAuthorization { authorization } => {
            audited(sql_order::OPEN_AUTHORIZATION, open_authorization(authorization))
        }
        Operation::DeactivateAuthorization { read, authorization } => {
            let id = authorization.id.as_bytes().to_vec();
            let deactivated = authorization.deactivated.map(millis);
            audited(sql_order::DEACTIVATE, values![id, version_column(*read), deactivated])
        }
        Operation::BeginValidation { read, authorization, challenge, job, process } => {
            let state = authorization.challenge(*challenge).ok_or(StoreError::Conflict)?;
            let begun = ChallengeFacts::of(&state.state)?.begun.ok_or(StoreError::Conflict)?;
            let more = values![
                authorization.id.as_bytes().to_vec(),
                version_column(*read),
                challenge.as_bytes().to_vec(),
                begun,
                job.id.as_bytes().to_vec(),
                job.request.as_bytes().to_vec(),
                process.as_bytes().to_vec(),
            ];
            audited(sql_order::BEGIN_VALIDATION, more)
        }
        Operation::SettleAuthorization { lease, read, authorization } => {
            let mut more = leased(*lease);
            more.append(&mut settle(version_column(*read), authorization)?);
            audited(sql_order::SETTLE, more)
        }
        Operation::RetryValidation { lease, read, authorization, challenge, wait } => {
            let state = authorization.challenge(*challenge).ok_or(StoreError::Conflict)?;
            let (failures, next, problem) = ChallengeFacts::of(&state.state)?.retry.ok_or(StoreError::Conflict)?;
            let mut more = leased(*lease);
            more.append(&mut values![
                authorization.id.as_bytes().to_vec(),
                version_column(*read),
                challenge.as_bytes().to_vec(),
                failures,
                next,
                problem,
                wait_column(*wait),
            ]);
            audited(sql_order::RETRY, more)
        }
        Operation::HurryValidation { challenge } => audited(sql_job::HURRY, values![challenge.as_bytes().to_vec()]),
        Operation::BeginIssuance { read, order, job, process } => {
            let (finalized, public_key) = OrderFacts::of(&order.state)?.finalized.ok_or(StoreError::Conflict)?;
            let more = values![
                order.id.as_bytes().to_vec(),
                version_column(*read),
                finalized,
                public_key.to_vec(),
                job.id.as_bytes().to_vec(),
                job.request.as_bytes().to_vec(),
                process.as_bytes().to_vec(),
            ];
            audited(sql_issuance::BEGIN_ISSUANCE, more)
        }
        Operation::RecordIntent { lease, intent } => {
            let order = intent.order.ok_or(StoreError::Conflict)?;
            let mut more = leased(*lease);
            more.append(&mut values![order.as_bytes().to_vec()]);
            more.append(&mut intent_values(intent)?);
            audited(sql_issuance::RECORD_INTENT, more)
        }
        Operation::CompleteIssuance { lease, read, order, certificate } => {
            let (issued, id) = OrderFacts::of(&order.state)?.issued.ok_or(StoreError::Conflict)?;
            if id != certificate.id {
                return Err(StoreError::Conflict);
            }
            let mut more = certificate_values(certificate);
            more.append(&mut leased(*lease));
            more.append(&mut values![order.id.as_bytes().to_vec(), version_column(*read), issued]);
            audited(sql_issuance::COMPLETE, more)
        }
        Operation::FailIssuance { lease, read, order } => {
            let (failed, problem) = OrderFacts::of(&order.state)?.failed.ok_or(StoreError::Conflict)?;
            let mut more = leased(*lease);
            more.append(&mut values![order.id.as_bytes().to_vec(), version_column(*read), failed, problem]);
            audited(sql_issuance::FAIL, more)
        }
        Operation::RecordOwnIntent { intent } => {
            let mut more = intent_values(intent)?;
            more.append(&mut values![millis(intent.recorded - OWN_INTENT_PATIENCE)]);
            audited(sql_issuance::RECORD_OWN_INTENT, more)
        }
        Operation::CompleteOwn { certificate } => audited(sql_issuance::COMPLETE_OWN, certificate_values(certificate)),
        Operation::LoadCertificates { certificates } => audited(sql_issuance::LOAD, load(certificates)),
        Operation::Revoke {
            certificate: KnownCertificate { certificate, revocation: before },
            revocation,
            block_key,
        } => {
            let more = values![
                certificate.id.as_bytes().to_vec(),
                before.map(|before| millis(before.at)),
                before.and_then(reason_column),
                millis(revocation.at),
                reason_column(*revocation),
                block_key.then(|| certificate.spki_sha256.to_vec()),
            ];
            audited(sql_revocation::REVOKE, more)
        }
        Operation::BlockKey { spki_sha256, at } => {
            audited(sql_revocation::BLOCK, values![spki_sha256.to_vec(), millis(*at)])
        }
        Operation::CreateRenewalRule { rule } => audited(renewal::CREATE, renewal::values(rule)?),
        Operation::EndRenewalRule { id, at } => audited(renewal::END, values![id.as_bytes().to_vec(), millis(*at)]),
        Operation::RegisterProcess { process } => {
            let (id, pid) = (process.id.as_bytes().to_vec(), i64::from(process.pid));
            audited(sql_job::REGISTER, values![id, process.host.clone(), pid, process.version.clone()])
        }
        Operation::Heartbeat { process } => {
            let silence = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
            audited(sql_job::HEARTBEAT, values![process.as_bytes().to_vec(), silence])
        }
        Operation::RetireProcess { process } => audited(sql_job::RETIRE, values![process.as_bytes().to_vec()]),
        Operation::LeaseJobs { process, limit, at } => {
            let (actor, action) = (Actor::Authority.to_string(), Action::JobLeased.name());
            let values = values![process.as_bytes().to_vec(), i64::from(*limit), millis(*at), actor, action];
            Call { sql: sql_job::LEASE_JOBS, values }
        }
        Operation::ReleaseJob { lease, wait } => {
            let mut more = leased(*lease);
            more.append(&mut values![wait_column(*wait)]);
            audited(sql_job::RELEASE, more)
        }
        Operation::DropJob { lease } => audited(sql_job::DROP, leased(*lease)),
        Operation::WriteSetting { name, value } => {
            audited(sql_authority::SETTING, values![name.clone(), value.clone()])
        }
        Operation::RegisterIssuer { id, chain_pem, at } => {
            audited(sql_authority::ISSUER, values![id.clone(), chain_pem.clone(), millis(*at)])
        }
        Operation::PublishCrl { crl } => audited(sql_authority::CRL, crl_values(crl)),
        Operation::Reap { before, limit, at } => {
            audited(sql_authority::REAP, values![millis(*before), i64::from(*limit), millis(*at)])
        }
        Operation::ClearLimit { limit, subject } => audited(limit::CLEAR, values![limit.name(), subject.clone()]),
        Operation::SweepLimits { keys, before } => audited(limit::SWEEP, values![keys.clone(), millis(*before)]),
        Operation::Probe => Call { sql: sql_authority::PROBE, values: Vec::new() },
    })
}

/// Milliseconds of a job's wait: at most half the range, so that the sum with the present fits.
fn wait_column(wait: Duration) -> i64 {
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2).min(i64::MAX / 2)
}

fn audit_values(audit: Option<&AuditEvent>) -> Vec<Value> {
    values![
        audit.map(|event| millis(event.at)),
        audit.map(|event| event.actor.to_string()),
        audit.map(|event| event.action.name()),
        audit.map(|event| event.object.clone()),
        audit.and_then(|event| event.request).map(|id| id.as_bytes().to_vec()),
    ]
}

fn leased(lease: Lease) -> Vec<Value> {
    values![lease.job.as_bytes().to_vec(), number_column(lease.fence)]
}

fn contact(account: &Account) -> Result<String, StoreError> {
    serde_json::to_string(&account.contact).map_err(|error| StoreError::unavailable("contacts cannot be kept", error))
}

fn create_account(account: &Account, contact: String, limits: Option<String>) -> Vec<Value> {
    values![
        account.id.as_bytes().to_vec(),
        account.key.thumbprint().as_bytes().to_vec(),
        account.key.canonical_json().to_owned(),
        contact,
        millis(account.created),
        account.deactivated.map(millis),
        account.terms.clone(),
        limits,
    ]
}

fn open_order(order: &Order, authorizations: &[Authorization]) -> Vec<Value> {
    let each = |read: fn(&Authorization) -> i64| -> Vec<i64> { authorizations.iter().map(read).collect() };
    let challenges = || {
        let of = |authorization| std::iter::repeat(authorization);
        authorizations.iter().flat_map(move |one| one.challenges.iter().zip(of(one)))
    };
    values![
        order.id.as_bytes().to_vec(),
        order.account.as_bytes().to_vec(),
        order.profile.clone(),
        millis(order.created),
        millis(order.expires),
        authorizations.iter().map(|one| one.id.as_bytes().to_vec()).collect::<Vec<_>>(),
        authorizations.iter().map(|one| one.identifier.kind()).collect::<Vec<_>>(),
        authorizations.iter().map(|one| one.identifier.value()).collect::<Vec<_>>(),
        each(|one| millis(one.created)),
        each(|one| millis(one.expires)),
        challenges().map(|(challenge, _)| challenge.id.as_bytes().to_vec()).collect::<Vec<_>>(),
        challenges().map(|(_, authorization)| authorization.id.as_bytes().to_vec()).collect::<Vec<_>>(),
        challenges().map(|(challenge, _)| challenge.method.name()).collect::<Vec<_>>(),
        challenges().map(|(challenge, _)| challenge.token.as_str().to_owned()).collect::<Vec<_>>(),
        order.identifiers.iter().map(certus_acme::Identifier::kind).collect::<Vec<_>>(),
        order.identifiers.iter().map(certus_acme::Identifier::value).collect::<Vec<_>>(),
        order.authorizations.iter().map(|id| id.as_bytes().to_vec()).collect::<Vec<_>>(),
        order.validity.not_before.map(millis),
        order.validity.not_after.map(millis),
        authorizations.iter().map(reuse_column).collect::<Vec<_>>(),
        order.replaces.as_ref().map(|replaces| replaces.certificate.as_bytes().to_vec()),
        order.replaces.as_ref().map(|replaces| replaces.named.to_string()),
        authorizations.iter().map(|one| i64::from(one.retries)).collect::<Vec<_>>(),
        order.replaces.as_ref().map(|replaces| replaces.due),
        authorizations.iter().map(settled_column).collect::<Vec<_>>(),
    ]
}

fn open_authorization(authorization: &Authorization) -> Vec<Value> {
    let challenges = || authorization.challenges.iter();
    values![
        authorization.id.as_bytes().to_vec(),
        authorization.account.as_bytes().to_vec(),
        authorization.identifier.kind(),
        authorization.identifier.value(),
        millis(authorization.created),
        millis(authorization.expires),
        reuse_column(authorization),
        challenges().map(|challenge| challenge.id.as_bytes().to_vec()).collect::<Vec<_>>(),
        challenges().map(|challenge| challenge.method.name()).collect::<Vec<_>>(),
        challenges().map(|challenge| challenge.token.as_str().to_owned()).collect::<Vec<_>>(),
        i64::from(authorization.retries),
        settled_column(authorization),
    ]
}

fn settle(version: i64, authorization: &Authorization) -> Result<Vec<Value>, StoreError> {
    let challenge = settled_challenge(authorization).ok_or(StoreError::Conflict)?;
    let facts = ChallengeFacts::of(&challenge.state)?;
    let (validated, evidence) = facts.validated.unzip();
    let (failed, problem) = facts.failed.unzip();
    let seen = evidence.map(|evidence| evidence.perspectives.as_slice()).unwrap_or_default();
    let hops: Vec<_> = (0_i64..)
        .zip(seen)
        .flat_map(|(position, one)| {
            (0_i64..).zip(&one.hops).map(move |(number, hop)| (position, number, &one.name, hop))
        })
        .collect();
    Ok(values![
        authorization.id.as_bytes().to_vec(),
        version,
        millis(authorization.expires),
        validated.or(failed),
        challenge.id.as_bytes().to_vec(),
        challenge.method.name(),
        validated,
        failed,
        problem,
        hops.iter().map(|(position, ..)| *position).collect::<Vec<_>>(),
        hops.iter().map(|(_, number, ..)| *number).collect::<Vec<_>>(),
        hops.iter().map(|(.., name, _)| (*name).clone()).collect::<Vec<_>>(),
        hops.iter().map(|(.., hop)| hop.url.clone()).collect::<Vec<_>>(),
        hops.iter().map(|(.., hop)| hop.resolver.clone()).collect::<Vec<_>>(),
        hops.iter().map(|(.., hop)| resolved_column(hop)).collect::<Vec<_>>(),
        hops.iter().map(|(.., hop)| hop.connected.map(|to| to.ip().to_string())).collect::<Vec<_>>(),
        hops.iter().map(|(.., hop)| hop.connected.map(|to| i64::from(to.port()))).collect::<Vec<_>>(),
        caa_column(evidence.and_then(|evidence| evidence.caa.as_ref()))?,
    ])
}

fn intent_values(intent: &Intent) -> Result<Vec<Value>, StoreError> {
    Ok(values![
        intent.issuer.clone(),
        intent.serial.as_bytes().to_vec(),
        intent.tbs_sha256.to_vec(),
        i64::from(intent.shard),
        millis(intent.not_after),
        millis(intent.recorded),
        caa_list_column(&intent.caa)?,
        intent.spki_sha256.to_vec(),
    ])
}

fn certificate_values(certificate: &IssuedCertificate) -> Vec<Value> {
    let names: Vec<_> = certificate.names.iter().map(column_of).collect();
    values![
        certificate.id.as_bytes().to_vec(),
        certificate.account.map(|id| id.as_bytes().to_vec()),
        certificate.issuer.clone(),
        certificate.serial.as_bytes().to_vec(),
        certificate.sha256.to_vec(),
        certificate.spki_sha256.to_vec(),
        certificate.profile.clone(),
        i64::from(certificate.shard),
        millis(certificate.not_before),
        millis(certificate.not_after),
        millis(certificate.issued),
        certificate.der.clone(),
        names.iter().map(|(kind, ..)| *kind).collect::<Vec<_>>(),
        names.iter().map(|(_, value, _)| value.clone()).collect::<Vec<_>>(),
        names.into_iter().map(|(.., reversed)| reversed).collect::<Vec<_>>(),
    ]
}

fn load(certificates: &[IssuedCertificate]) -> Vec<Value> {
    let times = |read: fn(&IssuedCertificate) -> Timestamp| -> Vec<i64> {
        certificates.iter().map(|one| millis(read(one))).collect()
    };
    let octets = |read: fn(&IssuedCertificate) -> &[u8]| -> Vec<Vec<u8>> {
        certificates.iter().map(|one| read(one).to_vec()).collect()
    };
    let mut names = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for certificate in certificates {
        for (position, name) in (0_i64..).zip(&certificate.names) {
            let (kind, value, reversed) = column_of(name);
            names.0.push(certificate.id.as_bytes().to_vec());
            names.1.push(position);
            names.2.push(kind);
            names.3.push(value);
            names.4.push(reversed);
        }
    }
    values![
        octets(|one| one.id.as_bytes()),
        certificates.iter().map(|one| one.account.map(|id| id.as_bytes().to_vec())).collect::<Vec<_>>(),
        certificates.iter().map(|one| one.issuer.clone()).collect::<Vec<_>>(),
        octets(|one| one.serial.as_bytes()),
        octets(|one| &one.sha256),
        octets(|one| &one.spki_sha256),
        certificates.iter().map(|one| one.profile.clone()).collect::<Vec<_>>(),
        certificates.iter().map(|one| i64::from(one.shard)).collect::<Vec<_>>(),
        times(|one| one.not_before),
        times(|one| one.not_after),
        times(|one| one.issued),
        octets(|one| &one.der),
        names.0,
        names.1,
        names.2,
        names.3,
        names.4,
    ]
}

fn crl_values(crl: &StoredCrl) -> Vec<Value> {
    values![
        crl.issuer.clone(),
        i64::from(crl.shard),
        number_column(crl.number),
        millis(crl.this_update),
        millis(crl.next_update),
        crl.der.clone(),
        number_column(crl.revocations),
    ]
}

/// What a statement's answer means to the caller of its operation.
pub(super) fn reply(operation: &Operation, rows: &[Row]) -> Result<Reply, StoreError> {
    match operation {
        Operation::LeaseJobs { .. } => return rows.iter().map(job).collect::<Result<_, _>>().map(Reply::Jobs),
        Operation::Reap { .. } | Operation::SweepLimits { .. } => {
            let count: i64 = column(rows.first().ok_or_else(no_answer)?, 0)?;
            return Ok(Reply::Changed(u64::try_from(count).unwrap_or(0)));
        }
        Operation::BeginValidation { job, .. } | Operation::BeginIssuance { job, .. } => {
            return outcome(operation, rows).map(|_| Reply::Lease(Lease { job: job.id, fence: 1 }));
        }
        Operation::CreateAccount { .. }
        | Operation::CreateBindingKey { .. }
        | Operation::RevokeBindingKey { .. }
        | Operation::UpdateAccount { .. }
        | Operation::OpenOrder { .. }
        | Operation::OpenAuthorization { .. }
        | Operation::DeactivateAuthorization { .. }
        | Operation::SettleAuthorization { .. }
        | Operation::RetryValidation { .. }
        | Operation::HurryValidation { .. }
        | Operation::RecordIntent { .. }
        | Operation::CompleteIssuance { .. }
        | Operation::FailIssuance { .. }
        | Operation::RecordOwnIntent { .. }
        | Operation::CompleteOwn { .. }
        | Operation::LoadCertificates { .. }
        | Operation::Revoke { .. }
        | Operation::BlockKey { .. }
        | Operation::CreateRenewalRule { .. }
        | Operation::EndRenewalRule { .. }
        | Operation::RegisterProcess { .. }
        | Operation::Heartbeat { .. }
        | Operation::RetireProcess { .. }
        | Operation::ReleaseJob { .. }
        | Operation::DropJob { .. }
        | Operation::WriteSetting { .. }
        | Operation::RegisterIssuer { .. }
        | Operation::PublishCrl { .. }
        | Operation::ClearLimit { .. }
        | Operation::Probe => {}
    }
    outcome(operation, rows)
}

fn outcome(operation: &Operation, rows: &[Row]) -> Result<Reply, StoreError> {
    let outcome: &str = column(rows.first().ok_or_else(no_answer)?, 0)?;
    match outcome {
        "done" => Ok(Reply::Done),
        "nothing" => Ok(Reply::Nothing),
        "conflict" => Err(StoreError::Conflict),
        "lease" => Err(StoreError::LeaseLost),
        _ => Err(missing(operation)),
    }
}

pub(super) fn no_answer() -> StoreError {
    StoreError::Unavailable { detail: "PostgreSQL gave no answer".to_owned(), source: None }
}

/// The row that an operation leans on and that is not there.
fn missing(operation: &Operation) -> StoreError {
    let (table, key): (_, &[u8]) = match operation {
        Operation::OpenOrder { order, .. } => ("accounts", order.account.as_bytes()),
        Operation::OpenAuthorization { authorization } => ("accounts", authorization.account.as_bytes()),
        Operation::BeginValidation { process, .. }
        | Operation::BeginIssuance { process, .. }
        | Operation::Heartbeat { process }
        | Operation::RetireProcess { process }
        | Operation::LeaseJobs { process, .. } => ("processes", process.as_bytes()),
        Operation::RecordIntent { intent, .. } | Operation::RecordOwnIntent { intent } => {
            ("issuers", intent.issuer.as_bytes())
        }
        Operation::CompleteIssuance { certificate, .. } | Operation::CompleteOwn { certificate } => {
            ("issuers", certificate.issuer.as_bytes())
        }
        Operation::PublishCrl { crl } => ("issuers", crl.issuer.as_bytes()),
        Operation::LoadCertificates { certificates } => {
            ("issuers", certificates.first().map(|one| one.issuer.as_bytes()).unwrap_or_default())
        }
        Operation::CreateAccount { .. }
        | Operation::CreateBindingKey { .. }
        | Operation::RevokeBindingKey { .. }
        | Operation::UpdateAccount { .. }
        | Operation::DeactivateAuthorization { .. }
        | Operation::SettleAuthorization { .. }
        | Operation::RetryValidation { .. }
        | Operation::HurryValidation { .. }
        | Operation::FailIssuance { .. }
        | Operation::Revoke { .. }
        | Operation::BlockKey { .. }
        | Operation::CreateRenewalRule { .. }
        | Operation::EndRenewalRule { .. }
        | Operation::RegisterProcess { .. }
        | Operation::ReleaseJob { .. }
        | Operation::DropJob { .. }
        | Operation::WriteSetting { .. }
        | Operation::RegisterIssuer { .. }
        | Operation::Reap { .. }
        | Operation::ClearLimit { .. }
        | Operation::SweepLimits { .. }
        | Operation::Probe => return no_answer(),
    };
    Place::new(table, key).inconsistent("id")
}

fn job(row: &Row) -> Result<certus_ca::job::LeasedJob, StoreError> {
    JobRow {
        id: column(row, 0)?,
        request: column(row, 1)?,
        fence: column(row, 2)?,
        authorization: column(row, 3)?,
        challenge: column(row, 4)?,
        order: column(row, 5)?,
    }
    .into_state()
}
