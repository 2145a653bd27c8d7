//! What the outside world must be able to do for the authority. Floor 3 implements these traits.
//!
//! Every method of [`Store`] is one atomic transaction, named for what the authority is doing, so that no caller can
//! compose half of one. A mutating method that replaces something takes the version it read and fails with
//! [`StoreError::Conflict`] when someone else wrote first. "Not there" is `Ok(None)`, never an error.

use std::fmt::Debug;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use certus_acme::{ChallengeType, Identifier, Problem, Thumbprint, Token};
use certus_pki::{DnsName, RevokedEntry, SerialNumber, Timestamp};

use crate::audit::AuditEvent;
use crate::id::{
    AccountId, AuthorizationId, BindingKeyId, CertificateId, ChallengeId, OrderId, ProcessId, RenewalRuleId,
};
use crate::job::{Job, Lease, LeasedJob};
use crate::rate_limits::{Charges, Excess, LimitName};
use crate::state::{
    Account, Authorization, BindingEntry, BindingKey, CaaAnswer, Intent, IssuedCertificate, KnownCertificate, Order,
    Renewable, RenewalRule, Revocation, ValidatedControl,
};

/// How often something has been written; grows by one with each write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

/// Something read, with the version to write it back under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// What was read.
    pub value: T,
    /// Its version.
    pub version: Version,
}

/// An order with the authorizations its status follows from, in the order's own sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderAndAuthorizations {
    /// The order.
    pub order: Order,
    /// Its authorizations.
    pub authorizations: Vec<Authorization>,
}

/// How much an account has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenCounts {
    /// Orders neither issued nor failed nor expired.
    pub orders: u64,
    /// Authorizations neither validated nor failed nor deactivated nor expired.
    pub authorizations: u64,
    /// Whether it may have an authorization that serves later orders.
    pub reusable: bool,
}

/// One signed certificate revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCrl {
    /// The issuer's id.
    pub issuer: String,
    /// The shard; 0 for a root's own list.
    pub shard: u32,
    /// The CRL number (RFC 5280 section 5.2.3), below 2^63.
    pub number: u64,
    /// thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Timestamp,
    /// How many revocations the shard had seen when the list was made.
    pub revocations: u64,
    /// The list in DER.
    pub der: Vec<u8>,
}

/// How a shard stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardState {
    /// Revocations in it so far; only grows.
    pub revocations: u64,
    /// Its current list, without its octets.
    pub current: Option<CurrentCrl>,
}

/// What there is to know of a shard's current list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrentCrl {
    /// Its number.
    pub number: u64,
    /// thisUpdate.
    pub this_update: Timestamp,
    /// The shard's revocations that it has.
    pub revocations: u64,
}

/// How a certificate is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateKey {
    /// By SHA-256 of its DER.
    Digest([u8; 32]),
    /// By its serial, whoever issued it.
    Serial(SerialNumber),
}

/// One run of one process that works on this store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id, made anew at every start.
    pub id: ProcessId,
    /// The machine's name.
    pub host: String,
    /// The process id there.
    pub pid: u32,
    /// The version of Certus.
    pub version: String,
}

/// A page of a list: what to show, and the key to go on after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries, oldest first.
    pub entries: Vec<T>,
    /// Pass it as `after` to get the next page; `None` when this was the last.
    pub next: Option<i64>,
}

/// A page of an account's orders, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPage {
    /// The orders.
    pub orders: Vec<OrderId>,
    /// Whether there are others after the last of these.
    pub more: bool,
}

/// A certificate in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateEntry {
    /// Its id.
    pub id: CertificateId,
    /// The issuer's id.
    pub issuer: String,
    /// Its serial number.
    pub serial: SerialNumber,
    /// What it names, as text.
    pub names: Vec<String>,
    /// The profile it was issued by.
    pub profile: String,
    /// Last moment of its validity.
    pub not_after: Timestamp,
    /// When it was revoked, if ever.
    pub revoked: Option<Timestamp>,
}

/// A bucket of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitEntry {
    /// The limit.
    pub limit: LimitName,
    /// Whose bucket.
    pub subject: String,
    /// Its theoretical arrival time.
    pub tat: Timestamp,
}

/// What has become of a spent serial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntentOutcome {
    /// Not known yet: the job that recorded it is at work, or died.
    Unknown,
    /// A certificate was issued under it.
    Issued,
    /// Nobody knows whether it was signed; retired for ever and recorded as revoked.
    Retired {
        /// When.
        at: Timestamp,
    },
}

