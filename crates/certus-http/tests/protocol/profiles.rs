//! Profiles (draft-ietf-acme-profiles).

use certus_acme::{ChallengeType, NewOrder, ProblemKind};
use certus_pki::{KeyAlgorithm, KeyPair};
use certus_testkit::{CsrOptions, csr};
use serde_json::{Value, json};

use crate::common::{World, assert_refused, dns};

fn wish(profile: Option<&str>) -> NewOrder {
    NewOrder { identifiers: vec![dns("a.localhost")], profile: profile.map(str::to_owned), ..NewOrder::default() }
}

// conformance: PROF-3-01 PROF-4-01 PROF-4-04
#[tokio::test]
async fn the_directory_lists_profiles_and_orders_say_theirs() {
    let world = World::new().await;
    let client = world.client().await;
    let directory: Value = client.http().get(&world.authority.directory_url).await.unwrap().json().unwrap();
    assert_eq!(directory["meta"]["profiles"], json!({ "classic": "what servers need" }));
    for profile in [Some("classic"), None] {
        let order = client.new_order_with(&wish(profile)).await.unwrap();
        assert_eq!(order.value.profile.as_deref(), Some("classic"));
        assert_eq!(client.order(&order.url).await.unwrap().value.profile.as_deref(), Some("classic"));
    }
}

// conformance: PROF-4-02
#[tokio::test]
async fn a_profile_that_is_not_offered_is_refused() {
    let world = World::new().await;
    let client = world.client().await;
    for profile in ["nope", "", "Classic", "authority-tls"] {
        let answer = client.post(&client.directory().new_order, &wish(Some(profile))).await.unwrap();
        let problem = assert_refused(profile, &answer, 400, ProblemKind::InvalidProfile);
        assert!(problem.detail.contains("classic"), "{problem:?}");
    }
}

// conformance: PROF-4-03
#[tokio::test]
async fn a_profile_is_for_what_its_challenges_can_prove() {
    let world = World::with(|setup| setup.challenges = vec![ChallengeType::Http01]).await;
    let client = world.client().await;
    let order = json!({ "identifiers": [dns("*.a.localhost")], "profile": "classic" });
    let answer = client.post(&client.directory().new_order, &order).await.unwrap();
    assert_refused("a wildcard without dns-01", &answer, 400, ProblemKind::InvalidProfile);
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let authorization = client.authorization(&order.value.authorizations[0]).await.unwrap().value;
    let offered: Vec<_> = authorization.challenges.iter().map(|challenge| challenge.kind.as_str()).collect();
    assert_eq!(offered, ["http-01"]);
}

// conformance: PROF-4-05
#[tokio::test]
async fn a_profile_that_was_withdrawn_is_no_longer_issued_by() {
    let world = World::new().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let order = client.authorize(&order, &world.target).await.unwrap();
    let id = order.url.rsplit('/').next().unwrap().to_owned();
    let key = client.key().clone();
    let world = world.restarted_with(|setup| setup.profile = "other".to_owned()).await;
    let client = certus_testkit::TestClient::with_key(
        certus_testkit::RawHttp::trusting(&world.authority.root_pem).unwrap(),
        &world.authority.directory_url,
        key,
    );
    let client = client.await.unwrap();
    client.new_account().await.unwrap();
    let order = client.order(&world.url(&format!("/acme/order/{id}"))).await.unwrap();
    assert_eq!(order.value.profile.as_deref(), Some("classic"), "what was ordered");
    let leaf = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let request = csr(&["a.localhost"], &leaf, &CsrOptions::default()).unwrap();
    let payload = json!({ "csr": certus_acme::base64url::encode(&request) });
    let answer = client.post(&order.value.finalize, &payload).await.unwrap();
    assert_refused("a withdrawn profile", &answer, 400, ProblemKind::InvalidProfile);
}
