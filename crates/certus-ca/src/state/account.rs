//! Accounts (RFC 8555 sections 7.1.2 and 7.3).
//!
//! ```text
//!                 valid
//!                   |
//!       +-----------+-----------+
//! Client deactivates      Server revokes
//!       V                       V
//!  deactivated               revoked
//! ```

use certus_acme::{AccountStatus, Jwk};
use certus_pki::Timestamp;

use super::binding::AccountBinding;
use crate::id::AccountId;
use crate::rate_limits::Overrides;

/// A client's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id, the last part of its URL.
    pub id: AccountId,
    /// Its key.
    pub key: Jwk,
    /// Contact URLs, in the order given.
    pub contact: Vec<String>,
    /// The URL of the terms of service that its owner agreed to, if any.
    pub terms: Option<String>,
    /// The external account binding that it was made with, if any; never changed.
    pub binding: Option<AccountBinding>,
    /// The limits that an operator set for it alone.
    pub overrides: Overrides,
    /// When it was made.
    pub created: Timestamp,
    /// When its owner deactivated it, or an operator revoked it, if ever. Final (RFC 8555 section 7.3.6).
    pub deactivated: Option<Timestamp>,
    /// Whether it was an operator.
    pub revoked: bool,
}

impl Account {
    /// A new account.
    #[must_use]
    pub fn open(key: Jwk, contact: Vec<String>, now: Timestamp) -> Self {
        Self {
            id: AccountId::random(),
            key,
            contact,
            terms: None,
            binding: None,
            overrides: Overrides::new(),
            created: now,
            deactivated: None,
            revoked: false,
        }
    }

    /// The status a client sees.
    #[must_use]
    pub fn status(&self) -> AccountStatus {
        match self.deactivated {
            Some(_) if self.revoked => AccountStatus::Revoked,
            Some(_) => AccountStatus::Deactivated,
            None => AccountStatus::Valid,
        }
    }

    /// The account without further use. Deactivating twice keeps the first time.
    #[must_use]
    pub fn deactivate(self, now: Timestamp) -> Self {
        Self { deactivated: Some(self.deactivated.unwrap_or(now)), ..self }
    }

    /// The account without further use, by an operator's word. One that is over stays as it is.
    #[must_use]
    pub fn revoke(self, now: Timestamp) -> Self {
        Self { revoked: self.revoked || self.deactivated.is_none(), ..self.deactivate(now) }
    }
}

#[cfg(test)]
mod tests {
    use certus_pki::{KeyAlgorithm, KeyPair};

    use super::*;

    #[test]
    fn an_account_is_deactivated_once_and_for_ever() {
        let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
        let [opened, closed, later] = [1, 2, 3].map(Timestamp::from_unix_seconds);
        let account = Account::open(Jwk::from_public_key(key.public_key()), vec!["mailto:a@a.example".into()], opened);
        assert_eq!((account.status(), account.created, account.deactivated), (AccountStatus::Valid, opened, None));
        let account = account.deactivate(closed);
        assert_eq!((account.status(), account.deactivated), (AccountStatus::Deactivated, Some(closed)));
        assert_eq!(account.clone().deactivate(later), account);
        assert_eq!(account.clone().revoke(later), account);
    }

    #[test]
    fn an_account_is_revoked_once_and_for_ever() {
        let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
        let [opened, closed, later] = [1, 2, 3].map(Timestamp::from_unix_seconds);
        let account = Account::open(Jwk::from_public_key(key.public_key()), Vec::new(), opened).revoke(closed);
        assert_eq!((account.status(), account.deactivated), (AccountStatus::Revoked, Some(closed)));
        assert_eq!((account.clone().revoke(later), account.clone().deactivate(later)), (account.clone(), account));
    }
}
