//! Names and addresses that an authority does not certify, whoever controls them.

use certus_acme::{OrderStatus, ProblemKind, RawIdentifier};
use certus_ca::NameRules;
use certus_pki::{KeyAlgorithm, KeyPair};
use certus_testkit::{CsrOptions, RawHttp, TestClient, csr};
use serde_json::json;

use crate::common::{World, assert_refused, dns};

fn denied(name: &str) -> NameRules {
    NameRules { deny: vec![name.parse().unwrap()], ..NameRules::default() }
}

// conformance: 8555-10-03
#[tokio::test]
async fn denied_names_are_refused_before_anything_is_fetched() {
    let world = World::with(|setup| setup.names = denied("secret.localhost")).await;
    let client = world.client().await;
    for name in ["secret.localhost", "a.secret.localhost", "*.localhost", "*.co.uk"] {
        let wish = json!({ "identifiers": [dns("a.localhost"), dns(name)] });
        let answer = client.post(&client.directory().new_order, &wish).await.unwrap();
        let problem = assert_refused(name, &answer, 400, ProblemKind::RejectedIdentifier);
        let [one] = problem.subproblems.as_slice() else { panic!("{problem:?}") };
        assert_eq!(one.identifier, Some(dns(name)));
    }
    let url = client.directory().new_authz.clone().unwrap();
    let answer = client.post(&url, &json!({ "identifier": dns("secret.localhost") })).await.unwrap();
    assert_refused("ahead of an order", &answer, 403, ProblemKind::RejectedIdentifier);
    client.new_order(&["a.localhost"]).await.unwrap();
    assert!(world.target.requests().is_empty());
}

#[tokio::test]
async fn what_is_denied_after_it_was_ordered_is_not_signed() {
    let world = World::new().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let order = client.authorize(&order, &world.target).await.unwrap();
    let id = order.url.rsplit('/').next().unwrap().to_owned();
    let key = client.key().clone();
    let world = world.restarted_with(|setup| setup.names = denied("=a.localhost")).await;
    let http = RawHttp::trusting(&world.authority.root_pem).unwrap();
    let client = TestClient::with_key(http, &world.authority.directory_url, key).await.unwrap();
    client.new_account().await.unwrap();
    let order = client.order(&world.url(&format!("/acme/order/{id}"))).await.unwrap();
    assert_eq!(order.value.status, OrderStatus::Ready);
    let leaf = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let request = csr(&["a.localhost"], &leaf, &CsrOptions::default()).unwrap();
    let finalized = client.finalize(&order.value, &request).await.unwrap();
    client.issued(finalized).await.unwrap_err();
    let failed = client.order(&order.url).await.unwrap().value;
    assert_eq!(failed.status, OrderStatus::Invalid);
    assert_eq!(failed.error.unwrap().kind, ProblemKind::RejectedIdentifier);
    assert_eq!(failed.certificate, None);
}

// conformance: BR-4.2-01
#[tokio::test]
async fn a_profile_for_the_public_internet_takes_no_internal_names_and_addresses() {
    let world = World::with(|setup| {
        setup.public_only = true;
        setup.validation = Box::new(|config| {
            config.permit_identifiers.clone_from(&config.permit);
            // A list of addresses has those alone.
            config.permit_identifiers.push("8.8.8.0/24".parse().unwrap());
            config.permit_identifiers.push("9.9.0.0/16".parse().unwrap());
            config.deny_identifiers = vec!["9.9.9.0/24".parse().unwrap()];
        });
    });
    let world = world.await;
    let client = world.client().await;
    let ip = |value: &str| RawIdentifier { kind: "ip".to_owned(), value: value.to_owned() };
    let refused = [
        dns("foo"),
        dns("foo.local"),
        dns("foo.internal"),
        dns("a.localhost"),
        ip("10.1.2.3"),
        ip("127.0.0.1"),
        ip("::1"),
        ip("9.9.9.9"),
        ip("1.1.1.1"),
    ];
    for identifier in refused {
        let answer = client.post(&client.directory().new_order, &json!({ "identifiers": [identifier] })).await.unwrap();
        assert_refused(&identifier.value, &answer, 400, ProblemKind::RejectedIdentifier);
    }
    let wish = json!({ "identifiers": [dns("www.example.com"), ip("8.8.8.8")] });
    assert_eq!(client.post(&client.directory().new_order, &wish).await.unwrap().status, 201);
}
