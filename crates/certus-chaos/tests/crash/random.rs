//! Kills at random moments under load. `CERTUS_KILLS` says how many; `cargo xtask prove kills` says 50.

use std::sync::Arc;
use std::time::Duration;

use certus_pki::random_bytes;
use certus_testkit::postgres::PostgresServer;
use tokio::task::LocalSet;

use crate::laboratory::Laboratory;
use crate::ledger::{Ledger, signer_and_store_agree};

/// Kills of an ordinary run.
const KILLS: usize = 4;
/// Clients at once.
const CLIENTS: usize = 8;

async fn killed_at_random(store: &str) {
    #[expect(clippy::disallowed_methods, reason = "the long form of this test asks for more")]
    let kills = std::env::var("CERTUS_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let laboratory = Laboratory::new(dir.path(), store).await;
    let ledger = Arc::new(Ledger::default());
    for kill in 0..kills {
        let (running, ready) = laboratory.start(&[]).await;
        let ready = ready.unwrap_or_else(|| panic!("it does not start again: {}", laboratory.log()));
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..CLIENTS {
            let (ledger, ready, target) = (Arc::clone(&ledger), ready.clone(), Arc::clone(&laboratory.target));
            clients.spawn_local(async move {
                let mut flow = 0;
                // Until the authority is dead.
                while ledger.drive(&ready, &target, &format!("k{kill}-c{client}-f{flow}")).await {
                    flow += 1;
                }
            });
        }
        let [octet] = random_bytes::<1>();
        // Between 50 ms and 1.3 s: from the first account to the middle of many flows.
        let moment = tokio::time::Instant::now() + Duration::from_millis(50 + 5 * u64::from(octet));
        tokio::time::sleep_until(moment).await;
        running.kill();
        clients.join_all().await;
    }
    let (running, ready) = laboratory.start(&[]).await;
    let ready = ready.unwrap_or_else(|| panic!("it does not start again: {}", laboratory.log()));
    let ended = ledger.verify(&ready, &laboratory.target).await;
    running.stop(&laboratory.log());
    signer_and_store_agree(&laboratory.record(), &laboratory.store_url(), &ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_under_load_on_sqlite() {
    LocalSet::new().run_until(killed_at_random("sqlite")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_under_load_on_postgres() {
    let server = PostgresServer::start().unwrap();
    let url = server.create_database("crash").unwrap();
    LocalSet::new().run_until(killed_at_random(&url)).await;
}
