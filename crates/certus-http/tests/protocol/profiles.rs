//! Profiles (draft-ietf-acme-profiles).

use std::time::Duration;

use certus_acme::{ChallengeType, NewOrder, ProblemKind};
use certus_pki::{CertificateChain, KeyAlgorithm, KeyPair, KeyUsage, ObjectIdentifier, PermittedKeys};
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

/// id-kp-serverAuth and id-kp-clientAuth (RFC 5280 section 4.2.1.12).
const PURPOSES: [ObjectIdentifier; 2] =
    [ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1"), ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2")];

// conformance: PROF-4-06 BR-7.1.2.7-09
#[tokio::test]
async fn the_certificate_is_as_its_profile_says() {
    for client_auth in [false, true] {
        let lifetime = Duration::from_secs(8 * 3600);
        let world = World::with(|setup| (setup.client_auth, setup.lifetime) = (client_auth, lifetime)).await;
        let issued = world.client().await.obtain(&["a.localhost"], &world.target).await.unwrap();
        let chain = CertificateChain::from_pem(&issued.chain_pem).unwrap();
        let leaf = &chain.certificates()[0];
        let purposes = if client_auth { &PURPOSES[..] } else { &PURPOSES[..1] };
        assert_eq!(leaf.extended_key_usage(), Some(purposes));
        assert_eq!(leaf.not_after().duration_since(leaf.not_before()) + Duration::from_secs(1), lifetime);
        assert_eq!(leaf.subject_der(), [0x30, 0x00]);
        assert_eq!(leaf.subject_key_identifier(), Some(&leaf.public_key().key_identifier()[..]));
        let usages = [KeyUsage::DigitalSignature, KeyUsage::KeyCertSign, KeyUsage::CrlSign];
        assert_eq!(usages.map(|usage| leaf.key_usage(usage)), [Some(true), Some(false), Some(false)]);
    }
}

#[tokio::test]
async fn a_profile_says_which_keys_it_certifies() {
    let keys = PermittedKeys::parse(&["P-384".to_owned(), "RSA-3072".to_owned()]).unwrap();
    let world = World::with(|setup| setup.keys = keys).await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let order = client.authorize(&order, &world.target).await.unwrap();
    for (algorithm, told) in [(KeyAlgorithm::EcP256, "EC P-256"), (KeyAlgorithm::Rsa2048, "RSA 2048")] {
        let leaf = KeyPair::generate(algorithm).unwrap();
        let request = csr(&["a.localhost"], &leaf, &CsrOptions::default()).unwrap();
        let payload = json!({ "csr": certus_acme::base64url::encode(&request) });
        let answer = client.post(&order.value.finalize, &payload).await.unwrap();
        let problem = assert_refused(told, &answer, 400, ProblemKind::BadCsr);
        assert!(problem.detail.contains(told) && problem.detail.contains("P-384, RSA of 3072 bits"), "{problem:?}");
    }
    let leaf = KeyPair::generate(KeyAlgorithm::EcP384).unwrap();
    client.obtain_for(&["b.localhost"], &world.target, leaf).await.unwrap();
}
