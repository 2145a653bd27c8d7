//! What is done again and again: each duty is idempotent, takes no input, and has one path for every occasion.

use std::time::Duration;

use certus_pki::{Issuer, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::audit::Action;
use crate::ca::{Ca, own_event};
use crate::issuers;
use crate::limits;
use crate::ports::{CurrentCrl, ShardState, StoreError, StoredCrl};
use crate::work;

/// How often abandoned jobs are looked for.
const TAKE_UP_EVERY: Duration = Duration::from_secs(1);
/// How often a process shows that it lives: three times within a lease.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);
/// How often it is seen whether a CRL is due: a revocation is in its list within a minute, with time to sign.
const CRL_EVERY: Duration = Duration::from_secs(15);
// With the seconds that a list is kept in memory and by caches (certus-http), what was revoked is told within a minute.
const _: () = assert!(CRL_EVERY.as_secs() + 15 + 15 < 60);
/// How often what expired long ago is removed.
const REAP_EVERY: Duration = Duration::from_secs(600);

/// Does every duty at its time until `stop` is cancelled.
pub(crate) async fn run(ca: &Ca, stop: CancellationToken) {
    tokio::join!(
        every(TAKE_UP_EVERY, &stop, || async { work::take_up(ca).await.map_err(KeepError::from) }),
        every(HEARTBEAT_EVERY, &stop, || heartbeat(ca)),
        every(CRL_EVERY, &stop, || async { publish_crls(ca).await.map(drop) }),
        every(REAP_EVERY, &stop, || async { reap(ca).await.map(drop) }),
        every(REAP_EVERY, &stop, || async { sweep_limits(ca).await.map(drop) }),
    );
}

async fn every<F: Future<Output = Result<(), KeepError>>>(
    period: Duration,
    stop: &CancellationToken,
    duty: impl Fn() -> F,
) {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => {}
        }
        match duty().await {
            Ok(()) => failing = false,
            // Told once, not every second.
            Err(error) if !failing => {
                failing = true;
                tracing::error!(error = &error as &dyn std::error::Error, "a duty of the authority failed");
            }
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "it still fails"),
        }
    }
}

/// Why a duty was not done.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// A CRL was not signed.
    #[error("a CRL could not be signed")]
    Sign(#[from] certus_pki::IssueError),
    /// The clock is behind.
    #[error("the clock says {now}, but the store was written to at {newest}: nothing is signed until the clock is set")]
    Clock {
        /// What the clock says.
        now: Timestamp,
        /// The newest time in the store.
        newest: Timestamp,
    },
}

async fn heartbeat(ca: &Ca) -> Result<(), KeepError> {
    let inner = ca.inner();
    let audit = own_event(ca.now(), Action::SilentFreed, inner.process.to_string());
    inner.store.heartbeat(inner.process, audit).await?;
    if let Some(newest) = inner.store.newest_time().await? {
        inner.clock_guard.observe(newest);
    }
    Ok(())
}

/// Signs every CRL that is due: one for each shard of each issuer. Returns how many were signed.
///
/// # Errors
///
/// The first failure; the lists of other issuers are published nevertheless.
pub async fn publish_crls(ca: &Ca) -> Result<usize, KeepError> {
    let mut outcome = Ok(0);
    for issuer in &ca.issuers().configured {
        let published = publish_crls_of(ca, issuer).await;
        outcome = outcome.and_then(|so_far| published.map(|more| so_far + more));
    }
    outcome
}

async fn publish_crls_of(ca: &Ca, issuer: &Issuer) -> Result<usize, KeepError> {
    let mut shards = ca.store().crl_shards(issuer.id()).await?;
    shards.extend(0..ca.issuers().shards);
    shards.sort_unstable();
    shards.dedup();
    let mut published = 0;
    for shard in shards {
        published += usize::from(publish_crl(ca, issuer, shard).await?);
    }
    Ok(published)
}

async fn publish_crl(ca: &Ca, issuer: &Issuer, shard: u32) -> Result<bool, KeepError> {
    let now = ca.now();
    // Before the revocations themselves: what comes between is in this list and makes the next one due all the same.
    let ShardState { revocations, current } = ca.store().shard_state(issuer.id(), shard).await?;
    let fresh =
        |crl: &CurrentCrl| crl.revocations == revocations && now.duration_since(crl.this_update) < limits::CRL_RENEWAL;
    if current.as_ref().is_some_and(fresh) {
        return Ok(false);
    }
    ca.inner().clock_guard.check(now).map_err(|newest| KeepError::Clock { now, newest })?;
    // A number made of the time is above every earlier one even when the store was restored from a backup.
    let from_time = u64::try_from(now.unix_millis()).unwrap_or(0);
    let number = current.as_ref().map_or(from_time, |crl| from_time.max(crl.number.saturating_add(1)));
    let this_update = now.whole_seconds();
    let next_update = this_update + limits::CRL_LIFETIME;
    let url = issuers::crl_url(&ca.issuers().pki_url, issuer.id(), shard);
    // RFC 5280 section 3.3: until one list later than the end of its validity.
    let ends_from = current.map_or(this_update, |crl| crl.this_update);
    let revoked = ca.store().revoked(issuer.id(), shard, ends_from).await?;
    let list = issuer.crl(number, this_update, next_update, &revoked, Some(&url)).await?;
    let der = list.der().to_vec();
    let crl = StoredCrl { issuer: issuer.id().to_owned(), shard, number, this_update, next_update, revocations, der };
    let audit = own_event(now, Action::CrlPublished, format!("{}/{shard}#{number}", issuer.id()));
    match ca.store().publish_crl(&crl, audit).await {
        Ok(()) => Ok(true),
        // Another node was faster.
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Removes orders and authorizations whose time is long over. Returns how many went.
///
/// # Errors
///
/// What the store says.
pub async fn reap(ca: &Ca) -> Result<u64, KeepError> {
    let mut gone = 0;
    loop {
        let now = ca.now();
        let before = now - limits::KEEP_EXPIRED;
        let audit = own_event(now, Action::Reaped, before.rfc3339());
        let step = ca.store().reap(before, limits::REAP_BATCH, audit).await?;
        gone += step;
        if step == 0 {
            return Ok(gone);
        }
    }
}

/// Removes buckets of limits that are empty again, whether limits are kept or no longer. Returns how many went.
///
/// # Errors
///
/// What the store says.
pub async fn sweep_limits(ca: &Ca) -> Result<u64, KeepError> {
    let mut gone = 0;
    loop {
        let now = ca.now();
        // Another node's clock may be behind this one.
        let before = now - limits::MAX_CLOCK_BEHIND;
        let audit = own_event(now, Action::LimitsSwept, before.rfc3339());
        let step = ca.store().sweep_limits(before, limits::SWEEP_BATCH, audit).await?;
        gone += step;
        if step == 0 {
            return Ok(gone);
        }
    }
}
