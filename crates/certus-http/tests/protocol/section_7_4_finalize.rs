//! RFC 8555 section 7.4: finalize.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use certus_acme::{Finalize, Order, OrderStatus, ProblemKind};
use certus_pki::{
    Certificate, CertificateChain, DnsName, KeyAlgorithm, KeyPair, KeyUsage, ObjectIdentifier, SubjectName,
};
use certus_testkit::{CsrExtension, CsrOptions, NamesIn, Resource, SignerFault, SignerPlan, TestClient, csr};
use serde_json::json;

use crate::common::{World, assert_malformed, assert_refused};
use crate::requests;

fn key() -> KeyPair {
    KeyPair::generate(KeyAlgorithm::EcP256).unwrap()
}

fn plain(names: &[&str], key: &KeyPair) -> Vec<u8> {
    csr(names, key, &CsrOptions::default()).unwrap()
}

/// An order that is ready.
async fn ready(world: &World, client: &TestClient, names: &[&str]) -> Resource<Order> {
    let order = client.new_order(names).await.unwrap();
    let order = client.authorize(&order, &world.target).await.unwrap();
    assert_eq!(order.value.status, OrderStatus::Ready);
    order
}

/// The certificate that a request leads to.
async fn issue(client: &TestClient, order: &Resource<Order>, request: &[u8]) -> Certificate {
    let order = client.finalize(&order.value, request).await.unwrap();
    let order = client.issued(order).await.unwrap();
    let pem = client.certificate(order.value.certificate.as_deref().unwrap()).await.unwrap();
    CertificateChain::from_pem(&pem).unwrap().certificates()[0].clone()
}

/// Asserts that a request is refused and that the order is ready as before.
async fn assert_bad(client: &TestClient, order: &Resource<Order>, what: &str, request: &[u8]) {
    let answer = client.post(&order.value.finalize, &Finalize::new(request)).await.unwrap();
    assert_refused(what, &answer, 400, ProblemKind::BadCsr);
    assert_eq!(client.order(&order.url).await.unwrap().value.status, OrderStatus::Ready, "{what}");
}

// conformance: 8555-7.4-12
#[tokio::test]
async fn the_request_is_base64url_of_der() {
    let world = World::new().await;
    let client = world.client().await;
    let order = ready(&world, &client, &["a.localhost"]).await;
    let key = key();
    // A request whose base64url has a character that standard base64 does not.
    let (request, url) = std::iter::repeat_with(|| plain(&["a.localhost"], &key))
        .map(|request| (request.clone(), Finalize::new(&request).csr))
        .find(|(_, text)| text.contains(['-', '_']))
        .unwrap();
    let standard = url.replace('-', "+").replace('_', "/");
    let pem = certus_pki::pem::encode("CERTIFICATE REQUEST", &request);
    for payload in [
        json!({}),
        json!({ "csr": null }),
        json!({ "csr": 1 }),
        json!({ "CSR": url }),
        json!({ "csr": pem }),
        json!({ "csr": standard }),
        json!({ "csr": format!("{url}=") }),
        json!({ "csr": format!("{url}\n") }),
    ] {
        let answer = client.post(&order.value.finalize, &payload).await.unwrap();
        assert_malformed(&payload.to_string(), &answer);
    }
    assert_bad(&client, &order, "nothing", b"").await;
    assert_bad(&client, &order, "garbage", b"garbage").await;
    assert_bad(&client, &order, "trailing octets", &[request.as_slice(), b"!"].concat()).await;
    assert_bad(&client, &order, "half a request", &request[..request.len() / 2]).await;
    issue(&client, &order, &request).await;
}

