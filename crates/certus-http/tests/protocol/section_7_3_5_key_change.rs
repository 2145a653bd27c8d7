//! RFC 8555 section 7.3.5: changing an account's key.

use certus_acme::{AuthorizationStatus, Jwk, ProblemKind};
use certus_pki::{KeyAlgorithm, KeyPair};
use certus_testkit::{Answer, CsrOptions, Forge, TestClient, csr};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::common::{World, assert_refused};

fn new_key() -> KeyPair {
    KeyPair::generate(KeyAlgorithm::EcP256).unwrap()
}

fn jwk(key: &KeyPair) -> Value {
    serde_json::from_str(Jwk::from_public_key(key.public_key()).canonical_json()).unwrap()
}

fn url(client: &TestClient) -> String {
    client.directory().key_change.clone().unwrap()
}

/// The keyChange object that is right for a client.
fn change(client: &TestClient) -> Value {
    json!({ "account": client.account_url(), "oldKey": jwk(client.key()) })
}

/// The inner JWS that is right for a client.
fn inner(client: &TestClient, new: &KeyPair) -> Forge {
    Forge::new(new, &url(client), change(client).to_string())
}

async fn send(client: &TestClient, inner: Forge) -> Answer {
    client.post_octets(&url(client), &inner.body().unwrap()).await.unwrap()
}

/// The same account, signing with another key.
async fn with_key(world: &World, client: &TestClient, key: &KeyPair) -> TestClient {
    let http = client.http().clone();
    let other = TestClient::with_key(http, &world.authority.directory_url, key.clone()).await.unwrap();
    other.set_account_url(client.account_url());
    other
}

/// Whether an account's key works.
async fn works(client: &TestClient) -> bool {
    let answer = client.post_as_get(&client.account_url().unwrap()).await.unwrap();
    // By the signature; or, if the account has a key of another kind, by the algorithm.
    let refused = [(403, Some(ProblemKind::Unauthorized)), (400, Some(ProblemKind::BadPublicKey))];
    let problem = answer.problem().map(|problem| problem.kind);
    assert!(answer.status == 200 || refused.contains(&(answer.status, problem)), "{answer:?}");
    answer.status == 200
}

// conformance: 8555-7.3.5-01
#[tokio::test(flavor = "multi_thread")]
async fn the_new_key_is_in_force_and_the_old_one_is_not() {
    let world = World::new().await;
    for kind in [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::Rsa2048, KeyAlgorithm::Ed25519] {
        let client = world.client().await;
        let key = KeyPair::generate(kind).unwrap();
        let answer = send(&client, inner(&client, &key)).await;
        assert_eq!((answer.status, answer.location()), (200, client.account_url().as_deref()), "{answer:?}");
        assert_eq!(answer.json::<Value>().unwrap()["status"], "valid");
        let renewed = with_key(&world, &client, &key).await;
        assert!(works(&renewed).await && !works(&client).await, "{kind}");
        // It is found by the new key, and the old one is free.
        assert_eq!(Some(renewed.new_account().await.unwrap().url), client.account_url());
        let free = client.another(KeyAlgorithm::EcP256).unwrap();
        assert_eq!(free.new_account().await.unwrap().answer.status, 201);
    }
    let entries = world.authority.ca.store().audit(None, 100).await.unwrap().entries;
    assert_eq!(entries.iter().filter(|entry| entry.action == "account.key-changed").count(), 4);
}

// conformance: 8555-7.3.5-02
#[tokio::test]
async fn the_outer_request_is_the_accounts() {
    let world = World::new().await;
    let client = world.client().await;
    let key = new_key();
    let body = inner(&client, &key).body().unwrap();
    let forged = client.forge(&url(&client), body.clone()).await.unwrap().jwk();
    let answer = client.send(&url(&client), forged.body().unwrap()).await.unwrap();
    assert_refused("an outer jwk", &answer, 400, ProblemKind::Malformed);
    let forged = client.forge(&url(&client), body).await.unwrap().signed_by(&key);
    let answer = client.send(&url(&client), forged.body().unwrap()).await.unwrap();
    assert_refused("an outer signature by the new key", &answer, 403, ProblemKind::Unauthorized);
    let closed = world.client().await;
    let account = closed.account_url().unwrap();
    closed.post(&account, &json!({ "status": "deactivated" })).await.unwrap();
    let answer = send(&closed, inner(&closed, &key)).await;
    assert_refused("a deactivated account", &answer, 401, ProblemKind::Unauthorized);
    assert!(works(&client).await);
}

