//! What fuzzing begins with: a few right inputs for each target, made by Certus itself.
//!
//! They are made anew each time, with new keys, so that none has to be kept. `cargo run --example seeds` writes them
//! to `corpus/`.

mod answers;
pub(crate) mod challenge;
mod made_by_hand;

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use certus_acme::{CertId, Finalize, Jwk, MacAlgorithm, Protected, authenticate, base64url, jose};
use certus_pki::{
    CaSubject, Certificate, CertificateChain, CrlScope, DnsName, KeyAlgorithm, KeyPair, MacKey, RevocationReason,
    RevokedEntry, SerialNumber, Timestamp, create_crl, create_intermediate, create_root,
};

/// An input that is read without fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// What it is; unique among the seeds of its target.
    pub name: String,
    /// The input.
    pub octets: Vec<u8>,
}

/// The seeds of a target.
///
/// # Panics
///
/// If there is no such target, or Certus cannot make what is asked of it.
#[must_use]
pub fn of(target: &str) -> Vec<Seed> {
    match target {
        "jws" => requests(),
        "payload" => payloads(),
        "csr" => csrs(),
        "certificate" => certificates(),
        "crl" => crls(),
        "chain" => chains(),
        "cert_id" => cert_ids(),
        "dns" => crate::dns::answers().into_iter().map(|(name, octets)| seed(name, octets)).collect(),
        "binding" => bindings(),
        "challenge_certificate" => challenge_certificates(),
        "answer" => answers::right().into_iter().map(|(name, octets)| seed(name, octets)).collect(),
        other => panic!("there is no target {other:?}"),
    }
}

/// What a future comes to that waits for nothing: keys in memory sign at once.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a key in memory signs at once"),
    }
}

fn seed(name: impl Into<String>, octets: impl Into<Vec<u8>>) -> Seed {
    Seed { name: name.into(), octets: octets.into() }
}

/// One algorithm of each kind and curve.
const ALGORITHMS: [KeyAlgorithm; 5] =
    [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::EcP521, KeyAlgorithm::Rsa2048, KeyAlgorithm::Ed25519];

fn key(algorithm: KeyAlgorithm) -> KeyPair {
    KeyPair::generate(algorithm).expect("a key pair can be made")
}

