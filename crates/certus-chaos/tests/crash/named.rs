//! A kill at every commit point, before and after, by name.

use std::collections::BTreeMap;
use std::path::Path;

use certus_testkit::faulty_store::{Effect, Moment};
use certus_testkit::postgres::PostgresServer;
use certus_testkit::{COMMIT_POINTS, Fault, ReadyFile};

use crate::laboratory::{Laboratory, Running};
use crate::ledger::{GiveUp, Ledger, signer_and_store_agree};

/// What nobody leads to: certificates are loaded by tests and benchmarks alone.
const NEVER: &[&str] = &["load_certificates"];

/// Commit points that only a first start reaches: each has a laboratory of its own.
const FIRST_START: &[&str] = &["write_setting", "publish_crl"];

/// Kills at one point of one laboratory; the process must die of it.
async fn kill(laboratory: &Laboratory, ledger: &Ledger, method: &str, moment: Moment) {
    let fault = Fault { method: method.to_owned(), moment, effect: Effect::Kill, nth: 1 };
    let name = format!("{}-{}", method.replace('_', "-"), u8::from(moment == Moment::After));
    let mut faults = vec![fault.clone()];
    match method {
        // Of a job that was abandoned.
        "lease_jobs" => abandon_a_job(laboratory, ledger, &name).await,
        // Of a job of which the process did not hear that it was kept.
        "release_job" | "drop_job" => {
            let effect = Effect::Error;
            faults.push(Fault { method: "begin_validation".to_owned(), moment: Moment::After, effect, nth: 1 });
        }
        _ => {}
    }
    let (running, ready) = laboratory.start(&faults).await;
    if let Some(ready) = ready
        && lead_to(method, laboratory, ledger, &running, &ready, &name).await
    {
        panic!("{fault} was not reached: {}", laboratory.log());
    }
    running.killed_itself(&laboratory.log()).await;
}

/// Does what leads to a commit point. Says whether the authority lives nevertheless.
async fn lead_to(
    method: &str,
    laboratory: &Laboratory,
    ledger: &Ledger,
    running: &Running,
    ready: &ReadyFile,
    name: &str,
) -> bool {
    match method {
        "fail_issuance" => ledger.drive_unsigned(ready, &laboratory.target, name).await,
        "release_job" => ledger.drive_in_doubt(ready, name, GiveUp::No).await,
        "drop_job" => ledger.drive_in_doubt(ready, name, GiveUp::Yes).await,
        "block_key" => laboratory.operate(&["keys", "block", "--sha256", &"5a".repeat(32)]).await.is_some(),
        "create_binding_key" => laboratory.operate(&["eab", "create"]).await.is_some(),
        "revoke_binding_key" => {
            let made = laboratory.operate(&["eab", "create"]).await.unwrap();
            laboratory.operate(&["eab", "revoke", made["kid"].as_str().unwrap()]).await.is_some()
        }
        // Of what everybody here has spent.
        "clear_limit" => {
            laboratory.operate(&["limits", "clear", "new_accounts_per_address", "127.0.0.1"]).await.is_some()
        }
        "retire_process" => {
            running.ask_to_end();
            false
        }
        _ => ledger.drive(ready, &laboratory.target, name).await,
    }
}

async fn abandon_a_job(laboratory: &Laboratory, ledger: &Ledger, name: &str) {
    let (method, effect) = ("begin_issuance".to_owned(), Effect::Kill);
    let fault = Fault { method, moment: Moment::After, effect, nth: 1 };
    let (running, ready) = laboratory.start(&[fault]).await;
    let ready = ready.unwrap_or_else(|| panic!("it does not start again: {}", laboratory.log()));
    assert!(!ledger.drive(&ready, &laboratory.target, &format!("abandoned-{name}")).await);
    running.killed_itself(&laboratory.log()).await;
}

/// What was acknowledged is there, and what was begun has ended.
async fn verify(laboratory: &Laboratory, ledger: &Ledger) -> (usize, usize) {
    let (running, ready) = laboratory.start(&[]).await;
    let ready = ready.unwrap_or_else(|| panic!("it does not start again: {}", laboratory.log()));
    let ended = ledger.verify(&ready, &laboratory.target).await;
    every_certificate_was_counted_once(&laboratory.counted().await, &ended);
    running.stop(&laboratory.log());
    (ended.len(), signer_and_store_agree(&laboratory.record(), &laboratory.store_url(), &ended).await)
}

/// Limits have counted what was issued: nothing twice, nothing never, and nothing that came to no certificate.
fn every_certificate_was_counted_once(counted: &BTreeMap<String, u64>, ended: &BTreeMap<Vec<String>, usize>) {
    let issued = ended.iter().filter(|(_, count)| **count > 0);
    let issued: BTreeMap<String, u64> = issued
        .map(|(names, count)| {
            let mut names = names.clone();
            names.sort();
            (names.join(","), u64::try_from(*count).unwrap())
        })
        .collect();
    assert_eq!(*counted, issued);
}

async fn every_commit_point_is_killed(dir: &Path, new_store: impl Fn(&str) -> String) {
    let (laboratory, ledger) = (Laboratory::limited(&dir.join("main"), &new_store("main")).await, Ledger::default());
    for method in COMMIT_POINTS.iter().filter(|method| !NEVER.contains(method)) {
        for moment in [Moment::Before, Moment::After] {
            if FIRST_START.contains(method) {
                let name = format!("{method}_{}", u8::from(moment == Moment::After));
                let (fresh, told) = (Laboratory::limited(&dir.join(&name), &new_store(&name)).await, Ledger::default());
                kill(&fresh, &told, method, moment).await;
                verify(&fresh, &told).await;
            } else {
                kill(&laboratory, &ledger, method, moment).await;
            }
        }
    }
    let (orders, serials) = verify(&laboratory, &ledger).await;
    assert!(orders > 10 && serials > 10, "{orders} orders, {serials} serials");
}

// conformance: 8555-7.1.6-11
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_at_any_commit_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    every_commit_point_is_killed(dir.path(), |_| "sqlite".to_owned()).await;
}

// conformance: 8555-7.1.6-11
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_at_any_commit_on_postgres() {
    let dir = tempfile::tempdir().unwrap();
    let server = PostgresServer::start().unwrap();
    every_commit_point_is_killed(dir.path(), |name| server.create_database(name).unwrap()).await;
}
