//! RFC 8555 section 6.2: request authentication.

use certus_acme::{Jwk, NewAccount, ProblemKind, base64url};
use certus_pki::KeyAlgorithm;
use certus_testkit::{Forge, Member, TestClient};
use serde_json::{Value, json};

use crate::common::{Resources, World, assert_malformed, assert_refused, order_for};

/// What makes a wrong request of a right one.
type Forgery<T> = Box<dyn Fn(Forge) -> T>;
/// The same, without anything of its own.
type Change = fn(Forge) -> Forge;

/// Sends a forged newOrder; then the same request unforged, which must be accepted, so that nothing but the forgery can
/// have been what was refused.
async fn forged(client: &TestClient, forgery: impl FnOnce(Forge) -> Vec<u8>) -> certus_testkit::Answer {
    let url = client.directory().new_order.clone();
    let right = client.forge(&url, order_for(&["a.localhost"]).to_string()).await.unwrap();
    let answer = client.send(&url, forgery(right.clone())).await.unwrap();
    let control = client.send(&url, right.body().unwrap()).await.unwrap();
    assert_eq!(control.status, 201, "the request unforged: {control:?}");
    answer
}

// conformance: 8555-6.2-01
#[tokio::test(flavor = "multi_thread")]
async fn nothing_happens_without_a_true_signature() {
    let world = World::new().await;
    let client = world.client().await;
    for bit in [0, 7, 100, 255, 256, 300, 511] {
        let answer = forged(&client, |right| right.flip_signature_bit(bit).body().unwrap()).await;
        assert_refused("a flipped bit", &answer, 403, ProblemKind::Unauthorized);
    }
    let other = world.stranger().await;
    let answer = forged(&client, |right| right.signed_by(other.key()).body().unwrap()).await;
    assert_refused("another key", &answer, 403, ProblemKind::Unauthorized);
    for (what, octets) in [("no octets", vec![]), ("zeros", vec![0; 64]), ("too short", vec![1; 63])] {
        let answer = forged(&client, |right| right.signature(octets).body().unwrap()).await;
        assert_refused(what, &answer, 403, ProblemKind::Unauthorized);
    }

    // No account is made of a newAccount that is not signed by its key.
    let url = &client.directory().new_account;
    let forge = other.forge(url, "{}").await.unwrap().flip_signature_bit(3);
    let answer = other.send(url, forge.body().unwrap()).await.unwrap();
    assert_refused("newAccount", &answer, 403, ProblemKind::Unauthorized);
    let answer = other.post(url, &json!({ "onlyReturnExisting": true })).await.unwrap();
    assert_refused("it was not made", &answer, 400, ProblemKind::AccountDoesNotExist);
}

// conformance: 8555-6.2-01
#[tokio::test(flavor = "multi_thread")]
async fn a_payload_is_what_was_signed() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let right = client.forge(&url, order_for(&["a.localhost"]).to_string()).await.unwrap().body().unwrap();
    let mut body: Value = serde_json::from_slice(&right).unwrap();
    body["payload"] = json!(base64url::encode(order_for(&["b.localhost"]).to_string().as_bytes()));
    let answer = client.send(&url, body.to_string()).await.unwrap();
    assert_refused("another payload", &answer, 403, ProblemKind::Unauthorized);
    let mut body: Value = serde_json::from_slice(&right).unwrap();
    let header = base64url::decode(body["protected"].as_str().unwrap()).unwrap();
    let mut header: Value = serde_json::from_slice(&header).unwrap();
    header["x"] = json!(1);
    body["protected"] = json!(base64url::encode(header.to_string().as_bytes()));
    let answer = client.send(&url, body.to_string()).await.unwrap();
    assert_refused("another header", &answer, 403, ProblemKind::Unauthorized);
}

// conformance: 8555-6.2-02 8555-6.2-03 8555-6.2-04 8555-6.2-05 8555-6.2-06 8555-6.2-07 8555-6.2-36
#[tokio::test(flavor = "multi_thread")]
async fn only_the_flattened_serialization_is_read() {
    let world = World::new().await;
    let client = world.client().await;
    let kid = format!("{{\"kid\":{}}}", json!(client.account_url().unwrap()));
    let wrong: [(&str, Forgery<Vec<u8>>); 12] = [
        ("compact", Box::new(|right| right.compact().unwrap())),
        ("general", Box::new(|right| right.general().unwrap())),
        ("flattened and general", Box::new(|right| right.flattened_and_general().unwrap())),
        ("unencoded", Box::new(|right| right.unencoded().body().unwrap())),
        ("b64 alone", Box::new(|right| right.set("b64", false).body().unwrap())),
        ("b64 true", Box::new(|right| right.set("b64", true).body().unwrap())),
        ("crit", Box::new(|right| right.set("crit", vec!["x"]).set("x", 1).body().unwrap())),
        ("an empty unprotected header", Box::new(|right| right.unprotected("{}").body().unwrap())),
        ("an unprotected header", Box::new(move |right| right.unprotected(&kid).body().unwrap())),
        ("detached", Box::new(|right| right.detached().body().unwrap())),
        ("without a signature", Box::new(|right| right.leave_out(Member::Signature).body().unwrap())),
        ("something after it", Box::new(|right| right.trailing(b"{}").body().unwrap())),
    ];
    for (what, forgery) in wrong {
        assert_malformed(what, &forged(&client, forgery).await);
    }
}

