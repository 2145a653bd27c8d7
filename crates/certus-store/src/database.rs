//! The store that the authority sees: writes go through the queue to the one writer, reads to the backend's readers.

use std::time::Duration;

use async_trait::async_trait;
use certus_acme::{Identifier, Thumbprint};
use certus_ca::audit::AuditEvent;
use certus_ca::id::{
    AccountId, AuthorizationId, BindingKeyId, CertificateId, ChallengeId, OrderId, ProcessId, RenewalRuleId,
};
use certus_ca::job::{Job, Lease, LeasedJob, Task};
use certus_ca::ports::{
    AuditEntry, CertificateEntry, CertificateKey, IntentOutcome, LimitEntry, OpenCounts, OrderAndAuthorizations,
    OrderPage, Page, Process, ShardState, Store, StoreError, Stored, StoredCrl, Version,
};
use certus_ca::rate_limits::{Charges, LimitName};
use certus_ca::state::{
    Account, Authorization, BindingEntry, BindingKey, Intent, IssuedCertificate, KnownCertificate, Order, Renewable,
    RenewalRule, Revocation,
};
use certus_pki::{RevokedEntry, SerialNumber, Timestamp};

use crate::operation::{Operation, Queue, Reply};
use crate::reads::Reads;

/// A backend behind the port.
#[derive(Debug)]
pub(crate) struct Database {
    queue: Queue,
    reads: Box<dyn Reads>,
}

impl Database {
    pub(crate) fn new(queue: Queue, reads: Box<dyn Reads>) -> Self {
        Self { queue, reads }
    }

    async fn write(&self, operation: Operation, audit: AuditEvent) -> Result<(), StoreError> {
        self.queue.commit(operation, Some(audit)).await.map(drop)
    }

    async fn write_charged(
        &self,
        operation: Operation,
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        self.queue.commit_charged(operation, charges.clone(), Some(audit)).await.map(drop)
    }

    async fn write_job(&self, operation: Operation, charges: &Charges, audit: AuditEvent) -> Result<Lease, StoreError> {
        match self.queue.commit_charged(operation, charges.clone(), Some(audit)).await? {
            Reply::Lease(lease) => Ok(lease),
            Reply::Done | Reply::Nothing | Reply::Jobs(_) | Reply::Changed(_) => Err(StoreError::Conflict),
        }
    }
}

#[async_trait]
impl Store for Database {
    async fn account(&self, id: AccountId) -> Result<Option<Stored<Account>>, StoreError> {
        self.reads.account(id).await
    }

    async fn account_by_key(&self, key: &Thumbprint) -> Result<Option<Stored<Account>>, StoreError> {
        self.reads.account_by_key(key).await
    }

    async fn create_account(&self, account: &Account, charges: &Charges, audit: AuditEvent) -> Result<(), StoreError> {
        self.write_charged(Operation::CreateAccount { account: account.clone() }, charges, audit).await
    }

