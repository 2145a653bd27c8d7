//! How many connections to one address there are at once: many names may lead to one host, and none of them tells.
//!
//! Deliberately absent: limits per name and per account, which belong to the queue of validations.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use certus_ca::id::AccountId;
use certus_ca::ports::ValidationError;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::failure::ours;

/// Connections to one address at once. A host that serves thousands of names is asked one after the other, each in some
/// milliseconds; a host that is not meant to be asked at all is not overrun.
const MAX_PER_ADDRESS: usize = 16;
/// Of these for one account: half, since slow sites at an address that many share would otherwise keep the others waiting.
const MAX_PER_ACCOUNT: usize = 8;
/// How long a turn is waited for. Who waits holds places that others could use, so that it is put back before long.
const PATIENCE: Duration = Duration::from_secs(2);

/// The turns at each address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<Queues>>);

/// Nothing awaits under the lock.
#[derive(Debug, Default)]
struct Queues {
    addresses: HashMap<IpAddr, Queue>,
    accounts: HashMap<(AccountId, IpAddr), Queue>,
}

/// Who has or awaits a turn.
#[derive(Debug)]
struct Queue {
    places: usize,
    turns: Arc<Semaphore>,
}

/// The right to connect to an address; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    // Dropped in this order.
    _permits: [OwnedSemaphorePermit; 2],
    _place: Place,
}

#[derive(Debug)]
struct Place {
    turns: Turns,
    account: AccountId,
    address: IpAddr,
}

impl Turns {
    /// Waits for a turn, and moves `deadline` on by the wait: whoever is validated is not to blame for it. That there is
    /// none in time is this authority's own limit, so the validation is tried again.
    pub(crate) async fn take(
        &self,
        account: AccountId,
        address: IpAddr,
        deadline: &mut Instant,
    ) -> Result<Turn, ValidationError> {
        let began = Instant::now();
        let address = network(address);
        let place = Place { turns: self.clone(), account, address };
        let (of_the_account, of_the_address) = {
            let mut queues = self.0.lock();
            let of_the_account = enter(&mut queues.accounts, (account, address), MAX_PER_ACCOUNT);
            (of_the_account, enter(&mut queues.addresses, address, MAX_PER_ADDRESS))
        };
        let both = async {
            let of_the_account = of_the_account.acquire_owned().await;
            Some([of_the_account.ok()?, of_the_address.acquire_owned().await.ok()?])
        };
        match tokio::time::timeout(PATIENCE, both).await {
            Ok(Some(permits)) => {
                *deadline += began.elapsed();
                Ok(Turn { _permits: permits, _place: place })
            }
            Ok(None) | Err(_) => Err(ours(format!("too many validations are at {address} already"))),
        }
    }
}

/// Who has one address of IPv6 has the network of 64 bits that it is in.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

fn enter<K: Eq + Hash>(queues: &mut HashMap<K, Queue>, key: K, turns: usize) -> Arc<Semaphore> {
    let queue = queues.entry(key).or_insert_with(|| Queue { places: 0, turns: Arc::new(Semaphore::new(turns)) });
    queue.places += 1;
    Arc::clone(&queue.turns)
}

fn leave<K: Eq + Hash>(queues: &mut HashMap<K, Queue>, key: &K) {
    if let Some(queue) = queues.get_mut(key) {
        queue.places = queue.places.saturating_sub(1);
        if queue.places == 0 {
            queues.remove(key);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queues = self.turns.0.lock();
        leave(&mut queues.addresses, &self.address);
        leave(&mut queues.accounts, &(self.account, self.address));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_has_so_many_turns_and_an_account_a_share_of_them() {
        let (turns, address) = (Turns::default(), Ipv4Addr::LOCALHOST.into());
        let (one, other, third) = (AccountId::random(), AccountId::random(), AccountId::random());
        let mut deadline = Instant::now() + Duration::from_secs(10);
        let mut taken = Vec::new();
        for account in [one, other] {
            for _ in 0..MAX_PER_ACCOUNT {
                taken.push(turns.take(account, address, &mut deadline).await.unwrap());
            }
            let late = turns.take(account, address, &mut deadline).await;
            assert!(matches!(late, Err(ValidationError::Ours { .. })), "{late:?}");
        }
        assert_eq!(taken.len(), MAX_PER_ADDRESS);
        assert!(turns.take(third, address, &mut deadline).await.is_err(), "all are taken");
        taken.push(turns.take(third, Ipv6Addr::LOCALHOST.into(), &mut deadline).await.unwrap());
        taken.remove(0);
        taken.push(turns.take(third, address, &mut deadline).await.unwrap());
        drop(taken);
        assert!(turns.0.lock().addresses.is_empty() && turns.0.lock().accounts.is_empty(), "{turns:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_turn_is_not_the_applicants_time() {
        let (turns, address) = (Turns::default(), Ipv4Addr::LOCALHOST.into());
        let account = AccountId::random();
        let promised = Instant::now() + Duration::from_secs(10);
        let mut deadline = promised;
        let mut taken = Vec::new();
        for _ in 0..MAX_PER_ACCOUNT {
            taken.push(turns.take(account, address, &mut deadline).await.unwrap());
        }
        assert_eq!(deadline, promised);
        let leaving = async {
            tokio::time::advance(Duration::from_secs(1)).await;
            taken.pop();
        };
        let (turn, ()) = tokio::join!(turns.take(account, address, &mut deadline), leaving);
        assert!(turn.is_ok() && deadline >= promised + Duration::from_secs(1), "{deadline:?}");
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(network(parse("2001:db8:1:2:3:4:5:6")), network(parse("2001:db8:1:2::1")));
        assert_ne!(network(parse("2001:db8:1:2::1")), network(parse("2001:db8:1:3::1")));
        assert_ne!(network(parse("192.0.2.1")), network(parse("192.0.2.2")));
    }
}
