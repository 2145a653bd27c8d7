//! Keys of external account binding: whom they bind, and what they still let through when a serial is spent.

use std::sync::Arc;
use std::time::Duration;

use certus_acme::{Identifier, RawIdentifier};
use certus_ca::audit::Action;
use certus_ca::id::{BindingKeyId, OrderId};
use certus_ca::job::Lease;
use certus_ca::ports::{Store, StoreError, Version};
use certus_ca::rate_limits::Charges;
use certus_ca::state::{Account, AccountBinding, BindingEntry, BindingKey, BindingScope, BindingUse};
use certus_ca::vault::Sealed;
use certus_pki::{DnsName, Timestamp};
use tokio::task::JoinSet;

use super::made::NOW;
use super::{Subject, made};

pub(crate) async fn kept_key(store: &dyn Store, scope: BindingScope) -> BindingKey {
    let secret = Sealed { key: "0badcafe".to_owned(), octets: certus_pki::random_bytes::<92>().to_vec() };
    let key = BindingKey { id: BindingKeyId::random(), secret, scope, created: NOW, revoked: None };
    store.create_binding_key(&key, made::event(Action::BindingKeyMade, key.id)).await.unwrap();
    key
}

/// A new account that is bound to a key.
pub(crate) fn bound(key: &BindingKey) -> Account {
    let binding = AccountBinding { key: key.id, jws: r#"{ "protected":"e30" }"#.to_owned() };
    Account { binding: Some(binding), ..made::account() }
}

pub(crate) async fn create(store: &dyn Store, account: &Account) -> Result<(), StoreError> {
    store.create_account(account, &Charges::none(), made::event(Action::AccountCreated, account.id)).await
}

async fn kept_bound(store: &dyn Store, key: &BindingKey) -> Account {
    let account = bound(key);
    create(store, &account).await.unwrap();
    account
}

async fn revoke(store: &dyn Store, key: &BindingKey, at: Timestamp) -> Result<(), StoreError> {
    store.revoke_binding_key(key.id, at, made::event(Action::BindingKeyRevoked, key.id)).await
}

async fn used(store: &dyn Store, key: &BindingKey) -> (u64, u64) {
    let BindingUse { accounts, certificates } = store.binding_key(key.id).await.unwrap().unwrap().used;
    (accounts, certificates)
}

fn scope() -> BindingScope {
    let ip = RawIdentifier { kind: "ip".to_owned(), value: "2001:db8::1".to_owned() };
    BindingScope {
        names: vec![made::identifier("*.a.example"), Identifier::parse(&ip).unwrap()],
        suffixes: vec![DnsName::parse("b.example").unwrap()],
        profiles: vec!["classic".to_owned(), "shortlived".to_owned()],
        quota: Some(7),
        expires: Some(NOW + made::WEEK),
        single_use: true,
        vouches: true,
    }
}

pub(crate) async fn a_key_reads_back_as_it_was_made(subject: &Subject) {
    let store = &*subject.store;
    let keys = [kept_key(store, scope()).await, kept_key(store, BindingScope::default()).await];
    let none = BindingUse::default();
    for key in &keys {
        let expected = BindingEntry { key: key.clone(), used: none };
        assert_eq!(store.binding_key(key.id).await.unwrap(), Some(expected));
    }
    assert_eq!(store.binding_key(BindingKeyId::random()).await.unwrap(), None);
    let again = store.create_binding_key(&keys[0], made::event(Action::BindingKeyMade, "again")).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
    let first = store.binding_keys(None, 1).await.unwrap();
    let second = store.binding_keys(first.next, 1).await.unwrap();
    let listed: Vec<_> = first.entries.into_iter().chain(second.entries).map(|entry| entry.key).collect();
    assert_eq!((listed.as_slice(), second.next), (keys.as_slice(), None));

    revoke(store, &keys[0], NOW).await.unwrap();
    assert_eq!(store.binding_key(keys[0].id).await.unwrap().unwrap().key.revoked, Some(NOW));
    let again = revoke(store, &keys[0], NOW + made::WEEK).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
    assert_eq!(store.binding_key(keys[0].id).await.unwrap().unwrap().key.revoked, Some(NOW));
}

pub(crate) async fn an_account_keeps_its_binding(subject: &Subject) {
    let store = &*subject.store;
    let key = kept_key(store, BindingScope::default()).await;
    let account = kept_bound(store, &key).await;
    assert_eq!(store.account(account.id).await.unwrap().unwrap().value, account);
    let changed = Account { contact: Vec::new(), ..account.clone() };
    store.update_account(Version(1), &changed, made::event(Action::AccountUpdated, account.id)).await.unwrap();
    assert_eq!(store.account_by_key(&account.key.thumbprint()).await.unwrap().unwrap().value, changed);
    assert_eq!(used(store, &key).await, (1, 0));
    let entries = store.audit(None, 100).await.unwrap().entries;
    let told: Vec<_> = entries.iter().map(|entry| (entry.action.as_str(), entry.object.clone())).collect();
    for (action, object) in [("account.created", account.id.to_string()), ("binding-key.used", key.id.to_string())] {
        assert_eq!(told.iter().filter(|entry| **entry == (action, object.clone())).count(), 1, "{told:?}");
    }
}

pub(crate) async fn a_key_that_is_over_binds_nobody(subject: &Subject) {
    let store = &*subject.store;
    let refused = async |key: &BindingKey, why: &str| {
        let account = bound(key);
        let outcome = create(store, &account).await;
        assert!(matches!(outcome, Err(StoreError::Conflict)), "{why}: {outcome:?}");
        assert_eq!(store.account(account.id).await.unwrap(), None, "{why}");
    };
    let single = kept_key(store, BindingScope { single_use: true, ..BindingScope::default() }).await;
    kept_bound(store, &single).await;
    refused(&single, "used up").await;
    assert_eq!(used(store, &single).await, (1, 0));
    let expired = kept_key(store, BindingScope { expires: Some(NOW), ..BindingScope::default() }).await;
    refused(&expired, "expired").await;
    let revoked = kept_key(store, BindingScope::default()).await;
    kept_bound(store, &revoked).await;
    revoke(store, &revoked, NOW).await.unwrap();
    refused(&revoked, "revoked").await;
    let unknown = BindingKey { id: BindingKeyId::random(), ..single };
    refused(&unknown, "unknown").await;
    let entries = store.audit(None, 100).await.unwrap().entries;
    assert_eq!(entries.iter().filter(|entry| entry.action == "binding-key.used").count(), 2);
    // An account whose own key is taken does not use it up.
    let fresh = kept_key(store, BindingScope { single_use: true, ..BindingScope::default() }).await;
    let taken = Account { key: made::kept_account(store).await.key, ..bound(&fresh) };
    assert!(matches!(create(store, &taken).await, Err(StoreError::Conflict)));
    kept_bound(store, &fresh).await;
}

pub(crate) async fn of_many_at_once_one_account_has_a_key_of_single_use(subject: &Subject) {
    one_wins(&[Arc::clone(&subject.store)]).await;
}

/// Accounts that come at once through these handles on one store.
pub(crate) async fn one_wins(stores: &[Arc<dyn Store>]) {
    for _ in 0..5 {
        let key = kept_key(&*stores[0], BindingScope { single_use: true, ..BindingScope::default() }).await;
        let mut writers = JoinSet::new();
        for store in stores.iter().cycle().take(32) {
            let (store, account) = (Arc::clone(store), bound(&key));
            writers.spawn(async move { create(&*store, &account).await });
        }
        let mut made = 0;
        while let Some(outcome) = writers.join_next().await {
            match outcome.unwrap() {
                Ok(()) => made += 1,
                Err(StoreError::Conflict) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!((made, used(&*stores[0], &key).await), (1, (1, 0)));
    }
}

/// An order of an account that waits for its serial.
pub(crate) async fn finalized(subject: &Subject, account: &Account, name: &str) -> (Lease, OrderId) {
    let (order, _) = made::kept_order(&*subject.store, account, &[name]).await;
    made::validate(&*subject.store, subject.process, order.id).await;
    (made::begin_issuance(&*subject.store, subject.process, order.id).await.0, order.id)
}

pub(crate) async fn spend(store: &dyn Store, (lease, order): (Lease, OrderId)) -> Result<(), StoreError> {
    let intent = made::intent(Some(order));
    store.record_intent(lease, &intent, made::event(Action::IntentRecorded, &intent.serial)).await
}

pub(crate) async fn a_serial_is_spent_within_the_quota(subject: &Subject) {
    let store = &*subject.store;
    made::known_issuer(store).await;
    let key = kept_key(store, BindingScope { quota: Some(2), ..BindingScope::default() }).await;
    let (first, second) = (kept_bound(store, &key).await, kept_bound(store, &key).await);
    made::issued(store, subject.process, &first, &["a.example"]).await;
    assert_eq!(used(store, &key).await, (2, 1));
    let last = finalized(subject, &second, "b.example").await;
    let late = finalized(subject, &first, "c.example").await;
    spend(store, last).await.unwrap();
    // What is being signed for another order counts; an earlier try of the same order does not.
    assert!(matches!(spend(store, late).await, Err(StoreError::Conflict)));
    spend(store, last).await.unwrap();
    assert!(matches!(spend(store, late).await, Err(StoreError::Conflict)));
    // Other accounts are not narrowed by it.
    let free = made::kept_account(store).await;
    made::issued(store, subject.process, &free, &["d.example"]).await;
}

pub(crate) async fn nothing_is_spent_under_a_revoked_key(subject: &Subject) {
    let store = &*subject.store;
    made::known_issuer(store).await;
    let key =
        kept_key(store, BindingScope { expires: Some(NOW + Duration::from_secs(1)), ..BindingScope::default() }).await;
    let account = kept_bound(store, &key).await;
    let waiting = finalized(subject, &account, "a.example").await;
    revoke(store, &key, NOW).await.unwrap();
    assert!(matches!(spend(store, waiting).await, Err(StoreError::Conflict)));
}
