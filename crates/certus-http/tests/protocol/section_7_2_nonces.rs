//! RFC 8555 section 7.2: getting a nonce.

use certus_acme::base64url;

use crate::common::World;

// conformance: 8555-7.2-01 8555-7.2-02 8555-7.2-03 8555-7.2-04 8555-7.2-05
#[tokio::test(flavor = "multi_thread")]
async fn new_nonce_gives_a_nonce_and_nothing_else() {
    let world = World::new().await;
    let client = world.stranger().await;
    let mut nonces = Vec::new();
    for (method, status) in [("HEAD", 200), ("GET", 204), ("HEAD", 200), ("GET", 204)] {
        let answer = client.http().send(method, &client.directory().new_nonce, &[], "").await.unwrap();
        assert_eq!(answer.status, status, "{method}: {answer:?}");
        assert!(answer.body.is_empty(), "{method}: {answer:?}");
        let caching = answer.header("cache-control").unwrap_or_default();
        assert!(caching.split(',').any(|one| one.trim() == "no-store"), "{method}: {answer:?}");
        let nonce = answer.nonce().unwrap().to_owned();
        assert!(base64url::is_alphabet(&nonce), "{nonce}");
        assert!(!nonces.contains(&nonce), "{nonce}");
        nonces.push(nonce);
    }
}
