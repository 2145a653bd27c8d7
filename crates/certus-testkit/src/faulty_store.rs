//! A store that fails when it is told to: before a write, or after it took effect.
//!
//! It wraps a real store, so that what is tested is the real store and the real authority around it. A fault is named by
//! the method of [`Store`] and the moment, the how-manieth call it strikes, and what happens: an error, or the end of the
//! process as by `kill -9`.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use certus_acme::{Identifier, Thumbprint};
use certus_ca::audit::AuditEvent;
use certus_ca::id::{
    AccountId, AuthorizationId, BindingKeyId, CertificateId, ChallengeId, OrderId, ProcessId, RenewalRuleId,
};
use certus_ca::job::{Job, Lease, LeasedJob};
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

/// Every method of [`Store`] that commits something: the commit points.
pub const COMMIT_POINTS: &[&str] = &[
    "create_account",
    "create_binding_key",
    "revoke_binding_key",
    "update_account",
    "open_authorization",
    "open_order",
    "deactivate_authorization",
    "begin_validation",
    "settle_authorization",
    "retry_validation",
    "hurry_validation",
    "begin_issuance",
    "record_intent",
    "complete_issuance",
    "fail_issuance",
    "record_own_intent",
    "complete_own",
    "load_certificates",
    "revoke",
    "block_key",
    "create_renewal_rule",
    "end_renewal_rule",
    "register_process",
    "heartbeat",
    "retire_process",
    "lease_jobs",
    "release_job",
    "drop_job",
    "write_setting",
    "register_issuer",
    "publish_crl",
    "reap",
    "clear_limit",
    "sweep_limits",
];

/// Before or after the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// Nothing was written.
    Before,
    /// It was written, but nobody was told.
    After,
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The call fails.
    Error,
    /// The process ends at once, as by `kill -9`.
    Kill,
}

/// One fault: `METHOD:before|after:error|kill[:NTH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The method, one of [`COMMIT_POINTS`].
    pub method: String,
    /// Before or after its commit.
    pub moment: Moment,
    /// What happens.
    pub effect: Effect,
    /// Which call it strikes, from 1.
    pub nth: usize,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not METHOD:before|after:error|kill[:NTH]");
        let parts: Vec<&str> = text.split(':').collect();
        let (method, moment, effect, nth) = match parts.as_slice() {
            [method, moment, effect] => (*method, *moment, *effect, 1),
            [method, moment, effect, nth] => (*method, *moment, *effect, nth.parse().or(Err(bad()))?),
            _ => return Err(bad()),
        };
        if !COMMIT_POINTS.contains(&method) {
            return Err(format!("{method:?} is no commit point"));
        }
        let moment = match moment {
            "before" => Moment::Before,
            "after" => Moment::After,
            _ => return Err(bad()),
        };
        let effect = match effect {
            "error" => Effect::Error,
            "kill" => Effect::Kill,
            _ => return Err(bad()),
        };
        Ok(Self { method: method.to_owned(), moment, effect, nth })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = match self.moment {
            Moment::Before => "before",
            Moment::After => "after",
        };
        let effect = match self.effect {
            Effect::Error => "error",
            Effect::Kill => "kill",
        };
        write!(f, "{}:{moment}:{effect}:{}", self.method, self.nth)
    }
}

/// A store with faults.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Vec<Fault>,
    /// How often each moment was reached. Guards nothing that awaits.
    reached: Mutex<HashMap<(&'static str, Moment), usize>>,
}

