//! RFC 8555 section 7.4: newOrder and orders.

use std::time::Duration;

use certus_acme::{AuthorizationStatus, NewOrder, OrderStatus, ProblemKind};
use certus_ca::id::AccountId;
use certus_pki::{CertificateChain, Clock as _, KeyAlgorithm, KeyPair, Timestamp};
use certus_testkit::{CsrOptions, TestClient, csr};
use serde_json::{Value, json};

use crate::common::{World, assert_malformed, assert_refused, dns, order_for};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How many orders of the client's account are open.
async fn open_orders(world: &World, client: &TestClient) -> u64 {
    let url = client.account_url().unwrap();
    let id = AccountId::parse(url.rsplit('/').next().unwrap()).unwrap();
    world.authority.ca.store().open_counts(id, world.clock.now()).await.unwrap().orders
}

// conformance: 8555-7.4-01
#[tokio::test]
async fn an_order_is_made_and_can_be_read() {
    let world = World::new().await;
    let client = world.client().await;
    let made = client.new_order(&["a.localhost", "b.localhost"]).await.unwrap();
    assert_eq!(made.answer.status, 201);
    let location = made.answer.location().unwrap();
    assert!(location.starts_with(&world.url("/acme/order/")), "{location}");
    assert_eq!(made.value.status, OrderStatus::Pending);
    assert_eq!(made.value.identifiers, [dns("a.localhost"), dns("b.localhost")]);
    assert_eq!(made.value.authorizations.len(), 2);
    let read = client.post_as_get(location).await.unwrap();
    assert_eq!((read.status, read.json::<Value>().unwrap()), (200, made.answer.json().unwrap()));
}

// conformance: 8555-7.4-02 8555-7.4-04 8555-7.4-05
#[tokio::test]
async fn dates_that_would_not_be_honoured_are_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let now = world.clock.now();
    for (not_before, not_after) in [
        (Some((now + 3 * DAY).rfc3339()), Some((now + DAY).rfc3339())),
        (Some((now + 3 * DAY).rfc3339()), None),
        (Some((now - 3 * DAY).rfc3339()), None),
        (Some((now + DAY).rfc3339()), Some((now + DAY - Duration::from_secs(1)).rfc3339())),
        (None, Some((now + 90 * DAY).rfc3339())),
        (None, Some("2030-01-31".to_owned())),
        (None, Some(String::new())),
        (None, Some((now - DAY).rfc3339())),
        (None, Some("tomorrow".to_owned())),
        (None, Some((now + 3650 * DAY).rfc3339())),
    ] {
        let what = format!("{not_before:?} to {not_after:?}");
        let wish = NewOrder { identifiers: vec![dns("a.localhost")], not_before, not_after, ..NewOrder::default() };
        let answer = client.post(&client.directory().new_order, &wish).await.unwrap();
        assert_malformed(&what, &answer);
        assert!(answer.location().is_none(), "{what}: {answer:?}");
    }
    assert_eq!(open_orders(&world, &client).await, 0);
}

// conformance: 8555-7.4-03
#[tokio::test]
async fn dates_within_the_profile_are_honoured_to_the_second() {
    let world = World::new().await;
    let client = world.client().await;
    let now = world.clock.now().whole_seconds();
    let hour = Duration::from_secs(3600);
    for (not_before, not_after) in [
        (None, Some(now + 3 * DAY)),
        (Some(now - hour / 2), None),
        (Some(now + DAY), Some(now + 2 * DAY)),
        (None, Some(now + 90 * DAY - hour - Duration::from_secs(1))),
    ] {
        let text = |at: Option<Timestamp>| at.map(Timestamp::rfc3339);
        let wish = NewOrder {
            identifiers: vec![dns("a.localhost")],
            not_before: text(not_before),
            not_after: text(not_after),
            ..NewOrder::default()
        };
        let order = client.new_order_with(&wish).await.unwrap();
        assert_eq!((&order.value.not_before, &order.value.not_after), (&wish.not_before, &wish.not_after));
        let order = client.authorize(&order, &world.target).await.unwrap();
        assert_eq!((&order.value.not_before, &order.value.not_after), (&wish.not_before, &wish.not_after));
        let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
        let request = csr(&["a.localhost"], &key, &CsrOptions::default()).unwrap();
        let order = client.issued(client.finalize(&order.value, &request).await.unwrap()).await.unwrap();
        let pem = client.certificate(order.value.certificate.as_deref().unwrap()).await.unwrap();
        let chain = CertificateChain::from_pem(&pem).unwrap();
        let leaf = &chain.certificates()[0];
        let profiles = leaf.not_before() + 90 * DAY - Duration::from_secs(1);
        assert_eq!(leaf.not_before(), not_before.unwrap_or(now - hour));
        assert_eq!(leaf.not_after(), not_after.unwrap_or(profiles));
    }
}

/// An order whose certificate would begin too far in the past by now is not issued with other dates.
#[tokio::test]
async fn dates_that_can_no_longer_be_had_fail_the_order() {
    let world = World::new().await;
    let client = world.client().await;
    let wish = NewOrder {
        identifiers: vec![dns("a.localhost")],
        not_before: Some(world.clock.now().whole_seconds().rfc3339()),
        ..NewOrder::default()
    };
    let order = client.new_order_with(&wish).await.unwrap();
    let order = client.authorize(&order, &world.target).await.unwrap();
    world.clock.advance(3 * DAY);
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let request = csr(&["a.localhost"], &key, &CsrOptions::default()).unwrap();
    client.finalize(&order.value, &request).await.unwrap();
    let failed = client.order(&order.url).await.unwrap().value;
    assert_eq!(failed.status, OrderStatus::Invalid);
    let error = failed.error.unwrap();
    assert_eq!(error.kind, ProblemKind::Malformed);
    assert!(error.detail.contains("notBefore can be"), "{error:?}");
}