fn requests() -> Vec<Seed> {
    let nonce = base64url::encode(&[0x5a; 24]);
    let mut seeds = Vec::new();
    for algorithm in ALGORITHMS {
        let key = key(algorithm);
        let mut header = Protected { kid: None, nonce: Some(&nonce), url: "https://ca.example/acme/new-account" };
        let body = jose::sign(&key, &header, br#"{"termsOfServiceAgreed":true}"#).expect("a key in memory signs");
        seeds.push(seed(format!("{algorithm}-jwk"), body));
        header.kid = Some("https://ca.example/acme/account/7f");
        seeds.push(seed(format!("{algorithm}-kid"), jose::sign(&key, &header, b"").expect("a key in memory signs")));
        let jwk = Jwk::from_public_key(key.public_key());
        seeds.push(seed(format!("{algorithm}-key"), jwk.canonical_json()));
        let algorithm_name = certus_acme::Algorithm::of(key.public_key()).name();
        let header = format!(
            r#"{{"alg":"{algorithm_name}","jwk":{},"nonce":"{nonce}","url":"https://ca.example/"}}"#,
            jwk.canonical_json()
        );
        seeds.push(seed(format!("{algorithm}-header"), header));
    }
    seeds
}

fn payloads() -> Vec<Seed> {
    let csr = made_by_hand::csr(&key(KeyAlgorithm::EcP256), Some("a.example"), &made_by_hand::server_names());
    let finalize = serde_json::to_string(&Finalize::new(&csr)).expect("an object can be written");
    let binding = jose::sign(
        &key(KeyAlgorithm::EcP256),
        &Protected { kid: Some("kid-1"), nonce: None, url: "https://ca.example/" },
        b"{}",
    )
    .expect("a key in memory signs");
    let new_account = format!(
        r#"{{"contact":["mailto:a@example.org"],"termsOfServiceAgreed":true,"onlyReturnExisting":false,
        "externalAccountBinding":{binding}}}"#
    );
    let order = r#"{"status":"invalid","expires":"2026-11-24T12:00:00Z","identifiers":[{"type":"dns","value":
        "a.example"}],"notBefore":"2026-11-24T12:00:00Z","notAfter":"2027-01-01T00:00:00+01:00","error":{"type":
        "urn:ietf:params:acme:error:rejectedIdentifier","detail":"no","status":400,"subproblems":[{"type":
        "urn:ietf:params:acme:error:caa","detail":"no","identifier":{"type":"dns","value":"a.example"}}]},
        "authorizations":["https://ca.example/z/1"],"finalize":"https://ca.example/o/1/finalize",
        "certificate":"https://ca.example/c/1"}"#;
    let authorization = r#"{"identifier":{"type":"dns","value":"a.example"},"status":"pending","expires":
        "2026-11-24T12:00:00.5Z","wildcard":true,"challenges":[{"type":"http-01","url":"https://ca.example/h/1",
        "status":"valid","token":"AAAAAAAAAAAAAAAAAAAAAAAA","validated":"2026-11-24T12:00:00Z"}]}"#;
    let directory = r#"{"newNonce":"https://ca.example/n","newAccount":"https://ca.example/a","newOrder":
        "https://ca.example/o","revokeCert":"https://ca.example/r","keyChange":"https://ca.example/k","renewalInfo":
        "https://ca.example/i","meta":{"termsOfService":"https://ca.example/t","website":"https://ca.example",
        "caaIdentities":["ca.example"],"externalAccountRequired":false,"profiles":{"classic":"90 days"}}}"#;
    vec![
        seed("new-account", new_account),
        seed("account-update", r#"{"contact":[],"status":"deactivated"}"#),
        seed(
            "new-order",
            r#"{"identifiers":[{"type":"dns","value":"A.example"},{"type":"dns","value":"xn--bcher-kva.example"}],
            "notBefore":"2026-11-24T12:00:00Z","notAfter":"2027-01-01T00:00:00.5+01:00","replaces":"AQ.Ag",
            "profile":"classic"}"#,
        ),
        seed("finalize", finalize),
        seed("authorization-update", r#"{"status":"deactivated"}"#),
        seed("challenge-answer", "{}"),
        seed("directory", directory),
        seed("account", r#"{"status":"valid","contact":["mailto:a@example.org"],"orders":"https://ca.example/l/1"}"#),
        seed("order", order),
        seed("authorization", authorization),
        seed(
            "challenge",
            r#"{"type":"http-01","url":"https://ca.example/h/1","status":"invalid","token":"AAAAAAAAAAAAAAAAAAAAAAAA",
            "error":{"type":"urn:ietf:params:acme:error:connection","detail":"refused","status":400}}"#,
        ),
        seed(
            "problem",
            r#"{"type":"urn:ietf:params:acme:error:badSignatureAlgorithm","detail":"no","status":400,
            "algorithms":["ES256"]}"#,
        ),
    ]
}

fn csrs() -> Vec<Seed> {
    let names = made_by_hand::server_names();
    let mut seeds: Vec<Seed> = ALGORITHMS
        .into_iter()
        .map(|algorithm| seed(format!("{algorithm}"), made_by_hand::csr(&key(algorithm), None, &names)))
        .collect();
    let key = key(KeyAlgorithm::EcP256);
    seeds.push(seed("common-name", made_by_hand::csr(&key, Some("a.example"), &[])));
    seeds.push(seed("address", made_by_hand::csr(&key, Some("192.0.2.1"), &names)));
    seeds
}

const DAY: Duration = Duration::from_secs(86_400);

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_800_000_000)
}

fn root(key: &KeyPair) -> Certificate {
    let subject = CaSubject {
        common_name: "Example Root".to_owned(),
        organization: Some("Örganization".to_owned()),
        country: Some("SE".to_owned()),
    };
    at_once(create_root(&subject, key, DAY * 7300, now())).expect("a root can be made")
}