// conformance: 8555-7.4-13 8555-7.4-15 8555-7.4-20 8555-7.4-21
#[tokio::test]
async fn the_names_are_the_orders_and_a_refusal_leaves_it_ready() {
    let world = World::new().await;
    let client = world.client().await;
    let order = ready(&world, &client, &["a.localhost", "b.localhost"]).await;
    let key = key();
    for (what, names) in [
        ("one missing", &["a.localhost"][..]),
        ("one more", &["a.localhost", "b.localhost", "c.localhost"]),
        ("another", &["a.localhost", "c.localhost"]),
        ("one beneath", &["a.localhost", "a.b.localhost"]),
        ("a wildcard", &["a.localhost", "*.localhost"]),
        ("none", &[]),
    ] {
        assert_bad(&client, &order, what, &plain(names, &key)).await;
    }
    let both = &["a.localhost", "b.localhost"];
    for (what, options) in [
        ("another common name", CsrOptions { common_name: Some("foo".to_owned()), ..CsrOptions::default() }),
        (
            "a common name not ordered",
            CsrOptions { common_name: Some("c.localhost".to_owned()), ..CsrOptions::default() },
        ),
        ("an address", CsrOptions { addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)], ..CsrOptions::default() }),
    ] {
        assert_bad(&client, &order, what, &csr(both, &key, &options).unwrap()).await;
    }
    issue(&client, &order, &plain(both, &key)).await;
}

// conformance: 8555-7.4-14
#[tokio::test]
async fn names_stand_where_they_like_in_any_order_and_case() {
    let world = World::new().await;
    let client = world.client().await;
    let wanted: BTreeSet<_> =
        ["a.localhost", "b.localhost"].map(|name| SubjectName::Dns(DnsName::parse(name).unwrap())).into();
    for (what, names_in, names) in [
        ("common names", NamesIn::CommonName, ["a.localhost", "b.localhost"]),
        ("alternative names", NamesIn::SubjectAltName, ["a.localhost", "b.localhost"]),
        ("both", NamesIn::Both, ["a.localhost", "b.localhost"]),
        ("shuffled", NamesIn::Both, ["b.localhost", "a.localhost"]),
        ("mixed case", NamesIn::Both, ["B.LocalHost", "A.LOCALHOST"]),
    ] {
        let order = ready(&world, &client, &["a.localhost", "b.localhost"]).await;
        let options = CsrOptions { names_in, ..CsrOptions::default() };
        let certificate = issue(&client, &order, &csr(&names, &key(), &options).unwrap()).await;
        assert_eq!(*certificate.subject_names(), wanted, "{what}");
    }
}

// conformance: 8555-7.4-16 8555-7.4-17 8555-7.4-19 8555-7.4-20
#[tokio::test]
async fn a_request_must_be_signed_by_its_key_and_be_well_formed() {
    let world = World::new().await;
    let client = world.client().await;
    let order = ready(&world, &client, &["a.localhost"]).await;
    let key = key();
    let with = |options: CsrOptions| csr(&["a.localhost"], &key, &options).unwrap();
    let flipped = with(CsrOptions { flip_signature_bit: true, ..CsrOptions::default() });
    assert_bad(&client, &order, "a flipped bit", &flipped).await;
    let other = KeyPair::generate(KeyAlgorithm::EcP256).unwrap().public_key().clone();
    let of_another = with(CsrOptions { public_key: Some(other), ..CsrOptions::default() });
    assert_bad(&client, &order, "another key", &of_another).await;
    for digest in ["sha1", "md5"] {
        assert_bad(&client, &order, digest, &requests::signed_with(digest, "a.localhost")).await;
    }
    let request = plain(&["a.localhost"], &key);
    assert_bad(&client, &order, "version 2", &requests::with_version(&request, 2, &key)).await;
    assert_bad(&client, &order, "two extension requests", &requests::with_attribute_twice(&request, &key)).await;
    let uri = CsrOptions { uris: vec!["https://a.localhost/".to_owned()], ..CsrOptions::default() };
    assert_bad(&client, &order, "a URI", &with(uri)).await;
    let mail = CsrOptions { mail_addresses: vec!["root@a.localhost".to_owned()], ..CsrOptions::default() };
    assert_bad(&client, &order, "a mail address", &with(mail)).await;
    // What makes these requests is right but for what is wrong with them.
    issue(&client, &order, &requests::with_version(&request, 0, &key)).await;
}

