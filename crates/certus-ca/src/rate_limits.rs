//! Rate limits (RFC 8555 section 6.6): which there are, and the numbers of one authority.
//!
//! Each is a bucket by the generic cell rate algorithm ([`gcra`]), of which the store keeps one time and nothing else.
//! [`charge`] says what a write costs; the store judges and keeps it in the transaction of that write, so that nodes share
//! the buckets and what is refused costs nothing. `subject` says whose a bucket is, `refusal` what a client is told.
//!
//! Where each is judged:
//!
//! - *New accounts* at newAccount, once it is known that the key has none.
//! - *New orders* at newOrder and newAuthz, each of which opens what may be validated.
//! - *Certificates* at finalize, in the transaction that begins issuing: there alone the number is exact however many
//!   orders are open, and the order stays ready. It is looked at by newOrder as well, so that nobody proves names for
//!   nothing. What comes to no certificate is given back.
//! - *Failures* when an authorization is settled; newOrder and newAuthz look at them. What was open before may still fail.
//!
//! Deliberately absent: what an account may have open at once, which waiting does not free (`ca/order.rs`).

pub mod charge;
pub mod gcra;
mod refusal;
mod subject;

use std::collections::BTreeMap;

pub use charge::{Charge, Charges, Counting, Effect, Excess, Standing};
pub use gcra::Rate;
pub(crate) use refusal::problem;

use crate::id::AccountId;
use crate::limits;

macro_rules! limit_names {
    ($($(#[$doc:meta])+ $variant:ident => $name:literal, $rate:ident, $counts:literal;)+) => {
        /// A limit, by its name in settings, commands and problems.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum LimitName { $($(#[$doc])+ $variant,)+ }

        impl LimitName {
            /// Every limit.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// What is counted, in words for clients.
            #[must_use]
            pub const fn counts(self) -> &'static str {
                match self { $(Self::$variant => $counts),+ }
            }

            /// The number where settings say nothing.
            #[must_use]
            pub const fn built_in(self) -> Rate {
                match self { $(Self::$variant => limits::$rate),+ }
            }
        }
    };
}

limit_names! {
    /// New accounts from one IPv4 address, or from one /64 of IPv6.
    NewAccountsPerAddress => "new_accounts_per_address", NEW_ACCOUNTS_PER_ADDRESS,
        "new accounts from one address (IPv6: one /64)";
    /// New accounts from one /24 of IPv4, or one /48 of IPv6.
    NewAccountsPerNetwork => "new_accounts_per_network", NEW_ACCOUNTS_PER_NETWORK,
        "new accounts from one network (a /24 of IPv4, a /48 of IPv6)";
    /// New orders of one account; an authorization that is made ahead of orders counts as one.
    NewOrdersPerAccount => "new_orders_per_account", NEW_ORDERS_PER_ACCOUNT,
        "new orders and pre-authorizations of one account";
    /// Certificates that have a name of one registered domain, whoever obtains them.
    CertificatesPerRegisteredDomain => "certificates_per_registered_domain", CERTIFICATES_PER_REGISTERED_DOMAIN,
        "certificates with a name of one registered domain, or with one address (IPv6: one /64)";
    /// Certificates for one and the same set of names, whoever obtains them.
    CertificatesPerExactSet => "certificates_per_exact_set", CERTIFICATES_PER_EXACT_SET,
        "certificates for exactly the same set of names";
    /// Validations of one name for one account that failed.
    FailedValidationsPerAccountAndName => "failed_validations_per_account_and_name",
        FAILED_VALIDATIONS_PER_ACCOUNT_AND_NAME, "failed validations of one name for one account";
    /// Validations of one name for one account that failed since the last that did not: past this the pair is paused.
    ConsecutiveFailuresPerAccountAndName => "consecutive_failures_per_account_and_name",
        CONSECUTIVE_FAILURES_PER_ACCOUNT_AND_NAME,
        "failed validations of one name for one account without a success in between; past it they are paused";
}

impl LimitName {
    /// The limit of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|limit| limit.name() == name)
    }

    /// Whether an account may have a number of its own. At new accounts there is none yet.
    #[must_use]
    pub const fn may_be_overridden(self) -> bool {
        match self {
            Self::NewAccountsPerAddress | Self::NewAccountsPerNetwork => false,
            Self::NewOrdersPerAccount
            | Self::CertificatesPerRegisteredDomain
            | Self::CertificatesPerExactSet
            | Self::FailedValidationsPerAccountAndName
            | Self::ConsecutiveFailuresPerAccountAndName => true,
        }
    }

    /// Whether accounts draw from one bucket. A smaller number for one of them would make each thing it does count for more
    /// against all the others, so an override can only be larger.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        match self {
            Self::NewAccountsPerAddress
            | Self::NewAccountsPerNetwork
            | Self::CertificatesPerRegisteredDomain
            | Self::CertificatesPerExactSet => true,
            Self::NewOrdersPerAccount
            | Self::FailedValidationsPerAccountAndName
            | Self::ConsecutiveFailuresPerAccountAndName => false,
        }
    }

    /// The account whose bucket it is, where it is one account's alone.
    #[must_use]
    pub fn account(self, subject: &str) -> Option<AccountId> {
        match self {
            Self::NewOrdersPerAccount => AccountId::parse(subject),
            Self::FailedValidationsPerAccountAndName | Self::ConsecutiveFailuresPerAccountAndName => {
                AccountId::parse(subject.split_once('/')?.0)
            }
            Self::NewAccountsPerAddress
            | Self::NewAccountsPerNetwork
            | Self::CertificatesPerRegisteredDomain
            | Self::CertificatesPerExactSet => None,
        }
    }
}

