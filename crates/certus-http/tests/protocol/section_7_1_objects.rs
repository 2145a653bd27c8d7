//! RFC 8555 sections 7.1.3, 7.1.4 and 7.1.6: orders and authorizations over their whole life.

use std::time::Duration;

use certus_acme::{AuthorizationStatus, ChallengeStatus, Finalize, Order, OrderStatus, ProblemKind};
use certus_pki::{CertificateChain, DnsName, KeyAlgorithm, KeyPair, SubjectName, Timestamp};
use certus_testkit::{CsrOptions, Reply, Resource, SignerFault, SignerPlan, TestClient, csr};
use serde_json::{Value, json};

use crate::common::{World, assert_refused, dns, order_for};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn request(names: &[&str]) -> Vec<u8> {
    csr(names, &KeyPair::generate(KeyAlgorithm::EcP256).unwrap(), &CsrOptions::default()).unwrap()
}

/// The members of an order that never change.
fn fixed(order: &Value) -> [Value; 3] {
    ["identifiers", "authorizations", "finalize"].map(|member| order[member].clone())
}

async fn read(client: &TestClient, url: &str) -> Value {
    let answer = client.post_as_get(url).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json().unwrap()
}

// conformance: 8555-7.1.3-01 8555-7.1.3-02 8555-7.1.3-03 8555-7.1.3-04 8555-7.1.3-05 8555-7.1.3-06 8555-7.1.3-08
// conformance: 8555-7.1.6-05 8555-7.1.6-07
#[tokio::test]
async fn an_order_goes_from_pending_over_ready_and_processing_to_valid() {
    let plan = SignerPlan::new();
    let signer = plan.clone();
    let world = World::with(move |setup| setup.signer = Box::new(move |inner| signer.wrap(inner))).await;
    let client = world.client().await;
    let names = ["b.localhost", "a.localhost"];
    let made = client.new_order(&names).await.unwrap();
    let first: Value = made.answer.json().unwrap();
    assert_eq!(first["identifiers"], json!([dns("b.localhost"), dns("a.localhost")]));
    for url in first["authorizations"].as_array().unwrap() {
        assert_eq!(read(&client, url.as_str().unwrap()).await["status"], "pending");
    }
    let mut seen = vec![first["status"].clone()];
    let look = async |seen: &mut Vec<Value>| {
        let order = read(&client, &made.url).await;
        assert_eq!(fixed(&order), fixed(&first));
        let expires = Timestamp::parse_rfc3339(order["expires"].as_str().unwrap()).unwrap();
        assert!(expires > certus_pki::Clock::now(&world.clock), "{order}");
        assert_eq!(order.get("certificate").is_some(), order["status"] == "valid", "{order}");
        assert!(order.get("error").is_none(), "{order}");
        seen.push(order["status"].clone());
    };
    let mut urls = made.value.authorizations.iter();
    let one = client.authorization(urls.next().unwrap()).await.unwrap();
    client.validate(&one, &world.target).await.unwrap();
    look(&mut seen).await;
    let other = client.authorization(urls.next().unwrap()).await.unwrap();
    client.validate(&other, &world.target).await.unwrap();
    look(&mut seen).await;
    plan.next(&[SignerFault::Hold]);
    let request = request(&names);
    let (finalized, ()) = tokio::join!(client.finalize(&made.value, &request), async {
        plan.held().await;
        look(&mut seen).await;
        plan.release();
    });
    client.issued(finalized.unwrap()).await.unwrap();
    look(&mut seen).await;
    assert_eq!(seen, ["pending", "pending", "ready", "processing", "valid"]);
    let certificate = read_certificate(&client, &read(&client, &made.url).await).await;
    assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"));
}

async fn read_certificate(client: &TestClient, order: &Value) -> String {
    let url = order["certificate"].as_str().unwrap();
    assert!(url.starts_with("https://"), "{url}");
    client.certificate(url).await.unwrap()
}

