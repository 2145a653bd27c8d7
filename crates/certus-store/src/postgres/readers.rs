//! The readers: a few connections of their own, on each of which many questions may be under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use certus_acme::{Identifier, Thumbprint};
use certus_ca::id::{
    AccountId, AuthorizationId, BindingKeyId, CertificateId, ChallengeId, OrderId, ProcessId, RenewalRuleId, RequestId,
};
use certus_ca::job::Lease;
use certus_ca::ports::{
    AuditEntry, CertificateEntry, CertificateKey, CurrentCrl, IntentOutcome, LimitEntry, OpenCounts,
    OrderAndAuthorizations, OrderPage, Page, ShardState, StoreError, Stored, StoredCrl,
};
use certus_ca::rate_limits::LimitName;
use certus_ca::state::{
    Account, Authorization, BindingEntry, IssuedCertificate, KnownCertificate, Renewable, RenewalRule,
};
use certus_pki::{RevokedEntry, SerialNumber, Timestamp};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connection::Connection;
use super::fault::{self, Kind, column, unavailable};
use super::hosts::Hosts;
use super::{binding, limit, migrate, read_rows, renewal, sql_read, sql_revocation};
use crate::reads::Reads;
use crate::rows::{self, AccountRow, CertificateRow, NameRow, Place, millis};
use crate::suffix::Suffix;

/// Connections: questions queue behind one another on each, so a few keep a server of many cores busy.
const CONNECTIONS: usize = 4;
/// How long a question may take; the server gives up a statement sooner.
const PATIENCE: Duration = Duration::from_secs(90);

/// The connections, in turn.
#[derive(Debug)]
pub(super) struct Readers {
    hosts: Arc<Hosts>,
    /// Each guards its connection while it is being made, so that one caller alone makes it.
    connections: Vec<Mutex<Option<Arc<Connection>>>>,
    next: AtomicUsize,
}

impl Readers {
    pub(super) fn new(hosts: Arc<Hosts>) -> Self {
        let connections = (0..CONNECTIONS).map(|_| Mutex::new(None)).collect();
        Self { hosts, connections, next: AtomicUsize::new(0) }
    }

    async fn connection(&self) -> Result<Arc<Connection>, StoreError> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % CONNECTIONS;
        let place = self.connections.get(turn).ok_or_else(super::call::no_answer)?;
        let mut place = place.lock().await;
        if let Some(connection) = place.as_ref().filter(|connection| !connection.client.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(self.hosts.connect().await.map_err(fault::unreachable)?);
        *place = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// Asks a question; once more, on another connection, when the first one broke.
    async fn ask(&self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        let mut tries = 0..CONNECTIONS;
        loop {
            tries.next();
            let connection = self.connection().await?;
            let answer = timeout(PATIENCE, connection.query(sql, values)).await;
            match answer {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(error)) if tries.is_empty() || fault::kind(&error) == Kind::Statement => {
                    return Err(unavailable(error));
                }
                Ok(Err(error)) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "a read is tried again");
                }
                Err(elapsed) => return Err(StoreError::unavailable("PostgreSQL does not answer", elapsed)),
            }
        }
    }

    async fn ask_one(&self, sql: &'static str, values: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, StoreError> {
        Ok(self.ask(sql, values).await?.into_iter().next())
    }
}

#[async_trait]
impl Reads for Readers {
    async fn account(&self, id: AccountId) -> Result<Option<Stored<Account>>, StoreError> {
        account(self.ask_one(sql_read::ACCOUNT, &[&id.as_bytes().as_slice()]).await?)
    }

    async fn account_by_key(&self, key: &Thumbprint) -> Result<Option<Stored<Account>>, StoreError> {
        account(self.ask_one(sql_read::ACCOUNT_BY_KEY, &[&key.as_bytes().as_slice()]).await?)
    }

    async fn binding_key(&self, id: BindingKeyId) -> Result<Option<BindingEntry>, StoreError> {
        let row = self.ask_one(binding::ENTRY, &[&id.as_bytes().as_slice()]).await?;
        row.map(|row| binding::entry(&row)).transpose()
    }

