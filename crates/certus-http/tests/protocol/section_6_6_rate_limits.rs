//! RFC 8555 section 6.6: rate limits.

use certus_acme::ProblemKind;
use certus_ca::limits::{MAX_IDENTIFIERS, MAX_OPEN_ORDERS, MAX_PENDING_AUTHORIZATIONS};

use crate::common::{World, assert_refused, order_for};

// conformance: 8555-6.6-01 8555-6.7-21
#[tokio::test(flavor = "multi_thread")]
async fn who_has_too_much_open_is_told_so() {
    let world = World::new().await;
    let client = world.client().await;
    let names: Vec<String> = (0..MAX_IDENTIFIERS).map(|number| format!("n{number}.localhost")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let full = MAX_PENDING_AUTHORIZATIONS / u64::try_from(MAX_IDENTIFIERS).unwrap();
    for _ in 0..full {
        client.new_order(&names).await.unwrap();
    }
    let url = &client.directory().new_order;
    let answer = client.post(url, &order_for(&["one-more.localhost"])).await.unwrap();
    assert_refused("one more", &answer, 429, ProblemKind::RateLimited);
    assert_eq!(answer.links("help"), [world.url("/limits")]);
    assert!(answer.retry_after().is_some_and(|wait| !wait.is_zero()), "{answer:?}");
    // Nobody else is touched.
    world.client().await.new_order(&["one-more.localhost"]).await.unwrap();
}

// conformance: 8555-6.6-01
#[tokio::test(flavor = "multi_thread")]
async fn who_has_too_many_orders_open_is_told_so() {
    let world = World::new().await;
    let client = world.client().await;
    for _ in 0..MAX_OPEN_ORDERS {
        client.new_order(&["a.localhost"]).await.unwrap();
    }
    let url = &client.directory().new_order;
    let answer = client.post(url, &order_for(&["a.localhost"])).await.unwrap();
    assert_refused("one more", &answer, 429, ProblemKind::RateLimited);
    assert!(answer.retry_after().is_some_and(|wait| !wait.is_zero()), "{answer:?}");
    // Nobody else is touched.
    world.client().await.new_order(&["a.localhost"]).await.unwrap();
}

/// Orders that are asked for at the same moment are counted among each other.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_keeps_within_the_limits() {
    let world = World::new().await;
    let client = world.client().await;
    let names: Vec<String> = (0..MAX_IDENTIFIERS).map(|number| format!("n{number}.localhost")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let full = usize::try_from(MAX_PENDING_AUTHORIZATIONS).unwrap() / MAX_IDENTIFIERS;
    let (url, order) = (client.directory().new_order.clone(), order_for(&names));
    let asked = (0..full + 20).map(|_| client.post(&url, &order));
    let answers = futures_util::future::join_all(asked).await;
    let statuses: Vec<u16> = answers.into_iter().map(|answer| answer.unwrap().status).collect();
    assert!(statuses.iter().all(|status| [201, 429].contains(status)), "{statuses:?}");
    let account = certus_ca::id::AccountId::parse(client.account_url().unwrap().rsplit('/').next().unwrap()).unwrap();
    let open = world.authority.ca.store().open_counts(account, world.authority.ca.now()).await.unwrap();
    assert!(open.authorizations <= MAX_PENDING_AUTHORIZATIONS, "{open:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), usize::try_from(open.orders).unwrap());
}
