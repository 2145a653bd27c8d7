//! RFC 8555 sections 8, 8.1 and 8.3: challenges and http-01, as a client and its web server see them.

use std::time::{Duration, Instant};

use certus_acme::{Authorization, AuthorizationStatus, ChallengeStatus, ProblemKind};
use certus_ca::audit::Action;
use certus_ca::state::ChallengeState;
use certus_pki::{KeyAlgorithm, KeyPair, Timestamp};
use certus_testkit::{RawHttp, Reply, Resource, TestClient};
use serde_json::Value;

use crate::common::World;

const WELL_KNOWN: &str = "/.well-known/acme-challenge/";

/// A new authorization for a name.
async fn authorization(client: &TestClient, name: &str) -> Resource<Authorization> {
    let order = client.new_order(&[name]).await.unwrap();
    client.authorization(&order.value.authorizations[0]).await.unwrap()
}

/// Has the first challenge answered with what `reply` makes of the token and the key authorization, and gives what
/// becomes of it.
async fn answered(
    world: &World,
    client: &TestClient,
    reply: impl FnOnce(&str, &str) -> Reply,
) -> certus_acme::Challenge {
    let authorization = authorization(client, "a.localhost").await;
    let challenge = &authorization.value.challenges[0];
    let text = client.key_authorization(&challenge.token).unwrap();
    world.target.answer_token(&challenge.token, reply(&challenge.token, &text));
    client.respond(&challenge.url).await.unwrap();
    // Whichever way it goes.
    drop(client.validated(&authorization.url).await);
    client.post_as_get(&challenge.url).await.unwrap().json().unwrap()
}

/// Asserts that such an answer is not accepted; the problem's detail.
async fn assert_fails(
    world: &World,
    client: &TestClient,
    what: &str,
    reply: impl FnOnce(&str, &str) -> Reply,
) -> String {
    let challenge = answered(world, client, reply).await;
    assert_eq!(challenge.status, ChallengeStatus::Invalid, "{what}");
    let error = challenge.error.unwrap();
    assert_eq!(error.kind, ProblemKind::IncorrectResponse, "{what}: {error:?}");
    error.detail
}

// conformance: 8555-8-01 8555-8-03
#[tokio::test]
async fn a_challenge_says_when_it_was_met() {
    let world = World::new().await;
    let client = world.client().await;
    let pending = authorization(&client, "a.localhost").await;
    for (challenge, kind) in pending.value.challenges.iter().zip(["http-01", "dns-01", "tls-alpn-01"]) {
        let seen: Value = client.post_as_get(&challenge.url).await.unwrap().json().unwrap();
        assert_eq!((seen["type"].as_str(), seen["url"].as_str()), (Some(kind), Some(challenge.url.as_str())));
        assert_eq!(seen["status"], "pending");
        assert!(seen.get("validated").is_none() && seen.get("error").is_none(), "{seen}");
    }
    let before = world.authority.ca.now().whole_seconds();
    let valid = client.validate(&pending, &world.target).await.unwrap().value;
    let [challenge] = valid.challenges.as_slice() else { panic!("the challenge that was met: {valid:?}") };
    let seen: Value = client.post_as_get(&challenge.url).await.unwrap().json().unwrap();
    assert_eq!(seen["status"], "valid");
    assert!(seen.get("error").is_none(), "{seen}");
    let validated = Timestamp::parse_rfc3339(seen["validated"].as_str().unwrap()).unwrap();
    assert!(validated >= before && validated <= world.authority.ca.now(), "{seen}");
}

// conformance: 8555-8.1-01
#[tokio::test]
async fn accounts_of_every_kind_of_key_prove_control() {
    let world = World::new().await;
    for algorithm in
        [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::EcP521, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa2048]
    {
        let client = world.stranger_with(algorithm).await;
        client.new_account().await.unwrap();
        client.obtain(&["a.localhost"], &world.target).await.unwrap();
    }
}

// conformance: 8555-8.1-02
#[tokio::test]
async fn coordinates_keep_their_leading_zeros_in_the_thumbprint() {
    let world = World::new().await;
    for first_octet in [64, 32] {
        // The last 64 octets of a P-256 key are x and y; one key in 256 has a zero in front.
        let key = std::iter::repeat_with(|| KeyPair::generate(KeyAlgorithm::EcP256).unwrap())
            .find(|key| key.public_key().spki_der().iter().rev().nth(first_octet - 1) == Some(&0))
            .unwrap();
        let http = RawHttp::trusting(&world.authority.root_pem).unwrap();
        let client = TestClient::with_key(http, &world.authority.directory_url, key).await.unwrap();
        client.new_account().await.unwrap();
        client.obtain(&["a.localhost"], &world.target).await.unwrap();
    }
}

