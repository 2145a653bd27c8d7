//! The suite on PostgreSQL, and what is PostgreSQL's own: several nodes, a server that dies, hosts that take no writes.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod suite;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use certus_ca::audit::Action;
use certus_ca::ports::{StoreError, Version};
use certus_ca::state::Account;
use certus_store::{StoreUrl, connect, statements};
use certus_testkit::PostgresServer;
use suite::{Subject, Tables, made};
use tokio::task::JoinSet;

/// Deadlocks that PostgreSQL had to resolve in this database.
const DEADLOCKS: &str = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";

/// The server that tests share while any of them runs; the last one stops it.
fn server() -> Arc<PostgresServer> {
    static SHARED: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(PostgresServer::start().unwrap());
        *shared = Arc::downgrade(&server);
        server
    })
}

#[derive(Debug)]
struct Database {
    server: Arc<PostgresServer>,
    name: String,
}

impl Tables for Database {
    fn run(&self, statements: &str) {
        self.server.ask(&self.name, &statements.replace("OCTETS'", "'\\x")).unwrap();
    }

    fn number(&self, query: &str) -> i64 {
        self.server.ask(&self.name, query).unwrap().parse().unwrap()
    }
}

fn database() -> (StoreUrl, Database) {
    static NAMES: AtomicUsize = AtomicUsize::new(0);
    let server = server();
    let name = format!("store_{}", NAMES.fetch_add(1, Ordering::Relaxed));
    let url = server.create_database(&name).unwrap().parse().unwrap();
    (url, Database { server, name })
}

async fn fresh() -> Subject {
    let (url, database) = tokio::task::spawn_blocking(database).await.unwrap();
    Subject::new(url, Box::new(database)).await
}

store_conformance!(fresh);

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let subject = fresh().await;
    for statement in statements::postgres() {
        if ["BEGIN", "COMMIT", "ROLLBACK"].contains(&statement) {
            continue;
        }
        subject.tables.run(&format!("PREPARE checked AS {statement}"));
    }
}

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
    subject.store.retire_process(subject.process).await.unwrap();
    let mut askers = JoinSet::new();
    for _ in 0..6 {
        let (store, process) = (subject.again().await, subject.another_process().await);
        askers.spawn(async move { store.lease_jobs(process, 4).await.unwrap() });
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
    let rest = subject.store.lease_jobs(subject.another_process().await, 100).await.unwrap();
    assert_eq!(all + rest.len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_is_unavailable_and_then_works_again() {
    let mut server = tokio::task::spawn_blocking(PostgresServer::start).await.unwrap().unwrap();
    let url: StoreUrl = server.create_database("store").unwrap().parse().unwrap();
    let store = connect(&url).await.unwrap();
    store.register_process(&made::process()).await.unwrap();
    let acknowledged = made::kept_account(&*store).await;

    // Under load, so that it dies in the middle of something.
    let mut writers = JoinSet::new();
    for _ in 0..32 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let mut kept = Vec::new();
            loop {
                let account = made::account();
                match store.create_account(&account, made::event(Action::AccountCreated, account.id)).await {
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

#[tokio::test]
async fn a_password_comes_from_a_passfile_that_others_cannot_read() {
    let mut server = tokio::task::spawn_blocking(PostgresServer::start).await.unwrap().unwrap();
    let text = server.create_database("store").unwrap();
    server.ask("store", "CREATE ROLE ca LOGIN PASSWORD 'two words: and\\a colon'").unwrap();
    server.ask("store", "ALTER DATABASE store OWNER TO ca").unwrap();
    server.ask("store", "ALTER SCHEMA public OWNER TO ca").unwrap();
    server.write_file("pg_hba.conf", "local all certus trust\nlocal all all scram-sha-256\n").unwrap();
    server.restart().unwrap();
    let url: StoreUrl = text.replace("certus@", "ca@").parse().unwrap();

    let directory = tempfile::TempDir::new().unwrap();
    let passfile = directory.path().join("passfile");
    let refused = connect(&url.clone().with_passfile(&passfile)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "there is no passfile yet: {refused:?}");
    std::fs::write(&passfile, "# of this test\nlocalhost:*:store:ca:two words\\: and\\\\a colon\n").unwrap();
    suite::unix::set_mode(&passfile, 0o644);
    let refused = connect(&url.clone().with_passfile(&passfile)).await.unwrap_err();
    let said = std::error::Error::source(&refused).unwrap().to_string();
    assert!(said.contains("chmod 600"), "{said}");
    suite::unix::set_mode(&passfile, 0o600);
    let store = connect(&url.clone().with_passfile(&passfile)).await.unwrap();
    made::kept_account(&*store).await;
    let wrong = url.clone().with_password(certus_store::Password::new("wrong"));
    assert!(matches!(connect(&wrong).await, Err(StoreError::Unavailable { .. })));
    let right = url.with_password(certus_store::Password::new("two words: and\\a colon"));
    connect(&right).await.unwrap();
}

/// TLS is spoken with a server whose certificate the root signed, and with no other.
#[tokio::test]
async fn tls_is_verified_against_the_root_and_the_name() {
    let directory = tempfile::TempDir::new().unwrap();
    let root = suite::tls::root(directory.path(), "root");
    let stranger = suite::tls::root(directory.path(), "stranger");
    let (certificate, key) = suite::tls::server(directory.path(), &root, "localhost");
    let port = suite::tls::free_port();
    let start = move || {
        let mut server = PostgresServer::start_with(&["listen_addresses=127.0.0.1", &format!("port={port}")])?;
        server.write_file("server.crt", &certificate)?;
        server.write_file("server.key", &key)?;
        // Nothing but TLS over TCP.
        server.write_file("pg_hba.conf", "local all all trust\nhostssl all all all trust\n")?;
        server.ask("postgres", "ALTER SYSTEM SET ssl = on")?;
        server.restart()?;
        Ok::<_, std::io::Error>(server)
    };
    let server = tokio::task::spawn_blocking(start).await.unwrap().unwrap();

    let url = |host: &str, root: &std::path::Path| -> StoreUrl {
        let root = root.display();
        format!("postgres://certus@{host}:{port}/postgres?sslmode=verify-full&sslrootcert={root}").parse().unwrap()
    };
    let store = connect(&url("localhost", &root.certificate)).await.unwrap();
    made::kept_account(&*store).await;
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl
        AND application_name = 'certus'";
    assert!(server.ask("postgres", encrypted).unwrap().parse::<i64>().unwrap() >= 1);
    for (host, root) in [("localhost", &stranger.certificate), ("127.0.0.1", &root.certificate)] {
        let refused = connect(&url(host, root)).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{host}: {refused:?}");
    }
    let plain: StoreUrl = format!("postgres://certus@localhost:{port}/postgres?sslmode=disable").parse().unwrap();
    assert!(matches!(connect(&plain).await, Err(StoreError::Unavailable { .. })));
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_in_words() {
    let directory = tempfile::TempDir::new().unwrap();
    let url: StoreUrl = format!("postgres://certus@/store?host={}", directory.path().display()).parse().unwrap();
    match connect(&url).await {
        Err(error @ StoreError::Unavailable { .. }) => {
            assert!(error.to_string().contains("no PostgreSQL server"), "{error}");
        }
        other => panic!("{other:?}"),
    }
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
    assert_eq!(subject.tables.number("SELECT count(*) FROM audit"), 39);
}
