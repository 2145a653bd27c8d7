//! RFC 8555 sections 7.5, 7.5.1 and 7.5.2: authorizations, responding to challenges, giving authorizations up.

use std::collections::BTreeSet;
use std::time::Duration;

use certus_acme::{Authorization, AuthorizationStatus, ChallengeStatus, Finalize, Order, OrderStatus, ProblemKind};
use certus_pki::{Clock as _, KeyAlgorithm, KeyPair, Timestamp};
use certus_testkit::{CsrOptions, Resource, TestClient, csr};
use serde_json::{Value, json};

use crate::common::{World, assert_malformed, assert_refused};

/// A new order for one name, and its authorization.
async fn ordered(client: &TestClient) -> (Resource<Order>, Resource<Authorization>) {
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let authorization = client.authorization(&order.value.authorizations[0]).await.unwrap();
    (order, authorization)
}

/// Provides what the first challenge asks for; the challenge's URL.
fn provide(world: &World, client: &TestClient, authorization: &Authorization) -> String {
    let challenge = &authorization.challenges[0];
    world.target.serve(&challenge.token, &client.key_authorization(&challenge.token).unwrap());
    challenge.url.clone()
}

// conformance: 8555-7.5-01 8555-7.5-02
#[tokio::test]
async fn an_authorization_is_read_with_its_challenges() {
    let world = World::new().await;
    let client = world.client().await;
    let (_, authorization) = ordered(&client).await;
    let answer = client.post_as_get(&authorization.url).await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let seen: Value = answer.json().unwrap();
    assert_eq!(seen["identifier"], json!({ "type": "dns", "value": "a.localhost" }));
    assert_eq!(seen["status"], "pending");
    assert!(seen.get("wildcard").is_none());
    let challenges = seen["challenges"].as_array().unwrap();
    assert!(challenges.iter().any(|challenge| challenge["type"] == "http-01"), "{seen}");
    for challenge in challenges {
        assert!(challenge["url"].as_str().unwrap().starts_with(&world.url("/acme/chall/")), "{challenge}");
        assert_eq!(challenge["status"], "pending");
        assert!(challenge["token"].is_string(), "{challenge}");
        // RFC 8555 section 7.5.1: the challenge itself, and where it belongs.
        let read = client.post_as_get(challenge["url"].as_str().unwrap()).await.unwrap();
        assert_eq!(read.json::<Value>().unwrap(), *challenge);
        assert_eq!(read.links("up"), [authorization.url.as_str()]);
    }
}

// conformance: 8555-7.5-04 8555-8.3-01
#[tokio::test]
async fn a_thousand_tokens_are_unique_and_cannot_be_guessed() {
    let world = World::new().await;
    let client = world.client().await;
    let names: Vec<String> = (0..100).map(|index| format!("n{index}.localhost")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut tokens = BTreeSet::new();
    let mut seen = 0;
    for _ in 0..10 {
        for url in client.new_order(&names).await.unwrap().value.authorizations {
            let authorization = client.authorization(&url).await.unwrap().value;
            // Challenges of one authorization may share a token, those of two may not.
            let own: BTreeSet<String> = authorization.challenges.into_iter().map(|challenge| challenge.token).collect();
            for token in &own {
                // 128 random bits are 22 characters of base64url.
                assert!(token.len() >= 22, "{token}");
                assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{token}");
            }
            seen += own.len();
            tokens.extend(own);
        }
    }
    assert!(seen >= 1000, "{seen}");
    assert_eq!(tokens.len(), seen);
}

// conformance: 8555-7.5.1-01 8555-7.5.1-02 8555-7.5.1-04
#[tokio::test]
async fn a_response_starts_validation() {
    let world = World::new().await;
    let client = world.client().await;
    for payload in [json!({}), json!({ "keyAuthorization": "x", "foo": 1 })] {
        let (order, authorization) = ordered(&client).await;
        let url = provide(&world, &client, &authorization.value);
        let before = world.target.requests().len();
        // Its own life begins when it becomes valid, not when it was made.
        world.clock.advance(Duration::from_secs(3600));
        let answer = client.post(&url, &payload).await.unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        assert_eq!(answer.json::<Value>().unwrap()["url"], url.as_str());
        assert_eq!(answer.links("up"), [authorization.url.as_str()]);
        let valid = client.validated(&authorization.url).await.unwrap().value;
        assert_eq!(world.target.requests().len(), before + 1, "{payload}");
        assert_eq!(valid.status, AuthorizationStatus::Valid);
        let expires = |of: &Authorization| Timestamp::parse_rfc3339(of.expires.as_deref().unwrap()).unwrap();
        assert!(expires(&valid) > world.clock.now());
        assert!(expires(&valid) > expires(&authorization.value), "{valid:?}");
        assert_eq!(client.order(&order.url).await.unwrap().value.status, OrderStatus::Ready);
    }
}

// conformance: 8555-7.5.1-03
#[tokio::test]
async fn a_response_that_is_no_object_is_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let (_, authorization) = ordered(&client).await;
    let url = provide(&world, &client, &authorization.value);
    for payload in ["[]", "\"x\"", "null", "1", "{", "{}{}", "{\"a\":1,\"a\":2}"] {
        assert_malformed(payload, &client.post_octets(&url, payload.as_bytes()).await.unwrap());
    }
    let read = client.post_as_get(&url).await.unwrap();
    assert_eq!(read.json::<Value>().unwrap()["status"], "pending");
    assert_eq!(world.target.requests().len(), 0);
}