    async fn binding_keys(&self, after: Option<i64>, limit: u32) -> Result<Page<BindingEntry>, StoreError> {
        let wanted = i64::from(limit) + 1;
        let found = self.ask(binding::LIST, &[&after.unwrap_or(0), &wanted]).await?;
        page(&found, limit, binding::entry)
    }

    async fn open_counts(&self, account: AccountId, now: Timestamp) -> Result<OpenCounts, StoreError> {
        let row = self.ask_one(sql_read::OPEN_COUNTS, &[&account.as_bytes().as_slice(), &millis(now)]).await?;
        let Some(row) = row else { return Ok(OpenCounts::default()) };
        let count = |index| Ok::<_, StoreError>(u64::try_from(column::<i64>(&row, index)?).unwrap_or(0));
        Ok(OpenCounts { orders: count(0)?, authorizations: count(1)?, reusable: column(&row, 2)? })
    }

    async fn reusable_authorizations(
        &self,
        account: AccountId,
        identifiers: &[Identifier],
        now: Timestamp,
    ) -> Result<Vec<Authorization>, StoreError> {
        let mut found = Vec::new();
        for identifier in identifiers {
            let (kind, value) = (identifier.kind(), identifier.value());
            let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
                [&account.as_bytes().as_slice(), &kind, &value, &millis(now)];
            let rows = self.ask(sql_read::REUSABLE, &values).await?;
            found.extend(read_rows::authorization(&rows)?.map(|stored| stored.value));
        }
        Ok(found)
    }

    async fn order(&self, id: OrderId) -> Result<Option<Stored<OrderAndAuthorizations>>, StoreError> {
        read_rows::order(&self.ask(sql_read::ORDER, &[&id.as_bytes().as_slice()]).await?)
    }