// conformance: 8555-7.1.4-02 8555-7.1.4-03 8555-7.1.4-05 8555-7.1.6-01 8555-7.1.6-02
#[tokio::test]
async fn an_authorization_that_was_met_shows_how() {
    let world = World::new().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let pending = client.authorization(&order.value.authorizations[0]).await.unwrap();
    assert!(pending.value.challenges.iter().all(|one| one.status == ChallengeStatus::Pending));
    client.validate(&pending, &world.target).await.unwrap();
    let valid = read(&client, &pending.url).await;
    assert_eq!(valid["status"], "valid");
    assert!(valid.get("wildcard").is_none_or(|wildcard| *wildcard == json!(false)), "{valid}");
    let expires = Timestamp::parse_rfc3339(valid["expires"].as_str().unwrap()).unwrap();
    assert!(expires > certus_pki::Clock::now(&world.clock));
    let [challenge] = valid["challenges"].as_array().unwrap().as_slice() else { panic!("{valid}") };
    assert_eq!((&challenge["status"], &challenge["type"]), (&json!("valid"), &json!("http-01")));
    assert!(Timestamp::parse_rfc3339(challenge["validated"].as_str().unwrap()).is_ok());
}

// conformance: 8555-7.1.3-07 8555-7.1.4-04 8555-7.1.6-03 8555-7.1.6-04 8555-7.1.6-06
#[tokio::test]
async fn a_challenge_that_failed_ends_authorization_and_order_for_good() {
    let world = World::new().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost", "b.localhost"]).await.unwrap();
    let authorization = client.authorization(&order.value.authorizations[0]).await.unwrap();
    let challenge = &authorization.value.challenges[0];
    world.target.answer_token(&challenge.token, Reply::new(200, "something else"));
    client.respond(&challenge.url).await.unwrap();
    assert!(client.validated(&authorization.url).await.is_err());
    let invalid = read(&client, &authorization.url).await;
    assert_eq!(invalid["status"], "invalid");
    assert_eq!(invalid["challenges"][0]["status"], "invalid");
    assert_eq!(invalid["challenges"][0]["error"]["type"], ProblemKind::IncorrectResponse.urn());
    let failed = read(&client, &order.url).await;
    assert_eq!(failed["status"], "invalid");
    assert_eq!(failed["error"]["type"], ProblemKind::IncorrectResponse.urn());
    assert!(failed["finalize"].is_string(), "{failed}");
    // Final: the right answer comes too late.
    let text = client.key_authorization(&challenge.token).unwrap();
    world.target.answer_token(&challenge.token, Reply::new(200, text));
    drop(client.respond(&challenge.url).await);
    assert_eq!(read(&client, &authorization.url).await, invalid);
    assert_eq!(read(&client, &order.url).await["status"], "invalid");
}

/// An order for one name that is ready.
async fn ready(world: &World, client: &TestClient, name: &str) -> Resource<Order> {
    let order = client.new_order(&[name]).await.unwrap();
    let order = client.authorize(&order, &world.target).await.unwrap();
    assert_eq!(order.value.status, OrderStatus::Ready);
    order
}

async fn give_up(client: &TestClient, order: &Resource<Order>) {
    let url = &order.value.authorizations[0];
    assert_eq!(client.post(url, &json!({ "status": "deactivated" })).await.unwrap().status, 200);
    assert_eq!(client.authorization(url).await.unwrap().value.status, AuthorizationStatus::Deactivated);
}

/// Asserts that an order says why it is invalid and can no longer be finalized.
async fn assert_over(client: &TestClient, order: &Resource<Order>, name: &str) {
    let read = client.order(&order.url).await.unwrap().value;
    assert_eq!(read.status, OrderStatus::Invalid, "{read:?}");
    assert!(read.error.is_some_and(|error| error.detail.len() > 10), "it does not say why");
    let answer = client.post(&read.finalize, &Finalize::new(&request(&[name]))).await.unwrap();
    assert_refused("finalize", &answer, 403, ProblemKind::OrderNotReady);
}

// conformance: 8555-7.1.4-01 8555-7.1.6-06 8555-7.1.6-08
#[tokio::test]
async fn what_was_given_up_or_expired_ends_the_order() {
    let world = World::new().await;
    let client = world.client().await;
    let given_up = [client.new_order(&["a.localhost"]).await.unwrap(), ready(&world, &client, "a.localhost").await];
    for order in &given_up {
        give_up(&client, order).await;
        assert_over(&client, order, "a.localhost").await;
    }
    let forgotten = client.new_order(&["b.localhost"]).await.unwrap();
    let expired = ready(&world, &client, "c.localhost").await;
    world.clock.advance(8 * DAY);
    client.forget_nonces();
    for (order, name) in [(&forgotten, "b.localhost"), (&expired, "c.localhost")] {
        assert_over(&client, order, name).await;
        let authorization = client.authorization(&order.value.authorizations[0]).await.unwrap().value;
        assert_eq!(authorization.status, AuthorizationStatus::Expired);
    }
}

