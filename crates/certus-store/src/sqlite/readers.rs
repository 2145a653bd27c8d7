//! The readers: connections beside the writer's, each seeing what was committed when its question began.
//!
//! Questions about one account, order, authorization or certificate run on the caller's own thread: a handful of index
//! look-ups in pages that are in memory take some ten microseconds, less than handing them to another thread and back.
//! So do the leases of this process, a few dozen rows of an index. Lists go to a thread for blocking work.

use std::path::PathBuf;
use std::sync::Arc;

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
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};

use super::fault::{Fault, unavailable};
use super::recent::RecentAccounts;
use super::{binding, limit, open, read_authority, read_certificate, read_order, read_revocation, renewal};
use crate::reads::Reads;
use crate::rows::{AccountRow, millis};

/// Connections kept when nobody uses them: as many as threads that ask at once on a small machine.
const MAX_IDLE: usize = 8;

crate::sql! {
    ACCOUNT = "SELECT id, version, jwk, contact, created, deactivated, terms,
        (SELECT id FROM binding_keys WHERE key = accounts.binding_key), binding, limits, by_operator
        FROM accounts WHERE id = ?1";
    ACCOUNT_BY_KEY = "SELECT id, version, jwk, contact, created, deactivated, terms,
        (SELECT id FROM binding_keys WHERE key = accounts.binding_key), binding, limits, by_operator
        FROM accounts WHERE thumbprint = ?1";
    OPEN_ORDERS = "SELECT count(*) FROM orders JOIN accounts ON accounts.key = orders.account
        WHERE accounts.id = ?1 AND orders.closed IS NULL AND orders.expires > ?2";
    OPEN_AUTHORIZATIONS = "SELECT count(*) FROM authorizations JOIN accounts ON accounts.key = authorizations.account
        WHERE accounts.id = ?1 AND settled IS NULL AND authorizations.deactivated IS NULL
        AND authorizations.expires > ?2";
    REUSABLE = "SELECT EXISTS (SELECT 1 FROM authorizations JOIN accounts ON accounts.key = authorizations.account
        WHERE accounts.id = ?1 AND reuse IS NOT NULL AND settled IS NOT NULL AND authorizations.deactivated IS NULL
        AND authorizations.expires > ?2)";
    BEGIN = "BEGIN";
    COMMIT = "COMMIT";
}

/// The pool.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    recent: Arc<RecentAccounts>,
    /// Guards the list alone; nothing awaits or reads under it.
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, recent: Arc<RecentAccounts>) -> Self {
        Self { path, recent, idle: Mutex::new(Vec::new()) }
    }

    /// Answers a question in one snapshot.
    fn ask<T>(&self, question: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, StoreError> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open::reader(&self.path).map_err(unavailable)?,
        };
        let answer = run(&connection, BEGIN).and_then(|()| question(&connection));
        // A connection that cannot end its snapshot is not used again.
        if run(&connection, COMMIT).is_ok() {
            let mut idle = self.idle.lock();
            if idle.len() < MAX_IDLE {
                idle.push(connection);
            }
        }
        answer.map_err(StoreError::from)
    }
}

fn run(connection: &Connection, statement: &str) -> Result<(), Fault> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}

/// The pool, shared with threads for blocking work.
#[derive(Debug)]
pub(super) struct SharedReaders(pub(super) Arc<Readers>);

impl SharedReaders {
    /// Answers a question that may take long.
    async fn ask_aside<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(&self.0);
        let answer = tokio::task::spawn_blocking(move || readers.ask(question)).await;
        answer.unwrap_or_else(|error| Err(StoreError::unavailable("a read was cut short", error)))
    }
}

#[async_trait]
impl Reads for SharedReaders {
    async fn account(&self, id: AccountId) -> Result<Option<Stored<Account>>, StoreError> {
        let mark = match self.0.recent.get(id) {
            Ok(account) => return Ok(Some(account)),
            Err(mark) => mark,
        };
        let found = self.0.ask(|connection| account(connection, ACCOUNT, id.as_bytes()))?;
        if let Some(account) = &found {
            self.0.recent.remember(mark, account.clone());
        }
        Ok(found)
    }

