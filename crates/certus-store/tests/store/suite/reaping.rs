//! Reaping: what goes, and what stays for ever.

use certus_ca::audit::Action;
use certus_ca::ports::{IntentOutcome, StoreError};
use certus_ca::rate_limits::Charges;

use super::made::{ISSUER, NOW, WEEK};
use super::{Subject, made};

async fn reap(subject: &Subject, limit: u32) -> u64 {
    let audit = made::event_at(NOW + WEEK * 3, Action::Reaped, "before");
    subject.store.reap(NOW + WEEK * 2, limit, audit).await.unwrap()
}

pub(crate) async fn what_expired_goes_and_evidence_stays(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    made::known_issuer(store).await;
    let certificate = made::issued(store, subject.process, &account, &["a.example", "b.example"]).await;
    // Proven, but no certificate came of it.
    let (idle, _) = made::kept_order(store, &account, &["c.example"]).await;
    made::validate(store, subject.process, idle.id).await;
    // Never touched, and one that lives on.
    let (untouched, _) = made::kept_order(store, &account, &["d.example"]).await;
    let (order, authorizations) = made::order(&account, &["e.example"], NOW + WEEK * 5);
    store
        .open_order(&order, &authorizations, &Charges::none(), made::event(Action::OrderOpened, order.id))
        .await
        .unwrap();

    assert_eq!(subject.store.reap(NOW + WEEK, 10, made::event(Action::Reaped, "early")).await.unwrap(), 0);
    assert_eq!(reap(subject, 100).await, 3 + 4);
    assert_eq!(reap(subject, 100).await, 0);
    assert_eq!(store.order(idle.id).await.unwrap(), None);
    assert_eq!(store.order(untouched.id).await.unwrap(), None);
    assert!(store.order(order.id).await.unwrap().is_some());
    assert_eq!(store.certificate(certificate.id).await.unwrap(), Some(certificate));
    for (query, expected) in [
        ("SELECT count(*) FROM orders", 1),
        ("SELECT count(*) FROM order_identifiers", 1),
        ("SELECT count(*) FROM authorizations", 1),
        ("SELECT count(*) FROM challenges", 1),
        ("SELECT count(*) FROM evidence", 2),
        ("SELECT count(*) FROM perspectives", 6),
        ("SELECT count(*) FROM certificate_evidence", 2),
        ("SELECT count(*) FROM intents WHERE order_key IS NULL AND issued IS NOT NULL", 1),
    ] {
        assert_eq!(subject.tables.number(query), expected, "{query}");
    }
}

pub(crate) async fn what_is_being_worked_on_stays(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    made::known_issuer(store).await;
    let (issuing, _) = made::kept_order(store, &account, &["a.example"]).await;
    made::validate(store, subject.process, issuing.id).await;
    let (lease, stored) = made::begin_issuance(store, subject.process, issuing.id).await;
    let intent = made::kept_intent(store, lease, issuing.id).await;
    let (validating, authorizations) = made::kept_order(store, &account, &["b.example"]).await;
    let pending = store.authorization(authorizations[0].id).await.unwrap().unwrap();
    let (validation, pending) = made::begin_validation(store, subject.process, pending).await;
    // The order whose authorization is being validated may go; the authorization may not.
    assert_eq!(reap(subject, 100).await, 1);
    assert_eq!(store.order(validating.id).await.unwrap(), None);
    assert!(store.order(issuing.id).await.unwrap().is_some());
    let seen = made::control(&pending.value);
    made::settle(store, validation, pending, Ok(seen)).await;
    assert_eq!(reap(subject, 100).await, 1);

    // A job that was dropped leaves an order nobody finishes: its intent is retired when it goes.
    store.drop_job(lease, made::event(Action::JobDropped, lease.job)).await.unwrap();
    assert_eq!(reap(subject, 100).await, 2);
    let outcome = store.intent_outcome(ISSUER, &intent.serial).await.unwrap();
    assert_eq!(outcome, Some(IntentOutcome::Retired { at: NOW + WEEK * 3 }));
    let failed = stored.value.fail(made::problem(), NOW);
    let late = store
        .fail_issuance(lease, stored.version, &failed, &Charges::none(), made::event(Action::IssuanceFailed, "late"))
        .await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
}

pub(crate) async fn reaping_goes_in_steps(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    for n in 0..5 {
        made::kept_order(store, &account, &[&format!("n{n}.example")]).await;
    }
    let mut steps = Vec::new();
    loop {
        match reap(subject, 2).await {
            0 => break,
            count => steps.push(count),
        }
    }
    assert_eq!(steps, [4, 4, 2], "two orders and the authorizations they leave behind");
    assert_eq!(subject.tables.number("SELECT count(*) FROM authorizations"), 0);
}
