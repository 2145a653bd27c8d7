//! External account bindings: RFC 8555 section 7.3.4, RFC 7518 section 3.2.

use certus_acme::{FlattenedJws, Jwk, KeyReference, MacAlgorithm, ProtectedHeader, authenticate, strict_object};
use certus_pki::MacKey;

use crate::text::{printable, told};

/// What no input was authenticated with.
const SECRET: &[u8] = b"a key that nobody has who wrote the input";

/// The input as a binding; as the header of one whose MAC is right; and as what one is about.
pub fn binding(data: &[u8]) {
    let key = MacKey::from_bytes(SECRET);
    if let Some(jws) = read(data) {
        for algorithm in MacAlgorithm::ALL {
            let refused = jws.clone().verify_mac(&key, *algorithm).expect_err("a key that made no MAC verifies none");
            told(&refused.problem());
        }
    }
    if let Ok(header) = str::from_utf8(data) {
        right_mac(&key, header, b"{}");
    }
    for algorithm in MacAlgorithm::ALL {
        let header = format!(r#"{{"alg":"{algorithm}","kid":"k","url":"https://ca.example/acme/new-account"}}"#);
        assert!(right_mac(&key, &header, data), "our own binding is read, whatever it is about");
    }
}

/// The steps of an authority, each taken whatever came of the one before.
fn read(data: &[u8]) -> Option<FlattenedJws> {
    let jws = FlattenedJws::parse(data).map_err(|error| told(&error.problem())).ok()?;
    if let Err(error) = jws.mac_algorithm() {
        told(&error.problem());
    }
    match jws.key_reference() {
        Ok(KeyReference::Kid(kid)) => assert_eq!(jws.header().kid.as_deref(), Some(kid)),
        Ok(KeyReference::Jwk(_)) => assert!(jws.header().kid.is_none()),
        Err(error) => told(&error.problem()),
    }
    if let Err(error) = jws.url() {
        told(&error.problem());
    }
    Some(jws)
}

/// A binding whose MAC is right is refused, or verified with the algorithm that its header says and no other. Returns
/// whether it was verified.
fn right_mac(key: &MacKey, header: &str, payload: &[u8]) -> bool {
    let mut verified = false;
    for made_with in MacAlgorithm::ALL {
        let Some(jws) = read(authenticate(key, *made_with, header, payload).as_bytes()) else { continue };
        let Ok(said) = jws.mac_algorithm() else { continue };
        assert!(jws.algorithm().is_err(), "no MAC stands for a signature");
        match jws.verify_mac(key, said) {
            Ok(read) => {
                assert_eq!(said, *made_with);
                assert_eq!(read.payload(), payload);
                let again = strict_object::<ProtectedHeader>(header.as_bytes()).expect("a header that was read");
                assert_eq!(read.header().url, again.url);
                bound_key(read.payload());
                verified = true;
            }
            Err(error) => {
                assert_ne!(said, *made_with);
                told(&error.problem());
            }
        }
    }
    verified
}

/// What is bound: the account's key.
fn bound_key(payload: &[u8]) {
    let Ok(text) = str::from_utf8(payload) else { return };
    match Jwk::parse(text) {
        Ok(key) => assert_eq!(Jwk::parse(key.canonical_json()).as_ref(), Ok(&key)),
        Err(error) => printable(&error),
    }
}
