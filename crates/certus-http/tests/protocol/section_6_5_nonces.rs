//! RFC 8555 section 6.5: replay protection.

use std::collections::HashSet;

use certus_acme::{ProblemKind, base64url};
use certus_ca::nonce::NONCE_LIFETIME;
use certus_testkit::{Answer, RawHttp, TestClient};
use futures_util::future::join_all;
use serde_json::json;

use crate::common::{Resources, World, assert_refused, connect, order_for};

// conformance: 8555-6.5-01 8555-6.5-02
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_to_a_post_has_a_nonce_that_works() {
    let world = World::new().await;
    let client = world.client().await;
    let resources = Resources::of(&world, &client).await;
    let new_order = client.directory().new_order.clone();
    let mut answers = Vec::new();
    // The client would sign the next request with the nonce of this answer.
    let mut keep = |answer: Answer| {
        client.forget_nonces();
        answers.push(answer);
    };
    for (url, payload) in [
        (&new_order, order_for(&["b.localhost"])),
        (&resources.account, json!({ "contact": [] })),
        (&resources.challenge, json!({})),
        (&new_order, json!({})),
        (&new_order, order_for(&["*.x"])),
        (&resources.finalize, json!({ "csr": "" })),
        (&resources.account, json!({ "contact": ["tel:1"] })),
    ] {
        keep(client.post(url, &payload).await.unwrap());
    }
    let (absent, nowhere) = (world.url("/acme/order/AAAAAAAAAAAAAAAAAAAAAA"), world.url("/nowhere"));
    for url in resources.readable().into_iter().chain([absent.as_str(), &nowhere]) {
        keep(client.post_as_get(url).await.unwrap());
    }
    for body in [b"{}".to_vec(), vec![b' '; 70_000]] {
        keep(client.send(&new_order, body).await.unwrap());
    }
    keep(client.http().send("POST", &new_order, &[], "{}").await.unwrap());
    let forge = client.forge(&new_order, "{}").await.unwrap();
    for forged in [forge.clone().alg("none"), forge.clone().nonce("AAAA"), forge.flip_signature_bit(1)] {
        keep(client.send(&new_order, forged.body().unwrap()).await.unwrap());
    }
    assert!(answers.iter().any(|answer| answer.status == 201) && answers.iter().any(|answer| answer.status == 404));
    let nonces: HashSet<&str> = answers.iter().filter_map(|answer| answer.nonce()).collect();
    assert_eq!(nonces.len(), answers.len(), "{answers:?}");
    for answer in &answers {
        let forge = client.forge(&resources.account, "").await.unwrap().nonce(answer.nonce().unwrap());
        let read = client.send(&resources.account, forge.body().unwrap()).await.unwrap();
        assert_eq!(read.status, 200, "with the nonce of {answer:?}: {read:?}");
    }
}

// conformance: 8555-6.5-03 8555-6.5-06 8555-6.5.2-01 8555-6.7-08
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_of_nobodys_making_is_refused_and_a_good_one_given() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let payload = order_for(&["a.localhost"]).to_string();
    let good = client.nonce().await.unwrap();
    let mut changed = base64url::decode(&good).unwrap();
    *changed.last_mut().unwrap() ^= 1;
    let changed = base64url::encode(&changed);
    let (unknown, malformed) = (ProblemKind::BadNonce, ProblemKind::Malformed);
    for (bad, kind) in [
        (base64url::encode(&[7; 16]).as_str(), unknown),
        (&base64url::encode(&[7; 50]), unknown),
        (&changed, unknown),
        (&good[1..], unknown),
        // RFC 8555 section 6.5.2: these are no nonces at all.
        ("", malformed),
        ("not valid!", malformed),
        ("AAAA=", malformed),
    ] {
        let forge = client.forge(&url, payload.clone()).await.unwrap();
        let answer = client.send(&url, forge.clone().nonce(bad).body().unwrap()).await.unwrap();
        assert_refused(bad, &answer, 400, kind);
        let retry = client.send(&url, forge.nonce(answer.nonce().unwrap()).body().unwrap()).await.unwrap();
        assert_eq!(retry.status, 201, "{retry:?}");
    }
}