    async fn account_by_key(&self, key: &Thumbprint) -> Result<Option<Stored<Account>>, StoreError> {
        self.0.ask(|connection| account(connection, ACCOUNT_BY_KEY, key.as_bytes()))
    }

    async fn binding_key(&self, id: BindingKeyId) -> Result<Option<BindingEntry>, StoreError> {
        self.0.ask(|connection| binding::entry(connection, id))
    }

    async fn binding_keys(&self, after: Option<i64>, limit: u32) -> Result<Page<BindingEntry>, StoreError> {
        self.ask_aside(move |connection| binding::list(connection, after, limit)).await
    }

    async fn open_counts(&self, account: AccountId, now: Timestamp) -> Result<OpenCounts, StoreError> {
        self.0.ask(|connection| {
            let count = |statement: &str| -> Result<u64, Fault> {
                let mut statement = connection.prepare_cached(statement)?;
                let count: i64 = statement.query_row(params![account.as_bytes(), millis(now)], |row| row.get(0))?;
                Ok(u64::try_from(count).unwrap_or(0))
            };
            let (orders, authorizations) = (count(OPEN_ORDERS)?, count(OPEN_AUTHORIZATIONS)?);
            Ok(OpenCounts { orders, authorizations, reusable: count(REUSABLE)? > 0 })
        })
    }

    async fn reusable_authorizations(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        now: Timestamp,
    ) -> Result<Vec<Authorization>, StoreError> {
        self.0.ask(|connection| read_order::reusable(connection, account, identifiers, millis(now)))
    }

    async fn order(&self, id: OrderId) -> Result<Option<Stored<OrderAndAuthorizations>>, StoreError> {
        self.0.ask(|connection| read_order::order(connection, id))
    }

