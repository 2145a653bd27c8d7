//! Signing a request: the client's side of a JWS.

use certus_pki::{CryptoError, KeyPair, SignatureEncoding};
use serde::Serialize;
use serde_json::value::RawValue;

use super::algorithm::Algorithm;
use super::jwk::Jwk;
use crate::base64url;

/// What the protected header of a request says.
#[derive(Debug, Clone, Copy)]
pub struct Protected<'a> {
    /// The account URL; `None` puts the key itself into the header.
    pub kid: Option<&'a str>,
    /// The nonce.
    pub nonce: Option<&'a str>,
    /// The URL the request is for.
    pub url: &'a str,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwk: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    url: &'a str,
}

/// Signs a payload; an empty one makes a POST-as-GET (RFC 8555 section 6.3). Returns the request body.
///
/// # Errors
///
/// [`CryptoError`] when the key cannot sign.
pub fn sign(key: &KeyPair, header: &Protected<'_>, payload: &[u8]) -> Result<String, CryptoError> {
    let algorithm = Algorithm::of(key.public_key());
    let jwk = Jwk::from_public_key(key.public_key());
    let jwk: Option<&RawValue> = match header.kid {
        Some(_) => None,
        None => serde_json::from_str(jwk.canonical_json()).ok(),
    };
    let header = Header { alg: algorithm.name(), jwk, kid: header.kid, nonce: header.nonce, url: header.url };
    // Strings alone, so that writing them cannot fail.
    let header = serde_json::to_vec(&header).unwrap_or_default();
    let input = format!("{}.{}", base64url::encode(&header), base64url::encode(payload));
    let signature = key.sign(algorithm.signature_algorithm(), SignatureEncoding::Fixed, input.as_bytes())?;
    let (protected, payload) = input.split_once('.').unwrap_or_default();
    Ok(format!(
        r#"{{"protected":"{protected}","payload":"{payload}","signature":"{}"}}"#,
        base64url::encode(&signature)
    ))
}
