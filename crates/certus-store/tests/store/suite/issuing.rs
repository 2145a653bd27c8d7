//! Issuing: intents, certificates, and what becomes of both.

use std::time::Duration;

use certus_ca::audit::Action;
use certus_ca::ports::{IntentOutcome, StoreError, Version};
use certus_ca::rate_limits::Charges;
use certus_ca::state::OrderState;
use certus_pki::SerialNumber;

use super::made::{ISSUER, NOW};
use super::{Subject, made};

pub(crate) async fn an_order_gets_its_certificate(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    made::known_issuer(store).await;
    let (order, _) = made::kept_order(store, &account, &["b.example", "a.example"]).await;
    made::validate(store, subject.process, order.id).await;
    let (lease, stored) = made::begin_issuance(store, subject.process, order.id).await;
    assert_eq!(stored.version, Version(2));

    let intent = made::kept_intent(store, lease, order.id).await;
    assert_eq!(store.intent_outcome(ISSUER, &intent.serial).await.unwrap(), Some(IntentOutcome::Unknown));
    assert_eq!(store.intent_outcome(ISSUER, &SerialNumber::random()).await.unwrap(), None);
    assert_eq!(store.intent_outcome("another", &intent.serial).await.unwrap(), None);

    let certificate = made::certificate(&intent, Some(&account), &[made::dns("a.example"), made::dns("b.example")]);
    let complete = stored.value.complete(certificate.id, NOW);
    let audit = || made::event(Action::CertificateIssued, certificate.id);
    let refused = store.complete_issuance(lease, Version(1), &complete, &certificate, audit()).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert_eq!(store.certificate(certificate.id).await.unwrap(), None, "nothing of it stays");
    assert_eq!(store.intent_outcome(ISSUER, &intent.serial).await.unwrap(), Some(IntentOutcome::Unknown));
    store.complete_issuance(lease, Version(2), &complete, &certificate, audit()).await.unwrap();

    assert_eq!(store.intent_outcome(ISSUER, &intent.serial).await.unwrap(), Some(IntentOutcome::Issued));
    assert_eq!(store.certificate(certificate.id).await.unwrap(), Some(certificate.clone()));
    let read = store.order(order.id).await.unwrap().unwrap();
    assert_eq!(read.value.order, complete);
    assert_eq!(read.version, Version(3));
    let evidence = "SELECT count(*) FROM certificate_evidence JOIN perspectives
        ON perspectives.evidence = certificate_evidence.evidence";
    assert_eq!(subject.tables.number(evidence), 6, "two names, seen from two places, from one by a redirect");
    let caa = "SELECT count(*) FROM intents WHERE caa LIKE '%ca.example%'";
    assert_eq!(subject.tables.number(caa), 1, "what CAA said before signing");
    let again = store.complete_issuance(lease, Version(3), &complete, &certificate, audit()).await;
    assert!(matches!(again, Err(StoreError::LeaseLost)), "the job has ended: {again:?}");
}

pub(crate) async fn nothing_is_spent_on_proofs_that_were_given_up(subject: &Subject) {
    let store = &*subject.store;
    made::known_issuer(store).await;
    for account_too in [false, true] {
        let account = made::kept_account(store).await;
        let (order, authorizations) = made::kept_order(store, &account, &["a.example"]).await;
        made::validate(store, subject.process, order.id).await;
        let (lease, _) = made::begin_issuance(store, subject.process, order.id).await;
        if account_too {
            let closed = account.clone().deactivate(NOW);
            let audit = made::event(Action::AccountDeactivated, account.id);
            store.update_account(Version(1), &closed, audit).await.unwrap();
        } else {
            let read = store.authorization(authorizations[0].id).await.unwrap().unwrap();
            let audit = made::event(Action::AuthorizationDeactivated, read.value.id);
            store.deactivate_authorization(read.version, &read.value.deactivate(NOW), audit).await.unwrap();
        }
        let intent = made::intent(Some(order.id));
        let refused = store.record_intent(lease, &intent, made::event(Action::IntentRecorded, "serial")).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
        assert_eq!(store.intent_outcome(ISSUER, &intent.serial).await.unwrap(), None);
    }
}

pub(crate) async fn no_intent_is_recorded_for_a_blocked_key(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    made::known_issuer(store).await;
    let (order, _) = made::kept_order(store, &account, &["a.example"]).await;
    made::validate(store, subject.process, order.id).await;
    let (lease, _) = made::begin_issuance(store, subject.process, order.id).await;
    let (intent, own) = (made::intent(Some(order.id)), made::intent(None));
    for spki_sha256 in [&intent.spki_sha256, &own.spki_sha256] {
        store.block_key(spki_sha256, made::event(Action::KeyBlocked, "key")).await.unwrap();
    }
    let audit = || made::event(Action::IntentRecorded, "serial");
    for refused in [store.record_intent(lease, &intent, audit()).await, store.record_own_intent(&own, audit()).await] {
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    }
    assert_eq!(store.intent_outcome(ISSUER, &intent.serial).await.unwrap(), None);
    assert_eq!(store.intent_outcome(ISSUER, &own.serial).await.unwrap(), None);
    made::kept_intent(store, lease, order.id).await;
}

