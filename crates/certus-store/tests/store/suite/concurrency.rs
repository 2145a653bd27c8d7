//! Many callers at once.

use std::sync::Arc;

use certus_ca::audit::Action;
use certus_ca::ports::{StoreError, Version};
use certus_ca::rate_limits::Charges;
use certus_ca::state::Account;
use futures_util::FutureExt;
use tokio::task::JoinSet;

use super::made::NOW;
use super::{Subject, made};

/// Writers at once.
const WRITERS: usize = 64;

pub(crate) async fn one_of_many_writers_wins_each_version(subject: &Subject) {
    const ROUNDS: u64 = 5;
    let account = made::kept_account(&*subject.store).await;
    for round in 1..=ROUNDS {
        let mut writers = JoinSet::new();
        for n in 0..WRITERS {
            let store = Arc::clone(&subject.store);
            let changed = Account { contact: vec![format!("mailto:{round}-{n}@example.org")], ..account.clone() };
            writers.spawn(async move {
                let audit = made::event(Action::AccountUpdated, changed.id);
                (store.update_account(Version(round), &changed, audit).await, changed)
            });
        }
        let mut winners = Vec::new();
        while let Some(outcome) = writers.join_next().await {
            match outcome.unwrap() {
                (Ok(()), changed) => winners.push(changed),
                (Err(StoreError::Conflict), _) => {}
                (Err(other), _) => panic!("{other:?}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        let stored = subject.store.account(account.id).await.unwrap().unwrap();
        assert_eq!(stored.version, Version(round + 1));
        assert_eq!(stored.value, winners[0]);
    }
}

pub(crate) async fn many_flows_at_once_all_succeed(subject: &Subject) {
    made::known_issuer(&*subject.store).await;
    let mut flows = JoinSet::new();
    for n in 0..WRITERS {
        let (store, process) = (Arc::clone(&subject.store), subject.process);
        flows.spawn(async move {
            let account = made::kept_account(&*store).await;
            let name = format!("n{n}.example");
            let certificate = made::issued(&*store, process, &account, &[&name, "shared.example"]).await;
            assert_eq!(store.certificate(certificate.id).await.unwrap(), Some(certificate));
        });
    }
    while let Some(flow) = flows.join_next().await {
        flow.unwrap();
    }
    assert_eq!(subject.tables.number("SELECT count(*) FROM jobs"), 0);
    let certificates = i64::try_from(WRITERS).unwrap();
    assert_eq!(subject.tables.number("SELECT count(*) FROM certificates"), certificates);
    assert_eq!(subject.tables.number("SELECT count(*) FROM certificate_evidence"), certificates * 2);
}

/// An order whose second authorization is nowhere is refused when half of it is written, among others that share a commit.
pub(crate) async fn what_is_refused_halfway_takes_nothing_with_it(subject: &Subject) {
    const REFUSED: usize = 17;
    let account = made::kept_account(&*subject.store).await;
    let mut writers = JoinSet::new();
    for n in 0..WRITERS {
        let store = Arc::clone(&subject.store);
        let (order, mut authorizations) = made::order(&account, &["a.example", "b.example"], NOW + made::WEEK);
        if n == REFUSED {
            authorizations.pop();
        }
        writers.spawn(async move {
            let audit = made::event(Action::OrderOpened, order.id);
            (n, order.id, store.open_order(&order, &authorizations, &Charges::none(), audit).await)
        });
    }
    while let Some(outcome) = writers.join_next().await {
        let (n, id, outcome) = outcome.unwrap();
        assert_eq!(outcome.is_ok(), n != REFUSED, "{outcome:?}");
        assert_eq!(subject.store.order(id).await.unwrap().is_some(), n != REFUSED);
    }
    let kept = i64::try_from(WRITERS).unwrap() - 1;
    assert_eq!(subject.tables.number("SELECT count(*) FROM orders"), kept);
    assert_eq!(subject.tables.number("SELECT count(*) FROM authorizations"), kept * 2);
    assert_eq!(subject.tables.number("SELECT count(*) FROM audit WHERE action = 'order.opened'"), kept);
}

pub(crate) async fn a_caller_that_leaves_undoes_nothing(subject: &Subject) {
    let account = made::account();
    // Asked once, which hands the write over; then the caller is gone.
    let audit = made::event(Action::AccountCreated, account.id);
    assert!(subject.store.create_account(&account, &Charges::none(), audit).now_or_never().is_none());
    // Whatever is written after it is written after it.
    let audit = made::event(Action::AccountCreated, account.id);
    let second = subject
        .store
        .create_account(&Account::open(account.key.clone(), Vec::new(), NOW), &Charges::none(), audit)
        .await;
    assert!(matches!(second, Err(StoreError::Conflict)), "{second:?}");
    assert_eq!(subject.store.account(account.id).await.unwrap().unwrap().value, account);
}
