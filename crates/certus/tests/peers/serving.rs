//! Certbot and lego obtain and renew from `certus ca serve`; OpenSSL and Java accept what they got.

use certus_testkit::postgres::PostgresServer;

use crate::authority::Authority;
use crate::clients::{Certbot, Lego, Obtained, folder, leaf};
use crate::judges::{keytool_accepts, openssl_accepts};

const ONE: &[&str] = &["one.peers.test"];
const FIVE: &[&str] =
    &["five.peers.test", "a.five.peers.test", "b.five.peers.test", "c.five.peers.test", "d.five.peers.test"];

async fn peers_are_served(store: &str) {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::start(&folder(dir.path(), "authority"), store).await;
    let certbot = Certbot::of_debian(&authority, folder(dir.path(), "certbot"));
    let lego = Lego { authority: &authority, dir: folder(dir.path(), "lego") };
    for names in [ONE, FIVE] {
        let accepted = |obtained: &Obtained| {
            openssl_accepts(obtained, &authority.root(), names, dir.path());
            keytool_accepts(obtained, &authority.root(), names, dir.path());
            leaf(obtained)
        };
        let first = accepted(&certbot.obtain(names));
        let second = accepted(&certbot.renew(names));
        assert_ne!(first, second, "Certbot did not renew");
        let first = accepted(&lego.obtain(names));
        let second = accepted(&lego.renew(names));
        assert_ne!(first, second, "lego did not renew");
    }
    authority.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn certbot_and_lego_obtain_and_renew_on_sqlite() {
    peers_are_served("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certbot_and_lego_obtain_and_renew_on_postgres() {
    let server = PostgresServer::start().unwrap();
    peers_are_served(&server.create_database("peers").unwrap()).await;
}