pub(crate) async fn a_serial_is_spent_once(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    made::known_issuer(store).await;
    let mut leases = Vec::new();
    for name in ["a.example", "b.example"] {
        let (order, _) = made::kept_order(store, &account, &[name]).await;
        made::validate(store, subject.process, order.id).await;
        leases.push((made::begin_issuance(store, subject.process, order.id).await.0, order.id));
    }
    let first = made::kept_intent(store, leases[0].0, leases[0].1).await;
    let mut second = made::intent(Some(leases[1].1));
    let fresh = second.serial.clone();
    second.serial = first.serial.clone();
    let audit = || made::event(Action::IntentRecorded, "serial");
    let refused = store.record_intent(leases[1].0, &second, audit()).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "an intent has it: {refused:?}");
    let refused = store.record_own_intent(&second, audit()).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    let loaded = made::foreign(&[made::dns("c.example")]);
    made::load(&subject.store, std::slice::from_ref(&loaded)).await;
    second.serial = loaded.serial;
    let refused = store.record_intent(leases[1].0, &second, audit()).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "a certificate has it: {refused:?}");
    second.serial = fresh;
    store.record_intent(leases[1].0, &second, audit()).await.unwrap();
    // Another issuer numbers for itself.
    store.register_issuer("other", "chain", made::event(Action::IssuerRegistered, "other")).await.unwrap();
    let mut own = made::intent(None);
    (own.issuer, own.serial) = ("other".into(), first.serial);
    store.record_own_intent(&own, audit()).await.unwrap();
}

pub(crate) async fn an_intent_without_outcome_is_retired_by_the_next(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    made::known_issuer(store).await;
    let (order, _) = made::kept_order(store, &account, &["a.example"]).await;
    made::validate(store, subject.process, order.id).await;
    let (lease, stored) = made::begin_issuance(store, subject.process, order.id).await;
    let lost = made::kept_intent(store, lease, order.id).await;
    let mut next = made::intent(Some(order.id));
    next.recorded = NOW + Duration::from_secs(5);
    store.record_intent(lease, &next, made::event(Action::IntentRecorded, &next.serial)).await.unwrap();
    let retired = Some(IntentOutcome::Retired { at: next.recorded });
    assert_eq!(store.intent_outcome(ISSUER, &lost.serial).await.unwrap(), retired);
    assert_eq!(store.intent_outcome(ISSUER, &next.serial).await.unwrap(), Some(IntentOutcome::Unknown));

    // What was signed under the retired serial is never delivered, whoever comes with it.
    let late = made::certificate(&lost, Some(&account), &[made::dns("a.example")]);
    let complete = stored.value.clone().complete(late.id, NOW);
    let audit = || made::event(Action::CertificateIssued, late.id);
    let refused = store.complete_issuance(lease, stored.version, &complete, &late, audit()).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    let good = made::certificate(&next, Some(&account), &[made::dns("a.example")]);
    let complete = stored.value.complete(good.id, NOW);
    store.complete_issuance(lease, stored.version, &complete, &good, audit()).await.unwrap();
    assert_eq!(store.certificate(late.id).await.unwrap(), None);
    assert_eq!(store.intent_outcome(ISSUER, &lost.serial).await.unwrap(), retired);
}

pub(crate) async fn a_failed_order_retires_its_intent(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    made::known_issuer(store).await;
    let (order, _) = made::kept_order(store, &account, &["a.example"]).await;
    made::validate(store, subject.process, order.id).await;
    let (lease, stored) = made::begin_issuance(store, subject.process, order.id).await;
    let lost = made::kept_intent(store, lease, order.id).await;
    let failed = stored.value.fail(made::problem(), NOW);
    let audit = || made::event(Action::IssuanceFailed, order.id);
    let refused = store.fail_issuance(lease, Version(1), &failed, &Charges::none(), audit()).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    store.fail_issuance(lease, stored.version, &failed, &Charges::none(), audit()).await.unwrap();
    let read = store.order(order.id).await.unwrap().unwrap().value.order;
    assert_eq!(read, failed);
    assert_eq!(read.state, OrderState::Failed { at: NOW, problem: made::problem() });
    let outcome = store.intent_outcome(ISSUER, &lost.serial).await.unwrap();
    assert_eq!(outcome, Some(IntentOutcome::Retired { at: NOW }));
    let again = store.fail_issuance(lease, Version(3), &failed, &Charges::none(), audit()).await;
    assert!(matches!(again, Err(StoreError::LeaseLost)), "the job has ended: {again:?}");
}