/// Durable state.
///
/// What takes [`Charges`] judges them in the transaction of its write: refused with [`StoreError::Limited`] when a bucket is
/// full, spent when the write takes effect. Nothing is spent by what was refused, whatever for. `Conflict` also when the bucket was
/// full of what came to nothing just then.
#[async_trait]
pub trait Store: Debug + Send + Sync {
    // --- accounts -------------------------------------------------------------------------------------------------

    /// The account of that id.
    async fn account(&self, id: AccountId) -> Result<Option<Stored<Account>>, StoreError>;

    /// The account with that key.
    async fn account_by_key(&self, key: &Thumbprint) -> Result<Option<Stored<Account>>, StoreError>;

    /// Keeps a new account. `Conflict` when its key has one already, and when it is bound to a key that binds no further
    /// account; the key's use has an entry of its own in the audit.
    async fn create_account(&self, account: &Account, charges: &Charges, audit: AuditEvent) -> Result<(), StoreError>;

    /// Replaces an account's contacts, limits of its own and deactivation.
    async fn update_account(&self, read: Version, account: &Account, audit: AuditEvent) -> Result<(), StoreError>;

    // --- keys of external account binding -------------------------------------------------------------------------

    /// Keeps a new key.
    async fn create_binding_key(&self, key: &BindingKey, audit: AuditEvent) -> Result<(), StoreError>;

    /// The key of that id, with what has been made of it.
    async fn binding_key(&self, id: BindingKeyId) -> Result<Option<BindingEntry>, StoreError>;

    /// Keys by the order they were made in, at most `limit`.
    async fn binding_keys(&self, after: Option<i64>, limit: u32) -> Result<Page<BindingEntry>, StoreError>;

    /// Revokes a key. `Conflict` when it was revoked before or is not there.
    async fn revoke_binding_key(&self, id: BindingKeyId, at: Timestamp, audit: AuditEvent) -> Result<(), StoreError>;

    // --- orders and authorizations --------------------------------------------------------------------------------

    /// How much the account has open at `now`.
    async fn open_counts(&self, account: AccountId, now: Timestamp) -> Result<OpenCounts, StoreError>;

