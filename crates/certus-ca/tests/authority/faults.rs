//! Every write of the way to a certificate, failing before and after it took effect.

use certus_acme::{Order, OrderStatus};
use certus_ca::ports::IntentOutcome;
use certus_testkit::{Resource, TestClient};
use futures_util::future::join_all;

use crate::world::{NAME, World, download, request};

/// Asks again when the authority said that it could not keep its records.
async fn order(client: &TestClient) -> Resource<Order> {
    match client.new_order(&[NAME]).await {
        Ok(order) => order,
        Err(_) => client.new_order(&[NAME]).await.unwrap(),
    }
}

/// Goes the whole way as a patient client does, and looks at what is left behind.
async fn check(faults: &[&str]) {
    let world = World::new(faults).await;
    let client = world.client().await;
    let order = order(&client).await;
    let url = &order.value.authorizations[0];
    let challenge = client.authorization(url).await.unwrap().value.challenges[0].clone();
    world.target.serve(&challenge.token, &client.key_authorization(&challenge.token).unwrap());
    if client.respond(&challenge.url).await.is_err() {
        client.respond(&challenge.url).await.unwrap();
    }
    client.validated(url).await.unwrap();

    let mut finalized = client.finalize(&order.value, &request()).await;
    if finalized.is_err() {
        let read = client.order(&order.url).await.unwrap();
        finalized = if read.value.status == OrderStatus::Ready {
            client.finalize(&order.value, &request()).await
        } else {
            Ok(read)
        };
    }
    let valid = client.issued(finalized.unwrap()).await.unwrap();
    let certificate = download(&client, &valid.value).await;

    assert_eq!(world.certificates().await, [certificate.serial().clone()], "{faults:?}");
    let intents = world.intents().await;
    let (last, earlier) = intents.split_last().unwrap();
    assert_eq!(*last, (certificate.serial().clone(), IntentOutcome::Issued), "{faults:?}");
    let retired = |(_, outcome): &(_, IntentOutcome)| matches!(outcome, IntentOutcome::Retired { .. });
    assert!(earlier.iter().all(retired), "{faults:?}: {intents:?}");
    let signed = world.plan.messages().len();
    world.authority.ca.store().check().await.unwrap();
    assert!(world.is_idle().await, "{faults:?}: a job is left");
    assert_eq!(world.plan.messages().len(), signed, "{faults:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_may_fail_before_and_after_it_took_effect() {
    // All at once, since most of them wait for a job that was put back.
    let faults: &[&[&str]] = &[
        &["open_order:before:error"],
        &["open_order:after:error"],
        &["begin_validation:before:error"],
        &["begin_validation:after:error"],
        &["settle_authorization:before:error"],
        &["settle_authorization:after:error"],
        &["begin_issuance:before:error"],
        &["begin_issuance:after:error"],
        &["record_intent:before:error"],
        &["record_intent:after:error"],
        &["complete_issuance:before:error"],
        &["complete_issuance:after:error"],
        &["lease_jobs:before:error", "begin_issuance:after:error"],
        &["record_intent:after:error", "lease_jobs:after:error"],
        &["record_intent:after:error", "release_job:before:error"],
        &["record_intent:after:error", "release_job:after:error"],
        &["begin_issuance:after:error", "release_job:before:error", "release_job:after:error:2"],
        &["heartbeat:before:error", "record_intent:before:error"],
    ];
    join_all(faults.iter().map(|faults| check(faults))).await;
}

#[tokio::test]
async fn an_account_is_made_once_whatever_fails() {
    for fault in ["create_account:before:error", "create_account:after:error"] {
        let world = World::new(&[fault]).await;
        let (url, root) = (&world.authority.directory_url, &world.authority.root_pem);
        let client = TestClient::connect(url, root, certus_pki::KeyAlgorithm::EcP256).await.unwrap();
        client.new_account().await.unwrap_err();
        let account = client.new_account().await.unwrap();
        assert_eq!(account.answer.status, if fault.contains("before") { 201 } else { 200 }, "{fault}");
        assert_eq!(client.new_account().await.unwrap().url, account.url, "{fault}");
    }
}
