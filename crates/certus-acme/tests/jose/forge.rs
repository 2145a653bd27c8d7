//! Requests with anything in them, and the steps in which a server takes them.

use std::sync::LazyLock;

use certus_acme::{Algorithm, FlattenedJws, JwsError, KeyReference, ProblemKind, VerifiedJws, base64url};
use certus_pki::{KeyAlgorithm, KeyPair, SignatureEncoding};

pub(crate) const URL: &str = "https://ca.example/acme/new-order";
pub(crate) const KID: &str = "https://ca.example/acme/acct/1";
pub(crate) const NONCE: &str = "bm9uY2U";
pub(crate) const PAYLOAD: &[u8] = br#"{"identifiers":[]}"#;

/// The account whose `kid` is [`KID`].
pub(crate) static ACCOUNT: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeyAlgorithm::EcP256).unwrap());

/// A good protected header, with members more.
pub(crate) fn header_with(more: &str) -> String {
    format!(r#"{{"alg":"ES256","kid":"{KID}","nonce":"{NONCE}","url":"{URL}"{more}}}"#)
}

/// A body of three members that are as given.
pub(crate) fn body(protected: &str, payload: &str, signature: &str) -> String {
    format!(r#"{{"protected":"{protected}","payload":"{payload}","signature":"{signature}"}}"#)
}

/// The members of a request that [`ACCOUNT`] truly signed, whatever its header says.
pub(crate) fn signed_members(header: &str, payload: &[u8]) -> (String, String, String) {
    signed_members_by(&ACCOUNT, header, payload)
}

/// The members of a request that a key truly signed with its own algorithm, whatever its header says.
pub(crate) fn signed_members_by(key: &KeyPair, header: &str, payload: &[u8]) -> (String, String, String) {
    signed_octets_by(key, header.as_bytes(), payload)
}

fn signed_octets_by(key: &KeyPair, header: &[u8], payload: &[u8]) -> (String, String, String) {
    let (protected, payload) = (base64url::encode(header), base64url::encode(payload));
    let algorithm = Algorithm::of(key.public_key()).signature_algorithm();
    let input = format!("{protected}.{payload}");
    let signature = key.sign(algorithm, SignatureEncoding::Fixed, input.as_bytes()).unwrap();
    (protected, payload, base64url::encode(&signature))
}

/// A request that [`ACCOUNT`] truly signed, whatever its header says.
pub(crate) fn signed(header: &str) -> String {
    signed_octets(header.as_bytes())
}

/// The same for a header that need not be text.
pub(crate) fn signed_octets(header: &[u8]) -> String {
    let (protected, payload, signature) = signed_octets_by(&ACCOUNT, header, PAYLOAD);
    body(&protected, &payload, &signature)
}

/// The steps of a server that asks for an account's signature, or takes the key the request brings.
pub(crate) fn accept(request: &[u8]) -> Result<VerifiedJws, JwsError> {
    let jws = FlattenedJws::parse(request)?;
    let algorithm = jws.algorithm()?;
    jws.url()?;
    let key = match jws.key_reference()? {
        KeyReference::Kid(kid) => {
            assert_eq!(kid, KID);
            ACCOUNT.public_key().clone()
        }
        KeyReference::Jwk(jwk) => jwk.public_key().clone(),
    };
    let verified = jws.verify(&key, algorithm)?;
    verified.nonce()?;
    Ok(verified)
}

/// With which problem a request is refused; `None` if it is accepted.
pub(crate) fn refusal(request: &str) -> Option<ProblemKind> {
    accept(request.as_bytes()).err().map(|fault| fault.problem().kind)
}

/// Checks that every request of a table is refused as malformed.
#[track_caller]
pub(crate) fn all_malformed(table: &[(&str, String)]) {
    for (what, request) in table {
        assert_eq!(refusal(request), Some(ProblemKind::Malformed), "{what}: {request}");
    }
}
