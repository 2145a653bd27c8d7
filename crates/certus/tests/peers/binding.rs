//! Certbot and lego make accounts by external account binding, where nobody gets one without.

use std::process::Command;

use certus_testkit::postgres::PostgresServer;
use serde_json::Value;

use crate::authority::{Authority, CERTUS};
use crate::clients::{Certbot, Lego, folder, leaf, succeeded};
use crate::judges::openssl_accepts;

/// A key for names beneath one.
fn key(authority: &Authority, beneath: &str) -> [String; 2] {
    let mut command = Command::new(CERTUS);
    command.args(["ca", "eab", "create", "--json", "--single-use", "--permit-names", beneath, "--dir"]);
    let output = command.arg(&authority.dir).output().unwrap();
    succeeded(&output);
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    ["kid", "mac_key"].map(|member| made[member].as_str().unwrap().to_owned())
}

async fn peers_are_bound(store: &str) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let authority = Authority::start_with(&folder(dir, "authority"), store, "external_account_required = true\n").await;
    let certbot = Certbot { authority: &authority, dir: folder(dir, "certbot") };
    let lego = Lego { authority: &authority, dir: folder(dir, "lego") };
    assert!(certbot.refused(&["certbot.peers.test"]).contains("external account binding"), "without a key");
    let [kid, mac] = key(&authority, "certbot.peers.test");
    let obtained = certbot.obtain_bound(&["certbot.peers.test"], &kid, &mac);
    openssl_accepts(&obtained, &authority.root(), &["certbot.peers.test"], dir);
    assert_ne!(leaf(&obtained), leaf(&certbot.renew(&["certbot.peers.test"])), "it did not renew");
    assert!(certbot.refused(&["other.peers.test"]).contains("other.peers.test"), "a name that the key is not for");
    let [kid, mac] = key(&authority, "lego.peers.test");
    let obtained = lego.obtain_bound(&["lego.peers.test", "a.lego.peers.test"], &kid, &mac);
    openssl_accepts(&obtained, &authority.root(), &["lego.peers.test", "a.lego.peers.test"], dir);
    authority.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn certbot_and_lego_are_bound_on_sqlite() {
    peers_are_bound("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certbot_and_lego_are_bound_on_postgres() {
    let server = PostgresServer::start().unwrap();
    peers_are_bound(&server.create_database("peers").unwrap()).await;
}