    async fn account_orders(
        &self,
        account: AccountId,
        after: Option<OrderId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Option<OrderPage>, StoreError> {
        let after = after.as_ref().map(|order| order.as_bytes().as_slice());
        let wanted = i64::from(limit) + 1;
        let values: [&(dyn ToSql + Sync); 4] = [&account.as_bytes().as_slice(), &after, &millis(now), &wanted];
        let found = self.ask(sql_read::ORDERS_OF_ACCOUNT, &values).await?;
        let Some(first) = found.first() else { return Err(super::call::no_answer()) };
        if column::<Option<i64>>(first, 0)?.is_none() {
            return Ok(None);
        }
        let ids: Result<Vec<Option<&[u8]>>, StoreError> = found.iter().map(|row| column(row, 1)).collect();
        let ids: Vec<&[u8]> = ids?.into_iter().flatten().collect();
        rows::order_page(&ids, limit).map(Some)
    }

    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Stored<Authorization>>, StoreError> {
        read_rows::authorization(&self.ask(sql_read::AUTHORIZATION, &[&id.as_bytes().as_slice()]).await?)
    }

    async fn authorization_of(&self, challenge: ChallengeId) -> Result<Option<Stored<Authorization>>, StoreError> {
        read_rows::authorization(&self.ask(sql_read::AUTHORIZATION_OF, &[&challenge.as_bytes().as_slice()]).await?)
    }

    async fn intent_outcome(&self, issuer: &str, serial: &SerialNumber) -> Result<Option<IntentOutcome>, StoreError> {
        let row = self.ask_one(sql_read::OUTCOME, &[&issuer, &serial.as_bytes()]).await?;
        let Some(row) = row else { return Ok(None) };
        rows::outcome(serial.as_bytes(), column(&row, 0)?, column(&row, 1)?).map(Some)
    }

    async fn certificate(&self, id: CertificateId) -> Result<Option<IssuedCertificate>, StoreError> {
        let row = self.ask_one(sql_read::CERTIFICATE, &[&id.as_bytes().as_slice()]).await?;
        row.map(|row| certificate(&row)).transpose()
    }

    async fn certificates(
        &self,
        suffix: Option<&str>,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Page<CertificateEntry>, StoreError> {
        let after = after.unwrap_or(0);
        // One more than asked, so that the last page is known to be the last.
        let wanted = i64::from(limit) + 1;
        let found = match suffix {
            None => self.ask(sql_read::LIST, &[&after, &wanted]).await?,
            Some(suffix) => {
                let Suffix { exact, from, to } = Suffix::of(suffix);
                self.ask(sql_read::LIST_WITHIN, &[&after, &wanted, &exact, &from, &to]).await?
            }
        };
        page(&found, limit, certificate_entry)
    }

    async fn find_certificates(&self, by: &CertificateKey) -> Result<Vec<KnownCertificate>, StoreError> {
        let (sql, value) = match by {
            CertificateKey::Digest(digest) => (sql_revocation::BY_DIGEST, digest.as_slice()),
            CertificateKey::Serial(serial) => (sql_revocation::BY_SERIAL, serial.as_bytes()),
        };
        self.ask(sql, &[&value]).await?.iter().map(known_certificate).collect()
    }

    async fn holds(&self, account: AccountId, identifiers: &[Identifier], now: Timestamp) -> Result<bool, StoreError> {
        let kinds: Vec<_> = identifiers.iter().map(Identifier::kind).collect();
        let names: Vec<_> = identifiers.iter().map(Identifier::value).collect();
        let values: [&(dyn ToSql + Sync); 4] = [&account.as_bytes().as_slice(), &kinds, &names, &millis(now)];
        let row = self.ask_one(sql_revocation::HELD, &values).await?.ok_or_else(super::call::no_answer)?;
        Ok(!identifiers.is_empty() && column(&row, 0)?)
    }

    async fn key_blocked(&self, spki_sha256: &[u8; 32]) -> Result<bool, StoreError> {
        let row = self.ask_one(sql_revocation::BLOCKED, &[&spki_sha256.as_slice()]).await?;
        column(&row.ok_or_else(super::call::no_answer)?, 0)
    }

    async fn revoked(&self, issuer: &str, shard: u32, ends_from: Timestamp) -> Result<Vec<RevokedEntry>, StoreError> {
        let values: [&(dyn ToSql + Sync); 3] = [&issuer, &i64::from(shard), &millis(ends_from)];
        let found = self.ask(sql_revocation::REVOKED, &values).await?;
        found.iter().map(|row| rows::revoked_entry(column(row, 0)?, column(row, 1)?, column(row, 2)?)).collect()
    }

    async fn shard_state(&self, issuer: &str, shard: u32) -> Result<ShardState, StoreError> {
        let place = Place::new("shards", issuer.as_bytes());
        let row = self.ask_one(sql_revocation::SHARD_STATE, &[&issuer, &i64::from(shard)]).await?;
        let row = row.ok_or_else(super::call::no_answer)?;
        let count: Option<i64> = column(&row, 0)?;
        let current = match column::<Option<i64>>(&row, 1)? {
            None => None,
            Some(number) => Some(CurrentCrl {
                number: place.number("number", number)?,
                this_update: Timestamp::from_unix_millis(column(&row, 2)?),
                revocations: place.number("revocations", column(&row, 3)?)?,
            }),
        };
        Ok(ShardState { revocations: place.number("revocations", count.unwrap_or(0))?, current })
    }

    async fn renewables(&self, serial: &SerialNumber) -> Result<Vec<Renewable>, StoreError> {
        self.ask(renewal::RENEWABLES, &[&serial.as_bytes()]).await?.iter().map(renewal::renewable).collect()
    }

    async fn is_replaced(&self, certificate: CertificateId, now: Timestamp) -> Result<bool, StoreError> {
        let values: [&(dyn ToSql + Sync); 2] = [&certificate.as_bytes().as_slice(), &millis(now)];
        column(&self.ask_one(renewal::REPLACED, &values).await?.ok_or_else(super::call::no_answer)?, 0)
    }

    async fn is_named(&self, certificate: CertificateId) -> Result<bool, StoreError> {
        let found = self.ask_one(renewal::NAMED, &[&certificate.as_bytes().as_slice()]).await?;
        column(&found.ok_or_else(super::call::no_answer)?, 0)
    }

    async fn active_renewal_rules(&self, now: Timestamp) -> Result<Vec<RenewalRule>, StoreError> {
        self.ask(renewal::ACTIVE, &[&millis(now)]).await?.iter().map(renewal::rule).collect()
    }

    async fn renewal_rule(&self, id: RenewalRuleId) -> Result<Option<RenewalRule>, StoreError> {
        let row = self.ask_one(renewal::RULE, &[&id.as_bytes().as_slice()]).await?;
        row.map(|row| renewal::rule(&row)).transpose()
    }

    async fn renewal_rules(&self, after: Option<i64>, limit: u32) -> Result<Page<RenewalRule>, StoreError> {
        let wanted = i64::from(limit) + 1;
        let found = self.ask(renewal::LIST, &[&after.unwrap_or(0), &wanted]).await?;
        page(&found, limit, renewal::rule)
    }

    async fn has_free_jobs(&self) -> Result<bool, StoreError> {
        self.ask_one(sql_read::FREE_JOBS, &[]).await?.map_or(Ok(false), |row| column(&row, 0))
    }

    async fn leases(&self, process: ProcessId) -> Result<Vec<Lease>, StoreError> {
        let found = self.ask(sql_read::LEASES, &[&process.as_bytes().as_slice()]).await?;
        found.iter().map(|row| rows::lease(column(row, 0)?, column(row, 1)?)).collect()
    }

    async fn limit_entries(
        &self,
        later_than: &[(LimitName, Timestamp)],
        after: Option<i64>,
        most: u32,
    ) -> Result<Page<LimitEntry>, StoreError> {
        let names: Vec<&str> = later_than.iter().map(|(limit, _)| limit.name()).collect();
        let times: Vec<i64> = later_than.iter().map(|(_, tat)| millis(*tat)).collect();
        let (after, wanted) = (after.unwrap_or(0), i64::from(most) + 1);
        let found = self.ask(limit::LIST, &[&names, &times, &after, &wanted]).await?;
        page(&found, most, limit::entry)
    }

    async fn empty_limits(&self, before: Timestamp, most: u32) -> Result<Vec<i64>, StoreError> {
        let found = self.ask(limit::EMPTY, &[&millis(before), &i64::from(most)]).await?;
        found.iter().map(|row| column(row, 0)).collect()
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.ask_one(sql_read::SETTING, &[&name]).await?.map(|row| column(&row, 0)).transpose()
    }

    async fn issuers(&self) -> Result<Vec<(String, String)>, StoreError> {
        let rows = self.ask(sql_read::ISSUERS, &[]).await?;
        rows.iter().map(|row| Ok((column(row, 0)?, column(row, 1)?))).collect()
    }

    async fn crl(&self, issuer: &str, shard: u32) -> Result<Option<StoredCrl>, StoreError> {
        let row = self.ask_one(sql_read::CURRENT_CRL, &[&issuer, &i64::from(shard)]).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(StoredCrl {
            issuer: issuer.to_owned(),
            shard,
            number: Place::new("crls", issuer.as_bytes()).number("number", column(&row, 0)?)?,
            this_update: Timestamp::from_unix_millis(column(&row, 1)?),
            next_update: Timestamp::from_unix_millis(column(&row, 2)?),
            der: column(&row, 3)?,
            revocations: Place::new("crls", issuer.as_bytes()).number("revocations", column(&row, 4)?)?,
        }))
    }

    async fn crl_shards(&self, issuer: &str) -> Result<Vec<u32>, StoreError> {
        let place = Place::new("shards", issuer.as_bytes());
        let rows = self.ask(sql_read::SHARDS, &[&issuer]).await?;
        rows.iter().map(|row| place.number("shard", column(row, 0)?)).collect()
    }

    async fn newest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        let Some(row) = self.ask_one(sql_read::NEWEST, &[]).await? else { return Ok(None) };
        Ok(column::<Option<i64>>(&row, 0)?.map(Timestamp::from_unix_millis))
    }