// conformance: 8555-8.3-02
#[tokio::test]
async fn the_web_server_of_the_name_is_asked_for_the_token() {
    let world = World::new().await;
    let client = world.client().await;
    let authorization = authorization(&client, "a.localhost").await;
    client.validate(&authorization, &world.target).await.unwrap();
    let [request] = <[_; 1]>::try_from(world.target.requests()).unwrap();
    assert_eq!(request.method, "GET");
    assert_eq!(request.path, format!("{WELL_KNOWN}{}", authorization.value.challenges[0].token));
    assert_eq!(request.host, format!("a.localhost:{}", world.target.port()));
}

// conformance: 8555-8.3-04 8555-8.3-05
#[tokio::test]
async fn the_body_is_the_key_authorization() {
    let world = World::new().await;
    let client = world.client().await;
    for end in ["", "\n", "\r\n  ", "\t\n"] {
        let challenge = answered(&world, &client, |_, text| Reply::new(200, format!("{text}{end}"))).await;
        assert_eq!(challenge.status, ChallengeStatus::Valid, "{end:?}: {challenge:?}");
    }
    let other = world.client().await;
    assert_fails(&world, &client, "another account's", |token, _| {
        Reply::new(200, other.key_authorization(token).unwrap())
    })
    .await;
    assert_fails(&world, &client, "a space in front", |_, text| Reply::new(200, format!(" {text}"))).await;
    assert_fails(&world, &client, "more behind", |_, text| Reply::new(200, format!("{text} x"))).await;
    assert_fails(&world, &client, "more in front", |_, text| Reply::new(200, format!("x{text}"))).await;
    assert_fails(&world, &client, "another case", |_, text| Reply::new(200, text.to_uppercase())).await;
    assert_fails(&world, &client, "the token alone", |token, _| Reply::new(200, token.to_owned())).await;
    assert_fails(&world, &client, "nothing", |_, _| Reply::new(200, "")).await;
}

// conformance: 8555-8.3-06
#[tokio::test]
async fn only_a_successful_answer_counts() {
    let world = World::new().await;
    let client = world.client().await;
    for status in [404, 403, 500, 503] {
        let what = status.to_string();
        assert_fails(&world, &client, &what, |_, text| Reply::new(status, text.to_owned())).await;
    }
}

// conformance: 8555-8.3-07 8555-8.3-08 8555-8.3-09 8555-8.3-10
#[tokio::test]
async fn redirects_are_followed_as_far_as_they_may() {
    let world = World::new().await;
    let client = world.client().await;
    let port = world.target.port();
    for status in [301, 302, 307, 308] {
        for to in ["/elsewhere".to_owned(), "http://b.localhost/elsewhere".to_owned()] {
            let challenge = answered(&world, &client, |_, text| {
                world.target.answer("/elsewhere", Reply::new(200, text.to_owned()));
                Reply::redirect(status, &to)
            })
            .await;
            assert_eq!(challenge.status, ChallengeStatus::Valid, "{status} to {to}: {challenge:?}");
        }
    }
    for (status, to) in [
        (303, "/elsewhere".to_owned()),
        (302, format!("ftp://a.localhost:{port}/elsewhere")),
        (302, "file:///etc/passwd".to_owned()),
        (302, format!("http://b.localhost:{}/elsewhere", port.wrapping_add(1).max(1024))),
        (302, format!("http://127.0.0.1:{port}/elsewhere")),
    ] {
        let challenge = answered(&world, &client, |_, text| {
            world.target.answer("/elsewhere", Reply::new(200, text.to_owned()));
            Reply::redirect(status, &to)
        })
        .await;
        assert_eq!(challenge.status, ChallengeStatus::Invalid, "{status} to {to}");
        assert!(challenge.error.is_some());
    }
    world.target.forget_requests();
    let in_a_circle = |token: &str, _: &str| Reply::redirect(302, &format!("{WELL_KNOWN}{token}"));
    assert_eq!(answered(&world, &client, in_a_circle).await.status, ChallengeStatus::Invalid);
    assert!(world.target.requests().len() <= 11, "{}", world.target.requests().len());
}

// conformance: 8555-8.3-13
#[tokio::test]
async fn addresses_of_this_machine_are_refused_unless_permitted() {
    let world = World::with(|setup| setup.validation = Box::new(|config| config.permit.clear())).await;
    let client = world.client().await;
    let authorization = authorization(&client, "a.localhost").await;
    let challenge = &authorization.value.challenges[0];
    world.target.serve(&challenge.token, &client.key_authorization(&challenge.token).unwrap());
    client.respond(&challenge.url).await.unwrap();
    client.validated(&authorization.url).await.unwrap_err();
    assert_eq!(world.target.requests().len(), 0);
}

