//! The authority: one short method for each thing a client or an operator may ask of it.
//!
//! Split by resource: `ca/account.rs`, `ca/order.rs`, `ca/authorization.rs`, `ca/finalize.rs`, `ca/certificate.rs`,
//! `ca/revocation.rs`, `ca/renewal.rs`, `ca/binding.rs`, `ca/limit.rs`.

mod account;
mod authorization;
mod binding;
mod certificate;
mod finalize;
mod limit;
mod order;
mod renewal;
mod revocation;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use certus_pki::{Clock, DnsName, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::audit::{Action, Actor, AuditEvent};
use crate::clock_guard::ClockGuard;
use crate::error::CaError;
use crate::id::{ProcessId, RequestId};
use crate::issuers::{Issuers, ProfileRule};
use crate::keep;
use crate::limits;
use crate::nonce::{NonceBook, Nonces};
use crate::ports::{AccountUrls, Process, Store, StoreError, Validator};
use crate::rate_limits::RateLimits;
use crate::renewals::Renewals;
use crate::state::Authorization;
use crate::vault::Vault;
use crate::work::Work;

pub use account::{KeyChanged, Opened};
pub use certificate::{Download, OWN_LIFETIME, OWN_PROFILE, OwnCertificateError};
pub use limit::{Bucket, Shown};
pub use renewal::{Advance, Renewal};
pub use revocation::Revoker;

/// What an authority is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where it remembers.
    pub store: Arc<dyn Store>,
    /// How it sees control of a name.
    pub validator: Arc<dyn Validator>,
    /// Who signs, and by which profiles.
    pub issuers: Issuers,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// This run of this process.
    pub process: Process,
    /// Who seals what is secret in the store.
    pub vault: Arc<dyn Vault>,
    /// How accounts are named to the world.
    pub account_urls: Arc<dyn AccountUrls>,
    /// What is said about the service.
    pub service: Service,
    /// What clients may do how often.
    pub limits: RateLimits,
}

/// What the directory says about the service (RFC 8555 section 7.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// The URL of the present terms of service, which every account must have agreed to.
    pub terms_of_service: Option<String>,
    /// A URL about the service.
    pub website: Option<String>,
    /// Whether an account needs an external account binding (RFC 8555 section 7.3.4).
    pub external_account_required: bool,
    /// The domain names by which CAA records name this authority (RFC 8659 section 4.2).
    pub caa_identities: Vec<DnsName>,
}

/// An authority. Cheap to clone; clones are the same authority.
#[derive(Debug, Clone)]
pub struct Ca(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) validator: Arc<dyn Validator>,
    pub(crate) issuers: Issuers,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) clock_guard: ClockGuard,
    pub(crate) process: ProcessId,
    pub(crate) nonces: NonceBook,
    pub(crate) work: Work,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) account_urls: Arc<dyn AccountUrls>,
    pub(crate) service: Service,
    pub(crate) renewals: Renewals,
    pub(crate) limits: RateLimits,
}

