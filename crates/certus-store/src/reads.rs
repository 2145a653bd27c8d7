//! What is asked of a store without changing it; each backend answers on connections of its own.

use std::fmt::Debug;

use async_trait::async_trait;
use certus_acme::{Identifier, Thumbprint};
use certus_ca::id::{
    AccountId, AuthorizationId, BindingKeyId, CertificateId, ChallengeId, OrderId, ProcessId, RenewalRuleId,
};
use certus_ca::job::Lease;
use certus_ca::ports::{
    AuditEntry, CertificateEntry, CertificateKey, IntentOutcome, LimitEntry, OpenCounts, OrderAndAuthorizations,
    OrderPage, Page, ShardState, StoreError, Stored, StoredCrl,
};
use certus_ca::rate_limits::LimitName;
use certus_ca::state::{
    Account, Authorization, BindingEntry, IssuedCertificate, KnownCertificate, Renewable, RenewalRule,
};
use certus_pki::{RevokedEntry, SerialNumber, Timestamp};

/// The reading half of [`certus_ca::ports::Store`], method for method.
#[async_trait]
pub(crate) trait Reads: Debug + Send + Sync {
    async fn account(&self, id: AccountId) -> Result<Option<Stored<Account>>, StoreError>;
    async fn account_by_key(&self, key: &Thumbprint) -> Result<Option<Stored<Account>>, StoreError>;
    async fn binding_key(&self, id: BindingKeyId) -> Result<Option<BindingEntry>, StoreError>;
    async fn binding_keys(&self, after: Option<i64>, limit: u32) -> Result<Page<BindingEntry>, StoreError>;
    async fn open_counts(&self, account: AccountId, now: Timestamp) -> Result<OpenCounts, StoreError>;
    async fn reusable_authorizations(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        now: Timestamp,
    ) -> Result<Vec<Authorization>, StoreError>;
    async fn order(&self, id: OrderId) -> Result<Option<Stored<OrderAndAuthorizations>>, StoreError>;
    async fn account_orders(
        &self,
        account: AccountId,
        after: Option<OrderId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Option<OrderPage>, StoreError>;
    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Stored<Authorization>>, StoreError>;
    async fn authorization_of(&self, challenge: ChallengeId) -> Result<Option<Stored<Authorization>>, StoreError>;
    async fn intent_outcome(&self, issuer: &str, serial: &SerialNumber) -> Result<Option<IntentOutcome>, StoreError>;
    async fn certificate(&self, id: CertificateId) -> Result<Option<IssuedCertificate>, StoreError>;
    async fn certificates(
        &self,
        suffix: Option<&str>,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Page<CertificateEntry>, StoreError>;
    async fn find_certificates(&self, by: &CertificateKey) -> Result<Vec<KnownCertificate>, StoreError>;
    async fn holds(&self, account: AccountId, identifiers: &[Identifier], now: Timestamp) -> Result<bool, StoreError>;
    async fn key_blocked(&self, spki_sha256: &[u8; 32]) -> Result<bool, StoreError>;
    async fn revoked(&self, issuer: &str, shard: u32, ends_from: Timestamp) -> Result<Vec<RevokedEntry>, StoreError>;
    async fn shard_state(&self, issuer: &str, shard: u32) -> Result<ShardState, StoreError>;
    async fn renewables(&self, serial: &SerialNumber) -> Result<Vec<Renewable>, StoreError>;
    async fn is_replaced(&self, certificate: CertificateId, now: Timestamp) -> Result<bool, StoreError>;
    async fn is_named(&self, certificate: CertificateId) -> Result<bool, StoreError>;
    async fn active_renewal_rules(&self, now: Timestamp) -> Result<Vec<RenewalRule>, StoreError>;
    async fn renewal_rule(&self, id: RenewalRuleId) -> Result<Option<RenewalRule>, StoreError>;
    async fn renewal_rules(&self, after: Option<i64>, limit: u32) -> Result<Page<RenewalRule>, StoreError>;
    /// Whether [`certus_ca::ports::Store::lease_jobs`] would find something; asked first, so that looking writes nothing.
    async fn has_free_jobs(&self) -> Result<bool, StoreError>;
    async fn leases(&self, process: ProcessId) -> Result<Vec<Lease>, StoreError>;
    async fn limit_entries(
        &self,
        later_than: &[(LimitName, Timestamp)],
        after: Option<i64>,
        limit: u32,
    ) -> Result<Page<LimitEntry>, StoreError>;
    /// The rows of buckets that were empty before that time, some of them.
    async fn empty_limits(&self, before: Timestamp, limit: u32) -> Result<Vec<i64>, StoreError>;
    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError>;
    async fn issuers(&self) -> Result<Vec<(String, String)>, StoreError>;
    async fn crl(&self, issuer: &str, shard: u32) -> Result<Option<StoredCrl>, StoreError>;
    async fn crl_shards(&self, issuer: &str) -> Result<Vec<u32>, StoreError>;
    async fn newest_time(&self) -> Result<Option<Timestamp>, StoreError>;
    async fn audit(&self, after: Option<i64>, limit: u32) -> Result<Page<AuditEntry>, StoreError>;
    /// The newest migration that was applied; refuses a newer one than is known here.
    async fn schema(&self) -> Result<u32, StoreError>;
}
