//! RFC 8555 section 6.7: errors, and RFC 9457 which draws them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use certus_acme::{ChallengeStatus, OrderStatus, ProblemKind, RawIdentifier};
use certus_pki::{Clock, DnsName, KeyAlgorithm, KeyPair, SystemClock, Timestamp};
use certus_testkit::{CsrOptions, FaultyStore, Reply, TestClient, csr};
use serde_json::{Value, json};

use crate::common::{World, assert_malformed, assert_refused, dns, order_for};

// conformance: 8555-6.7-01 8555-6.7-03 8555-6.7-05 8555-6.7-07 8555-6.7-18 8555-6.7-20 8555-6.7-25 8555-6.7-26
// conformance: 8555-6.7-27 8555-6.7.1-03
// conformance: 9457-3-01 9457-3-02
#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_a_problem_document_of_its_type() {
    let world = World::new().await;
    let (client, other, stranger) = (world.client().await, world.client().await, world.stranger().await);
    let directory = client.directory().clone();
    let account = client.account_url().unwrap();
    let pending = client.new_order(&["p.localhost"]).await.unwrap();
    let ready = client.new_order(&["r.localhost"]).await.unwrap();
    let ready = client.authorize(&ready, &world.target).await.unwrap();
    assert_eq!(ready.value.status, OrderStatus::Ready);
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let request = |name: &str| {
        let der = csr(&[name], &key, &CsrOptions::default()).unwrap();
        json!({ "csr": certus_acme::base64url::encode(&der) })
    };
    let foo = json!({ "identifiers": [{ "type": "foo", "value": "a.localhost" }] });
    let contact = |url: &str| json!({ "contact": [url] });

    let table: [(&TestClient, &str, Value, u16, ProblemKind); 11] = [
        (
            &stranger,
            &directory.new_account,
            json!({ "onlyReturnExisting": true }),
            400,
            ProblemKind::AccountDoesNotExist,
        ),
        (&client, &ready.value.finalize, request("other.localhost"), 400, ProblemKind::BadCsr),
        (&client, &pending.value.finalize, request("p.localhost"), 403, ProblemKind::OrderNotReady),
        (&other, &ready.value.finalize, request("r.localhost"), 403, ProblemKind::Unauthorized),
        (&client, &account, contact("mailto:not-an-address"), 400, ProblemKind::InvalidContact),
        (&stranger, &directory.new_account, contact("tel:+15550100"), 400, ProblemKind::UnsupportedContact),
        (&client, &directory.new_order, foo, 400, ProblemKind::UnsupportedIdentifier),
        (&client, &directory.new_order, order_for(&["127.0.0.1"]), 400, ProblemKind::RejectedIdentifier),
        (&client, &directory.new_order, order_for(&[]), 400, ProblemKind::Malformed),
        (&client, &directory.new_order, json!({ "identifiers": 1 }), 400, ProblemKind::Malformed),
        (&client, &account, json!({ "status": "revoked" }), 400, ProblemKind::Malformed),
    ];
    for (who, url, payload, status, kind) in table {
        let answer = who.post(url, &payload).await.unwrap();
        assert_refused(&format!("{payload} to {url}"), &answer, status, kind);
        let document: Value = answer.json().unwrap();
        assert!(document["type"].as_str().unwrap().starts_with("urn:ietf:params:acme:error:"), "{document}");
        assert_eq!(document.get("identifier"), None, "{document}");
        for member in ["title", "instance"] {
            assert!(document.get(member).is_none_or(Value::is_string), "{document}");
        }
        assert!(document["detail"].is_string() && document["status"].is_u64(), "{document}");
    }
    // And what was refused can still be done rightly.
    let order = client.finalize(&ready.value, &csr(&["r.localhost"], &key, &CsrOptions::default()).unwrap()).await;
    client.issued(order.unwrap()).await.unwrap();
}

