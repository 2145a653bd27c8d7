//! Noise: whatever arrives, nothing panics, and nothing is accepted that its owner did not sign.

use std::sync::LazyLock;

use certus_acme::{Algorithm, FlattenedJws, Jwk, JwsError, KeyReference, base64url, check_contact, strict_object};
use certus_pki::{KeyAlgorithm, KeyPair};
use certus_testkit::Forge;
use proptest::prelude::*;
use serde_json::Value;

const PAYLOAD: &[u8] = br#"{"termsOfServiceAgreed":true,"contact":["mailto:a@example.org"]}"#;

struct Signed {
    key: KeyPair,
    body: Vec<u8>,
}

/// A right request of each kind of key.
static SIGNED: LazyLock<Vec<Signed>> = LazyLock::new(|| {
    let kinds = [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::EcP521, KeyAlgorithm::Rsa2048];
    let kinds = kinds.into_iter().chain([KeyAlgorithm::Ed25519]);
    kinds
        .map(|kind| {
            let key = KeyPair::generate(kind).unwrap();
            let body = Forge::new(&key, "https://ca.example/acme/new-account", PAYLOAD).nonce("AAAA").body().unwrap();
            Signed { key, body }
        })
        .collect()
});

/// All that can be done with a request; the payload if the owner of `key` signed it.
fn accept(body: &[u8], key: &KeyPair) -> Result<Vec<u8>, JwsError> {
    let jws = FlattenedJws::parse(body)?;
    let algorithm = jws.algorithm()?;
    // Whatever key it names, it is the owner's that counts.
    if let KeyReference::Jwk(named) = jws.key_reference()? {
        let again = Jwk::parse(named.canonical_json())?;
        assert_eq!(again, named);
    }
    jws.url()?;
    jws.nonce()?;
    Ok(jws.verify(key.public_key(), algorithm)?.payload().to_vec())
}

/// A change of a text: an octet replaced, taken out, put in, or a piece copied elsewhere.
#[derive(Debug, Clone)]
enum Change {
    Replace(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Insert(prop::sample::Index, u8),
    Copy(prop::sample::Index, prop::sample::Index, usize),
}

impl Change {
    fn apply(&self, text: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let length = text.len();
        match self {
            Self::Replace(place, octet) => text[place.index(length)] = *octet,
            Self::Remove(place) => drop(text.remove(place.index(length))),
            Self::Insert(place, octet) => text.insert(place.index(length), *octet),
            Self::Copy(from, to, octets) => {
                let (from, to) = (from.index(length), to.index(length));
                let piece = text[from..length.min(from + octets)].to_vec();
                text.splice(to..to, piece);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let octet = || prop_oneof![any::<u8>(), prop::sample::select(br#"{}[]",:\=AB_-+/ 0n"#.to_vec())];
    prop_oneof![
        4 => (any::<prop::sample::Index>(), octet()).prop_map(|(place, octet)| Change::Replace(place, octet)),
        1 => any::<prop::sample::Index>().prop_map(Change::Remove),
        1 => (any::<prop::sample::Index>(), octet()).prop_map(|(place, octet)| Change::Insert(place, octet)),
        1 => (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1_usize..80)
            .prop_map(|(from, to, length)| Change::Copy(from, to, length)),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    let names = || {
        prop_oneof![
            "[a-z]{0,4}",
            prop::sample::select(vec!["kty", "crv", "x", "y", "n", "e", "alg", "jwk"]).prop_map(String::from)
        ]
    };
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(names(), inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_request_means_the_same_or_is_refused(
        which in 0..5_usize,
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let Signed { key, body } = &SIGNED[which];
        let mut changed = body.clone();
        changes.iter().for_each(|change| change.apply(&mut changed));
        // White space may come and go; what was signed may not.
        if let Ok(payload) = accept(&changed, key) {
            prop_assert_eq!(payload, PAYLOAD);
        }
    }

    #[test]
    fn octets_are_no_requests(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(accept(&octets, &SIGNED[0].key).is_err());
        if let Ok(text) = std::str::from_utf8(&octets) {
            prop_assert!(Jwk::parse(text).is_err());
        }
    }

    #[test]
    fn other_headers_and_signatures_are_refused(
        which in 0..5_usize,
        header in json(),
        signature in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let Signed { key, body } = &SIGNED[which];
        let right: Value = serde_json::from_slice(body).unwrap();
        let mut other = right.clone();
        other["protected"] = base64url::encode(header.to_string().as_bytes()).into();
        prop_assert!(accept(other.to_string().as_bytes(), key).is_err());
        let mut other = right;
        other["signature"] = base64url::encode(&signature).into();
        prop_assert_eq!(accept(other.to_string().as_bytes(), key), Err(JwsError::Signature));
    }

    #[test]
    fn keys_out_of_nothing_are_refused_or_read_back(
        header in json(),
        x in prop::collection::vec(any::<u8>(), 30..34),
        y in prop::collection::vec(any::<u8>(), 30..34),
    ) {
        for text in [
            header.to_string(),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}"#, base64url::encode(&x), base64url::encode(&y)),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, base64url::encode(&x)),
        ] {
            if let Ok(key) = Jwk::parse(&text) {
                prop_assert_eq!(&Jwk::parse(key.canonical_json()).unwrap(), &key);
                prop_assert!(Algorithm::of(key.public_key()).fits(key.public_key()));
            }
        }
    }

    #[test]
    fn strict_json_is_json(value in json(), text in "\\PC{0,60}") {
        // Whatever has no double member and is an object reads the same for everybody.
        let written = value.to_string();
        let lenient: Value = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(strict_object::<Value>(written.as_bytes()).ok(), value.is_object().then_some(lenient));
        if let Ok(strict) = strict_object::<Value>(text.as_bytes()) {
            prop_assert_eq!(strict, serde_json::from_str::<Value>(&text).unwrap());
        }
    }

    #[test]
    fn base64url_that_is_read_is_written_the_same(text in "[A-Za-z0-9_=+/ -]{0,24}") {
        if let Ok(octets) = base64url::decode(&text) {
            prop_assert_eq!(base64url::encode(&octets), text);
        }
    }

    #[test]
    fn contacts_are_refused_without_panic(text in "\\PC{0,60}", rest in "[a-z@.?,% ]{0,30}") {
        if check_contact(&text).is_ok() {
            prop_assert!(text.to_ascii_lowercase().starts_with("mailto:"));
        }
        let url = format!("mailto:{rest}");
        if check_contact(&url).is_ok() {
            prop_assert!(rest.matches('@').count() == 1 && !rest.contains(['?', ',', ' ', '%']), "{rest}");
        }
    }
}