    async fn account_orders(
        &self,
        account: AccountId,
        after: Option<OrderId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Option<OrderPage>, StoreError> {
        self.ask_aside(move |connection| read_order::list(connection, account, after, now, limit)).await
    }

    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Stored<Authorization>>, StoreError> {
        self.0.ask(|connection| read_order::authorization(connection, id))
    }

    async fn authorization_of(&self, challenge: ChallengeId) -> Result<Option<Stored<Authorization>>, StoreError> {
        self.0.ask(|connection| read_order::authorization_of(connection, challenge))
    }

    async fn intent_outcome(&self, issuer: &str, serial: &SerialNumber) -> Result<Option<IntentOutcome>, StoreError> {
        self.0.ask(|connection| read_certificate::outcome(connection, issuer, serial))
    }

    async fn certificate(&self, id: CertificateId) -> Result<Option<IssuedCertificate>, StoreError> {
        self.0.ask(|connection| read_certificate::certificate(connection, id))
    }

    async fn certificates(
        &self,
        suffix: Option<&str>,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Page<CertificateEntry>, StoreError> {
        let suffix = suffix.map(str::to_owned);
        self.ask_aside(move |connection| read_certificate::list(connection, suffix.as_deref(), after, limit)).await
    }

    async fn find_certificates(&self, by: &CertificateKey) -> Result<Vec<KnownCertificate>, StoreError> {
        self.0.ask(|connection| read_revocation::find(connection, by))
    }

    async fn holds(&self, account: AccountId, identifiers: &[Identifier], now: Timestamp) -> Result<bool, StoreError> {
        self.0.ask(|connection| read_revocation::holds(connection, account, identifiers, now))
    }

    async fn key_blocked(&self, spki_sha256: &[u8; 32]) -> Result<bool, StoreError> {
        self.0.ask(|connection| read_revocation::blocked(connection, spki_sha256))
    }

    async fn revoked(&self, issuer: &str, shard: u32, ends_from: Timestamp) -> Result<Vec<RevokedEntry>, StoreError> {
        let issuer = issuer.to_owned();
        self.ask_aside(move |connection| read_revocation::revoked(connection, &issuer, shard, ends_from)).await
    }

    async fn shard_state(&self, issuer: &str, shard: u32) -> Result<ShardState, StoreError> {
        self.0.ask(|connection| read_revocation::shard_state(connection, issuer, shard))
    }

    async fn renewables(&self, serial: &SerialNumber) -> Result<Vec<Renewable>, StoreError> {
        self.0.ask(|connection| renewal::renewables(connection, serial))
    }

    async fn is_replaced(&self, certificate: CertificateId, now: Timestamp) -> Result<bool, StoreError> {
        self.0.ask(|connection| renewal::is_replaced(connection, certificate, now))
    }

    async fn is_named(&self, certificate: CertificateId) -> Result<bool, StoreError> {
        self.0.ask(|connection| renewal::is_named(connection, certificate))
    }

    async fn active_renewal_rules(&self, now: Timestamp) -> Result<Vec<RenewalRule>, StoreError> {
        self.ask_aside(move |connection| renewal::active(connection, now)).await
    }

    async fn renewal_rule(&self, id: RenewalRuleId) -> Result<Option<RenewalRule>, StoreError> {
        self.0.ask(|connection| renewal::rule(connection, id))
    }

    async fn renewal_rules(&self, after: Option<i64>, limit: u32) -> Result<Page<RenewalRule>, StoreError> {
        self.ask_aside(move |connection| renewal::list(connection, after, limit)).await
    }

    async fn has_free_jobs(&self) -> Result<bool, StoreError> {
        self.0.ask(read_authority::has_free_jobs)
    }

    async fn leases(&self, process: ProcessId) -> Result<Vec<Lease>, StoreError> {
        self.0.ask(|connection| read_authority::leases(connection, process))
    }

    async fn limit_entries(
        &self,
        later_than: &[(LimitName, Timestamp)],
        after: Option<i64>,
        most: u32,
    ) -> Result<Page<LimitEntry>, StoreError> {
        let later_than = later_than.to_vec();
        self.ask_aside(move |connection| limit::list(connection, &later_than, after, most)).await
    }

    async fn empty_limits(&self, before: Timestamp, most: u32) -> Result<Vec<i64>, StoreError> {
        self.ask_aside(move |connection| limit::empty(connection, before, most)).await
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.0.ask(|connection| read_authority::setting(connection, name))
    }

    async fn issuers(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.0.ask(read_authority::issuers)
    }

    async fn crl(&self, issuer: &str, shard: u32) -> Result<Option<StoredCrl>, StoreError> {
        self.0.ask(|connection| read_authority::crl(connection, issuer, shard))
    }

    async fn crl_shards(&self, issuer: &str) -> Result<Vec<u32>, StoreError> {
        self.0.ask(|connection| read_authority::shards(connection, issuer))
    }

    async fn newest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.0.ask(read_authority::newest_time)
    }

    async fn audit(&self, after: Option<i64>, limit: u32) -> Result<Page<AuditEntry>, StoreError> {
        self.ask_aside(move |connection| read_authority::audit(connection, after, limit)).await
    }

    async fn schema(&self) -> Result<u32, StoreError> {
        self.0.ask(|connection| Ok(open::schema(connection)?))
    }
}

fn account(connection: &Connection, statement: &str, value: &[u8]) -> Result<Option<Stored<Account>>, Fault> {
    let mut statement = connection.prepare_cached(statement)?;
    let found = statement
        .query_row(params![value], |row| {
            let account = AccountRow {
                id: row.get_ref(0)?.as_blob()?,
                version: row.get(1)?,
                jwk: row.get_ref(2)?.as_str()?,
                contact: row.get_ref(3)?.as_str()?,
                created: row.get(4)?,
                deactivated: row.get(5)?,
                terms: row.get(6)?,
                binding_key: row.get_ref(7)?.as_blob_or_null()?,
                binding: row.get(8)?,
                limits: row.get_ref(9)?.as_str_or_null()?,
                revoked: row.get(10)?,
            };
            Ok(account.into_state())
        })
        .optional()?;
    Ok(found.transpose()?)
}