fn intermediate(root: &Certificate, root_key: &KeyPair, permitted: &[DnsName]) -> Certificate {
    let subject = CaSubject { common_name: "Example Intermediate 1".to_owned(), ..CaSubject::default() };
    let key = key(KeyAlgorithm::EcP384);
    let (at, crl) = ("http://pki.example.com/root.der", "http://pki.example.com/root.crl");
    let made = create_intermediate(&subject, root, root_key, key.public_key(), permitted, at, crl, DAY * 1826, now());
    at_once(made).expect("an intermediate can be made")
}

fn certificates() -> Vec<Seed> {
    let permitted = ["example.com", "example.net"].map(|name| DnsName::parse(name).expect("a name"));
    let root_key = key(KeyAlgorithm::EcP256);
    let root_certificate = root(&root_key);
    vec![
        seed("root", root_certificate.der()),
        seed("root-rsa", root(&key(KeyAlgorithm::Rsa2048)).der()),
        seed("intermediate", intermediate(&root_certificate, &root_key, &[]).der()),
        seed("constrained", intermediate(&root_certificate, &root_key, &permitted).der()),
        seed("leaf", made_by_hand::leaf(&root_certificate, &root_key, key(KeyAlgorithm::Ed25519).public_key())),
    ]
}

fn crls() -> Vec<Seed> {
    let key = key(KeyAlgorithm::EcP256);
    let root = root(&key);
    let reasons = RevocationReason::ALL.map(Some).into_iter().chain([None]);
    let entry = |reason| RevokedEntry { serial: SerialNumber::random(), at: now(), reason };
    let revoked: Vec<RevokedEntry> = reasons.map(entry).collect();
    let list = |number, revoked: &[RevokedEntry], scope, next| {
        let made = create_crl(&root, &key, number, now(), next, revoked, scope);
        at_once(made).expect("a CRL can be made").der().to_vec()
    };
    let shard = CrlScope::Shard { url: "http://pki.example.com/crl/0.crl" };
    vec![
        seed("empty", list(1, &[], CrlScope::Everything, now() + DAY)),
        seed("revoked", list(u64::MAX, &revoked, CrlScope::Everything, now() + DAY)),
        seed("shard", list(256, &revoked, shard, now() + DAY * 9000)),
    ]
}

fn chains() -> Vec<Seed> {
    let key = key(KeyAlgorithm::EcP256);
    let root = root(&key);
    let intermediate = intermediate(&root, &key, &[]);
    let pem = |certificates| CertificateChain::new(certificates).expect("one is not none").to_pem();
    vec![
        seed("one", pem(vec![root.clone()])),
        seed("two", pem(vec![intermediate.clone(), root])),
        seed("line-ends", pem(vec![intermediate]).replace('\n', "\r\n")),
    ]
}

fn cert_ids() -> Vec<Seed> {
    let made = CertId::new(&[0xa5; 20], &SerialNumber::random()).expect("20 octets are a key identifier");
    vec![
        // The example of RFC 9773 section 4.1.
        seed("example", "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"),
        seed("ours", made.to_string()),
        seed("negative", "aYhba4dGQEHhs3uEe6CuLN4ByNQ.h2VDIQ"),
        seed("zero", "AQ.AA"),
        // 21 octets, none of them there for the sign.
        seed("long", format!("AQ.{}", base64url::encode(&[1; 21]))),
    ]
}

fn bindings() -> Vec<Seed> {
    let secret = MacKey::generate();
    let jwk = Jwk::from_public_key(key(KeyAlgorithm::EcP256).public_key());
    let mut seeds = vec![seed("key", jwk.canonical_json())];
    for algorithm in MacAlgorithm::ALL {
        let header = format!(r#"{{"alg":"{algorithm}","kid":"kid-1","url":"https://ca.example/acme/new-account"}}"#);
        let made = authenticate(&secret, *algorithm, &header, jwk.canonical_json().as_bytes());
        seeds.push(seed(format!("{algorithm}"), made));
        seeds.push(seed(format!("{algorithm}-header"), header));
    }
    seeds
}

fn challenge_certificates() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (kind, extensions) in challenge::right() {
        for algorithm in ALGORITHMS {
            let made = challenge::with_extensions(&key(algorithm), &extensions);
            seeds.push(seed(format!("{kind}-{algorithm}"), made));
        }
        seeds.push(seed(format!("{kind}-extensions"), extensions));
    }
    seeds
}
