//! Certificates that are stored before the runs, as they would be after that many orders; and what they cost by
//! themselves: room, and the time that a list of the revoked ones takes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use certus_ca::audit::{Action, Actor, AuditEvent};
use certus_ca::id::CertificateId;
use certus_ca::ports::Store;
use certus_ca::state::{IssuedCertificate, KnownCertificate, Revocation};
use certus_pki::{
    CaSubject, Clock as _, CrlScope, DnsName, KeyAlgorithm, KeyPair, SerialNumber, SubjectName, SystemClock,
    create_crl, create_root, random_bytes, sha256,
};
use tokio::task::JoinSet;

use crate::database::Database;

/// The shards of a laboratory.
const SHARDS: u64 = 4;
/// One in so many certificates is revoked.
const REVOKED_EVERY: u64 = 10;
/// Certificates stored, or revoked, at once.
const BATCH: u64 = 1_000;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What certificates cost that were stored.
#[derive(Debug)]
pub(crate) struct Cost {
    pub(crate) octets_per_certificate: u64,
    pub(crate) list: List,
}

/// The list of one shard.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) entries: usize,
    pub(crate) octets: usize,
    /// How long it takes to read what must be in it.
    pub(crate) read: Duration,
    /// How long it takes to write and sign it.
    pub(crate) made: Duration,
}

/// Stores `count` certificates, revokes a tenth of those of one shard, and makes its list.
pub(crate) async fn load(database: &Database, count: u64) -> anyhow::Result<List> {
    let store = certus_store::connect(&database.url()?).await?;
    let (issuer, _) = store.issuers().await?.into_iter().next().context("the store knows no issuer")?;
    let mut to_revoke = Vec::new();
    for first in (0..count).step_by(usize::try_from(BATCH)?) {
        let numbers = first..(first + BATCH).min(count);
        let batch: Vec<IssuedCertificate> = numbers.map(|number| synthetic(number, &issuer)).collect();
        store.load_certificates(&batch, event(Action::CertificatesLoaded, issuer.clone())).await?;
        let of_shard = batch.into_iter().filter(|one| one.shard == 0);
        to_revoke.extend(of_shard.step_by(usize::try_from(REVOKED_EVERY)?));
    }
    revoke(&store, to_revoke).await?;
    list(store.as_ref(), &issuer).await
}

async fn revoke(store: &Arc<dyn Store>, certificates: Vec<IssuedCertificate>) -> anyhow::Result<()> {
    let at = SystemClock.now();
    let mut certificates = certificates.into_iter().peekable();
    while certificates.peek().is_some() {
        let mut running = JoinSet::new();
        for certificate in certificates.by_ref().take(usize::try_from(BATCH)?) {
            let store = Arc::clone(store);
            running.spawn(async move {
                let audit = event(Action::CertificateRevoked, certificate.id.to_string());
                let known = KnownCertificate { certificate, revocation: None };
                store.revoke(&known, Revocation { at, reason: None }, false, audit).await
            });
        }
        while let Some(revoked) = running.join_next().await {
            revoked??;
        }
    }
    Ok(())
}

/// Makes the list of a shard as the authority does, under a key of our own of the same kind.
async fn list(store: &dyn Store, issuer: &str) -> anyhow::Result<List> {
    let now = SystemClock.now().whole_seconds();
    let key = KeyPair::generate(KeyAlgorithm::EcP256)?;
    let subject = CaSubject { common_name: "Bench".to_owned(), ..CaSubject::default() };
    let root = create_root(&subject, &key, 7 * DAY, now).await?;
    let scope = CrlScope::Shard { url: "http://localhost/crl/0.crl" };
    let started = Instant::now();
    let revoked = store.revoked(issuer, 0, now).await?;
    let read = started.elapsed();
    let list = create_crl(&root, &key, 1, now, now + DAY, &revoked, scope).await?;
    Ok(List { entries: revoked.len(), octets: list.der().len(), read, made: started.elapsed() - read })
}

fn event(action: Action, object: String) -> AuditEvent {
    AuditEvent { at: SystemClock.now(), actor: Actor::Authority, action, object, request: None }
}

fn synthetic(number: u64, issuer: &str) -> IssuedCertificate {
    let now = SystemClock.now();
    // As long as a real one, and as random.
    let der: Vec<u8> = std::iter::repeat_with(random_bytes::<64>).take(12).flatten().collect();
    let name = DnsName::parse(&format!("host{number}.stored.example")).ok();
    IssuedCertificate {
        id: CertificateId::random(),
        account: None,
        issuer: issuer.to_owned(),
        serial: SerialNumber::random(),
        sha256: sha256(&der),
        der,
        spki_sha256: random_bytes(),
        names: name.into_iter().map(SubjectName::Dns).collect::<BTreeSet<_>>(),
        profile: "classic".to_owned(),
        shard: u32::try_from(number % SHARDS).unwrap_or_default(),
        not_before: now,
        not_after: now + 90 * DAY,
        issued: now,
    }
}
