//! Valid requests to everything that the authority answers, changed at random: nothing panics, nothing is our fault,
//! memory stays, and the authority works afterwards.
//!
//! What is changed: the signed body as it is sent; and, before it is signed (so that it gets past the signature), the
//! payload, the JWS within it, the protected header, the URL with its path, the certification request; requests without a
//! signature, of either listener; and the HTTP request itself. The sequence follows from a seed. An ordinary run makes some
//! thousands of changes; `CERTUS_MUTATIONS` in the environment says another number.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod memory;
mod random;
mod request;
mod stock;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use memory::{fill_caches, resident};
use random::Random;
use request::{Changed, changed_http};
use stock::Stock;

use crate::common::World;

const ORDINARY: u64 = 3_000;
/// Changes after which memory has the size that it may keep: caches are full, and every path was taken.
const SETTLED: u64 = 100_000;
/// Changes that are made with one account and its orders, so that no account runs into its limits.
const EACH_ACCOUNT: u64 = 1_000;
/// The time that passes meanwhile: in a million changes orders expire and are reaped, and lists are signed anew.
const EACH_TAKES: Duration = Duration::from_secs(2 * 3600);
/// One in so many changes is of the HTTP request itself, which costs a TLS handshake.
const HTTP_EVERY: u64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn no_change_of_a_valid_request_is_our_fault() {
    let panics = count_panics();
    let world = World::with(|setup| setup.second_root = true).await;
    let wanted = how_many();
    if wanted > SETTLED {
        fill_caches(&world).await;
    }
    let (mut outcomes, mut changes, mut settled) = (Outcomes::default(), 0, None);
    let mut random = Random(0x5eed_ce27_0000_0002);
    while changes < wanted {
        let mut stock = Stock::new(&world).await;
        for number in 0..EACH_ACCOUNT.min(wanted - changes) {
            if number % HTTP_EVERY == 0 {
                changed_http(&stock, &world, &mut random).await;
            } else {
                let changed = Changed::new(&stock, &mut random).await;
                let answer = changed.send(&stock).await;
                outcomes.count(&changed.url, answer.status);
                stock.learn(&world, &changed.url, answer.status).await;
            }
            assert_eq!(panics.load(Ordering::SeqCst), 0, "after change {}", changes + number);
        }
        changes += EACH_ACCOUNT.min(wanted - changes);
        world.clock.advance(EACH_TAKES);
        world.target.forget_requests();
        if changes % SETTLED == 0 {
            let now = resident();
            println!("{changes} changes, {now:?} octets resident, fine and refused: {:?}", outcomes.0);
            settled = settled.or(now);
        }
    }
    outcomes.assert_everything_was_reached();
    world.client().await.obtain(&["a.localhost"], &world.target).await.unwrap();
    assert_eq!(panics.load(Ordering::SeqCst), 0);
    if let (Some(settled), Some(now)) = (settled, resident()) {
        assert!(now <= settled + settled / 10, "memory grew from {settled} octets to {now}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the long proof is asked for from outside")]
fn how_many() -> u64 {
    std::env::var("CERTUS_MUTATIONS").map_or(ORDINARY, |wanted| wanted.parse().unwrap())
}

/// Counts panics of everything that is not a test.
fn count_panics() -> Arc<AtomicU64> {
    let panics = Arc::new(AtomicU64::new(0));
    let (count, before) = (Arc::clone(&panics), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        if panic.location().is_none_or(|place| !place.file().contains("tests/protocol/")) {
            count.fetch_add(1, Ordering::SeqCst);
        }
        before(panic);
    }));
    panics
}

/// What every URL of a kind has in it; the first that fits is meant.
const KINDS: [&str; 16] = [
    "/directory",
    "/acme/new-nonce",
    "/acme/new-account",
    "/orders",
    "/acme/acct/",
    "/acme/key-change",
    "/acme/revoke-cert",
    "/acme/new-authz",
    "/acme/new-order",
    "/finalize",
    "/acme/order/",
    "/acme/authz/",
    "/acme/chall/",
    "/acme/cert/",
    "/acme/renewal-info",
    "http://",
];
/// Certification requests are for other names than were ordered, so that there is always something to finalize.
const NEVER_FINE: &str = "/finalize";

/// How many answers of each kind were none, and how many were refusals.
#[derive(Debug, Default)]
struct Outcomes([[u64; 2]; KINDS.len()]);

impl Outcomes {
    fn count(&mut self, url: &str, status: u16) {
        if let Some(kind) = KINDS.iter().position(|kind| url.contains(kind)) {
            self.0[kind][usize::from(status >= 400)] += 1;
        }
    }

    /// The changes reach what they should: everywhere some are refused, and, where there were many, some are harmless.
    fn assert_everything_was_reached(&self) {
        let all: u64 = self.0.iter().flatten().sum();
        for (kind, [fine, refused]) in KINDS.iter().zip(self.0) {
            assert!(fine > 0 || *kind == NEVER_FINE || all < SETTLED / 2, "{kind}: {self:?}");
            assert!(refused > 0, "{kind}: {self:?}");
        }
    }
}
