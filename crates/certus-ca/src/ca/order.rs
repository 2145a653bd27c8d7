//! Orders (RFC 8555 section 7.4).

use certus_acme::order::NewOrder;
use certus_acme::{Identifier, ProblemKind};
use certus_pki::{Timestamp, Validity};

use super::{Ca, account_event, retry_conflicts};
use crate::audit::Action;
use crate::error::CaError;
use crate::id::{OrderId, RequestId};
use crate::issuers::{Issuers, ProfileRule};
use crate::limits;
use crate::policy;
use crate::ports::{OrderAndAuthorizations, OrderPage, Stored};
use crate::rate_limits::Counting;
use crate::state::{Account, Authorization, Order};

impl Ca {
    /// Makes an order with a new authorization for each identifier.
    ///
    /// # Errors
    ///
    /// What the identifiers are refused for, also by the key that the account is bound to; `invalidProfile`; `malformed` for
    /// dates and members that would not be honoured; `alreadyReplaced`, and what else `replaces` is refused for (RFC 9773
    /// section 5); `rateLimited` when too much is open, and where a limit was reached.
    pub async fn new_order(
        &self,
        request: RequestId,
        account: &Account,
        wish: &NewOrder,
    ) -> Result<OrderAndAuthorizations, CaError> {
        // To its end, whoever leaves: what is on its way to the store is counted until it is there.
        let (ca, account, wish) = (self.clone(), account.clone(), wish.clone());
        let operation = async move { retry_conflicts!(ca.open_order(request, &account, &wish).await) };
        self.inner().work.to_its_end(operation).await
    }

    async fn open_order(
        &self,
        request: RequestId,
        account: &Account,
        wish: &NewOrder,
    ) -> Result<OrderAndAuthorizations, CaError> {
        self.agreed(account)?;
        let (name, rule) = self.wished_profile(wish)?;
        // RFC 8555 section 7.4: what cannot be done is refused, never dropped.
        let validity = wished_validity(wish)?;
        rule.permits_validity(&validity, self.now()).map_err(|error| CaError::malformed(error.to_string()))?;
        let identifiers = policy::identifiers::check(&wish.identifiers, rule, |one| self.admits(rule, one))?;
        let bound = self.key_of(account).await?;
        if let Some(problem) = policy::binding::refusal(bound.as_ref(), &identifiers, Some(name)) {
            return Err(CaError::Refused(problem));
        }
        let predecessor = match &wish.replaces {
            Some(named) => Some(self.predecessor(account, named, &identifiers).await?),
            None => None,
        };
        let now = self.now();
        let store = &self.inner().store;
        let wanted = u64::try_from(identifiers.len()).unwrap_or(u64::MAX);
        let (_opening, announced) = self.inner().work.announce(account.id, wanted);
        let open = store.open_counts(account.id, now).await?;
        let known = if open.reusable {
            store.reusable_authorizations(account.id, &identifiers, now).await?
        } else {
            Vec::new()
        };
        let orders = open.orders.saturating_add(announced.orders);
        let authorizations = open.authorizations.saturating_add(announced.authorizations);
        if orders >= limits::MAX_OPEN_ORDERS
            || authorizations.saturating_add(wanted) > limits::MAX_PENDING_AUTHORIZATIONS
        {
            let detail = format!(
                "the account has {orders} orders and {authorizations} authorizations open; finish or deactivate some first",
            );
            return Err(CaError::refused(ProblemKind::RateLimited, detail));
        }

        let lapses = now + limits::ORDER_LIFETIME;
        let mut new = Vec::new();
        let mut authorizations: Vec<Authorization> = Vec::with_capacity(identifiers.len());
        for identifier in identifiers {
            let challenges = rule.challenges_for(&identifier);
            let serves = |one: &&Authorization| {
                one.identifier == identifier && one.serves_later_orders(&challenges, rule.reuse, now)
            };
            let authorization = match known.iter().find(serves) {
                Some(known) => known.clone(),
                None if bound.as_ref().is_some_and(|bound| bound.key.vouches_for(&identifier)) => {
                    let vouched = Authorization::vouched(account.id, identifier, now, lapses);
                    new.push(vouched.clone());
                    vouched
                }
                None => {
                    let opened = Authorization::open(account.id, identifier, &challenges, now, lapses);
                    let opened = opened.with_reuse(rule.reuse).with_retries(rule.retries);
                    new.push(opened.clone());
                    opened
                }
            };
            authorizations.push(authorization);
        }
        // An order is worth nothing without its proofs.
        let expires = authorizations.iter().map(|one| one.expires).min().unwrap_or(lapses).min(lapses);
        let order = Order::open(account.id, name.to_owned(), &authorizations, now, expires).with_validity(validity);
        let order = order.with_replaces(predecessor);
        let audit = account_event(now, account.id, Action::OrderOpened, order.id, request);
        let unproven = new.iter().filter(|one| !one.vouched).map(|one| &one.identifier);
        let (counting, overrides) = (Counting::of(&order), &account.overrides);
        let charges = self.inner().limits.for_order(account.id, overrides, &order.identifiers, unproven, counting, now);
        // In conflict also with another order for the same certificate; the next look finds it.
        let kept = store.open_order(&order, &new, &charges, audit).await;
        kept.map_err(|error| CaError::from(error).about(&order.identifiers))?;
        Ok(OrderAndAuthorizations { order, authorizations })
    }

