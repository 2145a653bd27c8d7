//! RFC 8555 section 7.4.1: authorizations ahead of orders; and those that serve later orders by profile (section 7.4).

use std::time::Duration;

use certus_acme::{Authorization, AuthorizationStatus, OrderStatus, ProblemKind, RawIdentifier};
use certus_pki::{KeyAlgorithm, KeyPair};
use certus_testkit::{CsrOptions, Resource, TestClient, csr};
use serde_json::{Value, json};

use crate::common::{World, assert_refused, dns};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn new_authorization(client: &TestClient, name: &str) -> Resource<Authorization> {
    let url = client.directory().new_authz.clone().unwrap();
    let answer = client.post(&url, &json!({ "identifier": dns(name) })).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    let location = answer.location().unwrap().to_owned();
    let made = client.authorization(&location).await.unwrap();
    assert_eq!(made.answer.json::<Value>().unwrap(), answer.json::<Value>().unwrap());
    made
}

// conformance: 8555-7.1.1-02 8555-7.4.1-01 8555-7.4.1-05
#[tokio::test]
async fn an_authorization_is_made_without_an_order() {
    let world = World::new().await;
    let client = world.client().await;
    let made = new_authorization(&client, "A.localhost").await;
    assert!(made.url.starts_with(&world.url("/acme/authz/")), "{}", made.url);
    assert_eq!((made.value.identifier, made.value.status), (dns("a.localhost"), AuthorizationStatus::Pending));
    assert_eq!((made.value.wildcard, made.value.challenges.len()), (None, 3));
    let stranger = world.client().await;
    let answer = stranger.post_as_get(&made.url).await.unwrap();
    assert_refused("another account", &answer, 403, ProblemKind::Unauthorized);
}

// conformance: 8555-7.4.1-02 8555-7.4.1-03
#[tokio::test]
async fn what_may_not_be_authorized_is_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_authz.clone().unwrap();
    let raw = |kind: &str, value: &str| RawIdentifier { kind: kind.to_owned(), value: value.to_owned() };
    for (identifier, status, kind) in [
        (raw("dns", "*.a.localhost"), 403, ProblemKind::RejectedIdentifier),
        (raw("ip", "10.0.0.1"), 403, ProblemKind::RejectedIdentifier),
        (raw("foo", "a"), 403, ProblemKind::UnsupportedIdentifier),
        (raw("dns", "a..localhost"), 400, ProblemKind::Malformed),
    ] {
        let answer = client.post(&url, &json!({ "identifier": identifier })).await.unwrap();
        assert_refused(&identifier.value, &answer, status, kind);
    }
    for payload in [json!({}), json!({ "identifier": "a.localhost" }), json!({ "identifier": [dns("a.localhost")] })] {
        assert_refused("no identifier", &client.post(&url, &payload).await.unwrap(), 400, ProblemKind::Malformed);
    }
}

// conformance: 8555-7.4.1-04
#[tokio::test]
async fn orders_are_served_until_it_is_over() {
    let world = World::new().await;
    let client = world.client().await;
    let ahead = new_authorization(&client, "a.localhost").await;
    // Not yet met, it serves nobody.
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    assert!(!order.value.authorizations.contains(&ahead.url));
    let met = client.validate(&ahead, &world.target).await.unwrap().value;
    for _ in 0..2 {
        let order = client.new_order(&["a.localhost"]).await.unwrap();
        assert_eq!((order.value.status, &order.value.authorizations), (OrderStatus::Ready, &vec![ahead.url.clone()]));
        assert!(order.value.expires <= met.expires, "no longer than its proof");
    }
    // Beside a name that is not authorized, and up to a certificate that rests on it.
    let order = client.new_order(&["a.localhost", "b.localhost"]).await.unwrap();
    assert_eq!((order.value.status, &order.value.authorizations[0]), (OrderStatus::Pending, &ahead.url));
    let fresh = client.authorization(&order.value.authorizations[1]).await.unwrap();
    client.validate(&fresh, &world.target).await.unwrap();
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let request = csr(&["a.localhost", "b.localhost"], &key, &CsrOptions::default()).unwrap();
    client.issued(client.finalize(&order.value, &request).await.unwrap()).await.unwrap();
    // Neither another account nor another name is served, nor a wildcard of the name.
    let order = world.client().await.new_order(&["a.localhost"]).await.unwrap();
    assert_eq!(order.value.status, OrderStatus::Pending);
    for name in ["b.a.localhost", "*.a.localhost", "b.localhost"] {
        assert_eq!(client.new_order(&[name]).await.unwrap().value.status, OrderStatus::Pending, "{name}");
    }
    // Given up, it serves no longer; nor does one that expired.
    client.post(&ahead.url, &json!({ "status": "deactivated" })).await.unwrap();
    assert_eq!(client.new_order(&["a.localhost"]).await.unwrap().value.status, OrderStatus::Pending);
    let ahead = new_authorization(&client, "c.localhost").await;
    client.validate(&ahead, &world.target).await.unwrap();
    assert_eq!(client.new_order(&["c.localhost"]).await.unwrap().value.status, OrderStatus::Ready);
    world.clock.advance(DAY * 8);
    assert_eq!(client.new_order(&["c.localhost"]).await.unwrap().value.status, OrderStatus::Pending);
}

// conformance: 8555-7.1.3-12 8555-7.4-10 8555-7.4-11
#[tokio::test]
async fn a_profile_lets_orders_be_served_for_a_time() {
    let world = World::with(|setup| setup.reuse = DAY).await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    client.authorize(&order, &world.target).await.unwrap();
    world.clock.advance(DAY - Duration::from_secs(60));
    let later = client.new_order(&["a.localhost"]).await.unwrap();
    assert_eq!((later.value.status, &later.value.authorizations), (OrderStatus::Ready, &order.value.authorizations));
    assert_eq!(world.client().await.new_order(&["a.localhost"]).await.unwrap().value.status, OrderStatus::Pending);
    world.clock.advance(Duration::from_secs(120));
    let late = client.new_order(&["a.localhost"]).await.unwrap();
    assert_eq!(late.value.status, OrderStatus::Pending);
    assert_ne!(late.value.authorizations, order.value.authorizations);
    // Without it, an authorization serves its own order alone.
    let world = World::new().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    client.authorize(&order, &world.target).await.unwrap();
    assert_eq!(client.new_order(&["a.localhost"]).await.unwrap().value.status, OrderStatus::Pending);
}
