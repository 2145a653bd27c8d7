//! Settings, issuers, CRLs, and the port itself.

use std::time::Duration;

use async_trait::async_trait;
use certus_acme::Thumbprint;
use certus_ca::audit::AuditEvent;
use certus_ca::id::{AccountId, AuthorizationId, CertificateId, ChallengeId, OrderId, ProcessId, RequestId};
use certus_ca::job::{Job, Lease, LeasedJob};
use certus_ca::ports::{
    AuditEntry, CertificateEntry, IntentOutcome, OpenCounts, OrderAndAuthorizations, Page, Process, Store, StoreError,
    Stored, StoredCrl, Version,
};
use certus_ca::state::{Account, Authorization, Intent, IssuedCertificate, Order};
use certus_pki::{SerialNumber, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Sqlite, accounts, certificates, failed, jobs, orders};
use crate::rows::{self, bytes};

fn setting(connection: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    connection
        .prepare_cached("SELECT value FROM setting WHERE name = ?1")
        .and_then(|mut statement| statement.query_row([name], |r| r.get(0)).optional())
        .map_err(failed)
}

fn write_setting(connection: &Connection, name: &str, value: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2")
        .and_then(|mut statement| statement.execute([name, value]))
        .map_err(failed)?;
    Ok(())
}

/// Says whether the issuer is new.
fn register_issuer(connection: &Connection, id: &str, chain_pem: &str) -> Result<bool, StoreError> {
    let inserted = connection
        .prepare_cached("INSERT INTO issuer (id, chain_pem) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING")
        .and_then(|mut statement| statement.execute([id, chain_pem]))
        .map_err(failed)?;
    Ok(inserted == 1)
}

fn publish_crl(connection: &Connection, crl: &StoredCrl) -> Result<(), StoreError> {
    let published = connection
        .prepare_cached(
            "INSERT INTO crl (issuer, shard, number, this_update, next_update, der) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (issuer, shard) DO UPDATE SET number = ?3, this_update = ?4, next_update = ?5, der = ?6 \
             WHERE number < ?3",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                crl.issuer,
                crl.shard,
                crl.number,
                crl.this_update.unix_millis(),
                crl.next_update.unix_millis(),
                crl.der,
            ])
        })
        .map_err(failed)?;
    if published == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

fn crl(connection: &Connection, issuer: &str, shard: u32) -> Result<Option<StoredCrl>, StoreError> {
    connection
        .prepare_cached("SELECT number, this_update, next_update, der FROM crl WHERE issuer = ?1 AND shard = ?2")
        .and_then(|mut statement| {
            statement
                .query_row(params![issuer, shard], |r| {
                    Ok(StoredCrl {
                        issuer: issuer.to_owned(),
                        shard,
                        number: r.get(0)?,
                        this_update: rows::time(r.get(1)?),
                        next_update: rows::time(r.get(2)?),
                        der: r.get(3)?,
                    })
                })
                .optional()
        })
        .map_err(failed)
}

fn crl_shards(connection: &Connection, issuer: &str) -> Result<Vec<u32>, StoreError> {
    connection
        .prepare_cached(
            "SELECT DISTINCT shard FROM certificate WHERE issuer = (SELECT key FROM issuer WHERE id = ?1) \
             UNION SELECT shard FROM crl WHERE issuer = ?1",
        )
        .and_then(|mut statement| statement.query_map([issuer], |r| r.get(0))?.collect())
        .map_err(failed)
}

