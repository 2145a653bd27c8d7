//! Rate limits as an operator sees them: what is near its limit, emptying a bucket, numbers for one account; and what the
//! background's writes cost.

use certus_pki::Timestamp;

use super::{Ca, by_operator, retry_conflicts};
use crate::audit::Action;
use crate::error::CaError;
use crate::id::AccountId;
use crate::limits;
use crate::ports::{LimitEntry, Page, StoreError, Stored};
use crate::rate_limits::{Charges, Counting, LimitName, Overrides, Rate};
use crate::state::{Account, Authorization, Order};

/// Which buckets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Those that are near their limit or at it ([`limits::NEAR`]).
    Near,
    /// All that are not empty.
    All,
}

/// A bucket as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The limit.
    pub limit: LimitName,
    /// Whose it is.
    pub subject: String,
    /// The number that holds for it.
    pub rate: Rate,
    /// How many are spent.
    pub spent: u32,
    /// When one may be spent again, if none can be at present.
    pub again: Option<Timestamp>,
}

impl Ca {
    /// A page of buckets.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn limit_buckets(&self, shown: Shown, after: Option<i64>, limit: u32) -> Result<Page<Bucket>, CaError> {
        let now = self.now();
        let of_period = |limit: &LimitName| {
            let (part, whole) = limits::NEAR;
            let near = self.rate_limits().rate(*limit).period() * part / whole;
            (*limit, if shown == Shown::Near { now + near } else { now })
        };
        let later_than: Vec<_> = LimitName::ALL.iter().map(of_period).collect();
        let Page { entries, next } = self.store().limit_entries(&later_than, after, limit).await?;
        let mut buckets = Vec::with_capacity(entries.len());
        for LimitEntry { limit, subject, tat } in entries {
            let account = match limit.account(&subject) {
                Some(id) => self.store().account(id).await?,
                None => None,
            };
            let overrides = account.map(|found| found.value.overrides).unwrap_or_default();
            let rate = self.rate_limits().rate_for(limit, &overrides);
            let again = rate.spend(Some(tat), now).err();
            buckets.push(Bucket { limit, subject, rate, spent: rate.spent(tat, now), again });
        }
        Ok(Page { entries: buckets, next })
    }

    /// Empties a bucket, for the person of that user id. Says whether there was one.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn clear_limit(&self, uid: u32, limit: LimitName, subject: &str) -> Result<bool, CaError> {
        let audit = by_operator(self.now(), uid, Action::LimitCleared, format!("{limit} {subject}"));
        Ok(self.store().clear_limit(limit, subject, audit).await?)
    }

    /// Gives an account a number of its own for a limit, or (`None`) the authority's again; for the person of that user id.
    /// Every node knows it from the account's next request on.
    ///
    /// # Errors
    ///
    /// `malformed` for a limit that is no account's, and for what is no number; [`CaError::NotFound`]; what the store says.
    pub async fn override_limit(
        &self,
        uid: u32,
        account: AccountId,
        limit: LimitName,
        count: Option<u32>,
    ) -> Result<Rate, CaError> {
        if !limit.may_be_overridden() {
            return Err(CaError::malformed(format!(
                "{limit} holds before there is an account; change it in certus.toml"
            )));
        }
        let built = self.rate_limits().rate(limit);
        if limit.is_shared() && count.is_some_and(|count| count < built.count()) {
            return Err(CaError::malformed(format!(
                "{limit} is counted for all accounts together, {built} here, and a smaller number for one of them would hold \
                 up the others; lower {} for it",
                LimitName::NewOrdersPerAccount
            )));
        }
        let rate = match count {
            None => built,
            Some(count) => Rate::new(count, built.period())
                .ok_or_else(|| CaError::malformed(format!("{count} cannot be had in the period of {limit}")))?,
        };
        retry_conflicts!(self.try_override_limit(uid, account, limit, count).await)?;
        Ok(rate)
    }

    async fn try_override_limit(
        &self,
        uid: u32,
        id: AccountId,
        limit: LimitName,
        count: Option<u32>,
    ) -> Result<(), CaError> {
        let store = self.store();
        let Some(Stored { value, version }) = store.account(id).await? else {
            return Err(CaError::NotFound("account"));
        };
        let mut overrides = value.overrides.clone();
        match count {
            Some(count) => overrides.insert(limit, count),
            None => overrides.remove(&limit),
        };
        if overrides == value.overrides {
            return Ok(());
        }
        let number = count.map_or_else(|| "none".to_owned(), |count| count.to_string());
        let audit = by_operator(self.now(), uid, Action::AccountLimitSet, format!("{id} {limit}={number}"));
        store.update_account(version, &Account { overrides, ..value }, audit).await?;
        Ok(())
    }

    /// What an authorization that is settled costs its account.
    pub(crate) async fn charges_of_outcome(
        &self,
        settled: &Authorization,
        met: bool,
        now: Timestamp,
    ) -> Result<Charges, StoreError> {
        let limits = self.rate_limits();
        let (account, identifier) = (settled.account, &settled.identifier);
        if met || !limits.enabled {
            return Ok(limits.for_success(account, identifier, now));
        }
        Ok(limits.for_failure(account, &self.overrides_of(account).await?, identifier, now))
    }

    /// What is given back for an order that came to no certificate.
    pub(crate) async fn charges_given_back(&self, order: &Order, now: Timestamp) -> Result<Charges, StoreError> {
        let limits = self.rate_limits();
        if !limits.enabled {
            return Ok(Charges::none());
        }
        let overrides = self.overrides_of(order.account).await?;
        Ok(limits.for_no_certificate(&overrides, &order.identifiers, Counting::of(order), now))
    }

    async fn overrides_of(&self, account: AccountId) -> Result<Overrides, StoreError> {
        Ok(self.store().account(account).await?.map(|found| found.value.overrides).unwrap_or_default())
    }
}