// conformance: 8555-6.2-08 8555-6.2-12 8555-6.2-13 8555-6.2-14 8555-6.4-05
#[tokio::test(flavor = "multi_thread")]
async fn the_protected_header_says_what_it_must() {
    let world = World::new().await;
    let client = world.client().await;
    let kid = client.account_url().unwrap();
    let wrong: [(&str, Forgery<Forge>); 13] = [
        ("no alg", Box::new(|right| right.without("alg"))),
        ("no url", Box::new(|right| right.without("url"))),
        ("neither jwk nor kid", Box::new(|right| right.without_key())),
        ("both jwk and kid", Box::new(move |right| right.jwk_and_kid(&kid))),
        ("url a number", Box::new(|right| right.set("url", 7))),
        ("url null", Box::new(|right| right.set("url", Value::Null))),
        ("url a list", Box::new(|right| right.set("url", vec!["https://localhost"]))),
        ("nonce a number", Box::new(|right| right.set("nonce", 7))),
        ("kid a number", Box::new(|right| right.set("kid", 7))),
        ("alg a list", Box::new(|right| right.set("alg", vec!["ES256"]))),
        ("alg twice", Box::new(|right| right.add_json("alg", "\"ES256\""))),
        ("nonce twice", Box::new(|right| right.add_json("nonce", "\"AAAA\""))),
        ("no object", Box::new(|right| right.rewrite(Member::Protected, |_| base64url::encode(b"[]")))),
    ];
    for (what, forgery) in wrong {
        assert_malformed(what, &forged(&client, |right| forgery(right).body().unwrap()).await);
    }
    let stranger = world.stranger().await;
    let url = &client.directory().new_account;
    let forge = stranger.forge(url, "{}").await.unwrap().jwk_and_kid(&client.account_url().unwrap());
    assert_malformed("newAccount with both", &stranger.send(url, forge.body().unwrap()).await.unwrap());
}

// conformance: 8555-6.2-09 8555-6.2-10 8555-6.2-23 8555-6.2-24 8555-6.7-11
#[tokio::test(flavor = "multi_thread")]
async fn an_algorithm_that_is_not_offered_is_refused_and_the_offer_named() {
    let world = World::new().await;
    let client = world.client().await;
    let wrong: [(&str, Change); 7] = [
        ("none", |right| right.alg("none").signature([])),
        ("HS256", Forge::hs256_with_public_key),
        ("HS384", |right| right.alg("HS384")),
        ("HS512", |right| right.alg("HS512")),
        ("ES256K", |right| right.alg("ES256K")),
        ("PS256", |right| right.alg("PS256")),
        ("es256", |right| right.alg("es256")),
    ];
    let stranger = world.stranger().await;
    let new_account = &client.directory().new_account;
    for (what, forgery) in wrong {
        let at_new_order = forged(&client, |right| forgery(right).body().unwrap()).await;
        let forge = forgery(stranger.forge(new_account, "{}").await.unwrap());
        let at_new_account = stranger.send(new_account, forge.body().unwrap()).await.unwrap();
        for answer in [at_new_order, at_new_account] {
            let problem = assert_refused(what, &answer, 400, ProblemKind::BadSignatureAlgorithm);
            assert_eq!(problem.algorithms, ["ES256", "ES384", "ES512", "RS256", "EdDSA"], "{what}");
        }
    }
}

// conformance: 8555-6.2-11
#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_nonce_gets_one() {
    let world = World::new().await;
    let client = world.client().await;
    let answer = forged(&client, |right| right.without("nonce").body().unwrap()).await;
    assert_refused("no nonce", &answer, 400, ProblemKind::BadNonce);
    let url = client.directory().new_order.clone();
    let forge = client.forge(&url, order_for(&["a.localhost"]).to_string()).await.unwrap();
    let retry = client.send(&url, forge.nonce(answer.nonce().unwrap()).body().unwrap()).await.unwrap();
    assert_eq!(retry.status, 201, "{retry:?}");
}

