//! RFC 8555 section 6.4: the URL a request was signed for.

use certus_acme::ProblemKind;
use serde_json::json;

use crate::common::{World, assert_refused, order_for};

// conformance: 8555-6.4-01
#[tokio::test(flavor = "multi_thread")]
async fn a_request_does_only_what_it_was_signed_for() {
    let world = World::new().await;
    let client = world.stranger().await;
    let (new_account, new_order) = (client.directory().new_account.clone(), client.directory().new_order.clone());
    let forge = client.forge(&new_order, "{}").await.unwrap();
    let answer = client.send(&new_account, forge.body().unwrap()).await.unwrap();
    assert_refused("signed for newOrder", &answer, 403, ProblemKind::Unauthorized);
    let answer = client.post(&new_account, &json!({ "onlyReturnExisting": true })).await.unwrap();
    assert_refused("no account was made", &answer, 400, ProblemKind::AccountDoesNotExist);
}

// conformance: 8555-6.4-02
#[tokio::test(flavor = "multi_thread")]
async fn urls_are_compared_by_characters() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let port = world.authority.external_url.rsplit(':').next().unwrap();
    let payload = order_for(&["a.localhost"]).to_string();
    for other in [
        url.replacen("localhost", "LOCALHOST", 1),
        url.replacen("localhost", "localhost.", 1),
        url.replacen("localhost", "127.0.0.1", 1),
        url.replacen("https:", "HTTPS:", 1),
        url.replacen("https:", "http:", 1),
        url.replacen(&format!(":{port}"), "", 1),
        url.replacen(&format!(":{port}"), ":443", 1),
        url.replacen(&format!(":{port}"), &format!(":0{port}"), 1),
        url.replacen("new-order", "new%2Dorder", 1),
        url.replacen("/acme", "//acme", 1),
        format!("{url}/"),
        format!("{url}?"),
        format!("{url}?x=1"),
        format!("{url}#x"),
        format!(" {url}"),
        "/acme/new-order".to_owned(),
        String::new(),
    ] {
        let right = client.forge(&url, payload.clone()).await.unwrap();
        let answer = client.send(&url, right.clone().url(&other).body().unwrap()).await.unwrap();
        assert_refused(&other, &answer, 403, ProblemKind::Unauthorized);
        let control = client.send(&url, right.body().unwrap()).await.unwrap();
        assert_eq!(control.status, 201, "signed for the URL itself: {control:?}");
    }
    // The other way round: the URL asked has something that the URL signed has not.
    let forge = client.forge(&url, payload).await.unwrap();
    let answer = client.send(&format!("{url}?x=1"), forge.body().unwrap()).await.unwrap();
    assert_refused("a query that was not signed", &answer, 403, ProblemKind::Unauthorized);
}

// conformance: 8555-6.4-03
#[tokio::test(flavor = "multi_thread")]
async fn the_host_header_does_not_matter() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let body = client.forge(&url, order_for(&["a.localhost"]).to_string()).await.unwrap().body().unwrap();
    let headers = [("content-type", "application/jose+json"), ("host", "inner.example:8080")];
    let answer = client.http().send("POST", &url, &headers, body).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(answer.location().unwrap().starts_with(&world.authority.external_url), "{answer:?}");
    // And one signed for what the Host header says is not for here.
    let other = url.replacen(&world.authority.external_url, "https://inner.example:8080", 1);
    let forge = client.forge(&other, order_for(&["a.localhost"]).to_string()).await.unwrap();
    let answer = client.http().send("POST", &url, &headers, forge.body().unwrap()).await.unwrap();
    assert_refused("signed for the Host", &answer, 403, ProblemKind::Unauthorized);
}