    async fn update_account(&self, read: Version, account: &Account, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::UpdateAccount { read, account: account.clone() }, audit).await
    }

    async fn create_binding_key(&self, key: &BindingKey, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::CreateBindingKey { key: key.clone() }, audit).await
    }

    async fn binding_key(&self, id: BindingKeyId) -> Result<Option<BindingEntry>, StoreError> {
        self.reads.binding_key(id).await
    }

    async fn binding_keys(&self, after: Option<i64>, limit: u32) -> Result<Page<BindingEntry>, StoreError> {
        self.reads.binding_keys(after, limit).await
    }

    async fn revoke_binding_key(&self, id: BindingKeyId, at: Timestamp, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::RevokeBindingKey { id, at }, audit).await
    }

    async fn open_counts(&self, account: AccountId, now: Timestamp) -> Result<OpenCounts, StoreError> {
        self.reads.open_counts(account, now).await
    }

    async fn open_authorization(
        &self,
        authorization: &Authorization,
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        let operation = Operation::OpenAuthorization { authorization: authorization.clone() };
        self.write_charged(operation, charges, audit).await
    }

    async fn reusable_authorizations(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        now: Timestamp,
    ) -> Result<Vec<Authorization>, StoreError> {
        self.reads.reusable_authorizations(account, identifiers, now).await
    }

    async fn open_order(
        &self,
        order: &Order,
        authorizations: &[Authorization],
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        let operation = Operation::OpenOrder { order: order.clone(), authorizations: authorizations.to_vec() };
        self.write_charged(operation, charges, audit).await
    }

    async fn order(&self, id: OrderId) -> Result<Option<Stored<OrderAndAuthorizations>>, StoreError> {
        self.reads.order(id).await
    }

    async fn account_orders(
        &self,
        account: AccountId,
        after: Option<OrderId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Option<OrderPage>, StoreError> {
        self.reads.account_orders(account, after, now, limit).await
    }

    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Stored<Authorization>>, StoreError> {
        self.reads.authorization(id).await
    }

    async fn authorization_of(&self, challenge: ChallengeId) -> Result<Option<Stored<Authorization>>, StoreError> {
        self.reads.authorization_of(challenge).await
    }

    async fn deactivate_authorization(
        &self,
        read: Version,
        authorization: &Authorization,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        self.write(Operation::DeactivateAuthorization { read, authorization: authorization.clone() }, audit).await
    }

    async fn begin_validation(
        &self,
        read: Version,
        authorization: &Authorization,
        job: &Job,
        process: ProcessId,
        audit: AuditEvent,
    ) -> Result<Lease, StoreError> {
        let challenge = match job.task {
            Task::Validate { challenge, .. } => challenge,
            Task::Issue { .. } => return Err(StoreError::Conflict),
        };
        let authorization = authorization.clone();
        let operation = Operation::BeginValidation { read, authorization, challenge, job: job.clone(), process };
        self.write_job(operation, &Charges::none(), audit).await
    }

    async fn settle_authorization(
        &self,
        lease: Lease,
        read: Version,
        authorization: &Authorization,
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        let operation = Operation::SettleAuthorization { lease, read, authorization: authorization.clone() };
        self.write_charged(operation, charges, audit).await
    }

    async fn retry_validation(
        &self,
        lease: Lease,
        read: Version,
        authorization: &Authorization,
        challenge: ChallengeId,
        wait: Duration,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        let authorization = authorization.clone();
        self.write(Operation::RetryValidation { lease, read, authorization, challenge, wait }, audit).await
    }

    async fn hurry_validation(&self, challenge: ChallengeId, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::HurryValidation { challenge }, audit).await
    }

    async fn begin_issuance(
        &self,
        read: Version,
        order: &Order,
        job: &Job,
        process: ProcessId,
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<Lease, StoreError> {
        let operation = Operation::BeginIssuance { read, order: order.clone(), job: job.clone(), process };
        self.write_job(operation, charges, audit).await
    }

    async fn record_intent(&self, lease: Lease, intent: &Intent, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::RecordIntent { lease, intent: intent.clone() }, audit).await
    }

    async fn complete_issuance(
        &self,
        lease: Lease,
        read: Version,
        order: &Order,
        certificate: &IssuedCertificate,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        let (order, certificate) = (order.clone(), certificate.clone());
        self.write(Operation::CompleteIssuance { lease, read, order, certificate }, audit).await
    }

    async fn fail_issuance(
        &self,
        lease: Lease,
        read: Version,
        order: &Order,
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        self.write_charged(Operation::FailIssuance { lease, read, order: order.clone() }, charges, audit).await
    }

    async fn record_own_intent(&self, intent: &Intent, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::RecordOwnIntent { intent: intent.clone() }, audit).await
    }

    async fn complete_own(&self, certificate: &IssuedCertificate, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::CompleteOwn { certificate: certificate.clone() }, audit).await
    }

    async fn intent_outcome(&self, issuer: &str, serial: &SerialNumber) -> Result<Option<IntentOutcome>, StoreError> {
        self.reads.intent_outcome(issuer, serial).await
    }

    async fn certificate(&self, id: CertificateId) -> Result<Option<IssuedCertificate>, StoreError> {
        self.reads.certificate(id).await
    }

    async fn certificates(
        &self,
        suffix: Option<&str>,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Page<CertificateEntry>, StoreError> {
        self.reads.certificates(suffix, after, limit).await
    }

    async fn load_certificates(&self, certificates: &[IssuedCertificate], audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::LoadCertificates { certificates: certificates.to_vec() }, audit).await
    }

    async fn find_certificates(&self, by: &CertificateKey) -> Result<Vec<KnownCertificate>, StoreError> {
        self.reads.find_certificates(by).await
    }

    async fn holds(&self, account: AccountId, identifiers: &[Identifier], now: Timestamp) -> Result<bool, StoreError> {
        self.reads.holds(account, identifiers, now).await
    }

    async fn key_blocked(&self, spki_sha256: &[u8; 32]) -> Result<bool, StoreError> {
        self.reads.key_blocked(spki_sha256).await
    }

    async fn revoked(&self, issuer: &str, shard: u32, ends_from: Timestamp) -> Result<Vec<RevokedEntry>, StoreError> {
        self.reads.revoked(issuer, shard, ends_from).await
    }

    async fn shard_state(&self, issuer: &str, shard: u32) -> Result<ShardState, StoreError> {
        self.reads.shard_state(issuer, shard).await
    }

    async fn revoke(
        &self,
        certificate: &KnownCertificate,
        revocation: Revocation,
        block_key: bool,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        self.write(Operation::Revoke { certificate: certificate.clone(), revocation, block_key }, audit).await
    }

    async fn block_key(&self, spki_sha256: &[u8; 32], audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::BlockKey { spki_sha256: *spki_sha256, at: audit.at }, audit).await
    }

    async fn renewables(&self, serial: &SerialNumber) -> Result<Vec<Renewable>, StoreError> {
        self.reads.renewables(serial).await
    }

    async fn is_replaced(&self, certificate: CertificateId, now: Timestamp) -> Result<bool, StoreError> {
        self.reads.is_replaced(certificate, now).await
    }

    async fn is_named(&self, certificate: CertificateId) -> Result<bool, StoreError> {
        self.reads.is_named(certificate).await
    }

    async fn create_renewal_rule(&self, rule: &RenewalRule, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::CreateRenewalRule { rule: rule.clone() }, audit).await
    }

    async fn active_renewal_rules(&self, now: Timestamp) -> Result<Vec<RenewalRule>, StoreError> {
        self.reads.active_renewal_rules(now).await
    }

    async fn renewal_rule(&self, id: RenewalRuleId) -> Result<Option<RenewalRule>, StoreError> {
        self.reads.renewal_rule(id).await
    }

    async fn renewal_rules(&self, after: Option<i64>, limit: u32) -> Result<Page<RenewalRule>, StoreError> {
        self.reads.renewal_rules(after, limit).await
    }

    async fn end_renewal_rule(&self, id: RenewalRuleId, at: Timestamp, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::EndRenewalRule { id, at }, audit).await
    }

    async fn register_process(&self, process: &Process, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::RegisterProcess { process: process.clone() }, audit).await
    }

    async fn heartbeat(&self, process: ProcessId, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::Heartbeat { process }, audit).await
    }

    async fn retire_process(&self, process: ProcessId, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::RetireProcess { process }, audit).await
    }

    async fn leases(&self, process: ProcessId) -> Result<Vec<Lease>, StoreError> {
        self.reads.leases(process).await
    }

    async fn lease_jobs(&self, process: ProcessId, limit: u32, at: Timestamp) -> Result<Vec<LeasedJob>, StoreError> {
        if !self.reads.has_free_jobs().await? {
            return Ok(Vec::new());
        }
        match self.queue.commit(Operation::LeaseJobs { process, limit, at }, None).await? {
            Reply::Jobs(jobs) => Ok(jobs),
            Reply::Done | Reply::Nothing | Reply::Lease(_) | Reply::Changed(_) => Ok(Vec::new()),
        }
    }

    async fn release_job(&self, lease: Lease, wait: Duration, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::ReleaseJob { lease, wait }, audit).await
    }

    async fn drop_job(&self, lease: Lease, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::DropJob { lease }, audit).await
    }

    async fn limit_entries(
        &self,
        later_than: &[(LimitName, Timestamp)],
        after: Option<i64>,
        limit: u32,
    ) -> Result<Page<LimitEntry>, StoreError> {
        self.reads.limit_entries(later_than, after, limit).await
    }

    async fn clear_limit(&self, limit: LimitName, subject: &str, audit: AuditEvent) -> Result<bool, StoreError> {
        let operation = Operation::ClearLimit { limit, subject: subject.to_owned() };
        self.queue.commit(operation, Some(audit)).await.map(|reply| reply.changed())
    }

    async fn sweep_limits(&self, before: Timestamp, limit: u32, audit: AuditEvent) -> Result<u64, StoreError> {
        let keys = self.reads.empty_limits(before, limit).await?;
        if keys.is_empty() {
            return Ok(0);
        }
        match self.queue.commit(Operation::SweepLimits { keys, before }, Some(audit)).await? {
            Reply::Changed(count) => Ok(count),
            Reply::Done | Reply::Nothing | Reply::Lease(_) | Reply::Jobs(_) => Ok(0),
        }
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.reads.setting(name).await
    }

    async fn write_setting(&self, name: &str, value: &str, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::WriteSetting { name: name.to_owned(), value: value.to_owned() }, audit).await
    }

    async fn register_issuer(&self, id: &str, chain_pem: &str, audit: AuditEvent) -> Result<(), StoreError> {
        let (id, chain_pem) = (id.to_owned(), chain_pem.to_owned());
        self.write(Operation::RegisterIssuer { id, chain_pem, at: audit.at }, audit).await
    }

    async fn issuers(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.reads.issuers().await
    }

    async fn publish_crl(&self, crl: &StoredCrl, audit: AuditEvent) -> Result<(), StoreError> {
        self.write(Operation::PublishCrl { crl: crl.clone() }, audit).await
    }

    async fn crl(&self, issuer: &str, shard: u32) -> Result<Option<StoredCrl>, StoreError> {
        self.reads.crl(issuer, shard).await
    }

    async fn crl_shards(&self, issuer: &str) -> Result<Vec<u32>, StoreError> {
        self.reads.crl_shards(issuer).await
    }

    async fn newest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.reads.newest_time().await
    }

    async fn audit(&self, after: Option<i64>, limit: u32) -> Result<Page<AuditEntry>, StoreError> {
        self.reads.audit(after, limit).await
    }

    async fn reap(&self, before: Timestamp, limit: u32, audit: AuditEvent) -> Result<u64, StoreError> {
        match self.queue.commit(Operation::Reap { before, limit, at: audit.at }, Some(audit)).await? {
            Reply::Changed(count) => Ok(count),
            Reply::Done | Reply::Nothing | Reply::Lease(_) | Reply::Jobs(_) => Ok(0),
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.reads.schema().await?;
        self.queue.commit(Operation::Probe, None).await.map(drop)
    }
}
