//! RFC 8555 section 7.3.4: external account binding.

use std::time::Duration;

use certus_acme::{
    AuthorizationStatus, Identifier, Jwk, MacAlgorithm, OrderStatus, Problem, ProblemKind, RawIdentifier, authenticate,
};
use certus_ca::Service;
use certus_ca::id::BindingKeyId;
use certus_ca::ports::AuditEntry;
use certus_ca::state::BindingScope;
use certus_pki::{Clock as _, DnsName, KeyAlgorithm, KeyPair, MacKey};
use certus_testkit::{Answer, CsrOptions, Forge, TestClient, csr};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::common::{World, assert_malformed, assert_refused, order_for};

/// An operator's user id.
const UID: u32 = 1000;

/// A key as its owner has it.
#[derive(Debug, Clone)]
struct Held {
    kid: String,
    mac: MacKey,
}

impl Held {
    async fn new(world: &World, scope: BindingScope) -> Self {
        let (key, mac) = world.authority.ca.make_binding_key(UID, scope).await.unwrap();
        Self { kid: key.id.to_string(), mac }
    }

    fn id(&self) -> BindingKeyId {
        BindingKeyId::parse(&self.kid).unwrap()
    }

    /// The binding that is right for a client, as JSON text.
    fn binding(&self, client: &TestClient) -> String {
        self.sign(MacAlgorithm::Hs256, &self.header(client), &jwk(client.key()))
    }

    fn header(&self, client: &TestClient) -> Value {
        json!({ "alg": "HS256", "kid": self.kid, "url": client.directory().new_account })
    }

    fn sign(&self, algorithm: MacAlgorithm, header: &Value, payload: &str) -> String {
        authenticate(&self.mac, algorithm, &header.to_string(), payload.as_bytes())
    }

    /// Makes an account that is bound to it.
    async fn bind(&self, client: &TestClient) -> Answer {
        open(client, &self.binding(client)).await
    }
}

fn jwk(key: &KeyPair) -> String {
    Jwk::from_public_key(key.public_key()).canonical_json().to_owned()
}