    /// Keeps an authorization that no order was made for.
    async fn open_authorization(
        &self,
        authorization: &Authorization,
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<(), StoreError>;

    /// Of the account's authorizations that may serve later orders, the newest for each of these identifiers that was met and
    /// is neither deactivated nor expired at `now`.
    async fn reusable_authorizations(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        now: Timestamp,
    ) -> Result<Vec<Authorization>, StoreError>;

    /// Keeps a new order and its new authorizations; others that it names are there already. `Conflict` also when the
    /// certificate that it replaces is replaced ([`Self::is_replaced`], when the order is made).
    async fn open_order(
        &self,
        order: &Order,
        authorizations: &[Authorization],
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<(), StoreError>;

    /// The order of that id with its authorizations; the version is the order's.
    async fn order(&self, id: OrderId) -> Result<Option<Stored<OrderAndAuthorizations>>, StoreError>;

    /// The account's orders by the order they were made in, from the one behind `after` on, at most `limit`: those that have
    /// a certificate, and those that may still come to one at `now`. `None` when `after` is no order of that account.
    async fn account_orders(
        &self,
        account: AccountId,
        after: Option<OrderId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Option<OrderPage>, StoreError>;

    /// The authorization of that id.
    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Stored<Authorization>>, StoreError>;

    /// The authorization that has that challenge.
    async fn authorization_of(&self, challenge: ChallengeId) -> Result<Option<Stored<Authorization>>, StoreError>;

    /// Marks an authorization as given up.
    async fn deactivate_authorization(
        &self,
        read: Version,
        authorization: &Authorization,
        audit: AuditEvent,
    ) -> Result<(), StoreError>;

    /// Keeps that a challenge is being validated, and the job that does it, leased to `process` at once.
    async fn begin_validation(
        &self,
        read: Version,
        authorization: &Authorization,
        job: &Job,
        process: ProcessId,
        audit: AuditEvent,
    ) -> Result<Lease, StoreError>;

    /// Keeps what a validation found, and that its job is done.
    async fn settle_authorization(
        &self,
        lease: Lease,
        read: Version,
        authorization: &Authorization,
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<(), StoreError>;

    /// Keeps that a validation failed and is tried again, and puts its job back for `wait`.
    async fn retry_validation(
        &self,
        lease: Lease,
        read: Version,
        authorization: &Authorization,
        challenge: ChallengeId,
        wait: Duration,
        audit: AuditEvent,
    ) -> Result<(), StoreError>;

    /// Makes a challenge's job due now, if it waits. Nothing is written when it does not.
    async fn hurry_validation(&self, challenge: ChallengeId, audit: AuditEvent) -> Result<(), StoreError>;

    // --- issuing --------------------------------------------------------------------------------------------------

    /// Keeps that an order was finalized, and the job that issues, leased to `process` at once.
    async fn begin_issuance(
        &self,
        read: Version,
        order: &Order,
        job: &Job,
        process: ProcessId,
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<Lease, StoreError>;

    /// Spends a serial: keeps what is about to be signed. Whatever earlier intent of the same order has no outcome is
    /// retired in the same transaction. `Conflict` when the issuer has used the serial before, when the order's
    /// account or one of its authorizations was deactivated meanwhile, and when the key that the account is bound to was
    /// revoked or has no certificate left: other orders' intents without an outcome count as certificates.
    async fn record_intent(&self, lease: Lease, intent: &Intent, audit: AuditEvent) -> Result<(), StoreError>;

    /// Keeps the certificate of an intent, also as what replaces the one that its order names, the order that has it now, the evidence it rests on (that of the order's
    /// authorizations), and that the job is done.
    async fn complete_issuance(
        &self,
        lease: Lease,
        read: Version,
        order: &Order,
        certificate: &IssuedCertificate,
        audit: AuditEvent,
    ) -> Result<(), StoreError>;

    /// Keeps that an order has failed and that its job is done; intents without an outcome are retired.
    async fn fail_issuance(
        &self,
        lease: Lease,
        read: Version,
        order: &Order,
        charges: &Charges,
        audit: AuditEvent,
    ) -> Result<(), StoreError>;

    /// Spends a serial for the authority's own TLS certificate, which no order and no job stands behind.
    async fn record_own_intent(&self, intent: &Intent, audit: AuditEvent) -> Result<(), StoreError>;

    /// Keeps the authority's own TLS certificate and the outcome of its intent.
    async fn complete_own(&self, certificate: &IssuedCertificate, audit: AuditEvent) -> Result<(), StoreError>;

    /// What has become of a serial that was spent.
    async fn intent_outcome(&self, issuer: &str, serial: &SerialNumber) -> Result<Option<IntentOutcome>, StoreError>;

    /// The certificate of that id.
    async fn certificate(&self, id: CertificateId) -> Result<Option<IssuedCertificate>, StoreError>;

    /// Certificates by the order they were kept in, all or those with a name at or beneath `suffix`, at most `limit`.
    async fn certificates(
        &self,
        suffix: Option<&str>,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Page<CertificateEntry>, StoreError>;

    /// Keeps certificates that were not issued through an order here, many in one transaction.
    async fn load_certificates(&self, certificates: &[IssuedCertificate], audit: AuditEvent) -> Result<(), StoreError>;

    // --- revocation -----------------------------------------------------------------------------------------------

    /// The certificates of that digest or serial.
    async fn find_certificates(&self, by: &CertificateKey) -> Result<Vec<KnownCertificate>, StoreError>;

    /// Whether the account has an authorization for each of these identifiers that was met and is neither deactivated nor
    /// expired at `now`.
    async fn holds(&self, account: AccountId, identifiers: &[Identifier], now: Timestamp) -> Result<bool, StoreError>;

    /// Keeps that a certificate was revoked, in place of what `certificate` says of it, and its key as blocked if that is
    /// wished; the shard has one revocation more. `Conflict` when it was revoked otherwise meanwhile.
    async fn revoke(
        &self,
        certificate: &KnownCertificate,
        revocation: Revocation,
        block_key: bool,
        audit: AuditEvent,
    ) -> Result<(), StoreError>;

    /// Blocks a key, by SHA-256 of its subjectPublicKeyInfo, for ever. Nothing happens when it is blocked.
    async fn block_key(&self, spki_sha256: &[u8; 32], audit: AuditEvent) -> Result<(), StoreError>;

    /// Whether a key is blocked.
    async fn key_blocked(&self, spki_sha256: &[u8; 32]) -> Result<bool, StoreError>;

    /// What a list of that issuer and shard must have: certificates that were revoked, and serials that were retired, which
    /// are valid until `ends_from` or later.
    async fn revoked(&self, issuer: &str, shard: u32, ends_from: Timestamp) -> Result<Vec<RevokedEntry>, StoreError>;

    /// How a shard stands.
    async fn shard_state(&self, issuer: &str, shard: u32) -> Result<ShardState, StoreError>;

    // --- renewing -------------------------------------------------------------------------------------------------

    /// What decides when certificates of that serial should be renewed, whoever issued them.
    async fn renewables(&self, serial: &SerialNumber) -> Result<Vec<Renewable>, StoreError>;

    /// Whether a certificate was replaced, or an order that may still come to a certificate at `now` is to replace it.
    async fn is_replaced(&self, certificate: CertificateId, now: Timestamp) -> Result<bool, StoreError>;

    /// Whether there is any order to replace the certificate, whatever has become of it.
    async fn is_named(&self, certificate: CertificateId) -> Result<bool, StoreError>;

    /// Keeps a new rule.
    async fn create_renewal_rule(&self, rule: &RenewalRule, audit: AuditEvent) -> Result<(), StoreError>;

    /// The rules that hold at `now`; what ends first is first.
    async fn active_renewal_rules(&self, now: Timestamp) -> Result<Vec<RenewalRule>, StoreError>;

    /// The rule of that id.
    async fn renewal_rule(&self, id: RenewalRuleId) -> Result<Option<RenewalRule>, StoreError>;

    /// Rules by the order they were made in, at most `limit`.
    async fn renewal_rules(&self, after: Option<i64>, limit: u32) -> Result<Page<RenewalRule>, StoreError>;

    /// Ends a rule. `Conflict` when it was ended before or is not there.
    async fn end_renewal_rule(&self, id: RenewalRuleId, at: Timestamp, audit: AuditEvent) -> Result<(), StoreError>;

    // --- jobs and processes ---------------------------------------------------------------------------------------

    /// Makes a process known. A store that only one process can use frees every job of earlier ones here.
    async fn register_process(&self, process: &Process, audit: AuditEvent) -> Result<(), StoreError>;

    /// Shows that a process lives: renews its leases, and frees the jobs of processes that have been silent for
    /// [`crate::job::LEASE`]. The entry is written when there were such jobs.
    async fn heartbeat(&self, process: ProcessId, audit: AuditEvent) -> Result<(), StoreError>;

    /// The process ends in good order: its jobs are free at once.
    async fn retire_process(&self, process: ProcessId, audit: AuditEvent) -> Result<(), StoreError>;

    /// The leases that the process holds.
    async fn leases(&self, process: ProcessId) -> Result<Vec<Lease>, StoreError>;

    /// Leases jobs that nobody holds and whose time has come; those whose time came first are first, so that what is put
    /// back again and again does not keep the others waiting. Each has an entry of its own, dated `at`, in the request that
    /// it came from.
    async fn lease_jobs(&self, process: ProcessId, limit: u32, at: Timestamp) -> Result<Vec<LeasedJob>, StoreError>;

    /// Puts a job back, to be leased again after `wait`. Used for our own failures only. [`StoreError::LeaseLost`] also when
    /// it was put back before.
    async fn release_job(&self, lease: Lease, wait: Duration, audit: AuditEvent) -> Result<(), StoreError>;

    /// Gives up a job whose object no longer wants it (already settled, or gone).
    async fn drop_job(&self, lease: Lease, audit: AuditEvent) -> Result<(), StoreError>;

    // --- limits ---------------------------------------------------------------------------------------------------

    /// Buckets of the limits named whose theoretical arrival time is later than the one beside the name, in no order that
    /// means anything, at most `limit`.
    async fn limit_entries(
        &self,
        later_than: &[(LimitName, Timestamp)],
        after: Option<i64>,
        limit: u32,
    ) -> Result<Page<LimitEntry>, StoreError>;

    /// Empties a bucket. Says whether there was one.
    async fn clear_limit(&self, limit: LimitName, subject: &str, audit: AuditEvent) -> Result<bool, StoreError>;

    /// Removes buckets that were empty `before`, at most `limit`. Returns how many.
    async fn sweep_limits(&self, before: Timestamp, limit: u32, audit: AuditEvent) -> Result<u64, StoreError>;

    // --- the authority itself -------------------------------------------------------------------------------------

    /// The value of a setting that lives in the store.
    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Writes such a setting.
    async fn write_setting(&self, name: &str, value: &str, audit: AuditEvent) -> Result<(), StoreError>;

    /// Makes an issuer known, with its chain as PEM (issuer first). Known ones are left as they are.
    async fn register_issuer(&self, id: &str, chain_pem: &str, audit: AuditEvent) -> Result<(), StoreError>;

    /// Every issuer that was ever made known: id and chain as PEM.
    async fn issuers(&self) -> Result<Vec<(String, String)>, StoreError>;

    /// Keeps a list in place of its predecessor. `Conflict` when its number is not above the predecessor's.
    async fn publish_crl(&self, crl: &StoredCrl, audit: AuditEvent) -> Result<(), StoreError>;

    /// The current list of that issuer and shard.
    async fn crl(&self, issuer: &str, shard: u32) -> Result<Option<StoredCrl>, StoreError>;

    /// The shards of that issuer which have certificates or a list.
    async fn crl_shards(&self, issuer: &str) -> Result<Vec<u32>, StoreError>;

    /// The newest time that any entry of the audit bears.
    async fn newest_time(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Audit entries in the order they were written, at most `limit`.
    async fn audit(&self, after: Option<i64>, limit: u32) -> Result<Page<AuditEntry>, StoreError>;

    /// Removes orders and authorizations that expired before `before` (never one being worked on), at most `limit`
    /// orders. Certificates and their evidence stay. Returns how many orders and authorizations went.
    async fn reap(&self, before: Timestamp, limit: u32, audit: AuditEvent) -> Result<u64, StoreError>;

    /// Whether the store answers, can be written to, and is of the schema this binary has.
    async fn check(&self) -> Result<(), StoreError>;
}

/// An audit entry as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place in the sequence.
    pub key: i64,
    /// When.
    pub at: Timestamp,
    /// Who, as [`crate::audit::Actor`] prints it.
    pub actor: String,
    /// What, as [`crate::audit::Action::name`] has it.
    pub action: String,
    /// The id of what it was done to.
    pub object: String,
    /// The request it was done in.
    pub request: Option<String>,
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Someone else wrote first, or the thing exists already. Read again and decide anew.
    #[error("someone else wrote first")]
    Conflict,
    /// A limit stands against it. Nothing was written and nothing spent.
    #[error("a limit was reached")]
    Limited(Vec<Excess>),
    /// The job has been leased anew since: this result comes too late and nothing was written.
    #[error("the job was taken over by another process")]
    LeaseLost,
    /// A row that no version of Certus writes.
    #[error("the store is inconsistent: {table}.{column} of {key}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What names the row.
        key: String,
    },
    /// The store was written by a newer version.
    #[error(
        "the store has schema {found}, and this version of Certus knows up to {known}; start Certus {program}, which \
         migrated it, or a later one"
    )]
    NewerSchema {
        /// The schema found.
        found: u32,
        /// The newest schema this binary knows.
        known: u32,
        /// The version of Certus that brought the store to its schema.
        program: String,
    },
    /// The store cannot be reached or will not write. Whether the write took effect is not known.
    #[error("the store is unavailable: {detail}")]
    Unavailable {
        /// What a person needs to know.
        detail: String,
        /// What the library said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl StoreError {
    /// [`StoreError::Unavailable`] with a cause.
    pub fn unavailable(detail: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable { detail: detail.into(), source: Some(source.into()) }
    }
}

/// How accounts are named to the world.
pub trait AccountUrls: Debug + Send + Sync {
    /// Every URL that the account was ever known by to its client, exactly as it was given; the present one first.
    fn of_account(&self, account: AccountId) -> Vec<String>;
}

/// What is to be validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationRequest {
    /// Who wants it validated.
    pub account: AccountId,
    /// The identifier.
    pub identifier: Identifier,
    /// The method.
    pub method: ChallengeType,
    /// The challenge's token.
    pub token: Token,
    /// The key authorization that must be found (RFC 8555 section 8.1).
    pub key_authorization: String,
}

/// Sees whether somebody controls an identifier. One attempt; who tries again is decided elsewhere.
#[async_trait]
pub trait Validator: Debug + Send + Sync {
    /// Whether an identifier could be validated at all, asked before it may be ordered. Looks nothing up.
    ///
    /// # Errors
    ///
    /// Why not, in a sentence for the client.
    fn admits(&self, identifier: &Identifier) -> Result<(), String>;

    /// Whether an address is one of the public Internet, whatever the settings permit.
    fn is_public(&self, address: IpAddr) -> bool;

    /// The CAA records that are relevant for a name (RFC 8659 section 3), as the DNS has them now. One attempt.
    ///
    /// # Errors
    ///
    /// [`ValidationError::Failed`] whenever the DNS does not answer, or not credibly: nothing is known, so nothing is permitted.
    async fn caa(&self, name: &DnsName) -> Result<CaaAnswer, ValidationError>;

    /// Tries once.
    async fn validate(&self, request: &ValidationRequest) -> Result<ValidatedControl, ValidationError>;
}

/// Why control was not seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidationError {
    /// The world did not answer as it should: the challenge has failed.
    #[error("{0}")]
    Failed(Problem),
    /// We could not look (resolver, sockets): nothing is known and the job is tried again.
    #[error("validation could not be tried: {detail}")]
    Ours {
        /// What a person needs to know.
        detail: String,
    },
}
