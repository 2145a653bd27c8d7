//! What a write costs at which limits, and whether it may be had. Pure: the store reads and keeps the numbers.

use certus_acme::Identifier;
use certus_pki::Timestamp;

use super::{LimitName, Overrides, Rate, RateLimits, subject};
use crate::id::AccountId;
use crate::state::{Order, Replaces};

/// One limit that a write has to do with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The limit.
    pub limit: LimitName,
    /// Whose bucket.
    pub subject: String,
    /// The number that holds.
    pub rate: Rate,
    /// What the write does to it.
    pub effect: Effect,
}

/// What a write does to a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Is refused when the bucket is full; spends nothing.
    Look,
    /// Is refused when the bucket is full; spends one.
    Spend,
    /// Spends one and is never refused: it has happened.
    Count,
    /// Gives one back.
    GiveBack,
    /// Empties the bucket.
    Reset,
}

/// Whether limits on orders and certificates count an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// They do.
    Counted,
    /// A renewal at the time that renewalInfo suggested (RFC 9773 section 5): the authority wished for it. Failed
    /// validations count nevertheless.
    Exempt,
}

impl Counting {
    /// Whether an order is counted. The one place that says so, for newOrder, finalize, and what failed.
    #[must_use]
    pub const fn of(order: &Order) -> Self {
        match order.replaces {
            Some(Replaces { due: true, .. }) => Self::Exempt,
            Some(Replaces { due: false, .. }) | None => Self::Counted,
        }
    }
}

/// Everything that a write costs; each bucket once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charges {
    at: Timestamp,
    list: Vec<Charge>,
}

/// Where a bucket stands from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The limit.
    pub limit: LimitName,
    /// Whose bucket.
    pub subject: &'a str,
    /// Its theoretical arrival time.
    pub tat: Timestamp,
    /// Whether it is kept only if there is one already: what empties a bucket makes none.
    pub known_only: bool,
}

/// A limit that a write would have gone beyond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excess {
    /// The limit.
    pub limit: LimitName,
    /// Whose bucket.
    pub subject: String,
    /// The number that holds.
    pub rate: Rate,
    /// When it was judged.
    pub judged: Timestamp,
    /// When the same write may be had, as far as this limit is concerned.
    pub again: Timestamp,
}

impl Charges {
    /// Nothing: the store does not even ask.
    #[must_use]
    pub const fn none() -> Self {
        Self::at(Timestamp::from_unix_millis(0))
    }

    /// Nothing yet, for a write at that time.
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        Self { at, list: Vec::new() }
    }

    /// Adds one; a bucket that is there already stays as it was added first.
    #[must_use]
    pub fn with(mut self, charge: Charge) -> Self {
        let known = |one: &Charge| one.limit == charge.limit && one.subject == charge.subject;
        if !self.list.iter().any(known) {
            self.list.push(charge);
        }
        self
    }

    /// The charges.
    #[must_use]
    pub fn list(&self) -> &[Charge] {
        &self.list
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Judges the write: `known` says where each bucket stands, in the order of [`Self::list`], `None` where nothing was ever
    /// spent. Gives the buckets that change.
    ///
    /// # Errors
    ///
    /// Every limit that stands against it; then nothing is spent at any.
    pub fn judge(&self, known: &[Option<Timestamp>]) -> Result<Vec<Standing<'_>>, Vec<Excess>> {
        let (mut changed, mut excesses) = (Vec::new(), Vec::new());
        let known = known.iter().copied().chain(std::iter::repeat(None));
        for (charge, tat) in self.list.iter().zip(known) {
            let Charge { limit, subject, rate, effect } = charge;
            let mut keep = |tat, known_only| changed.push(Standing { limit: *limit, subject, tat, known_only });
            match effect {
                Effect::Look | Effect::Spend => match rate.spend(tat, self.at) {
                    Ok(tat) if *effect == Effect::Spend => keep(tat, false),
                    Ok(_) => {}
                    Err(again) => excesses.push(Excess {
                        limit: *limit,
                        subject: subject.clone(),
                        rate: *rate,
                        judged: self.at,
                        again,
                    }),
                },
                Effect::Count => keep(rate.force(tat, self.at), false),
                Effect::GiveBack => {
                    if let Some(tat) = tat.filter(|tat| *tat > self.at) {
                        keep(rate.give_back(tat), true);
                    }
                }
                Effect::Reset => {
                    if tat.is_some_and(|tat| tat > self.at) {
                        keep(self.at, true);
                    }
                }
            }
        }
        if excesses.is_empty() { Ok(changed) } else { Err(excesses) }
    }
}

/// What each write of the authority costs.
impl RateLimits {
    fn charges(&self, at: Timestamp, list: impl IntoIterator<Item = Charge>) -> Charges {
        let charges = Charges::at(at);
        if self.enabled { list.into_iter().fold(charges, Charges::with) } else { charges }
    }

    fn charge(&self, limit: LimitName, overrides: &Overrides, subject: String, effect: Effect) -> Charge {
        Charge { limit, subject, rate: self.rate_for(limit, overrides), effect }
    }

