//! lego obtains by tls-alpn-01 from `certus ca serve`; OpenSSL and Java accept what it got.

use certus_testkit::postgres::PostgresServer;

use crate::authority::Authority;
use crate::clients::{Lego, folder};
use crate::judges::{keytool_accepts, openssl_accepts};

const ONE: &[&str] = &["one.peers.test"];
const FIVE: &[&str] =
    &["five.peers.test", "a.five.peers.test", "b.five.peers.test", "c.five.peers.test", "d.five.peers.test"];

async fn lego_is_served_by_tls_alpn(store: &str) {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::start(&folder(dir.path(), "authority"), store).await;
    let lego = Lego { authority: &authority, dir: folder(dir.path(), "lego") };
    for names in [ONE, FIVE] {
        let obtained = lego.obtain_by_tls_alpn(names);
        openssl_accepts(&obtained, &authority.root(), names, dir.path());
        keytool_accepts(&obtained, &authority.root(), names, dir.path());
    }
    authority.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn lego_obtains_by_tls_alpn_01_on_sqlite() {
    lego_is_served_by_tls_alpn("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lego_obtains_by_tls_alpn_01_on_postgres() {
    let server = PostgresServer::start().unwrap();
    lego_is_served_by_tls_alpn(&server.create_database("peers").unwrap()).await;
}
