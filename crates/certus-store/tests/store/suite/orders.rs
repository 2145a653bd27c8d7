//! Orders, authorizations, validation.

use std::time::Duration;

use certus_acme::{ChallengeType, Identifier, Problem, ProblemKind};
use certus_ca::audit::Action;
use certus_ca::id::{AccountId, AuthorizationId, ChallengeId, OrderId};
use certus_ca::job::{Lease, Task};
use certus_ca::ports::{OpenCounts, OrderAndAuthorizations, OrderPage, StoreError, Stored, Version};
use certus_ca::rate_limits::Charges;
use certus_ca::state::{Authorization, ChallengeState, Order, ValidatedControl};
use certus_pki::DnsName;

use super::made::{NOW, WEEK};
use super::{Subject, made};

pub(crate) async fn an_order_reads_back_as_it_was_opened(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    // Not in the order of the alphabet: the client's order is kept.
    let (order, authorizations) =
        made::kept_order(store, &account, &["www.example.org", "a.example", "b.example"]).await;
    let expected = OrderAndAuthorizations { order: order.clone(), authorizations: authorizations.clone() };
    assert_eq!(store.order(order.id).await.unwrap(), Some(Stored { value: expected, version: Version(1) }));
    for authorization in authorizations {
        let stored = Some(Stored { value: authorization.clone(), version: Version(1) });
        assert_eq!(store.authorization(authorization.id).await.unwrap(), stored);
        assert_eq!(store.authorization_of(authorization.challenges[0].id).await.unwrap(), stored);
    }
    assert_eq!(store.order(OrderId::random()).await.unwrap(), None);
    assert_eq!(store.authorization(AuthorizationId::random()).await.unwrap(), None);
    assert_eq!(store.authorization_of(ChallengeId::random()).await.unwrap(), None);
    let again = store.open_order(&order, &[], &Charges::none(), made::event(Action::OrderOpened, order.id)).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
}

pub(crate) async fn a_validation_begins_once_and_ends_with_its_job(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let (order, authorizations) = made::kept_order(store, &account, &["a.example", "b.example"]).await;
    let first = store.authorization(authorizations[0].id).await.unwrap().unwrap();
    let (lease, stored) = made::begin_validation(store, subject.process, first.clone()).await;
    assert_eq!(stored.version, Version(2));
    assert_eq!(stored.value.challenges[0].state, ChallengeState::Processing { since: NOW, retry: None });

    // The same request once more, from what was read before.
    let (begun, challenge) = made::begun(first.value);
    let job = made::job(Task::Validate { authorization: begun.id, challenge });
    let audit = made::event(Action::ValidationBegun, begun.id);
    let refused = store.begin_validation(Version(1), &begun, &job, subject.process, audit).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");

    let settled = stored.value.clone().settle(challenge, Ok(made::control(&stored.value)), NOW, NOW + WEEK).unwrap();
    let audit = || made::event(Action::AuthorizationSettled, settled.id);
    let refused = store.settle_authorization(lease, Version(1), &settled, &Charges::none(), audit()).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    let stale = Lease { fence: lease.fence + 1, ..lease };
    let refused = store.settle_authorization(stale, stored.version, &settled, &Charges::none(), audit()).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost)), "{refused:?}");
    store.settle_authorization(lease, stored.version, &settled, &Charges::none(), audit()).await.unwrap();
    let refused = store.settle_authorization(lease, Version(3), &settled, &Charges::none(), audit()).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost)), "the job has ended: {refused:?}");

    let read = store.authorization(settled.id).await.unwrap().unwrap();
    assert_eq!(read, Stored { value: settled.clone(), version: Version(3) });
    assert_eq!(read.value.proof().unwrap().2, &made::evidence());
    let order = store.order(order.id).await.unwrap().unwrap();
    assert_eq!(order.value.authorizations, [settled, authorizations[1].clone()]);
    assert_eq!(order.version, Version(1), "an order's version is its own");
}

pub(crate) async fn a_validation_that_failed_is_kept_with_its_reason(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let (_, authorizations) = made::kept_order(store, &account, &["a.example"]).await;
    let stored = store.authorization(authorizations[0].id).await.unwrap().unwrap();
    let (lease, stored) = made::begin_validation(store, subject.process, stored).await;
    let settled = made::settle(store, lease, stored, Err(made::problem())).await;
    let read = store.authorization(settled.id).await.unwrap().unwrap().value;
    assert_eq!(read, settled);
    assert_eq!(read.failure(), Some(&made::problem()));
}

