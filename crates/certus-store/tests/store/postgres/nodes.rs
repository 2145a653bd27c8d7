//! Several nodes on one database: crossing batches, jobs, and writes that fail alone.

use std::sync::Arc;

use certus_ca::audit::Action;
use certus_ca::ports::{StoreError, Version};
use certus_ca::rate_limits::{Effect, LimitName};
use certus_ca::state::{Account, BindingScope};
use tokio::task::JoinSet;

use super::{DEADLOCKS, fresh};
use crate::suite::{bindings, limits, made, renewals};

/// Two nodes whose batches touch the same rows in opposite orders: nobody waits in a circle, and every version has one
/// winner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_write_the_same_rows_without_standing_in_each_others_way() {
    const ACCOUNTS: usize = 12;
    const ROUNDS: u64 = 8;
    let subject = fresh().await;
    let nodes = [Arc::clone(&subject.store), subject.again().await];
    let mut accounts = Vec::new();
    for _ in 0..ACCOUNTS {
        accounts.push(made::kept_account(&*subject.store).await);
    }
    for round in 1..=ROUNDS {
        let mut writers = JoinSet::new();
        for (number, node) in nodes.iter().enumerate() {
            let mut turn: Vec<Account> = accounts.clone();
            if number == 1 {
                turn.reverse();
            }
            for account in turn {
                let node = Arc::clone(node);
                writers.spawn(async move {
                    let changed = Account { contact: vec![format!("mailto:{number}-{round}@example.org")], ..account };
                    let audit = made::event(Action::AccountUpdated, changed.id);
                    node.update_account(Version(round), &changed, audit).await
                });
            }
        }
        let (mut won, mut lost) = (0, 0);
        while let Some(outcome) = writers.join_next().await {
            match outcome.unwrap() {
                Ok(()) => won += 1,
                Err(StoreError::Conflict) => lost += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!((won, lost), (ACCOUNTS, ACCOUNTS), "round {round}");
    }
    assert_eq!(subject.tables.number(DEADLOCKS), 0);
}

/// A key that binds one account binds one, on whichever node it is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_accounts_on_two_nodes_one_has_a_key_of_single_use() {
    let subject = fresh().await;
    bindings::one_wins(&[Arc::clone(&subject.store), subject.again().await]).await;
    assert_eq!(subject.tables.number(DEADLOCKS), 0);
}

/// A certificate has one replacement, on whichever node it is ordered; and revoking it meanwhile stands in nobody's way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_replacements_on_two_nodes_one_wins() {
    let subject = fresh().await;
    renewals::one_wins(&subject, &[Arc::clone(&subject.store), subject.again().await]).await;
    assert_eq!(subject.tables.number(DEADLOCKS), 0);
}

/// Two nodes that spend serials for accounts of one key at once stay within its quota.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_stay_within_a_quota() {
    const QUOTA: usize = 5;
    let subject = fresh().await;
    let nodes = [Arc::clone(&subject.store), subject.again().await];
    made::known_issuer(&*subject.store).await;
    let scope = BindingScope { quota: Some(5), ..BindingScope::default() };
    let key = bindings::kept_key(&*subject.store, scope).await;
    let mut waiting = Vec::new();
    for number in 0..16 {
        let account = bindings::bound(&key);
        bindings::create(&*subject.store, &account).await.unwrap();
        waiting.push(bindings::finalized(&subject, &account, &format!("n{number}.example")).await);
    }
    let mut writers = JoinSet::new();
    for (one, node) in waiting.into_iter().zip(nodes.iter().cycle()) {
        let node = Arc::clone(node);
        writers.spawn(async move { bindings::spend(&*node, one).await });
    }
    let mut spent = 0;
    while let Some(outcome) = writers.join_next().await {
        match outcome.unwrap() {
            Ok(()) => spent += 1,
            Err(StoreError::Conflict) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(spent, QUOTA);
    assert_eq!(subject.tables.number(DEADLOCKS), 0);
}

/// A number holds for all nodes together, whoever comes first, and nobody waits in a circle for buckets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_a_limit() {
    let subject = fresh().await;
    limits::exactly(&subject, &[Arc::clone(&subject.store), subject.again().await], 5).await;
    assert_eq!(subject.tables.number(DEADLOCKS), 0);
}

