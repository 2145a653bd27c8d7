//! RFC 8555 section 6.6: rate limits.

use certus_acme::ProblemKind;
use certus_ca::limits::{MAX_IDENTIFIERS, MAX_PENDING_AUTHORIZATIONS};

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
    assert!(answer.retry_after().is_some_and(|wait| !wait.is_zero()), "{answer:?}");
    // Nobody else is touched.
    world.client().await.new_order(&["one-more.localhost"]).await.unwrap();
}
