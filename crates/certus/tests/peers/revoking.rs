//! Certbot and lego revoke, by account and by key; OpenSSL finds what they revoked in the CRLs that the certificates name.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use certus_pki::{Certificate, CertificateList};
use certus_testkit::RawHttp;
use certus_testkit::postgres::PostgresServer;

use crate::authority::Authority;
use crate::clients::{Certbot, Lego, Obtained, certificate, folder, leaf};

/// The promise is a minute; the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// The list that a certificate names.
async fn list(certificate: &Certificate) -> CertificateList {
    let answer = RawHttp::plain().unwrap().get(&certificate.crl_urls()[0]).await.unwrap();
    CertificateList::parse(&answer.body).unwrap()
}

/// Waits until the list that a certificate names has it, and puts that list into a file.
async fn listed(obtained: &Obtained, dir: &Path) -> CertificateList {
    let certificate = certificate(obtained);
    let waited = async {
        let mut again = tokio::time::interval(Duration::from_millis(500));
        loop {
            again.tick().await;
            let list = list(&certificate).await;
            if list.revoked().iter().any(|entry| entry.serial == *certificate.serial()) {
                return list;
            }
        }
    };
    let list = tokio::time::timeout(PATIENCE, waited).await.unwrap();
    std::fs::write(dir.join("list.crl"), list.der()).unwrap();
    list
}

/// What OpenSSL says of a certificate with the list that it names.
fn openssl_says(obtained: &Obtained, root: &Path, dir: &Path) -> String {
    std::fs::write(dir.join("leaf.pem"), leaf(obtained)).unwrap();
    let mut command = Command::new("openssl");
    command.args(["verify", "-crl_check", "-CRLfile"]).arg(dir.join("list.crl")).arg("-CAfile").arg(root);
    let output = command.arg("-untrusted").arg(&obtained.leaf_and_chain).arg(dir.join("leaf.pem")).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

async fn peers_revoke(store: &str) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let authority = Authority::start(&folder(dir, "authority"), store).await;
    let lego = Lego { authority: &authority, dir: folder(dir, "lego") };
    let mut revoked = Vec::new();
    for (which, certbot) in Certbot::both(&authority, dir) {
        let by_account = certbot.obtain(&[&format!("{which}-account.peers.test")]);
        certbot.revoke(&by_account, &["--reason", "superseded"]);
        let by_key = certbot.obtain(&[&format!("{which}-key.peers.test")]);
        certbot.revoke(&by_key, &["--key-path", by_key.key.to_str().unwrap(), "--reason", "keycompromise"]);
        revoked.extend([(by_account, Some(4)), (by_key, Some(1))]);
    }
    let by_lego = lego.obtain(&["lego.peers.test"]);
    lego.revoke(&["lego.peers.test"]);
    let by_operator = lego.obtain(&["operator.peers.test"]);
    let file = by_operator.leaf_and_chain.to_str().unwrap();
    authority.ca(&["revoke", "--reason", "privilege-withdrawn", "--certificate", file]);
    let kept = lego.obtain(&["kept.peers.test"]);

    revoked.extend([(by_lego, None), (by_operator, Some(9))]);
    for (obtained, reason) in &revoked {
        let list = listed(obtained, dir).await;
        let serial = certificate(obtained).serial().clone();
        let entry = list.revoked().iter().find(|entry| entry.serial == serial).unwrap();
        assert_eq!(entry.reason.map(certus_pki::RevocationReason::code), *reason, "{entry:?}");
        let said = openssl_says(obtained, &authority.root(), dir);
        assert!(said.contains("certificate revoked"), "{said}");
    }
    std::fs::write(dir.join("list.crl"), list(&certificate(&kept)).await.der()).unwrap();
    let said = openssl_says(&kept, &authority.root(), dir);
    assert!(said.contains(": OK"), "{said}");
    authority.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn certbot_and_lego_revoke_on_sqlite() {
    peers_revoke("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certbot_and_lego_revoke_on_postgres() {
    let server = PostgresServer::start().unwrap();
    peers_revoke(&server.create_database("peers").unwrap()).await;
}
