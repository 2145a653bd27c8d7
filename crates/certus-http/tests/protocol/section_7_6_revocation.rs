//! RFC 8555 section 7.6: revoking certificates.

use std::time::Duration;

use certus_acme::{ProblemKind, RevokeCert, base64url};
use certus_ca::keep;
use certus_pki::{
    Certificate, CertificateChain, CertificateList, Clock as _, KeyAlgorithm, KeyPair, RevocationReason, RevokedEntry,
    SerialNumber,
};
use certus_testkit::{Answer, CsrOptions, Forge, Issued, RawHttp, TestClient, csr};
use serde_json::{Value, json};

use crate::common::{World, assert_refused};

fn url(client: &TestClient) -> String {
    client.directory().revoke_cert.clone().unwrap()
}

fn leaf(issued: &Issued) -> Certificate {
    CertificateChain::from_pem(&issued.chain_pem).unwrap().certificates()[0].clone()
}

fn payload(issued: &Issued, reason: Option<i64>) -> Value {
    serde_json::to_value(RevokeCert::new(leaf(issued).der(), reason)).unwrap()
}

async fn revoke(client: &TestClient, issued: &Issued, reason: Option<i64>) -> Answer {
    client.post(&url(client), &payload(issued, reason)).await.unwrap()
}

/// Signed by a key, with `jwk`.
async fn revoke_by(client: &TestClient, key: &KeyPair, issued: &Issued, reason: Option<i64>) -> Answer {
    let forge = Forge::new(key, &url(client), payload(issued, reason).to_string());
    let forge = forge.nonce(&client.nonce().await.unwrap());
    client.send(&url(client), forge.body().unwrap()).await.unwrap()
}

/// What the certificate's list has of it, once lists that are due were signed.
async fn entry(world: &World, issued: &Issued) -> Option<RevokedEntry> {
    keep::publish_crls(&world.authority.ca).await.unwrap();
    let leaf = leaf(issued);
    let answer = RawHttp::plain().unwrap().get(&leaf.crl_urls()[0]).await.unwrap();
    let list = CertificateList::parse(&answer.body).unwrap();
    let of = |serial: &SerialNumber| list.revoked().iter().find(|entry| entry.serial == *serial).cloned();
    of(leaf.serial())
}

/// Without the cache of publications in the way: each look is a minute later.
fn later(world: &World) {
    world.clock.advance(Duration::from_secs(60));
}

// conformance: 8555-6.7-06 8555-7.6-01 8555-7.6-08 8555-7.6-12 8555-7.6-18
// conformance: BR-4.9-02
#[tokio::test]
async fn an_account_revokes_what_it_was_issued() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let other = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    assert_eq!(entry(&world, &issued).await, None);
    let now = world.clock.now().whole_seconds();
    let answer = revoke(&client, &issued, None).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0), "{answer:?}");
    assert!(answer.header("replay-nonce").is_some());
    assert!(answer.header("link").is_some_and(|link| link.contains("rel=\"index\"")), "{answer:?}");
    for reason in [None, Some(1)] {
        assert_refused("again", &revoke(&client, &issued, reason).await, 400, ProblemKind::AlreadyRevoked);
    }
    later(&world);
    let serial = leaf(&issued).serial().clone();
    assert_eq!(entry(&world, &issued).await, Some(RevokedEntry { serial, at: now, reason: None }));
    later(&world);
    assert_eq!(entry(&world, &other).await, None, "another certificate of the same names");
}

