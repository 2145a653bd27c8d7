//! RFC 8555 section 6.1: HTTPS.

use crate::common::World;

// conformance: 8555-6.1-13
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_obtained() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    assert!(issued.chain_pem.starts_with("-----BEGIN CERTIFICATE-----"));
}
