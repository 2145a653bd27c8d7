//! Rate limits: judged and spent in the transaction of the write that they are for.

use std::sync::Arc;
use std::time::Duration;

use certus_acme::Jwk;
use certus_ca::audit::Action;
use certus_ca::ports::{LimitEntry, Page, Store, StoreError};
use certus_ca::rate_limits::{Charge, Charges, Effect, Excess, LimitName, Overrides, Rate};
use certus_ca::state::Account;
use certus_pki::Timestamp;
use tokio::task::JoinSet;

use super::Subject;
use super::made::{self, NOW};

const HOUR: Duration = Duration::from_secs(3600);
const ADDRESS: LimitName = LimitName::NewAccountsPerAddress;
const NETWORK: LimitName = LimitName::NewAccountsPerNetwork;

/// A charge at so many an hour.
pub(crate) fn charge(limit: LimitName, subject: &str, count: u32, effect: Effect) -> Charge {
    Charge { limit, subject: subject.to_owned(), rate: Rate::new(count, HOUR).unwrap(), effect }
}

/// One charge, at the time of the suite.
pub(crate) fn one(limit: LimitName, subject: &str, count: u32, effect: Effect) -> Charges {
    Charges::at(NOW).with(charge(limit, subject, count, effect))
}

async fn create(store: &dyn Store, account: &Account, charges: &Charges) -> Result<(), StoreError> {
    store.create_account(account, charges, made::event(Action::AccountCreated, account.id)).await
}

/// Every bucket that was ever spent from, by limit and subject.
async fn buckets(store: &dyn Store) -> Vec<(LimitName, String, Timestamp)> {
    let later_than: Vec<_> = LimitName::ALL.iter().map(|limit| (*limit, Timestamp::from_unix_millis(0))).collect();
    let Page { entries, next } = store.limit_entries(&later_than, None, 100).await.unwrap();
    assert_eq!(next, None);
    let mut buckets: Vec<_> =
        entries.into_iter().map(|LimitEntry { limit, subject, tat }| (limit, subject, tat)).collect();
    buckets.sort();
    buckets
}