// conformance: 8555-6.7-17
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_answer_to_a_challenge_is_an_incorrect_response() {
    let world = World::new().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let url = order.value.authorizations.first().unwrap();
    let authorization = client.authorization(url).await.unwrap();
    for challenge in &authorization.value.challenges {
        world.target.answer_token(&challenge.token, Reply::new(200, "not-it-at-all"));
    }
    client.validate(&authorization, &world.target).await.unwrap_err();
    let challenge = client.authorization(url).await.unwrap().value.challenges.remove(0);
    assert_eq!(challenge.status, ChallengeStatus::Invalid);
    let problem = challenge.error.unwrap();
    assert_eq!(problem.kind, ProblemKind::IncorrectResponse);
    assert!(!problem.detail.contains("not-it-at-all"), "{problem:?}");
}

// conformance: 8555-6.7-24
#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_fails_is_an_error_of_tls() {
    // Where https is to be, plain HTTP is spoken.
    let world = World::with(|setup| setup.validation = Box::new(|config| config.https_port = config.http_port)).await;
    let client = world.client().await;
    // The same page is good over http, so that it is the handshake that fails.
    for (scheme, kind) in [("https", Some(ProblemKind::Tls)), ("http", None)] {
        let order = client.new_order(&["a.localhost"]).await.unwrap();
        let authorization = client.authorization(&order.value.authorizations[0]).await.unwrap();
        let challenge = &authorization.value.challenges[0];
        world.target.answer("/proof", Reply::new(200, client.key_authorization(&challenge.token).unwrap()));
        world.target.answer_token(&challenge.token, Reply::redirect(302, &format!("{scheme}://b.localhost/proof")));
        client.respond(&challenge.url).await.unwrap();
        // Whichever way it goes.
        drop(client.validated(&authorization.url).await);
        let challenge = client.authorization(&authorization.url).await.unwrap().value.challenges.remove(0);
        assert_eq!(challenge.error.map(|error| error.kind), kind, "{scheme}");
        let order = client.order(&order.url).await.unwrap().value;
        assert_eq!(order.error.map(|error| error.kind), kind, "{scheme}");
    }
}

// conformance: 8555-6.7-04
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let world = World::new().await;
    let client = world.client().await;
    let absent = "AAAAAAAAAAAAAAAAAAAAAA";
    for path in ["/acme/order", "/acme/authz", "/acme/chall", "/acme/cert"] {
        for id in [absent, "x", "AAAAAAAAAAAAAAAAAAAAAB", "%00", "..", "%c3%28"] {
            let answer = client.post_as_get(&world.url(&format!("{path}/{id}"))).await.unwrap();
            assert_refused(&format!("{path}/{id}"), &answer, 404, ProblemKind::Malformed);
        }
    }
    for path in ["/", "/acme", "/acme/", "/acme/order/", "/directory/", "/acme/new-nonce/x", "/acme/revoke-cert/x"] {
        let answer = client.post_as_get(&world.url(path)).await.unwrap();
        assert_refused(path, &answer, 404, ProblemKind::Malformed);
        let answer = client.http().get(&world.url(path)).await.unwrap();
        assert_refused(path, &answer, 404, ProblemKind::Malformed);
    }
}

// conformance: 8555-6.7-13 8555-6.7-22 8555-6.7.1-01 8555-6.7.1-02
#[tokio::test(flavor = "multi_thread")]
async fn every_identifier_at_fault_has_a_subproblem() {
    let world = World::new().await;
    let client = world.client().await;
    let url = &client.directory().new_order;
    let refused =
        async |identifiers: &[RawIdentifier]| client.post(url, &json!({ "identifiers": identifiers })).await.unwrap();

    let (address, wildcard) = (dns("127.0.0.1"), dns("*.*.localhost"));
    let answer = refused(&[address.clone(), dns("good.localhost"), wildcard.clone()]).await;
    let problem = assert_refused("two rejected", &answer, 400, ProblemKind::RejectedIdentifier);
    let named: Vec<_> = problem.subproblems.iter().map(|one| (one.kind, one.identifier.clone())).collect();
    let rejected = ProblemKind::RejectedIdentifier;
    assert_eq!(named, [(rejected, Some(address.clone())), (rejected, Some(wildcard))]);
    assert!(problem.subproblems.iter().all(|one| one.detail.len() > 10), "{problem:?}");

    let foo = RawIdentifier { kind: "foo".to_owned(), value: "Bar".to_owned() };
    let bad = dns("a_b.localhost");
    let answer = refused(&[foo.clone(), address.clone(), bad.clone(), dns("good.localhost")]).await;
    let problem = assert_refused("three kinds", &answer, 400, ProblemKind::Compound);
    let named: Vec<_> = problem.subproblems.into_iter().map(|one| (one.kind, one.identifier.unwrap())).collect();
    let expected = [
        (ProblemKind::UnsupportedIdentifier, foo),
        (ProblemKind::RejectedIdentifier, address),
        (ProblemKind::Malformed, bad),
    ];
    assert_eq!(named, expected);
}

