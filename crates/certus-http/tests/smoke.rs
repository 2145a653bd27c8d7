#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
//! The main job, in process.

use certus_pki::KeyAlgorithm;
use certus_testkit::{Http01Target, Setup, TestAuthority, TestClient};

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_issued() {
    let dir = tempfile::tempdir().unwrap();
    let url: certus_store::StoreUrl = format!("sqlite:{}/store.sqlite", dir.path().display()).parse().unwrap();
    let store = certus_store::connect(&url).await.unwrap();
    let target = Http01Target::bind(0).await.unwrap();
    let authority = TestAuthority::start(Setup::new(store, &target)).await.unwrap();
    let client =
        TestClient::connect(&authority.directory_url, &authority.root_pem, KeyAlgorithm::EcP256).await.unwrap();
    client.new_account().await.unwrap();
    let issued = client.obtain(&["a.localhost", "b.localhost"], &target).await.unwrap();
    println!("{issued:?}");
    authority.stop().await;
}