// conformance: 8555-8.3-16
#[tokio::test]
async fn a_problem_shows_little_of_what_was_fetched() {
    let world = World::new().await;
    let client = world.client().await;
    let page = format!("<html>\r\n\"secret\" {}", "0123456789".repeat(60));
    let detail = assert_fails(&world, &client, "a page", |_, _| Reply::new(200, page.clone())).await;
    assert!(detail.len() < 300 && !detail.contains(['\r', '\n']), "{detail}");
    assert!(!detail.contains(&"0123456789".repeat(15)), "{detail}");
}

// conformance: BR-4.2.1-03
#[tokio::test]
async fn what_was_seen_is_kept() {
    let world = World::new().await;
    let client = world.client().await;
    let authorization = authorization(&client, "a.localhost").await;
    client.validate(&authorization, &world.target).await.unwrap();
    let id = certus_ca::id::AuthorizationId::parse(authorization.url.rsplit('/').next().unwrap()).unwrap();
    let kept = world.authority.ca.store().authorization(id).await.unwrap().unwrap().value;
    let evidence = kept.challenges.into_iter().find_map(|challenge| match challenge.state {
        ChallengeState::Valid { evidence, .. } => Some(evidence),
        ChallengeState::Pending | ChallengeState::Processing { .. } | ChallengeState::Invalid { .. } => None,
    });
    let [seen] = <[_; 1]>::try_from(evidence.unwrap().perspectives).unwrap();
    let [hop] = <[_; 1]>::try_from(seen.hops).unwrap();
    let connected = hop.connected.unwrap();
    assert_eq!(connected.port(), world.target.port());
    assert!(hop.resolved.contains(&connected.ip()) && connected.ip().is_loopback(), "{hop:?}");
    assert!(hop.url.contains("a.localhost"), "{hop:?}");
}

/// A challenge once it shows this error, or none, with what Retry-After says.
async fn shown(client: &TestClient, url: &str, status: &str) -> (Value, Option<String>) {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    loop {
        look.tick().await;
        let answer = client.post_as_get(url).await.unwrap();
        let seen: Value = answer.json().unwrap();
        assert!(seen["status"] == "processing" || seen["status"] == status, "{seen}");
        if seen["status"] == status && (status == "valid" || seen.get("error").is_some()) {
            return (seen, answer.header("retry-after").map(str::to_owned));
        }
    }
}

// conformance: 8555-8.2-01 8555-8.2-02 8555-8.2-03 8555-8.2-04 8555-8.2-05
#[tokio::test]
async fn a_challenge_that_failed_is_tried_again() {
    let world = World::with(|setup| setup.retries = 3).await;
    let client = world.client().await;
    let authorization = authorization(&client, "a.localhost").await;
    let challenge = &authorization.value.challenges[0];
    let (token, url) = (&challenge.token, &challenge.url);
    world.target.answer_token(token, Reply::new(404, "not yet"));
    client.respond(url).await.unwrap();
    let first = Instant::now();
    let (seen, retry_after) = shown(&client, url, "processing").await;
    assert_eq!(seen["error"]["type"], "urn:ietf:params:acme:error:incorrectResponse", "{seen}");
    assert_eq!(retry_after.as_deref(), Some("5"));
    let waiting = client.authorization(&authorization.url).await.unwrap();
    assert_eq!(waiting.value.status, AuthorizationStatus::Pending);
    assert_eq!(waiting.answer.header("retry-after"), Some("5"));

    // A client in a hurry does not have it tried more often than that.
    for _ in 0..5 {
        client.respond(url).await.unwrap();
    }
    world.target.asked(2).await;
    assert!(first.elapsed() >= Duration::from_secs(5), "{:?}", first.elapsed());
    let retry_after = loop {
        let (_, retry_after) = shown(&client, url, "processing").await;
        if retry_after.as_deref() != Some("5") {
            break retry_after;
        }
    };
    assert_eq!((retry_after.as_deref(), world.target.requests().len()), (Some("10"), 2));

    // But after the time of the first try it is tried at once when the client says so.
    world.clock.advance(Duration::from_secs(5));
    world.target.answer_token(token, Reply::new(200, client.key_authorization(token).unwrap()));
    client.respond(url).await.unwrap();
    let (seen, _) = shown(&client, url, "valid").await;
    assert!(seen.get("error").is_none(), "{seen}");
    let audit = world.authority.ca.store().audit(None, 1000).await.unwrap().entries;
    let count = |action: Action| audit.iter().filter(|entry| entry.action == action.name()).count();
    let actions = [Action::ValidationRetried, Action::ValidationHurried, Action::AuthorizationSettled];
    assert_eq!((actions.map(count), world.target.requests().len()), ([2, 1, 1], 3));
}

// conformance: 8555-8.2-01
#[tokio::test]
async fn without_retries_a_failure_is_final() {
    let world = World::new().await;
    let client = world.client().await;
    assert_fails(&world, &client, "not there", |_, _| Reply::new(404, "not there")).await;
    assert_eq!(world.target.requests().len(), 1);
}
