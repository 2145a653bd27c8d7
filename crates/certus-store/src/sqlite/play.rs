//! One operation and its audit entry, inside a transaction that is open already.

use certus_ca::audit::AuditEvent;
use certus_ca::ports::StoreError;
use rusqlite::{Connection, params};

use super::fault::Fault;
use super::{
    binding, limit, renewal, write_account, write_authority, write_issuance, write_job, write_order, write_reap,
    write_revocation,
};
use crate::operation::{Operation, Reply, Transaction};
use crate::rows::millis;

pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";
pub(super) const COMMIT: &str = "COMMIT";
pub(super) const ROLLBACK: &str = "ROLLBACK";
pub(super) const SAVEPOINT: &str = "SAVEPOINT operation";
pub(super) const RELEASE: &str = "RELEASE operation";
pub(super) const ROLLBACK_TO: &str = "ROLLBACK TO operation";

crate::sql! {
    AUDIT = "INSERT INTO audit (at, actor, action, object, request) VALUES (?1, ?2, ?3, ?4, ?5)";
}

/// Plays an operation, if no limit stands against it; what it costs is spent, and its audit entry written, when something
/// changed.
pub(super) fn play(connection: &Connection, transaction: &Transaction) -> Result<Reply, Fault> {
    let charges = &transaction.charges;
    let known = limit::known(connection, charges)?;
    let buckets = charges.judge(&known).map_err(StoreError::Limited)?;
    let reply = operation(connection, &transaction.operation)?;
    if reply.changed() {
        limit::keep(connection, &buckets)?;
    }
    if reply.changed()
        && let Some(event) = &transaction.audit
    {
        audit(connection, event)?;
        if let Some(second) = transaction.operation.second_entry(event) {
            audit(connection, &second)?;
        }
    }
    Ok(reply)
}

fn operation(connection: &Connection, operation: &Operation) -> Result<Reply, Fault> {
    match operation {
        Operation::CreateAccount { account } => write_account::create(connection, account),
        Operation::CreateBindingKey { key } => binding::create(connection, key),
        Operation::RevokeBindingKey { id, at } => binding::revoke(connection, *id, *at),
        Operation::UpdateAccount { read, account } => write_account::update(connection, *read, account),
        Operation::OpenOrder { order, authorizations } => write_order::open(connection, order, authorizations),
        Operation::OpenAuthorization { authorization } => write_order::open_ahead(connection, authorization),
        Operation::DeactivateAuthorization { read, authorization } => {
            write_order::deactivate(connection, *read, authorization)
        }
        Operation::BeginValidation { read, authorization, challenge, job, process } => {
            write_order::begin_validation(connection, *read, authorization, *challenge, job, *process)
        }
        Operation::SettleAuthorization { lease, read, authorization } => {
            write_order::settle(connection, *lease, *read, authorization)
        }
        Operation::RetryValidation { lease, read, authorization, challenge, wait } => {
            write_order::retry(connection, *lease, *read, authorization, *challenge, *wait)
        }
        Operation::HurryValidation { challenge } => write_job::hurry(connection, *challenge),
        Operation::BeginIssuance { read, order, job, process } => {
            write_issuance::begin(connection, *read, order, job, *process)
        }
        Operation::RecordIntent { lease, intent } => write_issuance::record_intent(connection, *lease, intent),
        Operation::CompleteIssuance { lease, read, order, certificate } => {
            write_issuance::complete(connection, *lease, *read, order, certificate)
        }
        Operation::FailIssuance { lease, read, order } => write_issuance::fail(connection, *lease, *read, order),
        Operation::RecordOwnIntent { intent } => write_issuance::record_own_intent(connection, intent),
        Operation::CompleteOwn { certificate } => write_issuance::complete_own(connection, certificate),
        Operation::LoadCertificates { certificates } => write_issuance::load(connection, certificates),
        Operation::Revoke { certificate, revocation, block_key } => {
            write_revocation::revoke(connection, certificate, *revocation, *block_key)
        }
        Operation::BlockKey { spki_sha256, at } => write_revocation::block_key(connection, spki_sha256, *at),
        Operation::CreateRenewalRule { rule } => renewal::create(connection, rule),
        Operation::EndRenewalRule { id, at } => renewal::end(connection, *id, *at),
        Operation::RegisterProcess { process } => write_job::register_process(connection, process),
        Operation::Heartbeat { process } => write_job::heartbeat(connection, *process),
        Operation::RetireProcess { process } => write_job::retire_process(connection, *process),
        Operation::LeaseJobs { process, limit, at } => write_job::lease(connection, *process, *limit, *at),
        Operation::ReleaseJob { lease, wait } => write_job::release(connection, *lease, *wait),
        Operation::DropJob { lease } => write_job::finish(connection, *lease),
        Operation::WriteSetting { name, value } => write_authority::setting(connection, name, value),
        Operation::RegisterIssuer { id, chain_pem, at } => write_authority::issuer(connection, id, chain_pem, *at),
        Operation::PublishCrl { crl } => write_authority::crl(connection, crl),
        Operation::Reap { before, limit, at } => write_reap::reap(connection, *before, *limit, *at),
        Operation::ClearLimit { limit, subject } => limit::clear(connection, *limit, subject),
        Operation::SweepLimits { keys, before } => limit::sweep(connection, keys, *before),
        Operation::Probe => write_authority::probe(connection),
    }
}

pub(super) fn audit(connection: &Connection, event: &AuditEvent) -> Result<(), Fault> {
    let request = event.request.as_ref().map(|id| id.as_bytes().as_slice());
    connection.prepare_cached(AUDIT)?.execute(params![
        millis(event.at),
        event.actor.to_string(),
        event.action.name(),
        event.object,
        request
    ])?;
    Ok(())
}