// conformance: 8555-6.2-15 8555-6.2-16 8555-6.2-17 8555-6.2-18
#[tokio::test(flavor = "multi_thread")]
async fn account_keys_of_every_offered_kind_sign() {
    let world = World::new().await;
    for algorithm in [
        KeyAlgorithm::EcP256,
        KeyAlgorithm::EcP384,
        KeyAlgorithm::EcP521,
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Rsa3072,
        KeyAlgorithm::Rsa4096,
        KeyAlgorithm::Ed25519,
    ] {
        let client = world.stranger_with(algorithm).await;
        let made = client.new_account().await.unwrap();
        assert_eq!(made.answer.status, 201, "{}", algorithm.name());
        client.obtain(&["a.localhost"], &world.target).await.unwrap();
    }
}

// conformance: 8555-6.2-19
#[tokio::test(flavor = "multi_thread")]
async fn new_account_is_signed_with_its_key_itself() {
    let world = World::new().await;
    let client = world.client().await;
    // The client has an account, so that it signs with kid.
    let answer = client.post(&client.directory().new_account, &NewAccount::default()).await.unwrap();
    assert_malformed("newAccount with kid", &answer);
}

// conformance: 8555-6.2-20
#[tokio::test(flavor = "multi_thread")]
async fn everything_else_is_signed_with_the_account_url() {
    let world = World::new().await;
    let client = world.client().await;
    let resources = Resources::of(&world, &client).await;
    let (new_order, directory) = (client.directory().new_order.clone(), world.authority.directory_url.clone());
    let new_nonce = client.directory().new_nonce.clone();
    client.set_account_url(None);
    for url in resources.readable().into_iter().chain([&*resources.finalize, &new_order, &directory, &new_nonce]) {
        for payload in ["", "{}"] {
            let answer = client.post_octets(url, payload.as_bytes()).await.unwrap();
            let problem = assert_malformed(url, &answer);
            assert!(problem.detail.contains("kid"), "{url}: {problem:?}");
        }
    }
}

// conformance: 8555-6.2-21 8555-6.2-22
#[tokio::test(flavor = "multi_thread")]
async fn a_kid_is_the_very_url_of_an_account() {
    let world = World::new().await;
    let client = world.client().await;
    let kid = client.account_url().unwrap();
    let (base, id) = kid.rsplit_once('/').unwrap();
    let last = id.chars().next_back().unwrap();
    // 128 bits leave four over in the last character, which must be zero.
    let next = char::from(u8::try_from(last).unwrap() + 1);
    for other in [
        id.to_owned(),
        format!("{kid}/"),
        format!("{kid}?"),
        format!("{kid}#x"),
        format!(" {kid}"),
        kid.replacen("https:", "http:", 1),
        kid.replacen("https:", "HTTPS:", 1),
        kid.replacen("localhost", "LOCALHOST", 1),
        kid.replacen("localhost", "127.0.0.1", 1),
        format!("{base}/%{:02x}{}", id.as_bytes()[0], &id[1..]),
        format!("{base}/{}{next}", &id[..id.len() - 1]),
        kid.replacen("/acct/", "/order/", 1),
        format!("{base}/AAAAAAAAAAAAAAAAAAAAAA"),
        String::new(),
    ] {
        let answer = forged(&client, |right| right.kid(&other).body().unwrap()).await;
        assert_refused(&other, &answer, 400, ProblemKind::AccountDoesNotExist);
    }
}

/// The modulus of an RSA key of 1024 bits.
const SMALL_MODULUS: &str = "9KCAONaOp0RJuNxaGBA4awFz5p13LeXXDq_CMh1wHWrVG6OAnZTKEefTmgCdueGtElEGELdTo8L3cQ7e\
    2yCCsLAa4cNeA04CgWC9w741-667eOzN3oaCCnz1rsIGMGNjbDsgcnEUMwVKzYt663iGbYJQm4BM47a-RIjUGkOHN7M";

