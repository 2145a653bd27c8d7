//! Revocation lists that are renewed, numbered and published; orders that are removed in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use certus_acme::OrderStatus;
use certus_ca::keep::{self, KeepError};
use certus_ca::limits::{CRL_RENEWAL, KEEP_EXPIRED, ORDER_LIFETIME};
use certus_ca::ports::Store;
use certus_pki::Clock as _;
use certus_testkit::SignerFault;

use crate::world::{World, download, open, request};

/// As many shards as a test authority has.
const SHARDS: usize = 4;

async fn numbers(world: &World, store: &dyn Store) -> BTreeMap<u32, u64> {
    let issuer = world.authority.ca.issuers().configured[0].id().to_owned();
    let mut numbers = BTreeMap::new();
    for shard in store.crl_shards(&issuer).await.unwrap() {
        let crl = store.crl(&issuer, shard).await.unwrap().unwrap();
        assert!(crl.this_update <= world.clock.now());
        numbers.insert(shard, crl.number);
    }
    assert_eq!(numbers.len(), SHARDS);
    numbers
}

fn assert_grown(before: &BTreeMap<u32, u64>, after: &BTreeMap<u32, u64>) {
    assert!(before.iter().all(|(shard, number)| after[shard] > *number), "{before:?} {after:?}");
}

/// Without the duties of the background, so that a test does them itself.
async fn quiet(faults: &[&str]) -> World {
    World::with(faults, |setup, _| setup.duties = false).await
}

// conformance: 5280-5-03
#[tokio::test]
async fn lists_are_renewed_when_they_are_due_and_not_before() {
    let world = quiet(&[]).await;
    let ca = &world.authority.ca;
    let first = numbers(&world, &*world.store).await;
    assert_eq!(keep::publish_crls(ca).await.unwrap(), 0);
    // thisUpdate has no fraction of a second.
    world.clock.advance(CRL_RENEWAL - Duration::from_secs(1));
    assert_eq!(keep::publish_crls(ca).await.unwrap(), 0);
    assert_eq!(numbers(&world, &*world.store).await, first);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(keep::publish_crls(ca).await.unwrap(), SHARDS);
    assert_grown(&first, &numbers(&world, &*world.store).await);
    assert_eq!(keep::publish_crls(ca).await.unwrap(), 0);
}

// conformance: 5280-5-04
#[tokio::test]
async fn numbers_grow_even_when_a_backup_is_restored() {
    let world = quiet(&[]).await;
    let old = numbers(&world, &*world.store).await;
    // The embedded store in good order is one file; what its log holds is folded in when it is opened again.
    let backup = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(world.dir.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), backup.path().join(file.file_name())).unwrap();
    }
    world.clock.advance(2 * CRL_RENEWAL);
    keep::publish_crls(&world.authority.ca).await.unwrap();
    let lost = numbers(&world, &*world.store).await;
    assert_grown(&old, &lost);

    world.clock.advance(Duration::from_secs(60));
    let restored = open(&backup).await;
    assert_eq!(numbers(&world, &*restored).await, old);
    let again = world.start(restored.clone()).await.unwrap();
    assert_grown(&lost, &numbers(&world, &*restored).await);
    again.stop().await;
}

#[tokio::test]
async fn a_signer_that_fails_leaves_the_old_lists() {
    let world = quiet(&[]).await;
    let ca = &world.authority.ca;
    let old = numbers(&world, &*world.store).await;
    world.clock.advance(CRL_RENEWAL + Duration::from_secs(1));
    for fault in [SignerFault::Refuse, SignerFault::Unavailable, SignerFault::WrongSignature, SignerFault::OtherMessage]
    {
        world.plan.next(&[fault]);
        let error = keep::publish_crls(ca).await.unwrap_err();
        assert!(matches!(error, KeepError::Sign(_)), "{fault:?}: {error}");
        assert_eq!(numbers(&world, &*world.store).await, old, "{fault:?}");
    }
    assert_eq!(keep::publish_crls(ca).await.unwrap(), SHARDS);
    assert_grown(&old, &numbers(&world, &*world.store).await);
}

