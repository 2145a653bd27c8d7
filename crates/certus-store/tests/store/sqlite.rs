//! The suite on SQLite, and what is SQLite's own: the file, its size, its lock.

use std::path::{Path, PathBuf};

use certus_ca::audit::Action;
use certus_ca::ports::StoreError;
use certus_ca::rate_limits::Charges;
use certus_store::{SqliteConfig, StoreUrl, connect, statements};
use rusqlite::{Connection, OpenFlags};

use tempfile::TempDir;

use crate::store_conformance;
use crate::suite::{Subject, Tables, made, unix};

#[derive(Debug)]
struct File {
    directory: TempDir,
}

impl File {
    fn path(&self) -> PathBuf {
        self.directory.path().join("store.sqlite")
    }

    fn open(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }
}

impl Tables for File {
    fn run(&self, statements: &str) {
        let statements = statements.replace("OCTETS'", "x'");
        self.open().execute_batch(&statements).unwrap();
    }

    fn number(&self, query: &str) -> i64 {
        self.open().query_row(query, [], |row| row.get(0)).unwrap()
    }
}

async fn fresh() -> Subject {
    let file = File { directory: TempDir::new().unwrap() };
    let url = format!("sqlite:{}", file.path().display()).parse().unwrap();
    Subject::new(url, Box::new(file)).await
}

store_conformance!(fresh);

fn limited(path: &Path, max_bytes: u64) -> StoreUrl {
    StoreUrl::Sqlite(SqliteConfig { path: path.to_owned(), max_bytes: Some(max_bytes) })
}

#[tokio::test]
async fn a_full_store_says_so_and_works_again_once_there_is_room() {
    let file = File { directory: TempDir::new().unwrap() };
    let store = connect(&limited(&file.path(), 600 * 1024)).await.unwrap();
    let account = made::kept_account(&*store).await;
    let mut kept = Vec::new();
    let refused = loop {
        let (order, authorizations) = made::order(&account, &["a.example"; 50], made::NOW + made::WEEK);
        match store
            .open_order(&order, &authorizations, &Charges::none(), made::event(Action::OrderOpened, order.id))
            .await
        {
            Ok(()) => kept.push(order.id),
            Err(error) => break (order.id, error),
        }
        assert!(kept.len() < 1000, "the limit holds");
    };
    assert!(matches!(refused.1, StoreError::Unavailable { .. }), "{:?}", refused.1);
    assert!(refused.1.to_string().contains("room"), "{}", refused.1);
    assert_eq!(store.order(refused.0).await.unwrap(), None, "nothing of it was kept");
    // Reads go on, what was answered is there, and there is room again once something goes.
    for id in &kept {
        assert!(store.order(*id).await.unwrap().is_some());
    }
    let reaped = made::event(Action::Reaped, "all");
    assert!(store.reap(made::NOW + made::WEEK * 2, 1000, reaped).await.unwrap() > 0);
    made::kept_order(&*store, &account, &["b.example"]).await;
}

#[tokio::test]
async fn a_file_that_another_program_locks_is_unavailable_and_then_works_again() {
    let subject = fresh().await;
    let file = format!("{}", url_path(&subject.url).display());
    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let account = made::account();
    let refused =
        subject.store.create_account(&account, &Charges::none(), made::event(Action::AccountCreated, account.id)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    assert_eq!(subject.store.account(account.id).await.unwrap(), None, "reads go on meanwhile");
    other.execute_batch("ROLLBACK").unwrap();
    subject
        .store
        .create_account(&account, &Charges::none(), made::event(Action::AccountCreated, account.id))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_link_does_not_lead_past_the_lock() {
    let subject = fresh().await;
    let directory = TempDir::new().unwrap();
    let link = directory.path().join("store.sqlite");
    std::os::unix::fs::symlink(url_path(&subject.url), &link).unwrap();
    match connect(&StoreUrl::Sqlite(SqliteConfig::at(&link))).await {
        Err(error @ StoreError::Unavailable { .. }) => {
            assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

fn url_path(url: &StoreUrl) -> PathBuf {
    match url {
        StoreUrl::Sqlite(config) => config.path.clone(),
        StoreUrl::Postgres(_) => panic!("not a file"),
    }
}

#[tokio::test]
async fn what_is_no_store_is_not_opened() {
    let directory = TempDir::new().unwrap();
    let garbage = directory.path().join("garbage");
    std::fs::write(&garbage, "no database at all".repeat(1000)).unwrap();
    let missing = directory.path().join("missing").join("store.sqlite");
    for (path, hint) in [(garbage, "no SQLite database"), (missing, "cannot be made")] {
        match connect(&StoreUrl::Sqlite(SqliteConfig::at(&path))).await {
            Err(error @ StoreError::Unavailable { .. }) => assert!(error.to_string().contains(hint), "{error}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_file_and_its_companions_are_for_their_owner_alone() {
    let subject = fresh().await;
    made::kept_account(&*subject.store).await;
    let directory = url_path(&subject.url).parent().unwrap().to_owned();
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(unix::mode(&entry.path()) & 0o077, 0, "{}", entry.path().display());
        seen += 1;
    }
    assert!(seen >= 3, "the file, its log and the log's index");
}

#[tokio::test]
async fn the_log_does_not_grow_for_ever() {
    let subject = fresh().await;
    made::known_issuer(&*subject.store).await;
    for _ in 0..15 {
        let batch: Vec<_> = (0..1000).map(|n| made::foreign(&[made::dns(&format!("n{n}.example"))])).collect();
        made::load(&subject.store, &batch).await;
    }
    let file = url_path(&subject.url);
    let size = |suffix: &str| std::fs::metadata(format!("{}{suffix}", file.display())).unwrap().len();
    assert!(size("") > 15 * 1024 * 1024, "{}", size(""));
    assert!(size("-wal") < 70 * 1024 * 1024, "{}", size("-wal"));
    assert_eq!(subject.tables.number("SELECT count(*) FROM certificates"), 15_000);
}

#[tokio::test]
async fn every_statement_fits_the_schema_and_none_reads_a_whole_table_for_one_row() {
    let subject = fresh().await;
    let path = url_path(&subject.url);
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    for statement in statements::sqlite() {
        connection.prepare(statement).unwrap_or_else(|error| panic!("{error} in {statement}"));
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        let values = vec![rusqlite::types::Null; plan.parameter_count()];
        let steps: Vec<String> =
            plan.query_map(rusqlite::params_from_iter(values), |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        for step in steps {
            // Small tables, and what is meant to read a list in its order.
            let whole = step.starts_with("SCAN") && !step.contains("USING");
            let small = ["migrations", "issuers", "processes", "jobs", "sqlite_schema"];
            // Read through now and then, by a reader: an index would have to be written with every request that is counted.
            let swept = statement.starts_with("SELECT key FROM limits WHERE tat");
            // A list that was handed over.
            let given = step.contains("VIRTUAL TABLE");
            let expected = !whole
                || swept
                || given
                || small.iter().any(|table| step.contains(table))
                || step.contains("CONSTANT ROW");
            assert!(expected, "{step} in {statement}");
        }
    }
}