// conformance: 8555-7.5.1-05 8555-8-02 8555-8-03
#[tokio::test]
async fn a_failed_challenge_stays_with_its_error() {
    let world = World::new().await;
    let client = world.client().await;
    let (order, authorization) = ordered(&client).await;
    // Nothing is provided: the target says 404.
    let url = authorization.value.challenges[0].url.clone();
    client.respond(&url).await.unwrap();
    client.validated(&authorization.url).await.unwrap_err();
    let failed = client.authorization(&authorization.url).await.unwrap().value;
    assert_eq!(failed.status, AuthorizationStatus::Invalid);
    let challenge = failed.challenges.iter().find(|challenge| challenge.url == url).unwrap();
    assert_eq!(challenge.status, ChallengeStatus::Invalid);
    let error = challenge.error.as_ref().unwrap();
    assert!(!error.detail.is_empty());
    // By itself too, as a problem document has it.
    let read: Value = client.post_as_get(&url).await.unwrap().json().unwrap();
    assert_eq!(read["error"]["type"], error.kind.urn());
    assert_eq!(read["error"]["detail"], error.detail.as_str());
    assert!(read.get("validated").is_none());
    // And in the order, under the name it is about.
    let order = client.order(&order.url).await.unwrap().value;
    assert_eq!(order.status, OrderStatus::Invalid);
    let error = order.error.unwrap();
    assert_eq!(error.subproblems[0].identifier.as_ref().unwrap().value, "a.localhost");
    // It is final: a response changes nothing.
    let asked = world.target.requests().len();
    let again: Value = client.post(&url, &json!({})).await.unwrap().json().unwrap();
    assert_eq!((again["status"].as_str(), world.target.requests().len()), (Some("invalid"), asked));
}

// conformance: 8555-7.5.1-06 8555-7.5.1-07 8555-7.5.1-10 8555-8-03
#[tokio::test]
async fn a_slow_target_is_polled_for_and_asked_once() {
    let world = World::new().await;
    let client = world.client().await;
    let (order, authorization) = ordered(&client).await;
    let url = provide(&world, &client, &authorization.value);
    world.target.hold();
    let answer = client.post(&url, &json!({})).await.unwrap();
    world.target.asked(1).await;
    for _ in 0..9 {
        let again = client.post(&url, &json!({})).await.unwrap();
        assert_eq!(again.status, 200);
    }
    let read = client.post_as_get(&url).await.unwrap();
    for answer in [answer, read] {
        let challenge: Value = answer.json().unwrap();
        assert_eq!((answer.status, challenge["status"].as_str()), (200, Some("processing")));
        assert!(challenge.get("error").is_none() && challenge.get("validated").is_none());
        assert!(answer.retry_after().is_some_and(|wait| !wait.is_zero()), "{answer:?}");
    }
    let polled = client.authorization(&authorization.url).await.unwrap();
    assert_eq!((polled.answer.status, polled.value.status), (200, AuthorizationStatus::Pending));
    assert!(polled.answer.retry_after().is_some_and(|wait| !wait.is_zero()), "{:?}", polled.answer);
    let polled = client.order(&order.url).await.unwrap();
    assert_eq!(polled.value.status, OrderStatus::Pending);
    assert!(polled.answer.retry_after().is_some_and(|wait| !wait.is_zero()), "{:?}", polled.answer);
    world.target.release();
    client.validated(&authorization.url).await.unwrap();
    assert_eq!(world.target.requests().len(), 1);
}

// conformance: 8555-7.5.1-08
#[tokio::test]
async fn only_its_account_responds_to_a_challenge() {
    let world = World::new().await;
    let client = world.client().await;
    let other = world.client().await;
    let (_, authorization) = ordered(&client).await;
    let url = provide(&world, &client, &authorization.value);
    for answer in [
        other.post(&url, &json!({})).await.unwrap(),
        other.post_as_get(&url).await.unwrap(),
        other.post_as_get(&authorization.url).await.unwrap(),
    ] {
        assert_refused("another account", &answer, 403, ProblemKind::Unauthorized);
        assert!(!answer.text().contains(&authorization.value.challenges[0].token), "{answer:?}");
    }
    assert_eq!(client.authorization(&authorization.url).await.unwrap().value, authorization.value);
    assert_eq!(world.target.requests().len(), 0);
}