/// Buckets that one node empties, clears and sweeps while another spends from them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_empty_and_spend_without_standing_in_each_others_way() {
    let subject = fresh().await;
    let nodes = [Arc::clone(&subject.store), subject.again().await];
    let limit = LimitName::NewAccountsPerAddress;
    let mut writers = JoinSet::new();
    for (number, node) in (0..96).zip(nodes.iter().cycle()) {
        let node = Arc::clone(node);
        writers.spawn(async move {
            let (name, effect) =
                (format!("n{}", number % 7), if number % 3 == 0 { Effect::Reset } else { Effect::Spend });
            let other = limits::charge(limit, &format!("n{}", (number + 3) % 7), 1_000, Effect::Spend);
            let charges = limits::one(limit, &name, 1_000, effect).with(other);
            let account = made::account();
            match number % 8 {
                0 => node.clear_limit(limit, &name, made::event(Action::LimitCleared, &name)).await.map(drop).unwrap(),
                1 => {
                    let before = made::NOW + made::WEEK;
                    node.sweep_limits(before, 9, made::event(Action::LimitsSwept, "all")).await.map(drop).unwrap();
                }
                _ => {
                    let audit = made::event(Action::AccountCreated, account.id);
                    node.create_account(&account, &charges, audit).await.unwrap();
                }
            }
        });
    }
    while let Some(outcome) = writers.join_next().await {
        outcome.unwrap();
    }
    assert_eq!(subject.tables.number("SELECT count(*) FROM accounts"), 72);
    assert_eq!(subject.tables.number(DEADLOCKS), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_serve_flows_of_one_database_at_once() {
    let subject = fresh().await;
    made::known_issuer(&*subject.store).await;
    let other = subject.again().await;
    let process = subject.another_process().await;
    let mut flows = JoinSet::new();
    for n in 0..48 {
        // Half of them step from node to node between account and order.
        let (store, process) =
            if n % 2 == 0 { (Arc::clone(&subject.store), subject.process) } else { (Arc::clone(&other), process) };
        let maker = if n % 4 < 2 { Arc::clone(&subject.store) } else { Arc::clone(&other) };
        flows.spawn(async move {
            let account = made::kept_account(&*maker).await;
            let name = format!("n{n}.example");
            made::issued(&*store, process, &account, &[&name, "shared.example"]).await;
        });
    }
    while let Some(flow) = flows.join_next().await {
        flow.unwrap();
    }
    assert_eq!(subject.tables.number("SELECT count(*) FROM certificates"), 48);
    assert_eq!(subject.tables.number("SELECT count(*) FROM jobs"), 0);
    assert_eq!(subject.tables.number(DEADLOCKS), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_to_one_of_many_that_ask_for_it() {
    let subject = fresh().await;
    let account = made::kept_account(&*subject.store).await;
    for n in 0..10 {
        let (order, _) = made::kept_order(&*subject.store, &account, &[&format!("n{n}.example")]).await;
        made::validate(&*subject.store, subject.process, order.id).await;
        made::begin_issuance(&*subject.store, subject.process, order.id).await;
    }
    subject.store.retire_process(subject.process, made::event(Action::ProcessRetired, subject.process)).await.unwrap();
    let mut askers = JoinSet::new();
    for _ in 0..6 {
        let (store, process) = (subject.again().await, subject.another_process().await);
        askers.spawn(async move { store.lease_jobs(process, 4, made::NOW).await.unwrap() });
    }
    let mut leased = Vec::new();
    while let Some(jobs) = askers.join_next().await {
        leased.extend(jobs.unwrap().into_iter().map(|job| (job.lease.job, job.lease.fence)));
    }
    let all = leased.len();
    leased.sort_unstable();
    leased.dedup();
    assert_eq!(leased.len(), all, "none was leased twice");
    assert!(leased.iter().all(|(_, fence)| *fence == 2));
    // Whoever came while others held rows went away with less; what is left is leased to the next one.
    let rest = subject.store.lease_jobs(subject.another_process().await, 100, made::NOW).await.unwrap();
    assert_eq!(all + rest.len(), 10);
}

/// A statement that fails for a reason of its own takes nothing with it that was under way at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_the_server_refuses_fails_alone() {
    let subject = fresh().await;
    let mut writers = JoinSet::new();
    for n in 0..40 {
        let store = Arc::clone(&subject.store);
        // PostgreSQL has no texts with this character.
        let value = if n == 17 { "\0".to_owned() } else { n.to_string() };
        writers.spawn(async move {
            let name = format!("setting-{n}");
            (n, store.write_setting(&name, &value, made::event(Action::SettingWritten, &name)).await)
        });
    }
    while let Some(outcome) = writers.join_next().await {
        match outcome.unwrap() {
            (17, refused) => assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}"),
            (n, outcome) => assert!(outcome.is_ok(), "{n}: {outcome:?}"),
        }
    }
    assert_eq!(subject.tables.number("SELECT count(*) FROM settings"), 39);
    assert_eq!(subject.tables.number("SELECT count(*) FROM audit WHERE action = 'setting.written'"), 39);
}

/// A node spends no serial on a proof that another one is giving up at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_proof_that_is_being_given_up_elsewhere_is_waited_for() {
    /// Gives all up, and commits once somebody waits for that; or after ten seconds, if nobody does.
    const GIVE_UP: &str = "BEGIN; UPDATE authorizations SET deactivated = created, version = version + 1;
        SELECT pg_advisory_lock(1);
        DO $$ DECLARE latest timestamptz := clock_timestamp() + interval '10 s'; BEGIN
            LOOP EXIT WHEN clock_timestamp() > latest OR EXISTS (SELECT FROM pg_locks
                WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))); END LOOP;
        END $$;
        COMMIT";
    let subject = Arc::new(fresh().await);
    let store = &*subject.store;
    made::known_issuer(store).await;
    let account = made::kept_account(store).await;
    let (order, _) = made::kept_order(store, &account, &["a.example"]).await;
    made::validate(store, subject.process, order.id).await;
    let (lease, _) = made::begin_issuance(store, subject.process, order.id).await;
    let intent = made::intent(Some(order.id));
    let elsewhere = Arc::clone(&subject);
    let giving_up = tokio::task::spawn_blocking(move || elsewhere.tables.run(GIVE_UP));
    let given_up = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
        WHERE locktype = 'advisory' AND datname = current_database()";
    while subject.tables.number(given_up) == 0 {}
    let refused = store.record_intent(lease, &intent, made::event(Action::IntentRecorded, "serial")).await;
    giving_up.await.unwrap();
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
}