// conformance: 8555-6.5-04 8555-6.5-05
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_is_good_once_also_when_the_request_was_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let good = order_for(&["a.localhost"]).to_string();
    for (first, status) in [(good.as_str(), 201), ("{}", 400), ("no JSON", 400)] {
        let nonce = client.nonce().await.unwrap();
        let forge = client.forge(&url, first).await.unwrap().nonce(&nonce);
        assert_eq!(client.send(&url, forge.body().unwrap()).await.unwrap().status, status, "{first}");
        // The same request, and another one with its nonce.
        for again in [forge.clone(), forge.payload(good.clone())] {
            let answer = client.send(&url, again.body().unwrap()).await.unwrap();
            assert_refused(first, &answer, 400, ProblemKind::BadNonce);
        }
    }
}

/// Whoever has seen a nonce of another cannot spend it.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_true_signature_spends_no_nonce() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let forge = client.forge(&url, order_for(&["a.localhost"]).to_string()).await.unwrap();
    let answer = client.send(&url, forge.clone().flip_signature_bit(9).body().unwrap()).await.unwrap();
    assert_refused("a flipped bit", &answer, 403, ProblemKind::Unauthorized);
    assert_eq!(client.send(&url, forge.body().unwrap()).await.unwrap().status, 201);
}

// conformance: 8555-6.5-07
#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_requests_at_once_with_one_nonce_one_succeeds() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let body = client.forge(&url, order_for(&["a.localhost"]).to_string()).await.unwrap().body().unwrap();
    connect(&client, 50).await;
    let answers = join_all((0..50).map(|_| client.send(&url, body.clone()))).await;
    let (mut made, mut refused) = (0, 0);
    for answer in answers {
        let answer = answer.unwrap();
        if answer.status == 201 {
            made += 1;
        } else {
            assert_refused("the nonce of another", &answer, 400, ProblemKind::BadNonce);
            refused += 1;
        }
    }
    assert_eq!((made, refused), (1, 49));
}

// conformance: 8555-6.5-08
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_of_before_a_restart_is_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let (spent, kept) = (client.nonce().await.unwrap(), client.nonce().await.unwrap());
    let order = client.directory().new_order.clone();
    let forge = client.forge(&order, order_for(&["a.localhost"]).to_string()).await.unwrap();
    assert_eq!(client.send(&order, forge.nonce(&spent).body().unwrap()).await.unwrap().status, 201);

    let key = client.key().clone();
    let world = world.restarted().await;
    let http = RawHttp::trusting(&world.authority.root_pem).unwrap();
    let client = TestClient::with_key(http, &world.authority.directory_url, key).await.unwrap();
    client.new_account().await.unwrap();
    let url = client.directory().new_order.clone();
    for nonce in [spent, kept] {
        let forge = client.forge(&url, order_for(&["a.localhost"]).to_string()).await.unwrap().nonce(&nonce);
        let answer = client.send(&url, forge.body().unwrap()).await.unwrap();
        assert_refused("a nonce of before", &answer, 400, ProblemKind::BadNonce);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_nonce_is_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let forge = client.forge(&url, order_for(&["a.localhost"]).to_string()).await.unwrap();
    world.clock.advance(NONCE_LIFETIME + std::time::Duration::from_secs(1));
    let answer = client.send(&url, forge.body().unwrap()).await.unwrap();
    assert_refused("old", &answer, 400, ProblemKind::BadNonce);
}

// conformance: 8555-6.5.1-01 8555-6.5.1-02
#[tokio::test(flavor = "multi_thread")]
async fn nonces_are_distinct_and_long() {
    let world = World::new().await;
    let client = world.stranger().await;
    let url = client.directory().new_nonce.clone();
    let mut seen = HashSet::new();
    for _ in 0..500 {
        let nonce = client.http().send("HEAD", &url, &[], "").await.unwrap().nonce().unwrap().to_owned();
        assert!(base64url::is_alphabet(&nonce), "{nonce}");
        assert!(base64url::decode(&nonce).is_ok_and(|octets| octets.len() >= 16), "{nonce}");
        assert!(seen.insert(nonce));
    }
}
