//! A kill at every commit point, before and after, by name.

use certus_testkit::faulty_store::{Effect, Moment};
use certus_testkit::postgres::PostgresServer;
use certus_testkit::{COMMIT_POINTS, Fault};

use crate::laboratory::Laboratory;
use crate::ledger::{Ledger, signer_and_store_agree};

/// Commit points that no client and no start reaches, with the tests that break them.
const ELSEWHERE: &[&str] = &[
    // A tool of tests and benchmarks: certus-store's suite.
    "load_certificates",
    // Nothing has expired in a new laboratory: certus-store's suite.
    "reap",
    // A failed validation or signature, an unwanted job: certus-ca's tests with faults.
    "fail_issuance",
    "release_job",
    "drop_job",
    // Only when a job was abandoned, which is what the other kills make: reached, but not at every start.
    "lease_jobs",
    // Ten seconds after a start.
    "heartbeat",
    // At an end in good order.
    "retire_process",
];

/// Kills that a second start cannot reach: the setting, the issuer and the shards' first lists are written once.
const ONCE: usize = 4;

async fn every_commit_point_is_killed(store: &str) {
    let dir = tempfile::tempdir().unwrap();
    let laboratory = Laboratory::new(dir.path(), store).await;
    let ledger = Ledger::default();
    let mut reached = Vec::new();
    for method in COMMIT_POINTS.iter().filter(|method| !ELSEWHERE.contains(method)) {
        for moment in [Moment::Before, Moment::After] {
            let fault = Fault { method: (*method).to_owned(), moment, effect: Effect::Kill, nth: 1 };
            let (running, ready) = laboratory.start(std::slice::from_ref(&fault)).await;
            let lives = match ready {
                Some(ready) => {
                    let name = format!("{}-{}", method.replace('_', "-"), u8::from(moment == Moment::After));
                    ledger.drive(&ready, &laboratory.target, &name).await
                }
                None => false,
            };
            if lives {
                running.kill();
            } else {
                running.killed_itself(&laboratory.log()).await;
                reached.push(fault.to_string());
            }
        }
    }
    let expected: usize = COMMIT_POINTS.len() - ELSEWHERE.len();
    assert!(reached.len() >= 2 * expected - ONCE, "only {reached:?} were reached");

    let (running, ready) = laboratory.start(&[]).await;
    let ready = ready.unwrap_or_else(|| panic!("it does not start again: {}", laboratory.log()));
    let orders = ledger.verify(&ready, &laboratory.target).await;
    running.stop(&laboratory.log());
    let serials = signer_and_store_agree(&laboratory.record(), &laboratory.store_url()).await;
    assert!(orders > 10 && serials > 10, "{orders} orders, {serials} serials");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_at_any_commit_on_sqlite() {
    every_commit_point_is_killed("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_at_any_commit_on_postgres() {
    let server = PostgresServer::start().unwrap();
    every_commit_point_is_killed(&server.create_database("crash").unwrap()).await;
}