impl FaultyStore {
    /// Wraps a store.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, faults: Vec<Fault>) -> Self {
        Self { inner, faults, reached: Mutex::default() }
    }

    fn fault(&self, method: &'static str, moment: Moment) -> Result<(), StoreError> {
        let nth = {
            let mut reached = self.reached.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let count = reached.entry((method, moment)).or_default();
            *count += 1;
            *count
        };
        let hit = self.faults.iter().find(|f| f.method == method && f.moment == moment && f.nth == nth);
        match hit.map(|fault| fault.effect) {
            None => Ok(()),
            Some(Effect::Error) => {
                Err(StoreError::Unavailable { detail: format!("a fault was asked for at {method}"), source: None })
            }
            Some(Effect::Kill) => {
                let error = crate::unix::kill_this_process();
                Err(StoreError::unavailable("this process could not be killed", error))
            }
        }
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn account(&self, id: AccountId) -> Result<Option<Stored<Account>>, StoreError> {
        self.inner.account(id).await
    }

    async fn account_by_key(&self, key: &Thumbprint) -> Result<Option<Stored<Account>>, StoreError> {
        self.inner.account_by_key(key).await
    }

    async fn create_account(&self, account: &Account, charges: &Charges, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("create_account", Moment::Before)?;
        let done = self.inner.create_account(account, charges, audit).await;
        self.fault("create_account", Moment::After)?;
        done
    }

    async fn update_account(&self, read: Version, account: &Account, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("update_account", Moment::Before)?;
        let done = self.inner.update_account(read, account, audit).await;
        self.fault("update_account", Moment::After)?;
        done
    }

    async fn create_binding_key(&self, key: &BindingKey, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("create_binding_key", Moment::Before)?;
        let done = self.inner.create_binding_key(key, audit).await;
        self.fault("create_binding_key", Moment::After)?;
        done
    }

    async fn binding_key(&self, id: BindingKeyId) -> Result<Option<BindingEntry>, StoreError> {
        self.inner.binding_key(id).await
    }

    async fn binding_keys(&self, after: Option<i64>, limit: u32) -> Result<Page<BindingEntry>, StoreError> {
        self.inner.binding_keys(after, limit).await
    }

    async fn revoke_binding_key(&self, id: BindingKeyId, at: Timestamp, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("revoke_binding_key", Moment::Before)?;
        let done = self.inner.revoke_binding_key(id, at, audit).await;
        self.fault("revoke_binding_key", Moment::After)?;
        done
    }

    async fn open_counts(&self, account: AccountId, now: Timestamp) -> Result<OpenCounts, StoreError> {
        self.inner.open_counts(account, now).await
    }

    async fn open_authorization(
        &self,
        authorization: &Authorization,
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        self.fault("open_authorization", Moment::Before)?;
        let done = self.inner.open_authorization(authorization, charges, audit).await;
        self.fault("open_authorization", Moment::After)?;
        done
    }

    async fn reusable_authorizations(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        now: Timestamp,
    ) -> Result<Vec<Authorization>, StoreError> {
        self.inner.reusable_authorizations(account, identifiers, now).await
    }

    async fn open_order(
        &self,
        order: &Order,
        authorizations: &[Authorization],
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        self.fault("open_order", Moment::Before)?;
        let done = self.inner.open_order(order, authorizations, charges, audit).await;
        self.fault("open_order", Moment::After)?;
        done
    }

    async fn order(&self, id: OrderId) -> Result<Option<Stored<OrderAndAuthorizations>>, StoreError> {
        self.inner.order(id).await
    }

    async fn account_orders(
        &self,
        account: AccountId,
        after: Option<OrderId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Option<OrderPage>, StoreError> {
        self.inner.account_orders(account, after, now, limit).await
    }

    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Stored<Authorization>>, StoreError> {
        self.inner.authorization(id).await
    }

    async fn authorization_of(&self, challenge: ChallengeId) -> Result<Option<Stored<Authorization>>, StoreError> {
        self.inner.authorization_of(challenge).await
    }

    async fn deactivate_authorization(
        &self,
        read: Version,
        authorization: &Authorization,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        self.fault("deactivate_authorization", Moment::Before)?;
        let done = self.inner.deactivate_authorization(read, authorization, audit).await;
        self.fault("deactivate_authorization", Moment::After)?;
        done
    }

    async fn begin_validation(
        &self,
        read: Version,
        authorization: &Authorization,
        job: &Job,
        process: ProcessId,
        audit: AuditEvent,
    ) -> Result<Lease, StoreError> {
        self.fault("begin_validation", Moment::Before)?;
        let done = self.inner.begin_validation(read, authorization, job, process, audit).await;
        self.fault("begin_validation", Moment::After)?;
        done
    }

    async fn settle_authorization(
        &self,
        lease: Lease,
        read: Version,
        authorization: &Authorization,
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        self.fault("settle_authorization", Moment::Before)?;
        let done = self.inner.settle_authorization(lease, read, authorization, charges, audit).await;
        self.fault("settle_authorization", Moment::After)?;
        done
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
        self.fault("retry_validation", Moment::Before)?;
        let done = self.inner.retry_validation(lease, read, authorization, challenge, wait, audit).await;
        self.fault("retry_validation", Moment::After)?;
        done
    }

    async fn hurry_validation(&self, challenge: ChallengeId, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("hurry_validation", Moment::Before)?;
        let done = self.inner.hurry_validation(challenge, audit).await;
        self.fault("hurry_validation", Moment::After)?;
        done
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
        self.fault("begin_issuance", Moment::Before)?;
        let done = self.inner.begin_issuance(read, order, job, process, charges, audit).await;
        self.fault("begin_issuance", Moment::After)?;
        done
    }

    async fn record_intent(&self, lease: Lease, intent: &Intent, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("record_intent", Moment::Before)?;
        let done = self.inner.record_intent(lease, intent, audit).await;
        self.fault("record_intent", Moment::After)?;
        done
    }

    async fn complete_issuance(
        &self,
        lease: Lease,
        read: Version,
        order: &Order,
        certificate: &IssuedCertificate,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        self.fault("complete_issuance", Moment::Before)?;
        let done = self.inner.complete_issuance(lease, read, order, certificate, audit).await;
        self.fault("complete_issuance", Moment::After)?;
        done
    }

    async fn fail_issuance(
        &self,
        lease: Lease,
        read: Version,
        order: &Order,
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        self.fault("fail_issuance", Moment::Before)?;
        let done = self.inner.fail_issuance(lease, read, order, charges, audit).await;
        self.fault("fail_issuance", Moment::After)?;
        done
    }

    async fn record_own_intent(&self, intent: &Intent, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("record_own_intent", Moment::Before)?;
        let done = self.inner.record_own_intent(intent, audit).await;
        self.fault("record_own_intent", Moment::After)?;
        done
    }

    async fn complete_own(&self, certificate: &IssuedCertificate, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("complete_own", Moment::Before)?;
        let done = self.inner.complete_own(certificate, audit).await;
        self.fault("complete_own", Moment::After)?;
        done
    }

    async fn intent_outcome(&self, issuer: &str, serial: &SerialNumber) -> Result<Option<IntentOutcome>, StoreError> {
        self.inner.intent_outcome(issuer, serial).await
    }

    async fn certificate(&self, id: CertificateId) -> Result<Option<IssuedCertificate>, StoreError> {
        self.inner.certificate(id).await
    }

    async fn certificates(
        &self,
        suffix: Option<&str>,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Page<CertificateEntry>, StoreError> {
        self.inner.certificates(suffix, after, limit).await
    }

    async fn load_certificates(&self, certificates: &[IssuedCertificate], audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("load_certificates", Moment::Before)?;
        let done = self.inner.load_certificates(certificates, audit).await;
        self.fault("load_certificates", Moment::After)?;
        done
    }

    async fn find_certificates(&self, by: &CertificateKey) -> Result<Vec<KnownCertificate>, StoreError> {
        self.inner.find_certificates(by).await
    }

    async fn holds(&self, account: AccountId, identifiers: &[Identifier], now: Timestamp) -> Result<bool, StoreError> {
        self.inner.holds(account, identifiers, now).await
    }

    async fn key_blocked(&self, spki_sha256: &[u8; 32]) -> Result<bool, StoreError> {
        self.inner.key_blocked(spki_sha256).await
    }

    async fn revoked(&self, issuer: &str, shard: u32, ends_from: Timestamp) -> Result<Vec<RevokedEntry>, StoreError> {
        self.inner.revoked(issuer, shard, ends_from).await
    }

    async fn shard_state(&self, issuer: &str, shard: u32) -> Result<ShardState, StoreError> {
        self.inner.shard_state(issuer, shard).await
    }

    async fn revoke(
        &self,
        certificate: &KnownCertificate,
        revocation: Revocation,
        block_key: bool,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        self.fault("revoke", Moment::Before)?;
        let done = self.inner.revoke(certificate, revocation, block_key, audit).await;
        self.fault("revoke", Moment::After)?;
        done
    }

    async fn block_key(&self, spki_sha256: &[u8; 32], audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("block_key", Moment::Before)?;
        let done = self.inner.block_key(spki_sha256, audit).await;
        self.fault("block_key", Moment::After)?;
        done
    }

    async fn renewables(&self, serial: &SerialNumber) -> Result<Vec<Renewable>, StoreError> {
        self.inner.renewables(serial).await
    }

    async fn is_replaced(&self, certificate: CertificateId, now: Timestamp) -> Result<bool, StoreError> {
        self.inner.is_replaced(certificate, now).await
    }

    async fn is_named(&self, certificate: CertificateId) -> Result<bool, StoreError> {
        self.inner.is_named(certificate).await
    }

    async fn create_renewal_rule(&self, rule: &RenewalRule, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("create_renewal_rule", Moment::Before)?;
        let done = self.inner.create_renewal_rule(rule, audit).await;
        self.fault("create_renewal_rule", Moment::After)?;
        done
    }

    async fn active_renewal_rules(&self, now: Timestamp) -> Result<Vec<RenewalRule>, StoreError> {
        self.inner.active_renewal_rules(now).await
    }

    async fn renewal_rule(&self, id: RenewalRuleId) -> Result<Option<RenewalRule>, StoreError> {
        self.inner.renewal_rule(id).await
    }

    async fn renewal_rules(&self, after: Option<i64>, limit: u32) -> Result<Page<RenewalRule>, StoreError> {
        self.inner.renewal_rules(after, limit).await
    }

    async fn end_renewal_rule(&self, id: RenewalRuleId, at: Timestamp, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("end_renewal_rule", Moment::Before)?;
        let done = self.inner.end_renewal_rule(id, at, audit).await;
        self.fault("end_renewal_rule", Moment::After)?;
        done
    }

    async fn register_process(&self, process: &Process, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("register_process", Moment::Before)?;
        let done = self.inner.register_process(process, audit).await;
        self.fault("register_process", Moment::After)?;
        done
    }

    async fn heartbeat(&self, process: ProcessId, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("heartbeat", Moment::Before)?;
        let done = self.inner.heartbeat(process, audit).await;
        self.fault("heartbeat", Moment::After)?;
        done
    }

    async fn retire_process(&self, process: ProcessId, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("retire_process", Moment::Before)?;
        let done = self.inner.retire_process(process, audit).await;
        self.fault("retire_process", Moment::After)?;
        done
    }

    async fn leases(&self, process: ProcessId) -> Result<Vec<Lease>, StoreError> {
        self.inner.leases(process).await
    }

    async fn lease_jobs(&self, process: ProcessId, limit: u32, at: Timestamp) -> Result<Vec<LeasedJob>, StoreError> {
        self.fault("lease_jobs", Moment::Before)?;
        let done = self.inner.lease_jobs(process, limit, at).await;
        self.fault("lease_jobs", Moment::After)?;
        done
    }

    async fn release_job(&self, lease: Lease, wait: Duration, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("release_job", Moment::Before)?;
        let done = self.inner.release_job(lease, wait, audit).await;
        self.fault("release_job", Moment::After)?;
        done
    }

    async fn drop_job(&self, lease: Lease, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("drop_job", Moment::Before)?;
        let done = self.inner.drop_job(lease, audit).await;
        self.fault("drop_job", Moment::After)?;
        done
    }

    async fn limit_entries(
        &self,
        later_than: &[(LimitName, Timestamp)],
        after: Option<i64>,
        limit: u32,
    ) -> Result<Page<LimitEntry>, StoreError> {
        self.inner.limit_entries(later_than, after, limit).await
    }

    async fn clear_limit(&self, limit: LimitName, subject: &str, audit: AuditEvent) -> Result<bool, StoreError> {
        self.fault("clear_limit", Moment::Before)?;
        let done = self.inner.clear_limit(limit, subject, audit).await;
        self.fault("clear_limit", Moment::After)?;
        done
    }

    async fn sweep_limits(&self, before: Timestamp, limit: u32, audit: AuditEvent) -> Result<u64, StoreError> {
        self.fault("sweep_limits", Moment::Before)?;
        let done = self.inner.sweep_limits(before, limit, audit).await;
        self.fault("sweep_limits", Moment::After)?;
        done
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.inner.setting(name).await
    }

    async fn write_setting(&self, name: &str, value: &str, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("write_setting", Moment::Before)?;
        let done = self.inner.write_setting(name, value, audit).await;
        self.fault("write_setting", Moment::After)?;
        done
    }

    async fn register_issuer(&self, id: &str, chain_pem: &str, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("register_issuer", Moment::Before)?;
        let done = self.inner.register_issuer(id, chain_pem, audit).await;
        self.fault("register_issuer", Moment::After)?;
        done
    }

    async fn issuers(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.inner.issuers().await
    }

    async fn publish_crl(&self, crl: &StoredCrl, audit: AuditEvent) -> Result<(), StoreError> {
        self.fault("publish_crl", Moment::Before)?;
        let done = self.inner.publish_crl(crl, audit).await;
        self.fault("publish_crl", Moment::After)?;
        done
    }

    async fn crl(&self, issuer: &str, shard: u32) -> Result<Option<StoredCrl>, StoreError> {
        self.inner.crl(issuer, shard).await
    }

    async fn crl_shards(&self, issuer: &str) -> Result<Vec<u32>, StoreError> {
        self.inner.crl_shards(issuer).await
    }

    async fn newest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.inner.newest_time().await
    }

    async fn audit(&self, after: Option<i64>, limit: u32) -> Result<Page<AuditEntry>, StoreError> {
        self.inner.audit(after, limit).await
    }

    async fn reap(&self, before: Timestamp, limit: u32, audit: AuditEvent) -> Result<u64, StoreError> {
        self.fault("reap", Moment::Before)?;
        let done = self.inner.reap(before, limit, audit).await;
        self.fault("reap", Moment::After)?;
        done
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.inner.check().await
    }
}
