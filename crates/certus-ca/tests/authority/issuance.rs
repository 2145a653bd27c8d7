//! Signers that refuse, disappear and lie; serials that are spent; a clock that was set back.

use std::collections::BTreeSet;
use std::time::Duration;

use certus_acme::{OrderStatus, ProblemKind};
use certus_ca::ca::OwnCertificateError;
use certus_ca::keep::{self, KeepError};
use certus_ca::ports::IntentOutcome;
use certus_pki::{Clock as _, DnsName, KeyAlgorithm, KeyPair, SubjectName};
use certus_testkit::SignerFault;

use crate::world::{NAME, World, download, request};

const EVERY_FAULT: [SignerFault; 4] =
    [SignerFault::Refuse, SignerFault::Unavailable, SignerFault::WrongSignature, SignerFault::OtherMessage];

fn is_retired(outcome: IntentOutcome) -> bool {
    match outcome {
        IntentOutcome::Retired { .. } => true,
        IntentOutcome::Unknown | IntentOutcome::Issued => false,
    }
}

#[tokio::test]
async fn what_was_not_signed_well_is_tried_again_under_a_new_serial() {
    for fault in EVERY_FAULT {
        let world = World::new(&[]).await;
        let client = world.client().await;
        let order = world.ready(&client).await;
        let before = world.plan.messages().len();
        world.plan.next(&[fault, fault]);
        let valid = client.issued(client.finalize(&order.value, &request()).await.unwrap()).await.unwrap();
        let certificate = download(&client, &valid.value).await;

        let messages: BTreeSet<_> = world.plan.messages().split_off(before).into_iter().collect();
        assert_eq!(messages.len(), 3, "{fault:?}: never the same twice");
        let intents = world.intents().await;
        let [first, second, (serial, outcome)] = intents.as_slice() else { panic!("{fault:?}: {intents:?}") };
        assert!(is_retired(first.1) && is_retired(second.1), "{fault:?}: {intents:?}");
        assert_eq!((serial, *outcome), (certificate.serial(), IntentOutcome::Issued), "{fault:?}");
        assert_eq!(world.certificates().await, [certificate.serial().clone()], "{fault:?}");
    }
}

// conformance: 8555-7.4-29
#[tokio::test]
async fn after_the_last_try_the_order_fails_and_its_serials_are_retired() {
    for fault in EVERY_FAULT {
        let world = World::new(&[]).await;
        let client = world.client().await;
        let order = world.ready(&client).await;
        world.plan.next(&[fault; 3]);
        let failed = client.finalize(&order.value, &request()).await.unwrap().value;
        assert_eq!(failed.status, OrderStatus::Invalid, "{fault:?}");
        assert_eq!(failed.error.unwrap().kind, ProblemKind::ServerInternal, "{fault:?}");
        let intents = world.intents().await;
        assert_eq!(intents.len(), 3, "{fault:?}");
        assert!(intents.into_iter().all(|(_, outcome)| is_retired(outcome)), "{fault:?}");
        assert!(world.certificates().await.is_empty() && world.is_idle().await, "{fault:?}");
        // The signer works again, and so does the authority.
        let order = world.ready(&client).await;
        client.issued(client.finalize(&order.value, &request()).await.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn nothing_is_signed_while_the_clock_is_behind() {
    let world = World::new(&[]).await;
    let client = world.client().await;
    let order = world.ready(&client).await;
    let (now, signed) = (world.clock.now(), world.plan.messages().len());

    world.clock.set(now - Duration::from_secs(61));
    let processing = client.finalize(&order.value, &request()).await.unwrap();
    assert_eq!(processing.value.status, OrderStatus::Processing);
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let names = BTreeSet::from([SubjectName::Dns(DnsName::parse("localhost").unwrap())]);
    let own = world.authority.ca.issue_own(names, &key).await;
    assert!(matches!(own, Err(OwnCertificateError::Clock { .. })), "{own:?}");
    assert_eq!(world.plan.messages().len(), signed);
    assert!(world.intents().await.is_empty(), "no serial was spent");

    // A minute is within what clocks of several machines differ by.
    world.clock.set(now - Duration::from_secs(60));
    client.issued(processing).await.unwrap();
    assert_eq!(world.certificates().await.len(), 1);
}

#[tokio::test]
async fn a_restart_does_not_make_the_clock_right() {
    // Without duties, so that the lists are still due when it starts again.
    let world = World::with(&[], |setup, _| setup.duties = false).await;
    world.clock.advance(Duration::from_secs(25 * 3600));
    // The store has seen this time.
    world.client().await;
    world.clock.set(world.clock.now() - Duration::from_secs(600));
    let refused = world.start(world.store.clone()).await.unwrap_err();
    assert!(
        refused.downcast_ref::<KeepError>().is_some_and(|error| matches!(error, KeepError::Clock { .. })),
        "{refused}"
    );
    assert!(refused.to_string().contains("clock"), "{refused}");
}

#[tokio::test]
async fn a_list_is_not_signed_while_the_clock_is_behind() {
    let world = World::with(&[], |setup, _| setup.duties = false).await;
    let start = world.clock.now();
    world.clock.set(start + Duration::from_secs(30 * 3600));
    // Signing anything shows this process the time.
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    world.authority.ca.issue_own([SubjectName::Dns(DnsName::parse(NAME).unwrap())].into(), &key).await.unwrap();
    let signed = world.plan.messages().len();
    world.clock.set(start + Duration::from_secs(29 * 3600));
    let error = keep::publish_crls(&world.authority.ca).await.unwrap_err();
    assert!(matches!(error, KeepError::Clock { .. }), "{error}");
    assert_eq!(world.plan.messages().len(), signed);
}
