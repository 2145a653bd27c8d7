//! RFC 8555 section 6.2: keys that could verify, but are too weak. To look for weaknesses takes longer than to verify, so
//! it is done only for who has the key.

use certus_acme::{Jwk, OrderStatus, ProblemKind, base64url};
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

/// A key of RSA whose exponent is 3, by OpenSSL: it signs, and no authority should take it.
struct Weak {
    workplace: Workplace,
    modulus: Vec<u8>,
}

impl Weak {
    fn new() -> Self {
        let workplace = Workplace::new();
        workplace.run(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_pubexp:3", "-out", "key.pem"]);
        let modulus = workplace.run(&["rsa", "-in", "key.pem", "-noout", "-modulus"]);
        let modulus = hex(modulus.trim().strip_prefix("Modulus=").unwrap());
        Self { workplace, modulus }
    }

    /// A JWS with the key in it.
    fn sign(&self, nonce: Option<&str>, url: &str, payload: &str) -> Value {
        let jwk = json!({"kty": "RSA", "n": base64url::encode(&self.modulus), "e": "Aw"});
        let mut header = json!({"alg": "RS256", "jwk": jwk, "url": url});
        if let Some(nonce) = nonce {
            header["nonce"] = nonce.into();
        }
        let (header, payload) =
            (base64url::encode(header.to_string().as_bytes()), base64url::encode(payload.as_bytes()));
        self.workplace.write("input", format!("{header}.{payload}"));
        let signature = self.workplace.run(&["dgst", "-sha256", "-sign", "key.pem", "-hex", "input"]);
        let signature = base64url::encode(&hex(signature.trim().rsplit(' ').next().unwrap()));
        json!({"protected": header, "payload": payload, "signature": signature})
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weak_key_becomes_no_accounts_and_is_not_certified() {
    let world = World::new().await;
    let client = world.client().await;
    let weak = Weak::new();
    let url = client.directory().key_change.clone().unwrap();
    let old: Value = serde_json::from_str(Jwk::from_public_key(client.key().public_key()).canonical_json()).unwrap();
    let change = json!({ "account": client.account_url(), "oldKey": old });
    let inner = weak.sign(None, &url, &change.to_string());
    let problem =
        assert_refused("a new key", &client.post(&url, &inner).await.unwrap(), 400, ProblemKind::BadPublicKey);
    assert!(problem.detail.contains("exponent"), "{problem:?}");

    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let order = client.authorize(&order, &world.target).await.unwrap();
    let request = ["req", "-new", "-key", "key.pem", "-subj", "/", "-addext", "subjectAltName=DNS:a.localhost"];
    let request = weak.workplace.try_run(&[&request[..], &["-outform", "DER"]].concat());
    assert!(request.status.success(), "{request:?}");
    let wish = json!({ "csr": base64url::encode(&request.stdout) });
    let answer = client.post(&order.value.finalize, &wish).await.unwrap();
    let problem = assert_refused("a request", &answer, 400, ProblemKind::BadCsr);
    assert!(problem.detail.contains("exponent"), "{problem:?}");
    assert_eq!(client.order(&order.url).await.unwrap().value.status, OrderStatus::Ready);
}

// conformance: 8555-6.5-05
#[tokio::test(flavor = "multi_thread")]
async fn weak_keys_are_refused_to_who_has_them() {
    let world = World::new().await;
    let client = world.stranger().await;
    let url = client.directory().new_account.clone();
    let weak = Weak::new();
    let send = async |body: &Value| client.send(&url, body.to_string()).await.unwrap();
    let body = weak.sign(Some(&client.nonce().await.unwrap()), &url, "{}");
    let problem = assert_refused("weak", &send(&body).await, 400, ProblemKind::BadPublicKey);
    assert!(problem.detail.contains("exponent"), "{problem:?}");
    // Its signature held, so its nonce is spent.
    assert_refused("again", &send(&body).await, 400, ProblemKind::BadNonce);
}

fn hex(text: &str) -> Vec<u8> {
    let octet = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    text.as_bytes().chunks(2).map(octet).collect()
}
