//! What the Baseline Requirements ask of whoever issues, beyond the forms of certificates and lists.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use certus_acme::{ProblemKind, base64url};
use certus_ca::keep;
use certus_pki::{CertificateChain, CertificateList, Clock as _, KeyPair};
use certus_testkit::{CsrOptions, Issued, RawHttp, Setup, TestAuthority, csr};
use futures_util::future::join_all;
use serde_json::json;

use crate::common::{World, assert_malformed, assert_refused, dns};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn crl_url(issued: &Issued) -> String {
    let chain = CertificateChain::from_pem(&issued.chain_pem).unwrap();
    chain.certificates()[0].crl_urls()[0].clone()
}

// conformance: BR-4.2-02 BR-4.2-04
#[tokio::test]
async fn names_that_no_host_has_are_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let order = |name: &str| json!({ "identifiers": [dns(name)] });
    for name in ["1.2.0.192.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa"] {
        let answer = client.post(&client.directory().new_order, &order(name)).await.unwrap();
        assert_refused(name, &answer, 400, ProblemKind::RejectedIdentifier);
    }
    for name in ["a*.a.localhost", "*a.a.localhost", "x.*.a.localhost", "*.*.a.localhost", "*"] {
        let answer = client.post(&client.directory().new_order, &order(name)).await.unwrap();
        let kind = answer.problem().unwrap().kind;
        assert!(matches!(kind, ProblemKind::Malformed | ProblemKind::RejectedIdentifier), "{name}: {answer:?}");
        assert_refused(name, &answer, 400, kind);
    }
    client.new_order(&["*.a.localhost"]).await.unwrap();
}

// conformance: BR-6.1.1.3-11
#[tokio::test]
async fn keys_of_the_authority_are_not_certified() {
    let world = World::new().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let order = client.authorize(&order, &world.target).await.unwrap();
    let own = KeyPair::from_pkcs8(&world.authority.hierarchy.key).unwrap();
    let request = csr(&["a.localhost"], &own, &CsrOptions::default()).unwrap();
    let answer = client.post(&order.value.finalize, &json!({ "csr": base64url::encode(&request) })).await.unwrap();
    assert_refused("the issuer's key", &answer, 400, ProblemKind::BadCsr);
}

// conformance: BR-4.2.1-02
#[tokio::test]
async fn a_token_is_not_used_after_a_month() {
    let world = World::new().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let authorization = client.authorization(&order.value.authorizations[0]).await.unwrap();
    let challenge = &authorization.value.challenges[0];
    world.target.serve(&challenge.token, &client.key_authorization(&challenge.token).unwrap());
    world.clock.advance(31 * DAY);
    let answer = client.post(&challenge.url, &json!({})).await.unwrap();
    assert_malformed("a token of last month", &answer);
    assert_eq!(world.target.requests().len(), 0);
}

// conformance: BR-4.9-01
#[tokio::test]
async fn what_was_revoked_is_listed_once_more_after_it_has_expired() {
    let world = World::with(|setup| setup.lifetime = 2 * DAY).await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let leaf = CertificateChain::from_pem(&issued.chain_pem).unwrap().certificates()[0].clone();
    let revoke = certus_acme::RevokeCert::new(leaf.der(), Some(4));
    let url = client.directory().revoke_cert.clone().unwrap();
    assert_eq!(client.post(&url, &revoke).await.unwrap().status, 200);
    let mut listed = Vec::new();
    // A list a day: the certificate ends within the second.
    for _ in 0..5 {
        keep::publish_crls(&world.authority.ca).await.unwrap();
        let answer = RawHttp::plain().unwrap().get(&crl_url(&issued)).await.unwrap();
        let list = CertificateList::parse(&answer.body).unwrap();
        let there = list.revoked().iter().any(|entry| entry.serial == *leaf.serial());
        listed.push((leaf.not_after() >= world.clock.now(), there));
        world.clock.advance(DAY);
    }
    let after = listed.iter().filter(|(valid, _)| !valid).map(|(_, there)| *there).collect::<Vec<_>>();
    assert!(listed.iter().all(|(valid, there)| !valid || *there), "{listed:?}");
    assert_eq!((after.first(), after.last()), (Some(&true), Some(&false)), "{listed:?}");
}

// conformance: BR-4.9-04 5280-5-12
#[tokio::test]
async fn lists_are_fetched_by_many_and_kept_by_each() {
    let world = World::new().await;
    let client = world.client().await;
    let url = crl_url(&client.obtain(&["a.localhost"], &world.target).await.unwrap());
    let all = tokio::time::timeout(
        Duration::from_secs(10),
        join_all((0..100).map(|_| async { RawHttp::plain().unwrap().get(&url).await.unwrap() })),
    );
    let answers = all.await.unwrap();
    assert!(answers.iter().all(|answer| answer.status == 200));
    let answer = &answers[0];
    let tag = answer.header("etag").unwrap().to_owned();
    let list = CertificateList::parse(&answer.body).unwrap();
    let age = answer.header("cache-control").unwrap().strip_prefix("public, max-age=").unwrap().parse().unwrap();
    assert!(world.clock.now() + Duration::from_secs(age) < list.next_update(), "{answer:?}");
    let http = RawHttp::plain().unwrap();
    for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let again = http.send("GET", &url, &[("if-none-match", known.as_str())], Vec::new()).await.unwrap();
        assert_eq!((again.status, again.body.len()), (304, 0), "{known}");
        assert_eq!(again.header("etag"), Some(tag.as_str()));
    }
    let other = http.send("GET", &url, &[("if-none-match", "\"other\"")], Vec::new()).await.unwrap();
    assert_eq!((other.status, &other.body), (200, &answer.body));
    let head = http.send("HEAD", &url, &[], Vec::new()).await.unwrap();
    let headers = ["etag", "cache-control", "content-type", "content-length"];
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(headers.map(|name| head.header(name)), headers.map(|name| answer.header(name)));
}