// conformance: 8555-6.2-25 8555-6.2-26 8555-6.2-27 8555-6.2-28 8555-6.7-09
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_not_good_enough_are_refused() {
    let world = World::new().await;
    let client = world.stranger().await;
    let url = client.directory().new_account.clone();
    let own: Value = serde_json::from_str(Jwk::from_public_key(client.key().public_key()).canonical_json()).unwrap();
    let with = |member: &str, value: &Value| {
        let mut jwk = own.clone();
        jwk[member] = value.clone();
        jwk
    };
    let ed448 = base64url::encode(&[7; 57]);
    for (what, alg, jwk, told) in [
        ("RSA of 1024 bits", "RS256", json!({"kty": "RSA", "n": SMALL_MODULUS, "e": "AQAB"}), "1024"),
        ("off the curve", "ES256", with("y", &own["x"]), ""),
        ("another curve", "ES256", with("crv", &json!("P-384")), ""),
        ("a curve unknown", "ES256", with("crv", &json!("secp256k1")), "secp256k1"),
        ("Ed448", "EdDSA", json!({"kty": "OKP", "crv": "Ed448", "x": ed448}), "Ed448"),
        ("a symmetric key", "ES256", json!({"kty": "oct", "k": "AAAA"}), ""),
    ] {
        let forge = client.forge(&url, "{}").await.unwrap().alg(alg).set("jwk", jwk);
        let answer = client.send(&url, forge.body().unwrap()).await.unwrap();
        let problem = assert_refused(what, &answer, 400, ProblemKind::BadPublicKey);
        assert!(problem.detail.contains(told), "{what}: {problem:?}");
    }
    // Right keys, each with the algorithm of another.
    for (key, alg) in [
        (KeyAlgorithm::EcP384, "ES256"),
        (KeyAlgorithm::EcP256, "ES384"),
        (KeyAlgorithm::EcP256, "RS256"),
        (KeyAlgorithm::Ed25519, "ES256"),
    ] {
        let client = client.another(key).unwrap();
        let forge = client.forge(&url, "{}").await.unwrap().alg(alg);
        let answer = client.send(&url, forge.body().unwrap()).await.unwrap();
        assert_refused(alg, &answer, 400, ProblemKind::BadPublicKey);
    }
}

// conformance: 8555-6.2-35
#[tokio::test(flavor = "multi_thread")]
async fn a_private_key_is_refused_and_not_repeated() {
    let world = World::new().await;
    let elliptic = world.stranger().await;
    let rsa = world.stranger_with(KeyAlgorithm::Rsa2048).await;
    let url = elliptic.directory().new_account.clone();
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ";
    for (client, members) in
        [(&elliptic, &["d"][..]), (&rsa, &["d", "p", "q", "dp", "dq", "qi", "oth"][..]), (&elliptic, &["k"][..])]
    {
        for member in members {
            let own = Jwk::from_public_key(client.key().public_key());
            let mut jwk: Value = serde_json::from_str(own.canonical_json()).unwrap();
            jwk[*member] = json!(secret);
            let forge = client.forge(&url, "{}").await.unwrap().set("jwk", jwk);
            let answer = client.send(&url, forge.body().unwrap()).await.unwrap();
            assert_refused(member, &answer, 400, ProblemKind::BadPublicKey);
            assert!(!answer.text().contains(secret), "{answer:?}");
        }
    }
}

// conformance: 8555-6.2-30 8555-6.2-31
#[tokio::test(flavor = "multi_thread")]
async fn the_content_type_is_application_jose_json() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let body = async || client.forge(&url, order_for(&["a.localhost"]).to_string()).await.unwrap().body().unwrap();
    for wrong in [None, Some("application/json"), Some("text/plain"), Some(""), Some("application/jose+jsonx")] {
        let headers: Vec<(&str, &str)> = wrong.iter().map(|value| ("content-type", *value)).collect();
        let answer = client.http().send("POST", &url, &headers, body().await).await.unwrap();
        assert_refused(wrong.unwrap_or("none"), &answer, 415, ProblemKind::Malformed);
        assert!(answer.nonce().is_some(), "{answer:?}");
    }
    for right in ["application/jose+json", "application/jose+json; charset=utf-8", "Application/JOSE+JSON"] {
        let answer = client.http().send("POST", &url, &[("content-type", right)], body().await).await.unwrap();
        assert_eq!(answer.status, 201, "{right}: {answer:?}");
    }
}

// conformance: 8555-6.2-34 8555-6.7-19
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_request_are_refused_cleanly() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    for body in ["", "[]", "{", "{}", "null", "\"x\"", "{\"protected\":1}", "\u{feff}{}", "not JSON"] {
        assert_malformed(body, &client.send(&url, body).await.unwrap());
    }
    for member in Member::ALL {
        let twice = |right: Forge| right.outer_json(member.name(), "\"\"").body().unwrap();
        assert_malformed("a member twice", &forged(&client, twice).await);
    }
    let answer = client.send(&url, vec![b' '; 1024 * 1024]).await.unwrap();
    assert_refused("1 MiB", &answer, 413, ProblemKind::Malformed);
    // The next request on the same connection is answered.
    let before = client.http().connections_opened();
    client.new_order(&["a.localhost"]).await.unwrap();
    assert_eq!(client.http().connections_opened(), before);
}

// conformance: 8555-5-01
#[tokio::test(flavor = "multi_thread")]
async fn a_payload_is_utf_8() {
    let world = World::new().await;
    let client = world.stranger().await;
    let url = &client.directory().new_account;
    let answer = client.post_octets(url, b"{\"x\":\"\xff\"}").await.unwrap();
    assert_malformed("no UTF-8", &answer);
    assert!(str::from_utf8(&answer.body).is_ok());
}