// conformance: 8555-7.4-18
#[tokio::test]
async fn extensions_are_never_copied() {
    let world = World::new().await;
    let client = world.client().await;
    // nameConstraints (2.5.29.30) that permit everything beneath example.com, and one that nobody knows.
    let constraints = CsrExtension::Other {
        id: vec![0x55, 0x1d, 0x1e],
        critical: true,
        value: vec![
            0x30, 0x11, 0xa0, 0x0f, 0x30, 0x0d, 0x82, 0x0b, b'e', b'x', b'a', b'm', b'p', b'l', b'e', b'.', b'c', b'o',
            b'm',
        ],
    };
    let unknown =
        CsrExtension::Other { id: vec![0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a], critical: false, value: vec![0x05, 0x00] };
    let name_constraints = ObjectIdentifier::new_unwrap("2.5.29.30");
    let private = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.42");
    let code_signing = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
    for extension in
        [CsrExtension::CaTrue, CsrExtension::CertificateSigning, CsrExtension::CodeSigning, constraints, unknown]
    {
        let what = format!("{extension:?}");
        let order = ready(&world, &client, &["a.localhost"]).await;
        let options = CsrOptions { extensions: vec![extension], ..CsrOptions::default() };
        let certificate = issue(&client, &order, &csr(&["a.localhost"], &key(), &options).unwrap()).await;
        assert!(!certificate.is_ca(), "{what}");
        assert_eq!(certificate.key_usage(KeyUsage::KeyCertSign), Some(false), "{what}");
        assert_eq!(certificate.key_usage(KeyUsage::CrlSign), Some(false), "{what}");
        assert!(!certificate.extended_key_usage().unwrap().contains(&code_signing), "{what}");
        assert!(certificate.extension(name_constraints).is_none(), "{what}");
        assert!(certificate.extension(private).is_none(), "{what}");
    }
}

// conformance: 8555-7.4-22 8555-7.4-23
#[tokio::test]
async fn no_account_key_is_certified() {
    let world = World::new().await;
    let client = world.client().await;
    let other = world.client().await;
    let order = ready(&world, &client, &["a.localhost"]).await;
    assert_bad(&client, &order, "the account's own key", &plain(&["a.localhost"], client.key())).await;
    assert_bad(&client, &order, "another account's key", &plain(&["a.localhost"], other.key())).await;
    issue(&client, &order, &plain(&["a.localhost"], &key())).await;
}

// conformance: 8555-7.4-24
#[tokio::test]
async fn only_a_ready_order_is_finalized() {
    let plan = SignerPlan::new();
    let signer = plan.clone();
    let world = World::with(move |setup| setup.signer = Box::new(move |inner| signer.wrap(inner))).await;
    let client = world.client().await;
    let request = plain(&["a.localhost"], &key());
    let refused = async |what: &str, order: &Resource<Order>| {
        let answer = client.post(&order.value.finalize, &Finalize::new(&request)).await.unwrap();
        assert_refused(what, &answer, 403, ProblemKind::OrderNotReady);
    };

    let pending = client.new_order(&["a.localhost"]).await.unwrap();
    refused("pending", &pending).await;
    assert_eq!(client.order(&pending.url).await.unwrap().value.status, OrderStatus::Pending);

    let invalid = client.new_order(&["a.localhost"]).await.unwrap();
    let url = &invalid.value.authorizations[0];
    client.post(url, &json!({ "status": "deactivated" })).await.unwrap();
    refused("invalid", &invalid).await;

    let order = ready(&world, &client, &["a.localhost"]).await;
    plan.next(&[SignerFault::Hold]);
    let (processing, ()) = tokio::join!(client.finalize(&order.value, &request), async {
        plan.held().await;
        refused("processing", &order).await;
        plan.release();
    });
    let valid = client.issued(processing.unwrap()).await.unwrap();
    refused("valid", &valid).await;
    assert_eq!(client.order(&valid.url).await.unwrap().value.status, OrderStatus::Valid);
}

// conformance: 8555-7.4-25
#[tokio::test]
async fn only_its_account_finalizes_an_order() {
    let world = World::new().await;
    let client = world.client().await;
    let other = world.client().await;
    let order = ready(&world, &client, &["a.localhost"]).await;
    let payload = Finalize::new(&plain(&["a.localhost"], &key()));
    let answer = other.post(&order.value.finalize, &payload).await.unwrap();
    assert_refused("another account", &answer, 403, ProblemKind::Unauthorized);
    let answer = other.post_as_get(&order.url).await.unwrap();
    assert_refused("another account", &answer, 403, ProblemKind::Unauthorized);
    assert_eq!(client.order(&order.url).await.unwrap().value.status, OrderStatus::Ready);
}

