//! RFC 8555 sections 7.1.3, 7.1.4 and 7.1.6: orders and authorizations over their whole life.

use std::time::Duration;

use certus_acme::{AuthorizationStatus, ChallengeStatus, OrderStatus, ProblemKind};
use certus_pki::{KeyAlgorithm, KeyPair, Timestamp};
use certus_testkit::{CsrOptions, Reply, TestClient, csr};
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
async fn an_order_goes_from_pending_to_valid() {
    let world = World::new().await;
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
    let finalized = client.finalize(&made.value, &request(&names)).await.unwrap();
    client.issued(finalized).await.unwrap();
    look(&mut seen).await;
    assert_eq!(seen, ["pending", "pending", "ready", "valid"]);
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

// conformance: 8555-7.1.4-01 8555-7.1.6-06 8555-7.1.6-08
#[tokio::test]
async fn what_was_given_up_or_expired_ends_the_order() {
    let world = World::new().await;
    let client = world.client().await;
    let given_up = client.new_order(&["a.localhost"]).await.unwrap();
    let ready = client.authorize(&given_up, &world.target).await.unwrap();
    assert_eq!(ready.value.status, OrderStatus::Ready);
    let url = &given_up.value.authorizations[0];
    client.post(url, &json!({ "status": "deactivated" })).await.unwrap();
    assert_eq!(client.authorization(url).await.unwrap().value.status, AuthorizationStatus::Deactivated);
    assert_eq!(client.order(&given_up.url).await.unwrap().value.status, OrderStatus::Invalid);

    let forgotten = client.new_order(&["b.localhost"]).await.unwrap();
    let expired = client.authorize(&client.new_order(&["c.localhost"]).await.unwrap(), &world.target).await.unwrap();
    world.clock.advance(8 * DAY);
    client.forget_nonces();
    for order in [&forgotten, &expired] {
        let read = client.order(&order.url).await.unwrap().value;
        assert_eq!(read.status, OrderStatus::Invalid);
        let authorization = client.authorization(&read.authorizations[0]).await.unwrap().value;
        assert_eq!(authorization.status, AuthorizationStatus::Expired);
    }
}

// conformance: 8555-7.1.4-06 8555-7.1.4-07 8555-7.1.4-08 8555-7.1.4-10 8555-7.1.4-12
#[tokio::test]
async fn names_that_no_certificate_could_carry_are_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let long = format!("{}.localhost", "a".repeat(64));
    for (name, kind) in [
        ("a.localhost.", ProblemKind::Malformed),
        ("a_b.localhost", ProblemKind::Malformed),
        ("-a.localhost", ProblemKind::Malformed),
        ("a..localhost", ProblemKind::Malformed),
        ("", ProblemKind::Malformed),
        ("bücher.localhost", ProblemKind::Malformed),
        ("xn--99999999.localhost", ProblemKind::Malformed),
        ("ab--c.localhost", ProblemKind::Malformed),
        ("a.localhost:80", ProblemKind::Malformed),
        ("user@a.localhost", ProblemKind::Malformed),
        (&long, ProblemKind::Malformed),
        ("127.0.0.1", ProblemKind::RejectedIdentifier),
        ("*.a.localhost", ProblemKind::RejectedIdentifier),
    ] {
        let answer = client.post(&client.directory().new_order, &order_for(&[name])).await.unwrap();
        assert_refused(name, &answer, 400, kind);
    }
    let made = client.new_order(&["xn--bcher-kva.localhost"]).await.unwrap();
    assert_eq!(made.value.identifiers, [dns("xn--bcher-kva.localhost")]);
    let many: Vec<String> = (0..101).map(|number| format!("n{number}.localhost")).collect();
    for names in [Vec::new(), many.iter().map(String::as_str).collect()] {
        let answer = client.post(&client.directory().new_order, &order_for(&names)).await.unwrap();
        assert_refused("too few or too many", &answer, 400, ProblemKind::Malformed);
    }
}

// conformance: 8555-7.1.4-09
#[tokio::test]
async fn names_are_kept_in_lower_case() {
    let world = World::new().await;
    let client = world.client().await;
    let made = client.new_order(&["A.LocalHost", "a.localhost"]).await.unwrap();
    assert_eq!(made.value.identifiers, [dns("a.localhost")]);
    let ready = client.authorize(&made, &world.target).await.unwrap();
    let finalized = client.finalize(&ready.value, &request(&["A.localhost"])).await.unwrap();
    client.issued(finalized).await.unwrap();
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

// conformance: 8555-7.1.6-11
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