// conformance: 8555-7.1.6-06
#[tokio::test]
async fn an_order_that_is_valid_stays_so_whatever_becomes_of_its_authorization() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let url = issued.order.value.certificate.clone();
    let is_as_before = async || {
        let read = client.order(&issued.order.url).await.unwrap().value;
        assert_eq!((read.status, &read.certificate), (OrderStatus::Valid, &url));
        assert!(read.error.is_none(), "{read:?}");
        assert_eq!(client.certificate(url.as_deref().unwrap()).await.unwrap(), issued.chain_pem);
    };
    give_up(&client, &issued.order).await;
    is_as_before().await;
    // And when its authorization would have expired.
    world.clock.advance(8 * DAY);
    client.forget_nonces();
    is_as_before().await;
}

/// What no host can be called.
const MALFORMED: [&str; 37] = [
    "xn--a.localhost",
    "",
    " ",
    ".",
    "a.localhost.",
    ".localhost",
    "a..localhost",
    "-a.localhost",
    "a-.localhost",
    "a_b.localhost",
    "_acme-challenge.localhost",
    "a b.localhost",
    " a.localhost",
    "a.localhost ",
    "a.localhost\n",
    "a.localhost\0",
    "a.localhost:80",
    "a.localhost/",
    "https://a.localhost",
    "user@a.localhost",
    "a,b.localhost",
    "a*.localhost",
    "*a.localhost",
    "a.*.localhost",
    "**.localhost",
    "bücher.localhost",
    "ａ.localhost",
    "a。localhost",
    "ab--c.localhost",
    "xn--.localhost",
    "xn--0.localhost",
    "xn--99999999.localhost",
    "xn--abc-.localhost",
    "XN--0.localhost",
    "[::1]",
    "fe80::1%eth0",
    "127.0.0.1/8",
];

/// What is no host name, although well-formed: addresses in all their spellings, and wildcards of nothing.
const REJECTED: [&str; 12] = [
    "127.0.0.1",
    "192.0.2.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0x7f000001",
    "a.1",
    "::1",
    "::ffff:192.0.2.1",
    "2001:db8::1",
    "*",
    "*.*.localhost",
];

/// Asserts that a name is not ordered, neither alone nor beside a good one: nothing is ordered in part.
async fn assert_not_ordered(client: &TestClient, name: &str, kind: ProblemKind) {
    for names in [&[name][..], &["a.localhost", name]] {
        let answer = client.post(&client.directory().new_order, &order_for(names)).await.unwrap();
        assert_refused(name, &answer, 400, kind);
        assert!(answer.location().is_none(), "{name}: {answer:?}");
    }
}

// conformance: 8555-7.1.4-06 8555-7.1.4-07 8555-7.1.4-08 8555-7.1.4-10 8555-7.1.4-12
#[tokio::test]
async fn names_that_no_certificate_could_carry_are_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let label = format!("{}.localhost", "a".repeat(64));
    let longest = format!("{}localhost", "a.".repeat(122));
    let name = format!("a{longest}");
    assert_eq!((longest.len(), name.len()), (253, 254));
    for name in MALFORMED.into_iter().chain([label.as_str(), &name]) {
        assert_not_ordered(&client, name, ProblemKind::Malformed).await;
    }
    for name in REJECTED {
        assert_not_ordered(&client, name, ProblemKind::RejectedIdentifier).await;
    }
    // The longest that may be.
    let label = format!("{}.localhost", "a".repeat(63));
    let made = client.new_order(&[&longest, &label]).await.unwrap();
    assert_eq!(made.value.identifiers, [dns(&longest), dns(&label)]);
    for name in ["xn--bcher-kva.localhost", "xn--80ak6aa92e.localhost"] {
        assert_eq!(client.new_order(&[name]).await.unwrap().value.identifiers, [dns(name)]);
    }
    let many: Vec<String> = (0..101).map(|number| format!("n{number}.localhost")).collect();
    for names in [Vec::new(), many.iter().map(String::as_str).collect()] {
        let answer = client.post(&client.directory().new_order, &order_for(&names)).await.unwrap();
        assert_refused("too few or too many", &answer, 400, ProblemKind::Malformed);
    }
}

