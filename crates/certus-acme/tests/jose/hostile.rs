//! Anything at all: nothing panics, and nothing but what was signed is accepted.

use std::sync::LazyLock;

use certus_acme::jose::{Protected, sign};
use certus_acme::{CertId, FlattenedJws, Jwk, MacAlgorithm, NewOrder, authenticate, strict_object};
use certus_pki::MacKey;
use proptest::prelude::*;
use serde_json::Value;

use crate::forge::{ACCOUNT, NONCE, PAYLOAD, URL, accept, body, header_with, signed_members};

/// A good request that brings its own key, so that a change can be anywhere.
static GOOD: LazyLock<String> =
    LazyLock::new(|| sign(&ACCOUNT, &Protected { kid: None, nonce: Some(NONCE), url: URL }, PAYLOAD).unwrap());

/// One change: at a place of the text, an octet is replaced, put in, or taken out.
#[derive(Debug, Clone)]
enum Change {
    Replace(u8),
    Insert(u8),
    Remove,
    Truncate,
    Repeat,
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, Change)>> {
    let octet = prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\=.-_+/Aa0 \n".to_vec())];
    let change = prop_oneof![
        4 => octet.clone().prop_map(Change::Replace),
        3 => octet.prop_map(Change::Insert),
        3 => Just(Change::Remove),
        1 => Just(Change::Truncate),
        1 => Just(Change::Repeat),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), change), 1..4)
}

