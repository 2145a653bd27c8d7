//! Certbot and lego make accounts by external account binding, where nobody gets one without.

use certus_testkit::postgres::PostgresServer;

use crate::authority::Authority;
use crate::clients::{Certbot, Lego, folder, leaf};
use crate::judges::openssl_accepts;

/// A key for names beneath one.
fn key(authority: &Authority, beneath: &str) -> [String; 2] {
    let made = authority.ca(&["eab", "create", "--single-use", "--permit-names", beneath]);
    ["kid", "mac_key"].map(|member| made[member].as_str().unwrap().to_owned())
}

async fn peers_are_bound(store: &str) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let authority = Authority::start_with(&folder(dir, "authority"), store, "external_account_required = true\n").await;
    let lego = Lego { authority: &authority, dir: folder(dir, "lego") };
    for (which, certbot) in Certbot::both(&authority, dir) {
        let name = format!("{which}.peers.test");
        assert!(certbot.refused(&[&name]).contains("external account binding"), "without a key");
        let [kid, mac] = key(&authority, &name);
        let obtained = certbot.obtain_bound(&[&name], &kid, &mac);
        openssl_accepts(&obtained, &authority.root(), &[&name], dir);
        assert_ne!(leaf(&obtained), leaf(&certbot.renew(&[&name])), "it did not renew");
        assert!(certbot.refused(&["other.peers.test"]).contains("other.peers.test"), "a name that the key is not for");
    }
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
