//! acme-client obtains from `certus ca serve`, rolls its key over, chooses a chain, revokes and deactivates its account.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use certus_pki::CertificateChain;
use certus_testkit::postgres::PostgresServer;
use serde_json::Value;

use crate::authority::{Authority, change_settings};
use crate::clients::{INSTALL, Obtained, folder, made, succeeded};
use crate::judges::openssl_accepts;

const NAMES: &[&str] = &["node.peers.test", "www.node.peers.test"];

/// A second root that certifies the issuer, made as docs/operating.md says, and the chain to it among the settings.
fn add_second_root(dir: &Path, second_root: &Path) {
    let issuing = dir.join("state/issuer/issuing-1.pem");
    let chain = CertificateChain::from_pem(&std::fs::read_to_string(&issuing).unwrap()).unwrap();
    let mut extensions = "basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n\
                          authorityKeyIdentifier=keyid\nsubjectKeyIdentifier="
        .to_owned();
    for octet in chain.certificates()[0].subject_key_identifier().unwrap() {
        write!(extensions, "{octet:02X}:").unwrap();
    }
    let [key, file, request, cross] =
        ["second.key", "extensions", "issuer.csr", "cross.pem"].map(|name| dir.join(name));
    std::fs::write(&file, extensions.trim_end_matches(':')).unwrap();
    let openssl = |change: &dyn Fn(&mut Command) -> &mut Command| {
        succeeded(&change(&mut Command::new("openssl")).output().unwrap());
    };
    openssl(&|command| {
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        command.args(["-subj", "/CN=Second Root", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]);
        command.args(["-days", "3650", "-keyout"]).arg(&key).arg("-out").arg(second_root)
    });
    openssl(&|command| {
        command.args(["x509", "-x509toreq", "-in"]).arg(&issuing).arg("-signkey").arg(issuing.with_extension("key"));
        command.arg("-out").arg(&request)
    });
    openssl(&|command| {
        command.args(["x509", "-req", "-days", "1825", "-set_serial", "4711", "-in"]).arg(&request).arg("-CA");
        command.arg(second_root).arg("-CAkey").arg(&key).arg("-extfile").arg(&file).arg("-out").arg(&cross)
    });
    let chain = [&cross, second_root].map(|file| std::fs::read_to_string(file).unwrap()).concat();
    std::fs::write(dir.join("second-chain.pem"), chain).unwrap();
    change_settings(dir, "#alternate_chains = []", "alternate_chains = [\"second-chain.pem\"]");
}

/// One life of an account, as the script tells it.
fn life(authority: &Authority) -> Value {
    let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/peers/acme_client.mjs"].iter().collect();
    let package = made("acme-client/node_modules/acme-client/package.json");
    let mut command = Command::new("node");
    command.env("NODE_EXTRA_CA_CERTS", authority.root()).arg(script).arg(package);
    command.args([&authority.directory_url, &authority.http_01_port.to_string(), NAMES[0], "Second Root"]);
    let output = command.output().unwrap_or_else(|error| panic!("node: {error}: {INSTALL}"));
    succeeded(&output);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What it obtained, in files.
fn obtained(seen: &Value, dir: PathBuf) -> Obtained {
    let obtained = Obtained { leaf_and_chain: dir.join("chain.pem"), key: dir.join("key.pem") };
    std::fs::write(&obtained.leaf_and_chain, seen["certificate"].as_str().unwrap()).unwrap();
    std::fs::write(&obtained.key, seen["key"].as_str().unwrap()).unwrap();
    obtained
}

async fn acme_client_is_served(store: &str) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let second_root = dir.join("second.pem");
    let change = |dir: &Path| add_second_root(dir, &second_root);
    let authority = Authority::start_changed(&folder(dir, "authority"), store, change).await;
    let seen = life(&authority);
    let says = |what: &str, word: &str| assert!(seen[what].as_str().unwrap_or_default().contains(word), "{seen:#}");

    openssl_accepts(&obtained(&seen["first"], folder(dir, "first")), &authority.root(), NAMES, dir);
    openssl_accepts(&obtained(&seen["second"], folder(dir, "second")), &second_root, NAMES, dir);
    // It keeps its account with the new key, and the old one finds none.
    assert_eq!(seen["account"], seen["rolledOver"]);
    assert_eq!(seen["account"], seen["foundAgain"]);
    says("oldKey", "no account has this key");
    assert_eq!(seen["contact"], serde_json::json!(["mailto:new@peers.test"]));
    assert_eq!(seen["revoked"], Value::Null, "{seen:#}");
    says("revokedAgain", "revoked");
    assert_eq!(seen["status"], "deactivated");
    says("afterwards", "deactivated");
    authority.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn acme_client_lives_its_life_on_sqlite() {
    acme_client_is_served("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acme_client_lives_its_life_on_postgres() {
    let server = PostgresServer::start().unwrap();
    acme_client_is_served(&server.create_database("peers").unwrap()).await;
}