fn changed(text: &str, changes: &[(prop::sample::Index, Change)]) -> Vec<u8> {
    let mut octets = text.as_bytes().to_vec();
    for (place, change) in changes {
        if octets.is_empty() {
            break;
        }
        let at = place.index(octets.len());
        match change {
            Change::Replace(octet) => octets[at] = *octet,
            Change::Insert(octet) => octets.insert(at, *octet),
            Change::Remove => drop(octets.remove(at)),
            Change::Truncate => octets.truncate(at),
            Change::Repeat => octets.extend_from_within(at..),
        }
    }
    octets
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_altered_request_is_refused_or_means_the_same(changes in changes()) {
        let altered = changed(&GOOD, &changes);
        if let Ok(verified) = accept(&altered) {
            let original = FlattenedJws::parse(GOOD.as_bytes()).unwrap();
            prop_assert_eq!(verified.payload(), PAYLOAD);
            prop_assert_eq!(&verified.header().alg, &original.header().alg);
            prop_assert_eq!(&verified.header().url, &original.header().url);
            prop_assert_eq!(&verified.header().nonce, &original.header().nonce);
        }
    }

    #[test]
    fn an_altered_header_is_refused_though_signed_or_has_a_meaning(changes in changes()) {
        let altered = changed(&header_with(""), &changes);
        let altered = String::from_utf8_lossy(&altered);
        let (protected, payload, signature) = signed_members(&altered, PAYLOAD);
        // The kid may be another one now, so the account is not looked up here.
        if let Ok(jws) = FlattenedJws::parse(body(&protected, &payload, &signature).as_bytes()) {
            let refused = jws.key_reference().err().map(|fault| fault.problem());
            prop_assert!(refused.is_none_or(|problem| problem.status == 400));
            if let Ok(algorithm) = jws.algorithm() {
                prop_assert!(jws.verify(ACCOUNT.public_key(), algorithm).is_ok());
            }
        }
    }

    #[test]
    fn an_altered_binding_is_refused_or_means_the_same(which in 0_usize..3, changes in changes()) {
        let (key, algorithm) = (MacKey::from_bytes(b"handed out by an operator"), MacAlgorithm::ALL[which]);
        let header = format!(r#"{{"alg":"{algorithm}","kid":"key-1","url":"{URL}"}}"#);
        let altered = changed(&authenticate(&key, algorithm, &header, PAYLOAD), &changes);
        if let Ok(jws) = FlattenedJws::parse(&altered)
            && let Ok(said) = jws.mac_algorithm()
            && let Ok(verified) = jws.verify_mac(&key, said)
        {
            prop_assert_eq!((said, verified.payload()), (algorithm, PAYLOAD));
            prop_assert_eq!(verified.header().kid.as_deref(), Some("key-1"));
        }
        // The MAC is right, whatever the header says: only what it says of the algorithm counts.
        let altered = changed(&header, &changes);
        let sent = authenticate(&key, algorithm, &String::from_utf8_lossy(&altered), PAYLOAD);
        if let Ok(jws) = FlattenedJws::parse(sent.as_bytes()) {
            let (signed_by, said) = (jws.algorithm(), jws.mac_algorithm());
            prop_assert!(signed_by.is_err() || said.is_err(), "no algorithm makes both");
            // A changed letter makes HS256 the name of an algorithm of signatures: the MAC is none of those.
            if let Ok(signed_by) = signed_by {
                prop_assert!(jws.clone().verify(ACCOUNT.public_key(), signed_by).is_err());
            }
            if let Ok(said) = said {
                prop_assert_eq!(jws.verify_mac(&key, said).is_ok(), said == algorithm);
            }
        }
    }

    #[test]
    fn a_mac_is_no_signature(name in prop::sample::select(vec!["ES256", "ES384", "ES512", "RS256", "EdDSA"])) {
        let (key, algorithm) = (MacKey::from_bytes(b"handed out by an operator"), MacAlgorithm::ALL[0]);
        let header = format!(r#"{{"alg":"{name}","kid":"key-1","url":"{URL}"}}"#);
        let jws = FlattenedJws::parse(authenticate(&key, algorithm, &header, PAYLOAD).as_bytes()).unwrap();
        prop_assert!(jws.mac_algorithm().is_err());
        let signed_by = jws.algorithm().unwrap();
        prop_assert!(jws.verify(ACCOUNT.public_key(), signed_by).is_err());
    }

    #[test]
    fn a_name_of_a_certificate_has_one_text(changes in changes()) {
        let altered = changed("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE", &changes);
        let text = String::from_utf8_lossy(&altered);
        if let Ok(id) = CertId::parse(&text) {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn random_octets_are_refused(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(accept(&octets).is_err());
        prop_assert!(strict_object::<NewOrder>(&octets).is_err());
    }

    #[test]
    fn random_text_is_no_key(text in r#"(\{|\}|\[|"|:|,|kty|EC|crv|P-256|x|y|RSA|n|e|OKP|AA|\\u00|é| ){0,40}"#) {
        prop_assert!(Jwk::parse(&text).is_err());
    }

    #[test]
    fn a_random_key_is_read_back_or_refused(kind in 0_usize..3, a in prop::collection::vec(any::<u8>(), 0..300), b in prop::collection::vec(any::<u8>(), 0..70)) {
        let (a, b) = (certus_acme::base64url::encode(&a), certus_acme::base64url::encode(&b));
        let jwk = match kind {
            0 => format!(r#"{{"kty":"EC","crv":"P-256","x":"{a}","y":"{b}"}}"#),
            1 => format!(r#"{{"kty":"RSA","n":"{a}","e":"{b}"}}"#),
            _ => format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{b}"}}"#),
        };
        if let Ok(key) = Jwk::parse(&jwk) {
            prop_assert_eq!(Jwk::parse(key.canonical_json()).unwrap(), key);
        }
    }
    #[test]
    fn strict_json_reads_objects_as_every_reader_does(value in values(), text in "\\PC{0,60}") {
        let written = value.to_string();
        let read: Value = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(strict_object::<Value>(written.as_bytes()).ok(), read.is_object().then_some(read));
        if let Ok(strict) = strict_object::<Value>(text.as_bytes()) {
            prop_assert_eq!(strict, serde_json::from_str::<Value>(&text).unwrap());
        }
    }
}
