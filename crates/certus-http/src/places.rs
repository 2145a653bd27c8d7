//! Places for so many at once, and for no more than a share of them from one source.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Where something comes from: an IPv4 address, or the first 56 bits of an IPv6 address, the shortest prefix that homes are
/// given as a rule (RFC 6177 section 2). Whoever has more addresses is several sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Source(IpAddr);

impl Source {
    /// Where that is not said.
    pub(crate) const UNKNOWN: Self = Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED));

    pub(crate) fn of(peer: SocketAddr) -> Self {
        match peer.ip().to_canonical() {
            address @ IpAddr::V4(_) => Self(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(Ipv6Addr::new(a, b, c, d & 0xff00, 0, 0, 0, 0).into())
            }
        }
    }
}

/// The very address that something comes from, as limits on new accounts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Peer {
    /// Where that is not said.
    pub(crate) const UNKNOWN: Self = Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
}

/// The places. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    share: usize,
    /// Places taken by each source that has any. Nothing awaits under the lock.
    taken: Arc<Mutex<HashMap<Source, usize>>>,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    source: Source,
    taken: Arc<Mutex<HashMap<Source, usize>>>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    /// So many places, and so many of them for one source.
    pub(crate) fn new(places: usize, share: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(places)), share, taken: Arc::default() }
    }

    /// Waits until a place is free, whoever will take it.
    pub(crate) async fn free(&self) -> Option<OwnedSemaphorePermit> {
        // Never closed.
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// Takes a free place; `None` when the source has its share.
    pub(crate) fn take(&self, free: OwnedSemaphorePermit, source: Source) -> Option<Place> {
        let mut taken = lock(&self.taken);
        let count = taken.entry(source).or_default();
        if *count >= self.share {
            return None;
        }
        *count += 1;
        Some(Place { source, taken: Arc::clone(&self.taken), _permit: free })
    }

    /// Takes a place if there is one for that source.
    pub(crate) fn enter(&self, source: Source) -> Option<Place> {
        let free = Arc::clone(&self.free).try_acquire_owned().ok()?;
        self.take(free, source)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(count) = taken.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.source);
            }
        }
    }
}

fn lock(taken: &Mutex<HashMap<Source, usize>>) -> MutexGuard<'_, HashMap<Source, usize>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: &str) -> Source {
        Source::of(SocketAddr::new(address.parse().unwrap(), 1))
    }

    #[test]
    fn a_source_has_its_share_and_no_more() {
        let places = Places::new(5, 2);
        let (one, two, three) = (source("192.0.2.1"), source("192.0.2.2"), source("192.0.2.3"));
        let first = places.enter(one).unwrap();
        let _second = places.enter(one).unwrap();
        assert!(places.enter(one).is_none());
        let _others = [places.enter(two).unwrap(), places.enter(two).unwrap()];
        let fifth = places.enter(three).unwrap();
        assert!(places.enter(three).is_none(), "all are taken");
        drop(fifth);
        assert!(places.enter(one).is_none(), "what another frees is not one's own share");
        drop(first);
        assert!(places.enter(one).is_some());
    }

    #[test]
    fn who_has_no_place_is_not_remembered() {
        let places = Places::new(2, 1);
        for _ in 0..3 {
            let place = places.enter(source("192.0.2.1")).unwrap();
            assert!(places.enter(source("192.0.2.1")).is_none());
            assert_eq!(lock(&places.taken).len(), 1);
            drop(place);
            assert_eq!(lock(&places.taken).len(), 0);
        }
        assert_eq!(places.free.available_permits(), 2);
    }

    #[test]
    fn a_source_is_what_one_party_has_to_itself() {
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:3:ffff::9"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:102::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    }
}
