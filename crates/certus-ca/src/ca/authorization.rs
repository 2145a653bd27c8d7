//! Authorizations and challenges (RFC 8555 section 7.5).

use certus_acme::authorization::AuthorizationUpdate;
use certus_acme::{AuthorizationStatus, Identifier, NewAuthorization, ProblemKind};

use super::{Ca, account_event, retry_conflicts};
use crate::audit::Action;
use crate::error::CaError;
use crate::id::{AuthorizationId, ChallengeId, JobId, RequestId};
use crate::job::{Job, Lease, LeasedJob, Task};
use crate::ports::Stored;
use crate::state::authorization::Begun;
use crate::state::{Account, Authorization};
use crate::{limits, policy, work};

impl Ca {
    /// Makes an authorization ahead of orders, which serves them as long as it is valid (RFC 8555 section 7.4.1).
    ///
    /// # Errors
    ///
    /// What the identifier is refused for, with 403; `rateLimited` when too much is open, and where a limit was reached.
    pub async fn new_authorization(
        &self,
        request: RequestId,
        account: &Account,
        wish: &NewAuthorization,
    ) -> Result<Authorization, CaError> {
        let (ca, account, wish) = (self.clone(), account.clone(), wish.clone());
        let operation = async move { retry_conflicts!(ca.open_authorization(request, &account, &wish).await) };
        self.inner().work.to_its_end(operation).await
    }

    async fn open_authorization(
        &self,
        request: RequestId,
        account: &Account,
        wish: &NewAuthorization,
    ) -> Result<Authorization, CaError> {
        self.agreed(account)?;
        let rule = self.profile(&self.issuers().default_profile)?;
        let admits = |one: &Identifier| match one {
            // RFC 8555 section 7.4.1: it is for one name; which others an order will want is not known.
            Identifier::Wildcard(_) => Err("a wildcard cannot be authorized ahead of its order".to_owned()),
            Identifier::Dns(_) | Identifier::Ip(_) => self.admits(rule, one),
        };
        let checked = policy::identifiers::check(std::slice::from_ref(&wish.identifier), rule, admits);
        let identifier = match checked.map(|identifiers| identifiers.into_iter().next()) {
            Ok(Some(identifier)) => identifier,
            Ok(None) => return Err(CaError::malformed("no identifier was given")),
            // RFC 8555 section 7.4.1: what may not be authorized is forbidden.
            Err(CaError::Refused(problem)) if problem.kind != ProblemKind::Malformed => {
                return Err(CaError::Refused(problem.with_status(403)));
            }
            Err(error) => return Err(error),
        };
        let bound = self.key_of(account).await?;
        if let Some(problem) = policy::binding::refusal(bound.as_ref(), std::slice::from_ref(&identifier), None) {
            return Err(CaError::Refused(problem.with_status(403)));
        }
        let (now, store) = (self.now(), &self.inner().store);
        let (_opening, announced) = self.inner().work.announce(account.id, 1);
        let open = store.open_counts(account.id, now).await?;
        if open.authorizations.saturating_add(announced.authorizations) >= limits::MAX_PENDING_AUTHORIZATIONS {
            let detail =
                format!("the account has {} authorizations open; finish or deactivate some first", open.authorizations);
            return Err(CaError::refused(ProblemKind::RateLimited, detail));
        }
        let lapses = now + limits::ORDER_LIFETIME;
        let authorization = match bound {
            Some(bound) if bound.key.vouches_for(&identifier) => {
                Authorization::vouched(account.id, identifier, now, lapses)
            }
            Some(_) | None => {
                let challenges = rule.challenges_for(&identifier);
                Authorization::open(account.id, identifier, &challenges, now, lapses)
                    .with_reuse(limits::AHEAD_OF_ORDERS)
                    .with_retries(rule.retries)
            }
        };
        let audit = account_event(now, account.id, Action::AuthorizationOpened, authorization.id, request);
        let identifier = &authorization.identifier;
        let charges = self.inner().limits.for_authorization(account.id, &account.overrides, identifier, now);
        let kept = store.open_authorization(&authorization, &charges, audit).await;
        kept.map_err(|error| CaError::from(error).about(std::slice::from_ref(identifier)))?;
        Ok(authorization)
    }

    /// The account's authorization of that id.
    ///
    /// # Errors
    ///
    /// [`CaError::NotFound`], [`CaError::NotYours`].
    pub async fn authorization(&self, account: &Account, id: AuthorizationId) -> Result<Authorization, CaError> {
        let found = self.inner().store.authorization(id).await?;
        Ok(owned(account, found, "authorization")?.value)
    }

    /// Deactivates an authorization (RFC 8555 section 7.5.2).
    ///
    /// # Errors
    ///
    /// `malformed` for any other change, and when the authorization is over already.
    pub async fn update_authorization(
        &self,
        request: RequestId,
        account: &Account,
        id: AuthorizationId,
        update: &AuthorizationUpdate,
    ) -> Result<Authorization, CaError> {
        match update.status.as_deref() {
            Some("deactivated") => {
                retry_conflicts!(self.try_deactivate_authorization(request, account, id).await)
            }
            Some(_) | None => {
                let detail = "of an authorization only \"status\" can be set, and only to \"deactivated\"; read it with an \
                              empty payload";
                Err(CaError::malformed(detail))
            }
        }
    }