// conformance: 8555-6.7-10 8555-7.6-09 8555-7.6-10 8555-7.6-11 8555-7.6-13
// conformance: BR-4.9-03
#[tokio::test]
async fn a_subscriber_gives_the_reasons_of_subscribers() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    for reason in [2, 6, 7, 8, 9, 10, 11, 255, -1, i64::MAX] {
        let answer = revoke(&client, &issued, Some(reason)).await;
        let problem = assert_refused(&reason.to_string(), &answer, 400, ProblemKind::BadRevocationReason);
        for allowed in ["0 (", "1 (", "3 (", "4 (", "5 ("] {
            assert!(problem.detail.contains(allowed), "{problem:?}");
        }
    }
    for reason in [json!("1"), json!(1.5), json!([1]), json!(true)] {
        let mut wish = payload(&issued, None);
        wish["reason"] = reason.clone();
        let answer = client.post(&url(&client), &wish).await.unwrap();
        assert_refused(&reason.to_string(), &answer, 400, ProblemKind::Malformed);
    }
    let expected = [
        (0, None),
        (1, Some(RevocationReason::KeyCompromise)),
        (3, Some(RevocationReason::AffiliationChanged)),
        (4, Some(RevocationReason::Superseded)),
        (5, Some(RevocationReason::CessationOfOperation)),
    ];
    for (code, reason) in expected {
        let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
        assert_eq!(revoke(&client, &issued, Some(code)).await.status, 200, "{code}");
        later(&world);
        assert_eq!(entry(&world, &issued).await.unwrap().reason, reason, "{code}");
    }
}

// conformance: 8555-6.2-29 8555-7.6-03 8555-7.6-14 8555-7.6-16
// conformance: BR-6.1.1.3-10 BR-4.9-05
#[tokio::test]
async fn whoever_has_the_key_revokes_and_may_have_it_blocked() {
    let world = World::new().await;
    let client = world.client().await;
    let stranger = world.stranger().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    assert_eq!(revoke_by(&stranger, &issued.key, &issued, Some(4)).await.status, 200);
    later(&world);
    assert_eq!(entry(&world, &issued).await.unwrap().reason, Some(RevocationReason::Superseded));
    // It turns out to be worse.
    assert_eq!(revoke_by(&stranger, &issued.key, &issued, Some(1)).await.status, 200);
    later(&world);
    assert_eq!(entry(&world, &issued).await.unwrap().reason, Some(RevocationReason::KeyCompromise));
    let again = revoke_by(&stranger, &issued.key, &issued, Some(1)).await;
    assert_refused("again", &again, 400, ProblemKind::AlreadyRevoked);

    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let order = client.authorize(&order, &world.target).await.unwrap();
    let request = csr(&["a.localhost"], &issued.key, &CsrOptions::default()).unwrap();
    let wish = json!({ "csr": base64url::encode(&request) });
    let answer = client.post(&order.value.finalize, &wish).await.unwrap();
    assert_refused("a blocked key", &answer, 400, ProblemKind::BadCsr);
    let account = TestClient::with_key(client.http().clone(), &world.authority.directory_url, issued.key.clone());
    let account = account.await.unwrap();
    let answer = account.post(&client.directory().new_account, &json!({})).await.unwrap();
    assert_refused("a blocked key", &answer, 400, ProblemKind::BadPublicKey);
}

// conformance: 8555-7.6-15
#[tokio::test]
async fn an_account_alone_cannot_have_a_key_blocked() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    assert_eq!(revoke(&client, &issued, Some(1)).await.status, 200);
    later(&world);
    assert_eq!(entry(&world, &issued).await.unwrap().reason, Some(RevocationReason::KeyCompromise));
    client.obtain_for(&["a.localhost"], &world.target, issued.key.clone()).await.unwrap();
}

// conformance: 8555-7.6-02 8555-7.6-04 8555-7.6-05
#[tokio::test]
async fn another_account_needs_every_name_and_gives_one_reason() {
    let world = World::new().await;
    let (client, other) = (world.client().await, world.client().await);
    let issued = client.obtain(&["a.localhost", "b.localhost"], &world.target).await.unwrap();
    let authorize = async |name: &str| {
        let order = other.new_order(&[name]).await.unwrap();
        other.authorize(&order, &world.target).await.unwrap()
    };
    let refused = async |what: &str| {
        let answer = revoke(&other, &issued, Some(5)).await;
        assert_refused(what, &answer, 403, ProblemKind::Unauthorized);
    };
    refused("no name").await;
    authorize("a.localhost").await;
    refused("one name of two").await;
    let last = authorize("b.localhost").await;
    for reason in [1, 3, 4] {
        let answer = revoke(&other, &issued, Some(reason)).await;
        assert_refused(&reason.to_string(), &answer, 400, ProblemKind::BadRevocationReason);
    }
    let given_up = json!({ "status": "deactivated" });
    assert_eq!(other.post(&last.value.authorizations[0], &given_up).await.unwrap().status, 200);
    refused("one of them given up").await;
    authorize("b.localhost").await;
    assert_eq!(revoke(&other, &issued, None).await.status, 200);
    later(&world);
    assert_eq!(entry(&world, &issued).await.unwrap().reason, Some(RevocationReason::CessationOfOperation));
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let stranger = world.stranger().await;
    let answer = revoke_by(&stranger, &key, &issued, Some(1)).await;
    assert_refused("another key", &answer, 403, ProblemKind::Unauthorized);
}

