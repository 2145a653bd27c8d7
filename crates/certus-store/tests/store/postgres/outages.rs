//! Servers that die, are not there, or take no writes.

use std::sync::Arc;

use certus_ca::audit::Action;
use certus_ca::ports::StoreError;
use certus_ca::rate_limits::Charges;
use certus_store::{StoreUrl, connect};
use certus_testkit::PostgresServer;
use tokio::task::JoinSet;

use super::database;
use crate::suite::{Tables, made};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_is_unavailable_and_then_works_again() {
    let mut server = tokio::task::spawn_blocking(PostgresServer::start).await.unwrap().unwrap();
    let url: StoreUrl = server.create_database("store").unwrap().parse().unwrap();
    let store = connect(&url).await.unwrap();
    store.register_process(&made::process(), made::event(Action::ProcessRegistered, "p")).await.unwrap();
    let acknowledged = made::kept_account(&*store).await;

    // Under load, so that it dies in the middle of something.
    let mut writers = JoinSet::new();
    for _ in 0..32 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let mut kept = Vec::new();
            loop {
                let account = made::account();
                match store
                    .create_account(&account, &Charges::none(), made::event(Action::AccountCreated, account.id))
                    .await
                {
                    Ok(()) => kept.push(account),
                    Err(StoreError::Unavailable { .. }) => return kept,
                    Err(other) => panic!("{other:?}"),
                }
            }
        });
    }
    let enough = async { while store.audit(None, 300).await.is_ok_and(|page| page.next.is_none()) {} };
    enough.await;
    server.kill().unwrap();
    let mut kept = vec![acknowledged];
    while let Some(accounts) = writers.join_next().await {
        kept.extend(accounts.unwrap());
    }
    let down = store.account(kept[0].id).await;
    assert!(matches!(down, Err(StoreError::Unavailable { .. })), "{down:?}");
    assert!(matches!(store.check().await, Err(StoreError::Unavailable { .. })));

    server.restart().unwrap();
    store.check().await.unwrap();
    for account in &kept {
        assert_eq!(store.account(account.id).await.unwrap().map(|stored| stored.value).as_ref(), Some(account));
    }
    made::kept_account(&*store).await;
}

#[tokio::test]
async fn a_host_that_takes_no_writes_is_passed_over() {
    let (url, database) = tokio::task::spawn_blocking(database).await.unwrap();
    // The first host is not there, the second is a standby as far as a client can tell, the third takes writes.
    let standby = tokio::task::spawn_blocking(|| PostgresServer::start_with(&["default_transaction_read_only=on"]));
    let standby = standby.await.unwrap().unwrap();
    let missing = tempfile::TempDir::new().unwrap();
    let hosts: Vec<String> = [missing.path(), standby.socket_directory(), database.server.socket_directory()]
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let several: StoreUrl = format!("postgres://certus@/{}?host={}", database.name, hosts.join(",")).parse().unwrap();
    let store = connect(&several).await.unwrap();
    let account = made::kept_account(&*store).await;
    let same = connect(&url).await.unwrap();
    assert_eq!(same.account(account.id).await.unwrap().unwrap().value, account);

    let readonly: StoreUrl = standby.url("postgres").parse().unwrap();
    match connect(&readonly).await {
        Err(error @ StoreError::Unavailable { .. }) => assert!(error.to_string().contains("takes writes"), "{error}"),
        other => panic!("{other:?}"),
    }
}

/// The host turns into one that takes no writes while the store is at work; another one takes over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_stops_taking_writes_is_left_for_another() {
    let (_, database) = tokio::task::spawn_blocking(database).await.unwrap();
    let server = Arc::clone(&database.server);
    let other = tokio::task::spawn_blocking(PostgresServer::start).await.unwrap().unwrap();
    other.create_database(&database.name).unwrap();
    let (first, second) = (server.socket_directory().display(), other.socket_directory().display());
    let second_url: StoreUrl = format!("postgres://certus@/{}?host={second}", database.name).parse().unwrap();
    // As a standby has the schema, so has the other host.
    drop(connect(&second_url).await.unwrap());
    let url: StoreUrl = format!("postgres://certus@/{}?host={first},{second}", database.name).parse().unwrap();
    let store = connect(&url).await.unwrap();
    let before = made::kept_account(&*store).await;
    let name = &database.name;
    database.run(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
            AND pid <> pg_backend_pid()",
    );
    let after = made::kept_account(&*store).await;
    let count = |server: &PostgresServer| server.ask(&database.name, "SELECT count(*) FROM accounts").unwrap();
    assert_eq!((count(&server), count(&other)), ("1".into(), "1".into()));
    assert_eq!(store.account(after.id).await.unwrap().unwrap().value, after);
    assert_eq!(store.account(before.id).await.unwrap(), None, "the other host is a database of its own here");
}
