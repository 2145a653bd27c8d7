//! Signatures: RFC 7515 section 5.2, RFC 7518 sections 3.3 and 3.4, RFC 8037 section 3.1.

use certus_acme::jose::{Protected, sign};
use certus_acme::{Algorithm, FlattenedJws, JwsError, ProblemKind, base64url};
use certus_pki::{KeyAlgorithm, KeyPair, SignatureEncoding};

use crate::forge::{
    ACCOUNT, NONCE, PAYLOAD, URL, accept, body, header_with, refusal, signed_members, signed_members_by,
};

/// Each kind of EC key, its algorithm, and the octets of a signature.
const EC_KEYS: [(KeyAlgorithm, &str, usize); 3] =
    [(KeyAlgorithm::EcP256, "ES256", 64), (KeyAlgorithm::EcP384, "ES384", 96), (KeyAlgorithm::EcP521, "ES512", 132)];

fn by_jwk(key: &KeyPair) -> String {
    sign(key, &Protected { kid: None, nonce: Some(NONCE), url: URL }, PAYLOAD).unwrap()
}

// conformance: 8555-6.2-15 8555-6.2-16 8555-6.2-17 8555-6.2-18
#[test]
fn every_kind_of_account_key_signs_and_verifies() {
    let names = ["ES256", "ES384", "ES512", "RS256", "RS256", "RS256", "EdDSA"];
    for (kind, name) in KeyAlgorithm::ALL.into_iter().zip(names) {
        let key = KeyPair::generate(kind).unwrap();
        let verified = accept(by_jwk(&key).as_bytes());
        assert_eq!(verified.as_ref().map(certus_acme::VerifiedJws::payload), Ok(PAYLOAD), "{kind}");
        // By the registered name, not by one that both of our sides agree upon.
        assert_eq!(verified.map(|verified| verified.header().alg.clone()), Ok(name.to_owned()), "{kind}");
    }
}

// conformance: 8555-6.2-01
#[test]
fn one_flipped_bit_anywhere_is_noticed() {
    let (protected, payload, signature) = signed_members(&header_with(""), PAYLOAD);
    let flipped = |text: &str, octet: usize| {
        let mut octets = base64url::decode(text).unwrap();
        octets[octet] ^= 1;
        base64url::encode(&octets)
    };
    let unauthorized = Some(ProblemKind::Unauthorized);
    for octet in 0..64 {
        assert_eq!(refusal(&body(&protected, &payload, &flipped(&signature, octet))), unauthorized, "{octet}");
    }
    for octet in 0..PAYLOAD.len() {
        assert_eq!(refusal(&body(&protected, &flipped(&payload, octet), &signature)), unauthorized, "{octet}");
    }
    for octet in 0..header_with("").len() {
        assert!(refusal_of_header(&flipped(&protected, octet), &payload, &signature), "{octet}");
    }
}

/// Whether a request with a changed header is refused: by its form, or by its signature under the same key.
fn refusal_of_header(protected: &str, payload: &str, signature: &str) -> bool {
    let Ok(jws) = FlattenedJws::parse(body(protected, payload, signature).as_bytes()) else {
        return true;
    };
    let Ok(algorithm) = jws.algorithm() else {
        return true;
    };
    jws.verify(ACCOUNT.public_key(), algorithm).is_err()
}

// conformance: 7515-2-04
#[test]
fn the_signature_covers_the_text_as_it_was_sent() {
    let (protected, payload, signature) = signed_members(&header_with(""), PAYLOAD);
    let spaced = base64url::encode(header_with("").replace(',', ", ").as_bytes());
    let reordered = base64url::encode(br#"{"identifiers": []}"#);
    assert_eq!(refusal(&body(&protected, &payload, &signature)), None);
    assert_eq!(refusal(&body(&spaced, &payload, &signature)), Some(ProblemKind::Unauthorized));
    assert_eq!(refusal(&body(&protected, &reordered, &signature)), Some(ProblemKind::Unauthorized));
    // The dot belongs to what is signed: octets do not move across it.
    let (head, tail) = protected.split_at(protected.len() - 4);
    let moved = FlattenedJws::parse(body(head, &format!("{tail}{payload}"), &signature).as_bytes());
    assert!(moved.is_err());
}

#[test]
fn another_accounts_signature_is_refused() {
    let stranger = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let (protected, payload, signature) = signed_members_by(&stranger, &header_with(""), PAYLOAD);
    let fault = accept(body(&protected, &payload, &signature).as_bytes()).unwrap_err();
    assert_eq!(fault, JwsError::Signature);
}

// conformance: 7518-3-01
#[test]
fn ecdsa_signatures_are_two_numbers_of_full_length() {
    for (kind, name, octets) in EC_KEYS {
        let key = KeyPair::generate(kind).unwrap();
        let jwk = certus_acme::Jwk::from_public_key(key.public_key());
        let jwk = jwk.canonical_json();
        let header = format!(r#"{{"alg":"{name}","jwk":{jwk},"nonce":"{NONCE}","url":"{URL}"}}"#);
        let (protected, payload, signature) = signed_members_by(&key, &header, PAYLOAD);
        let good = base64url::decode(&signature).unwrap();
        assert_eq!(good.len(), octets);
        let der = {
            let algorithm = Algorithm::of(key.public_key()).signature_algorithm();
            let input = format!("{protected}.{payload}");
            key.sign(algorithm, SignatureEncoding::Der, input.as_bytes()).unwrap()
        };
        let (r, s) = good.split_at(octets / 2);
        let zero = vec![0; octets / 2];
        let ones = vec![0xff; octets / 2];
        let mut short = good.clone();
        short.pop();
        for (what, wrong) in [
            ("DER", der),
            ("one octet short", short),
            ("one octet long", [&good[..], &[0]].concat()),
            ("a zero in front of each", [&[0], r, &[0], s].concat()),
            ("r is zero", [&zero, s].concat()),
            ("s is zero", [r, &zero].concat()),
            ("all zero", [&zero[..], &zero].concat()),
            ("r beyond the group's order", [&ones, s].concat()),
            ("swapped", [s, r].concat()),
            ("empty", vec![]),
        ] {
            let request = body(&protected, &payload, &base64url::encode(&wrong));
            assert_eq!(refusal(&request), Some(ProblemKind::Unauthorized), "{name}: {what}");
        }
        assert_eq!(refusal(&body(&protected, &payload, &signature)), None, "{name}");
    }
}

// conformance: 7518-3-02
#[test]
fn an_algorithm_takes_keys_of_its_own_kind_alone() {
    let kinds = [
        KeyAlgorithm::EcP256,
        KeyAlgorithm::EcP384,
        KeyAlgorithm::EcP521,
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Ed25519,
    ];
    let keys = kinds.map(|kind| KeyPair::generate(kind).unwrap());
    for (at, key) in keys.iter().enumerate() {
        let jwk = certus_acme::Jwk::from_public_key(key.public_key());
        for (other, algorithm) in Algorithm::ALL.iter().enumerate() {
            assert_eq!(algorithm.fits(key.public_key()), at == other);
            let header =
                format!(r#"{{"alg":"{algorithm}","jwk":{},"nonce":"{NONCE}","url":"{URL}"}}"#, jwk.canonical_json());
            let (protected, payload, signature) = signed_members_by(key, &header, PAYLOAD);
            let expected = (at != other).then_some(ProblemKind::BadPublicKey);
            assert_eq!(refusal(&body(&protected, &payload, &signature)), expected, "{algorithm} with {:?}", kinds[at]);
        }
    }
}
