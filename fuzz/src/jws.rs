//! Signed requests: RFC 7515, RFC 7517, RFC 8555 section 6.

use std::sync::LazyLock;

use certus_acme::{Algorithm, FlattenedJws, Jwk, KeyReference, base64url};
use certus_pki::{KeyAlgorithm, KeyPair, PublicKey, check_account_key};

use crate::text::told;

/// The input as a request's body, as a protected header, and as a JWK.
pub fn jws(data: &[u8]) {
    body(data);
    body(format!(r#"{{"protected":"{}","payload":"","signature":""}}"#, base64url::encode(data)).as_bytes());
    if let Ok(text) = str::from_utf8(data) {
        jwk(text);
    }
}

/// The steps of a request, in the order of RFC 8555 section 6, each taken whatever came of the one before.
fn body(data: &[u8]) {
    let jws = match FlattenedJws::parse(data) {
        Ok(jws) => jws,
        Err(error) => return told(&error.problem()),
    };
    for step in [jws.url(), jws.nonce()] {
        step.map_or_else(|error| told(&error.problem()), |text| drop(text.to_owned()));
    }
    let key = match jws.key_reference() {
        Ok(KeyReference::Jwk(key)) => {
            sound(&key);
            Some(key)
        }
        Ok(KeyReference::Kid(_)) => None,
        Err(error) => {
            told(&error.problem());
            None
        }
    };
    let algorithm = match jws.algorithm() {
        Ok(algorithm) => algorithm,
        Err(error) => return told(&error.problem()),
    };
    for key in &*OWN_KEYS {
        let refused = jws.clone().verify(key, algorithm).expect_err("a key that signed nothing does not verify");
        told(&refused.problem());
    }
    if let Some(key) = key {
        let header = jws.header().clone();
        match jws.verify(key.public_key(), algorithm) {
            Ok(verified) => {
                assert_eq!(Algorithm::of(key.public_key()), algorithm);
                assert_eq!(verified.header().url, header.url);
                assert_eq!(verified.is_post_as_get(), verified.payload().is_empty());
            }
            Err(error) => told(&error.problem()),
        }
    }
}

fn jwk(text: &str) {
    match Jwk::parse(text) {
        Ok(key) => sound(&key),
        Err(error) => told(&error.problem()),
    }
}

/// A key that was read is the one that is written (RFC 7638).
fn sound(key: &Jwk) {
    let again = Jwk::parse(key.canonical_json()).expect("the canonical form is read");
    assert_eq!(&again, key);
    assert_eq!(again.thumbprint(), key.thumbprint());
    let spki = PublicKey::from_spki_der(key.public_key().spki_der()).expect("a key's own encoding is read");
    assert_eq!(&spki, key.public_key());
    if let Err(refused) = check_account_key(key.public_key()) {
        crate::text::printable(&refused);
    }
}

/// Keys that no input was signed with.
static OWN_KEYS: LazyLock<Vec<PublicKey>> = LazyLock::new(|| {
    [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::EcP521, KeyAlgorithm::Rsa2048, KeyAlgorithm::Ed25519]
        .into_iter()
        .map(|algorithm| KeyPair::generate(algorithm).expect("a key pair can be made").public_key().clone())
        .collect()
});