    async fn try_deactivate_authorization(
        &self,
        request: RequestId,
        account: &Account,
        id: AuthorizationId,
    ) -> Result<Authorization, CaError> {
        let store = &self.inner().store;
        let Stored { value, version } = owned(account, store.authorization(id).await?, "authorization")?;
        let now = self.now();
        match value.status(now) {
            AuthorizationStatus::Pending | AuthorizationStatus::Valid => {}
            AuthorizationStatus::Deactivated => return Ok(value),
            over @ (AuthorizationStatus::Invalid | AuthorizationStatus::Expired | AuthorizationStatus::Revoked) => {
                return Err(CaError::malformed(format!("the authorization is {over} and cannot be deactivated")));
            }
        }
        let deactivated = value.deactivate(now);
        let audit = account_event(now, account.id, Action::AuthorizationDeactivated, id, request);
        store.deactivate_authorization(version, &deactivated, audit).await?;
        Ok(deactivated)
    }

    /// The account's authorization that has that challenge.
    ///
    /// # Errors
    ///
    /// [`CaError::NotFound`], [`CaError::NotYours`].
    pub async fn challenge(&self, account: &Account, id: ChallengeId) -> Result<Authorization, CaError> {
        let found = self.inner().store.authorization_of(id).await?;
        Ok(owned(account, found, "challenge")?.value)
    }

    /// The client is ready for a challenge (RFC 8555 section 7.5.1): validation begins, and the answer waits a little
    /// for its outcome. In any later state of a challenge this changes nothing and shows what is.
    ///
    /// # Errors
    ///
    /// `malformed` when the authorization was deactivated or has expired; [`CaError::Busy`] when too many validations
    /// wait, in all, for this name or of this account.
    pub async fn respond(
        &self,
        request: RequestId,
        account: &Account,
        id: ChallengeId,
    ) -> Result<Authorization, CaError> {
        let (ca, account) = (self.clone(), account.clone());
        let operation = async move { retry_conflicts!(ca.try_respond(request, &account, id).await) };
        self.inner().work.to_its_end(operation).await
    }

    async fn try_respond(
        &self,
        request: RequestId,
        account: &Account,
        id: ChallengeId,
    ) -> Result<Authorization, CaError> {
        let inner = self.inner();
        let Stored { value, version } = owned(account, inner.store.authorization_of(id).await?, "challenge")?;
        let now = self.now();
        match value.status(now) {
            AuthorizationStatus::Pending | AuthorizationStatus::Valid | AuthorizationStatus::Invalid => {}
            over @ (AuthorizationStatus::Deactivated | AuthorizationStatus::Expired | AuthorizationStatus::Revoked) => {
                return Err(CaError::malformed(format!("the authorization is {over}; make a new order")));
            }
        }
        let begun = match value.clone().begin(id, now) {
            Begun::Started(begun) => begun,
            Begun::Running | Begun::Closed => {
                let waits = value.challenge(id).and_then(|challenge| challenge.state.retry());
                if waits.is_some_and(|retry| retry.may_hurry(now)) {
                    return self.hurry(request, account, &value, id).await;
                }
                return Ok(value);
            }
        };
        let slot = inner.work.admit(&begun.identifier.authorized(), account.id)?;
        let task = Task::Validate { authorization: begun.id, challenge: id };
        let job = Job { id: JobId::random(), task, request };
        let audit = account_event(now, account.id, Action::ValidationBegun, begun.id, request);
        let in_use = inner.work.use_lease(Lease::first(job.id));
        let lease = inner.store.begin_validation(version, &begun, &job, inner.process, audit).await?;

        let authorization = begun.id;
        let done = work::validation::start(self, LeasedJob { job, lease }, in_use, slot);
        if inner.work.hold(done).await {
            return self.authorization(account, authorization).await;
        }
        Ok(begun)
    }

    /// Has a challenge that waits for its next try tried at once.
    async fn hurry(
        &self,
        request: RequestId,
        account: &Account,
        authorization: &Authorization,
        challenge: ChallengeId,
    ) -> Result<Authorization, CaError> {
        let inner = self.inner();
        let audit = account_event(self.now(), account.id, Action::ValidationHurried, authorization.id, request);
        inner.store.hurry_validation(challenge, audit).await?;
        work::take_up(self).await?;
        self.authorization(account, authorization.id).await
    }
}

fn owned(
    account: &Account,
    found: Option<Stored<Authorization>>,
    what: &'static str,
) -> Result<Stored<Authorization>, CaError> {
    let found = found.ok_or(CaError::NotFound(what))?;
    if found.value.account != account.id {
        return Err(CaError::NotYours(what));
    }
    Ok(found)
}
