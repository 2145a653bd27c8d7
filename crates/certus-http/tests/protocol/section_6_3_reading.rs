//! RFC 8555 section 6.3: GET and POST-as-GET.

use certus_acme::{AuthorizationStatus, ChallengeStatus, ProblemKind};
use serde_json::json;

use crate::common::{Resources, World, assert_malformed, assert_refused, order_for};

// conformance: 8555-6.3-01 8555-6.3-02 8555-6.3-03
#[tokio::test(flavor = "multi_thread")]
async fn resources_are_posted_to_and_nothing_else() {
    let world = World::new().await;
    let client = world.client().await;
    let resources = Resources::of(&world, &client).await;
    let before = client.post_as_get(&resources.order).await.unwrap().body;
    let (new_account, new_order) = (client.directory().new_account.clone(), client.directory().new_order.clone());
    let all = resources.readable().into_iter().chain([&*resources.finalize, &new_account, &new_order]);
    for url in all {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let answer = client.http().send(method, url, &[], "").await.unwrap();
            assert_refused(&format!("{method} {url}"), &answer, 405, ProblemKind::Malformed);
            let allowed = answer.header("allow").unwrap_or_default();
            assert_eq!(allowed, "POST", "{method} {url}: {answer:?}");
        }
    }
    assert_eq!(client.post_as_get(&resources.order).await.unwrap().body, before);
    client.post_as_get(&resources.account).await.unwrap();
}

// conformance: 8555-6.3-04
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_payload_reads() {
    let world = World::new().await;
    let client = world.client().await;
    let resources = Resources::of(&world, &client).await;
    for url in resources.readable() {
        let answer = client.post_as_get(url).await.unwrap();
        assert_eq!(answer.status, 200, "{url}: {answer:?}");
        assert!(!answer.body.is_empty(), "{url}");
    }
}

// conformance: 8555-6.3-05 8555-7.1.2-06
#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_what_is_anothers() {
    let world = World::new().await;
    let (client, other) = (world.client().await, world.client().await);
    let resources = Resources::of(&world, &client).await;
    for url in resources.readable() {
        let answer = other.post_as_get(url).await.unwrap();
        assert_refused(url, &answer, 403, ProblemKind::Unauthorized);
        let key = client.key_authorization("AAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        let thumbprint = key.rsplit('.').next().unwrap();
        assert!(!answer.text().contains(thumbprint) && !answer.text().contains("localhost\""), "{answer:?}");
    }
}

// conformance: 8555-6.3-04 8555-6.3-06
#[tokio::test(flavor = "multi_thread")]
async fn reading_a_challenge_starts_nothing() {
    let world = World::new().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let url = order.value.authorizations.first().unwrap();
    for challenge in client.authorization(url).await.unwrap().value.challenges {
        for _ in 0..3 {
            let read = client.post_as_get(&challenge.url).await.unwrap();
            let read: certus_acme::Challenge = read.json().unwrap();
            assert_eq!(read.status, ChallengeStatus::Pending);
        }
    }
    let authorization = client.authorization(url).await.unwrap().value;
    assert_eq!(authorization.status, AuthorizationStatus::Pending);
    // An issuance of another name passes through the same queue; by its end, this validation would have happened.
    client.obtain(&["b.localhost"], &world.target).await.unwrap();
    assert!(world.target.requests().iter().all(|request| request.host.starts_with("b.localhost")));
}

// conformance: 8555-6.3-07
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_object_does_not_read() {
    let world = World::new().await;
    let client = world.client().await;
    let resources = Resources::of(&world, &client).await;
    for url in [&resources.orders, &resources.order, &resources.certificate] {
        assert_malformed(url, &client.post(url, &json!({})).await.unwrap());
    }
    let before = client.post_as_get(&resources.account).await.unwrap();
    let answer = client.post(&resources.account, &json!({})).await.unwrap();
    assert_eq!((answer.status, &answer.body), (200, &before.body));
}

// conformance: 8555-6.3-08
#[tokio::test(flavor = "multi_thread")]
async fn the_directory_and_nonces_are_there_for_everyone() {
    let world = World::new().await;
    let client = world.stranger().await;
    let directory = client.http().get(&world.authority.directory_url).await.unwrap();
    assert_eq!((directory.status, directory.header("content-type")), (200, Some("application/json")));
    let nonce = client.http().get(&client.directory().new_nonce).await.unwrap();
    assert_eq!(nonce.status, 204);
    assert!(nonce.nonce().is_some());
}

// conformance: 8555-6.3-09 8555-6.3-10
#[tokio::test(flavor = "multi_thread")]
async fn the_directory_and_nonces_can_be_read_signed() {
    let world = World::new().await;
    let client = world.client().await;
    let url = &world.authority.directory_url;
    let plain = client.http().get(url).await.unwrap();
    let signed = client.post_as_get(url).await.unwrap();
    assert_eq!((signed.status, &signed.body), (200, &plain.body));
    let new_nonce = &client.directory().new_nonce;
    let answer = client.post_as_get(new_nonce).await.unwrap();
    assert_eq!(answer.status, 204);
    assert!(answer.nonce().is_some());
    for url in [url, new_nonce] {
        assert_malformed(url, &client.post(url, &json!({"a": 1})).await.unwrap());
    }
    assert_eq!(client.post(&client.directory().new_order, &order_for(&["a.localhost"])).await.unwrap().status, 201);
}