    /// Whether an identifier could be validated, and is one that the profile is for.
    pub(crate) fn admits(&self, rule: &ProfileRule, identifier: &Identifier) -> Result<(), String> {
        let validator = &self.inner().validator;
        validator.admits(identifier)?;
        match identifier {
            // BR section 4.2.2: no reserved addresses.
            Identifier::Ip(address) if rule.public_only && !validator.is_public(*address) => {
                Err(format!("{address} is no address of the public Internet, and this profile certifies no others"))
            }
            Identifier::Ip(_) | Identifier::Dns(_) | Identifier::Wildcard(_) => Ok(()),
        }
    }

    fn wished_profile<'a>(&'a self, wish: &'a NewOrder) -> Result<(&'a str, &'a ProfileRule), CaError> {
        let issuers = self.issuers();
        match &wish.profile {
            // draft-ietf-acme-profiles section 4: a default, where the client has no wish.
            None => Ok((&issuers.default_profile, self.profile(&issuers.default_profile)?)),
            Some(wished) => issuers
                .profiles
                .get_key_value(wished)
                .map(|(name, rule)| (name.as_str(), rule))
                .ok_or_else(|| invalid_profile(wished, issuers)),
        }
    }

    /// The account's order of that id.
    ///
    /// # Errors
    ///
    /// [`CaError::NotFound`], [`CaError::NotYours`].
    pub async fn order(&self, account: &Account, id: OrderId) -> Result<OrderAndAuthorizations, CaError> {
        self.stored_order(account, id).await.map(|stored| stored.value)
    }

    /// A page of the account's orders that are not invalid, oldest first (RFC 8555 section 7.1.2.1): the first one, or the
    /// one behind the order `after`.
    ///
    /// # Errors
    ///
    /// `malformed` when `after` is no order of this account.
    pub async fn account_orders(&self, account: &Account, after: Option<OrderId>) -> Result<OrderPage, CaError> {
        let found = self.inner().store.account_orders(account.id, after, self.now(), limits::ORDERS_A_PAGE).await?;
        found.ok_or_else(|| CaError::malformed("this page does not exist; start again at the account's \"orders\" URL"))
    }

    pub(crate) async fn stored_order(
        &self,
        account: &Account,
        id: OrderId,
    ) -> Result<Stored<OrderAndAuthorizations>, CaError> {
        let found = self.inner().store.order(id).await?.ok_or(CaError::NotFound("order"))?;
        if found.value.order.account != account.id {
            return Err(CaError::NotYours("order"));
        }
        Ok(found)
    }
}

/// A profile that the directory does not list.
pub(super) fn invalid_profile(wished: &str, issuers: &Issuers) -> CaError {
    let offered: Vec<&str> = issuers.profiles.keys().map(String::as_str).collect();
    let detail = format!("the profile {wished:?} is not offered; choose one of {}", offered.join(", "));
    CaError::refused(ProblemKind::InvalidProfile, detail)
}

/// The dates of a wish: RFC 3339, in whole seconds, since certificates have no others.
fn wished_validity(wish: &NewOrder) -> Result<Validity, CaError> {
    let read = |name: &str, text: &Option<String>| -> Result<Option<Timestamp>, CaError> {
        let Some(text) = text else { return Ok(None) };
        match Timestamp::parse_rfc3339(text) {
            Ok(at) if at == at.whole_seconds() => Ok(Some(at)),
            Ok(_) => Err(CaError::malformed(format!("{name} must be in whole seconds"))),
            Err(_) => {
                Err(CaError::malformed(format!("{name} must be a date-time of RFC 3339, such as 2030-01-31T12:00:00Z")))
            }
        }
    };
    Ok(Validity { not_before: read("notBefore", &wish.not_before)?, not_after: read("notAfter", &wish.not_after)? })
}