impl Ca {
    /// Takes up work: makes this process and its issuers known to the store.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn open(parts: Parts) -> Result<Self, StoreError> {
        let Parts { store, validator, issuers, clock, process, vault, account_urls, service, limits } = parts;
        let clock_guard = ClockGuard::new(store.newest_time().await?);
        let audit = own_event(clock.now(), Action::ProcessRegistered, process.id.to_string());
        store.register_process(&process, audit).await?;
        for issuer in &issuers.configured {
            let audit = own_event(clock.now(), Action::IssuerRegistered, issuer.id());
            store.register_issuer(issuer.id(), &issuer.chain().to_pem(), audit).await?;
        }
        let inner = Inner {
            store,
            validator,
            issuers,
            clock,
            clock_guard,
            process: process.id,
            nonces: NonceBook::new(),
            work: Work::new(),
            vault,
            account_urls,
            service,
            renewals: Renewals::default(),
            limits,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Does what is due in the background until `soft` is cancelled, then waits for running jobs until `hard` is.
    pub async fn run(&self, soft: CancellationToken, hard: CancellationToken) {
        keep::run(self, soft).await;
        self.0.work.close();
        tokio::select! {
            () = self.0.work.wait() => {}
            () = hard.cancelled() => {}
        }
    }

    /// Tells the store that this process ends, so that others take up its jobs at once. For when no request is taken any
    /// more. One that was cut off in the middle may still begin a job: its lease is freed like that of a process that fell
    /// silent.
    pub async fn retire(&self) {
        let audit = own_event(self.now(), Action::ProcessRetired, self.0.process.to_string());
        if let Err(error) = self.0.store.retire_process(self.0.process, audit).await {
            tracing::warn!(%error, "the store was not told that this process ends");
        }
    }

    /// The nonces of this process.
    #[must_use]
    pub fn nonces(&self) -> &dyn Nonces {
        &self.0.nonces
    }

    /// The present, by the authority's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Where it remembers.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// Who signs, and by which profiles.
    #[must_use]
    pub fn issuers(&self) -> &Issuers {
        &self.0.issuers
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// What is said about the service.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.0.service
    }

    /// What clients may do how often.
    #[must_use]
    pub fn rate_limits(&self) -> &RateLimits {
        &self.0.limits
    }

    /// The profiles that orders may ask for, each with a sentence about it.
    #[must_use]
    pub fn profiles(&self) -> BTreeMap<String, String> {
        let profiles = self.0.issuers.profiles.iter();
        profiles.map(|(name, rule)| (name.clone(), rule.description.clone())).collect()
    }

    pub(crate) fn profile(&self, name: &str) -> Result<&ProfileRule, CaError> {
        let unknown = || CaError::Internal(format!("the profile {name:?} is no longer configured"));
        self.0.issuers.profiles.get(name).ok_or_else(unknown)
    }

    /// When to come again while something is under way.
    #[must_use]
    pub fn poll_after(&self) -> Duration {
        limits::POLL_AFTER
    }

    /// When to come again while a challenge of this authorization is processing; after a failure that is when it is tried
    /// again (RFC 8555 section 8.2).
    #[must_use]
    pub fn poll_challenge_after(&self, authorization: &Authorization) -> Duration {
        let now = self.now();
        let next = authorization.challenges.iter().find_map(|one| one.state.retry()).map(|retry| retry.next);
        next.filter(|next| *next > now).map_or(limits::POLL_AFTER, |next| next.duration_since(now))
    }
}

/// An entry for what the authority does of itself.
pub(crate) fn own_event(at: Timestamp, action: Action, object: impl Into<String>) -> AuditEvent {
    AuditEvent { at, actor: Actor::Authority, action, object: object.into(), request: None }
}

/// An entry for what the person of that user id does.
pub(crate) fn by_operator(at: Timestamp, uid: u32, action: Action, object: impl ToString) -> AuditEvent {
    AuditEvent { at, actor: Actor::Operator { uid }, action, object: object.to_string(), request: None }
}

/// An entry for what an account does.
pub(crate) fn account_event(
    at: Timestamp,
    account: crate::id::AccountId,
    action: Action,
    object: impl ToString,
    request: RequestId,
) -> AuditEvent {
    AuditEvent { at, actor: Actor::Account(account), action, object: object.to_string(), request: Some(request) }
}

/// Tries a write anew for as long as others write first, [`limits::MAX_CONFLICTS`] times at most.
macro_rules! retry_conflicts {
    ($attempt:expr) => {{
        let mut outcome = Err(crate::error::CaError::Contended);
        for _ in 0..crate::limits::MAX_CONFLICTS {
            match $attempt {
                Err(crate::error::CaError::Store(crate::ports::StoreError::Conflict)) => {}
                other => {
                    outcome = other;
                    break;
                }
            }
        }
        outcome
    }};
}
pub(crate) use retry_conflicts;