    async fn audit(&self, after: Option<i64>, limit: u32) -> Result<Page<AuditEntry>, StoreError> {
        let wanted = i64::from(limit) + 1;
        let found = self.ask(sql_read::AUDIT, &[&after.unwrap_or(0), &wanted]).await?;
        page(&found, limit, audit_entry)
    }

    async fn schema(&self) -> Result<u32, StoreError> {
        migrate::schema(&self.connection().await?.client).await
    }
}

/// The rows that were asked for, and the key to go on after when there was one more. The key is the first column.
fn page<T>(found: &[Row], limit: u32, entry: fn(&Row) -> Result<T, StoreError>) -> Result<Page<T>, StoreError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let shown = found.get(..limit).unwrap_or(found);
    let next = match shown.last() {
        Some(last) if found.len() > limit => Some(column(last, 0)?),
        Some(_) | None => None,
    };
    Ok(Page { entries: shown.iter().map(entry).collect::<Result<_, _>>()?, next })
}

fn account(row: Option<Row>) -> Result<Option<Stored<Account>>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let account = AccountRow {
        id: column(&row, 0)?,
        version: column(&row, 1)?,
        jwk: column(&row, 2)?,
        contact: column(&row, 3)?,
        created: column(&row, 4)?,
        deactivated: column(&row, 5)?,
        terms: column(&row, 6)?,
        binding_key: column(&row, 7)?,
        binding: column(&row, 8)?,
        limits: column(&row, 9)?,
        revoked: column(&row, 10)?,
    };
    account.into_state().map(Some)
}

