//! Accounts that were asked for lately: every request of a client asks for its account first.
//!
//! One process alone uses the file ([`super::lock`]), so nothing changes behind the back of what is remembered here: the
//! writer forgets all of it whenever it changed an account, before it answers. PostgreSQL, which other processes write,
//! has nothing of the kind.

use std::collections::HashMap;

use certus_ca::id::AccountId;
use certus_ca::ports::Stored;
use certus_ca::state::Account;
use parking_lot::Mutex;

/// Accounts remembered: each takes about a KiB, and 6 KiB with the largest key and as many contacts as there may be.
const MAX_REMEMBERED: usize = 1024;

/// How often accounts had been forgotten when a question was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u64);

#[derive(Debug, Default)]
pub(super) struct RecentAccounts(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    forgotten: u64,
    accounts: HashMap<AccountId, Stored<Account>>,
}

impl RecentAccounts {
    /// The account, or else what [`RecentAccounts::remember`] wants with what the file says.
    pub(super) fn get(&self, id: AccountId) -> Result<Stored<Account>, Mark> {
        let remembered = self.0.lock();
        remembered.accounts.get(&id).cloned().ok_or(Mark(remembered.forgotten))
    }

    /// Remembers what was read after `mark` was taken, unless an account was changed since.
    pub(super) fn remember(&self, mark: Mark, account: Stored<Account>) {
        let mut remembered = self.0.lock();
        if mark != Mark(remembered.forgotten) {
            return;
        }
        if remembered.accounts.len() >= MAX_REMEMBERED {
            remembered.accounts.clear();
        }
        remembered.accounts.insert(account.value.id, account);
    }

    /// Forgets everything, and whatever is being read just now.
    pub(super) fn forget(&self) {
        let mut remembered = self.0.lock();
        remembered.forgotten += 1;
        remembered.accounts.clear();
    }
}

#[cfg(test)]
mod tests {
    use certus_acme::Jwk;
    use certus_ca::ports::Version;
    use certus_pki::{KeyAlgorithm, KeyPair, Timestamp};

    use super::*;

    fn account() -> Stored<Account> {
        let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
        let key = Jwk::from_public_key(key.public_key());
        Stored { value: Account::open(key, Vec::new(), Timestamp::from_unix_seconds(1)), version: Version(1) }
    }

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let recent = RecentAccounts::default();
        let account = account();
        let mark = recent.get(account.value.id).unwrap_err();
        recent.forget();
        recent.remember(mark, account.clone());
        let mark = recent.get(account.value.id).unwrap_err();
        recent.remember(mark, account.clone());
        assert_eq!(recent.get(account.value.id), Ok(account.clone()));
        recent.forget();
        assert!(recent.get(account.value.id).is_err());
    }

    #[test]
    fn no_more_is_remembered_than_the_limit() {
        let recent = RecentAccounts::default();
        let mut account = account();
        for _ in 0..=MAX_REMEMBERED {
            account.value.id = AccountId::random();
            let mark = recent.get(account.value.id).unwrap_err();
            recent.remember(mark, account.clone());
        }
        assert!(recent.0.lock().accounts.len() <= MAX_REMEMBERED);
        assert_eq!(recent.get(account.value.id), Ok(account));
    }
}
