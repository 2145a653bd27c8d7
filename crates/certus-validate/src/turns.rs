//! How many connections to one address there are at once: many names may lead to one host, and none of them tells.
//!
//! Deliberately absent: limits per name and per account, which belong to the queue of validations.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use certus_ca::ports::ValidationError;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::failure::ours;

/// Connections to one address at once. A host that serves thousands of names is asked one after the other, each in some
/// milliseconds; a host that is not meant to be asked at all is not overrun.
const MAX_PER_ADDRESS: usize = 16;

/// The turns at each address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<HashMap<IpAddr, Queue>>>);

/// Who has or awaits a turn at one address. Nothing awaits under the lock.
#[derive(Debug)]
struct Queue {
    waiting: usize,
    turns: Arc<Semaphore>,
}

/// The right to connect to an address; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    // Dropped in this order.
    _permit: OwnedSemaphorePermit,
    _place: Place,
}

#[derive(Debug)]
struct Place {
    turns: Turns,
    address: IpAddr,
}

impl Turns {
    /// Waits for a turn. That there is none in time is this authority's own limit, so the validation is tried again.
    pub(crate) async fn take(&self, address: IpAddr, deadline: Instant) -> Result<Turn, ValidationError> {
        let place = Place { turns: self.clone(), address };
        let turns = {
            let mut queues = self.0.lock();
            let fresh = || Queue { waiting: 0, turns: Arc::new(Semaphore::new(MAX_PER_ADDRESS)) };
            let queue = queues.entry(address).or_insert_with(fresh);
            queue.waiting += 1;
            Arc::clone(&queue.turns)
        };
        match tokio::time::timeout_at(deadline, turns.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Turn { _permit: permit, _place: place }),
            Ok(Err(_)) | Err(_) => Err(ours(format!("too many validations are at {address} already"))),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queues = self.turns.0.lock();
        if let Some(queue) = queues.get_mut(&self.address) {
            queue.waiting = queue.waiting.saturating_sub(1);
            if queue.waiting == 0 {
                queues.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_has_so_many_turns_and_others_have_their_own() {
        let (turns, one, other) = (Turns::default(), Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut taken = Vec::new();
        for _ in 0..MAX_PER_ADDRESS {
            taken.push(turns.take(one, deadline).await.unwrap());
        }
        let late = turns.take(one, deadline).await;
        assert!(matches!(late, Err(ValidationError::Ours { .. })), "{late:?}");
        taken.push(turns.take(other, deadline).await.unwrap());
        taken.remove(0);
        taken.push(turns.take(one, deadline).await.unwrap());
        drop((taken, late));
        assert!(turns.0.lock().is_empty(), "{turns:?}");
    }
}
