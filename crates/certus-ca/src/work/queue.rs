//! The queue of validations: who may wait in it, and who has a turn.
//!
//! Nobody can fill it for the others: a name has its share, so that many clients cannot turn the authority on one host,
//! and so has an account, whose targets may all answer as slowly as they like.

use std::collections::HashMap;
use std::sync::Arc;

use certus_pki::DnsName;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::CaError;
use crate::id::AccountId;
use crate::limits;

/// The queue of one process.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Nothing awaits under the lock.
    shares: Arc<Mutex<Shares>>,
    turns: Arc<Semaphore>,
}

/// How much of the queue is taken, in all and by whom.
#[derive(Debug, Default)]
struct Shares {
    all: usize,
    names: HashMap<DnsName, usize>,
    accounts: HashMap<AccountId, AccountShare>,
}

#[derive(Debug)]
struct AccountShare {
    waiting: usize,
    turns: Arc<Semaphore>,
}

/// A validation's place in the queue; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    shares: Arc<Mutex<Shares>>,
    name: DnsName,
    account: AccountId,
    account_turns: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// The right to validate now; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _of_the_account: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { shares: Arc::default(), turns: Arc::new(Semaphore::new(limits::MAX_PARALLEL_VALIDATIONS)) }
    }

    /// A place in the queue.
    ///
    /// # Errors
    ///
    /// [`CaError::Busy`] when the queue is full, or the share of it that the name or the account has.
    pub(crate) fn admit(&self, name: &DnsName, account: AccountId) -> Result<Slot, CaError> {
        let mut shares = self.shares.lock();
        if shares.all >= limits::MAX_QUEUED_VALIDATIONS {
            return Err(CaError::Busy("too many validations are waiting; try again later"));
        }
        if shares.names.get(name).is_some_and(|count| *count >= limits::MAX_VALIDATIONS_PER_TARGET) {
            return Err(CaError::Busy("too many validations of this name are under way; try again later"));
        }
        if shares.accounts.get(&account).is_some_and(|share| share.waiting >= limits::MAX_QUEUED_PER_ACCOUNT) {
            return Err(CaError::Busy("too many validations of this account are under way; try again later"));
        }
        shares.all += 1;
        *shares.names.entry(name.clone()).or_default() += 1;
        let share = shares.accounts.entry(account).or_insert_with(|| AccountShare {
            waiting: 0,
            turns: Arc::new(Semaphore::new(limits::MAX_PARALLEL_PER_ACCOUNT)),
        });
        share.waiting += 1;
        Ok(Slot {
            account_turns: Arc::clone(&share.turns),
            turns: Arc::clone(&self.turns),
            shares: Arc::clone(&self.shares),
            name: name.clone(),
            account,
        })
    }
}

impl Slot {
    /// Waits for a turn: first among the account's own, then among all.
    pub(crate) async fn turn(&self) -> Option<Turn> {
        let of_the_account = Arc::clone(&self.account_turns).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.turns).acquire_owned().await.ok()?;
        Some(Turn { _of_the_account: of_the_account, _of_all: of_all })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut shares = self.shares.lock();
        shares.all = shares.all.saturating_sub(1);
        if let Some(count) = shares.names.get_mut(&self.name) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                shares.names.remove(&self.name);
            }
        }
        if let Some(share) = shares.accounts.get_mut(&self.account) {
            share.waiting = share.waiting.saturating_sub(1);
            if share.waiting == 0 {
                shares.accounts.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    fn name(index: usize) -> Result<DnsName, certus_pki::NameError> {
        DnsName::parse(&format!("n{index}.example"))
    }

    #[test]
    fn one_name_cannot_fill_the_queue() -> Tested {
        let queue = Queue::new();
        let target = name(0)?;
        let slots: Result<Vec<Slot>, CaError> =
            (0..limits::MAX_VALIDATIONS_PER_TARGET).map(|_| queue.admit(&target, AccountId::random())).collect();
        let mut slots = slots?;
        assert!(matches!(queue.admit(&target, AccountId::random()), Err(CaError::Busy(_))));
        assert!(queue.admit(&name(1)?, AccountId::random()).is_ok());
        slots.pop();
        assert!(queue.admit(&target, AccountId::random()).is_ok());
        drop(slots);
        let shares = queue.shares.lock();
        assert!(shares.all == 0 && shares.names.is_empty() && shares.accounts.is_empty(), "{shares:?}");
        Ok(())
    }

    #[test]
    fn the_queue_has_an_end() -> Tested {
        let queue = Queue::new();
        let mut slots = Vec::new();
        for index in 0..limits::MAX_QUEUED_VALIDATIONS {
            slots.push(queue.admit(&name(index)?, AccountId::random())?);
        }
        assert!(matches!(queue.admit(&name(slots.len())?, AccountId::random()), Err(CaError::Busy(_))));
        Ok(())
    }

    #[tokio::test]
    async fn one_account_cannot_take_every_place_nor_every_turn() -> Tested {
        let queue = Queue::new();
        let greedy = AccountId::random();
        let mut slots = Vec::new();
        for index in 0..limits::MAX_QUEUED_PER_ACCOUNT {
            slots.push(queue.admit(&name(index)?, greedy)?);
        }
        assert!(matches!(queue.admit(&name(slots.len())?, greedy), Err(CaError::Busy(_))));
        let mut turns = Vec::new();
        for slot in slots.iter().take(limits::MAX_PARALLEL_PER_ACCOUNT) {
            turns.push(slot.turn().await);
        }
        let another = slots.get(turns.len()).ok_or("an account may wait for more than run at once")?;
        assert!(futures_util::poll!(std::pin::pin!(another.turn())).is_pending(), "the account has had its turns");
        let modest = queue.admit(&name(slots.len())?, AccountId::random())?;
        assert!(futures_util::poll!(std::pin::pin!(modest.turn())).is_ready(), "the others have theirs");
        Ok(())
    }
}