pub(crate) async fn an_authorization_is_given_up_once(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let (_, authorizations) = made::kept_order(store, &account, &["a.example"]).await;
    let given_up = authorizations[0].clone().deactivate(NOW);
    let audit = || made::event(Action::AuthorizationDeactivated, given_up.id);
    store.deactivate_authorization(Version(1), &given_up, audit()).await.unwrap();
    let refused = store.deactivate_authorization(Version(1), &given_up, audit()).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    let read = store.authorization(given_up.id).await.unwrap().unwrap();
    assert_eq!(read, Stored { value: given_up, version: Version(2) });
}

pub(crate) async fn what_is_open_is_counted(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let other = made::kept_account(store).await;
    let counts = async |orders, authorizations| {
        let counts = store.open_counts(account.id, NOW).await.unwrap();
        assert_eq!(counts, OpenCounts { orders, authorizations, reusable: false });
    };
    counts(0, 0).await;
    made::kept_order(store, &other, &["a.example"]).await;
    let (first, _) = made::kept_order(store, &account, &["a.example", "b.example"]).await;
    let (_, failing) = made::kept_order(store, &account, &["c.example"]).await;
    let (_, leaving) = made::kept_order(store, &account, &["d.example"]).await;
    counts(3, 4).await;
    made::validate(store, subject.process, first.id).await;
    counts(3, 2).await;
    let stored = store.authorization(failing[0].id).await.unwrap().unwrap();
    let (lease, stored) = made::begin_validation(store, subject.process, stored).await;
    counts(3, 2).await;
    made::settle(store, lease, stored, Err(made::problem())).await;
    counts(2, 1).await;
    let given_up = leaving[0].clone().deactivate(NOW);
    let audit = made::event(Action::AuthorizationDeactivated, given_up.id);
    store.deactivate_authorization(Version(1), &given_up, audit).await.unwrap();
    counts(1, 0).await;
    made::known_issuer(store).await;
    made::issued(store, subject.process, &account, &["e.example"]).await;
    counts(1, 0).await;
    // What expired is open no more.
    assert_eq!(store.open_counts(account.id, NOW + WEEK).await.unwrap(), OpenCounts::default());
    assert_eq!(
        store.open_counts(other.id, NOW).await.unwrap(),
        OpenCounts { orders: 1, authorizations: 1, reusable: false }
    );
}

pub(crate) async fn an_account_has_its_orders_page_by_page(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let other = made::kept_account(store).await;
    let page = async |after, limit| store.account_orders(account.id, after, NOW, limit).await.unwrap();
    assert_eq!(page(None, 2).await, Some(OrderPage { orders: vec![], more: false }));
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        own.push(made::kept_order(store, &account, &["a.example", "b.example"]).await.0.id);
        others.push(made::kept_order(store, &other, &["a.example"]).await.0.id);
    }
    for (after, limit, expected, more) in [
        (None, 2, &own[..2], true),
        (Some(own[1]), 2, &own[2..4], true),
        (Some(own[3]), 2, &own[4..], false),
        (Some(own[4]), 2, &own[5..], false),
        (Some(own[2]), 2, &own[3..], false),
        (None, 5, &own[..], false),
        (None, 4, &own[..4], true),
    ] {
        let expected = Some(OrderPage { orders: expected.to_vec(), more });
        assert_eq!(page(after, limit).await, expected, "{limit} behind {after:?}");
    }
    for nowhere in [others[0], others[4], OrderId::random()] {
        assert_eq!(page(Some(nowhere), 2).await, None);
    }
    let nobody = AccountId::random();
    assert_eq!(store.account_orders(nobody, Some(own[0]), NOW, 2).await.unwrap(), None);
    let nothing = Some(OrderPage { orders: vec![], more: false });
    assert_eq!(store.account_orders(nobody, None, NOW, 2).await.unwrap(), nothing);
}

