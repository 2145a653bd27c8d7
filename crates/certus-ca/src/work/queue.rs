//! The queue of validations: who may wait in it, and who has a turn.
//!
//! Nobody can fill it for the others: an account has its share, and of that so many for one name; its targets may all
//! answer as slowly as they like. A name has its turns, so that many clients cannot turn the authority on it (on the host
//! behind it, `certus-validate` has turns of its own, since only the DNS tells whose name leads there). An
//! account's validations wait for its own turns before they wait for the name's, so that what one account cannot begin
//! yet keeps nobody else from the name.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use certus_acme::Identifier;
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
    names: HashMap<Identifier, Share>,
    accounts: HashMap<AccountId, Share>,
    /// Of one account for one name.
    pairs: HashMap<(AccountId, Identifier), usize>,
}

/// Places taken, and the turns that those who have them wait for.
#[derive(Debug)]
struct Share {
    places: usize,
    turns: Arc<Semaphore>,
}

/// Takes a place, and returns the turns to wait for.
fn take<K: Eq + Hash>(shares: &mut HashMap<K, Share>, key: K, turns: usize) -> Arc<Semaphore> {
    let share = shares.entry(key).or_insert_with(|| Share { places: 0, turns: Arc::new(Semaphore::new(turns)) });
    share.places += 1;
    Arc::clone(&share.turns)
}

fn give_back<K: Eq + Hash>(shares: &mut HashMap<K, Share>, key: &K) {
    if let Some(share) = shares.get_mut(key) {
        share.places = share.places.saturating_sub(1);
        if share.places == 0 {
            shares.remove(key);
        }
    }
}

/// A validation's place in the queue; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    shares: Arc<Mutex<Shares>>,
    name: Identifier,
    account: AccountId,
    /// Those of the account, of the name, and of all, in the order in which they are waited for.
    turns: [Arc<Semaphore>; 3],
}

/// The right to validate now; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _permits: [OwnedSemaphorePermit; 3],
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { shares: Arc::default(), turns: Arc::new(Semaphore::new(limits::MAX_PARALLEL_VALIDATIONS)) }
    }

    /// A place in the queue.
    ///
    /// # Errors
    ///
    /// [`CaError::Busy`] when the queue is full, or the share of it that the account has, in all or for the name.
    pub(crate) fn admit(&self, name: &Identifier, account: AccountId) -> Result<Slot, CaError> {
        let mut shares = self.shares.lock();
        if shares.all >= limits::MAX_QUEUED_VALIDATIONS {
            return Err(CaError::Busy("too many validations are waiting; try again later"));
        }
        let pair = (account, name.clone());
        if shares.pairs.get(&pair).is_some_and(|places| *places >= limits::MAX_VALIDATIONS_PER_TARGET) {
            return Err(CaError::Busy("too many validations of this name are under way; try again later"));
        }
        if shares.accounts.get(&account).is_some_and(|share| share.places >= limits::MAX_QUEUED_PER_ACCOUNT) {
            return Err(CaError::Busy("too many validations of this account are under way; try again later"));
        }
        shares.all += 1;
        *shares.pairs.entry(pair).or_default() += 1;
        let of_the_account = take(&mut shares.accounts, account, limits::MAX_PARALLEL_PER_ACCOUNT);
        let of_the_name = take(&mut shares.names, name.clone(), limits::MAX_VALIDATIONS_PER_TARGET);
        let turns = [of_the_account, of_the_name, Arc::clone(&self.turns)];
        Ok(Slot { shares: Arc::clone(&self.shares), name: name.clone(), account, turns })
    }
}

impl Slot {
    /// Waits for a turn: first among the account's own, then among the name's, then among all.
    pub(crate) async fn turn(&self) -> Option<Turn> {
        let [account, name, all] = self.turns.clone();
        let account = account.acquire_owned().await.ok()?;
        let name = name.acquire_owned().await.ok()?;
        let all = all.acquire_owned().await.ok()?;
        Some(Turn { _permits: [account, name, all] })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut shares = self.shares.lock();
        shares.all = shares.all.saturating_sub(1);
        give_back(&mut shares.names, &self.name);
        give_back(&mut shares.accounts, &self.account);
        let pair = (self.account, self.name.clone());
        if let Some(places) = shares.pairs.get_mut(&pair) {
            *places = places.saturating_sub(1);
            if *places == 0 {
                shares.pairs.remove(&pair);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    fn name(index: usize) -> Result<Identifier, certus_pki::NameError> {
        certus_pki::DnsName::parse(&format!("n{index}.example")).map(Identifier::Dns)
    }

    fn waits(slot: &Slot) -> bool {
        slot.turn().now_or_never().is_none()
    }

    #[tokio::test]
    async fn one_name_cannot_fill_the_queue() -> Tested {
        let queue = Queue::new();
        let (target, account) = (name(0)?, AccountId::random());
        let slots: Result<Vec<Slot>, CaError> =
            (0..limits::MAX_VALIDATIONS_PER_TARGET).map(|_| queue.admit(&target, account)).collect();
        let mut slots = slots?;
        assert!(matches!(queue.admit(&target, account), Err(CaError::Busy(_))));
        assert!(queue.admit(&name(1)?, account).is_ok());
        // Other accounts have places, but the host behind the name is not asked more often at once.
        let mut turns = Vec::new();
        for slot in &slots {
            turns.push(slot.turn().await);
        }
        let other = queue.admit(&target, AccountId::random())?;
        assert!(waits(&other), "the name has had its turns");
        turns.pop();
        assert!(!waits(&other));
        slots.pop();
        assert!(queue.admit(&target, account).is_ok());
        drop((slots, other));
        let shares = queue.shares.lock();
        assert!(shares.all == 0 && shares.names.is_empty() && shares.accounts.is_empty(), "{shares:?}");
        assert!(shares.pairs.is_empty(), "{shares:?}");
        Ok(())
    }

    /// An account whose own hosts answer slowly must not hold the turns of somebody else's name by waiting for them.
    #[tokio::test]
    async fn what_an_account_cannot_begin_keeps_nobody_from_a_name() -> Tested {
        let queue = Queue::new();
        let (greedy, victim) = (AccountId::random(), name(0)?);
        let mut slots = Vec::new();
        for index in 1..=limits::MAX_PARALLEL_PER_ACCOUNT {
            slots.push(queue.admit(&name(index)?, greedy)?);
        }
        let mut turns = Vec::new();
        for slot in &slots {
            turns.push(slot.turn().await);
        }
        let waiting: Result<Vec<Slot>, CaError> =
            (0..limits::MAX_VALIDATIONS_PER_TARGET).map(|_| queue.admit(&victim, greedy)).collect();
        let waiting = waiting?;
        let mut asked: Vec<_> = waiting.iter().map(|slot| Box::pin(slot.turn())).collect();
        for turn in &mut asked {
            assert!(futures_util::poll!(turn).is_pending(), "the account has had its turns");
        }
        assert!(!waits(&queue.admit(&victim, AccountId::random())?), "its owner has a place and a turn at once");
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
        assert!(waits(another), "the account has had its turns");
        let modest = queue.admit(&name(slots.len())?, AccountId::random())?;
        assert!(!waits(&modest), "the others have theirs");
        Ok(())
    }
}