#[tokio::test]
async fn a_store_that_fails_wastes_a_number_at_most() {
    // The first four are published when the authority starts.
    for fault in ["publish_crl:before:error:5", "publish_crl:after:error:5"] {
        let world = quiet(&[fault]).await;
        let ca = &world.authority.ca;
        let old = numbers(&world, &*world.store).await;
        world.clock.advance(2 * CRL_RENEWAL);
        let error = keep::publish_crls(ca).await.unwrap_err();
        assert!(matches!(error, KeepError::Store(_)), "{fault}: {error}");
        let kept = usize::from(fault.contains("after"));
        assert_eq!(keep::publish_crls(ca).await.unwrap(), SHARDS - kept, "{fault}");
        assert_grown(&old, &numbers(&world, &*world.store).await);
    }
}

#[tokio::test]
async fn two_processes_publish_each_list_once() {
    let world = quiet(&[]).await;
    let other = world.another_quiet().await;
    let old = numbers(&world, &*world.store).await;
    world.clock.advance(2 * CRL_RENEWAL);
    let (one, two) = tokio::join!(keep::publish_crls(&world.authority.ca), keep::publish_crls(&other.ca));
    assert_eq!(one.unwrap() + two.unwrap(), SHARDS);
    assert_grown(&old, &numbers(&world, &*world.store).await);
}

#[tokio::test]
async fn what_expired_long_ago_is_removed_and_certificates_are_kept() {
    let world = quiet(&[]).await;
    let client = world.client().await;
    let order = world.ready(&client).await;
    let issued = client.issued(client.finalize(&order.value, &request()).await.unwrap()).await.unwrap();
    let certificate = download(&client, &issued.value).await;
    let pending = client.new_order(&["b.localhost"]).await.unwrap();

    world.clock.advance(ORDER_LIFETIME + KEEP_EXPIRED - Duration::from_secs(60));
    assert_eq!(keep::reap(&world.authority.ca).await.unwrap(), 0);
    assert_eq!(client.order(&issued.url).await.unwrap().value.status, OrderStatus::Valid);
    assert_eq!(client.order(&pending.url).await.unwrap().value.status, OrderStatus::Invalid);

    world.clock.advance(Duration::from_secs(120));
    // Two orders and their authorizations; the valid one may have begun to live a moment later, but not two minutes.
    assert_eq!(keep::reap(&world.authority.ca).await.unwrap(), 4);
    assert_eq!(keep::reap(&world.authority.ca).await.unwrap(), 0);
    for url in [&issued.url, &pending.url, &pending.value.authorizations[0]] {
        assert_eq!(client.post_as_get(url).await.unwrap().status, 404, "{url}");
    }
    assert_eq!(download(&client, &issued.value).await.der(), certificate.der());
    assert_eq!(world.certificates().await, [certificate.serial().clone()]);
}

#[tokio::test]
async fn an_order_that_is_worked_on_is_never_removed() {
    let world = World::with(&["begin_issuance:after:error"], |setup, _| setup.duties = false).await;
    let client = world.client().await;
    let order = world.ready(&client).await;
    client.finalize(&order.value, &request()).await.unwrap_err();
    world.clock.advance(10 * KEEP_EXPIRED);
    keep::reap(&world.authority.ca).await.unwrap();
    assert_eq!(client.order(&order.url).await.unwrap().value.status, OrderStatus::Processing);
    let other = world.another().await;
    // Found and ended: as a failure, since its proofs have aged meanwhile.
    assert!(client.issued(client.order(&order.url).await.unwrap()).await.is_err());
    assert_eq!(client.order(&order.url).await.unwrap().value.status, OrderStatus::Invalid);
    other.stop().await;
}