fn audit_page(connection: &Connection, after: Option<i64>, limit: u32) -> Result<Page<AuditEntry>, StoreError> {
    type Row = (i64, i64, String, String, String, Option<Vec<u8>>);
    let found: Vec<Row> = connection
        .prepare_cached(
            "SELECT key, at, actor, action, object, request FROM audit WHERE key > ?1 ORDER BY key LIMIT ?2",
        )
        .and_then(|mut statement| {
            statement
                .query_map(params![after.unwrap_or(0), limit], |r| {
                    Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?))
                })?
                .collect()
        })
        .map_err(failed)?;
    let full = u32::try_from(found.len()).is_ok_and(|count| count == limit);
    let next = found.last().map(|row| row.0).filter(|_| full);
    let entries = found
        .into_iter()
        .map(|(key, at, actor, action, object, request)| {
            let request = request.map(|octets| bytes("audit", "request", &octets)).transpose()?;
            let request = request.map(|octets| RequestId::from_bytes(octets).to_string());
            Ok(AuditEntry { key, at: rows::time(at), actor, action, object, request })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(Page { entries, next })
}

#[async_trait]
impl Store for Sqlite {
    async fn account(&self, id: AccountId) -> Result<Option<Stored<Account>>, StoreError> {
        self.read(|connection| accounts::by_id(connection, id))
    }

    async fn account_by_key(&self, key: &Thumbprint) -> Result<Option<Stored<Account>>, StoreError> {
        self.read(|connection| accounts::by_thumbprint(connection, key))
    }

    async fn create_account(&self, account: &Account, audit: AuditEvent) -> Result<(), StoreError> {
        let account = account.clone();
        self.write(move |connection| {
            accounts::create(connection, &account)?;
            accounts::audit(connection, &audit)
        })
        .await
    }

    async fn update_account(&self, read: Version, account: &Account, audit: AuditEvent) -> Result<(), StoreError> {
        let account = account.clone();
        self.write(move |connection| {
            accounts::update(connection, read, &account)?;
            accounts::audit(connection, &audit)
        })
        .await
    }

    async fn open_counts(&self, account: AccountId, now: Timestamp) -> Result<OpenCounts, StoreError> {
        self.read(|connection| accounts::open_counts(connection, account, now))
    }

    async fn open_order(
        &self,
        order: &Order,
        authorizations: &[Authorization],
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        let (order, authorizations) = (order.clone(), authorizations.to_vec());
        self.write(move |connection| {
            orders::open(connection, &order, &authorizations)?;
            accounts::audit(connection, &audit)
        })
        .await
    }

    async fn order(&self, id: OrderId) -> Result<Option<Stored<OrderAndAuthorizations>>, StoreError> {
        self.read(|connection| orders::order(connection, id))
    }

    async fn authorization(&self, id: AuthorizationId) -> Result<Option<Stored<Authorization>>, StoreError> {
        self.read(|connection| orders::authorization(connection, id))
    }

    async fn authorization_of(&self, challenge: ChallengeId) -> Result<Option<Stored<Authorization>>, StoreError> {
        self.read(|connection| orders::authorization_of(connection, challenge))
    }

    async fn deactivate_authorization(
        &self,
        read: Version,
        authorization: &Authorization,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        let authorization = authorization.clone();
        self.write(move |connection| {
            orders::update_authorization(connection, read, &authorization)?;
            accounts::audit(connection, &audit)
        })
        .await
    }

    async fn begin_validation(
        &self,
        read: Version,
        authorization: &Authorization,
        job: &Job,
        process: ProcessId,
        audit: AuditEvent,
    ) -> Result<Lease, StoreError> {
        let (authorization, job) = (authorization.clone(), job.clone());
        self.write(move |connection| {
            orders::update_authorization(connection, read, &authorization)?;
            accounts::audit(connection, &audit)?;
            jobs::insert(connection, &job, process)
        })
        .await
    }

    async fn settle_authorization(
        &self,
        lease: Lease,
        read: Version,
        authorization: &Authorization,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        let authorization = authorization.clone();
        self.write(move |connection| {
            jobs::end(connection, lease)?;
            orders::update_authorization(connection, read, &authorization)?;
            accounts::audit(connection, &audit)
        })
        .await
    }

    async fn begin_issuance(
        &self,
        read: Version,
        order: &Order,
        job: &Job,
        process: ProcessId,
        audit: AuditEvent,
    ) -> Result<Lease, StoreError> {
        let (order, job) = (order.clone(), job.clone());
        self.write(move |connection| {
            orders::update_order(connection, read, &order)?;
            accounts::audit(connection, &audit)?;
            jobs::insert(connection, &job, process)
        })
        .await
    }

    async fn record_intent(&self, lease: Lease, intent: &Intent, audit: AuditEvent) -> Result<(), StoreError> {
        let intent = intent.clone();
        self.write(move |connection| {
            jobs::check(connection, lease)?;
            if let Some(order) = intent.order {
                certificates::retire_intents(connection, order, audit.at)?;
            }
            certificates::record_intent(connection, &intent)?;
            accounts::audit(connection, &audit)
        })
        .await
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
        self.write(move |connection| {
            jobs::end(connection, lease)?;
            certificates::settle_intent(connection, &certificate)?;
            let key = certificates::insert(connection, &certificate)?;
            let order = orders::update_order(connection, read, &order)?;
            certificates::keep_evidence(connection, key, order)?;
            accounts::audit(connection, &audit)
        })
        .await
    }

    async fn fail_issuance(
        &self,
        lease: Lease,
        read: Version,
        order: &Order,
        audit: AuditEvent,
    ) -> Result<(), StoreError> {
        let order = order.clone();
        self.write(move |connection| {
            jobs::end(connection, lease)?;
            certificates::retire_intents(connection, order.id, audit.at)?;
            orders::update_order(connection, read, &order)?;
            accounts::audit(connection, &audit)
        })
        .await
    }

    async fn record_own_intent(&self, intent: &Intent, audit: AuditEvent) -> Result<(), StoreError> {
        let intent = intent.clone();
        self.write(move |connection| {
            certificates::record_intent(connection, &intent)?;
            accounts::audit(connection, &audit)
        })
        .await
    }

    async fn complete_own(&self, certificate: &IssuedCertificate, audit: AuditEvent) -> Result<(), StoreError> {
        let certificate = certificate.clone();
        self.write(move |connection| {
            certificates::settle_intent(connection, &certificate)?;
            certificates::insert(connection, &certificate)?;
            accounts::audit(connection, &audit)
        })
        .await
    }

    async fn intent_outcome(&self, issuer: &str, serial: &SerialNumber) -> Result<Option<IntentOutcome>, StoreError> {
        self.read(|connection| certificates::intent_outcome(connection, issuer, serial))
    }

    async fn certificate(&self, id: CertificateId) -> Result<Option<IssuedCertificate>, StoreError> {
        self.read(|connection| certificates::certificate(connection, id))
    }

    async fn certificates(
        &self,
        suffix: Option<&str>,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Page<CertificateEntry>, StoreError> {
        self.read(|connection| certificates::page(connection, suffix, after, limit))
    }

    async fn load_certificates(&self, loaded: &[IssuedCertificate], audit: AuditEvent) -> Result<(), StoreError> {
        let loaded = loaded.to_vec();
        self.write(move |connection| {
            for certificate in &loaded {
                certificates::insert(connection, certificate)?;
            }
            accounts::audit(connection, &audit)
        })
        .await
    }

    async fn register_process(&self, process: &Process) -> Result<(), StoreError> {
        let process = process.clone();
        self.write(move |connection| jobs::register(connection, &process)).await
    }

    async fn heartbeat(&self, process: ProcessId) -> Result<(), StoreError> {
        self.write(move |connection| jobs::heartbeat(connection, process)).await
    }

    async fn retire_process(&self, process: ProcessId) -> Result<(), StoreError> {
        self.write(move |connection| jobs::retire(connection, process)).await
    }

    async fn lease_jobs(&self, process: ProcessId, limit: u32) -> Result<Vec<LeasedJob>, StoreError> {
        if !self.read(jobs::any_due)? {
            return Ok(Vec::new());
        }
        self.write(move |connection| jobs::lease(connection, process, limit)).await
    }

    async fn release_job(&self, lease: Lease, wait: Duration) -> Result<(), StoreError> {
        self.write(move |connection| jobs::release(connection, lease, wait)).await
    }

    async fn drop_job(&self, lease: Lease) -> Result<(), StoreError> {
        self.write(move |connection| jobs::end(connection, lease)).await
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.read(|connection| setting(connection, name))
    }

    async fn write_setting(&self, name: &str, value: &str, audit: AuditEvent) -> Result<(), StoreError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(move |connection| {
            write_setting(connection, &name, &value)?;
            accounts::audit(connection, &audit)
        })
        .await
    }

    async fn register_issuer(&self, id: &str, chain_pem: &str, audit: AuditEvent) -> Result<(), StoreError> {
        let (id, chain_pem) = (id.to_owned(), chain_pem.to_owned());
        self.write(move |connection| {
            if register_issuer(connection, &id, &chain_pem)? { accounts::audit(connection, &audit) } else { Ok(()) }
        })
        .await
    }

    async fn issuers(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT id, chain_pem FROM issuer ORDER BY key")
                .and_then(|mut statement| statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect())
                .map_err(failed)
        })
    }

    async fn publish_crl(&self, crl: &StoredCrl, audit: AuditEvent) -> Result<(), StoreError> {
        let crl = crl.clone();
        self.write(move |connection| {
            publish_crl(connection, &crl)?;
            accounts::audit(connection, &audit)
        })
        .await
    }

    async fn crl(&self, issuer: &str, shard: u32) -> Result<Option<StoredCrl>, StoreError> {
        self.read(|connection| crl(connection, issuer, shard))
    }

    async fn crl_shards(&self, issuer: &str) -> Result<Vec<u32>, StoreError> {
        self.read(|connection| crl_shards(connection, issuer))
    }

    async fn newest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|connection| {
            let newest: Option<i64> = connection
                .prepare_cached("SELECT max(at) FROM audit")
                .and_then(|mut statement| statement.query_row([], |r| r.get(0)))
                .map_err(failed)?;
            Ok(newest.map(rows::time))
        })
    }

    async fn audit(&self, after: Option<i64>, limit: u32) -> Result<Page<AuditEntry>, StoreError> {
        self.read(|connection| audit_page(connection, after, limit))
    }

    async fn reap(&self, before: Timestamp, limit: u32, audit: AuditEvent) -> Result<u64, StoreError> {
        self.write(move |connection| {
            let gone = orders::reap(connection, before, limit)?;
            if gone > 0 {
                accounts::audit(connection, &audit)?;
            }
            Ok(gone)
        })
        .await
    }

    async fn check(&self) -> Result<(), StoreError> {
        // A write that changes nothing still needs the disk.
        self.write(|connection| write_setting(connection, "checked", "yes")).await
    }
}
