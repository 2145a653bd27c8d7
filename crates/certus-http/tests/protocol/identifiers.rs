//! Wildcards (RFC 8555 section 7.1.3) and addresses (RFC 8738) as identifiers, from order to certificate.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use certus_acme::{Authorization, ChallengeType, ProblemKind, RawIdentifier};
use certus_pki::{CertificateChain, DnsName, KeyAlgorithm, KeyPair, SubjectName};
use certus_testkit::name_server::{NameServer, Reply, text};
use certus_testkit::{CsrOptions, Resource, TestClient, csr};
use serde_json::{Value, json};

use crate::common::{World, assert_refused, dns};

fn ip(address: &str) -> RawIdentifier {
    RawIdentifier { kind: "ip".to_owned(), value: address.to_owned() }
}

/// TXT records that a test publishes, by name.
type Records = Arc<Mutex<Vec<(String, String)>>>;

/// An authority whose resolver knows what a test publishes, and which certifies the addresses of this machine.
async fn world() -> (World, Records) {
    let records = Records::default();
    let published = Arc::clone(&records);
    let names = NameServer::start(move |question| {
        let known = published.lock().unwrap();
        let at = known.iter().filter(|(name, _)| *name == question.name);
        Reply::Records(at.map(|(name, value)| text(name, &[value])).collect())
    });
    let world = World::with(move |setup| {
        setup.validation = Box::new(move |config| {
            config.permit_identifiers.clone_from(&config.permit);
            config.resolvers = vec![names.address];
        });
    });
    (world.await, records)
}

async fn authorizations(client: &TestClient, order: &Value) -> Vec<Resource<Authorization>> {
    let mut found = Vec::new();
    for url in order["authorizations"].as_array().unwrap() {
        found.push(client.authorization(url.as_str().unwrap()).await.unwrap());
    }
    found
}

fn offered(authorization: &Authorization) -> Vec<&str> {
    authorization.challenges.iter().map(|challenge| challenge.kind.as_str()).collect()
}

/// Publishes what a dns-01 challenge asks for, and meets it.
async fn prove_by_dns(client: &TestClient, records: &Records, authorization: &Resource<Authorization>) {
    let challenges = &authorization.value.challenges;
    let challenge = challenges.iter().find(|one| one.challenge_type() == Some(ChallengeType::Dns01)).unwrap();
    let text = client.key_authorization(&challenge.token).unwrap();
    let digest = certus_acme::base64url::encode(&certus_pki::crypto::sha256(text.as_bytes()));
    let name = format!("_acme-challenge.{}", authorization.value.identifier.value);
    records.lock().unwrap().push((name, digest));
    client.respond(&challenge.url).await.unwrap();
    client.validated(&authorization.url).await.unwrap();
}

// conformance: 8555-7.1.3-10 8555-7.1.3-11 8555-7.1.3-13 8555-7.1.4-05 8555-7.1.4-08 8555-7.5-03 8737-3-14
#[tokio::test]
async fn a_wildcard_and_its_name_are_two_authorizations() {
    let (world, _records) = world().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let wish = json!({ "identifiers": [dns("a.example"), dns("*.A.example")] });
    let answer = client.post(&url, &wish).await.unwrap();
    assert_eq!(answer.status, 201);
    let order: Value = answer.json().unwrap();
    assert_eq!(order["identifiers"], json!([dns("a.example"), dns("*.a.example")]));
    let found = authorizations(&client, &order).await;
    let [plain, wildcard] = found.as_slice() else { panic!("{found:?}") };
    assert_ne!(plain.url, wildcard.url);
    for one in &found {
        assert_eq!(one.value.identifier, dns("a.example"), "{one:?}");
    }
    let member = |one: &Resource<Authorization>| one.answer.json::<Value>().unwrap().get("wildcard").cloned();
    assert_eq!((member(plain), member(wildcard)), (None, Some(json!(true))));
    assert_eq!(offered(&plain.value), ["http-01", "dns-01", "tls-alpn-01"]);
    assert_eq!(offered(&wildcard.value), ["dns-01"]);
}

// conformance: 8737-3-01 8555-8-01
#[tokio::test]
async fn every_challenge_has_a_token_of_its_own() {
    let (world, _records) = world().await;
    let client = world.client().await;
    let order = client.new_order(&["a.example"]).await.unwrap();
    let authorization = client.authorization(&order.value.authorizations[0]).await.unwrap().value;
    let tokens: BTreeSet<_> = authorization.challenges.iter().map(|challenge| challenge.token.clone()).collect();
    assert_eq!(tokens.len(), 3, "{authorization:?}");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    assert!(tokens.iter().all(|token| token.len() >= 22 && token.bytes().all(plain)), "{tokens:?}");
}