pub(crate) async fn a_late_worker_is_refused(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    made::known_issuer(store).await;
    let (order, _) = made::kept_order(store, &account, &["a.example"]).await;
    made::validate(store, subject.process, order.id).await;
    let (old, stored) = made::begin_issuance(store, subject.process, order.id).await;
    let intent = made::kept_intent(store, old, order.id).await;
    store.release_job(old, Duration::ZERO, made::released(old)).await.unwrap();
    let other = subject.another_process().await;
    let leased = store.lease_jobs(other, 10, made::NOW).await.unwrap();
    assert_eq!(leased.len(), 1);
    let new = leased[0].lease;
    assert_eq!((new.job, new.fence), (old.job, 2));

    let certificate = made::certificate(&intent, Some(&account), &[made::dns("a.example")]);
    let complete = stored.value.clone().complete(certificate.id, NOW);
    let failed = stored.value.fail(made::problem(), NOW);
    let audit = || made::event(Action::CertificateIssued, certificate.id);
    for refused in [
        store.record_intent(old, &made::intent(Some(order.id)), audit()).await,
        store.complete_issuance(old, stored.version, &complete, &certificate, audit()).await,
        store.fail_issuance(old, stored.version, &failed, &Charges::none(), audit()).await,
        store.release_job(old, Duration::ZERO, made::released(old)).await,
        store.drop_job(old, made::event(Action::JobDropped, old.job)).await,
        // A lease of another order's job is none for this one.
        store.record_intent(new, &made::intent(Some(certus_ca::id::OrderId::random())), audit()).await,
    ] {
        assert!(matches!(refused, Err(StoreError::LeaseLost)), "{refused:?}");
    }
    assert_eq!(store.intent_outcome(ISSUER, &intent.serial).await.unwrap(), Some(IntentOutcome::Unknown));
    store.complete_issuance(new, stored.version, &complete, &certificate, audit()).await.unwrap();
}

pub(crate) async fn a_certificate_needs_an_intent(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    made::known_issuer(store).await;
    let (order, _) = made::kept_order(store, &account, &["a.example"]).await;
    made::validate(store, subject.process, order.id).await;
    let (lease, stored) = made::begin_issuance(store, subject.process, order.id).await;
    let certificate = made::certificate(&made::intent(None), Some(&account), &[made::dns("a.example")]);
    let complete = stored.value.complete(certificate.id, NOW);
    let audit = made::event(Action::CertificateIssued, certificate.id);
    let refused = store.complete_issuance(lease, stored.version, &complete, &certificate, audit).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert_eq!(store.certificate(certificate.id).await.unwrap(), None);
    let mut unknown = made::intent(Some(order.id));
    unknown.issuer = "nobody".into();
    let refused = store.record_intent(lease, &unknown, made::event(Action::IntentRecorded, "serial")).await;
    assert!(matches!(refused, Err(StoreError::Inconsistent { table: "issuers", .. })), "{refused:?}");
}

pub(crate) async fn the_authority_has_a_certificate_of_its_own(subject: &Subject) {
    let store = &*subject.store;
    made::known_issuer(store).await;
    let intent = made::intent(None);
    let certificate = made::certificate(&intent, None, &[made::dns("ca.example")]);
    let audit = || made::event(Action::CertificateIssued, certificate.id);
    let refused = store.complete_own(&certificate, audit()).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "no intent: {refused:?}");
    store.record_own_intent(&intent, made::event(Action::IntentRecorded, &intent.serial)).await.unwrap();
    store.complete_own(&certificate, audit()).await.unwrap();
    assert_eq!(store.certificate(certificate.id).await.unwrap(), Some(certificate.clone()));
    assert_eq!(store.intent_outcome(ISSUER, &intent.serial).await.unwrap(), Some(IntentOutcome::Issued));
    let refused = store.complete_own(&certificate, audit()).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "twice: {refused:?}");
}

pub(crate) async fn an_abandoned_intent_of_its_own_is_retired(subject: &Subject) {
    let store = &*subject.store;
    made::known_issuer(store).await;
    let audit = || made::event(Action::IntentRecorded, "serial");
    let abandoned = made::intent(None);
    store.record_own_intent(&abandoned, audit()).await.unwrap();
    // Another node may be at it: an intent that is minutes old is left alone.
    let mut soon = made::intent(None);
    soon.recorded = NOW + Duration::from_secs(600);
    store.record_own_intent(&soon, audit()).await.unwrap();
    assert_eq!(store.intent_outcome(ISSUER, &abandoned.serial).await.unwrap(), Some(IntentOutcome::Unknown));
    let mut later = made::intent(None);
    later.recorded = NOW + Duration::from_secs(3601);
    store.record_own_intent(&later, audit()).await.unwrap();
    let retired = Some(IntentOutcome::Retired { at: later.recorded });
    assert_eq!(store.intent_outcome(ISSUER, &abandoned.serial).await.unwrap(), retired);
    assert_eq!(store.intent_outcome(ISSUER, &soon.serial).await.unwrap(), Some(IntentOutcome::Unknown));
    let late = made::certificate(&abandoned, None, &[made::dns("ca.example")]);
    let refused = store.complete_own(&late, made::event(Action::CertificateIssued, late.id)).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
}