// conformance: 8555-7.4-06
#[tokio::test]
async fn identifiers_must_be_a_list_of_objects() {
    let world = World::new().await;
    let client = world.client().await;
    for payload in [
        json!({}),
        json!({ "identifiers": null }),
        json!({ "identifiers": {} }),
        json!({ "identifiers": "a.localhost" }),
        json!({ "identifiers": [] }),
        json!({ "identifiers": ["a.localhost"] }),
        json!({ "identifiers": [{}] }),
        json!({ "identifiers": [{ "type": "dns" }] }),
        json!({ "identifiers": [{ "value": "a.localhost" }] }),
        json!({ "identifiers": [{ "type": "dns", "value": 1 }] }),
        json!({ "identifiers": [{ "type": "dns", "value": ["a.localhost"] }] }),
        json!({ "identifiers": [{ "type": 1, "value": "a.localhost" }] }),
        json!({ "identifiers": [dns("a.localhost"), "b.localhost"] }),
    ] {
        let answer = client.post(&client.directory().new_order, &payload).await.unwrap();
        assert_malformed(&payload.to_string(), &answer);
    }
    assert_eq!(open_orders(&world, &client).await, 0);
}

#[tokio::test]
async fn an_order_has_a_hundred_names_at_most() {
    let world = World::new().await;
    let client = world.client().await;
    let names: Vec<String> = (0..101).map(|index| format!("n{index}.localhost")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let answer = client.post(&client.directory().new_order, &order_for(&names)).await.unwrap();
    assert!(assert_malformed("101 names", &answer).detail.contains("100"), "{answer:?}");
    assert_eq!(client.new_order(&names[..100]).await.unwrap().value.authorizations.len(), 100);
}

// conformance: 8555-7.4-07
#[tokio::test]
async fn unknown_members_are_ignored_and_not_shown() {
    let world = World::new().await;
    let client = world.client().await;
    let payload = json!({ "identifiers": [{ "type": "dns", "value": "a.localhost", "bar": 2 }], "foo": 1 });
    let answer = client.post(&client.directory().new_order, &payload).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(!answer.text().contains("foo") && !answer.text().contains("bar"), "{answer:?}");
}

// conformance: 8555-7.4-08
#[tokio::test]
async fn an_order_is_invalid_from_its_expiry_on() {
    let world = World::new().await;
    let client = world.client().await;
    let pending = client.new_order(&["a.localhost"]).await.unwrap();
    let ready = client.new_order(&["b.localhost"]).await.unwrap();
    let ready = client.authorize(&ready, &world.target).await.unwrap();
    assert_eq!(ready.value.status, OrderStatus::Ready);
    let expires = certus_pki::Timestamp::parse_rfc3339(ready.value.expires.as_deref().unwrap()).unwrap();

    world.clock.set(expires - Duration::from_secs(1));
    assert_eq!(client.order(&ready.url).await.unwrap().value.status, OrderStatus::Ready);
    // Expiry is shown in whole seconds, so that it may be a fraction later.
    world.clock.set(expires + Duration::from_secs(1));
    for (order, status) in [(&pending, AuthorizationStatus::Expired), (&ready, AuthorizationStatus::Valid)] {
        let expired = client.order(&order.url).await.unwrap().value;
        assert_eq!(expired.status, OrderStatus::Invalid);
        assert!(expired.error.unwrap().detail.contains("expired"));
        let authorization = client.authorization(&order.value.authorizations[0]).await.unwrap();
        // A valid authorization has an expiry of its own, later than its order's.
        assert!(authorization.value.status == status || status == AuthorizationStatus::Valid, "{authorization:?}");
    }
    let answer = client.post(&ready.value.finalize, &json!({ "csr": "MA" })).await.unwrap();
    assert_refused("an expired order", &answer, 403, ProblemKind::OrderNotReady);
}

// conformance: 8555-7.4-09
#[tokio::test]
async fn two_equal_orders_both_work_to_the_end() {
    let world = World::new().await;
    let client = world.client().await;
    let one = client.new_order(&["a.localhost"]).await.unwrap();
    let other = client.new_order(&["a.localhost"]).await.unwrap();
    for order in [one, other] {
        let ready = client.authorize(&order, &world.target).await.unwrap();
        let key = certus_pki::KeyPair::generate(certus_pki::KeyAlgorithm::EcP256).unwrap();
        let request = certus_testkit::csr(&["a.localhost"], &key, &certus_testkit::CsrOptions::default()).unwrap();
        let order = client.finalize(&ready.value, &request).await.unwrap();
        let order = client.issued(order).await.unwrap();
        client.certificate(order.value.certificate.as_deref().unwrap()).await.unwrap();
    }
}

// conformance: 8555-7.4-11
#[tokio::test]
async fn authorizations_of_another_account_are_never_reused() {
    let world = World::new().await;
    let owner = world.client().await;
    let issued = owner.obtain(&["a.localhost"], &world.target).await.unwrap();
    let validated = owner.authorization(&issued.order.value.authorizations[0]).await.unwrap().value;

    let other = world.client().await;
    let order = other.new_order(&["a.localhost"]).await.unwrap();
    assert_eq!(order.value.status, OrderStatus::Pending);
    assert_ne!(order.value.authorizations, issued.order.value.authorizations);
    let authorization = other.authorization(&order.value.authorizations[0]).await.unwrap().value;
    assert_eq!(authorization.status, AuthorizationStatus::Pending);
    let known: Vec<&str> = validated.challenges.iter().map(|challenge| challenge.token.as_str()).collect();
    assert!(authorization.challenges.iter().all(|challenge| !known.contains(&challenge.token.as_str())));
}