// conformance: 5280-4.2-07 BR-4.2-03
#[tokio::test]
async fn a_wildcard_is_certified_once_its_name_is_proved_by_dns() {
    let (world, records) = world().await;
    let client = world.client().await;
    let order = client.new_order(&["a.example", "*.a.example"]).await.unwrap();
    for url in &order.value.authorizations {
        let authorization = client.authorization(url).await.unwrap();
        prove_by_dns(&client, &records, &authorization).await;
    }
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let options = CsrOptions::default();
    // What was proved is what is certified, and nothing beside it.
    for names in [&["a.example"][..], &["a.example", "*.a.example", "b.a.example"], &["a.example", "*.example"]] {
        let answer = client.post(&order.value.finalize, &finalize(&csr(names, &key, &options).unwrap())).await.unwrap();
        assert_refused(&names.join(" "), &answer, 400, ProblemKind::BadCsr);
    }
    let request = csr(&["*.A.example", "a.example"], &key, &options).unwrap();
    let order = client.issued(client.finalize(&order.value, &request).await.unwrap()).await.unwrap();
    let pem = client.certificate(order.value.certificate.as_deref().unwrap()).await.unwrap();
    let chain = CertificateChain::from_pem(&pem).unwrap();
    let base = DnsName::parse("a.example").unwrap();
    let expected = BTreeSet::from([SubjectName::Dns(base.clone()), SubjectName::Wildcard(base)]);
    assert_eq!(*chain.certificates()[0].subject_names(), expected);
    // It is found where its name is looked for.
    let listed = world.authority.ca.store().certificates(Some("a.example"), None, 10).await.unwrap().entries;
    assert_eq!(listed.len(), 1);
    assert!(listed[0].names.contains(&"*.a.example".to_owned()), "{listed:?}");
}

fn finalize(request: &[u8]) -> Value {
    json!({ "csr": certus_acme::base64url::encode(request) })
}

// conformance: BR-3.2.2.4-03
#[tokio::test]
async fn what_one_name_proves_covers_no_other() {
    let (world, records) = world().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    client.authorize(&order, &world.target).await.unwrap();
    for name in ["b.a.localhost", "*.a.localhost", "localhost"] {
        let order = client.new_order(&[name]).await.unwrap();
        let authorization = client.authorization(&order.value.authorizations[0]).await.unwrap().value;
        assert_eq!(authorization.status.to_string(), "pending", "{name}");
    }
    assert!(records.lock().unwrap().is_empty());
}

// conformance: 8738-3-01 8738-3-03 8738-3-07 8738-3-08 8738-5-01
#[tokio::test]
async fn addresses_are_certified_beside_names() {
    let (world, _records) = world().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let identifiers = [ip("127.0.0.1"), dns("a.localhost")];
    let answer = client.post(&url, &json!({ "identifiers": identifiers })).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    let order: Value = answer.json().unwrap();
    assert_eq!(order["identifiers"], json!(identifiers));
    let found = authorizations(&client, &order).await;
    assert_eq!(found[0].value.identifier, ip("127.0.0.1"));
    assert_eq!(offered(&found[0].value), ["http-01", "tls-alpn-01"]);
    for authorization in &found {
        client.validate(authorization, &world.target).await.unwrap();
    }
    let host = world.target.requests()[0].host.clone();
    assert_eq!(host, format!("127.0.0.1:{}", world.target.port()));

    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let order_url = answer.location().unwrap().to_owned();
    let order = client.order(&order_url).await.unwrap();
    let spelled_as_name = csr(&["127.0.0.1", "a.localhost"], &key, &CsrOptions::default()).unwrap();
    let answer = client.post(&order.value.finalize, &finalize(&spelled_as_name)).await.unwrap();
    assert_refused("an address as dNSName", &answer, 400, ProblemKind::BadCsr);
    let addresses: Vec<IpAddr> = vec!["127.0.0.1".parse().unwrap()];
    let request = csr(&["a.localhost"], &key, &CsrOptions { addresses, ..CsrOptions::default() }).unwrap();
    let order = client.issued(client.finalize(&order.value, &request).await.unwrap()).await.unwrap();
    let pem = client.certificate(order.value.certificate.as_deref().unwrap()).await.unwrap();
    let chain = CertificateChain::from_pem(&pem).unwrap();
    let expected = BTreeSet::from([
        SubjectName::Dns(DnsName::parse("a.localhost").unwrap()),
        SubjectName::Ip("127.0.0.1".parse().unwrap()),
    ]);
    assert_eq!(*chain.certificates()[0].subject_names(), expected);
}

// conformance: 8738-3-02 8738-3-04 8738-3-05 8738-3-06
#[tokio::test]
async fn addresses_that_nobody_else_can_reach_are_not_certified() {
    // Where they may be validated, but are not named as identifiers.
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let refused = async |identifier: RawIdentifier, kind| {
        let what = format!("{identifier:?}");
        let answer = client.post(&url, &json!({ "identifiers": [identifier] })).await.unwrap();
        let problem = assert_refused(&what, &answer, 400, kind);
        assert!(problem.detail.len() > 10, "{problem:?}");
    };
    for address in
        ["10.0.0.1", "127.0.0.1", "::1", "169.254.1.1", "169.254.169.254", "fe80::1", "fd00::1", "0.0.0.0", "ff02::1"]
    {
        refused(ip(address), ProblemKind::RejectedIdentifier).await;
    }
    refused(ip("::ffff:192.0.2.1"), ProblemKind::RejectedIdentifier).await;
    refused(dns("192.0.2.1"), ProblemKind::RejectedIdentifier).await;
    for text in [
        "2001:DB8::1",
        "2001:db8:0:0:0:0:0:1",
        "192.0.2.01",
        "[2001:db8::1]",
        "192.0.2.1/32",
        "fe80::1%eth0",
        "a.example",
        "",
    ] {
        refused(ip(text), ProblemKind::Malformed).await;
    }
}