pub(crate) async fn what_came_to_nothing_is_not_listed(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    made::known_issuer(store).await;
    let listed = async |now, after| {
        let page = store.account_orders(account.id, after, now, 100).await.unwrap().unwrap();
        assert!(!page.more);
        page.orders
    };
    // One of each in the order they are made in: pending, ready, processing, without issuance, without a proof, given up.
    let mut made = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        made.push(made::kept_order(store, &account, &[format!("{name}.example").as_str()]).await);
    }
    let ids: Vec<OrderId> = made.iter().map(|(order, _)| order.id).collect();
    assert_eq!(listed(NOW, None).await, ids);

    made::validate(store, subject.process, ids[1]).await;
    for id in [ids[2], ids[3]] {
        made::validate(store, subject.process, id).await;
    }
    made::begin_issuance(store, subject.process, ids[2]).await;
    let (lease, stored) = made::begin_issuance(store, subject.process, ids[3]).await;
    let failed = stored.value.fail(made::problem(), NOW);
    let audit = made::event(Action::IssuanceFailed, failed.id);
    store.fail_issuance(lease, stored.version, &failed, &Charges::none(), audit).await.unwrap();
    let stored = store.authorization(made[4].1[0].id).await.unwrap().unwrap();
    let (lease, stored) = made::begin_validation(store, subject.process, stored).await;
    made::settle(store, lease, stored, Err(made::problem())).await;
    let given_up = made[5].1[0].clone().deactivate(NOW);
    let audit = made::event(Action::AuthorizationDeactivated, given_up.id);
    store.deactivate_authorization(Version(1), &given_up, audit).await.unwrap();
    assert_eq!(listed(NOW, None).await, ids[..3]);

    made::issued(store, subject.process, &account, &["g.example"]).await;
    let all = listed(NOW, None).await;
    assert_eq!((all.len(), &all[..3]), (4, &ids[..3]));
    // The list goes on behind what has left it meanwhile.
    for gone in [ids[3], ids[4], ids[5]] {
        assert_eq!(listed(NOW, Some(gone)).await, all[3..]);
    }
    // What expired is no more, unless it was finalized in time.
    assert_eq!(listed(NOW + WEEK, None).await, all[2..]);
}