// conformance: 8555-7.6-06 8555-7.6-07 8555-7.6-17
#[tokio::test]
async fn the_certificate_is_known_by_all_its_octets() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let der = leaf(&issued).der().to_vec();
    // The same names, serial and issuer; the signature is another.
    let mut forged = der.clone();
    *forged.last_mut().unwrap() ^= 1;
    let elsewhere = World::new().await;
    let foreign = elsewhere.client().await.obtain(&["a.localhost"], &elsewhere.target).await.unwrap();
    for (what, other) in [
        ("forged", forged),
        ("of another authority", leaf(&foreign).der().to_vec()),
        ("with more behind it", [&der[..], &[0]].concat()),
        ("nothing", Vec::new()),
    ] {
        let answer = client.post(&url(&client), &RevokeCert::new(&other, None)).await.unwrap();
        assert_refused(what, &answer, 404, ProblemKind::Malformed);
    }
    // Standard base64 has other characters, and padding.
    let text = format!("{}=", base64url::encode(&der));
    for certificate in [json!(text), json!(issued.chain_pem), json!(7), json!(null)] {
        let answer = client.post(&url(&client), &json!({ "certificate": certificate })).await.unwrap();
        assert_refused("no base64url", &answer, 400, ProblemKind::Malformed);
    }
    let answer = client.post(&url(&client), &json!({})).await.unwrap();
    assert_refused("no certificate", &answer, 400, ProblemKind::Malformed);
    let end = leaf(&issued).not_after().duration_since(world.clock.now());
    world.clock.advance(end + Duration::from_secs(1));
    assert_refused("ended", &revoke(&client, &issued, None).await, 400, ProblemKind::Malformed);
}

#[tokio::test]
async fn a_key_that_is_blocked_while_its_order_waits_is_not_certified() {
    let world = World::new().await;
    let client = world.client().await;
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    world.authority.ca.block_key(0, &key.public_key().spki_sha256()).await.unwrap();
    let refused = client.obtain_for(&["a.localhost"], &world.target, key).await;
    assert!(refused.is_err(), "{refused:?}");
}

// conformance: 8555-7.3.6-07
#[tokio::test]
async fn a_closed_account_revokes_nothing_and_the_key_still_does() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let closed = json!({ "status": "deactivated" });
    assert_eq!(client.post(&client.account_url().unwrap(), &closed).await.unwrap().status, 200);
    assert_refused("a closed account", &revoke(&client, &issued, None).await, 401, ProblemKind::Unauthorized);
    let stranger = world.stranger().await;
    assert_eq!(revoke_by(&stranger, &issued.key, &issued, None).await.status, 200);
}

/// Who has the key has shown its compromise, whatever an account has said before.
#[tokio::test]
async fn a_key_is_blocked_though_its_certificate_was_revoked_before() {
    let world = World::new().await;
    let client = world.client().await;
    let stranger = world.stranger().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    assert_eq!(revoke(&client, &issued, Some(1)).await.status, 200);
    client.obtain_for(&["a.localhost"], &world.target, issued.key.clone()).await.unwrap();
    let again = revoke_by(&stranger, &issued.key, &issued, Some(1)).await;
    assert_refused("again", &again, 400, ProblemKind::AlreadyRevoked);
    client.obtain_for(&["a.localhost"], &world.target, issued.key.clone()).await.unwrap_err();
}