// conformance: 8555-10-01
#[tokio::test]
async fn urls_cannot_be_guessed() {
    let world = World::new().await;
    let mut ids = HashSet::new();
    for _ in 0..4 {
        let client = world.client().await;
        ids.insert(client.account_url().unwrap().rsplit('/').next().unwrap().to_owned());
        for index in 0..8 {
            let order = client.new_order(&[&format!("n{index}.localhost")]).await.unwrap();
            let authorization = client.authorization(&order.value.authorizations[0]).await.unwrap();
            ids.extend([&order.url, &authorization.url].map(|url| url.rsplit('/').next().unwrap().to_owned()));
            ids.extend(authorization.value.challenges.iter().map(|one| one.url.rsplit('/').next().unwrap().to_owned()));
        }
    }
    // After five octets of time each has 88 bits, no octet of which counts upwards: of so many, each has most of its values.
    assert_eq!(ids.len(), 4 + 4 * 8 * 5);
    let octets: Vec<_> = ids.iter().map(|id| base64url::decode(id).unwrap()).collect();
    assert!(octets.iter().all(|id| id.len() == 16));
    for place in 5..16 {
        let values: HashSet<u8> = octets.iter().map(|id| id[place]).collect();
        assert!(values.len() > 64, "octet {place} has {} values", values.len());
    }
}

// conformance: 8555-9.7-01
#[tokio::test]
async fn methods_that_were_broken_are_not_offered() {
    let world = World::new().await;
    let client = world.client().await;
    for name in ["a.localhost", "*.a.localhost", "a.example"] {
        let order = client.new_order(&[name]).await.unwrap();
        let authorization = client.authorization(&order.value.authorizations[0]).await.unwrap();
        for challenge in authorization.value.challenges {
            assert!(["http-01", "dns-01", "tls-alpn-01"].contains(&challenge.kind.as_str()), "{challenge:?}");
            // Clients that know no other kind break at a challenge without one.
            assert!(!challenge.token.is_empty(), "{challenge:?}");
        }
    }
}

// conformance: 8555-7.1.4-11
#[tokio::test]
async fn a_name_that_is_ordered_twice_is_certified_once() {
    let world = World::new().await;
    let client = world.client().await;
    let twice = json!({ "identifiers": [dns("a.localhost"), dns("A.localhost"), dns("a.localhost")] });
    let answer = client.post(&client.directory().new_order, &twice).await.unwrap();
    let order: serde_json::Value = answer.json().unwrap();
    if answer.status == 201 {
        assert_eq!(order["identifiers"].as_array().unwrap().len(), 1, "{order}");
    } else {
        assert_malformed("a name twice", &answer);
    }
}

// conformance: 8555-7.1.6-09
#[tokio::test]
async fn what_waits_for_too_long_has_expired() {
    let world = World::new().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    world.clock.advance(7 * DAY);
    let authorization = client.authorization(&order.value.authorizations[0]).await.unwrap();
    assert_eq!(authorization.value.status, certus_acme::AuthorizationStatus::Expired);
}

// conformance: BR-4.2.1-01
#[tokio::test]
async fn what_was_proved_serves_no_order_after_ten_days() {
    let world = World::with(|setup| setup.reuse = 365 * DAY).await;
    let client = world.client().await;
    client.obtain(&["a.localhost"], &world.target).await.unwrap();
    world.clock.advance(10 * DAY);
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    assert_eq!(order.value.status, certus_acme::OrderStatus::Pending);
}

#[tokio::test]
async fn the_same_authority_started_again_has_the_same_list() {
    let world = World::new().await;
    let client = world.client().await;
    let url = crl_url(&client.obtain(&["a.localhost"], &world.target).await.unwrap());
    let first = RawHttp::plain().unwrap().get(&url).await.unwrap();
    let mut setup = Setup::new(Arc::clone(world.authority.ca.store()), &world.target);
    setup.clock = Arc::new(world.clock.clone());
    setup.hierarchy = Some(world.authority.hierarchy.clone());
    let again = TestAuthority::start(setup).await.unwrap();
    let issuers = again.ca.issuers();
    let name = url.rsplit_once("/crl/").unwrap().1.split_once('/').unwrap().1.trim_end_matches(".crl").to_owned();
    let own = issuers.publications(issuers.configured[0].id(), name.parse().unwrap()).crl_url;
    let second = RawHttp::plain().unwrap().get(&own).await.unwrap();
    assert_eq!(first.header("etag"), second.header("etag"), "a cache in front of two nodes is not confused");
}
