//! Accounts.

use certus_ca::audit::Action;
use certus_ca::id::AccountId;
use certus_ca::ports::{StoreError, Stored, Version};
use certus_ca::rate_limits::Charges;
use certus_ca::state::Account;

use super::{Subject, made};

pub(crate) async fn an_account_is_found_by_id_and_by_key(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let other = made::kept_account(store).await;
    let expected = Some(Stored { value: account.clone(), version: Version(1) });
    assert_eq!(store.account(account.id).await.unwrap(), expected);
    assert_eq!(store.account_by_key(&account.key.thumbprint()).await.unwrap(), expected);
    assert_eq!(store.account(other.id).await.unwrap().unwrap().value, other);
    assert_eq!(store.account(AccountId::random()).await.unwrap(), None);
    assert_eq!(store.account_by_key(&made::account().key.thumbprint()).await.unwrap(), None);
}

pub(crate) async fn a_key_has_one_account(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let second = Account::open(account.key.clone(), Vec::new(), made::NOW);
    let refused = store.create_account(&second, &Charges::none(), made::event(Action::AccountCreated, second.id)).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert_eq!(store.account(second.id).await.unwrap(), None);
    assert_eq!(store.account_by_key(&account.key.thumbprint()).await.unwrap().unwrap().value, account);
}

pub(crate) async fn an_update_needs_the_version_that_was_read(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let audit = || made::event(Action::AccountUpdated, account.id);
    let changed = Account { contact: vec!["mailto:new@example.org".into()], ..account.clone() };
    store.update_account(Version(1), &changed, audit()).await.unwrap();
    let refused = store.update_account(Version(1), &account, audit()).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    let refused = store.update_account(Version(u64::MAX), &account, audit()).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    let deactivated = Account { contact: Vec::new(), ..changed }.deactivate(made::NOW + made::WEEK);
    store.update_account(Version(2), &deactivated, audit()).await.unwrap();
    let stored = store.account(account.id).await.unwrap().unwrap();
    assert_eq!(stored, Stored { value: deactivated, version: Version(3) });
}

pub(crate) async fn an_account_that_no_version_writes_is_told_by_its_place(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    subject.tables.run("UPDATE accounts SET jwk = '{}'");
    match store.account(account.id).await {
        Err(StoreError::Inconsistent { table: "accounts", column: "jwk", key }) => {
            assert_eq!(key, account.id.to_string());
        }
        other => panic!("{other:?}"),
    }
}
