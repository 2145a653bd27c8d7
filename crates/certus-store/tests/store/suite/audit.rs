//! The audit: an entry with every change, none without.

use std::time::Duration;

use certus_acme::ChallengeType;
use certus_ca::audit::{Action, Actor, AuditEvent};
use certus_ca::id::RequestId;
use certus_ca::ports::{AuditEntry, Version};
use certus_ca::rate_limits::Charges;
use certus_ca::state::{Account, Authorization};

use super::made::NOW;
use super::{Subject, made};

async fn actions(subject: &Subject) -> Vec<String> {
    let page = subject.store.audit(None, 1000).await.unwrap();
    assert_eq!(page.next, None);
    page.entries.into_iter().map(|entry| entry.action).collect()
}

pub(crate) async fn every_write_leaves_an_entry(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let updated = Account { contact: Vec::new(), ..account.clone() };
    store.update_account(Version(1), &updated, made::event(Action::AccountUpdated, account.id)).await.unwrap();
    made::known_issuer(store).await;
    made::issued(store, subject.process, &account, &["a.example"]).await;
    let (_, authorizations) = made::kept_order(store, &account, &["b.example"]).await;
    let given_up = authorizations[0].clone().deactivate(NOW);
    let audit = made::event(Action::AuthorizationDeactivated, given_up.id);
    store.deactivate_authorization(Version(1), &given_up, audit).await.unwrap();
    let ahead = Authorization::open(account.id, given_up.identifier, ChallengeType::ALL, NOW, NOW + made::WEEK);
    store
        .open_authorization(&ahead, &Charges::none(), made::event(Action::AuthorizationOpened, ahead.id))
        .await
        .unwrap();
    made::load(&subject.store, &[made::foreign(&[made::dns("c.example")])]).await;
    let (order, _) = made::kept_order(store, &account, &["d.example"]).await;
    made::validate(store, subject.process, order.id).await;
    let (lease, stored) = made::begin_issuance(store, subject.process, order.id).await;
    let failed = stored.value.fail(made::problem(), NOW);
    let audit = made::event(Action::IssuanceFailed, order.id);
    store.fail_issuance(lease, stored.version, &failed, &Charges::none(), audit).await.unwrap();
    let (order, _) = made::kept_order(store, &account, &["e.example"]).await;
    made::validate(store, subject.process, order.id).await;
    let (lease, _) = made::begin_issuance(store, subject.process, order.id).await;
    store.release_job(lease, Duration::ZERO, made::released(lease)).await.unwrap();
    let leased = store.lease_jobs(subject.process, 10, NOW + Duration::from_secs(1)).await.unwrap();
    let entries = store.audit(None, 1000).await.unwrap().entries;
    let told = entries.last().unwrap();
    assert_eq!((told.object.clone(), told.at), (lease.job.to_string(), NOW + Duration::from_secs(1)));
    assert_eq!((&*told.actor, told.request.clone()), ("authority", Some(leased[0].job.request.to_string())));
    store.drop_job(leased[0].lease, made::event(Action::JobDropped, lease.job)).await.unwrap();
    store.reap(NOW + made::WEEK * 2, 10, made::event(Action::Reaped, "before")).await.unwrap();
    store.retire_process(subject.process, made::event(Action::ProcessRetired, subject.process)).await.unwrap();
    let expected = [
        "process.registered",
        "account.created",
        "account.updated",
        "issuer.registered",
        "order.opened",
        "validation.begun",
        "authorization.settled",
        "issuance.begun",
        "intent.recorded",
        "certificate.issued",
        "order.opened",
        "authorization.deactivated",
        "authorization.opened",
        "certificates.loaded",
        "order.opened",
        "validation.begun",
        "authorization.settled",
        "issuance.begun",
        "issuance.failed",
        "order.opened",
        "validation.begun",
        "authorization.settled",
        "issuance.begun",
        "job.released",
        "job.leased",
        "job.dropped",
        "reaped",
        "process.retired",
    ];
    assert_eq!(actions(subject).await, expected);
}

pub(crate) async fn what_was_refused_leaves_none(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let again = Account::open(account.key.clone(), Vec::new(), NOW);
    store.create_account(&again, &Charges::none(), made::event(Action::AccountCreated, again.id)).await.unwrap_err();
    store.update_account(Version(9), &account, made::event(Action::AccountUpdated, account.id)).await.unwrap_err();
    let removed = store.reap(NOW, 10, made::event(Action::Reaped, "nothing")).await.unwrap();
    assert_eq!(removed, 0);
    assert_eq!(actions(subject).await, ["process.registered", "account.created"]);
}

pub(crate) async fn entries_are_read_page_by_page(subject: &Subject) {
    let store = &*subject.store;
    let request = RequestId::random();
    let mut events = Vec::new();
    for n in 0..7_u32 {
        // The clock goes back in between: the newest time is not that of the last entry.
        let at = NOW + Duration::from_secs(u64::from(n * 10 % 40));
        let actor = if n % 2 == 0 { Actor::Operator { uid: 1000 + n } } else { Actor::Authority };
        let request = (n % 3 == 0).then_some(request);
        let event = AuditEvent { at, actor, action: Action::SettingWritten, object: format!("setting {n}"), request };
        store.write_setting("x", &n.to_string(), event.clone()).await.unwrap();
        events.push(event);
    }
    let registered = store.audit(None, 1).await.unwrap();
    let (mut entries, mut after): (Vec<AuditEntry>, Option<i64>) = (Vec::new(), registered.next);
    let mut pages = 0;
    loop {
        let page = store.audit(after, 3).await.unwrap();
        entries.extend(page.entries);
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3);
    assert!(entries.is_sorted_by_key(|entry| entry.key));
    for (entry, event) in entries.iter().zip(&events) {
        assert_eq!(entry.at, event.at);
        assert_eq!(entry.actor, event.actor.to_string());
        assert_eq!(entry.action, event.action.name());
        assert_eq!(entry.object, event.object);
        assert_eq!(entry.request, event.request.map(|id| id.to_string()));
    }
    assert_eq!(entries.len(), events.len());
    assert_eq!(store.newest_time().await.unwrap(), Some(NOW + Duration::from_secs(30)));
}
