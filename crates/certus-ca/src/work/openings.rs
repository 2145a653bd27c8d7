//! What accounts are about to open: counted from before the store is asked how much is open until the store has it.
//!
//! Without it, orders that are asked for at the same moment would each see none of the others, and a burst would go far
//! beyond the limits. One that is kept between the two moments is counted twice, so that close to a limit a burst may be
//! refused a little early. Deliberately absent: what other processes are about to open. With several on one store, a burst over
//! all of them may go beyond by what each lets through at once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::id::AccountId;
use crate::ports::OpenCounts;

/// What is about to be opened, by account. Nothing awaits under the lock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Openings(Arc<Mutex<HashMap<AccountId, OpenCounts>>>);

/// An order that is about to be opened; dropped once the store has answered.
#[derive(Debug)]
pub(crate) struct Opening {
    openings: Openings,
    account: AccountId,
    authorizations: u64,
}

impl Openings {
    /// Announces an order with so many authorizations. Says what the account had announced before: to be read before the
    /// store is asked what is open, so that nothing falls between the two.
    pub(crate) fn announce(&self, account: AccountId, authorizations: u64) -> (Opening, OpenCounts) {
        let mut announced = self.0.lock();
        let counts = announced.entry(account).or_default();
        let before = *counts;
        counts.orders += 1;
        counts.authorizations += authorizations;
        (Opening { openings: self.clone(), account, authorizations }, before)
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let mut announced = self.openings.0.lock();
        if let Some(counts) = announced.get_mut(&self.account) {
            counts.orders = counts.orders.saturating_sub(1);
            counts.authorizations = counts.authorizations.saturating_sub(self.authorizations);
            if *counts == OpenCounts::default() {
                announced.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_is_counted_until_it_is_over() {
        let (openings, account) = (Openings::default(), AccountId::random());
        let (first, before) = openings.announce(account, 100);
        assert_eq!(before, OpenCounts::default());
        let (second, before) = openings.announce(account, 1);
        assert_eq!(before, OpenCounts { orders: 1, authorizations: 100, reusable: false });
        assert_eq!(openings.announce(AccountId::random(), 1).1, OpenCounts::default(), "another's");
        drop(first);
        assert_eq!(openings.announce(account, 1).1, OpenCounts { orders: 1, authorizations: 1, reusable: false });
        drop(second);
        assert!(openings.0.lock().is_empty(), "{openings:?}");
    }
}