    /// A new account from that address.
    pub(crate) fn for_account(&self, from: std::net::IpAddr, at: Timestamp) -> Charges {
        let (own, none) = (Effect::Spend, Overrides::new());
        let address = self.charge(LimitName::NewAccountsPerAddress, &none, subject::address(from), own);
        let network = self.charge(LimitName::NewAccountsPerNetwork, &none, subject::network(from), own);
        self.charges(at, [address, network])
    }

    /// A new order, `unproven` of whose identifiers are still to be validated.
    pub(crate) fn for_order<'a>(
        &self,
        account: AccountId,
        overrides: &Overrides,
        identifiers: &[Identifier],
        unproven: impl IntoIterator<Item = &'a Identifier>,
        counting: Counting,
        at: Timestamp,
    ) -> Charges {
        if !self.enabled {
            return Charges::at(at);
        }
        let mut list = Vec::new();
        if counting == Counting::Counted {
            list.push(self.charge(LimitName::NewOrdersPerAccount, overrides, account.to_string(), Effect::Spend));
            list.extend(self.certificate(overrides, identifiers, Effect::Look));
        }
        for identifier in unproven {
            list.extend(self.failures(account, overrides, identifier, [Effect::Look; 2]));
        }
        self.charges(at, list)
    }

    /// An authorization that is made ahead of orders.
    pub(crate) fn for_authorization(
        &self,
        account: AccountId,
        overrides: &Overrides,
        identifier: &Identifier,
        at: Timestamp,
    ) -> Charges {
        let orders = self.charge(LimitName::NewOrdersPerAccount, overrides, account.to_string(), Effect::Spend);
        let failures = self.failures(account, overrides, identifier, [Effect::Look; 2]);
        self.charges(at, std::iter::once(orders).chain(failures))
    }

    /// A certificate that is about to be issued.
    pub(crate) fn for_certificate(
        &self,
        overrides: &Overrides,
        identifiers: &[Identifier],
        counting: Counting,
        at: Timestamp,
    ) -> Charges {
        match counting {
            Counting::Counted => self.charges(at, self.certificate(overrides, identifiers, Effect::Spend)),
            Counting::Exempt => Charges::at(at),
        }
    }

    /// A certificate that did not come about after all.
    pub(crate) fn for_no_certificate(
        &self,
        overrides: &Overrides,
        identifiers: &[Identifier],
        counting: Counting,
        at: Timestamp,
    ) -> Charges {
        match counting {
            Counting::Counted => self.charges(at, self.certificate(overrides, identifiers, Effect::GiveBack)),
            Counting::Exempt => Charges::at(at),
        }
    }

    /// A validation that failed.
    pub(crate) fn for_failure(
        &self,
        account: AccountId,
        overrides: &Overrides,
        identifier: &Identifier,
        at: Timestamp,
    ) -> Charges {
        self.charges(at, self.failures(account, overrides, identifier, [Effect::Count; 2]))
    }

    /// A validation that found what it looked for: the count of failures begins anew.
    pub(crate) fn for_success(&self, account: AccountId, identifier: &Identifier, at: Timestamp) -> Charges {
        let [_, consecutive] = self.failures(account, &Overrides::new(), identifier, [Effect::Reset; 2]);
        self.charges(at, [consecutive])
    }

    fn certificate(&self, overrides: &Overrides, identifiers: &[Identifier], effect: Effect) -> Vec<Charge> {
        let domains = subject::registered_domains(identifiers).into_iter();
        let mut list: Vec<Charge> = domains
            .map(|domain| self.charge(LimitName::CertificatesPerRegisteredDomain, overrides, domain, effect))
            .collect();
        let set = subject::exact_set(identifiers);
        list.push(self.charge(LimitName::CertificatesPerExactSet, overrides, set, effect));
        list
    }

    fn failures(
        &self,
        account: AccountId,
        overrides: &Overrides,
        identifier: &Identifier,
        [failed, consecutive]: [Effect; 2],
    ) -> [Charge; 2] {
        let pair = subject::pair(account, identifier);
        [
            self.charge(LimitName::FailedValidationsPerAccountAndName, overrides, pair.clone(), failed),
            self.charge(LimitName::ConsecutiveFailuresPerAccountAndName, overrides, pair, consecutive),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use certus_acme::RawIdentifier;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

    fn identifiers(names: &[&str]) -> Vec<Identifier> {
        let parse = |name: &&str| {
            let kind = if name.parse::<std::net::IpAddr>().is_ok() { "ip" } else { "dns" };
            Identifier::parse(&RawIdentifier { kind: kind.to_owned(), value: (*name).to_owned() }).unwrap()
        };
        names.iter().map(parse).collect()
    }

    fn shown(charges: &Charges) -> Vec<(&str, &str, Effect)> {
        charges.list().iter().map(|one| (one.limit.name(), one.subject.as_str(), one.effect)).collect()
    }

    #[test]
    fn an_order_spends_itself_and_looks_at_what_it_would_come_to() {
        let (limits, account) = (RateLimits::built_in(), AccountId::random());
        let names = identifiers(&["a.example.org", "*.example.org", "b.example.net"]);
        let charges = limits.for_order(account, &Overrides::new(), &names, &names[1..], Counting::Counted, NOW);
        let (id, proven, other) =
            (account.to_string(), format!("{account}/example.org"), format!("{account}/b.example.net"));
        assert_eq!(
            shown(&charges),
            [
                ("new_orders_per_account", id.as_str(), Effect::Spend),
                ("certificates_per_registered_domain", "example.net", Effect::Look),
                ("certificates_per_registered_domain", "example.org", Effect::Look),
                ("certificates_per_exact_set", "*.example.org,a.example.org,b.example.net", Effect::Look),
                ("failed_validations_per_account_and_name", &proven, Effect::Look),
                ("consecutive_failures_per_account_and_name", &proven, Effect::Look),
                ("failed_validations_per_account_and_name", &other, Effect::Look),
                ("consecutive_failures_per_account_and_name", &other, Effect::Look),
            ]
        );
        // A renewal that we asked for is counted nowhere, and its failures are.
        let exempt = limits.for_order(account, &Overrides::new(), &names, &names[2..], Counting::Exempt, NOW);
        assert_eq!(shown(&exempt), shown(&charges)[6..]);
        assert!(limits.for_certificate(&Overrides::new(), &names, Counting::Exempt, NOW).is_empty());
    }

    #[test]
    fn nothing_is_asked_when_they_are_off() {
        let (limits, account, names) = (RateLimits::off(), AccountId::random(), identifiers(&["a.example"]));
        let none = Overrides::new();
        for charges in [
            limits.for_account([192, 0, 2, 1].into(), NOW),
            limits.for_order(account, &none, &names, &names, Counting::Counted, NOW),
            limits.for_authorization(account, &none, &names[0], NOW),
            limits.for_certificate(&none, &names, Counting::Counted, NOW),
            limits.for_no_certificate(&none, &names, Counting::Counted, NOW),
            limits.for_failure(account, &none, &names[0], NOW),
            limits.for_success(account, &names[0], NOW),
        ] {
            assert!(charges.is_empty(), "{charges:?}");
        }
    }

    #[test]
    fn all_that_stands_against_a_write_is_told_and_nothing_is_spent() {
        let charge = |limit, subject: &str, effect| {
            let rate = Rate::new(1, Duration::from_secs(60)).unwrap();
            Charge { limit, subject: subject.to_owned(), rate, effect }
        };
        let orders = LimitName::NewOrdersPerAccount;
        let charges = Charges::at(NOW)
            .with(charge(orders, "a", Effect::Spend))
            .with(charge(orders, "b", Effect::Look))
            .with(charge(orders, "c", Effect::Spend))
            .with(charge(orders, "a", Effect::Count));
        assert_eq!(charges.list().len(), 3, "each bucket once");
        let full = Some(NOW + Duration::from_secs(30));
        let excesses = charges.judge(&[None, full, full]).unwrap_err();
        assert_eq!(excesses.iter().map(|one| one.subject.as_str()).collect::<Vec<_>>(), ["b", "c"]);
        assert!(excesses.iter().all(|one| one.again == NOW + Duration::from_secs(30)));
        let changed = charges.judge(&[None, Some(NOW), None]).unwrap();
        let changed: Vec<_> = changed.iter().map(|one| (one.subject, one.tat)).collect();
        assert_eq!(changed, [("a", NOW + Duration::from_secs(60)), ("c", NOW + Duration::from_secs(60))]);
    }

    #[test]
    fn what_is_given_back_or_emptied_makes_no_bucket() {
        let (limits, account, names) = (RateLimits::built_in(), AccountId::random(), identifiers(&["a.example"]));
        let none = Overrides::new();
        let back = limits.for_no_certificate(&none, &names, Counting::Counted, NOW);
        let success = limits.for_success(account, &names[0], NOW);
        assert_eq!(back.judge(&[None, Some(NOW)]), Ok(Vec::new()));
        assert_eq!(success.judge(&[None]), Ok(Vec::new()));
        let ahead = Some(NOW + Duration::from_secs(86_400));
        assert!(back.judge(&[ahead, ahead]).unwrap().iter().all(|one| one.known_only && Some(one.tat) < ahead));
        assert!(success.judge(&[ahead]).unwrap().iter().all(|one| one.known_only && one.tat == NOW));
    }

    /// What was spent for an order and given back leaves the bucket as it was.
    #[test]
    fn what_failed_has_cost_nothing() {
        let limits = RateLimits::built_in();
        let (none, names) = (Overrides::new(), identifiers(&["a.example"]));
        let spent = limits.for_certificate(&none, &names, Counting::Counted, NOW);
        let before = Some(NOW + Duration::from_secs(5));
        let after: Vec<_> = spent.judge(&[before, before]).unwrap().iter().map(|one| Some(one.tat)).collect();
        let back = limits.for_no_certificate(&none, &names, Counting::Counted, NOW);
        assert!(back.judge(&after).unwrap().iter().all(|one| Some(one.tat) == before));
    }
}
