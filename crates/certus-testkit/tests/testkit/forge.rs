//! A forged request is wrong in one thing alone.

use certus_acme::{Algorithm, FlattenedJws, KeyReference};
use certus_pki::{KeyAlgorithm, KeyPair};
use certus_testkit::{Forge, Member};

const URL: &str = "https://ca.example/acme/new-order";

fn key() -> KeyPair {
    KeyPair::generate(KeyAlgorithm::EcP256).unwrap()
}

#[test]
fn what_is_not_forged_is_right() {
    for algorithm in [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::EcP521, KeyAlgorithm::Ed25519] {
        let key = KeyPair::generate(algorithm).unwrap();
        let body = Forge::new(&key, URL, "{}").nonce("bm9uY2U").body().unwrap();
        let jws = FlattenedJws::parse(&body).unwrap();
        assert_eq!((jws.url(), jws.nonce()), (Ok(URL), Ok("bm9uY2U")));
        let KeyReference::Jwk(jwk) = jws.key_reference().unwrap() else { panic!("{body:?}") };
        assert_eq!(jwk.public_key(), key.public_key());
        let verified = jws.verify(key.public_key(), Algorithm::of(key.public_key())).unwrap();
        assert_eq!(verified.payload(), b"{}");
    }
}

#[test]
fn header_members_are_replaced_doubled_and_taken_out() {
    let forge = Forge::new(&key(), URL, "").nonce("a").kid("https://ca.example/acme/acct/1");
    let header = |forge: &Forge| {
        let compact = String::from_utf8(forge.compact().unwrap()).unwrap();
        let (protected, _) = compact.split_once('.').unwrap();
        String::from_utf8(certus_acme::base64url::decode(protected).unwrap()).unwrap()
    };
    let right = r#"{"alg":"ES256","url":"https://ca.example/acme/new-order","nonce":"a","kid":"https://ca.example/acme/acct/1"}"#;
    assert_eq!(header(&forge), right);
    assert_eq!(header(&forge.clone().alg("none")), right.replace("ES256", "none"));
    assert_eq!(header(&forge.clone().add_json("alg", "7")), right.replace(r#"1"}"#, r#"1","alg":7}"#));
    assert_eq!(
        header(&forge.without_key().without("nonce")),
        r#"{"alg":"ES256","url":"https://ca.example/acme/new-order"}"#
    );
}

#[test]
fn serializations_are_those_of_the_rfc() {
    let text = |body: Vec<u8>| String::from_utf8(body).unwrap();
    let forge = Forge::new(&key(), URL, "x").signature("s");
    let compact = text(forge.compact().unwrap());
    let [protected, payload, signature] = compact.split('.').collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((payload, signature), ("eA", "cw"));
    let flattened = format!(r#"{{"protected":"{protected}","payload":"eA","signature":"cw"}}"#);
    assert_eq!(text(forge.body().unwrap()), flattened);
    assert_eq!(
        text(forge.general().unwrap()),
        format!(r#"{{"payload":"eA","signatures":[{{"protected":"{protected}","signature":"cw"}}]}}"#)
    );
    let both = text(forge.flattened_and_general().unwrap());
    assert!(both.starts_with(flattened.trim_end_matches('}')) && both.contains("\"signatures\":[{"), "{both}");
    let detached = text(forge.clone().detached().body().unwrap());
    assert_eq!(detached, format!(r#"{{"protected":"{protected}","signature":"cw"}}"#));
    let padded = text(forge.clone().padded(Member::Payload).trailing(b"{}").body().unwrap());
    assert_eq!(padded, format!(r#"{}{{}}"#, flattened.replace("\"eA\"", "\"eA==\"")));
    let unencoded = text(forge.unencoded().body().unwrap());
    assert!(unencoded.contains(r#""payload":"x""#), "{unencoded}");
}

#[test]
fn a_flipped_bit_and_anothers_signature_do_not_verify() {
    let key = key();
    let right = Forge::new(&key, URL, "{}");
    for bit in (0..512).step_by(37) {
        let jws = FlattenedJws::parse(&right.clone().flip_signature_bit(bit).body().unwrap()).unwrap();
        assert!(jws.verify(key.public_key(), Algorithm::Es256).is_err());
    }
    let other = self::key();
    let jws = FlattenedJws::parse(&right.signed_by(&other).body().unwrap()).unwrap();
    assert!(jws.clone().verify(key.public_key(), Algorithm::Es256).is_err());
    assert!(jws.verify(other.public_key(), Algorithm::Es256).is_ok());
}