/// newAccount with this binding; remembers the account when there is one.
async fn open(client: &TestClient, binding: &str) -> Answer {
    let url = &client.directory().new_account;
    let payload = format!(r#"{{"externalAccountBinding":{binding}}}"#);
    let forged = client.forge(url, payload).await.unwrap().jwk();
    let answer = client.send(url, forged.body().unwrap()).await.unwrap();
    if answer.status < 300 {
        client.set_account_url(answer.location().map(ToOwned::to_owned));
    }
    answer
}

async fn required() -> World {
    let service = Service { external_account_required: true, ..Service::default() };
    World::with(|setup| setup.service = service).await
}

/// No account was made.
async fn nobody(client: &TestClient) {
    let url = &client.directory().new_account;
    let payload = json!({ "onlyReturnExisting": true }).to_string();
    let forged = client.forge(url, payload).await.unwrap().jwk();
    let answer = client.send(url, forged.body().unwrap()).await.unwrap();
    assert_refused("an account that should not be", &answer, 400, ProblemKind::AccountDoesNotExist);
}

async fn ordered(client: &TestClient, names: &[&str]) -> Answer {
    client.post(&client.directory().new_order, &order_for(names)).await.unwrap()
}

// conformance: 8555-6.7-16 8555-7.1.1-07 8555-7.3.4-01 8555-7.3.4-02
#[tokio::test(flavor = "multi_thread")]
async fn a_required_binding_is_announced_and_asked_for() {
    let world = required().await;
    let client = world.stranger().await;
    let directory: Value = client.http().get(&world.authority.directory_url).await.unwrap().json().unwrap();
    assert_eq!(directory["meta"]["externalAccountRequired"], json!(true));
    let url = &client.directory().new_account;
    let forged = client.forge(url, "{}").await.unwrap().jwk();
    let answer = client.send(url, forged.body().unwrap()).await.unwrap();
    assert_refused("no binding", &answer, 403, ProblemKind::ExternalAccountRequired);
    nobody(&client).await;
    let held = Held::new(&world, BindingScope::default()).await;
    assert_eq!(held.bind(&client).await.status, 201);

    // Where none is required, none is announced, and accounts are made without.
    let world = World::new().await;
    let client = world.client().await;
    let directory: Value = client.http().get(&world.authority.directory_url).await.unwrap().json().unwrap();
    assert_eq!(directory["meta"]["externalAccountRequired"], Value::Null);
}

// conformance: 8555-7.3.4-11 8555-7.3.4-14
#[tokio::test(flavor = "multi_thread")]
async fn every_mac_binds_and_the_account_shows_what_was_sent() {
    let world = required().await;
    let held = Held::new(&world, BindingScope::default()).await;
    for algorithm in MacAlgorithm::ALL {
        let client = world.stranger().await;
        let mut header = held.header(&client);
        header["alg"] = json!(algorithm.name());
        let binding = held.sign(*algorithm, &header, &jwk(client.key()));
        // White space that was sent comes back.
        let sent = binding.replace("\":", "\" :  ");
        let answer = open(&client, &sent).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert!(answer.text().contains(&format!("\"externalAccountBinding\":{sent}")), "{answer:?}");
        let read = client.post_as_get(&client.account_url().unwrap()).await.unwrap();
        assert_eq!(read.text(), answer.text());
    }
    // It is there after a restart as well: the key was sealed in the store, and opens.
    let world = world.restarted().await;
    let client = world.stranger().await;
    assert_eq!(held.bind(&client).await.status, 201);
    let entries = world.authority.ca.store().audit(None, 1000).await.unwrap().entries;
    let told = |action: &str| entries.iter().filter(|entry| entry.action == action && entry.object == held.kid).count();
    assert_eq!((told("binding-key.made"), told("binding-key.used")), (1, 4));
    assert!(entries.iter().any(|entry| entry.action == "binding-key.made" && entry.actor == "uid:1000"));
}

// conformance: 8555-7.3.4-03 8555-7.3.4-04 8555-7.3.4-06 8555-7.3.4-07 8555-7.3.4-09
#[tokio::test(flavor = "multi_thread")]
async fn a_binding_is_what_it_must_be() {
    let world = World::new().await;
    let held = Held::new(&world, BindingScope::default()).await;
    let client = world.stranger().await;
    let own = jwk(client.key());
    let url = client.directory().new_account.clone();
    let with = |name: &str, value: Value| {
        let mut header = held.header(&client);
        header[name] = value;
        held.sign(MacAlgorithm::Hs256, &header, &own)
    };
    let without = |name: &str| {
        let mut header = held.header(&client);
        header.as_object_mut().unwrap().remove(name);
        held.sign(MacAlgorithm::Hs256, &header, &own)
    };
    let cut = |name: &str| {
        let mut binding: Value = serde_json::from_str(&held.binding(&client)).unwrap();
        binding.as_object_mut().unwrap().remove(name);
        binding.to_string()
    };
    let twice = held.binding(&client).replacen('{', r#"{"payload":"","#, 1);
    let unprotected = held.binding(&client).replacen('{', r#"{"header":{},"#, 1);
    let other = held.sign(MacAlgorithm::Hs256, &held.header(&client), &jwk(world.stranger().await.key()));
    let signed = String::from_utf8(Forge::new(client.key(), &url, own.clone()).kid(&held.kid).body().unwrap()).unwrap();
    for (what, binding) in [
        ("a text", "\"x\"".to_owned()),
        ("nothing in it", "{}".to_owned()),
        ("a list", "[]".to_owned()),
        ("no signature", cut("signature")),
        ("no payload", cut("payload")),
        ("no header", cut("protected")),
        ("a member twice", twice),
        ("an unprotected header", unprotected),
        ("a signature of the account's key", signed),
        ("another algorithm's name", with("alg", json!("ES256"))),
        ("none", with("alg", json!("none"))),
        ("a weaker MAC", with("alg", json!("HS1"))),
        ("no algorithm", without("alg")),
        ("no key id", without("kid")),
        ("a jwk beside it", with("jwk", serde_json::from_str(&own).unwrap())),
        ("a nonce", with("nonce", json!(client.nonce().await.unwrap()))),
        ("another url", with("url", json!(client.directory().new_order))),
        ("no url", without("url")),
        ("crit", with("crit", json!(["exp"]))),
        ("another's key", other),
        ("no key as payload", held.sign(MacAlgorithm::Hs256, &held.header(&client), "{}")),
        ("an empty payload", held.sign(MacAlgorithm::Hs256, &held.header(&client), "")),
    ] {
        assert_malformed(what, &open(&client, &binding).await);
    }
    nobody(&client).await;
    assert_eq!(held.bind(&client).await.status, 201);
}

// conformance: 8555-7.3.4-05 8555-7.3.4-08 8555-7.3.4-15
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_mac_and_an_unknown_key_are_one_and_the_same() {
    let world = World::new().await;
    let held = Held::new(&world, BindingScope::default()).await;
    let client = world.stranger().await;
    let mut problems: Vec<Problem> = Vec::new();
    let mut refused = async |what: &str, binding: &str| {
        problems.push(assert_refused(what, &open(&client, binding).await, 403, ProblemKind::Unauthorized));
    };
    refused("an unknown id", &Held { kid: BindingKeyId::random().to_string(), ..held.clone() }.binding(&client)).await;
    refused("what is no id", &Held { kid: "key-1".to_owned(), ..held.clone() }.binding(&client)).await;
    refused("another MAC key", &Held { mac: MacKey::generate(), ..held.clone() }.binding(&client)).await;
    refused("an empty MAC key", &Held { mac: MacKey::from_bytes(b""), ..held.clone() }.binding(&client)).await;
    // The header says one hash, the MAC was made with another.
    refused("another hash", &held.sign(MacAlgorithm::Hs512, &held.header(&client), &jwk(client.key()))).await;
    let mut binding: Value = serde_json::from_str(&held.binding(&client)).unwrap();
    let tag = certus_acme::base64url::decode(binding["signature"].as_str().unwrap()).unwrap();
    for (octet, bit) in [(0, 0), (15, 3), (31, 7)] {
        let mut tag = tag.clone();
        tag[octet] ^= 1 << bit;
        binding["signature"] = json!(certus_acme::base64url::encode(&tag));
        refused("a flipped bit", &binding.to_string()).await;
    }
    for length in [0, 16, 31] {
        binding["signature"] = json!(certus_acme::base64url::encode(&tag[..length]));
        refused("a cut MAC", &binding.to_string()).await;
    }
    assert!(problems.iter().all(|problem| *problem == problems[0]), "{problems:?}");
    nobody(&client).await;
}

// conformance: 8555-7.3.4-10
#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_may_be_written_otherwise() {
    let world = World::new().await;
    let held = Held::new(&world, BindingScope::default()).await;
    let client = world.stranger().await;
    let key: Value = serde_json::from_str(&jwk(client.key())).unwrap();
    let (x, y) = (&key["x"], &key["y"]);
    let payload = format!(r#"{{ "use":"sig", "y":{y}, "x":{x}, "alg":"ES256", "kty":"EC", "crv":"P-256" }}"#);
    let answer = open(&client, &held.sign(MacAlgorithm::Hs256, &held.header(&client), &payload)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

// conformance: 8555-7.3.1-03 8555-7.3.4-12
#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_an_account_needs_no_binding_and_takes_none() {
    let world = World::new().await;
    let held = Held::new(&world, BindingScope { single_use: true, ..BindingScope::default() }).await;
    let unbound = world.client().await;
    for binding in [held.binding(&unbound), "\"x\"".to_owned()] {
        let answer = open(&unbound, &binding).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.text().contains("externalAccountBinding"), "{answer:?}");
    }
    // The key was not used up by that; and who made an account with it is told of it again.
    let client = world.stranger().await;
    let made = held.bind(&client).await;
    assert_eq!(made.status, 201, "{made:?}");
    let again = held.bind(&client).await;
    assert_eq!((again.status, again.text()), (200, made.text()));
}

// conformance: 8555-7.3.4-13
#[tokio::test(flavor = "multi_thread")]
async fn a_key_binds_until_it_is_used_up_expired_or_revoked() {
    let world = World::new().await;
    let refused = async |held: &Held, words: &str| {
        let client = world.stranger().await;
        let problem = assert_refused(words, &held.bind(&client).await, 403, ProblemKind::Unauthorized);
        assert!(problem.detail.contains(words), "{problem:?}");
        nobody(&client).await;
    };
    let single = Held::new(&world, BindingScope { single_use: true, ..BindingScope::default() }).await;
    assert_eq!(single.bind(&world.stranger().await).await.status, 201);
    refused(&single, "one account").await;

    let repeated = Held::new(&world, BindingScope::default()).await;
    for _ in 0..3 {
        assert_eq!(repeated.bind(&world.stranger().await).await.status, 201);
    }
    let bound = world.stranger().await;
    assert_eq!(repeated.bind(&bound).await.status, 201);
    assert_eq!(ordered(&bound, &["a.localhost"]).await.status, 201);
    world.authority.ca.revoke_binding_key(UID, repeated.id()).await.unwrap();
    refused(&repeated, "revoked").await;
    // Nor does it let its accounts order any more.
    assert_refused("after revocation", &ordered(&bound, &["a.localhost"]).await, 403, ProblemKind::Unauthorized);

    let expires = Some(world.clock.now() + Duration::from_secs(3600));
    let short = Held::new(&world, BindingScope { expires, ..BindingScope::default() }).await;
    let bound = world.stranger().await;
    assert_eq!(short.bind(&bound).await.status, 201);
    world.clock.advance(Duration::from_secs(3600));
    refused(&short, "expired").await;
    assert_eq!(ordered(&bound, &["a.localhost"]).await.status, 201, "accounts outlive the key's expiry");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_come_at_once_one_has_the_key_of_single_use() {
    let world = World::new().await;
    for _ in 0..5 {
        let held = Held::new(&world, BindingScope { single_use: true, ..BindingScope::default() }).await;
        let clients = join_all((0..8).map(|_| world.stranger())).await;
        let answers = join_all(clients.iter().map(|client| held.bind(client))).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 1, "{answers:?}");
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            assert_refused("too late", answer, 403, ProblemKind::Unauthorized);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_orders_what_its_key_permits() {
    let world = World::new().await;
    let exact = RawIdentifier { kind: "dns".to_owned(), value: "www.other.localhost".to_owned() };
    let scope = BindingScope {
        names: vec![Identifier::parse(&exact).unwrap()],
        suffixes: vec![DnsName::parse("team.localhost").unwrap()],
        ..BindingScope::default()
    };
    let held = Held::new(&world, scope).await;
    let client = world.stranger().await;
    assert_eq!(held.bind(&client).await.status, 201);
    for names in [&["team.localhost", "a.b.team.localhost"][..], &["*.team.localhost"], &["www.other.localhost"]] {
        assert_eq!(ordered(&client, names).await.status, 201, "{names:?}");
    }
    let rejected = ProblemKind::RejectedIdentifier;
    for name in ["localhost", "notteam.localhost", "other.localhost", "a.www.other.localhost", "*.localhost"] {
        let problem = assert_refused(name, &ordered(&client, &["team.localhost", name]).await, 400, rejected);
        assert_eq!(problem.subproblems.len(), 1, "{problem:?}");
        assert_eq!(problem.subproblems[0].identifier.as_ref().unwrap().value, name);
    }
    let ahead = client.directory().new_authz.clone().unwrap();
    let wish = |name: &str| json!({ "identifier": { "type": "dns", "value": name } });
    assert_eq!(client.post(&ahead, &wish("x.team.localhost")).await.unwrap().status, 201);
    assert_refused("ahead", &client.post(&ahead, &wish("x.localhost")).await.unwrap(), 403, rejected);
    // Other accounts are not narrowed by it.
    assert_eq!(ordered(&world.client().await, &["other.localhost"]).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_the_profiles_and_the_certificates_of_its_key() {
    let world = World::new().await;
    let profiles = vec!["classic".to_owned()];
    let held = Held::new(&world, BindingScope { quota: Some(2), profiles, ..BindingScope::default() }).await;
    let unknown = BindingScope { profiles: vec!["other".to_owned()], ..BindingScope::default() };
    assert!(world.authority.ca.make_binding_key(UID, unknown).await.is_err());
    let (first, second) = (world.stranger().await, world.stranger().await);
    for client in [&first, &second] {
        assert_eq!(held.bind(client).await.status, 201);
    }
    first.obtain(&["a.localhost"], &world.target).await.unwrap();
    // Ordered while there is one left, and too late: the last one goes to another account of the key.
    let late = first.new_order(&["b.localhost"]).await.unwrap();
    let late = first.authorize(&late, &world.target).await.unwrap();
    second.obtain(&["c.localhost"], &world.target).await.unwrap();
    let answer = ordered(&second, &["d.localhost"]).await;
    let problem = assert_refused("a third", &answer, 403, ProblemKind::Unauthorized);
    assert!(problem.detail.contains("2 certificates"), "{problem:?}");
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let csr = csr(&["b.localhost"], &key, &CsrOptions::default()).unwrap();
    let ended = first.finalize(&late.value, &csr).await.unwrap();
    let ended = first.order(&ended.url).await.unwrap().value;
    let problem = ended.error.unwrap();
    assert_eq!((ended.certificate, problem.kind), (None, ProblemKind::Unauthorized), "{problem:?}");
    let entry = world.authority.ca.store().binding_key(held.id()).await.unwrap().unwrap();
    assert_eq!((entry.used.accounts, entry.used.certificates), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_for_an_account_whose_key_was_revoked() {
    let world = World::new().await;
    let held = Held::new(&world, BindingScope::default()).await;
    let client = world.stranger().await;
    assert_eq!(held.bind(&client).await.status, 201);
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let order = client.authorize(&order, &world.target).await.unwrap();
    world.authority.ca.revoke_binding_key(UID, held.id()).await.unwrap();
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let csr = csr(&["a.localhost"], &key, &CsrOptions::default()).unwrap();
    let ended = client.finalize(&order.value, &csr).await.unwrap();
    let ended = client.order(&ended.url).await.unwrap().value;
    assert_eq!((ended.certificate, ended.error.unwrap().kind), (None, ProblemKind::Unauthorized));
    let entries = world.authority.ca.store().audit(None, 1000).await.unwrap().entries;
    // That of the authority's own certificate has no request.
    let signed = |entry: &&AuditEntry| entry.action == "intent.recorded" && entry.request.is_some();
    assert_eq!(entries.iter().find(signed), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_pre_authorize_the_names_it_permits() {
    let world = World::new().await;
    let suffixes = vec![DnsName::parse("team.localhost").unwrap()];
    let held = Held::new(&world, BindingScope { suffixes, vouches: true, ..BindingScope::default() }).await;
    let client = world.stranger().await;
    assert_eq!(held.bind(&client).await.status, 201);
    let names = ["a.team.localhost", "*.team.localhost"];
    let order = client.new_order(&names).await.unwrap();
    assert_eq!(order.value.status, OrderStatus::Ready, "there is nothing to prove");
    for url in &order.value.authorizations {
        let authorization = client.authorization(url).await.unwrap().value;
        assert_eq!((authorization.status, authorization.challenges.len()), (AuthorizationStatus::Valid, 0));
    }
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let request = csr(&names, &key, &CsrOptions::default()).unwrap();
    let finalized = client.finalize(&order.value, &request).await.unwrap();
    client.issued(finalized).await.unwrap();
    assert_eq!(world.target.requests().len(), 0);
    let ahead = client.directory().new_authz.clone().unwrap();
    let wish = json!({ "identifier": { "type": "dns", "value": "b.team.localhost" } });
    let made: Value = client.post(&ahead, &wish).await.unwrap().json().unwrap();
    assert_eq!(made["status"], "valid", "{made}");

    // No further than its names, nor for others, nor once it was revoked.
    let other = ordered(&client, &["a.localhost"]).await;
    assert_refused("another name", &other, 400, ProblemKind::RejectedIdentifier);
    let stranger = world.client().await.new_order(&["a.team.localhost"]).await.unwrap();
    assert_eq!(stranger.value.status, OrderStatus::Pending);
    let waits = client.new_order(&["c.team.localhost"]).await.unwrap();
    world.authority.ca.revoke_binding_key(UID, held.id()).await.unwrap();
    let request = csr(&["c.team.localhost"], &key, &CsrOptions::default()).unwrap();
    let finalized = client.finalize(&waits.value, &request).await.unwrap();
    client.issued(finalized).await.unwrap_err();
    // And never for every name there is.
    let all = BindingScope { vouches: true, ..BindingScope::default() };
    world.authority.ca.make_binding_key(UID, all).await.unwrap_err();
}