// conformance: 8555-7.3.5-03 8555-7.3.5-04 8555-7.3.5-05 8555-7.3.5-06 8555-7.3.5-07 8555-7.3.5-08 8555-7.3.5-09
// conformance: 8555-7.3.5-10 8555-7.3.5-14
#[tokio::test(flavor = "multi_thread")]
async fn the_inner_request_is_what_it_must_be() {
    let world = World::new().await;
    let (client, other) = (world.client().await, world.client().await);
    let key = new_key();
    let account = client.account_url().unwrap();
    let payload = |change: Value| inner(&client, &key).payload(change.to_string());
    let old = jwk(client.key());
    let malformed = ProblemKind::Malformed;
    for (what, forged, status, kind) in [
        ("a kid", inner(&client, &key).kid(&account), 400, malformed),
        ("a jwk and a kid", inner(&client, &key).jwk_and_kid(&account), 400, malformed),
        ("neither", inner(&client, &key).without_key(), 400, malformed),
        ("another signature", inner(&client, &key).signed_by(client.key()), 403, ProblemKind::Unauthorized),
        ("a flipped bit", inner(&client, &key).flip_signature_bit(7), 403, ProblemKind::Unauthorized),
        ("a nonce", inner(&client, &key).nonce(&client.nonce().await.unwrap()), 400, malformed),
        ("another url", inner(&client, &key).url(&client.directory().new_order), 400, malformed),
        ("no url", inner(&client, &key).without("url"), 400, malformed),
        ("no account", payload(json!({ "oldKey": old })), 400, malformed),
        ("no old key", payload(json!({ "account": account })), 400, malformed),
        ("an account of a wrong type", payload(json!({ "account": 7, "oldKey": old })), 400, malformed),
        ("an old key of a wrong type", payload(json!({ "account": account, "oldKey": "x" })), 400, malformed),
        ("another's account", payload(json!({ "account": other.account_url(), "oldKey": old })), 400, malformed),
        ("another's key", payload(json!({ "account": account, "oldKey": jwk(other.key()) })), 400, malformed),
        ("the new key as the old", payload(json!({ "account": account, "oldKey": jwk(&key) })), 400, malformed),
        ("a MAC", inner(&client, &key).hs256_with_public_key(), 400, ProblemKind::BadSignatureAlgorithm),
        ("no algorithm", inner(&client, &key).alg("none"), 400, ProblemKind::BadSignatureAlgorithm),
    ] {
        assert_refused(what, &send(&client, forged).await, status, kind);
    }
    for payload in [&b""[..], b"{}", b"\"a.b.c\"", b"eyJhbGciOiJFUzI1NiJ9.e30.AAAA"] {
        let answer = client.post_octets(&url(&client), payload).await.unwrap();
        assert_refused(&String::from_utf8_lossy(payload), &answer, 400, malformed);
    }
    let weak = Forge::new(&key, &url(&client), change(&client).to_string()).alg("RS256").set_json(
        "jwk",
        &format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, certus_acme::base64url::encode(&[0xfb; 128])),
    );
    assert_refused("RSA with 1024 bits", &send(&client, weak).await, 400, ProblemKind::BadPublicKey);
    assert!(works(&client).await, "the key is what it was");
}

// conformance: 8555-7.3.5-11
#[tokio::test]
async fn the_old_key_is_compared_as_a_key() {
    let world = World::new().await;
    let client = world.client().await;
    let key = new_key();
    let Value::Object(members) = jwk(client.key()) else { panic!("a JWK is an object") };
    let reordered: Vec<String> = members.iter().rev().map(|(name, value)| format!("{name:?}:{value}")).collect();
    let old = format!("{{\"use\":\"sig\",\"kid\":\"mine\",{}}}", reordered.join(","));
    let account = client.account_url().unwrap();
    let payload = format!("{{\"oldKey\":{old},\"account\":{account:?}}}");
    let answer = send(&client, inner(&client, &key).payload(payload)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

// conformance: 8555-7.3.5-12 8555-7.3.5-13
#[tokio::test]
async fn a_key_that_has_an_account_is_refused_and_the_account_named() {
    let world = World::new().await;
    let (client, other) = (world.client().await, world.client().await);
    for owner in [&other, &client] {
        let answer = send(&client, inner(&client, owner.key())).await;
        assert_refused("a key in use", &answer, 409, ProblemKind::Malformed);
        assert_eq!(answer.location(), owner.account_url().as_deref());
    }
    assert!(works(&client).await && works(&other).await);
}

// conformance: 8555-7.3.5-15 8555-7.3.5-16
#[tokio::test]
async fn what_was_begun_with_the_old_key_is_finished_with_the_new_one() {
    let world = World::new().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost", "b.localhost"]).await.unwrap();
    let [proved, pending] = [0, 1].map(|index| order.value.authorizations[index].clone());
    client.validate(&client.authorization(&proved).await.unwrap(), &world.target).await.unwrap();
    let key = new_key();
    assert_eq!(send(&client, inner(&client, &key)).await.status, 200);
    let renewed = with_key(&world, &client, &key).await;
    assert_eq!(renewed.authorization(&proved).await.unwrap().value.status, AuthorizationStatus::Valid);
    // The challenge is met by the key of the moment.
    let authorization = renewed.authorization(&pending).await.unwrap();
    renewed.validate(&authorization, &world.target).await.unwrap();
    let leaf = new_key();
    let request = csr(&["a.localhost", "b.localhost"], &leaf, &CsrOptions::default()).unwrap();
    let order = renewed.issued(renewed.finalize(&order.value, &request).await.unwrap()).await.unwrap();
    assert!(renewed.certificate(order.value.certificate.as_deref().unwrap()).await.unwrap().contains("BEGIN"));
}

// conformance: 8555-6.2-29
#[tokio::test]
async fn a_blocked_key_becomes_no_accounts() {
    let world = World::new().await;
    let client = world.client().await;
    let key = new_key();
    world.authority.ca.block_key(0, &key.public_key().spki_sha256()).await.unwrap();
    let answer = send(&client, inner(&client, &key)).await;
    assert_refused("a blocked key", &answer, 400, ProblemKind::BadPublicKey);
    assert!(works(&client).await);
}

// conformance: 8555-7.3.5-17
#[tokio::test(flavor = "multi_thread")]
async fn of_many_changes_at_once_one_holds() {
    let world = World::new().await;
    let client = world.client().await;
    let keys: Vec<KeyPair> = (0..8).map(|_| new_key()).collect();
    let answers = join_all(keys.iter().map(|key| send(&client, inner(&client, key)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    let mut working = 0;
    for key in &keys {
        working += usize::from(works(&with_key(&world, &client, key).await).await);
    }
    assert_eq!((working, works(&client).await), (1, false));
}