fn limited(outcome: Result<(), StoreError>) -> Vec<Excess> {
    match outcome {
        Err(StoreError::Limited(excesses)) => excesses,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn what_goes_beyond_is_refused_and_costs_nothing(subject: &Subject) {
    let store = &*subject.store;
    let charges = Charges::at(NOW).with(charge(ADDRESS, "192.0.2.7", 2, Effect::Spend)).with(charge(
        NETWORK,
        "192.0.2.0/24",
        10,
        Effect::Spend,
    ));
    for _ in 0..2 {
        create(store, &made::account(), &charges).await.unwrap();
    }
    let before = buckets(store).await;
    let third = made::account();
    let excesses = limited(create(store, &third, &charges).await);
    let rate = Rate::new(2, HOUR).unwrap();
    let excess = Excess { limit: ADDRESS, subject: "192.0.2.7".to_owned(), rate, judged: NOW, again: NOW + HOUR / 2 };
    assert_eq!(excesses, [excess]);
    assert_eq!(buckets(store).await, before, "neither of the two was spent");
    assert_eq!(before, [(ADDRESS, "192.0.2.7".into(), NOW + HOUR), (NETWORK, "192.0.2.0/24".into(), NOW + HOUR / 5)]);
    assert_eq!(store.account(third.id).await.unwrap(), None);
    assert_eq!(subject.tables.number("SELECT count(*) FROM audit WHERE action = 'account.created'"), 2);
    // Another's bucket is another's; and the same one, once it is refilled.
    create(store, &made::account(), &one(ADDRESS, "192.0.2.8", 2, Effect::Spend)).await.unwrap();
    let later = Charges::at(NOW + HOUR / 2).with(charge(ADDRESS, "192.0.2.7", 2, Effect::Spend));
    create(store, &third, &later).await.unwrap();
}

pub(crate) async fn what_is_refused_otherwise_costs_nothing(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let same_key = Account::open(account.key.clone(), Vec::new(), NOW);
    let refused = create(store, &same_key, &one(ADDRESS, "192.0.2.7", 2, Effect::Spend)).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    // A bucket may be there by now, with nothing spent from it.
    assert_eq!(buckets(store).await, []);
    assert_eq!(subject.tables.number("SELECT count(*) FROM limits WHERE tat > 0"), 0);
}

/// Of many that come at once, over all these nodes, as many pass as may.
pub(crate) async fn exactly(subject: &Subject, nodes: &[Arc<dyn Store>], passing: u32) {
    let mut writers = JoinSet::new();
    for (number, node) in (0..48).zip(nodes.iter().cycle()) {
        let node = Arc::clone(node);
        // Half of them name their buckets the other way round.
        let mut all = vec![
            charge(ADDRESS, "a", passing, Effect::Spend),
            charge(NETWORK, "b", 1000, Effect::Spend),
            charge(NETWORK, "a", 1000, Effect::Spend),
        ];
        if number % 2 == 0 {
            all.reverse();
        }
        let charges = all.into_iter().fold(Charges::at(NOW), Charges::with);
        writers.spawn(async move { create(&*node, &made::account(), &charges).await });
    }
    let mut passed = 0;
    while let Some(outcome) = writers.join_next().await {
        match outcome.unwrap() {
            Ok(()) => passed += 1,
            Err(StoreError::Limited(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(passed, passing);
    assert_eq!(subject.tables.number("SELECT count(*) FROM accounts"), i64::from(passing));
    let each = |subject: &str, count: u32| (subject.to_owned(), NOW + HOUR / count * passing);
    let spent: Vec<_> = buckets(&*subject.store).await.into_iter().map(|(_, subject, tat)| (subject, tat)).collect();
    assert_eq!(spent, [each("a", passing), each("a", 1000), each("b", 1000)]);
}

pub(crate) async fn a_number_is_exact_whatever_comes_at_once(subject: &Subject) {
    exactly(subject, &[Arc::clone(&subject.store)], 5).await;
}

/// Requests that come to nothing beside others, in one commit: they cost nothing, so none of the others is refused for
/// them.
pub(crate) async fn what_failed_stands_in_nobodys_way(subject: &Subject) {
    let store = &subject.store;
    let taken = made::kept_account(&**store).await;
    let mut writers = JoinSet::new();
    for number in 0..32 {
        let store = Arc::clone(store);
        let fails = number % 2 == 0;
        let key = if fails { taken.key.clone() } else { Jwk::from_public_key(&made::key()) };
        writers.spawn(async move {
            let account = Account::open(key, Vec::new(), NOW);
            loop {
                let outcome = create(&*store, &account, &one(ADDRESS, "a", 16, Effect::Spend)).await;
                if fails || !matches!(outcome, Err(StoreError::Conflict)) {
                    return (fails, outcome);
                }
            }
        });
    }
    while let Some(outcome) = writers.join_next().await {
        let (fails, outcome) = outcome.unwrap();
        assert!(fails || outcome.is_ok(), "{outcome:?}");
    }
    assert_eq!(subject.tables.number("SELECT count(*) FROM accounts"), 17);
}

pub(crate) async fn every_write_pays_its_price(subject: &Subject) {
    let (store, process) = (&*subject.store, subject.process);
    let orders = LimitName::NewOrdersPerAccount;
    let (domain, failed) = (LimitName::CertificatesPerRegisteredDomain, LimitName::FailedValidationsPerAccountAndName);
    let account = made::kept_account(store).await;
    let tat = async |limit: LimitName| {
        let found = buckets(store).await.into_iter().find(|(name, ..)| *name == limit);
        found.map(|(.., tat)| tat)
    };

    let open = async |charges: Charges| {
        let (order, authorizations) = made::order(&account, &["a.example"], NOW + made::WEEK);
        let audit = made::event(Action::OrderOpened, order.id);
        store.open_order(&order, &authorizations, &charges, audit).await.map(|()| order)
    };
    let look = one(orders, "x", 2, Effect::Spend).with(charge(domain, "a.example", 1, Effect::Look));
    let order = open(look.clone()).await.unwrap();
    let ahead = made::order(&account, &["b.example"], NOW + made::WEEK).1.remove(0);
    let audit = || made::event(Action::AuthorizationOpened, ahead.id);
    store.open_authorization(&ahead, &one(orders, "x", 2, Effect::Spend), audit()).await.unwrap();
    limited(open(look.clone()).await.map(drop));
    let again = made::order(&account, &["b.example"], NOW + made::WEEK).1.remove(0);
    limited(store.open_authorization(&again, &one(orders, "x", 2, Effect::Spend), audit()).await);
    assert_eq!((tat(orders).await, tat(domain).await), (Some(NOW + HOUR), None), "what is looked at is not spent");

    // What has happened is counted, however full.
    let (lease, stored) = made::begin_validation(store, process, kept(store, ahead.id).await).await;
    let settled = stored
        .value
        .clone()
        .settle(stored.value.challenges[0].id, Err(made::problem()), NOW, NOW + made::WEEK)
        .unwrap();
    let charges = one(failed, "x", 1, Effect::Count).with(charge(orders, "x", 2, Effect::Count));
    let audit = made::event(Action::AuthorizationSettled, settled.id);
    store.settle_authorization(lease, stored.version, &settled, &charges, audit).await.unwrap();
    assert_eq!((tat(failed).await, tat(orders).await), (Some(NOW + HOUR), Some(NOW + HOUR)));

    // A success empties the one and makes none of the other.
    let (lease, stored) = made::begin_validation(store, process, kept(store, order.authorizations[0]).await).await;
    let met = stored.value.clone().settle(
        stored.value.challenges[0].id,
        Ok(made::control(&stored.value)),
        NOW,
        NOW + made::WEEK,
    );
    let consecutive = LimitName::ConsecutiveFailuresPerAccountAndName;
    let charges = one(failed, "x", 1, Effect::Reset).with(charge(consecutive, "x", 1, Effect::Reset));
    let audit = made::event(Action::AuthorizationSettled, order.authorizations[0]);
    store.settle_authorization(lease, stored.version, &met.unwrap(), &charges, audit).await.unwrap();
    assert_eq!(tat(failed).await, Some(NOW), "nothing is spent of it");
    assert_eq!(tat(consecutive).await, None);

    // Issuing spends, and what came to nothing is given back.
    let found = store.order(order.id).await.unwrap().unwrap();
    let processing = found.value.order.begin_issuance(&found.value.authorizations, made::key(), NOW).unwrap();
    let job = made::job(certus_ca::job::Task::Issue { order: order.id });
    let audit = || made::event(Action::IssuanceBegun, order.id);
    let full = one(domain, "a.example", 1, Effect::Spend).with(charge(failed, "x", 1, Effect::Spend));
    let begin = async |charges: &Charges| {
        store.begin_issuance(found.version, &processing, &job, process, charges, audit()).await
    };
    let lease = begin(&full).await.unwrap();
    assert_eq!(tat(domain).await, Some(NOW + HOUR));
    limited(open(look.clone()).await.map(drop));
    let stored = store.order(order.id).await.unwrap().unwrap();
    let broken = stored.value.order.fail(made::problem(), NOW);
    let back = one(domain, "a.example", 1, Effect::GiveBack);
    let audit = made::event(Action::IssuanceFailed, order.id);
    store.fail_issuance(lease, stored.version, &broken, &back, audit).await.unwrap();
    assert_eq!(tat(domain).await, Some(NOW), "nothing is spent of it");
}

async fn kept(
    store: &dyn Store,
    id: certus_ca::id::AuthorizationId,
) -> certus_ca::ports::Stored<certus_ca::state::Authorization> {
    store.authorization(id).await.unwrap().unwrap()
}

/// Clocks that jump, numbers that change: the store says at each step what the pure rule says.
pub(crate) async fn a_bucket_follows_the_rule_of_the_authority(subject: &Subject) {
    let store = &*subject.store;
    let mut tat: Option<Timestamp> = None;
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let mut refused = 0;
    for step in 0..80 {
        let jump = if next(8) == 0 { 100 * HOUR } else { Duration::ZERO };
        let at = NOW + Duration::from_secs(next(3600)) + jump;
        let rate = Rate::new(u32::try_from(next(5)).unwrap() + 1, HOUR * u32::try_from(next(3) + 1).unwrap()).unwrap();
        let charges =
            Charges::at(at).with(Charge { limit: ADDRESS, subject: "a".to_owned(), rate, effect: Effect::Spend });
        let outcome = create(store, &made::account(), &charges).await;
        match rate.spend(tat, at) {
            Ok(spent) => {
                outcome.unwrap();
                tat = Some(spent);
            }
            Err(again) => {
                refused += 1;
                assert_eq!(limited(outcome)[0].again, again, "step {step}");
            }
        }
        assert_eq!(buckets(store).await.first().map(|(.., tat)| *tat), tat, "step {step}");
    }
    assert!((10..70).contains(&refused), "{refused} of 80 tell nothing");
}

pub(crate) async fn buckets_are_listed_cleared_and_swept(subject: &Subject) {
    let store = &*subject.store;
    for name in ["a", "b", "c", "d"] {
        create(store, &made::account(), &one(ADDRESS, name, 2, Effect::Spend)).await.unwrap();
    }
    create(store, &made::account(), &one(ADDRESS, "c", 2, Effect::Spend)).await.unwrap();
    create(store, &made::account(), &one(NETWORK, "c", 1, Effect::Spend)).await.unwrap();
    let page = async |tat: Timestamp, after, limit| {
        let Page { entries, next } = store.limit_entries(&[(ADDRESS, tat)], after, limit).await.unwrap();
        (entries.into_iter().map(|entry| entry.subject).collect::<Vec<_>>(), next)
    };
    let (first, next) = page(NOW, None, 3).await;
    assert_eq!((first, next.is_some()), (vec!["a".into(), "b".into(), "c".into()], true));
    assert_eq!(page(NOW, next, 3).await, (vec!["d".to_owned()], None));
    assert_eq!(page(NOW + HOUR / 2, None, 3).await, (vec!["c".to_owned()], None));

    let audit = || made::event(Action::LimitCleared, "new_accounts_per_address c");
    assert!(store.clear_limit(ADDRESS, "c", audit()).await.unwrap());
    assert!(!store.clear_limit(ADDRESS, "c", audit()).await.unwrap());
    assert_eq!(subject.tables.number("SELECT count(*) FROM audit WHERE action = 'limit.cleared'"), 1);
    assert_eq!(page(NOW, None, 9).await.0, ["a", "b", "d"]);
    assert_eq!(subject.tables.number("SELECT count(*) FROM limits"), 4);

    let sweep = async |before, limit| {
        let audit = made::event(Action::LimitsSwept, "before");
        store.sweep_limits(before, limit, audit).await.unwrap()
    };
    assert_eq!(sweep(NOW + HOUR / 2 - Duration::from_millis(1), 9).await, 0);
    assert_eq!(sweep(NOW + HOUR / 2, 2).await, 2);
    assert_eq!(sweep(NOW + HOUR / 2, 2).await, 1);
    assert_eq!(sweep(NOW + HOUR / 2, 2).await, 0);
    assert_eq!(buckets(store).await, [(NETWORK, "c".into(), NOW + HOUR)]);
    assert_eq!(subject.tables.number("SELECT count(*) FROM audit WHERE action = 'limits.swept'"), 2);
}

pub(crate) async fn an_account_keeps_its_own_numbers(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let read = async || store.account(account.id).await.unwrap().unwrap();
    assert_eq!(read().await.value.overrides, Overrides::new());
    let numbers =
        Overrides::from([(LimitName::NewOrdersPerAccount, 7), (LimitName::CertificatesPerExactSet, u32::MAX)]);
    for overrides in [numbers, Overrides::new()] {
        let changed = Account { overrides: overrides.clone(), ..read().await.value };
        let audit = made::event(Action::AccountLimitSet, account.id);
        store.update_account(read().await.version, &changed, audit).await.unwrap();
        assert_eq!(read().await.value, changed);
        assert_eq!(store.account_by_key(&account.key.thumbprint()).await.unwrap().unwrap().value, changed);
    }
    subject.tables.run("UPDATE accounts SET limits = '{\"unheard_of\":1}'");
    let unknown = store.account_by_key(&account.key.thumbprint()).await;
    assert!(
        matches!(unknown, Err(StoreError::Inconsistent { table: "accounts", column: "limits", .. })),
        "{unknown:?}"
    );
}