// conformance: 8555-7.1.4-06 8555-7.1.4-07 8555-7.1.4-09
#[tokio::test]
async fn names_are_compared_and_certified_in_lower_case() {
    let world = World::new().await;
    let client = world.client().await;
    for (ordered, name) in [("A.LocalHost", "a.localhost"), ("XN--Bcher-KVA.localhost", "xn--bcher-kva.localhost")] {
        let made = client.new_order(&[ordered, name]).await.unwrap();
        assert_eq!(made.value.identifiers, [dns(name)]);
        let [url] = made.value.authorizations.as_slice() else { panic!("one authorization: {made:?}") };
        assert_eq!(client.authorization(url).await.unwrap().value.identifier, dns(name));
        let ready = client.authorize(&made, &world.target).await.unwrap();
        let finalized = client.finalize(&ready.value, &request(&[ordered])).await.unwrap();
        let valid = client.issued(finalized).await.unwrap();
        let pem = client.certificate(valid.value.certificate.as_deref().unwrap()).await.unwrap();
        let chain = CertificateChain::from_pem(&pem).unwrap();
        let leaf = &chain.certificates()[0];
        assert_eq!(*leaf.subject_names(), [SubjectName::Dns(DnsName::parse(name).unwrap())].into());
        // In its very octets: reading a name folds its case.
        let holds = |text: &str| leaf.der().windows(text.len()).any(|octets| octets == text.as_bytes());
        assert!(holds(name) && !holds(ordered), "{ordered}");
    }
}

// conformance: 8555-7.1.6-10
#[tokio::test(flavor = "multi_thread")]
async fn of_requests_at_once_one_begins_issuing() {
    let world = World::new().await;
    let client = world.client().await;
    let made = client.new_order(&["a.localhost"]).await.unwrap();
    let ready = client.authorize(&made, &world.target).await.unwrap();
    let finalize = json!({ "csr": certus_acme::base64url::encode(&request(&["a.localhost"])) });
    let (one, other) =
        tokio::join!(client.post(&ready.value.finalize, &finalize), client.post(&ready.value.finalize, &finalize));
    let mut statuses = [one.unwrap().status, other.unwrap().status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403]);
    client.issued(client.order(&made.url).await.unwrap()).await.unwrap();
    let kept = world.authority.ca.store().certificates(Some("a.localhost"), None, 10).await.unwrap();
    assert_eq!(kept.entries.len(), 1);
}

/// In good order; what a kill leaves is seen by `certus-chaos`.
#[tokio::test(flavor = "multi_thread")]
async fn every_stage_survives_a_restart() {
    let mut world = World::new().await;
    let mut client = world.client().await;
    let made = client.new_order(&["a.localhost"]).await.unwrap();
    let path = |url: &str| url.split_at(url.find("/acme/").unwrap()).1.to_owned();
    let order = path(&made.url);
    let mut seen = Vec::new();
    for stage in 0..3 {
        let key = client.key().to_pkcs8();
        world = world.restarted().await;
        let http = certus_testkit::RawHttp::trusting(&world.authority.root_pem).unwrap();
        let key = KeyPair::from_pkcs8(&key).unwrap();
        client = TestClient::with_key(http, &world.authority.directory_url, key).await.unwrap();
        client.new_account().await.unwrap();
        let found = client.order(&world.url(&order)).await.unwrap();
        seen.push(found.value.status);
        if stage == 0 {
            client.authorize(&found, &world.target).await.unwrap();
        } else if stage == 1 {
            let finalized = client.finalize(&found.value, &request(&["a.localhost"])).await.unwrap();
            client.issued(finalized).await.unwrap();
        }
    }
    assert_eq!(seen, [OrderStatus::Pending, OrderStatus::Ready, OrderStatus::Valid]);
}
