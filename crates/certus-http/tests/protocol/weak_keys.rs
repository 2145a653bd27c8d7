//! RFC 8555 section 6.2: keys that could verify, but are too weak. To look for weaknesses takes longer than to verify, so
//! it is done only for who has the key.

use certus_acme::{ProblemKind, base64url};
use serde_json::{Value, json};

use crate::common::{World, assert_refused};
use crate::openssl::Workplace;

/// A modulus that three divides, of 2048 bits.
fn divisible_modulus() -> String {
    // All ones: 2^2048 - 1.
    base64url::encode(&[0xff; 256])
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_have_keys_looked_into() {
    let world = World::new().await;
    let client = world.stranger().await;
    let url = client.directory().new_account.clone();
    let jwk = json!({"kty": "RSA", "n": divisible_modulus(), "e": "AQAB"});
    let nonce = client.nonce().await.unwrap();
    let right = client.forge(&url, "{}").await.unwrap().nonce(&nonce);
    let weak = right.clone().alg("RS256").set("jwk", jwk).signature([1; 256]);
    let answer = client.send(&url, weak.body().unwrap()).await.unwrap();
    assert_refused("signed by nobody", &answer, 403, ProblemKind::Unauthorized);
    // Nor was the nonce spent.
    assert_eq!(client.send(&url, right.body().unwrap()).await.unwrap().status, 201);
}

// conformance: 8555-6.5-05
#[tokio::test(flavor = "multi_thread")]
async fn weak_keys_are_refused_to_who_has_them() {
    let world = World::new().await;
    let client = world.stranger().await;
    let url = client.directory().new_account.clone();
    let workplace = Workplace::new();
    workplace.run(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_pubexp:3", "-out", "key.pem"]);
    let modulus = workplace.run(&["rsa", "-in", "key.pem", "-noout", "-modulus"]);
    let octets = hex(modulus.trim().strip_prefix("Modulus=").unwrap());
    let signed = |nonce: &str| {
        let jwk = json!({"kty": "RSA", "n": base64url::encode(&octets), "e": "Aw"});
        let header = json!({"alg": "RS256", "jwk": jwk, "nonce": nonce, "url": url}).to_string();
        let (header, payload) = (base64url::encode(header.as_bytes()), base64url::encode(b"{}"));
        workplace.write("input", format!("{header}.{payload}"));
        let signature = workplace.run(&["dgst", "-sha256", "-sign", "key.pem", "-hex", "input"]);
        let signature = base64url::encode(&hex(signature.trim().rsplit(' ').next().unwrap()));
        json!({"protected": header, "payload": payload, "signature": signature})
    };
    let send = async |body: &Value| client.send(&url, body.to_string()).await.unwrap();
    let body = signed(&client.nonce().await.unwrap());
    let problem = assert_refused("weak", &send(&body).await, 400, ProblemKind::BadPublicKey);
    assert!(problem.detail.contains("exponent"), "{problem:?}");
    // Its signature held, so its nonce is spent.
    assert_refused("again", &send(&body).await, 400, ProblemKind::BadNonce);
}

fn hex(text: &str) -> Vec<u8> {
    let octet = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(octet).collect()
}