// conformance: 8555-6.7-22
#[tokio::test(flavor = "multi_thread")]
async fn a_name_beyond_the_issuers_constraints_is_rejected() {
    let world = World::with(|setup| setup.permitted = vec![DnsName::parse("localhost").unwrap()]).await;
    let client = world.client().await;
    let url = &client.directory().new_order;
    let answer = client.post(url, &order_for(&["a.example.com"])).await.unwrap();
    let problem = assert_refused("beyond", &answer, 400, ProblemKind::RejectedIdentifier);
    assert_eq!(problem.subproblems.first().unwrap().identifier, Some(dns("a.example.com")));
    client.obtain(&["a.localhost"], &world.target).await.unwrap();
}

// conformance: 8555-6.7-23
// conformance: 9457-3-04
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_our_own_says_nothing_of_our_insides() {
    let world = World::with(|setup| {
        let faults = vec!["open_order:before:error".parse().unwrap()];
        setup.store = Arc::new(FaultyStore::new(Arc::clone(&setup.store), faults));
    })
    .await;
    let client = world.client().await;
    let url = &client.directory().new_order;
    let answer = client.post(url, &order_for(&["a.localhost"])).await.unwrap();
    // 503 and not 500: the store may be there again when the client comes again.
    let problem = assert_refused("the store fails", &answer, 503, ProblemKind::ServerInternal);
    assert!(answer.retry_after().is_some(), "{answer:?}");
    for inside in ["fault", "open_order", "sqlite", "/"] {
        assert!(!problem.detail.contains(inside), "{problem:?}");
    }
    client.obtain(&["a.localhost"], &world.target).await.unwrap();
}

/// A clock that panics once after it was told to: what no code of ours should do, in the midst of a request.
#[derive(Debug)]
struct BrokenClock(Arc<AtomicBool>);

impl Clock for BrokenClock {
    fn now(&self) -> Timestamp {
        assert!(!self.0.swap(false, Ordering::SeqCst), "the clock is broken");
        SystemClock.now()
    }
}

// conformance: 8555-6.7-23
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_one_request_and_no_other() {
    let broken = Arc::new(AtomicBool::new(false));
    let clock = Arc::new(BrokenClock(Arc::clone(&broken)));
    let world = World::with(|setup| (setup.clock, setup.duties) = (clock, false)).await;
    let client = world.client().await;
    let url = &client.directory().new_order;
    let forge = client.forge(url, order_for(&["a.localhost"]).to_string()).await.unwrap();
    broken.store(true, Ordering::SeqCst);
    let before = client.http().connections_opened();
    let answer = client.send(url, forge.body().unwrap()).await.unwrap();
    let problem = assert_refused("a panic", &answer, 500, ProblemKind::ServerInternal);
    assert!(!problem.detail.contains("clock"), "{problem:?}");
    client.new_order(&["a.localhost"]).await.unwrap();
    assert_eq!(client.http().connections_opened(), before);
}

/// RFC 9110 section 15.5.6 and the like: methods, too, are refused by a problem document.
#[tokio::test(flavor = "multi_thread")]
async fn a_method_nobody_knows_is_refused() {
    let world = World::new().await;
    let client = world.client().await;
    for method in ["TRACE", "CONNECTED", "PROPFIND", "post"] {
        let answer = client.http().send(method, &client.directory().new_order, &[], "").await.unwrap();
        assert_refused(method, &answer, 405, ProblemKind::Malformed);
    }
    assert_malformed("newOrder", &client.post(&client.directory().new_order, &json!({})).await.unwrap());
}