impl std::fmt::Display for LimitName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What an account has in place of the authority's numbers: how many in the period of the limit.
pub type Overrides = BTreeMap<LimitName, u32>;

/// The limits of one authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimits {
    /// Whether they are kept at all. If not, no write asks or leaves anything.
    pub enabled: bool,
    /// A page about them for people, in place of the authority's own.
    pub help_url: Option<String>,
    /// The numbers; where there is none, the built-in one.
    pub rates: BTreeMap<LimitName, Rate>,
}

impl RateLimits {
    /// The built-in numbers.
    #[must_use]
    pub fn built_in() -> Self {
        let rates = LimitName::ALL.iter().map(|limit| (*limit, limit.built_in())).collect();
        Self { enabled: true, help_url: None, rates }
    }

    /// No limits.
    #[must_use]
    pub const fn off() -> Self {
        Self { enabled: false, help_url: None, rates: BTreeMap::new() }
    }

    /// The number of a limit.
    #[must_use]
    pub fn rate(&self, limit: LimitName) -> Rate {
        self.rates.get(&limit).copied().unwrap_or(limit.built_in())
    }

    /// The number of a limit for an account.
    #[must_use]
    pub fn rate_for(&self, limit: LimitName, overrides: &Overrides) -> Rate {
        let rate = self.rate(limit);
        let counts = |count: &&u32| !limit.is_shared() || **count > rate.count();
        overrides.get(&limit).filter(counts).and_then(|count| Rate::new(*count, rate.period())).unwrap_or(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_found_by_its_name_alone() {
        for limit in LimitName::ALL {
            assert_eq!(LimitName::parse(limit.name()), Some(*limit));
            let rate = limit.built_in();
            assert_eq!(
                Rate::new(rate.count(), rate.period()),
                Some(rate),
                "{limit} has a number that no setting could say"
            );
        }
        assert_eq!(LimitName::parse("New_Orders_Per_Account"), None);
    }

    #[test]
    fn an_override_is_of_one_account_and_one_limit() {
        let limits = RateLimits::built_in();
        let overrides = Overrides::from([(LimitName::NewOrdersPerAccount, 7)]);
        let orders = limits.rate_for(LimitName::NewOrdersPerAccount, &overrides);
        assert_eq!((orders.count(), orders.period()), (7, LimitName::NewOrdersPerAccount.built_in().period()));
        let sets = LimitName::CertificatesPerExactSet;
        assert_eq!(limits.rate_for(sets, &overrides), sets.built_in());
        // What all share is never counted for more than the authority's own number says, also where that was raised later.
        let own = sets.built_in().count();
        let of = |count| limits.rate_for(sets, &Overrides::from([(sets, count)])).count();
        assert_eq!((of(own - 1), of(own), of(own + 1)), (own, own, own + 1));
    }

    #[test]
    fn buckets_of_an_account_name_it() {
        let id = AccountId::random();
        assert_eq!(LimitName::NewOrdersPerAccount.account(&id.to_string()), Some(id));
        let pair = format!("{id}/a.example");
        assert_eq!(LimitName::ConsecutiveFailuresPerAccountAndName.account(&pair), Some(id));
        assert_eq!(LimitName::CertificatesPerRegisteredDomain.account(&pair), None);
    }
}
