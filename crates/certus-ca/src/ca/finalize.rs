//! Finalizing an order (RFC 8555 section 7.4).

use std::collections::BTreeSet;

use certus_acme::{Identifier, Jwk, OrderStatus, ProblemKind};
use certus_pki::{CertificationRequest, Profile, PublicKey, check_subscriber_key};

use super::order::invalid_profile;
use super::{Ca, account_event, retry_conflicts};
use crate::audit::Action;
use crate::error::CaError;
use crate::id::{JobId, OrderId, RequestId};
use crate::issuers::ProfileRule;
use crate::job::{Job, Lease, LeasedJob, Task};
use crate::ports::{OrderAndAuthorizations, Stored};
use crate::rate_limits::Counting;
use crate::state::Account;
use crate::work;

impl Ca {
    /// Takes a certification request for a ready order: issuing begins, and the answer waits a little for the
    /// certificate. `csr` is DER.
    ///
    /// # Errors
    ///
    /// `orderNotReady` in any state but ready; `badCSR` with the reason, which leaves the order ready, and so does
    /// `rateLimited`.
    pub async fn finalize(
        &self,
        request: RequestId,
        account: &Account,
        id: OrderId,
        csr: &[u8],
    ) -> Result<OrderAndAuthorizations, CaError> {
        let (ca, account, csr) = (self.clone(), account.clone(), csr.to_vec());
        let operation = async move { retry_conflicts!(ca.try_finalize(request, &account, id, &csr).await) };
        self.inner().work.to_its_end(operation).await
    }

    async fn try_finalize(
        &self,
        request: RequestId,
        account: &Account,
        id: OrderId,
        csr: &[u8],
    ) -> Result<OrderAndAuthorizations, CaError> {
        let inner = self.inner();
        let Stored { value: OrderAndAuthorizations { order, authorizations }, version } =
            self.stored_order(account, id).await?;
        let now = self.now();
        let status = order.status(&authorizations, now);
        if status != OrderStatus::Ready {
            return Err(not_ready(status));
        }
        let Some(rule) = self.issuers().profiles.get(&order.profile) else {
            return Err(invalid_profile(&order.profile, self.issuers()));
        };
        let key = self.acceptable_key(account, &order.identifiers, rule, csr).await?;
        let order = order.begin_issuance(&authorizations, key, now).map_err(not_ready)?;

        let job = Job { id: JobId::random(), task: Task::Issue { order: id }, request };
        let audit = account_event(now, account.id, Action::IssuanceBegun, id, request);
        let in_use = inner.work.use_lease(Lease::first(job.id));
        let counting = Counting::of(&order);
        let charges = inner.limits.for_certificate(&account.overrides, &order.identifiers, counting, now);
        let begun = inner.store.begin_issuance(version, &order, &job, inner.process, &charges, audit).await;
        let lease = begun.map_err(|error| CaError::from(error).about(&order.identifiers))?;
        let done = work::issuance::start(self, LeasedJob { job, lease }, in_use);
        if inner.work.hold(done).await {
            return self.order(account, id).await;
        }
        Ok(OrderAndAuthorizations { order, authorizations })
    }

    /// The key of a certification request that asks for exactly these identifiers.
    async fn acceptable_key(
        &self,
        account: &Account,
        identifiers: &[Identifier],
        rule: &ProfileRule,
        csr: &[u8],
    ) -> Result<PublicKey, CaError> {
        let bad = |detail: String| CaError::refused(ProblemKind::BadCsr, detail);
        let csr = CertificationRequest::parse(csr).map_err(|error| bad(error.to_string()))?;
        let wanted: BTreeSet<_> = identifiers.iter().map(Identifier::subject_name).collect();
        if *csr.names() != wanted {
            let list = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let missing = list(wanted.difference(csr.names()).map(ToString::to_string).collect());
            let extra = list(csr.names().difference(&wanted).map(ToString::to_string).collect());
            return Err(bad(format!(
                "the request's names are not the order's: missing from the request: {missing}; not in the order: {extra}"
            )));
        }
        let key = csr.public_key();
        check_subscriber_key(key).map_err(|error| bad(error.to_string()))?;
        let Profile { name, keys, .. } = &rule.profile;
        if !keys.permits(key.kind()) {
            return Err(bad(format!(
                "the profile {name:?} certifies keys of kind {keys}; the request's is {}",
                key.kind()
            )));
        }
        if self.issuers().configured.iter().any(|issuer| issuer.certificate().public_key() == key) {
            return Err(bad("the request's key is the authority's own; make a key for the certificate".to_owned()));
        }
        // RFC 8555 section 11.1: not this account's key, nor any account's.
        let jwk = Jwk::from_public_key(key);
        let thumbprint = jwk.thumbprint();
        if thumbprint == account.key.thumbprint() || self.inner().store.account_by_key(&thumbprint).await?.is_some() {
            return Err(bad("the request's key is an account key; make a key for the certificate alone".to_owned()));
        }
        self.check_not_blocked(key, ProblemKind::BadCsr).await?;
        Ok(key.clone())
    }
}

fn not_ready(status: OrderStatus) -> CaError {
    let mend = match status {
        OrderStatus::Pending => "meet the challenges of its authorizations first",
        OrderStatus::Processing => "its certificate is being issued; fetch the order again",
        OrderStatus::Valid => "its certificate is there; fetch the order",
        OrderStatus::Invalid => "make a new order",
        OrderStatus::Ready => "fetch the order again",
    };
    CaError::refused(ProblemKind::OrderNotReady, format!("the order is {status}, not ready: {mend}"))
}