fn certificate(row: &Row) -> Result<IssuedCertificate, StoreError> {
    let kinds: Vec<String> = column(row, 13)?;
    let values: Vec<String> = column(row, 14)?;
    let names: Vec<NameRow> = kinds.into_iter().zip(values).map(|(kind, value)| NameRow { kind, value }).collect();
    CertificateRow {
        key: column(row, 0)?,
        id: column(row, 1)?,
        account: column(row, 2)?,
        issuer: column(row, 3)?,
        serial: column(row, 4)?,
        sha256: column(row, 5)?,
        spki_sha256: column(row, 6)?,
        profile: column(row, 7)?,
        shard: column(row, 8)?,
        not_before: column(row, 9)?,
        not_after: column(row, 10)?,
        issued: column(row, 11)?,
        der: column(row, 12)?,
    }
    .into_state(&names)
}

fn known_certificate(row: &Row) -> Result<KnownCertificate, StoreError> {
    let certificate = certificate(row)?;
    let revocation = rows::revocation(certificate.id.as_bytes(), column(row, 15)?, column(row, 16)?)?;
    Ok(KnownCertificate { certificate, revocation })
}

fn certificate_entry(row: &Row) -> Result<CertificateEntry, StoreError> {
    let (id, serial): (&[u8], &[u8]) = (column(row, 1)?, column(row, 3)?);
    let entry = rows::entry(id, column(row, 2)?, serial, column(row, 4)?, column(row, 5)?, column(row, 6)?)?;
    Ok(CertificateEntry { names: column(row, 7)?, ..entry })
}

fn audit_entry(row: &Row) -> Result<AuditEntry, StoreError> {
    let key: i64 = column(row, 0)?;
    let request = match column::<Option<&[u8]>>(row, 5)? {
        Some(id) => {
            let octets = Place::new("audit", key.to_string().as_bytes()).octets("request", id)?;
            Some(RequestId::from_bytes(octets).to_string())
        }
        None => None,
    };
    Ok(AuditEntry {
        key,
        at: Timestamp::from_unix_millis(column(row, 1)?),
        actor: column(row, 2)?,
        action: column(row, 3)?,
        object: column(row, 4)?,
        request,
    })
}