pub(crate) async fn a_hundred_names_are_an_order(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let names: Vec<String> = (0..100).map(|n| format!("n{}.example", (n * 37) % 100)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let authorizations: Vec<Authorization> = names
        .iter()
        .map(|name| {
            let methods = [ChallengeType::Http01, ChallengeType::Http01];
            Authorization::open(account.id, made::identifier(name), &methods, NOW, NOW + WEEK)
        })
        .collect();
    let order = Order::open(account.id, "classic".into(), &authorizations, NOW, NOW + WEEK);
    store
        .open_order(&order, &authorizations, &Charges::none(), made::event(Action::OrderOpened, order.id))
        .await
        .unwrap();
    let read = store.order(order.id).await.unwrap().unwrap().value;
    assert_eq!(read, OrderAndAuthorizations { order, authorizations });
}

pub(crate) async fn an_authorization_serves_later_orders_where_it_may(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let (_, made_for_one) = made::kept_order(store, &account, &["a.example"]).await;
    let identifiers: Vec<Identifier> =
        ["a.example", "b.example"].map(|name| Identifier::Dns(DnsName::parse(name).unwrap())).into();
    let ahead = Authorization::open(account.id, identifiers[0].clone(), ChallengeType::ALL, NOW, NOW + WEEK);
    let ahead = ahead.with_reuse(WEEK);
    store
        .open_authorization(&ahead, &Charges::none(), made::event(Action::AuthorizationOpened, ahead.id))
        .await
        .unwrap();
    let read = store.authorization(ahead.id).await.unwrap().unwrap();
    assert_eq!(read.value, ahead);
    let reusable = async |now| store.reusable_authorizations(account.id, &identifiers, now).await.unwrap();
    let any = async || store.open_counts(account.id, NOW).await.unwrap().reusable;
    // Not before it is met; and one that was made for an order never.
    assert_eq!((any().await, reusable(NOW).await), (false, vec![]));
    let other = store.authorization(made_for_one[0].id).await.unwrap().unwrap();
    for stored in [other, read] {
        let (lease, stored) = made::begin_validation(store, subject.process, stored).await;
        let (of, challenge) = (stored.value.identifier.clone(), ChallengeType::Http01);
        let control = ValidatedControl::assertion(of, challenge, made::evidence());
        made::settle(store, lease, stored, Ok(control)).await;
    }
    let met = store.authorization(ahead.id).await.unwrap().unwrap();
    assert_eq!((any().await, reusable(NOW).await), (true, vec![met.value.clone()]));
    assert_eq!(reusable(met.value.expires).await, []);
    let stranger = made::kept_account(store).await;
    assert_eq!(store.reusable_authorizations(stranger.id, &identifiers, NOW).await.unwrap(), []);
    // An order names it beside one of its own.
    let fresh = Authorization::open(account.id, identifiers[1].clone(), ChallengeType::ALL, NOW, NOW + WEEK);
    let both = [met.value.clone(), fresh.clone()];
    let order = Order::open(account.id, "classic".into(), &both, NOW, NOW + WEEK);
    let audit = made::event(Action::OrderOpened, order.id);
    store.open_order(&order, std::slice::from_ref(&fresh), &Charges::none(), audit).await.unwrap();
    let read = store.order(order.id).await.unwrap().unwrap().value;
    assert_eq!((read.order, read.authorizations), (order, both.into()));
    let given_up = met.value.deactivate(NOW);
    let audit = made::event(Action::AuthorizationDeactivated, given_up.id);
    store.deactivate_authorization(met.version, &given_up, audit).await.unwrap();
    assert_eq!((any().await, reusable(NOW).await), (false, vec![]));
}

pub(crate) async fn a_validation_that_failed_is_tried_again(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let (order, authorizations) = made::order(&account, &["a.example"], NOW + WEEK);
    let authorizations: Vec<_> = authorizations.into_iter().map(|one| one.with_retries(3)).collect();
    store
        .open_order(&order, &authorizations, &Charges::none(), made::event(Action::OrderOpened, order.id))
        .await
        .unwrap();
    let first = store.authorization(authorizations[0].id).await.unwrap().unwrap();
    assert_eq!(first.value.retries, 3);
    let (lease, stored) = made::begin_validation(store, subject.process, first).await;
    let challenge = stored.value.challenges[0].id;
    let problem = Problem::new(ProblemKind::Dns, "there is nothing");
    let waits = stored.value.clone().settle(challenge, Err(problem.clone()), NOW, NOW + WEEK).unwrap();
    let audit = || made::event(Action::ValidationRetried, waits.id);
    let wait = Duration::from_secs(3600);
    let conflict = store.retry_validation(lease, Version(1), &waits, challenge, wait, audit()).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)), "{conflict:?}");
    store.retry_validation(lease, stored.version, &waits, challenge, wait, audit()).await.unwrap();
    let again = store.retry_validation(lease, Version(3), &waits, challenge, wait, audit()).await;
    assert!(matches!(again, Err(StoreError::LeaseLost)), "it was put back: {again:?}");
    let read = store.authorization(waits.id).await.unwrap().unwrap();
    assert_eq!(read, Stored { value: waits.clone(), version: Version(3) });
    assert_eq!(read.value.challenges[0].state.retry().unwrap().problem, problem);

    // It waits, unless its client says that it need not.
    assert_eq!(store.lease_jobs(subject.process, 10, NOW).await.unwrap(), []);
    let hurried = || made::event(Action::ValidationHurried, waits.id);
    store.hurry_validation(ChallengeId::random(), hurried()).await.unwrap();
    assert_eq!(store.lease_jobs(subject.process, 10, NOW).await.unwrap(), []);
    store.hurry_validation(challenge, hurried()).await.unwrap();
    let [job] = <[_; 1]>::try_from(store.lease_jobs(subject.process, 10, NOW).await.unwrap()).unwrap();
    store.hurry_validation(challenge, hurried()).await.unwrap();
    let entries = store.audit(None, 1000).await.unwrap().entries;
    let count = entries.iter().filter(|entry| entry.action == Action::ValidationHurried.name()).count();
    assert_eq!(count, 1, "what changed nothing has no entry");

    let met = waits.settle(challenge, Ok(made::control(&read.value)), NOW, NOW + WEEK).unwrap();
    let audit = made::event(Action::AuthorizationSettled, met.id);
    store.settle_authorization(job.lease, Version(3), &met, &Charges::none(), audit).await.unwrap();
    let order = store.order(order.id).await.unwrap().unwrap();
    assert_eq!(order.value.authorizations, [met]);
}

pub(crate) async fn what_a_key_vouches_for_is_kept_as_valid(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let name = Identifier::Dns(DnsName::parse("a.example").unwrap());
    let vouched = Authorization::vouched(account.id, name, NOW, NOW + WEEK);
    let (order, _) = made::order(&account, &["a.example"], NOW + WEEK);
    let order = Order { authorizations: vec![vouched.id], ..order };
    let audit = made::event(Action::OrderOpened, order.id);
    store.open_order(&order, std::slice::from_ref(&vouched), &Charges::none(), audit).await.unwrap();
    let kept = store.order(order.id).await.unwrap().unwrap();
    assert_eq!(kept.value.authorizations, std::slice::from_ref(&vouched));
    let ahead = Authorization { id: AuthorizationId::random(), ..vouched };
    let audit = made::event(Action::AuthorizationOpened, ahead.id);
    store.open_authorization(&ahead, &Charges::none(), audit).await.unwrap();
    assert_eq!(store.authorization(ahead.id).await.unwrap().unwrap().value, ahead);
    let open = store.open_counts(account.id, NOW).await.unwrap();
    assert_eq!((open.orders, open.authorizations), (1, 0), "nothing waits for the client");
}