// conformance: 8555-7.4-26 8555-7.4-27
#[tokio::test]
async fn finalize_gives_the_order_back() {
    let world = World::new().await;
    let client = world.client().await;
    let order = ready(&world, &client, &["a.localhost"]).await;
    let finalized = client.finalize(&order.value, &plain(&["a.localhost"], &key())).await.unwrap();
    assert_eq!(finalized.answer.status, 200);
    assert_eq!(finalized.answer.location(), Some(order.url.as_str()));
    assert!(matches!(finalized.value.status, OrderStatus::Processing | OrderStatus::Valid), "{finalized:?}");
    assert_eq!(finalized.value.identifiers, order.value.identifiers);
    let valid = client.issued(finalized).await.unwrap();
    assert_eq!(valid.answer.location(), Some(order.url.as_str()));
    assert!(valid.value.certificate.unwrap().starts_with(&world.url("/acme/cert/")));
}

// conformance: 8555-7.1.6-07 8555-7.4-28
#[tokio::test]
async fn a_slow_signer_leaves_the_order_processing() {
    let plan = SignerPlan::new();
    let signer = plan.clone();
    let world = World::with(move |setup| setup.signer = Box::new(move |inner| signer.wrap(inner))).await;
    let client = world.client().await;
    let order = ready(&world, &client, &["a.localhost"]).await;
    plan.next(&[SignerFault::Hold]);
    let processing = client.finalize(&order.value, &plain(&["a.localhost"], &key())).await.unwrap();
    let read = client.order(&order.url).await.unwrap();
    for seen in [&processing, &read] {
        assert_eq!(seen.value.status, OrderStatus::Processing);
        assert!(seen.value.certificate.is_none());
        assert!(seen.answer.retry_after().is_some_and(|wait| !wait.is_zero()), "{:?}", seen.answer);
    }
    plan.release();
    let valid = client.issued(read).await.unwrap();
    assert_eq!(valid.value.status, OrderStatus::Valid);
    client.certificate(valid.value.certificate.as_deref().unwrap()).await.unwrap();
}

// conformance: 8555-7.4-29
#[tokio::test]
async fn an_order_that_cannot_be_signed_is_invalid_and_says_so() {
    let plan = SignerPlan::new();
    let signer = plan.clone();
    let world = World::with(move |setup| setup.signer = Box::new(move |inner| signer.wrap(inner))).await;
    let client = world.client().await;
    let order = ready(&world, &client, &["a.localhost"]).await;
    plan.next(&[SignerFault::Refuse; 3]);
    let failed = client.finalize(&order.value, &plain(&["a.localhost"], &key())).await.unwrap();
    assert_eq!(failed.value.status, OrderStatus::Invalid);
    assert!(failed.value.certificate.is_none());
    let error = failed.value.error.unwrap();
    assert_eq!(error.kind, ProblemKind::ServerInternal);
    // What the signer said is the operator's business.
    assert!(!error.detail.contains("refus") && error.detail.contains("new order"), "{error:?}");
}

// conformance: 8555-7.4-30
#[tokio::test]
async fn finalizing_twice_issues_once() {
    let plan = SignerPlan::new();
    let signer = plan.clone();
    let world = World::with(move |setup| setup.signer = Box::new(move |inner| signer.wrap(inner))).await;
    let client = world.client().await;
    let order = ready(&world, &client, &["a.localhost"]).await;
    let payload = Finalize::new(&plain(&["a.localhost"], &key()));
    let before = plan.messages().len();

    // At once, and again later.
    let url = &order.value.finalize;
    let (one, other) = tokio::join!(client.post(url, &payload), client.post(url, &payload));
    let statuses: BTreeSet<u16> = [one.unwrap().status, other.unwrap().status].into();
    assert_eq!(statuses, BTreeSet::from([200, 403]));
    let valid = client.issued(client.order(&order.url).await.unwrap()).await.unwrap();
    assert_refused("again", &client.post(url, &payload).await.unwrap(), 403, ProblemKind::OrderNotReady);
    assert_eq!(client.order(&order.url).await.unwrap().value.certificate, valid.value.certificate);
    assert_eq!(plan.messages().len(), before + 1);
}