// conformance: 8555-7.5.1-09
#[tokio::test]
async fn a_response_for_what_is_over_is_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let (_, deactivated) = ordered(&client).await;
    client.post(&deactivated.url, &json!({ "status": "deactivated" })).await.unwrap();
    let (_, expired) = ordered(&client).await;
    let urls = [&deactivated, &expired].map(|authorization| provide(&world, &client, &authorization.value));
    // Deactivation alone is enough.
    assert_malformed("deactivated", &client.post(&urls[0], &json!({})).await.unwrap());
    world.clock.advance(Duration::from_secs(8 * 24 * 3600));
    for url in urls {
        assert_malformed(&url, &client.post(&url, &json!({})).await.unwrap());
        assert_eq!(client.post_as_get(&url).await.unwrap().json::<Value>().unwrap()["status"], "pending");
    }
    assert_eq!(world.target.requests().len(), 0);
}

// conformance: 8555-7.5.2-01
#[tokio::test]
async fn pending_and_valid_authorizations_are_given_up() {
    let world = World::new().await;
    let client = world.client().await;
    let (pending_order, pending) = ordered(&client).await;
    let (valid_order, valid) = ordered(&client).await;
    client.validate(&valid, &world.target).await.unwrap();
    for (order, authorization) in [(pending_order, pending), (valid_order, valid)] {
        for what in ["once", "again"] {
            let answer = client.post(&authorization.url, &json!({ "status": "deactivated" })).await.unwrap();
            assert_eq!(answer.status, 200, "{what}");
            assert_eq!(answer.json::<Authorization>().unwrap().status, AuthorizationStatus::Deactivated, "{what}");
        }
        let read = client.authorization(&authorization.url).await.unwrap().value;
        assert_eq!(read.status, AuthorizationStatus::Deactivated);
        let order = client.order(&order.url).await.unwrap().value;
        assert_eq!(order.status, OrderStatus::Invalid);
        assert!(order.error.is_some());
    }
}

// conformance: 8555-7.5.2-02
#[tokio::test]
async fn only_its_account_gives_an_authorization_up() {
    let world = World::new().await;
    let client = world.client().await;
    let other = world.client().await;
    let (_, authorization) = ordered(&client).await;
    let answer = other.post(&authorization.url, &json!({ "status": "deactivated" })).await.unwrap();
    assert_refused("another account", &answer, 403, ProblemKind::Unauthorized);
    assert_eq!(client.authorization(&authorization.url).await.unwrap().value, authorization.value);
}

// conformance: 8555-7.5.2-03
#[tokio::test]
async fn nothing_is_issued_on_an_authorization_that_was_given_up() {
    let world = World::new().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let ready = client.authorize(&order, &world.target).await.unwrap();
    assert_eq!(ready.value.status, OrderStatus::Ready);
    let url = &ready.value.authorizations[0];
    client.post(url, &json!({ "status": "deactivated" })).await.unwrap();
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let request = csr(&["a.localhost"], &key, &CsrOptions::default()).unwrap();
    let answer = client.post(&ready.value.finalize, &Finalize::new(&request)).await.unwrap();
    assert_refused("a ready order without its authorization", &answer, 403, ProblemKind::OrderNotReady);
    assert_eq!(client.order(&ready.url).await.unwrap().value.status, OrderStatus::Invalid);

    let again = client.new_order(&["a.localhost"]).await.unwrap().value;
    assert_ne!(again.authorizations, ready.value.authorizations);
    let authorization = client.authorization(&again.authorizations[0]).await.unwrap().value;
    assert_eq!(authorization.status, AuthorizationStatus::Pending);
}

// conformance: 8555-7.5.2-04
#[tokio::test]
async fn an_authorization_is_not_changed_otherwise() {
    let world = World::new().await;
    let client = world.client().await;
    let (_, authorization) = ordered(&client).await;
    for payload in [
        json!({ "status": "valid" }),
        json!({ "status": "revoked" }),
        json!({ "status": "" }),
        json!({ "status": null }),
        json!({ "status": 1 }),
        json!({ "foo": 1 }),
        json!({}),
    ] {
        assert_malformed(&payload.to_string(), &client.post(&authorization.url, &payload).await.unwrap());
    }
    assert_eq!(client.authorization(&authorization.url).await.unwrap().value, authorization.value);
}
