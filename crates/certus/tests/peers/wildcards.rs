//! Certbot and lego obtain wildcards by dns-01 from `certus ca serve`, changing a zone of BIND; OpenSSL and Java accept
//! what they got.

use certus_testkit::postgres::PostgresServer;

use crate::authority::Authority;
use crate::clients::{Certbot, Lego, Obtained, folder, leaf};
use crate::judges::{keytool_accepts, openssl_accepts};

/// Two authorizations, whose records stand side by side at one name.
const BOTH: &[&str] = &["wild.peers.test", "*.wild.peers.test"];
/// Names that both cover.
const COVERED: &[&str] = &["wild.peers.test", "foo.wild.peers.test"];

async fn wildcards_are_served(store: &str) {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::start(&folder(dir.path(), "authority"), store).await;
    let lego = Lego { authority: &authority, dir: folder(dir.path(), "lego") };
    let accepted = |obtained: &Obtained, names: &[&str], covered: &[&str]| {
        openssl_accepts(obtained, &authority.root(), covered, dir.path());
        keytool_accepts(obtained, &authority.root(), names, dir.path());
        leaf(obtained)
    };
    for (which, certbot) in Certbot::both(&authority, dir.path()) {
        let first = accepted(&certbot.obtain_by_dns(BOTH), BOTH, COVERED);
        let second = accepted(&certbot.renew(BOTH), BOTH, COVERED);
        assert_ne!(first, second, "{which}: Certbot did not renew");
    }
    accepted(&lego.obtain_by_dns(BOTH), BOTH, COVERED);
    // The name of this one's record is an alias.
    accepted(&lego.obtain_by_dns(&["*.alias.peers.test"]), &["*.alias.peers.test"], &["foo.alias.peers.test"]);
    authority.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn certbot_and_lego_obtain_wildcards_on_sqlite() {
    wildcards_are_served("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certbot_and_lego_obtain_wildcards_on_postgres() {
    let server = PostgresServer::start().unwrap();
    wildcards_are_served(&server.create_database("peers").unwrap()).await;
}
