//! The suite on PostgreSQL, and what is PostgreSQL's own: several nodes, a server that dies, hosts that take no writes.

mod login;
mod nodes;
mod outages;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use certus_store::{StoreUrl, statements};
use certus_testkit::PostgresServer;

use crate::store_conformance;
use crate::suite::{Subject, Tables};

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
